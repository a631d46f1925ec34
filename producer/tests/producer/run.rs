//! `sundial-producer run`.

use std::process::Child;

use super::*;

/// A producer that keeps the schedule of each second.
pub struct Running(Option<Child>);

impl Running {
    pub fn of(mut producer: Command) -> Self {
        Self(Some(producer.spawn().unwrap()))
    }

    pub fn id(&self) -> u32 {
        self.0.as_ref().unwrap().id()
    }

    pub fn start(bench: &Bench, more: &[&str]) -> Self {
        let mut producer = bench.producer("run");
        producer.env("SUNDIAL_SCHEDULE", "* * * * * *").args(more);
        Self::of(producer)
    }

    pub async fn signal(mut self, signal: &str) -> Ended {
        let child = self.0.take().unwrap();
        Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status()
            .unwrap();
        let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap())
            .await
            .unwrap();
        Ended::new(&output)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
        }
    }
}

/// Demands each second once.
fn assert_without_a_hole(slots: &[Timestamp]) {
    assert!(
        slots
            .windows(2)
            .all(|pair| pair[1].duration_since(pair[0]).as_secs() == 1),
        "{slots:?}"
    );
}

async fn slots(bench: &Bench) -> Vec<Timestamp> {
    bench.arrived().await.iter().map(slot).collect()
}

#[tokio::test]
async fn each_second_is_measured_and_delivered_once() {
    let bench = Bench::start().await;
    bench.on_ingest(receipt(false), 3..).await;
    let running = Running::start(&bench, &[]);
    until("three runs arrived", async || {
        bench.arrived().await.len() >= 3
    })
    .await;
    running.signal("-TERM").await.says(
        0,
        &["keeping the schedule", "delivered the first run", "stopped"],
    );
    assert_without_a_hole(&slots(&bench).await);
    let lag = values(&bench.arrived().await[1])["clock.lag_seconds{producer=\"clock\"}"];
    assert!((0.0..0.5).contains(&lag), "{lag}");
}

#[tokio::test]
async fn an_outage_is_told_once_and_made_up_in_order() {
    let bench = Bench::start().await;
    bench.on_first_ingests(1, receipt(false)).await;
    bench.on_first_ingests(4, ResponseTemplate::new(503)).await;
    bench.on_ingest(receipt(false), 3..).await;
    let running = Running::start(&bench, &[]);
    until("the outage is over", async || {
        bench.arrived().await.len() >= 9
    })
    .await;
    let ended = running.signal("-INT").await;
    ended.says(0, &["delivering again"]);
    assert_eq!(
        ended.log.matches("cannot deliver").count(),
        1,
        "{}",
        ended.log
    );
    let mut slots = slots(&bench).await;
    slots.dedup();
    assert_without_a_hole(&slots);
}

#[tokio::test]
async fn a_kill_loses_no_run_and_repeats_none() {
    let bench = Bench::start().await;
    let running = Running::start(&bench, &["--url", "http://127.0.0.1:9"]);
    until("two runs wait", async || bench.waiting().len() >= 2).await;
    running.signal("-KILL").await;
    let waited = bench.waiting();

    bench.on_ingest(receipt(false), 3..).await;
    let running = Running::start(&bench, &[]);
    until("they and a new one arrived", async || {
        bench.arrived().await.len() > waited.len()
    })
    .await;
    running.signal("-TERM").await.says(0, &[]);
    let slots = slots(&bench).await;
    assert_eq!(slots[..waited.len()], waited);
    assert!(slots.windows(2).all(|pair| pair[0] < pair[1]), "{slots:?}");
}

#[tokio::test]
async fn without_a_server_the_lag_is_written_and_the_trouble_told_once() {
    let bench = Bench::start().await;
    let running = Running::start(&bench, &["--url", "http://127.0.0.1:9"]);
    until("three runs wait", async || bench.waiting().len() >= 3).await;
    let ended = running.signal("-TERM").await;
    ended.says(0, &["\"waiting\":3"]);
    assert_eq!(
        ended.log.matches("cannot measure all").count(),
        1,
        "{}",
        ended.log
    );
    assert_eq!(
        ended.log.matches("cannot deliver").count(),
        1,
        "{}",
        ended.log
    );
    assert_without_a_hole(&bench.waiting());
}

#[tokio::test]
async fn a_stop_lets_a_delivery_end_but_does_not_wait_for_ever() {
    for (delay, left) in [(1, 0), (60, 1)] {
        let bench = Bench::start().await;
        bench
            .on_ingest(receipt(false).set_delay(Duration::from_secs(delay)), 1)
            .await;
        // A slot that comes once: none is added while the delivery is on its way.
        let at = (Timestamp::now() + Duration::from_secs(2))
            .strftime("%S %M %H %d %m *")
            .to_string();
        let running = Running::start(&bench, &["--schedule", &at]);
        until("a delivery is on its way", async || {
            bench.arrived().await.len() == 1
        })
        .await;
        let started = Instant::now();
        running.signal("-TERM").await.says(0, &["stopped"]);
        assert!(
            started.elapsed() < Duration::from_secs(7),
            "{:?}",
            started.elapsed()
        );
        assert_eq!(bench.waiting().len(), left);
    }
}

#[tokio::test]
async fn a_slow_page_skips_slots_and_says_so() {
    let bench = Bench::start().await;
    let page = ResponseTemplate::new(200)
        .set_body_string("up 1\n")
        .set_delay(Duration::from_millis(2500));
    Mock::given(method("GET"))
        .and(path("/metrics"))
        .respond_with(page)
        .mount(&bench.server)
        .await;
    bench.on_ingest(receipt(false), 2..).await;
    let url = format!("{}/metrics", bench.server.uri());
    let running = Running::start(&bench, &["--source", "prometheus", "--scrape-url", &url]);
    until("two runs arrived", async || {
        bench.arrived().await.len() >= 2
    })
    .await;
    running
        .signal("-TERM")
        .await
        .says(0, &["slots were skipped"]);
    let slots = slots(&bench).await;
    let between = slots[1].duration_since(slots[0]).as_secs();
    assert!((2..=3).contains(&between), "{slots:?}");
}

#[tokio::test]
async fn a_new_token_in_the_file_is_taken_up() {
    let bench = Bench::start().await;
    bench.on_ingest(receipt(false), 1..).await;
    let file = bench.spool.path().join("token");
    std::fs::write(&file, "sdl_wrong").unwrap();
    let mut producer = bench.producer("run");
    producer
        .args(["--schedule", "* * * * * *", "--token-file"])
        .arg(&file);
    let running = Running::of(producer);
    until("a run waits", async || !bench.waiting().is_empty()).await;
    std::fs::write(&file, TOKEN).unwrap();
    until("all is delivered", async || bench.waiting().is_empty()).await;
    running.signal("-TERM").await.says(0, &[]);
}
