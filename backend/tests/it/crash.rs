//! Writers, readers, two servers and compactors at the same time, killed again and again: each acknowledged point is there
//! exactly once, as it was written last, and what somebody has seen never goes away.
//!
//! `SUNDIAL_TEST_KILLS` says how often something is killed, in place of [`KILLS`].

use std::{
    collections::BTreeMap,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::{process::Command, sync::RwLock, task::JoinSet};

use crate::{
    app::{INGEST, PROD, batch, columns},
    database::{Database, Kind},
    durability::{Program, kill, prepared},
};

const KILLS: usize = 10;
const WRITERS: usize = 3;
/// Points in one write.
const POINTS: i64 = 40;

/// The points of each writer's series. A value is how often its time has been written.
type Points = Vec<BTreeMap<i64, f64>>;

struct Trial {
    database: Database,
    token: String,
    servers: RwLock<Vec<Program>>,
    /// What was acknowledged.
    sure: Mutex<Points>,
    stop: AtomicBool,
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_taken_back_on_sqlite() {
    nothing_is_lost_doubled_or_taken_back(Kind::Sqlite, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_taken_back_on_postgres() {
    nothing_is_lost_doubled_or_taken_back(Kind::Postgres, 2).await;
}

async fn nothing_is_lost_doubled_or_taken_back(kind: Kind, servers: usize) {
    let said = std::env::var("SUNDIAL_TEST_KILLS");
    let kills = said.map_or(KILLS, |said| said.parse().unwrap());
    let (database, token) = prepared(kind).await;
    let mut started = Vec::new();
    for _ in 0..servers {
        started.push(Program::start(&database, &token).await);
    }
    let trial = Arc::new(Trial {
        database,
        token,
        servers: RwLock::new(started),
        sure: Mutex::new(vec![BTreeMap::new(); WRITERS]),
        stop: AtomicBool::new(false),
    });
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        tasks.spawn(trial.clone().write(writer));
    }
    tasks.spawn(trial.clone().read());
    trial.clone().disturb(kills).await;
    trial.stop.store(true, Ordering::Relaxed);
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    for compacted in [false, true] {
        if compacted {
            let done = trial.compactor().status().await.unwrap();
            assert!(done.success());
        }
        let there = trial.points().await.unwrap();
        assert_eq!(there, *trial.sure.lock().unwrap());
    }
    let written: usize = trial.sure.lock().unwrap().iter().map(BTreeMap::len).sum();
    assert!(written > kills * 10, "{written}");
    let counted: Vec<i64> = trial
        .database
        .read("SELECT CAST(sum(points) AS bigint) FROM chunk")
        .await;
    assert_eq!(counted, [i64::try_from(written).unwrap()]);
    let counted: Vec<i64> = trial
        .database
        .read("SELECT points FROM tenant_counter")
        .await;
    assert_eq!(counted, [i64::try_from(written).unwrap()]);
}

impl Trial {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Writes new points, and now and then earlier ones anew, each until it is acknowledged.
    async fn write(self: Arc<Self>, writer: usize) {
        let mut random = StdRng::seed_from_u64(writer as u64);
        let mut own: BTreeMap<i64, f64> = BTreeMap::new();
        for write in 0.. {
            if self.is_over() {
                return;
            }
            let end = own.last_key_value().map_or(0, |(time, _)| time + 1);
            let start = match random.random_range(0..4) {
                0 => random.random_range(0..=end),
                _ => end,
            };
            let times = start..start + POINTS;
            let points: Vec<(i64, f64)> = times
                .map(|time| (time, own.get(&time).copied().unwrap_or(0.0) + 1.0))
                .collect();
            own.extend(points.iter().copied());
            let variables = json!({
                "tenant": PROD, "key": format!("{writer}/{write}"),
                "batches": [batch(&format!("w{writer}"), &points)],
            });
            loop {
                let (url, http) = self.server(&mut random).await;
                let request = http.post(url).bearer_auth(&self.token);
                let body = json!({ "query": INGEST, "variables": variables.clone() });
                let Ok(answer) = request.json(&body).send().await else {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                if answer
                    .json::<serde_json::Value>()
                    .await
                    .is_ok_and(|answer| {
                        assert!(answer.get("errors").is_none(), "{answer}");
                        true
                    })
                {
                    break;
                }
            }
            self.sure.lock().unwrap()[writer].extend(points);
        }
    }

    async fn server(&self, random: &mut StdRng) -> (String, reqwest::Client) {
        let servers = self.servers.read().await;
        let server = &servers[random.random_range(0..servers.len())];
        (server.url.clone(), server.http.clone())
    }

    /// Reads all that is there; nothing when the server goes away meanwhile.
    async fn points(&self) -> Option<Points> {
        let mut random = StdRng::from_os_rng();
        let (url, http) = self.server(&mut random).await;
        let query = r#"{ tenant(slug: "mcce-g1-prod") { series { nodes { key
            samples(range: { from: 0, to: 1000000000 }) { times values } } } } }"#;
        let request = http.post(url).bearer_auth(&self.token);
        let answer = request.json(&json!({ "query": query })).send().await.ok()?;
        let answer: serde_json::Value = answer.json().await.ok()?;
        assert!(answer.get("errors").is_none(), "{answer}");
        let mut points = vec![BTreeMap::new(); WRITERS];
        for node in answer["data"]["tenant"]["series"]["nodes"].as_array()? {
            let writer: usize = node["key"].as_str()?.strip_prefix('w')?.parse().ok()?;
            points[writer] = columns(&node["samples"]).into_iter().collect();
        }
        Some(points)
    }

    /// Sees to it that whatever was acknowledged, or seen once, is there ever after: as it was, or written anew.
    async fn read(self: Arc<Self>) {
        let mut seen = vec![BTreeMap::new(); WRITERS];
        while !self.is_over() {
            let sure = self.sure.lock().unwrap().clone();
            let Some(there) = self.points().await else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            for (writer, there) in there.into_iter().enumerate() {
                for (time, value) in sure[writer].iter().chain(&seen[writer]) {
                    let found = there.get(time);
                    assert!(
                        found.is_some_and(|found| found >= value),
                        "{time} of writer {writer} was {value} and is {found:?}"
                    );
                }
                seen[writer] = there;
            }
        }
    }

    fn compactor(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sundial"));
        command
            .args(["compact", "--tenant", PROD])
            .env("SUNDIAL_DATABASE_URL", &self.database.url)
            .stdout(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Compacts all the time, by two programs, and kills a server or one of these at random moments.
    async fn disturb(self: Arc<Self>, kills: usize) {
        let mut random = StdRng::seed_from_u64(7);
        for _ in 0..kills {
            let mut compactors = [0, 1].map(|_| self.compactor().spawn().unwrap());
            tokio::time::sleep(Duration::from_millis(random.random_range(20..500))).await;
            if random.random_bool(0.5) {
                // It may have ended before.
                let _ = compactors[0].start_kill();
            } else {
                let mut servers = self.servers.write().await;
                let place = random.random_range(0..servers.len());
                kill(servers[place].child.id().unwrap(), "KILL").await;
                servers[place].child.wait().await.unwrap();
                // Another one goes on meanwhile.
                let all = servers.len();
                let gone = servers.swap_remove(place);
                drop(gone);
                if all > 1 {
                    drop(servers);
                    let again = Program::start(&self.database, &self.token).await;
                    self.servers.write().await.push(again);
                } else {
                    servers.push(Program::start(&self.database, &self.token).await);
                }
            }
            let [killed, whole] = &mut compactors;
            killed.wait().await.unwrap();
            assert!(whole.wait().await.unwrap().success());
        }
    }
}
