//! New points as they come, over `graphql-transport-ws`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde_json::{Value, json};
use sundial::{access::store::set_access_rules, guard::table::access_rule::RoleName};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    app::{FOREIGN, PROD, TestApp, batch, columns, rule},
    database::Kind,
    socket::{Added, START, Socket},
};

on_both! {
    points_arrive_as_they_are_written,
    only_named_series_arrive,
    resumed_subscription_gets_each_point_once,
    much_at_once_comes_in_pieces_that_one_goes_on_within,
    who_sees_less_goes_on_from_the_place_of_who_sees_all,
    resumed_at_a_place_that_was_never_given_is_refused,
    completed_operation_is_silent_and_the_other_goes_on,
    access_that_is_taken_away_ends_the_subscription,
    protocol_faults_end_the_connection_by_their_code,
    stopping_server_says_going_away,
    who_does_not_introduce_himself_is_sent_away,
    queries_and_pings_are_answered_too,
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_is_woken_at_once_and_again_when_it_was_deaf() {
    let app = TestApp::start(Kind::Postgres).await;
    let replica = app.replica().await;
    let mut socket = Socket::introduced(&replica.url, &app.prod).await;
    socket.follow("1", PROD, &["*"], json!(START)).await;
    let mut soon = async |time: i64, patience: Duration| {
        app.ingest(&app.prod, PROD, "a", &[(time, 1.0)]).await;
        let event = tokio::time::timeout(patience, socket.event()).await;
        event.map(|(_, added)| added)
    };
    // It may not listen yet.
    assert!(soon(0, Duration::from_secs(9)).await.is_ok());
    // Each time, so not by the clock.
    for time in 1..6 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(
            soon(time, Duration::from_millis(250)).await.is_ok(),
            "{time}"
        );
    }
    let listeners: Vec<i64> = app
        .database
        .read(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND query LIKE 'LISTEN%'",
        )
        .await;
    assert!(listeners[0] >= 2, "{listeners:?}");
    assert!(soon(6, Duration::from_secs(9)).await.is_ok());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(soon(7, Duration::from_millis(250)).await.is_ok());
}

/// How often the stream is cut.
const CUTS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn stream_that_is_cut_and_goes_on_elsewhere_brings_each_point_once() {
    let app = TestApp::start(Kind::Postgres).await;
    let replica = app.replica().await;
    let servers = [app.endpoint(), replica.url.clone()];
    let stop = AtomicBool::new(false);
    let write = async {
        let mut written = 0;
        while !stop.load(Ordering::Relaxed) {
            app.ingest(&app.prod, PROD, "a", &[(written, written as f64)])
                .await;
            written += 1;
        }
        written
    };
    let follow = async {
        let mut cursor = json!(START);
        let mut heard: Vec<i64> = Vec::new();
        for cut in 0..CUTS {
            let mut socket = Socket::introduced(&servers[cut % 2], &app.prod).await;
            socket.follow("1", PROD, &["a"], cursor.clone()).await;
            // Now and then before anything has come.
            for _ in 0..cut % 4 {
                let (place, added) = socket.event().await;
                cursor = place;
                heard.extend(
                    added
                        .iter()
                        .flat_map(|(_, points)| points)
                        .map(|(time, _)| time),
                );
            }
        }
        stop.store(true, Ordering::Relaxed);
        (cursor, heard)
    };
    let (written, (cursor, mut heard)) = tokio::join!(write, follow);
    let mut socket = Socket::introduced(&servers[0], &app.prod).await;
    socket.follow("1", PROD, &["a"], cursor).await;
    while heard.last() != Some(&(written - 1)) {
        let (_, added) = socket.event().await;
        heard.extend(
            added
                .iter()
                .flat_map(|(_, points)| points)
                .map(|(time, _)| time),
        );
    }
    assert!(written > 100, "{written}");
    assert_eq!(heard, (0..written).collect::<Vec<_>>());
}

fn one(series: &str, points: &[(i64, f64)]) -> Vec<Added> {
    vec![(series.to_owned(), points.to_vec())]
}

