//! Who may ask for what: a line for each field, and one for each place that takes text.

use sundial::guard::table::access_rule::RoleName::{self, Admin, Editor, Viewer};

/// Who gets an answer.
#[derive(Clone, Copy)]
pub enum Open {
    /// Everybody whose proof counts, and everybody who shows none.
    Anybody,
    /// Everybody who says who they are.
    Known,
    /// People, of what is their own; machines are told so.
    People,
    /// Everybody, whatever they show: of a tenant that is not open, what is told of one that is not there.
    Explained,
    /// Whoever has this role in the tenant; a lower one is told so, and everybody else what is told of a tenant that is
    /// not there.
    Within(RoleName),
    /// The same, of what is there once: who comes after the first is told that it is not.
    Once(RoleName),
}

use Open::{Anybody, Explained, Known, Once, People, Within};

/// How each field is asked, and who gets an answer. `$tenant`, `$node`, `$series`, `$token` and `$old` are a tenant's
/// slug, its id, and the ids of a series and of tokens in it, the second one revoked; `$producer`, `$run` and `$gone` are
/// ids of a producer, of its run and of a producer that may go; `$session` is a session of the administrator's, and
/// `$after` and `$change` are where events and changes begin.
pub const FIELDS: &[(Open, &str)] = &[
    (Anybody, "{ serverTime }"),
    (
        Anybody,
        "{ viewer { kind login name avatarUrl organizations
        sessions { id createdAt usedAt expiresAt userAgent current } } }",
    ),
    (
        Known,
        "{ tenants { nodes { slug } edges { cursor node { id } }
        pageInfo { hasPreviousPage hasNextPage startCursor endCursor } } }",
    ),
    (
        Within(Viewer),
        "query ($tenant: String!) { tenant(slug: $tenant) { id slug name group environment } }",
    ),
    (
        Within(Viewer),
        "query ($tenant: String!) { tenant(slug: $tenant) { lastPointAt usage { points bytes quotaPoints quotaBytes
        retentionDays } } }",
    ),
    (
        Within(Viewer),
        "query ($tenant: String!) { tenant(slug: $tenant) { series { nodes { id key name labels { name value } unit
        latest { time value } } edges { cursor node { id } }
        pageInfo { hasPreviousPage hasNextPage startCursor endCursor } } } }",
    ),
    (
        Within(Viewer),
        "query ($tenant: String!) { tenant(slug: $tenant) { series { nodes { samples(range: { from: 0, to: 99 })
        { times values } windows(range: { from: 0, to: 99 }, every: \"1s\") { starts count min max sum avg first last } } } } }",
    ),
    (
        Within(Viewer),
        "query ($tenant: String!) { tenant(slug: $tenant) { series { nodes { gaps(range: { from: 0, to: 99 },
        longerThan: \"1ms\") { from to } } } } }",
    ),
    (
        Within(Viewer),
        "query ($tenant: String!) { compare(left: { tenant: $tenant, series: \"common\" },
        right: { tenant: $tenant, series: \"common\" }, range: { from: 0, to: 99 }, every: \"1s\")
        { left { starts avg } right { count } difference } }",
    ),
    (
        Within(Viewer),
        "query ($tenant: String!) { tenant(slug: $tenant) { series(first: 9) { nodes {
        points(range: { from: 0, to: 99 }, first: 9) { nodes { time value } edges { cursor node { time } }
        pageInfo { hasPreviousPage hasNextPage startCursor endCursor } } } } } }",
    ),
    (
        Within(Viewer),
        "query ($tenant: String!) { tenant(slug: $tenant) { role } }",
    ),
    (
        Within(Viewer),
        "query ($node: ID!) { node(id: $node) { id ... on Tenant { slug series { nodes { key } } } } }",
    ),
    (
        Within(Viewer),
        "query ($series: ID!) { node(id: $series) { id ... on Series { key latest { value } } } }",
    ),
    (
        Within(Viewer),
        "query ($node: ID!, $series: ID!) { nodes(ids: [$node, $series]) { id ... on Series { key } } }",
    ),
    (
        Within(Admin),
        "query ($tenant: String!) { tenant(slug: $tenant) { accessRules { organization team role } } }",
    ),
    (
        Within(Admin),
        "query ($tenant: String!) { tenant(slug: $tenant) { tokens {
        id number name series createdAt expiresAt revokedAt usedAt } } }",
    ),
    (
        Within(Admin),
        "query ($tenant: String!) { tenant(slug: $tenant) { auditEvents {
        nodes { id at actorKind actor action subject detail } edges { cursor node { id } }
        pageInfo { hasPreviousPage hasNextPage startCursor endCursor } } } }",
    ),
    (
        Within(Viewer),
        "query ($tenant: String!) { tenant(slug: $tenant) { producers(first: 9) { nodes { id name schedule timeZone grace
        createdAt nextSlot lastRun { id error } runs(range: { from: 0, to: 99 }, first: 9) { nodes { id producer slot
        state startedAt finishedAt points error } edges { cursor node { id } }
        pageInfo { hasPreviousPage hasNextPage startCursor endCursor } } } edges { cursor node { id } }
        pageInfo { hasPreviousPage hasNextPage startCursor endCursor } } } }",
    ),
    (
        Within(Viewer),
        "query ($producer: ID!) { node(id: $producer) { id ... on Producer { name lastRun { error } } } }",
    ),
    (
        Within(Viewer),
        "query ($run: ID!) { node(id: $run) { id ... on Run { producer error } } }",
    ),
    // It is so already.
    (
        Within(Editor),
        "mutation ($tenant: String!) { setProducer(tenant: $tenant, name: \"walked\", schedule: \"0 0 1 1 *\") {
        id name lastRun { error } runs(range: { from: 0, to: 99 }) { nodes { error } } } }",
    ),
    (
        Once(Admin),
        "mutation ($tenant: String!, $gone: ID!) { deleteProducer(tenant: $tenant, id: $gone) { id name } }",
    ),
    (
        Within(Editor),
        "mutation ($tenant: String!) { startRun(tenant: $tenant, producer: \"walked\", slot: 50) { id producer } }",
    ),
    (
        Within(Editor),
        "mutation ($tenant: String!) { finishRun(tenant: $tenant, producer: \"walked\", slot: 50,
        outcome: { points: 5 }) { id producer points } }",
    ),
    (
        Within(Viewer),
        "subscription ($tenant: String!, $change: String) { runChanged(tenant: $tenant, after: $change) {
        cursor runs { id producer slot state startedAt finishedAt points error } } }",
    ),
    (
        Explained,
        "query ($tenant: String!) { explainAccess(tenant: $tenant) { granted role
        steps { check ok words action url } failed { check } } }",
    ),
    (
        Within(Admin),
        "mutation ($tenant: String!) { setAccessRules(tenant: $tenant, dryRun: true, force: true,
        rules: [{ organization: \"mcce\", team: \"g1-admins\", role: ADMIN }]) { rules { organization team role }
        changes { organization team before after } gains { login before after } gainCount
        loses { login before after } loseCount } }",
    ),
    (
        Within(Admin),
        "mutation ($tenant: String!) { createToken(tenant: $tenant, name: \"walk\") { token { id name } secret } }",
    ),
    (
        Within(Admin),
        "mutation ($tenant: String!, $token: ID!) { rotateToken(tenant: $tenant, id: $token) { token { id } } }",
    ),
    (
        Within(Admin),
        "mutation ($tenant: String!, $old: ID!) { revokeToken(tenant: $tenant, id: $old) { id revokedAt } }",
    ),
    (People, "mutation ($session: ID!) { endSession(id: $session) }"),
    (People, "mutation { endSessions(keepCurrent: true) }"),
    // What was written before is written again, so that nothing changes.
    (
        Within(Editor),
        "mutation ($tenant: String!) { ingest(tenant: $tenant, idempotencyKey: \"walk\",
        batches: [{ series: \"walked\", times: [1], values: [1] }]) { id points series replayed at } }",
    ),
    (
        Within(Admin),
        "mutation ($tenant: String!) { deletePoints(tenant: $tenant, series: [\"*\"], range: { from: 0, to: 99 },
        dryRun: true) { points bytes series } }",
    ),
    (
        Within(Admin),
        "mutation ($tenant: String!) { setRetention(tenant: $tenant, days: 9, dryRun: true) { points bytes series } }",
    ),
    (
        Within(Viewer),
        "subscription ($tenant: String!, $after: String) { pointsAdded(tenant: $tenant, series: [\"*\"], after: $after)
        { cursor lagged series { series times values } } }",
    ),
];

