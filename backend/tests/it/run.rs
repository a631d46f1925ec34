//! Producers and their runs, from the first schedule to what was missed.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sundial::{request::now, scalar::seal};

use crate::{
    app::{ABSENT, FOREIGN, PROD, TEST, TestApp, code, message},
    token,
};

#[cfg(not(feature = "filterless"))]
mod follow;
#[cfg(not(feature = "filterless"))]
mod producer;
#[cfg(not(feature = "filterless"))]
mod slot;

on_each_fence! {
    run_is_told_from_its_start_to_its_end,
    roles_decide_who_runs_and_who_deletes,
    limited_token_reaches_the_producers_that_it_names,
    foreign_producers_and_runs_are_as_absent,
}

#[cfg(not(feature = "filterless"))]
mod life {
    use super::*;

    on_both! {
        repeated_end_changes_nothing,
        run_begins_anew,
        end_without_a_start_counts,
        what_is_no_run_is_told,
        one_request_sees_what_it_has_done,
    }
}

/// Comes due once a year, and so not within a test.
const YEARLY: &str = "0 0 1 1 *";
const SECOND: i64 = 1_000_000;
const RUN: &str = "id producer slot state startedAt finishedAt points error";

/// Sets a producer whose slots are far apart.
async fn set(app: &TestApp, token: &str, tenant: &str, name: &str) -> Value {
    try_set(app, token, tenant, name, json!({ "schedule": YEARLY })).await
}

async fn try_set(app: &TestApp, token: &str, tenant: &str, name: &str, more: Value) -> Value {
    let query = "mutation ($tenant: String!, $name: String!, $schedule: String!, $timeZone: String! = \"UTC\",
        $grace: Duration) { set: setProducer(tenant: $tenant, name: $name, schedule: $schedule,
        timeZone: $timeZone, grace: $grace) { id name schedule timeZone grace createdAt nextSlot lastRun { state } } }";
    let mut variables = more;
    variables["tenant"] = json!(tenant);
    variables["name"] = json!(name);
    app.ask(token, query, variables).await
}

async fn start(app: &TestApp, token: &str, tenant: &str, producer: &str, slot: Value) -> Value {
    let query = format!(
        "mutation ($tenant: String!, $producer: String!, $slot: Timestamp!) {{
        run: startRun(tenant: $tenant, producer: $producer, slot: $slot) {{ {RUN} }} }}"
    );
    let variables = json!({ "tenant": tenant, "producer": producer, "slot": slot });
    app.ask(token, &query, variables).await
}

/// Ends a run; `outcome` may hold `startedAt` beside.
async fn finish(
    app: &TestApp,
    token: &str,
    tenant: &str,
    producer: &str,
    slot: i64,
    mut outcome: Value,
) -> Value {
    let query = format!(
        "mutation ($tenant: String!, $producer: String!, $slot: Timestamp!, $startedAt: Timestamp, $outcome: RunOutcome!) {{
        run: finishRun(tenant: $tenant, producer: $producer, slot: $slot, startedAt: $startedAt, outcome: $outcome)
        {{ {RUN} }} }}"
    );
    let started = outcome["startedAt"].take();
    outcome.as_object_mut().unwrap().remove("startedAt");
    let variables = json!({
        "tenant": tenant, "producer": producer, "slot": slot, "startedAt": started, "outcome": outcome,
    });
    app.ask(token, &query, variables).await
}

/// A page of runs with slots in a range, in µs.
async fn runs(app: &TestApp, token: &str, range: [i64; 2], first: i64, after: Value) -> Value {
    let query = format!(
        "query ($from: Timestamp!, $to: Timestamp!, $first: Int!, $after: String) {{ tenant(slug: \"{PROD}\") {{
        producers(first: 1) {{ nodes {{ runs(range: {{ from: $from, to: $to }}, first: $first, after: $after) {{
        nodes {{ {RUN} }} edges {{ cursor }} pageInfo {{ hasPreviousPage hasNextPage endCursor }} }} }} }} }} }}"
    );
    let variables = json!({ "from": range[0], "to": range[1], "first": first, "after": after });
    let mut data = app.data(token, &query, variables).await;
    data["tenant"]["producers"]["nodes"][0]["runs"].take()
}

fn time(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros)
        .unwrap()
        .to_string()
}

fn micros(time: &Value) -> i64 {
    let time: jiff::Timestamp = time.as_str().unwrap().parse().unwrap();
    time.as_microsecond()
}

