//! `sundial-producer once`.

use super::*;

const MINUTES: [&str; 2] = ["--schedule", "* * * * *"];

#[tokio::test]
async fn a_run_measures_the_clock_and_times_it_by_its_slot() {
    let bench = Bench::start().await;
    bench.on_ingest(receipt(false), 1).await;
    bench.once(&MINUTES).await.says(0, &["delivered"]);
    let ingest = &bench.arrived().await[0];
    assert_eq!(ingest["tenant"], "mcce-g1-prod");
    assert_eq!(ingest["idempotencyKey"].as_str().unwrap().len(), 32);
    assert_eq!(slot(ingest).as_second() % 60, 0);
    let values = values(ingest);
    assert_eq!(values.len(), 3);
    let round_trip = values["clock.round_trip_seconds{producer=\"clock\"}"];
    assert!((0.0..0.5).contains(&round_trip));
    // It is the same clock: what is left is within half the round trip.
    assert!(values["clock.offset_seconds{producer=\"clock\"}"].abs() <= round_trip / 2.0 + 1e-6);
    let lag = Timestamp::now().duration_since(slot(ingest)).as_secs_f64();
    assert!((0.0..=lag).contains(&values["clock.lag_seconds{producer=\"clock\"}"]));
    assert_eq!(bench.waiting(), []);
}

#[tokio::test]
async fn how_a_run_ends_is_told() {
    let bench = Bench::start().await;
    bench.on_ingest(receipt(false), 1).await;
    bench.once(&MINUTES).await.says(0, &["delivered"]);
    let told = &bench.asked("Report").await[0];
    let slot = slot(&bench.arrived().await[0]).as_microsecond();
    let expected = json!({
        "tenant": "mcce-g1-prod", "name": "clock", "schedule": "* * * * *", "timeZone": "UTC", "isNew": true,
        "slot": slot, "outcome": { "points": 3 },
    });
    assert_eq!(*told, expected);
    // What was not measured.
    let page = format!("{}/absent", bench.server.uri());
    let ended = bench
        .once(&["--source", "prometheus", "--scrape-url", &page])
        .await;
    ended.says(1, &["nothing was measured"]);
    let told = &bench.asked("Report").await[1];
    assert_eq!(told["name"], "prometheus");
    assert!(
        told["outcome"]["error"]
            .as_str()
            .unwrap()
            .contains("answered 404"),
        "{told}"
    );
}

#[tokio::test]
async fn a_run_that_cannot_be_told_of_is_delivered() {
    let bench = Bench::start().await;
    bench.server.reset().await;
    bench.tell_time().await;
    bench.on_ingest(receipt(false), 1).await;
    let refused = refusal(200, "FORBIDDEN", "not yours");
    operation("Report")
        .respond_with(refused)
        .mount(&bench.server)
        .await;
    bench
        .once(&MINUTES)
        .await
        .says(0, &["delivered", "cannot tell of runs"]);
    assert_eq!(bench.waiting(), []);
}

#[tokio::test]
async fn a_server_that_hears_no_report_delays_no_run() {
    let bench = Bench::start().await;
    bench.server.reset().await;
    bench.tell_time().await;
    bench.on_ingest(receipt(false), 4..).await;
    let never = ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
    operation("Report")
        .respond_with(never)
        .mount(&bench.server)
        .await;
    let started = Instant::now();
    let ended = bench.once(&MINUTES).await;
    ended.says(0, &["delivered", "no answer in time"]);
    assert!(started.elapsed() < Duration::from_secs(12));
    // The next ones of a schedule go out meanwhile.
    let mut producer = bench.producer("run");
    producer.args(["--schedule", "* * * * * *"]);
    let mut producer = producer.spawn().unwrap();
    until("three runs are there", async || {
        bench.arrived().await.len() >= 4
    })
    .await;
    producer.kill().unwrap();
    producer.wait().unwrap();
}

#[tokio::test]
async fn passing_failures_are_tried_again_with_the_same_request() {
    let bench = Bench::start().await;
    bench.on_first_ingests(1, ResponseTemplate::new(503)).await;
    bench
        .on_first_ingests(1, refusal(200, "INTERNAL", "trace 7"))
        .await;
    bench
        .on_first_ingests(
            1,
            refusal(429, "RATE_LIMITED", "too many").insert_header("retry-after", "1"),
        )
        .await;
    bench.on_ingest(receipt(true), 1).await;
    let started = Instant::now();
    bench
        .once(&MINUTES)
        .await
        .says(0, &["503", "trace 7", "RATE_LIMITED"]);
    assert!(
        started.elapsed() >= Duration::from_secs(1),
        "Retry-After was not honoured"
    );
    let arrived = bench.arrived().await;
    assert_eq!(arrived.len(), 4);
    assert!(arrived.iter().all(|request| *request == arrived[0]));
}