/// Returns once the subscription has begun, and what was written to find that out has arrived.
async fn begun(app: &TestApp, socket: &mut Socket) {
    for time in 0.. {
        app.ingest(&app.prod, PROD, "begun", &[(time, 0.0)]).await;
        let arrives = async {
            let is_it = |(_, points): &Added| points.contains(&(time, 0.0));
            while !socket.event().await.1.iter().any(is_it) {}
        };
        let patience = Duration::from_secs(1);
        if tokio::time::timeout(patience, arrives).await.is_ok() {
            return;
        }
    }
}

async fn points_arrive_as_they_are_written(app: TestApp) {
    for token in [app.prod.clone(), app.person("viewer")] {
        let mut socket = Socket::introduced(&app.endpoint(), &token).await;
        socket.follow("1", PROD, &["*"], json!(null)).await;
        begun(&app, &mut socket).await;
        let written = json!([batch("b", &[(9, 9.0), (8, 8.0)]), batch("a", &[(1, 1.0)])]);
        app.try_ingest(&app.prod, PROD, written).await;
        // An old time is as new as any.
        let expected = vec![
            ("a".to_owned(), vec![(1, 1.0)]),
            ("b".to_owned(), vec![(8, 8.0), (9, 9.0)]),
        ];
        assert_eq!(socket.event().await.1, expected);
        // Another tenant's points do not arrive.
        app.ingest(&app.foreign, FOREIGN, "a", &[(2, 2.0)]).await;
        app.ingest(&app.prod, PROD, "a", &[(3, 3.0)]).await;
        assert_eq!(socket.event().await.1, one("a", &[(3, 3.0)]));
    }
}

