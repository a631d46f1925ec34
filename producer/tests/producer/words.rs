//! What it says: help, logs and errors.

use super::*;

#[test]
fn each_example_of_the_help_can_be_pasted() {
    for width in ["80", "100", "200"] {
        let mut producer = Command::new(env!("CARGO_BIN_EXE_sundial-producer"));
        let output = producer
            .args(["run", "--help"])
            .env("COLUMNS", width)
            .output()
            .unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(help.contains("SUNDIAL_LOG"), "{help}");
        let examples = help.split("Examples:").nth(1).unwrap();
        assert!(examples.lines().all(|line| line.len() < 80), "{examples}");
        let mut pasted = 0;
        for block in examples
            .split("\n\n")
            .filter(|block| block.contains("    "))
        {
            let command: Vec<_> = block
                .lines()
                .filter(|line| line.starts_with("    "))
                .collect();
            // `--help` at its end: the whole line is read, and nothing runs.
            let script = format!("{} --help", command.join("\n"));
            let program = PathBuf::from(env!("CARGO_BIN_EXE_sundial-producer"));
            let status = Command::new("/bin/sh")
                .args(["-ec", &script])
                .env_clear()
                .env("PATH", program.parent().unwrap())
                .stdout(Stdio::null())
                .status();
            assert!(status.unwrap().success(), "{script}");
            pasted += 1;
        }
        assert_eq!(pasted, 3);
    }
}

#[tokio::test]
async fn a_log_line_has_its_words_at_the_top_and_a_level_of_ones_own() {
    let bench = Bench::start().await;
    bench.on_ingest(receipt(false), 2).await;
    let mut producer = bench.producer("once");
    producer.env("SUNDIAL_LOG", "info");
    let ended = bench.end(producer).await;
    let lines = ended.log.lines();
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["message"], "delivered");
    assert_eq!(lines[0]["level"], "INFO");
    assert_eq!(lines[0]["target"], "sundial_producer::delivery");

    let mut producer = bench.producer("once");
    producer.env("SUNDIAL_LOG", "error").env("RUST_LOG", "info");
    assert_eq!(bench.end(producer).await.log, "");
}

#[tokio::test]
async fn a_bad_schedule_does_not_contradict_itself() {
    let bench = Bench::start().await;
    for (schedule, part) in [
        ("every day", "has 2 fields; write five"),
        (
            "61 * * * *",
            "cannot be read: Number out of bounds; write five",
        ),
    ] {
        let ended = bench.once(&["--schedule", schedule]).await;
        ended.says(2, &[part, "seven with the year last"]);
        assert!(!ended.log.contains("between 5 and 7"), "{}", ended.log);
        assert!(!ended.log.contains(".;"), "{}", ended.log);
    }
}

#[tokio::test]
async fn an_address_of_another_kind_is_refused_at_once() {
    let bench = Bench::start().await;
    for url in [
        "ftp://me:hidden@127.0.0.1",
        "localhost:8080",
        "http://me:hidden@[",
        "nowhere",
    ] {
        for option in ["--url", "--scrape-url"] {
            let ended = bench.once(&[option, url]).await;
            ended.says(2, &[option, "http://"]);
            assert!(!ended.log.contains("hidden"), "{}", ended.log);
        }
    }
}

#[tokio::test]
async fn no_help_and_no_error_shows_a_secret() {
    let bench = Bench::start().await;
    let mut producer = bench.producer("once");
    producer.args(["--help"]);
    producer
        .env("SUNDIAL_URL", "http://me:hidden@127.0.0.1")
        .env("SUNDIAL_SCRAPE_URL", "http://me:hidden@127.0.0.1");
    let help = String::from_utf8(producer.output().unwrap().stdout).unwrap();
    assert!(!help.contains("hidden") && !help.contains(TOKEN), "{help}");

    let mut producer = bench.producer("once");
    producer
        .env("SUNDIAL_TOKEN", "sdl_hidden\u{7}token")
        .args(["--give-up-after", "1s"]);
    let ended = bench.end(producer).await;
    ended.says(1, &["the token has characters that no token has"]);
    assert!(!ended.log.contains("hidden"), "{}", ended.log);
}
