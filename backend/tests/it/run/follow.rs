//! Runs as they are followed, over `graphql-transport-ws`.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use sundial::{
    access::store::set_access_rules, guard::table::access_rule::RoleName, request::now,
    scalar::seal,
};

use crate::{
    app::{FOREIGN, PROD, TestApp, rule},
    database::Kind,
    run::{RUN, SECOND, finish, good, micros, set, slot::secondly, start, try_set},
    socket::Socket,
    token,
};

on_both! {
    runs_are_followed_as_they_begin_and_end,
    slots_are_followed_as_they_turn,
    only_named_producers_are_followed,
    stream_goes_on_behind_its_cursor,
    much_that_was_missed_comes_in_pieces,
    cursor_that_was_never_given_is_refused,
    following_ends_with_access,
    limited_token_follows_what_it_reaches,
}

/// Follows the runs of `producers`, of all of them for null.
async fn follow(socket: &mut Socket, producers: Value, after: Value) {
    let query = format!(
        "subscription ($producers: [String!], $after: String) {{
        runChanged(tenant: \"{PROD}\", producers: $producers, after: $after) {{ cursor runs {{ {RUN} }} }} }}"
    );
    let variables = json!({ "producers": producers, "after": after });
    let payload = json!({ "query": query, "variables": variables });
    socket
        .send(json!({ "id": "1", "type": "subscribe", "payload": payload }))
        .await;
}

/// The next event's cursor and runs.
async fn event(socket: &mut Socket) -> (Value, Vec<Value>) {
    let message = socket.next().await;
    assert_eq!(message["type"], "next", "{message}");
    let changed = &message["payload"]["data"]["runChanged"];
    let runs = changed["runs"].as_array().unwrap().clone();
    assert!((1..=100).contains(&runs.len()), "{message}");
    (changed["cursor"].clone(), runs)
}

/// Where nothing has changed yet, and up to when slots that turned count as told.
fn place(seq: i64, told: i64) -> Value {
    json!(seal(["change", &format!("{seq}.{told}.2147483647")]))
}

async fn runs_are_followed_as_they_begin_and_end(app: TestApp) {
    good(set(&app, &app.prod, PROD, "clock").await);
    for asker in [app.prod.clone(), app.person("viewer")] {
        let mut socket = Socket::introduced(&app.endpoint(), &asker).await;
        let last: Vec<i64> = app
            .database
            .read("SELECT max(last_run) FROM tenant_counter")
            .await;
        follow(&mut socket, json!(null), place(last[0], now())).await;
        for (run, name) in [(7, "clock"), (8, "clock"), (9, "new")] {
            // A producer that is made meanwhile is followed too.
            good(set(&app, &app.prod, PROD, name).await);
            let begun = good(start(&app, &app.prod, PROD, name, json!(run)).await);
            assert_eq!(event(&mut socket).await.1, [begun]);
            let ended =
                good(finish(&app, &app.prod, PROD, name, run, json!({ "points": run })).await);
            assert_eq!(event(&mut socket).await.1, [ended]);
        }
        // Points, another tenant's runs and what changes nothing are no news.
        app.ingest(&app.prod, PROD, "a", &[(1, 1.0)]).await;
        good(set(&app, &app.foreign, FOREIGN, "clock").await);
        good(start(&app, &app.foreign, FOREIGN, "clock", json!(5)).await);
        good(finish(&app, &app.prod, PROD, "new", 9, json!({ "points": 9 })).await);
        assert!(socket.is_silent(Duration::from_millis(700)).await);
    }
}

async fn slots_are_followed_as_they_turn(app: TestApp) {
    let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
    follow(&mut socket, json!(null), json!(null)).await;
    good(set(&app, &app.prod, PROD, "begun").await);
    // It has begun to follow once this arrives.
    for slot in 1.. {
        good(start(&app, &app.prod, PROD, "begun", json!(slot)).await);
        let arrives = tokio::time::timeout(Duration::from_secs(1), event(&mut socket)).await;
        if arrives.is_ok() {
            break;
        }
    }
    let since = now();
    let more = json!({ "schedule": "* * * * * *", "grace": "2s" });
    good(try_set(&app, &app.prod, PROD, "clock", more).await);
    let mut told: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    let first = (since / SECOND + 1) * SECOND;
    // Runs that begin within their grace are not late.
    let (in_time, too_late) = (first + SECOND, first + 2 * SECOND);
    good(start(&app, &app.prod, PROD, "clock", json!(in_time)).await);
    loop {
        let (_, runs) = event(&mut socket).await;
        for run in runs {
            let (slot, state) = (
                micros(&run["slot"]),
                run["state"].as_str().unwrap().to_owned(),
            );
            let turned = match state.as_str() {
                "LATE" => slot + 2 * SECOND,
                "MISSED" => slot + 4 * SECOND,
                _ => 0,
            };
            assert!(
                now() - turned < 5 * SECOND || turned == 0,
                "{run} is told at {}",
                now()
            );
            assert!(now() >= turned);
            if slot == too_late && state == "LATE" {
                good(start(&app, &app.prod, PROD, "clock", json!(slot)).await);
            }
            told.entry(slot).or_default().push(state);
        }
        if told
            .get(&(first + 4 * SECOND))
            .is_some_and(|states| states.len() == 2)
        {
            break;
        }
    }
    assert_eq!(told[&in_time], ["RUNNING"]);
    assert_eq!(told[&too_late], ["LATE", "RUNNING"]);
    for slot in [first + 3 * SECOND, first + 4 * SECOND] {
        assert_eq!(told[&slot], ["LATE", "MISSED"], "{told:?}");
    }
}

async fn only_named_producers_are_followed(app: TestApp) {
    let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
    follow(&mut socket, json!(["b", "last", "none"]), place(0, now())).await;
    for name in ["a", "b", "c", "last"] {
        good(set(&app, &app.prod, PROD, name).await);
        good(start(&app, &app.prod, PROD, name, json!(5)).await);
    }
    let mut heard = Vec::new();
    while heard.last() != Some(&json!("last")) {
        heard.extend(
            event(&mut socket)
                .await
                .1
                .into_iter()
                .map(|run| run["producer"].clone()),
        );
    }
    assert_eq!(heard, ["b", "last"]);
}

async fn limited_token_follows_what_it_reaches(app: TestApp) {
    let patterns = json!({ "series": [r#"*{producer="b"}"#, r#"*{producer="last"}"#] });
    let (_, limited) = token::create(&app, &app.person("admin"), PROD, "limited", patterns).await;
    let mut socket = Socket::introduced(&app.endpoint(), &limited).await;
    follow(&mut socket, json!(null), place(0, 0)).await;
    for name in ["a", "b", "last"] {
        secondly(&app, name, "1s", 9).await;
        good(start(&app, &app.prod, PROD, name, json!(5)).await);
    }
    let mut heard = Vec::new();
    while heard.last() != Some(&json!("last")) {
        heard.extend(
            event(&mut socket)
                .await
                .1
                .into_iter()
                .map(|run| run["producer"].clone()),
        );
    }
    assert!(
        !heard.contains(&json!("a")) && heard.contains(&json!("b")),
        "{heard:?}"
    );
}

/// A stream that is cut behind each event and goes on at the next of `servers` brings each change, and each slot that turns,
/// once.
async fn goes_on(app: &TestApp, servers: &[url::Url]) {
    const RUNS: i64 = 40;
    good(set(app, &app.prod, PROD, "clock").await);
    let began = now();
    let more = json!({ "schedule": "* * * * * *", "grace": "1s" });
    good(try_set(app, &app.prod, PROD, "due", more).await);
    let write = async {
        for run in 1..=RUNS {
            good(start(app, &app.prod, PROD, "clock", json!(run)).await);
            good(finish(app, &app.prod, PROD, "clock", run, json!({ "points": run })).await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let follow = async {
        let mut cursor = place(0, began);
        let mut heard: Vec<Value> = Vec::new();
        let ended = |run: &Value| run["points"] == json!(RUNS);
        for cut in 0.. {
            let mut socket = Socket::introduced(&servers[cut % servers.len()], &app.prod).await;
            follow(&mut socket, json!(null), cursor.clone()).await;
            // Now and then before anything has come.
            for _ in 0..cut % 3 {
                let (place, runs) = event(&mut socket).await;
                cursor = place;
                heard.extend(runs);
            }
            if heard.iter().any(ended) {
                return heard;
            }
        }
        heard
    };
    let ((), heard) = tokio::join!(write, follow);
    let mut seen: BTreeMap<(String, i64), Vec<String>> = BTreeMap::new();
    for run in &heard {
        let key = (
            run["producer"].as_str().unwrap().to_owned(),
            micros(&run["slot"]),
        );
        seen.entry(key)
            .or_default()
            .push(run["state"].as_str().unwrap().to_owned());
    }
    for run in 1..=RUNS {
        let states = seen.remove(&("clock".into(), run)).unwrap();
        assert!(
            states == ["SUCCEEDED"] || states == ["RUNNING", "SUCCEEDED"],
            "{run}: {states:?}"
        );
    }
    let slots: Vec<i64> = seen.keys().map(|(_, slot)| *slot).collect();
    assert!(slots.len() >= 3, "{slots:?}");
    // No slot is left out, and none comes twice: up to the last that was told, each has turned late, missed or, to who was
    // away, missed at once.
    assert!(
        slots.windows(2).all(|pair| pair[1] - pair[0] == SECOND),
        "{slots:?}"
    );
    let since: Vec<i64> = app
        .database
        .read("SELECT since FROM producer WHERE name = 'due'")
        .await;
    assert!((0..=SECOND).contains(&(slots[0] - since[0])), "{slots:?}");
    let turned = |run: &Value| match run["state"].as_str() {
        Some("LATE") => micros(&run["slot"]) + SECOND,
        Some("MISSED") => micros(&run["slot"]) + 2 * SECOND,
        _ => 0,
    };
    let last = heard.iter().map(turned).max().unwrap();
    for ((_, slot), states) in &seen {
        let missed = states == &["MISSED"] || states == &["LATE", "MISSED"];
        let is_new = slot + 2 * SECOND >= last;
        assert!(
            missed || is_new && states == &["LATE"],
            "{slot}: {states:?}"
        );
    }
}

async fn stream_goes_on_behind_its_cursor(app: TestApp) {
    goes_on(&app, &[app.endpoint()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_goes_on_at_another_server() {
    let app = TestApp::start(Kind::Postgres).await;
    let replica = app.replica().await;
    goes_on(&app, &[app.endpoint(), replica.url.clone()]).await;
    // And is woken by what the first one writes.
    let mut socket = Socket::introduced(&replica.url, &app.prod).await;
    let last: Vec<i64> = app
        .database
        .read("SELECT max(last_run) FROM tenant_counter")
        .await;
    follow(&mut socket, json!(["clock"]), place(last[0], now())).await;
    for run in 100..105 {
        let begun = good(start(&app, &app.prod, PROD, "clock", json!(run)).await);
        let heard = tokio::time::timeout(Duration::from_secs(1), event(&mut socket)).await;
        assert_eq!(heard.unwrap().1, [begun]);
    }
}

async fn much_that_was_missed_comes_in_pieces(app: TestApp) {
    let mut since = i64::MAX;
    // Many slots of one time, and many times.
    for name in 0..7 {
        since = since.min(secondly(&app, &format!("p{name}"), "1s", 60).await);
    }
    let begun = since + 10 * SECOND;
    good(start(&app, &app.prod, PROD, "p3", json!(begun)).await);
    let mut seen: BTreeMap<(String, i64), u32> = BTreeMap::new();
    let (mut cursor, mut events, until) = (place(0, 0), 0, now());
    loop {
        let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
        follow(&mut socket, json!(null), cursor).await;
        let (next, runs) = event(&mut socket).await;
        (cursor, events) = (next, events + 1);
        let mut last = 0;
        for run in runs {
            let slot = micros(&run["slot"]);
            if run["state"] == "MISSED" {
                last = slot;
                *seen.entry((run["producer"].to_string(), slot)).or_default() += 1;
            } else if run["state"] == "RUNNING" {
                assert_eq!(slot, begun);
            }
        }
        if last + 2 * SECOND >= until {
            break;
        }
    }
    assert!(events >= 4, "{events}");
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
    for name in 0..7 {
        let name = json!(format!("p{name}")).to_string();
        let slots: Vec<i64> = seen
            .keys()
            .filter(|(of, _)| *of == name)
            .map(|(_, slot)| *slot)
            .collect();
        let holes = slots
            .windows(2)
            .filter(|pair| pair[1] - pair[0] != SECOND)
            .count();
        assert_eq!(holes, usize::from(name.contains("p3")), "{name}: {slots:?}");
        assert!(slots[0] - since < 3 * SECOND, "{name}");
    }
}

async fn cursor_that_was_never_given_is_refused(app: TestApp) {
    for (producers, after) in [
        (json!(null), json!("no cursor")),
        (json!(null), json!(seal(["event", "0"]))),
        (json!(null), place(1, 0)),
        (json!(null), place(-1, 0)),
        (json!(null), place(0, i64::MAX)),
        (json!([]), json!(null)),
        (json!(vec!["a"; 201]), json!(null)),
    ] {
        let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
        follow(&mut socket, producers, after.clone()).await;
        let refused = socket.next().await;
        assert_eq!(refused["type"], "error", "{after}: {refused}");
        assert_eq!(
            refused["payload"][0]["extensions"]["code"],
            "BAD_USER_INPUT"
        );
    }
    let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
    let first = seal(["change", &format!("0.{}.0", i64::MIN)]);
    follow(&mut socket, json!(null), json!(first)).await;
    good(set(&app, &app.prod, PROD, "clock").await);
    good(start(&app, &app.prod, PROD, "clock", json!(5)).await);
    assert_eq!(event(&mut socket).await.1.len(), 1);
}

async fn following_ends_with_access(app: TestApp) {
    good(set(&app, &app.prod, PROD, "clock").await);
    let mut socket = Socket::introduced(&app.endpoint(), &app.person("viewer")).await;
    follow(&mut socket, json!(null), place(0, 0)).await;
    good(start(&app, &app.prod, PROD, "clock", json!(5)).await);
    event(&mut socket).await;
    let scope = app.operate(PROD).await;
    let rules = vec![rule("mcce", "g1-admins", RoleName::Admin)];
    set_access_rules(&scope, &rules, 0).await.unwrap();
    scope.commit().await.unwrap();
    // By the clock alone, since nobody writes.
    let end = socket.next().await;
    assert_eq!(end["type"], "error", "{end}");
    assert_eq!(end["payload"][0]["extensions"]["code"], "FORBIDDEN");
    good(start(&app, &app.prod, PROD, "clock", json!(6)).await);
    assert!(socket.is_silent(Duration::from_millis(300)).await);
}
