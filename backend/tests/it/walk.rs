//! The whole schema, asked by everybody: each field of it, and each argument that could name what is another's.
//!
//! [`FIELDS`] says how each field is asked and who gets what; [`TEXTS`] gives each place that takes text what another
//! tenant has, and what nobody has. A field or such a place of the schema that is in neither table fails the first
//! test: whoever adds one adds a line here. What is another's and what is not there must be the same answer to the byte:
//! status, headers and body.

mod coverage;
mod timing;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sundial::{
    guard::table::access_rule::RoleName::{self, Admin, Editor, Viewer},
    scalar::seal,
};

use crate::{
    app::{ABSENT, FOREIGN, PROD, TestApp},
    walk::{
        coverage::Schema,
        world::{ADMINISTRATORS_BROWSER, Answer, Asker, TENANTS, World, mark},
    },
};

on_each_fence! {
    every_field_and_text_of_the_schema_has_its_case,
    each_field_answers_its_own_askers_alone,
    own_data_is_the_same_whatever_others_have,
    what_is_named_of_others_is_as_absent,
}

/// Who gets an answer.
#[derive(Clone, Copy)]
enum Open {
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
}

use Open::{Anybody, Explained, Known, People, Within};

/// How each field is asked, and who gets an answer. `$tenant`, `$node`, `$series`, `$token` and `$old` are a tenant's
/// slug, its id, and the ids of a series and of tokens in it, the second one revoked; `$session` is a session of the
/// administrator's, and `$after` is where events begin.
const FIELDS: &[(Open, &str)] = &[
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
        "query ($tenant: String!) { tenant(slug: $tenant) { lastPointAt } }",
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
        Within(Viewer),
        "subscription ($tenant: String!, $after: String) { pointsAdded(tenant: $tenant, series: [\"*\"], after: $after)
        { cursor series { series times values } } }",
    ),
];

/// What a text can name.
#[derive(Clone, Copy)]
enum Names {
    Tenant,
    /// Anything that has an id.
    Thing,
    /// A place in a list.
    Place,
    Series,
    /// What a writer calls a write.
    Write,
    Organization,
    /// Nothing of a tenant.
    Nothing,
}

