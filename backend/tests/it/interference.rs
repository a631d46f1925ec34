//! Whatever is done in one tenant, nobody in another can tell.
//!
//! Two servers run the same operations of a tenant `a`, drawn at random. In one of them operations of a tenant `b` run
//! before and beside those of `a`; in the other one there is no `b`. All that the people and machines of `a` observe must
//! be the same: answers and errors, rows, ids, numbers, counts, cursors, receipts, the audit log and the events of a
//! subscription; only times of the clock and secrets are left out.
//!
//! `SUNDIAL_TEST_CASES` says how many runs to draw, in place of [`CASES`].

use std::sync::atomic::{AtomicU32, Ordering};

use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};
use sundial::{
    guard::{
        Pool,
        table::{access_rule::RoleName, tenant::Environment},
    },
    scalar::seal,
};
use tokio::{join, runtime};

use crate::{
    app::{INGEST, TestApp, batch, found, rule},
    database::Kind,
    socket::{START, Socket},
};

/// Runs on SQLite, and eight times as many as on PostgreSQL.
const CASES: u32 = 240;

#[cfg(not(feature = "filterless"))]
mod fenced {
    use super::*;

    #[test]
    fn nothing_shows_on_sqlite() {
        nothing_shows(Kind::Sqlite, cases());
    }

    #[test]
    fn nothing_shows_on_postgres() {
        nothing_shows(Kind::Postgres, cases() / 8);
    }

    #[test]
    fn nothing_shows_by_the_filter_alone() {
        nothing_shows(Kind::Unfenced, cases() / 8);
    }
}

#[cfg(feature = "filterless")]
#[test]
fn nothing_shows_by_row_level_security_alone() {
    nothing_shows(Kind::Postgres, cases() / 8);
}

fn cases() -> u32 {
    let said = std::env::var("SUNDIAL_TEST_CASES");
    said.map_or(CASES, |said| said.parse().unwrap())
}