/// What ended well, of an answer.
fn good(answer: Value) -> Value {
    assert!(answer.get("errors").is_none(), "{answer}");
    let fields = answer["data"].as_object().unwrap();
    fields.values().next().unwrap().clone()
}

async fn run_is_told_from_its_start_to_its_end(app: TestApp) {
    let made = good(set(&app, &app.prod, PROD, "clock").await);
    let asked = now();
    let begun = good(start(&app, &app.prod, PROD, "clock", json!(7 * SECOND)).await);
    assert_eq!(begun["state"], "RUNNING");
    assert_eq!(
        (&begun["producer"], &begun["slot"]),
        (&json!("clock"), &json!(time(7 * SECOND)))
    );
    assert!(
        (asked..=now()).contains(&micros(&begun["startedAt"])),
        "{begun}"
    );
    assert_eq!(begun["finishedAt"], Value::Null);
    let ended = good(
        finish(
            &app,
            &app.prod,
            PROD,
            "clock",
            7 * SECOND,
            json!({ "points": 3 }),
        )
        .await,
    );
    assert_eq!(
        (&ended["state"], &ended["points"]),
        (&json!("SUCCEEDED"), &json!(3))
    );
    assert_eq!(
        (&ended["id"], &ended["startedAt"]),
        (&begun["id"], &begun["startedAt"])
    );
    let words = json!({ "error": "no route\nto host" });
    let failed = good(finish(&app, &app.prod, PROD, "clock", 9 * SECOND, words).await);
    assert_eq!(
        (&failed["state"], &failed["error"]),
        (&json!("FAILED"), &json!("no route\nto host"))
    );
    // Whoever may read sees the same, by the list, by the producer and by the ids.
    let viewer = app.person("viewer");
    let page = runs(&app, &viewer, [0, 99 * SECOND], 50, json!(null)).await;
    assert_eq!(page["nodes"], json!([failed, ended]));
    let query = format!(
        "query ($producer: ID!, $run: ID!) {{ nodes(ids: [$producer, $run]) {{ ... on Run {{ {RUN} }} ... on Producer {{
        name schedule timeZone grace createdAt lastRun {{ {RUN} }} }} }}
        tenant(slug: \"{PROD}\") {{ producers {{ nodes {{ name lastRun {{ {RUN} }} }} }} }} }}"
    );
    let ids = json!({ "producer": made["id"], "run": ended["id"] });
    let data = app.data(&viewer, &query, ids).await;
    assert_eq!(data["nodes"][1], ended);
    assert_eq!(data["nodes"][0]["lastRun"], failed);
    assert_eq!(
        data["tenant"]["producers"]["nodes"],
        json!([{ "name": "clock", "lastRun": failed }])
    );
    for field in ["name", "schedule", "timeZone", "grace", "createdAt"] {
        assert_eq!(data["nodes"][0][field], made[field], "{field}");
    }
}

async fn roles_decide_who_runs_and_who_deletes(app: TestApp) {
    let id = good(set(&app, &app.prod, PROD, "clock").await)["id"].clone();
    let delete = "mutation ($tenant: String!, $id: ID!) { deleteProducer(tenant: $tenant, id: $id) { name } }";
    let ask = async |token: &str, tenant: &str| {
        let variables = json!({ "tenant": tenant, "id": id });
        [
            set(&app, token, tenant, "clock").await,
            start(&app, token, tenant, "clock", json!(0)).await,
            finish(&app, token, tenant, "clock", 0, json!({ "points": 0 })).await,
            app.ask(token, delete, variables).await,
        ]
    };
    for answer in ask(&app.person("viewer"), PROD).await {
        assert_eq!(code(&answer), "FORBIDDEN");
    }
    for stranger in [app.person("stranger"), app.foreign.clone()] {
        for (answer, absent) in ask(&stranger, PROD)
            .await
            .iter()
            .zip(ask(&stranger, ABSENT).await)
        {
            assert_eq!(code(answer), "NOT_FOUND");
            assert_eq!(*answer, absent);
        }
    }
    for answer in ask("", PROD).await {
        assert_eq!(code(&answer), "UNAUTHENTICATED");
    }
    let editor = ask(&app.prod, PROD).await;
    assert!(
        editor[..3]
            .iter()
            .all(|answer| answer.get("errors").is_none()),
        "{editor:?}"
    );
    assert_eq!(code(&editor[3]), "FORBIDDEN");
    let variables = json!({ "tenant": PROD, "id": id });
    good(app.ask(&app.person("admin"), delete, variables).await);
}

