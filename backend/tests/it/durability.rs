//! The program itself, killed and started again.

use std::{
    net::TcpListener,
    process::Stdio,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use reqwest::Client;
use serde_json::{Value, json};
use sundial::guard::{
    Pool,
    table::{access_rule::RoleName, tenant::Environment},
};
use tokio::process::{Child, Command};

use crate::{
    app::{INGEST, PROD, batch, columns, found, rule},
    database::{Database, Kind},
    socket::{START, Socket},
};

/// `sundial serve` on a database, as a process of its own. Dropping it kills it.
pub struct Program {
    pub child: Child,
    pub url: String,
    pub http: Client,
    token: String,
}

impl Program {
    pub async fn start(database: &Database, token: &str) -> Self {
        let [listen, management] = free_addresses();
        let child = Command::new(env!("CARGO_BIN_EXE_sundial"))
            .args(["serve", "--listen", &listen])
            .args(["--management-listen", &management])
            .args([
                "--operations-per-principal",
                "0",
                "--operations-per-address",
                "0",
            ])
            .env("SUNDIAL_DATABASE_URL", &database.url)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let http = Client::new();
        let ready = format!("http://{management}/readyz");
        for _ in 0..200 {
            if let Ok(answer) = http.get(&ready).send().await
                && answer.status() == 200
            {
                return Program {
                    child,
                    url: format!("http://{listen}/graphql"),
                    http,
                    token: token.to_owned(),
                };
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("`sundial serve` was not ready within 10 s");
    }

    /// The data that answers a query, if an answer comes.
    async fn ask(&self, query: &str, variables: Value) -> Option<Value> {
        let request = self.http.post(&self.url).bearer_auth(&self.token);
        let body = json!({ "query": query, "variables": variables });
        let answer: Value = request.json(&body).send().await.ok()?.json().await.ok()?;
        assert!(answer.get("errors").is_none(), "{answer}");
        Some(answer["data"].clone())
    }

    /// Whether the point at `time` was acknowledged.
    async fn ingest(&self, time: i64) -> bool {
        let batches = [batch("a", &[(time, time as f64)])];
        let variables = json!({ "tenant": PROD, "batches": batches, "key": time.to_string() });
        self.ask(INGEST, variables).await.is_some()
    }

    async fn points(&self) -> Vec<(i64, f64)> {
        let query = r#"{ tenant(slug: "mcce-g1-prod") { series { nodes {
            samples(range: { from: 0, to: 1000000 }) { times values } } } } }"#;
        let data = self.ask(query, json!({})).await.unwrap();
        columns(&data["tenant"]["series"]["nodes"][0]["samples"])
    }
}

pub fn free_addresses() -> [String; 2] {
    let probes = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    probes.map(|probe| probe.local_addr().unwrap().to_string())
}

/// A database with one tenant, and that tenant's token.
pub async fn prepared(kind: Kind) -> (Database, String) {
    let database = Database::create(kind).await;
    let pool = Pool::open(&database.owner.clone().into(), 2).await.unwrap();
    let rules = vec![rule("mcce", "", RoleName::Admin)];
    let token = found(&pool, PROD, Environment::Prod, rules).await;
    pool.close().await;
    (database, token)
}