/// What somebody does in a tenant.
#[derive(Clone, Debug)]
enum Act {
    Write {
        series: &'static str,
        times: Vec<i64>,
        value: i32,
        key: Option<&'static str>,
    },
    /// Writes what can't be taken.
    Refused(&'static str),
    MakeToken(Option<&'static str>),
    RotateToken(i32),
    RevokeToken(i32),
    SetRules {
        third: Option<&'static str>,
        dry: bool,
    },
    Read,
    /// Asks for what the other tenant has.
    Peek,
    Follow,
}

#[derive(Clone, Debug)]
enum Step {
    Own(Act),
    /// Of the other tenant: before the next own act, or beside it.
    Other {
        act: Act,
        beside: bool,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let series = select(vec!["a", "b", r#"b{x="1"}"#, "c_seconds"]);
    let write = (
        series,
        vec(0..9_i64, 1..4),
        -3..4,
        prop_oneof![3 => Just(None), 2 => select(vec!["k", "l"]).prop_map(Some)],
    );
    let write = write.prop_map(|(series, times, value, key)| Act::Write {
        series,
        times,
        value,
        key,
    });
    let pattern = select(vec![None, Some("b*"), Some("b{")]);
    let third = select(vec![None, Some("VIEWER"), Some("EDITOR")]);
    prop_oneof![
        6 => write,
        1 => select(vec!["", "a{", "é"]).prop_map(Act::Refused),
        1 => pattern.prop_map(Act::MakeToken),
        1 => (2..5).prop_map(Act::RotateToken),
        1 => (2..5).prop_map(Act::RevokeToken),
        1 => (third, any::<bool>()).prop_map(|(third, dry)| Act::SetRules { third, dry }),
        1 => Just(Act::Read),
        1 => Just(Act::Peek),
        1 => Just(Act::Follow),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let other = (act(), any::<bool>()).prop_map(|(act, beside)| Step::Other { act, beside });
    prop_oneof![act().prop_map(Step::Own), other]
}

/// Everything about a tenant that its administrator can read.
const READ: &str = r#"query ($tenant: String!) {
    viewer { kind login organizations }
    tenants { nodes { slug role } edges { cursor } pageInfo { hasNextPage endCursor } }
    explainAccess(tenant: $tenant) { granted role failed { check } }
    tenant(slug: $tenant) { id slug name group environment role lastPointAt
        series(first: 9) { nodes { id key unit latest { time value } samples(range: { from: 0, to: 99 }) { times values }
            windows(range: { from: 0, to: 9 }, every: "1s") { count sum } } edges { cursor } pageInfo { hasNextPage } }
        accessRules { organization team role }
        tokens { id number name series createdAt expiresAt revokedAt usedAt }
        auditEvents { nodes { id at actorKind actor action subject detail } edges { cursor } pageInfo { hasNextPage } } }
}"#;
const MAKE: &str = "mutation ($tenant: String!, $series: [String!]) {
    createToken(tenant: $tenant, name: \"made\", series: $series) { secret token { id number series createdAt } } }";
const ROTATE: &str = "mutation ($tenant: String!, $id: ID!) {
    rotateToken(tenant: $tenant, id: $id) { secret token { id number } } }";
const REVOKE: &str = "mutation ($tenant: String!, $id: ID!) {
    revokeToken(tenant: $tenant, id: $id) { id revokedAt } }";
const SET_RULES: &str = "mutation ($tenant: String!, $rules: [AccessRuleInput!]!, $dry: Boolean!) {
    setAccessRules(tenant: $tenant, rules: $rules, dryRun: $dry, force: true) { rules { organization role }
    changes { organization before after } gains { login } gainCount loses { login } loseCount } }";
const PEEK: &str = "query ($tenant: String!, $node: ID!, $series: ID!) {
    tenant(slug: $tenant) { id lastPointAt series { nodes { key } } }
    node(id: $node) { id } series: node(id: $series) { id }
    explainAccess(tenant: $tenant) { granted failed { check words } } }";

/// A server, and a way to found tenants on it.
struct Ground {
    app: TestApp,
    owner: Pool,
}

impl Ground {
    async fn new(kind: Kind) -> Self {
        let app = TestApp::start(kind).await;
        let owner = Pool::open(&app.database.owner.clone().into(), 2).await;
        Ground {
            owner: owner.unwrap(),
            app,
        }
    }

    async fn found(&self, name: &str, other: &str, number: u32) -> Side<'_> {
        let slug = format!("{name}-{number}");
        let organization = format!("org-{slug}");
        let rules = vec![rule(&organization, "", RoleName::Admin)];
        let token = found(&self.owner, &slug, Environment::Test, rules).await;
        let login = format!("admin-{slug}");
        self.app.github.set_memberships(&login, &[&organization]);
        Side {
            app: &self.app,
            token,
            administrator: self.app.person(&login),
            other: format!("{other}-{number}"),
            organization,
            slug,
        }
    }
}

/// A tenant, and who acts in it.
struct Side<'a> {
    app: &'a TestApp,
    slug: String,
    /// The slug of the other tenant, which may be there or not.
    other: String,
    organization: String,
    token: String,
    administrator: String,
}

impl Side<'_> {
    async fn write(&self, tenant: &str, batches: Value, key: Option<&str>) -> Value {
        let variables = json!({ "tenant": tenant, "batches": batches, "key": key });
        self.app.ask(&self.token, INGEST, variables).await
    }

    /// Asks as the administrator.
    async fn ask(&self, query: &str, mut variables: Value) -> Value {
        variables["tenant"] = json!(self.slug);
        self.app.ask(&self.administrator, query, variables).await
    }

    fn token_id(&self, number: i32) -> String {
        seal(["token", &self.slug, &number.to_string()])
    }

    /// Does `act`, and tells what is answered.
    async fn act(&self, act: &Act) -> Value {
        match act {
            Act::Write {
                series,
                times,
                value,
                key,
            } => {
                let points: Vec<_> = times.iter().map(|at| (*at, f64::from(*value))).collect();
                let batches = json!([batch(series, &points)]);
                self.write(&self.slug, batches, *key).await
            }
            Act::Refused(series) => {
                let batches = json!([batch(series, &[(1, 1.0)])]);
                self.write(&self.slug, batches, None).await
            }
            Act::MakeToken(series) => self.ask(MAKE, json!({ "series": series })).await,
            Act::RotateToken(number) => {
                let id = self.token_id(*number);
                self.ask(ROTATE, json!({ "id": id })).await
            }
            Act::RevokeToken(number) => {
                let id = self.token_id(*number);
                self.ask(REVOKE, json!({ "id": id })).await
            }
            Act::SetRules { third, dry } => {
                let mut rules = vec![json!({ "organization": self.organization, "role": "ADMIN" })];
                rules.extend(third.map(|role| json!({ "organization": "third", "role": role })));
                let variables = json!({ "rules": rules, "dry": dry });
                self.ask(SET_RULES, variables).await
            }
            Act::Read => self.ask(READ, json!({})).await,
            Act::Peek => {
                let variables = json!({
                    "tenant": self.other,
                    "node": seal(["tenant", &self.other]),
                    "series": seal(["series", &self.other, "1"]),
                });
                let read = self.app.ask(&self.administrator, PEEK, variables).await;
                let batches = json!([batch("a", &[(1, 1.0)])]);
                json!([read, self.write(&self.other, batches, Some("k")).await])
            }
            Act::Follow => {
                let mut told = Vec::new();
                for tenant in [&self.slug, &self.other] {
                    let mut socket = Socket::introduced(&self.app.endpoint(), &self.token).await;
                    socket.follow("1", tenant, &["*"], json!("no cursor")).await;
                    told.push(socket.next().await);
                    // A query after it, so that whatever came of the subscription has come.
                    socket.follow("2", tenant, &["{"], json!(null)).await;
                    told.push(socket.next().await);
                }
                json!(told)
            }
        }
    }
}