#[tokio::test]
async fn the_same_slot_has_the_same_key() {
    let bench = Bench::start().await;
    bench.on_ingest(receipt(false), 3).await;
    for slot in [
        "2026-05-01T10:00:00Z",
        "2026-05-01T10:00:00Z",
        "2026-05-01T10:01:00Z",
    ] {
        bench.once(&["--slot", slot]).await.says(0, &[]);
    }
    let keys: Vec<_> = bench
        .arrived()
        .await
        .iter()
        .map(|ingest| ingest["idempotencyKey"].clone())
        .collect();
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0], keys[2]);
}

#[tokio::test]
async fn a_slot_that_the_server_has_already_is_done() {
    let bench = Bench::start().await;
    bench
        .on_ingest(
            refusal(200, "CONFLICT", "the key was used with another body"),
            1,
        )
        .await;
    bench
        .once(&MINUTES)
        .await
        .says(0, &["has this slot already"]);
    assert_eq!(bench.waiting(), []);
}

#[tokio::test]
async fn a_refused_run_is_not_tried_again() {
    let bench = Bench::start().await;
    bench
        .on_ingest(refusal(200, "BAD_USER_INPUT", "series: too long"), 1)
        .await;
    bench
        .once(&MINUTES)
        .await
        .says(1, &["BAD_USER_INPUT: series: too long"]);
    assert_eq!(bench.waiting(), []);
}

#[tokio::test]
async fn a_refused_token_says_how_to_get_one_and_loses_nothing() {
    let bench = Bench::start().await;
    bench
        .on_first_ingests(1, refusal(401, "UNAUTHENTICATED", "the token was revoked"))
        .await;
    let step = "401 UNAUTHENTICATED: the token was revoked; the token was refused; create one with \
                `sundial token create --tenant mcce-g1-prod --name clock`";
    bench
        .once(&["--slot", "2026-05-01T10:00:00Z"])
        .await
        .says(1, &[step]);
    assert_eq!(bench.waiting().len(), 1);

    // The next run brings the one before it too, in order.
    bench.on_ingest(receipt(false), 2).await;
    bench
        .once(&["--slot", "2026-05-01T10:01:00Z"])
        .await
        .says(0, &[]);
    let slots: Vec<_> = bench
        .arrived()
        .await
        .iter()
        .map(|ingest| slot(ingest).to_string())
        .collect();
    assert_eq!(slots[1..], ["2026-05-01T10:00:00Z", "2026-05-01T10:01:00Z"]);
    assert_eq!(bench.waiting(), []);
}

#[tokio::test]
async fn without_a_server_the_lag_waits_and_the_slot_is_not_measured_anew() {
    let bench = Bench::start().await;
    let slot = ["--slot", "2026-05-01T10:00:00Z", "--give-up-after", "1s"];
    let mut away = bench.producer("once");
    away.env("SUNDIAL_URL", "http://127.0.0.1:9").args(slot);
    bench.end(away).await.says(
        1,
        &[
            "cannot reach http://127.0.0.1:9/graphql",
            "waits in the spool",
        ],
    );
    assert_eq!(bench.waiting().len(), 1);

    bench.on_ingest(receipt(false), 1).await;
    bench
        .once(&slot)
        .await
        .says(0, &["waits in the spool from before"]);
    let arrived = bench.arrived().await;
    assert_eq!(
        values(&arrived[0]).into_keys().collect::<Vec<_>>(),
        ["clock.lag_seconds{producer=\"clock\"}"]
    );
}

