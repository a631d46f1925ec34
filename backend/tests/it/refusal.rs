//! Input that can't be taken: a code, words that say what to do, and nothing written.

use serde_json::{Value, json};

use crate::app::{INGEST, PROD, TestApp, batch, code, json_of, message};

on_both! {
    bad_input_is_refused_in_words_and_writes_nothing,
    numbers_that_are_none_are_refused,
    one_bad_batch_refuses_the_good_ones,
    too_much_at_once_is_refused,
    bad_ranges_and_pages_are_refused_in_words,
    costly_queries_are_refused,
    faults_of_the_inside_stay_inside,
}

async fn assert_nothing_written(app: &TestApp) {
    for table in ["batch", "series"] {
        let sql = format!("SELECT count(*) FROM {table}");
        let rows: Vec<i64> = app.database.read(&sql).await;
        assert_eq!(rows, [0], "{table}");
    }
    let query = r#"{ tenant(slug: "mcce-g1-prod") { lastPointAt } }"#;
    let data = app.data(&app.prod, query, json!({})).await;
    assert_eq!(data["tenant"]["lastPointAt"], json!(null));
}

fn raw(series: &str, times: Value, values: Value) -> Value {
    json!([{ "series": series, "times": times, "values": values }])
}

async fn bad_input_is_refused_in_words_and_writes_nothing(app: TestApp) {
    let end = 7_258_118_400_000_000_i64;
    for (batches, words) in [
        (
            raw("a", json!([1, 2]), json!([1.0])),
            "one value for each time",
        ),
        (
            raw("a", json!([1]), json!([1.0, 2.0])),
            "one value for each time",
        ),
        (json!([]), "give at least one series"),
        (raw("a", json!([]), json!([])), "give it a point"),
        (raw("a", json!([-1]), json!([1.0])), "times[0]"),
        (raw("a", json!([end]), json!([1.0])), "times[0]"),
        (
            raw("a", json!(["2200-01-01T00:00:00Z"]), json!([1.0])),
            "times[0]",
        ),
        (
            raw("a", json!(["1969-12-31T23:59:59.999999Z"]), json!([1.0])),
            "times[0]",
        ),
        (
            raw("a", json!(["yesterday"]), json!([1.0])),
            "write it as 2026-11-24T13:32:08Z",
        ),
        (
            raw("a", json!(["2026-11-24T13:32:08"]), json!([1.0])),
            "with an offset",
        ),
        (raw("a", json!([1.5]), json!([1.0])), "whole microseconds"),
        (raw("a", json!([null]), json!([1.0])), "Invalid value"),
        (raw("a", json!([1]), json!(["NaN"])), "Invalid value"),
        (raw("a", json!([1]), json!([null])), "Invalid value"),
        (raw("", json!([1]), json!([1.0])), "batches[0].series"),
        (raw("a b", json!([1]), json!([1.0])), "batches[0].series"),
        (raw("a{x=1}", json!([1]), json!([1.0])), "batches[0].series"),
        (
            raw("a{x=\"1\"", json!([1]), json!([1.0])),
            "batches[0].series",
        ),
        (raw("a*", json!([1]), json!([1.0])), "batches[0].series"),
        (raw("a\u{0}", json!([1]), json!([1.0])), "batches[0].series"),
    ] {
        let answer = app.try_ingest(&app.prod, PROD, batches.clone()).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT", "{batches}");
        assert!(message(&answer).contains(words), "{batches}: {answer}");
        assert!(answer["data"].is_null());
    }
    for key in ["", "a\nb", &"k".repeat(201)] {
        let batches = json!([batch("a", &[(1, 1.0)])]);
        let variables = json!({ "tenant": PROD, "batches": batches, "key": key });
        let answer = app.ask(&app.prod, INGEST, variables).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT");
        assert!(message(&answer).contains("1 to 200 bytes"), "{answer}");
    }
    assert_nothing_written(&app).await;
}

async fn numbers_that_are_none_are_refused(app: TestApp) {
    for number in ["1e999", "-1e999", "NaN", "Infinity", "0x10", "1_000"] {
        let variables = format!(
            r#"{{"tenant":"{PROD}","batches":[{{"series":"a","times":[1],"values":[{number}]}}]}}"#
        );
        let query = json!(INGEST);
        let body = format!(r#"{{"query":{query},"variables":{variables}}}"#);
        let response = app.post(&app.prod, body).send().await.unwrap();
        assert!(
            response.status() == 400 || response.status() == 200,
            "{number}"
        );
        let answer = json_of(response).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT", "{number}: {answer}");
        // Also where they stand in the query itself.
        let query = format!(
            r#"mutation {{ ingest(tenant: "{PROD}", batches: [{{ series: "a", times: [1], values: [{number}] }}]) {{ id }} }}"#
        );
        let answer = app.ask(&app.prod, &query, json!({})).await;
        assert!(answer["data"]["ingest"].is_null(), "{number}: {answer}");
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
            "{number}"
        );
    }
    assert_nothing_written(&app).await;
}

async fn one_bad_batch_refuses_the_good_ones(app: TestApp) {
    let batches = json!([
        batch("a", &[(1, 1.0)]),
        batch("b", &[(1, 1.0), (-1, 1.0)]),
        batch("c", &[(1, 1.0)]),
    ]);
    let answer = app.try_ingest(&app.prod, PROD, batches).await;
    assert_eq!(code(&answer), "BAD_USER_INPUT");
    assert!(message(&answer).contains("batches[1].times[1]"), "{answer}");
    assert_nothing_written(&app).await;
}