async fn limited_token_reaches_the_producers_that_it_names(app: TestApp) {
    for name in ["clock", "disk", "other"] {
        set(&app, &app.prod, PROD, name).await;
        good(start(&app, &app.prod, PROD, name, json!(5)).await);
    }
    let patterns =
        json!({ "series": [r#"clock.*{producer="clock"}"#, r#"*{producer="d*"}"#, "other"] });
    let (_, limited) = token::create(&app, &app.person("admin"), PROD, "limited", patterns).await;
    let list = format!(
        "{{ tenant(slug: \"{PROD}\") {{ producers(first: 2) {{ nodes {{ id name lastRun {{ id }} }}
        pageInfo {{ hasNextPage }} }} }} }}"
    );
    let seen = app.data(&limited, &list, json!({})).await;
    let seen = &seen["tenant"]["producers"];
    let names: Vec<&Value> = seen["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| &of["name"])
        .collect();
    assert_eq!(names, ["clock", "disk"]);
    assert_eq!(seen["pageInfo"]["hasNextPage"], false);
    let node = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    for (number, open) in [("1", true), ("2", true), ("3", false), ("4", false)] {
        let ids = [
            seal(["producer", PROD, number]),
            seal(["run", PROD, number, "5"]),
        ];
        let data = app.data(&limited, node, json!({ "ids": ids })).await;
        for node in data["nodes"].as_array().unwrap() {
            assert_eq!(!node.is_null(), open, "{number}");
        }
    }
    good(set(&app, &limited, PROD, "dust").await);
    good(start(&app, &limited, PROD, "disk", json!(6)).await);
    good(finish(&app, &limited, PROD, "clock", 6, json!({ "points": 1 })).await);
    // Whether there is such a producer is not told.
    for name in ["other", "none"] {
        for answer in [
            set(&app, &limited, PROD, name).await,
            start(&app, &limited, PROD, name, json!(6)).await,
            finish(&app, &limited, PROD, name, 6, json!({ "points": 1 })).await,
        ] {
            assert_eq!(code(&answer), "FORBIDDEN");
            assert!(message(&answer).contains("is limited to"), "{answer}");
        }
    }
}

async fn foreign_producers_and_runs_are_as_absent(app: TestApp) {
    good(set(&app, &app.foreign, FOREIGN, "secret").await);
    good(start(&app, &app.foreign, FOREIGN, "secret", json!(5)).await);
    let node = "query ($id: ID!) { node(id: $id) { id ... on Producer { name } ... on Run { producer } } }";
    let delete =
        "mutation ($id: ID!) { deleteProducer(tenant: \"mcce-g1-prod\", id: $id) { name } }";
    let admin = app.person("admin");
    for query in [node, delete] {
        let mut answers = Vec::new();
        for id in [
            seal(["producer", FOREIGN, "1"]),
            seal(["producer", PROD, "1"]),
            seal(["producer", ABSENT, "1"]),
            seal(["run", FOREIGN, "1", "5"]),
            seal(["run", PROD, "1", "5"]),
            seal(["run", FOREIGN, "1", "x"]),
        ] {
            answers.push(app.ask(&admin, query, json!({ "id": id })).await);
        }
        assert!(
            answers.iter().all(|answer| *answer == answers[0]),
            "{answers:?}"
        );
    }
    let start = [
        start(&app, &app.prod, PROD, "secret", json!(5)).await,
        start(&app, &app.prod, PROD, "none", json!(5)).await,
    ];
    assert_eq!(start[0], start[1]);
    assert_eq!(code(&start[0]), "NOT_FOUND");
    let own = "{ node(id: \"cHJvZHVjZXI\") { id } tenant(slug: \"other-g9-prod\") { producers { nodes { name } } } }";
    let data = app.data(&app.foreign, own, json!({})).await;
    assert_eq!(
        data["tenant"]["producers"]["nodes"],
        json!([{ "name": "secret" }])
    );
}

async fn repeated_end_changes_nothing(app: TestApp) {
    good(set(&app, &app.prod, PROD, "clock").await);
    good(start(&app, &app.prod, PROD, "clock", json!(5)).await);
    let seq = "SELECT last_run FROM tenant_counter WHERE last_run > 0";
    for outcome in [
        json!({ "points": 3 }),
        json!({ "error": "no" }),
        json!({ "points": 0 }),
    ] {
        let ended = good(finish(&app, &app.prod, PROD, "clock", 5, outcome.clone()).await);
        let before: Vec<i64> = app.database.read(seq).await;
        let again = good(finish(&app, &app.prod, PROD, "clock", 5, outcome).await);
        assert_eq!(again, ended);
        assert_eq!(app.database.read::<i64>(seq).await, before);
    }
}