#[tokio::test]
async fn a_metrics_page_becomes_series() {
    let bench = Bench::start().await;
    let page = "# TYPE up gauge\nup 1\nrequests_total{code=\"200\"} 7 1395066363000\nnone NaN\n";
    let shown = ResponseTemplate::new(200).set_body_string(page);
    Mock::given(method("GET"))
        .and(path("/metrics"))
        .respond_with(shown)
        .mount(&bench.server)
        .await;
    bench.on_ingest(receipt(false), 1).await;
    let url = format!("{}/metrics", bench.server.uri());
    bench
        .once(&[
            "--source",
            "prometheus",
            "--scrape-url",
            &url,
            "--name",
            "server",
        ])
        .await
        .says(0, &[]);
    let expected = BTreeMap::from([
        (
            "requests_total{code=\"200\",producer=\"server\"}".to_owned(),
            7.0,
        ),
        ("up{producer=\"server\"}".to_owned(), 1.0),
    ]);
    assert_eq!(values(&bench.arrived().await[0]), expected);
}

#[tokio::test]
async fn a_page_that_is_none_delivers_nothing() {
    let bench = Bench::start().await;
    let page = ResponseTemplate::new(200).set_body_string("<!doctype html>");
    Mock::given(method("GET"))
        .and(path("/page"))
        .respond_with(page)
        .mount(&bench.server)
        .await;
    for (place, part) in [
        ("page", "is no metrics page: line 1"),
        ("other", "answered 404"),
    ] {
        let url = format!("{}/{place}", bench.server.uri()).replace("http://", "http://me:hidden@");
        let ended = bench
            .once(&["--source", "prometheus", "--scrape-url", &url])
            .await;
        ended.says(1, &["nothing was measured", part]);
        assert!(!ended.log.contains("hidden"), "{}", ended.log);
    }
    assert_eq!(bench.arrived().await.len(), 0);
}

#[tokio::test]
async fn an_address_that_is_no_sundial_is_told() {
    let bench = Bench::start().await;
    let elsewhere =
        ResponseTemplate::new(302).insert_header("location", "https://sundial.example/graphql");
    bench.on_first_ingests(1, elsewhere).await;
    bench
        .once(&MINUTES)
        .await
        .says(1, &["it redirects to https://sundial.example/graphql"]);
    bench
        .on_first_ingests(1, ResponseTemplate::new(200).set_body_string("<html>"))
        .await;
    bench
        .once(&MINUTES)
        .await
        .says(1, &["is --url the address of a Sundial server"]);
}

#[tokio::test]
async fn wrong_arguments_end_with_2_and_the_next_step() {
    let bench = Bench::start().await;
    for (more, part) in [
        (
            &["--slot", "2026-05-01T10:00:30Z"][..],
            "the one before it is 2026-05-01T10:00:00Z",
        ),
        (&["--schedule", "every day"][..], "write five fields"),
        (&["--time-zone", "Mars/Olympus"][..], "IANA name"),
        (&["--source", "prometheus"][..], "--scrape-url"),
        (
            &["--token-file", "/does/not/exist"][..],
            "token file /does/not/exist",
        ),
    ] {
        bench.once(more).await.says(2, &[part]);
    }
    let mut nameless = bench.producer("once");
    nameless.env_remove("SUNDIAL_TOKEN");
    bench.end(nameless).await.says(
        2,
        &[
            "no token",
            "sundial token create --tenant mcce-g1-prod --name clock",
        ],
    );
}

#[tokio::test]
async fn settings_come_from_the_environment_and_the_token_from_a_file() {
    let bench = Bench::start().await;
    bench.on_ingest(receipt(false), 1).await;
    let file = bench.spool.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let mut producer = bench.producer("once");
    producer
        .env("SUNDIAL_TOKEN", "sdl_another")
        .env("SUNDIAL_TOKEN_FILE", &file)
        .env("SUNDIAL_NAME", "vienna");
    producer
        .env("SUNDIAL_SCHEDULE", "0 2 * * *")
        .env("SUNDIAL_TIME_ZONE", "Europe/Vienna");
    producer.env("SUNDIAL_SLOT", "2026-07-01T00:00:00Z");
    bench.end(producer).await.says(0, &[]);
    let names: Vec<_> = values(&bench.arrived().await[0]).into_keys().collect();
    assert!(
        names
            .iter()
            .all(|name| name.ends_with("{producer=\"vienna\"}")),
        "{names:?}"
    );
}

#[tokio::test]
async fn two_producers_of_one_name_do_not_share_a_spool() {
    let bench = Bench::start().await;
    std::fs::create_dir_all(bench.directory("clock")).unwrap();
    let lock = std::fs::File::create(bench.directory("clock").join("lock")).unwrap();
    lock.lock().unwrap();
    bench
        .once(&MINUTES)
        .await
        .says(1, &["in use by another producer"]);
}