async fn too_much_at_once_is_refused(app: TestApp) {
    let body = json!({ "query": INGEST, "variables": { "padding": "x".repeat(10 << 20) } });
    let response = app.post(&app.prod, body.to_string()).send().await.unwrap();
    assert_eq!(response.status(), 413);
    let answer = json_of(response).await;
    assert_eq!(code(&answer), "BAD_USER_INPUT");
    assert!(message(&answer).contains("in several calls"), "{answer}");

    let padding = json!({ "padding": "x".repeat(2 << 20) });
    for query in ["{ serverTime }", "mutation { ping: __typename }"] {
        let body = json!({ "query": query, "variables": padding }).to_string();
        let response = app.post(&app.prod, body).send().await.unwrap();
        assert_eq!(response.status(), 413, "{query}");
        let answer = json_of(response).await;
        assert!(message(&answer).contains("only `ingest`"), "{answer}");
    }

    let many: Vec<_> = (0..=10_000)
        .map(|i| batch(&format!("a{i}"), &[(1, 1.0)]))
        .collect();
    let answer = app.try_ingest(&app.prod, PROD, json!(many)).await;
    assert_eq!(code(&answer), "BAD_USER_INPUT");
    assert!(message(&answer).contains("in several calls"), "{answer}");
    assert_nothing_written(&app).await;
}

async fn bad_ranges_and_pages_are_refused_in_words(app: TestApp) {
    app.ingest(&app.prod, PROD, "a", &[(1, 1.0)]).await;
    for (field, words) in [
        (
            "points(range: { from: 2, to: 1 }) { nodes { value } }",
            "swap",
        ),
        (
            "points(range: { from: 0, to: 1 }, first: 1001) { nodes { value } }",
            "0 to 1000",
        ),
        (
            "points(range: { from: 0, to: 1 }, first: -1) { nodes { value } }",
            "0 to 1000",
        ),
        (
            "points(range: { from: 0, to: 1 }, after: \"x\") { nodes { value } }",
            "no cursor",
        ),
        (
            "samples(range: { from: 0, to: 1 }, maxPoints: 3) { times }",
            "maxPoints",
        ),
        (
            "samples(range: { from: 0, to: 1 }, maxPoints: -1) { times }",
            "maxPoints",
        ),
        (
            "windows(range: { from: 0, to: 9 }, every: \"1 fortnight\") { starts }",
            "is no duration",
        ),
        (
            "windows(range: { from: 0, to: 9 }, every: \"1m\", timeZone: \"Mars\") { starts }",
            "IANA",
        ),
        (
            "windows(range: { from: 0, to: 9000000000000 }, every: \"1s\") { starts }",
            "10",
        ),
    ] {
        let query = format!(
            r#"{{ tenant(slug: "mcce-g1-prod") {{ series(first: 1) {{ nodes {{ {field} }} }} }} }}"#
        );
        let answer = app.ask(&app.prod, &query, json!({})).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT", "{field}");
        assert!(message(&answer).contains(words), "{field}: {answer}");
    }
}

async fn costly_queries_are_refused(app: TestApp) {
    let deep = format!(
        "{{ __schema {{ types {{ fields {{ type {{ {}name{} }} }} }} }} }}",
        "ofType { ".repeat(20),
        " }".repeat(20)
    );
    let wide = r#"{ tenant(slug: "mcce-g1-prod") { series(first: 500) { nodes {
        points(range: { from: 0, to: 1 }, first: 1000) { nodes { value } } } } } }"#;
    let directed = format!("{{ serverTime {} }}", "@include(if: true) ".repeat(9));
    for query in [&deep, wide, &directed] {
        let answer = app.ask(&app.prod, query, json!({})).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "QUERY_TOO_COSTLY",
            "{answer}"
        );
        assert!(answer["data"].is_null());
    }
}

async fn faults_of_the_inside_stay_inside(app: TestApp) {
    app.ingest(&app.prod, PROD, "a", &[(1, 1.0)]).await;
    let damage = "UPDATE batch SET payload = body_hash";
    app.database.execute(damage).await;
    let query = r#"{ tenant(slug: "mcce-g1-prod") { series { nodes {
        samples(range: { from: 0, to: 9 }) { times } } } } }"#;
    let answer = app.ask(&app.prod, query, json!({})).await;
    assert_eq!(code(&answer), "INTERNAL");
    let trace = answer["errors"][0]["extensions"]["traceId"].as_str();
    let trace = trace.unwrap_or_else(|| panic!("no trace id: {answer}"));
    assert_eq!(
        message(&answer),
        format!("the server failed; tell its administrator the trace id {trace}")
    );
    app.database.execute("DROP TABLE batch").await;
    let answer = app
        .try_ingest(&app.prod, PROD, json!([batch("a", &[(1, 1.0)])]))
        .await;
    assert_eq!(code(&answer), "INTERNAL");
    let text = answer.to_string();
    for inside in ["batch", "SELECT", "INSERT", "relation", "sqlx"] {
        assert!(!text.contains(inside), "{text}");
    }
}
