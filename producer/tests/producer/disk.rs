//! What the spool meets on its disk: foreign things, damage, no space.

use std::fs;

use super::run::Running;
use super::*;

impl Bench {
    /// The spool's directory, made before the producer makes it.
    fn prepared(&self) -> PathBuf {
        let directory = self.directory("clock");
        fs::create_dir_all(&directory).unwrap();
        directory
    }

    /// The names of what is in the spool, but for the lock and waiting runs.
    fn beside(&self) -> Vec<String> {
        let names = fs::read_dir(self.directory("clock")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names
            .filter(|name| name != "lock" && !name.ends_with(".json"))
            .collect();
        names.sort();
        names
    }

    /// A producer that cannot write a byte to any file.
    fn without_space(&self, command: &str) -> Command {
        let producer = self.producer(command);
        let mut shell = Command::new("/bin/sh");
        // A write beyond the limit fails, as on a full disk, once its signal is ignored.
        let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"";
        shell.args(["-c", script]).arg(producer.get_program());
        shell.args(producer.get_args()).env_clear();
        for (name, value) in producer.get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        shell
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        shell
    }
}

#[tokio::test]
async fn what_is_no_file_of_a_slot_stays_and_stops_nothing() {
    let bench = Bench::start().await;
    bench.on_ingest(receipt(false), 3..).await;
    let directory = bench.prepared();
    let strange = ["00000000000004000000.json", "1.json", "2.new"];
    for name in strange {
        fs::create_dir(directory.join(name)).unwrap();
    }
    fs::write(directory.join("3.json"), "{}").unwrap();
    std::os::unix::fs::symlink("/dev/zero", directory.join("00000000000005000000.json")).unwrap();
    let running = Running::start(&bench, &[]);
    until("three runs arrived", async || {
        bench.arrived().await.len() >= 3
    })
    .await;
    running.signal("-TERM").await.says(0, &["\"waiting\":0"]);
    for name in strange {
        assert!(directory.join(name).is_dir(), "{name}");
    }
}

#[tokio::test]
async fn files_that_are_no_ingest_are_set_aside() {
    let bench = Bench::start().await;
    let directory = bench.prepared();
    let foreign = json!({
        "query": "mutation Ingest { x }", "operationName": "Ingest",
        "variables": { "tenant": "other", "batches": [], "idempotencyKey": "k" },
    });
    let kinds = [
        String::new(),
        "{\"query\":".into(),
        "{\"query\":\"{serverTime}\"}".into(),
        foreign.to_string(),
    ];
    for (slot, text) in kinds.iter().enumerate() {
        fs::write(directory.join(format!("{slot:020}.json")), text).unwrap();
    }
    let large = fs::File::create(directory.join("00000000000000000009.json")).unwrap();
    large.set_len(2 << 30).unwrap();

    bench.on_ingest(receipt(false), 1).await;
    let ended = bench.once(&["--give-up-after", "1s"]).await;
    ended.says(0, &["set aside", ".refused", "larger than 8 MiB"]);
    assert_eq!(bench.arrived().await.len(), 1);
    let names = [0, 1, 2, 3, 9].map(|slot| format!("{slot:020}.refused"));
    assert_eq!(bench.beside(), names);
}

#[tokio::test]
async fn a_large_file_is_not_read() {
    let bench = Bench::start().await;
    bench.on_ingest(receipt(false), 1..).await;
    let running = Running::start(&bench, &[]);
    until("a run arrived", async || !bench.arrived().await.is_empty()).await;
    running.signal("-TERM").await.says(0, &[]);

    let large = fs::File::create(bench.directory("clock").join("00000000000000000009.json"));
    large.unwrap().set_len(2 << 30).unwrap();
    let before = bench.arrived().await.len();
    let running = Running::start(&bench, &[]);
    until("another run arrived", async || {
        bench.arrived().await.len() > before
    })
    .await;
    let status = fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
    let most = status.lines().find(|line| line.starts_with("VmHWM"));
    let most: u64 = most
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    assert!(most < 200 << 10, "{most} KiB");
}

#[tokio::test]
async fn a_run_that_is_answered_with_other_data_is_set_aside() {
    let bench = Bench::start().await;
    let other =
        ResponseTemplate::new(200).set_body_json(json!({ "data": { "serverTime": "now" } }));
    bench.on_first_ingests(1, other).await;
    bench
        .once(&["--slot", "2026-05-01T10:00:00Z"])
        .await
        .says(1, &["other data than was asked for", "set aside"]);
    assert_eq!(bench.waiting(), []);
    assert_eq!(bench.beside(), ["00001777629600000000.refused"]);
}

#[tokio::test]
async fn a_damaged_run_of_the_slot_is_measured_anew() {
    let bench = Bench::start().await;
    let damaged = bench.prepared().join("00001777629600000000.json");
    fs::write(&damaged, "{").unwrap();
    bench.on_ingest(receipt(false), 1).await;
    bench
        .once(&["--slot", "2026-05-01T10:00:00Z"])
        .await
        .says(0, &["set aside"]);
}

#[tokio::test]
async fn without_space_runs_are_sent_directly() {
    let bench = Bench::start().await;
    bench.on_ingest(receipt(false), 3..).await;
    let mut producer = bench.without_space("run");
    producer.env("SUNDIAL_SCHEDULE", "* * * * * *");
    let running = Running::of(producer);
    until("three runs arrived", async || {
        bench.arrived().await.len() >= 3
    })
    .await;
    let ended = running.signal("-TERM").await;
    ended.says(0, &["File too large", "sent directly"]);
    let told = ended.log.matches("cannot write the spool").count();
    assert_eq!(told, 1, "{}", ended.log);
    assert_eq!(bench.beside(), [""; 0]);

    bench.end(bench.without_space("once")).await.says(0, &[]);
}

#[tokio::test]
async fn without_space_and_server_the_loss_is_told() {
    let bench = Bench::start().await;
    let mut producer = bench.without_space("once");
    producer
        .env("SUNDIAL_URL", "http://127.0.0.1:9")
        .args(["--give-up-after", "1s"]);
    let ended = bench.end(producer).await;
    ended.says(1, &["not delivered", "the run is lost"]);
    assert!(!ended.log.contains("waits in the spool"), "{}", ended.log);
}

#[tokio::test]
async fn a_spool_that_goes_away_stops_no_delivery() {
    let bench = Bench::start().await;
    bench.on_first_ingests(2, ResponseTemplate::new(503)).await;
    bench.on_ingest(receipt(false), 4..).await;
    let running = Running::start(&bench, &[]);
    until("a run waits", async || !bench.waiting().is_empty()).await;
    fs::remove_dir_all(bench.directory("clock")).unwrap();
    until("later runs arrived", async || {
        bench.arrived().await.len() >= 6
    })
    .await;
    running
        .signal("-TERM")
        .await
        .says(0, &["cannot write the spool", "stopped"]);
}

#[tokio::test]
async fn a_waiting_run_that_turns_into_a_directory_stops_no_delivery() {
    let bench = Bench::start().await;
    bench.on_first_ingests(2, ResponseTemplate::new(503)).await;
    bench.on_ingest(receipt(false), 2..).await;
    let running = Running::start(&bench, &[]);
    until("a run waits", async || !bench.waiting().is_empty()).await;
    let slot = bench.waiting()[0].as_microsecond();
    let file = bench.directory("clock").join(format!("{slot:020}.json"));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    until("later runs arrived", async || {
        bench.arrived().await.len() >= 5
    })
    .await;
    running.signal("-TERM").await.says(0, &["stopped"]);
}
