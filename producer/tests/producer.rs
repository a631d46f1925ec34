//! The built program against a server that answers as the test says.

#![expect(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping it"
)]

#[path = "producer/disk.rs"]
mod disk;
#[path = "producer/once.rs"]
mod once;
#[path = "producer/run.rs"]
mod run;
#[path = "producer/words.rs"]
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::{body_partial_json, header, method, path};
use wiremock::{Mock, MockBuilder, MockServer, Request, Respond, ResponseTemplate, Times};

const TOKEN: &str = "sdl_secret_that_no_log_shows";

/// A server, and a producer that writes to it.
struct Bench {
    server: MockServer,
    spool: TempDir,
}

impl Bench {
    async fn start() -> Self {
        let bench = Self {
            server: MockServer::start().await,
            spool: tempfile::tempdir().unwrap(),
        };
        bench.tell_time().await;
        let told = json!({ "data": { "finishRun": { "slot": Timestamp::now().to_string() } } });
        let told = ResponseTemplate::new(200).set_body_json(told);
        operation("Report")
            .respond_with(told)
            .mount(&bench.server)
            .await;
        bench
    }

    /// Answers questions for the time with this machine's clock.
    async fn tell_time(&self) {
        let now = |_: &Request| {
            ResponseTemplate::new(200)
                .set_body_json(json!({ "data": { "serverTime": Timestamp::now().to_string() } }))
        };
        operation("ServerTime")
            .respond_with(now)
            .mount(&self.server)
            .await;
    }

    async fn on_ingest(&self, answer: impl Respond + 'static, times: impl Into<Times>) {
        operation("Ingest")
            .respond_with(answer)
            .expect(times)
            .mount(&self.server)
            .await;
    }

    /// As [`Bench::on_ingest`], but only the first `count` times; what is mounted next answers after it.
    async fn on_first_ingests(&self, count: u64, answer: ResponseTemplate) {
        operation("Ingest")
            .respond_with(answer)
            .up_to_n_times(count)
            .expect(count)
            .mount(&self.server)
            .await;
    }

    fn producer(&self, command: &str) -> Command {
        let mut producer = Command::new(env!("CARGO_BIN_EXE_sundial-producer"));
        producer
            .env_clear()
            .env("SUNDIAL_TOKEN", TOKEN)
            .env("SUNDIAL_URL", self.server.uri());
        producer.env("SUNDIAL_LOG", "debug,hyper=info,reqwest=debug");
        producer
            .args([command, "--tenant", "mcce-g1-prod", "--spool"])
            .arg(self.spool.path());
        producer
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        producer
    }

    /// Runs a producer to its end. Its logs never show the token.
    async fn end(&self, mut producer: Command) -> Ended {
        let output = tokio::task::spawn_blocking(move || producer.output().unwrap())
            .await
            .unwrap();
        Ended::new(&output)
    }

    async fn once(&self, more: &[&str]) -> Ended {
        let mut producer = self.producer("once");
        producer.env("SUNDIAL_LOG", "trace").args(more);
        self.end(producer).await
    }

    /// The variables of all ingests that arrived, in their order.
    async fn arrived(&self) -> Vec<Value> {
        self.asked("Ingest").await
    }

    /// The variables of all operations of a name that arrived, in their order.
    async fn asked(&self, operation: &str) -> Vec<Value> {
        let requests = self.server.received_requests().await.unwrap();
        let bodies = requests
            .iter()
            .filter(|request| request.method == "POST")
            .map(|request| request.body_json::<Value>().unwrap());
        bodies
            .filter(|body| body["operationName"] == operation)
            .map(|body| body["variables"].clone())
            .collect()
    }

    /// Slots that wait in the spool, oldest first.
    fn waiting(&self) -> Vec<Timestamp> {
        let files = std::fs::read_dir(self.directory("clock"))
            .into_iter()
            .flatten();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let slots = names.filter_map(|name| name.strip_suffix(".json")?.parse::<i64>().ok());
        let mut slots: Vec<_> = slots
            .map(|slot| Timestamp::from_microsecond(slot).unwrap())
            .collect();
        slots.sort();
        slots
    }

    fn directory(&self, name: &str) -> PathBuf {
        self.spool.path().join("mcce-g1-prod").join(name)
    }
}

/// How a producer ended.
struct Ended {
    code: Option<i32>,
    log: String,
}

impl Ended {
    fn new(output: &Output) -> Self {
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!log.contains(TOKEN), "the log shows the token: {log}");
        assert!(output.stdout.is_empty());
        Self {
            code: output.status.code(),
            log,
        }
    }

    /// Demands an exit code, and a log that says something.
    #[track_caller]
    fn says(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.log);
        for part in parts {
            assert!(self.log.contains(part), "no '{part}' in {}", self.log);
        }
    }
}

fn operation(name: &str) -> MockBuilder {
    Mock::given(method("POST"))
        .and(path("/graphql"))
        .and(header("authorization", format!("Bearer {TOKEN}")))
        .and(body_partial_json(json!({ "operationName": name })))
}

fn receipt(replayed: bool) -> ResponseTemplate {
    let receipt = json!({ "points": 3, "series": 3, "replayed": replayed });
    ResponseTemplate::new(200).set_body_json(json!({ "data": { "ingest": receipt } }))
}

fn refusal(status: u16, code: &str, message: &str) -> ResponseTemplate {
    let error = json!({ "message": message, "extensions": { "code": code } });
    ResponseTemplate::new(status).set_body_json(json!({ "data": null, "errors": [error] }))
}

/// The values of an ingest by their series.
fn values(ingest: &Value) -> BTreeMap<String, f64> {
    let batches = ingest["batches"].as_array().unwrap();
    batches
        .iter()
        .map(|batch| {
            (
                batch["series"].as_str().unwrap().into(),
                batch["values"][0].as_f64().unwrap(),
            )
        })
        .collect()
}

/// The one time that all points of an ingest have.
fn slot(ingest: &Value) -> Timestamp {
    let batches = ingest["batches"].as_array().unwrap();
    let times: Vec<_> = batches
        .iter()
        .map(|batch| batch["times"][0].as_i64().unwrap())
        .collect();
    assert!(times.iter().all(|time| *time == times[0]));
    Timestamp::from_microsecond(times[0]).unwrap()
}

/// Waits until something holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "waited in vain until {what}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
