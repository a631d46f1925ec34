//! What a write does, and what it does not.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    app::{INGEST, PROD, TEST, TestApp, batch, code, message},
    database::Kind,
};

on_both! {
    last_write_at_the_same_time_wins,
    replayed_write_gives_the_first_receipt_and_changes_nothing,
    same_key_with_other_points_is_a_conflict,
    same_key_in_another_tenant_is_another_key,
    same_key_at_once_writes_once,
    writes_at_once_are_all_there,
    cancelled_requests_lose_no_acknowledged_point,
}

async fn keyed(app: &TestApp, token: &str, tenant: &str, key: &str, batches: Value) -> Value {
    let variables = json!({ "tenant": tenant, "batches": batches, "key": key });
    app.ask(token, INGEST, variables).await
}

async fn last_write_at_the_same_time_wins(app: TestApp) {
    app.ingest(&app.prod, PROD, "a", &[(1, 1.0), (2, 2.0)])
        .await;
    app.ingest(&app.prod, PROD, "a", &[(2, 20.0), (3, 3.0)])
        .await;
    // Within one call too, also where the series stands there twice.
    let batches = json!([
        batch("a", &[(3, 30.0), (4, 4.0), (4, 5.0)]),
        batch("a", &[(3, 31.0)])
    ]);
    let answer = app.try_ingest(&app.prod, PROD, batches).await;
    assert_eq!(answer["data"]["ingest"]["series"], 1);
    let expected = vec![(1, 1.0), (2, 20.0), (3, 31.0), (4, 5.0)];
    assert_eq!(
        app.points(&app.prod, PROD).await,
        [("a".to_owned(), expected)]
    );
}

async fn replayed_write_gives_the_first_receipt_and_changes_nothing(app: TestApp) {
    let body = json!([batch("a", &[(1, 1.0), (2, 2.0)])]);
    let first = keyed(&app, &app.prod, PROD, "k", body.clone()).await;
    app.ingest(&app.prod, PROD, "a", &[(1, 100.0)]).await;
    // The same points in another order are the same write.
    for body in [body, json!([batch("a", &[(2, 2.0), (1, 1.0)])])] {
        let mut again = keyed(&app, &app.prod, PROD, "k", body).await;
        assert_eq!(again["data"]["ingest"]["replayed"], true);
        again["data"]["ingest"]["replayed"] = json!(false);
        assert_eq!(again, first);
    }
    let expected = vec![(1, 100.0), (2, 2.0)];
    assert_eq!(
        app.points(&app.prod, PROD).await,
        [("a".to_owned(), expected)]
    );
    let batches: Vec<i64> = app.database.read("SELECT count(*) FROM batch").await;
    assert_eq!(batches, [2]);
}

async fn same_key_with_other_points_is_a_conflict(app: TestApp) {
    let first = keyed(&app, &app.prod, PROD, "k", json!([batch("a", &[(1, 1.0)])])).await;
    assert!(first.get("errors").is_none(), "{first}");
    for other in [
        batch("a", &[(1, 1.5)]),
        batch("b", &[(1, 1.0)]),
        batch("a", &[(1, 1.0), (2, 2.0)]),
    ] {
        let answer = keyed(&app, &app.prod, PROD, "k", json!([other])).await;
        assert_eq!(code(&answer), "CONFLICT");
        assert!(message(&answer).contains("use a new key"), "{answer}");
    }
    let expected = vec![("a".to_owned(), vec![(1, 1.0)])];
    assert_eq!(app.points(&app.prod, PROD).await, expected);
}

async fn same_key_in_another_tenant_is_another_key(app: TestApp) {
    let prod = keyed(&app, &app.prod, PROD, "k", json!([batch("a", &[(1, 1.0)])])).await;
    let test = keyed(&app, &app.test, TEST, "k", json!([batch("b", &[(2, 2.0)])])).await;
    assert_eq!(prod["data"]["ingest"]["replayed"], false);
    assert_eq!(test["data"]["ingest"]["replayed"], false);
}

async fn same_key_at_once_writes_once(app: TestApp) {
    let body = json!([batch("a", &[(1, 1.0)])]);
    let calls = (0..12).map(|_| keyed(&app, &app.prod, PROD, "k", body.clone()));
    let answers = futures::future::join_all(calls).await;
    let first: Vec<_> = answers
        .iter()
        .filter(|answer| answer["data"]["ingest"]["replayed"] == false)
        .collect();
    assert_eq!(first.len(), 1, "{answers:?}");
    let id = &first[0]["data"]["ingest"]["id"];
    assert!(
        answers
            .iter()
            .all(|answer| answer["data"]["ingest"]["id"] == *id)
    );
}

async fn writes_at_once_are_all_there(app: TestApp) {
    let (app, names) = (&app, ["a", "b"]);
    let calls = (0..40_i64).map(|i| async move {
        // Both series are new to all of them.
        let series = names[usize::try_from(i % 2).unwrap()];
        app.ingest(&app.prod, PROD, series, &[(i, i as f64)]).await
    });
    futures::future::join_all(calls).await;
    let read = app.points(&app.prod, PROD).await;
    assert_eq!(read.len(), 2);
    for (start, (_, points)) in read.into_iter().enumerate() {
        let start = i64::try_from(start).unwrap();
        let expected: Vec<_> = (0..20)
            .map(|i| (start + 2 * i, (start + 2 * i) as f64))
            .collect();
        assert_eq!(points, expected);
    }
}

async fn cancelled_requests_lose_no_acknowledged_point(app: TestApp) {
    let query = r#"{ tenant(slug: "mcce-g1-prod") { series { nodes { latest { value } } } } }"#;
    let mut acknowledged = Vec::new();
    for i in 0..150_i64 {
        // Clients that go away at any moment, while they read and while they write.
        let patience = Duration::from_micros(rand::random_range(0..3_000));
        let points = [(i, 0.0)];
        let write = app.ingest(&app.prod, PROD, "b", &points);
        drop(tokio::time::timeout(patience, write).await);
        let read = app.data(&app.prod, query, json!({}));
        drop(tokio::time::timeout(patience, read).await);
        if i % 3 == 0 {
            app.ingest(&app.prod, PROD, "a", &[(i, i as f64)]).await;
            acknowledged.push((i, i as f64));
        }
    }
    let read = app.points(&app.prod, PROD).await;
    assert_eq!(read[0], ("a".to_owned(), acknowledged));
    let kept: Vec<i64> = app.database.read("SELECT count(*) FROM batch").await;
    assert!(kept[0] >= 50, "{kept:?}");
}

#[tokio::test]
async fn writers_of_two_tenants_do_not_wait_for_each_other() {
    let app = TestApp::start(Kind::Postgres).await;
    let held = app.operate(PROD).await;
    let other = tokio::time::timeout(Duration::from_secs(5), app.operate(TEST)).await;
    assert!(other.is_ok());
    drop(held);
}