async fn only_named_series_arrive(app: TestApp) {
    let keys = ["a", r#"a{x="1"}"#, r#"a{x="1",y="2"}"#, "b", "last"];
    for (wanted, expected) in [
        (&[keys[1], "last"][..], &[keys[1], "last"][..]),
        (&["a*", "last"], &[keys[0], keys[2], keys[1], "last"]),
        (&[r#"*{y="2"}"#, "last"], &[keys[2], "last"]),
        (&["*"], &[keys[0], keys[2], keys[1], "b", "last"]),
    ] {
        // The first time round none of the series exists yet.
        let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
        socket.follow("1", PROD, wanted, json!(START)).await;
        for key in keys {
            app.ingest(&app.prod, PROD, key, &[(1, 1.0)]).await;
        }
        let mut arrived = BTreeSet::new();
        while !arrived.contains("last") {
            arrived.extend(socket.event().await.1.into_iter().map(|(key, _)| key));
        }
        assert_eq!(
            arrived.into_iter().collect::<Vec<_>>(),
            expected,
            "{wanted:?}"
        );
    }
}

async fn resumed_subscription_gets_each_point_once(app: TestApp) {
    const COUNT: i64 = 60;
    let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
    socket.follow("1", PROD, &["a"], json!(START)).await;
    let writing = async {
        for i in 0..COUNT {
            app.ingest(&app.prod, PROD, "a", &[(i, i as f64)]).await;
        }
    };
    let mut seen: BTreeMap<i64, u32> = BTreeMap::new();
    let reading = async {
        let mut cuts = 0;
        while seen.len() < usize::try_from(COUNT + cuts).unwrap() {
            let (cursor, added) = socket.event().await;
            for (time, value) in added.into_iter().flat_map(|(_, points)| points) {
                assert_eq!(value, time as f64);
                *seen.entry(time).or_default() += 1;
            }
            if cuts < 10 {
                // Cut without a word, and resumed after a write that nobody followed.
                socket = Socket::introduced(&app.endpoint(), &app.prod).await;
                let missed = COUNT + cuts;
                let point = (missed, missed as f64);
                app.ingest(&app.prod, PROD, "a", &[point]).await;
                socket.follow("1", PROD, &["a"], cursor).await;
                cuts += 1;
            }
        }
        seen
    };
    let ((), seen) = tokio::join!(writing, reading);
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
}

async fn much_at_once_comes_in_pieces_that_one_goes_on_within(app: TestApp) {
    let mut written: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    let mut start = 0;
    // A large one, small ones that go together, and none larger than a piece.
    for each in [1_667, 1, 2, 600, 700, 1] {
        let points: Vec<(i64, f64)> = (start..start + each).map(|time| (time, 0.5)).collect();
        start += each;
        let series = ["a", "b", "c"];
        let batches = series.map(|series| batch(series, &points));
        let answer = app.try_ingest(&app.prod, PROD, json!(batches)).await;
        assert!(answer.get("errors").is_none(), "{answer}");
        for series in series {
            let times = points.iter().map(|(time, _)| *time);
            written.entry(series.into()).or_default().extend(times);
        }
    }
    for wanted in [&["*"][..], &["b"], &["a", "c"]] {
        let mut heard: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        let (mut cursor, mut pieces) = (json!(START), 0);
        loop {
            // Cut behind each event.
            let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
            socket.follow("1", PROD, wanted, cursor).await;
            let event = socket.next().await;
            let added = &event["payload"]["data"]["pointsAdded"];
            let mut points = 0;
            for one in added["series"]
                .as_array()
                .unwrap_or_else(|| panic!("{event}"))
            {
                for (time, _) in columns(one) {
                    let times = heard.entry(one["series"].as_str().unwrap().into());
                    assert!(times.or_default().insert(time), "{time} came twice");
                    points += 1;
                }
            }
            assert!((1..=2_000).contains(&points), "{points}");
            cursor = added["cursor"].clone();
            pieces += 1;
            if added["lagged"] == json!(false) {
                break;
            }
        }
        let expected = written
            .iter()
            .filter(|(series, _)| wanted.contains(&series.as_str()) || wanted == ["*"]);
        assert!(heard.iter().eq(expected), "{wanted:?}");
        assert!(pieces > 2, "{wanted:?}: {pieces}");
    }
}

async fn resumed_at_a_place_that_was_never_given_is_refused(app: TestApp) {
    let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
    let far = "ZXZlbnQKOTk5"; // event, 999
    for (id, after) in [("1", "no cursor"), ("2", far)] {
        let mut other = Socket::introduced(&app.endpoint(), &app.prod).await;
        other.send(subscribe(id, &["*"], json!(after))).await;
        let refused = other.next().await;
        assert_eq!(refused["type"], "error");
        assert_eq!(
            refused["payload"][0]["extensions"]["code"],
            "BAD_USER_INPUT"
        );
    }
    // So are texts that name no series.
    socket.send(subscribe("1", &["a{"], json!(null))).await;
    assert_eq!(socket.next().await["type"], "error");
    socket.send(subscribe("2", &[], json!(null))).await;
    assert_eq!(socket.next().await["type"], "error");
}

fn subscribe(id: &str, series: &[&str], after: Value) -> Value {
    let query = "subscription ($series: [String!]!, $after: String) {
        pointsAdded(tenant: \"mcce-g1-prod\", series: $series, after: $after) { cursor } }";
    let variables = json!({ "series": series, "after": after });
    json!({ "id": id, "type": "subscribe", "payload": { "query": query, "variables": variables } })
}

async fn completed_operation_is_silent_and_the_other_goes_on(app: TestApp) {
    let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
    socket.follow("1", PROD, &["a"], json!(null)).await;
    socket.follow("2", PROD, &["begun"], json!(null)).await;
    begun(&app, &mut socket).await;
    socket.send(json!({ "id": "1", "type": "complete" })).await;
    socket.send(json!({ "type": "ping" })).await;
    assert_eq!(socket.next().await["type"], "pong");
    app.ingest(&app.prod, PROD, "a", &[(1, 1.0)]).await;
    app.ingest(&app.prod, PROD, "begun", &[(2, 2.0)]).await;
    let next = socket.next().await;
    assert_eq!(next["id"], "2", "{next}");
    assert!(socket.is_silent(Duration::from_millis(200)).await);
}

async fn access_that_is_taken_away_ends_the_subscription(app: TestApp) {
    let mut socket = Socket::introduced(&app.endpoint(), &app.person("viewer")).await;
    socket.follow("1", PROD, &["*"], json!(null)).await;
    begun(&app, &mut socket).await;
    let scope = app.operate(PROD).await;
    let rules = vec![rule("mcce", "g1-admins", RoleName::Admin)];
    set_access_rules(&scope, &rules, 0).await.unwrap();
    scope.commit().await.unwrap();
    app.ingest(&app.prod, PROD, "a", &[(1, 1.0)]).await;
    let end = socket.next().await;
    assert_eq!(end["type"], "error", "{end}");
    assert_eq!(end["payload"][0]["extensions"]["code"], "FORBIDDEN");
    app.ingest(&app.prod, PROD, "a", &[(2, 2.0)]).await;
    assert!(socket.is_silent(Duration::from_millis(200)).await);
}

async fn protocol_faults_end_the_connection_by_their_code(app: TestApp) {
    for text in [
        "",
        "no JSON",
        "[]",
        r#"{"type":"unknown"}"#,
        r#"{"type":"subscribe"}"#,
    ] {
        let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
        socket.send_raw(Message::text(text)).await;
        assert_eq!(socket.close_code().await, 4400, "{text}");
    }
    let mut socket = Socket::open(&app.endpoint()).await;
    socket.send_raw(Message::binary(vec![1_u8])).await;
    assert_eq!(socket.close_code().await, 4400);

    let mut socket = Socket::open(&app.endpoint()).await;
    socket.send(subscribe("1", &["*"], json!(null))).await;
    assert_eq!(socket.close_code().await, 4401);

    for token in ["sdl_garbled", "gho_neverissued", ""] {
        let mut socket = Socket::open(&app.endpoint()).await;
        socket.init(token).await;
        assert_eq!(socket.close_code().await, 4401, "{token}");
    }

    let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
    socket.follow("1", PROD, &["*"], json!(null)).await;
    socket.send(subscribe("1", &["a"], json!(null))).await;
    assert_eq!(socket.close_code().await, 4409);

    let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
    socket.init(&app.prod).await;
    assert_eq!(socket.close_code().await, 4429);
}

async fn stopping_server_says_going_away(app: TestApp) {
    let mut introduced = Socket::introduced(&app.endpoint(), &app.prod).await;
    introduced.follow("1", PROD, &["*"], json!(null)).await;
    let mut idle = Socket::introduced(&app.endpoint(), &app.prod).await;
    app.stop();
    assert_eq!(introduced.close_code().await, 1001);
    assert_eq!(idle.close_code().await, 1001);
}

async fn queries_and_pings_are_answered_too(app: TestApp) {
    let mut socket = Socket::introduced(&app.endpoint(), &app.person("viewer")).await;
    let payload = json!({ "query": "{ viewer { login kind } }" });
    socket
        .send(json!({ "id": "q", "type": "subscribe", "payload": payload }))
        .await;
    let viewer = json!({ "login": "viewer", "kind": "PERSON" });
    let expected =
        json!({ "id": "q", "type": "next", "payload": { "data": { "viewer": viewer } } });
    assert_eq!(socket.next().await, expected);
    assert_eq!(
        socket.next().await,
        json!({ "id": "q", "type": "complete" })
    );
    let ping = json!({ "type": "ping", "payload": { "n": 1 } });
    socket.send(ping).await;
    let pong = json!({ "type": "pong", "payload": { "n": 1 } });
    assert_eq!(socket.next().await, pong);
}

async fn who_does_not_introduce_himself_is_sent_away(app: TestApp) {
    let mut socket = Socket::open(&app.endpoint()).await;
    let start = std::time::Instant::now();
    assert_eq!(socket.close_code().await, 4408);
    assert!(start.elapsed() > Duration::from_secs(8), "{start:?}");
}

async fn who_sees_less_goes_on_from_the_place_of_who_sees_all(app: TestApp) {
    let points: Vec<(i64, f64)> = (0..3_000).map(|time| (time, 0.5)).collect();
    let batches = json!([batch("big", &points), batch("clock.own", &points)]);
    let answer = app.try_ingest(&app.prod, PROD, batches).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    let limited = app
        .data(
            &app.person("admin"),
            "mutation ($tenant: String!) { createToken(tenant: $tenant, name: \"l\", series: [\"clock.*\"]) { secret } }",
            json!({ "tenant": PROD }),
        )
        .await["createToken"]["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    // All in turns, from one's place to the other's.
    let (mut cursor, mut heard) = (json!(START), BTreeSet::new());
    for token in [&app.prod, &limited, &app.prod, &limited, &limited] {
        let mut socket = Socket::introduced(&app.endpoint(), token).await;
        socket.follow("1", PROD, &["clock.*"], cursor.clone()).await;
        let event = tokio::time::timeout(Duration::from_secs(3), socket.event()).await;
        let Ok((place, added)) = event else { break };
        cursor = place;
        for (time, _) in added.iter().flat_map(|(_, points)| points) {
            assert!(heard.insert(*time), "{time} came twice");
        }
    }
    assert_eq!(heard.len(), points.len());
}