/// What a text can name.
#[derive(Clone, Copy)]
pub enum Names {
    Tenant,
    /// Anything that has an id.
    Thing,
    /// A place in a list.
    Place,
    Series,
    Producer,
    /// What a writer calls a write.
    Write,
    Organization,
    /// Nothing of a tenant.
    Nothing,
}

/// Each place that takes text, what it names, and a document that puts `$it` there.
pub const TEXTS: &[(&str, Names, &str)] = &[
    (
        "Query.tenant(slug)",
        Names::Tenant,
        "query ($it: String!) { tenant(slug: $it) { id slug name series { nodes { id key } } } }",
    ),
    (
        "Query.tenants(after)",
        Names::Place,
        "query ($it: String!) { tenants(after: $it) { nodes { id } pageInfo { hasPreviousPage hasNextPage } } }",
    ),
    (
        "Query.node(id)",
        Names::Thing,
        "query ($it: ID!) { node(id: $it) { id ... on Tenant { slug } ... on Series { key }
        ... on Producer { name lastRun { error } } ... on Run { producer error } } }",
    ),
    (
        "Query.nodes(ids)",
        Names::Thing,
        "query ($it: ID!) { nodes(ids: [$it]) { id ... on Tenant { slug } ... on Series { key }
        ... on Producer { name lastRun { error } } ... on Run { producer error } } }",
    ),
    (
        "Tenant.series(match)",
        Names::Series,
        "query ($tenant: String!, $it: String!) { tenant(slug: $tenant) { series(match: $it) { nodes { key } } } }",
    ),
    (
        "Tenant.series(after)",
        Names::Place,
        "query ($tenant: String!, $it: String!) { tenant(slug: $tenant) { series(after: $it) { nodes { key }
        pageInfo { hasPreviousPage hasNextPage } } } }",
    ),
    (
        "Series.points(after)",
        Names::Place,
        "query ($series: ID!, $it: String!) { node(id: $series) { ... on Series { points(range: { from: 0, to: 99 },
        after: $it) { nodes { time } pageInfo { hasPreviousPage hasNextPage } } } } }",
    ),
    (
        "Series.windows(timeZone)",
        Names::Nothing,
        "query ($series: ID!, $it: String!) { node(id: $series) { ... on Series { windows(range: { from: 0, to: 99 },
        every: \"1s\", timeZone: $it) { count } } } }",
    ),
    (
        "Query.compare(timeZone)",
        Names::Nothing,
        "query ($tenant: String!, $it: String!) { compare(left: { tenant: $tenant, series: \"common\" },
        right: { tenant: $tenant, series: \"common\" }, range: { from: 0, to: 99 }, every: \"1s\", timeZone: $it)
        { difference } }",
    ),
    (
        "SeriesPlace.tenant",
        Names::Tenant,
        "query ($it: String!) { compare(left: { tenant: $it, series: \"common\" },
        right: { tenant: $it, series: \"common\" }, range: { from: 0, to: 99 }, every: \"1s\") { difference } }",
    ),
    (
        "SeriesPlace.series",
        Names::Series,
        "query ($tenant: String!, $it: String!) { compare(left: { tenant: $tenant, series: $it },
        right: { tenant: $tenant, series: \"common\" }, range: { from: 0, to: 99 }, every: \"1s\") { difference } }",
    ),
    (
        "Mutation.ingest(tenant)",
        Names::Tenant,
        "mutation ($it: String!) { ingest(tenant: $it, batches: [{ series: \"common\", times: [50], values: [5] }])
        { points } }",
    ),
    (
        "Mutation.ingest(idempotencyKey)",
        Names::Write,
        "mutation ($tenant: String!, $it: String!) { ingest(tenant: $tenant, idempotencyKey: $it,
        batches: [{ series: \"common\", times: [50], values: [5] }]) { points series replayed } }",
    ),
    (
        "SeriesBatch.series",
        Names::Series,
        "mutation ($tenant: String!, $it: String!) { ingest(tenant: $tenant,
        batches: [{ series: $it, times: [50], values: [5] }]) { points series replayed } }",
    ),
    (
        "Query.explainAccess(tenant)",
        Names::Tenant,
        "query ($it: String!) { explainAccess(tenant: $it) { granted role steps { check ok words action url }
        failed { check } } }",
    ),
    (
        "Tenant.auditEvents(after)",
        Names::Place,
        "query ($tenant: String!, $it: String!) { tenant(slug: $tenant) { auditEvents(after: $it) { nodes { id }
        pageInfo { hasPreviousPage hasNextPage } } } }",
    ),
    (
        "AuditFilter.actor",
        Names::Nothing,
        "query ($tenant: String!, $it: String!) { tenant(slug: $tenant) { auditEvents(filter: { actor: $it }) {
        nodes { id } } } }",
    ),
    (
        "Mutation.setAccessRules(tenant)",
        Names::Tenant,
        "mutation ($it: String!) { setAccessRules(tenant: $it, dryRun: true, force: true,
        rules: [{ organization: \"mcce\", role: ADMIN }]) { gainCount } }",
    ),
    (
        "AccessRuleInput.organization",
        Names::Organization,
        "mutation ($tenant: String!, $it: String!) { setAccessRules(tenant: $tenant, dryRun: true, force: true,
        rules: [{ organization: $it, role: ADMIN }]) { gains { login } gainCount loses { login } loseCount } }",
    ),
    (
        "AccessRuleInput.team",
        Names::Nothing,
        "mutation ($tenant: String!, $it: String!) { setAccessRules(tenant: $tenant, dryRun: true, force: true,
        rules: [{ organization: \"nobody\", team: $it, role: ADMIN }]) { gains { login } gainCount loseCount } }",
    ),
    (
        "Mutation.deletePoints(tenant)",
        Names::Tenant,
        "mutation ($it: String!) { deletePoints(tenant: $it, series: [\"*\"], range: { from: 0, to: 99 }) { points } }",
    ),
    (
        "Mutation.deletePoints(series)",
        Names::Series,
        "mutation ($tenant: String!, $it: String!) { deletePoints(tenant: $tenant, series: [$it],
        range: { from: 0, to: 99 }, dryRun: true) { points bytes series } }",
    ),
    (
        "Mutation.setRetention(tenant)",
        Names::Tenant,
        "mutation ($it: String!) { setRetention(tenant: $it, days: 9) { points } }",
    ),
    (
        "Mutation.createToken(tenant)",
        Names::Tenant,
        "mutation ($it: String!) { createToken(tenant: $it, name: \"walk\") { secret } }",
    ),
    (
        "Mutation.createToken(name)",
        Names::Nothing,
        "mutation ($tenant: String!, $it: String!) { createToken(tenant: $tenant, name: $it) { token { name } } }",
    ),
    (
        "Mutation.createToken(series)",
        Names::Series,
        "mutation ($tenant: String!, $it: String!) { createToken(tenant: $tenant, name: \"walk\", series: [$it])
        { token { series } } }",
    ),
    (
        "Mutation.rotateToken(tenant)",
        Names::Tenant,
        "mutation ($it: String!, $token: ID!) { rotateToken(tenant: $it, id: $token) { secret } }",
    ),
    (
        "Mutation.rotateToken(id)",
        Names::Thing,
        "mutation ($tenant: String!, $it: ID!) { rotateToken(tenant: $tenant, id: $it) { secret } }",
    ),
    (
        "Mutation.revokeToken(tenant)",
        Names::Tenant,
        "mutation ($it: String!, $token: ID!) { revokeToken(tenant: $it, id: $token) { id } }",
    ),
    (
        "Mutation.revokeToken(id)",
        Names::Thing,
        "mutation ($tenant: String!, $it: ID!) { revokeToken(tenant: $tenant, id: $it) { id } }",
    ),
    (
        "Mutation.endSession(id)",
        Names::Thing,
        "mutation ($it: ID!) { endSession(id: $it) }",
    ),
    (
        "Subscription.pointsAdded(tenant)",
        Names::Tenant,
        "subscription ($it: String!, $after: String) { pointsAdded(tenant: $it, series: [\"*\"], after: $after)
        { cursor series { series times values } } }",
    ),
    (
        "Subscription.pointsAdded(series)",
        Names::Series,
        "subscription ($tenant: String!, $it: String!, $after: String) {
        pointsAdded(tenant: $tenant, series: [$it, \"walked\"], after: $after) { cursor series { series } } }",
    ),
    (
        "Subscription.pointsAdded(after)",
        Names::Place,
        "subscription ($tenant: String!, $it: String!) {
        pointsAdded(tenant: $tenant, series: [\"*\"], after: $it) { cursor series { series } } }",
    ),
    (
        "Tenant.producers(after)",
        Names::Place,
        "query ($tenant: String!, $it: String!) { tenant(slug: $tenant) { producers(after: $it) { nodes { name }
        pageInfo { hasPreviousPage hasNextPage } } } }",
    ),
    (
        "Producer.runs(after)",
        Names::Place,
        "query ($producer: ID!, $it: String!) { node(id: $producer) { ... on Producer { runs(range: { from: 0, to: 99 },
        after: $it) { nodes { slot } pageInfo { hasPreviousPage hasNextPage } } } } }",
    ),
    (
        "Mutation.setProducer(tenant)",
        Names::Tenant,
        "mutation ($it: String!) { setProducer(tenant: $it, name: \"walked\", schedule: \"0 0 2 1 *\") { id } }",
    ),
    (
        "Mutation.setProducer(schedule)",
        Names::Nothing,
        "mutation ($tenant: String!, $it: String!) { setProducer(tenant: $tenant, name: \"walked\", schedule: $it)
        { name } }",
    ),
    (
        "Mutation.setProducer(timeZone)",
        Names::Nothing,
        "mutation ($tenant: String!, $it: String!) { setProducer(tenant: $tenant, name: \"walked\",
        schedule: \"0 0 1 1 *\", timeZone: $it) { name } }",
    ),
    (
        "Mutation.deleteProducer(tenant)",
        Names::Tenant,
        "mutation ($it: String!, $gone: ID!) { deleteProducer(tenant: $it, id: $gone) { id } }",
    ),
    (
        "Mutation.deleteProducer(id)",
        Names::Thing,
        "mutation ($tenant: String!, $it: ID!) { deleteProducer(tenant: $tenant, id: $it) { id } }",
    ),
    (
        "Mutation.startRun(tenant)",
        Names::Tenant,
        "mutation ($it: String!) { startRun(tenant: $it, producer: \"walked\", slot: 50) { id } }",
    ),
    (
        "Mutation.startRun(producer)",
        Names::Producer,
        "mutation ($tenant: String!, $it: String!) { startRun(tenant: $tenant, producer: $it, slot: 50)
        { state } }",
    ),
    (
        "Mutation.finishRun(tenant)",
        Names::Tenant,
        "mutation ($it: String!) { finishRun(tenant: $it, producer: \"walked\", slot: 50, outcome: { points: 5 })
        { id } }",
    ),
    (
        "Mutation.finishRun(producer)",
        Names::Producer,
        "mutation ($tenant: String!, $it: String!) { finishRun(tenant: $tenant, producer: $it, slot: 50,
        outcome: { points: 5 }) { state points } }",
    ),
    (
        "RunOutcome.error",
        Names::Nothing,
        "mutation ($tenant: String!, $it: String!) { finishRun(tenant: $tenant, producer: \"none\", slot: 50,
        outcome: { error: $it }) { id } }",
    ),
    (
        "Subscription.runChanged(tenant)",
        Names::Tenant,
        "subscription ($it: String!, $change: String) { runChanged(tenant: $it, after: $change) { cursor runs { id } } }",
    ),
    (
        "Subscription.runChanged(producers)",
        Names::Producer,
        "subscription ($tenant: String!, $it: String!, $change: String) {
        runChanged(tenant: $tenant, producers: [$it, \"walked\"], after: $change) { cursor runs { producer } } }",
    ),
    (
        "Subscription.runChanged(after)",
        Names::Place,
        "subscription ($tenant: String!, $it: String!) {
        runChanged(tenant: $tenant, after: $it) { cursor runs { producer } } }",
    ),
    // The last, for by this there is one of the name here.
    (
        "Mutation.setProducer(name)",
        Names::Producer,
        "mutation ($tenant: String!, $it: String!) { setProducer(tenant: $tenant, name: $it,
        schedule: \"0 0 1 1 *\") { name lastRun { error } } }",
    ),
];