async fn run_begins_anew(app: TestApp) {
    good(set(&app, &app.prod, PROD, "clock").await);
    let ended = good(finish(&app, &app.prod, PROD, "clock", 5, json!({ "error": "no" })).await);
    let begun = good(start(&app, &app.prod, PROD, "clock", json!(5)).await);
    assert_eq!(
        (&begun["id"], &begun["state"]),
        (&ended["id"], &json!("RUNNING"))
    );
    assert_eq!(
        (&begun["error"], &begun["finishedAt"]),
        (&Value::Null, &Value::Null)
    );
    let page = runs(&app, &app.prod, [0, 9], 50, json!(null)).await;
    assert_eq!(page["nodes"], json!([begun]));
}

async fn end_without_a_start_counts(app: TestApp) {
    good(set(&app, &app.prod, PROD, "clock").await);
    let asked = now();
    let ended = good(finish(&app, &app.prod, PROD, "clock", 5, json!({ "points": 1 })).await);
    assert!(micros(&ended["startedAt"]) >= asked, "{ended}");
    let outcome = json!({ "points": 1, "startedAt": 77 });
    let ended = good(finish(&app, &app.prod, PROD, "clock", 6, outcome).await);
    assert_eq!(micros(&ended["startedAt"]), 77);
    // A start that was told counts for more.
    good(start(&app, &app.prod, PROD, "clock", json!(7)).await);
    let outcome = json!({ "points": 1, "startedAt": 77 });
    let ended = good(finish(&app, &app.prod, PROD, "clock", 7, outcome).await);
    assert!(micros(&ended["startedAt"]) >= asked, "{ended}");
}

async fn what_is_no_run_is_told(app: TestApp) {
    good(set(&app, &app.prod, PROD, "clock").await);
    for name in ["none", "", "a\0b"] {
        for answer in [
            start(&app, &app.prod, PROD, name, json!(5)).await,
            finish(&app, &app.prod, PROD, name, 5, json!({ "points": 1 })).await,
        ] {
            assert_eq!(code(&answer), "NOT_FOUND", "{name}");
        }
    }
    for slot in [now() + 600 * SECOND, -1, i64::MAX] {
        assert_eq!(
            code(&start(&app, &app.prod, PROD, "clock", json!(slot)).await),
            "BAD_USER_INPUT"
        );
    }
    // A clock may be a little ahead.
    good(start(&app, &app.prod, PROD, "clock", json!(now() + 200 * SECOND)).await);
    for outcome in [
        json!({ "points": -1 }),
        json!({ "error": " " }),
        json!({ "error": "x".repeat(1_001) }),
        json!({ "points": 1, "startedAt": now() + 600 * SECOND }),
    ] {
        let answer = finish(&app, &app.prod, PROD, "clock", 5, outcome).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT", "{answer}");
    }
    for outcome in [json!({}), json!({ "points": 1, "error": "no" })] {
        let answer = finish(&app, &app.prod, PROD, "clock", 5, outcome).await;
        assert!(answer.get("errors").is_some(), "{answer}");
    }
    let page = runs(&app, &app.prod, [0, 9], 50, json!(null)).await;
    assert_eq!(page["nodes"], json!([]));
}

async fn one_request_sees_what_it_has_done(app: TestApp) {
    let query = format!(
        "mutation ($tenant: String!) {{
        a: setProducer(tenant: $tenant, name: \"clock\", schedule: \"{YEARLY}\") {{ lastRun {{ slot }}
            runs(range: {{ from: 0, to: 9 }}) {{ nodes {{ points }} }} }}
        b: finishRun(tenant: $tenant, producer: \"clock\", slot: 5, outcome: {{ points: 3 }}) {{ state }}
        c: setProducer(tenant: $tenant, name: \"clock\", schedule: \"{YEARLY}\") {{ lastRun {{ points }}
            runs(range: {{ from: 0, to: 9 }}) {{ nodes {{ points }} }} }} }}"
    );
    let data = app.data(&app.prod, &query, json!({ "tenant": PROD })).await;
    assert_eq!(
        data["a"],
        json!({ "lastRun": null, "runs": { "nodes": [] } })
    );
    assert_eq!(
        data["c"],
        json!({ "lastRun": { "points": 3 }, "runs": { "nodes": [{ "points": 3 }] } })
    );
}