pub async fn killed_server_keeps_each_acknowledged_point_once(kind: Kind) {
    let (database, token) = prepared(kind).await;
    let (next, mut acknowledged, mut unsure) = (AtomicI64::new(0), Vec::new(), Vec::new());
    for _ in 0..3 {
        let mut program = Program::start(&database, &token).await;
        // What came back without an answer is sent again under the same key, as a producer does.
        for time in unsure.drain(..) {
            assert!(program.ingest(time).await);
            acknowledged.push(time);
        }
        let enough = next.load(Ordering::Relaxed) + 30;
        let pid = program.child.id().unwrap();
        let workers = (0..4).map(|_| async {
            let (mut sure, mut unsure) = (Vec::new(), Vec::new());
            loop {
                let time = next.fetch_add(1, Ordering::Relaxed);
                if time == enough {
                    kill(pid, "KILL").await;
                }
                if !program.ingest(time).await {
                    unsure.push(time);
                    return (sure, unsure);
                }
                sure.push(time);
            }
        });
        for (sure, lost) in futures::future::join_all(workers).await {
            acknowledged.extend(sure);
            unsure.extend(lost);
        }
        assert!(!program.child.wait().await.unwrap().success());
    }
    let program = Program::start(&database, &token).await;
    let there = program.points().await;
    for time in &acknowledged {
        assert!(there.contains(&(*time, *time as f64)), "{time} was lost");
    }
    for time in unsure {
        assert!(program.ingest(time).await);
        acknowledged.push(time);
    }
    acknowledged.sort_unstable();
    assert!(acknowledged.len() >= 90, "{}", acknowledged.len());
    let expected: Vec<_> = acknowledged
        .iter()
        .map(|time| (*time, *time as f64))
        .collect();
    assert_eq!(program.points().await, expected);
    // Each write is one row: none was written twice.
    let batches: Vec<i64> = database.read("SELECT count(*) FROM batch").await;
    assert_eq!(batches, [i64::try_from(expected.len()).unwrap()]);
}

pub async fn kill(pid: u32, signal: &str) {
    let mut kill = Command::new("kill");
    let done = kill.args(["-s", signal, &pid.to_string()]).status().await;
    assert!(done.unwrap().success());
}

#[tokio::test]
pub async fn killed_server_keeps_each_acknowledged_point_once_on_sqlite() {
    killed_server_keeps_each_acknowledged_point_once(Kind::Sqlite).await;
}

#[tokio::test]
pub async fn killed_server_keeps_each_acknowledged_point_once_on_postgres() {
    killed_server_keeps_each_acknowledged_point_once(Kind::Postgres).await;
}

#[tokio::test]
async fn terminated_server_ends_in_order() {
    let (database, token) = prepared(Kind::Sqlite).await;
    let mut program = Program::start(&database, &token).await;
    assert!(program.ingest(1).await);
    let mut socket = Socket::introduced(&program.url.parse().unwrap(), &token).await;
    socket.follow("1", PROD, &["*"], json!(START)).await;
    assert_eq!(socket.event().await.1, [("a".to_owned(), vec![(1, 1.0)])]);
    kill(program.child.id().unwrap(), "TERM").await;
    assert_eq!(socket.close_code().await, 1001);
    let ended = tokio::time::timeout(Duration::from_secs(9), program.child.wait()).await;
    assert!(ended.unwrap().unwrap().success());
}

async fn server_compacts_by_itself(kind: Kind) {
    let (database, token) = prepared(kind).await;
    let program = Program::start(&database, &token).await;
    // Enough for it not to wait any longer.
    for call in 0..3 {
        let points: Vec<(i64, f64)> = (0..90_000)
            .map(|place| (call * 90_000 + place, 0.5))
            .collect();
        let variables =
            json!({ "tenant": PROD, "batches": [batch("a", &points)], "key": call.to_string() });
        let data = program.ask(INGEST, variables).await.unwrap();
        assert_eq!(data["ingest"]["points"], 90_000);
    }
    for _ in 0..100 {
        let compacted: Vec<i64> = database
            .read("SELECT CAST(coalesce(sum(points), 0) AS bigint) FROM chunk")
            .await;
        if compacted == [270_000] {
            assert_eq!(program.points().await.len(), 270_000);
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nothing was compacted within 10 s");
}

#[tokio::test]
async fn server_compacts_by_itself_on_sqlite() {
    server_compacts_by_itself(Kind::Sqlite).await;
}

#[tokio::test]
async fn server_compacts_by_itself_on_postgres() {
    server_compacts_by_itself(Kind::Postgres).await;
}