/// Each place that takes text, what it names, and a document that puts `$it` there.
const TEXTS: &[(&str, Names, &str)] = &[
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
        "query ($it: ID!) { node(id: $it) { id ... on Tenant { slug } ... on Series { key } } }",
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
        pointsAdded(tenant: $tenant, series: [$it], after: $after) { cursor series { series } } }",
    ),
    (
        "Subscription.pointsAdded(after)",
        Names::Place,
        "subscription ($tenant: String!, $it: String!) {
        pointsAdded(tenant: $tenant, series: [\"*\"], after: $it) { cursor series { series } } }",
    ),
];

async fn every_field_and_text_of_the_schema_has_its_case(app: TestApp) {
    let schema = Schema::of(&app).await;
    let asked: BTreeSet<String> = FIELDS
        .iter()
        .flat_map(|(_, document)| schema.asked(document))
        .collect();
    assert_eq!(
        schema.fields().difference(&asked).collect::<Vec<_>>(),
        [""; 0],
        "these fields have no case: add each to FIELDS"
    );
    let texts: BTreeSet<String> = TEXTS.iter().map(|(place, _, _)| (*place).into()).collect();
    assert_eq!(
        schema
            .texts()
            .symmetric_difference(&texts)
            .collect::<Vec<_>>(),
        [""; 0],
        "these have no case, or are cases of nothing: see TEXTS"
    );
    for (place, _, document) in TEXTS {
        // It is really that place which takes what is named.
        let name = place.trim_end_matches(')').rsplit(['.', '(']).next();
        let name = name.unwrap();
        let given = [format!("{name}: $it"), format!("{name}: [$it]")];
        assert!(
            given.iter().any(|given| document.contains(given)),
            "{place}"
        );
        schema.asked(document);
    }
}

async fn each_field_answers_its_own_askers_alone(app: TestApp) {
    let world = World::new(app).await;
    for tenant in TENANTS {
        world.fill(tenant).await;
    }
    for (open, document) in FIELDS {
        let mut refusals = BTreeMap::new();
        for asker in &world.askers {
            let absent = world.ask(asker, document, ABSENT, "").await;
            for tenant in TENANTS {
                let answer = world.ask(asker, document, tenant, "").await;
                let context = format!("{} asks of {tenant}: {document}: {answer:?}", asker.name);
                check(
                    &world, *open, document, asker, tenant, &answer, &absent, &context,
                );
                if !asker.counts {
                    refusals.insert((asker.name, tenant), answer);
                }
            }
        }
        // A token that was revoked is one that was never given.
        for tenant in TENANTS {
            assert_eq!(
                refusals[&("revoked token", tenant)],
                refusals[&("forged token", tenant)]
            );
        }
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "one question with all that its answer is held against"
)]
fn check(
    world: &World,
    open: Open,
    document: &str,
    asker: &Asker,
    tenant: &str,
    answer: &Answer,
    absent: &Answer,
    context: &str,
) {
    for closed in asker.closed() {
        assert!(!world.reveals(answer, closed), "{closed} shows: {context}");
    }
    let is_told_who = answer.body.contains(ADMINISTRATORS_BROWSER);
    assert!(!is_told_who || asker.name == "administrator", "{context}");
    if !asker.counts && !matches!(open, Explained) {
        assert_eq!(answer, absent, "{context}");
        if document.starts_with("subscription") {
            assert_eq!(answer.status, 4401, "{context}");
        } else {
            assert_eq!(answer.status, 401, "{context}");
            assert_eq!(answer.code(), "UNAUTHENTICATED", "{context}");
        }
        return;
    }
    match open {
        Anybody => assert!(is_whole(answer), "{context}"),
        Explained => {
            assert!(is_whole(answer), "{context}");
            if asker.role(tenant).is_none() && !asker.is_colleague(tenant) {
                assert_eq!(answer, absent, "{context}");
            }
        }
        Known | People | Within(_) if asker.is_anonymous() => {
            assert_eq!(answer, absent, "{context}");
            assert_eq!(answer.code(), "UNAUTHENTICATED", "{context}");
        }
        Known => assert!(is_whole(answer), "{context}"),
        People if asker.is_machine() => assert_eq!(answer.code(), "FORBIDDEN", "{context}"),
        // A session ends once.
        People => assert!(
            is_whole(answer) || answer.code() == "NOT_FOUND",
            "{context}"
        ),
        Within(least) => match asker.role(tenant) {
            Some(role) if role >= least => {
                assert!(is_whole(answer) && has_data(answer), "{context}")
            }
            Some(_) => assert_eq!(answer.code(), "FORBIDDEN", "{context}"),
            None => {
                assert_eq!(answer, absent, "{context}");
                if document.starts_with("query") {
                    assert!(is_whole(answer) && !has_data(answer), "{context}");
                } else {
                    assert_eq!(answer.code(), "NOT_FOUND", "{context}");
                }
            }
        },
    }
}

/// Whether nothing went wrong.
fn is_whole(answer: &Answer) -> bool {
    let told = answer.json();
    told.get("errors").is_none() && told["type"] != "error"
}

/// Whether the field that was asked for is there.
fn has_data(answer: &Answer) -> bool {
    let told = answer.json();
    let data = match &told["payload"]["data"] {
        Value::Null => &told["data"],
        data => data,
    };
    let fields = data.as_object();
    fields.is_some_and(|fields| fields.values().all(|value| !value.is_null()))
}

/// What the tenant's best reader gets for each question about it.
async fn read_all(world: &World, asker: &Asker, tenant: &str) -> Vec<Value> {
    let mut read = Vec::new();
    for (open, document) in FIELDS {
        if matches!(open, Within(_)) && !document.starts_with("mutation") {
            read.push(world.ask(asker, document, tenant, "").await.json());
        }
    }
    read
}

async fn own_data_is_the_same_whatever_others_have(app: TestApp) {
    let world = World::new(app).await;
    let asker = world.asker("administrator");
    world.fill(PROD).await;
    let before = read_all(&world, asker, PROD).await;
    for tenant in &TENANTS[1..] {
        world.fill(tenant).await;
    }
    assert_eq!(read_all(&world, asker, PROD).await, before);
}

/// What `tenant` has, each beside what nobody has and must be answered alike.
fn named(world: &World, what: Names, tenant: &str) -> Vec<(String, String)> {
    let mark = mark(tenant);
    let pair = |theirs: &str, nobodys: &str| (theirs.to_owned(), nobodys.to_owned());
    let own = format!("own_seconds{{of=\"{}\"}}", mark.label);
    match what {
        Names::Tenant => vec![pair(tenant, ABSENT)],
        Names::Thing => {
            let mut pairs = Vec::new();
            for theirs in [
                seal(["tenant", tenant]),
                seal(["series", tenant, "1"]),
                seal(["series", tenant, "2"]),
                seal(["receipt", tenant, "1"]),
                seal(["token", tenant, "1"]),
                seal(["auditEvent", tenant, "1"]),
                world.session.clone(),
            ] {
                // Of a tenant that is not there, of a number that is not there, of no such kind, and no id at all.
                for nobodys in [
                    seal(["tenant", ABSENT]),
                    seal(["series", ABSENT, "1"]),
                    seal(["series", tenant, "999"]),
                    seal(["token", tenant, "999"]),
                    seal(["session", "nobodys"]),
                    seal(["nothing", tenant, "1"]),
                    "bm9uZQ".to_owned(),
                    "no id".to_owned(),
                ] {
                    pairs.push((theirs.clone(), nobodys));
                }
            }
            pairs
        }
        Names::Place => vec![
            (
                seal(["series", &own]),
                seal(["series", &own.replace("\"}", "x\"}")]),
            ),
            (
                seal(["tenant", tenant]),
                seal([
                    "tenant",
                    &tenant.replace("prod", "proe").replace("test", "tesu"),
                ]),
            ),
            (seal(["point", "4"]), seal(["point", "5"])),
            (seal(["event", "1000"]), seal(["event", "1001"])),
            (seal(["audit", "1000"]), seal(["audit", "1001"])),
        ],
        Names::Series => vec![pair(&mark.only, &mark.only.replace("only", "none"))],
        Names::Write => vec![pair(&mark.key, &mark.key.replace("key", "non"))],
        Names::Organization if tenant == FOREIGN => vec![pair("other", "nobod")],
        Names::Organization if tenant == PROD => vec![pair("mcce", "none")],
        // Of the same organisation as PROD.
        Names::Organization => Vec::new(),
        Names::Nothing => vec![pair(tenant, ABSENT)],
    }
}

async fn what_is_named_of_others_is_as_absent(app: TestApp) {
    let world = World::new(app).await;
    for tenant in TENANTS {
        world.fill(tenant).await;
    }
    for asker in &world.askers {
        let mut before = Vec::new();
        for tenant in asker.closed() {
            before.push(read_all(&world, best_reader(&world, tenant), tenant).await);
        }
        for tenant in asker.closed() {
            for (place, what, document) in TEXTS {
                // Who is in a tenant's organisation, and in none of its teams, is told so.
                if place.contains("explainAccess") && asker.is_colleague(tenant) {
                    continue;
                }
                for (theirs, nobodys) in named(&world, *what, tenant) {
                    // One's own session is no other's.
                    if theirs == world.session && asker.name == "administrator" {
                        continue;
                    }
                    let ask = async |it: &str| {
                        let answer = world.ask(asker, document, asker.home(), it).await;
                        answer.without(it)
                    };
                    let context = format!("{} gives {place} {theirs}", asker.name);
                    let (theirs, nobodys) = (ask(&theirs).await, ask(&nobodys).await);
                    assert_eq!(theirs, nobodys, "{context}");
                    for closed in asker.closed() {
                        assert!(!world.reveals(&theirs, closed), "{context}: {theirs:?}");
                    }
                }
            }
        }
        // And nothing of theirs was touched.
        for (tenant, before) in asker.closed().zip(before) {
            let after = read_all(&world, best_reader(&world, tenant), tenant).await;
            assert_eq!(after, before, "{} changed {tenant}", asker.name);
        }
    }
}

fn best_reader<'a>(world: &'a World, tenant: &str) -> &'a Asker {
    let best = world.askers.iter().max_by_key(|asker| asker.role(tenant));
    best.unwrap()
}