/// All that is observed in the tenant `a`, with the acts of `b` or without a `b`.
async fn observed(ground: &Ground, number: u32, steps: &[Step], with_other: bool) -> Vec<Value> {
    let other = match with_other {
        true => Some(ground.found("b", "a", number).await),
        false => None,
    };
    let own = ground.found("a", "b", number).await;
    let mut socket = Socket::introduced(&ground.app.endpoint(), &own.token).await;
    socket.follow("1", &own.slug, &["*"], json!(START)).await;
    let mut seen = Vec::new();
    let mut waiting = Vec::new();
    for step in steps {
        match (step, &other) {
            (Step::Other { .. }, None) => {}
            (Step::Other { act, beside: true }, Some(_)) => waiting.push(act),
            (Step::Other { act, .. }, Some(other)) => drop(other.act(act).await),
            (Step::Own(act), other) => {
                let beside = async {
                    if let Some(other) = other {
                        for act in waiting.drain(..) {
                            other.act(act).await;
                        }
                    }
                };
                let (answer, ()) = join!(own.act(act), beside);
                let is_new = answer["data"]["ingest"]["replayed"] == false;
                seen.push(answer);
                if is_new {
                    seen.push(socket.next().await);
                }
            }
        }
    }
    // Had the subscription told of anything else, it would come before this.
    let last = own.write(&own.slug, json!([batch("last", &[(1, 1.0)])]), None);
    seen.push(last.await);
    seen.push(socket.next().await);
    // And from the beginning.
    socket.follow("2", &own.slug, &["*"], json!(START)).await;
    seen.push(socket.next().await);
    seen.push(own.act(&Act::Peek).await);
    seen.push(own.act(&Act::Read).await);
    seen.iter_mut().for_each(mask);
    seen
}

/// Leaves out what is of the clock, or random.
fn mask(value: &mut Value) {
    const MASKED: &[&str] = &["at", "createdAt", "expiresAt", "revokedAt", "secret"];
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                // The first use of a token is noted behind the answer, soon or sooner.
                if let ("detail", Value::String(words)) = (name.as_str(), &mut *value)
                    && let Some(end) = words.find("refused from ")
                {
                    words.truncate(end);
                }
                let is_clock = MASKED.contains(&name.as_str()) && !value.is_null();
                match is_clock || name == "usedAt" {
                    true => *value = json!("…"),
                    false => mask(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

fn nothing_shows(kind: Kind, cases: u32) {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let (busy, alone) = runtime.block_on(async { join!(Ground::new(kind), Ground::new(kind)) });
    let number = AtomicU32::new(0);
    let config = Config {
        cases: cases.max(1),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let run = TestRunner::new(config).run(&vec(step(), 1..14), |steps| {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let (seen, expected) = runtime.block_on(async {
            join!(
                observed(&busy, number, &steps, true),
                observed(&alone, number, &steps, false)
            )
        });
        prop_assert_eq!(seen, expected);
        Ok(())
    });
    if let Err(error) = run {
        panic!("{kind:?}: {error}");
    }
}
