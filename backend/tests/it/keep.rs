//! How long points are kept, what is deleted of them, and how much there is.

use std::time::Duration;

use serde_json::{Value, json};
use sundial::{
    guard::{Pool, system, table::audit_event::Action},
    point::store::compact,
    request::now,
};

use crate::{
    app::{INGEST, PROD, TEST, TestApp, batch, code, message},
    socket::{START, Socket},
};

on_both! {
    deleted_points_stay_deleted,
    what_is_past_its_retention_is_neither_read_nor_taken,
    usage_counts_what_is_stored,
    tenant_stores_up_to_its_quota,
    refused_call_leaves_no_series_whatever_it_is_committed_with,
    retention_waits_for_who_compacts,
    series_that_end_together_expire_together,
    subscriber_goes_on_for_an_hour_and_not_behind_a_deletion,
    administrators_alone_delete_and_each_deletion_is_told,
}

const DAY: i64 = 86_400_000_000;

const DELETE: &str = "mutation ($tenant: String!, $series: [String!]!, $from: Timestamp!, $to: Timestamp!, $dry: Boolean) {
    deletePoints(tenant: $tenant, series: $series, range: { from: $from, to: $to }, dryRun: $dry) { points bytes series } }";

async fn delete(
    app: &TestApp,
    asker: &str,
    series: &[&str],
    from: i64,
    to: i64,
    dry: bool,
) -> Value {
    let variables = json!({ "tenant": PROD, "series": series, "from": from, "to": to, "dry": dry });
    app.ask(asker, DELETE, variables).await
}

async fn keep(app: &TestApp, asker: &str, days: Option<i32>, dry: bool) -> Value {
    let query = "mutation ($tenant: String!, $days: Int, $dry: Boolean!) {
        setRetention(tenant: $tenant, days: $days, dryRun: $dry) { points bytes series } }";
    let variables = json!({ "tenant": PROD, "days": days, "dry": dry });
    app.ask(asker, query, variables).await
}

async fn usage(app: &TestApp, asker: &str) -> Value {
    let query = "query ($tenant: String!) { tenant(slug: $tenant) { usage { points bytes retentionDays } } }";
    let mut data = app.data(asker, query, json!({ "tenant": PROD })).await;
    data["tenant"]["usage"].take()
}

async fn deleted_points_stay_deleted(app: TestApp) {
    let admin = app.person("admin");
    let keyed = json!({ "tenant": PROD, "batches": [batch("a", &[(1, 1.0), (2, 2.0), (3, 3.0)])], "key": "k" });
    app.data(&app.prod, INGEST, keyed.clone()).await;
    app.ingest(&app.prod, PROD, "b", &[(2, 9.0)]).await;
    let told = delete(&app, &admin, &["a"], 2, 3, true).await;
    assert_eq!(told["data"]["deletePoints"]["points"], 1, "{told}");
    assert_eq!(app.points(&app.prod, PROD).await[0].1.len(), 3);
    assert_eq!(delete(&app, &admin, &["a"], 2, 3, false).await, told);
    // The same write again, by its key, is the first one: nothing returns.
    let again = app.data(&app.prod, INGEST, keyed).await;
    assert_eq!(again["ingest"]["replayed"], true);
    let left = [
        ("a".to_owned(), vec![(1, 1.0), (3, 3.0)]),
        ("b".to_owned(), vec![(2, 9.0)]),
    ];
    assert_eq!(app.points(&app.prod, PROD).await, left);
    // What is written after it is there.
    app.ingest(&app.prod, PROD, "a", &[(2, 7.0)]).await;
    assert_eq!(
        app.points(&app.prod, PROD).await[0].1,
        [(1, 1.0), (2, 7.0), (3, 3.0)]
    );
    let all = delete(&app, &admin, &["*"], 0, 7_258_118_400_000_000, false).await;
    assert_eq!(
        all["data"]["deletePoints"],
        json!({ "points": 4, "bytes": all["data"]["deletePoints"]["bytes"], "series": 2 })
    );
    assert!(
        app.points(&app.prod, PROD)
            .await
            .iter()
            .all(|(_, points)| points.is_empty())
    );
    assert_eq!(
        usage(&app, &admin).await,
        json!({ "points": 0, "bytes": 0, "retentionDays": null })
    );
    for (series, words) in [
        (vec![], "`series` holds 0 texts"),
        (vec!["a{"], "`a{` names no series"),
    ] {
        let refused = delete(&app, &admin, &series, 0, 9, false).await;
        assert_eq!(code(&refused), "BAD_USER_INPUT");
        assert!(message(&refused).contains(words), "{refused}");
    }
}

async fn what_is_past_its_retention_is_neither_read_nor_taken(app: TestApp) {
    let admin = app.person("admin");
    let now = now();
    let (old, late, new) = (now - 9 * DAY, now - 3 * DAY, now - 1_000_000);
    app.ingest(&app.prod, PROD, "a", &[(old, 1.0), (late, 2.0), (new, 3.0)])
        .await;
    app.ingest(&app.prod, PROD, "b", &[(old, 1.0)]).await;
    app.compact(PROD).await;
    let told = keep(&app, &admin, Some(5), true).await;
    assert_eq!(told["data"]["setRetention"]["points"], 2, "{told}");
    assert_eq!(app.points(&app.prod, PROD).await[0].1.len(), 3);
    assert_eq!(keep(&app, &admin, Some(5), false).await, told);
    let kept = [
        ("a".to_owned(), vec![(late, 2.0), (new, 3.0)]),
        ("b".to_owned(), vec![]),
    ];
    assert_eq!(app.points(&app.prod, PROD).await, kept);
    assert_eq!(usage(&app, &admin).await["retentionDays"], 5);
    let refused = app
        .try_ingest(
            &app.prod,
            PROD,
            json!([batch("a", &[(old, 5.0), (new, 5.0)])]),
        )
        .await;
    assert_eq!(code(&refused), "BAD_USER_INPUT");
    assert!(
        message(&refused).contains("keeps points for 5 days"),
        "{refused}"
    );
    // What is past its time by now is not read, before anybody has deleted it; and goes in the end.
    app.database
        .execute(&format!("UPDATE tenant_counter SET retention = {DAY}"))
        .await;
    let kept = [("a".to_owned(), vec![(new, 3.0)]), ("b".to_owned(), vec![])];
    assert_eq!(app.points(&app.prod, PROD).await, kept);
    app.database
        .execute(&format!("UPDATE tenant_counter SET retention = {}", 1_000))
        .await;
    let query = "query ($tenant: String!) { tenant(slug: $tenant) { lastPointAt series { nodes { latest { value } } } } }";
    let data = app.data(&app.prod, query, json!({ "tenant": PROD })).await;
    let nothing = json!({ "lastPointAt": null, "series": { "nodes": [{ "latest": null }, { "latest": null }] } });
    assert_eq!(data["tenant"], nothing);
    app.compact(PROD).await;
    assert_eq!(usage(&app, &admin).await["points"], 0);
    let chunks: Vec<i64> = app.database.read("SELECT count(*) FROM chunk").await;
    assert_eq!(chunks, [0]);
    assert_eq!(
        code(&keep(&app, &admin, Some(0), false).await),
        "BAD_USER_INPUT"
    );
    let unsaid = r#"mutation { setRetention(tenant: "mcce-g1-prod") { points } }"#;
    let refused = app.ask(&admin, unsaid, json!({})).await;
    assert!(message(&refused).contains("`days: null` for good"));
    assert_eq!(
        keep(&app, &admin, None, false).await["data"]["setRetention"]["points"],
        0
    );
    assert_eq!(usage(&app, &admin).await["retentionDays"], Value::Null);
}

async fn series_that_end_together_expire_together(app: TestApp) {
    let at = now() - 3 * DAY;
    let batches: Vec<Value> = (0..6_000)
        .map(|place| batch(&format!("s{place}"), &[(at, 1.0)]))
        .collect();
    app.try_ingest(&app.prod, PROD, json!(batches)).await;
    app.ingest(&app.prod, PROD, "young", &[(now() - DAY, 1.0)])
        .await;
    app.compact(PROD).await;
    app.database
        .execute(&format!(
            "UPDATE tenant_counter SET retention = {}",
            2 * DAY
        ))
        .await;
    for _ in 0..2 {
        app.compact(PROD).await;
    }
    assert_eq!(usage(&app, &app.person("admin")).await["points"], 1);
    let chunks: Vec<i64> = app.database.read("SELECT count(*) FROM chunk").await;
    assert_eq!(chunks, [1]);
}

async fn usage_counts_what_is_stored(app: TestApp) {
    let admin = app.person("admin");
    assert_eq!(
        usage(&app, &admin).await,
        json!({ "points": 0, "bytes": 0, "retentionDays": null })
    );
    let key = json!({ "tenant": PROD, "batches": [batch("a", &[(1, 1.5), (2, 2.5)])], "key": "k" });
    app.data(&app.prod, INGEST, key.clone()).await;
    app.data(&app.prod, INGEST, key).await;
    let first = usage(&app, &admin).await;
    assert_eq!(first["points"], 2);
    app.ingest(&app.prod, PROD, "a", &[(2, 2.5), (3, 2.5)])
        .await;
    assert_eq!(usage(&app, &admin).await["points"], 4);
    app.compact(PROD).await;
    let compacted = usage(&app, &admin).await;
    assert_eq!(compacted["points"], 3);
    let stored: Vec<i64> = app
        .database
        .read("SELECT CAST(sum(length(payload)) AS bigint) FROM chunk")
        .await;
    assert_eq!(compacted["bytes"], stored[0]);
}

async fn tenant_stores_up_to_its_quota(app: TestApp) {
    let admin = app.person("admin");
    let quota = async |points: Option<i64>, bytes: Option<i64>| {
        let owner = Pool::open(&app.database.owner.clone().into(), 1)
            .await
            .unwrap();
        let scope = system::operate(&owner, PROD).await.unwrap();
        system::set_quota(&scope, points, bytes).await.unwrap();
        scope.commit().await.unwrap();
        owner.close().await;
    };
    let write = async |series: &str, points: &[(i64, f64)]| {
        app.try_ingest(&app.prod, PROD, json!([batch(series, points)]))
            .await
    };
    quota(Some(3), None).await;
    assert_eq!(
        write("a", &[(1, 1.0), (2, 2.0)]).await["data"]["ingest"]["points"],
        2
    );
    let refused = write("b", &[(1, 1.0), (2, 2.0)]).await;
    assert_eq!(code(&refused), "QUOTA_EXCEEDED");
    assert!(
        message(&refused).starts_with(
            "mcce-g1-prod stores 2 points and can't take 2, for its quota is 3: delete"
        ),
        "{refused}"
    );
    // Nothing of it is there.
    assert_eq!(usage(&app, &admin).await["points"], 2);
    assert_eq!(app.points(&app.prod, PROD).await.len(), 1);
    assert_eq!(write("a", &[(3, 1.0)]).await["data"]["ingest"]["points"], 1);
    delete(&app, &admin, &["*"], 0, 2, false).await;
    assert_eq!(write("a", &[(4, 1.0)]).await["data"]["ingest"]["points"], 1);
    quota(None, Some(10)).await;
    assert_eq!(code(&write("a", &[(5, 1.0)]).await), "QUOTA_EXCEEDED");
    // Another tenant has its own.
    app.ingest(&app.test, TEST, "a", &[(1, 1.0)]).await;
    quota(None, None).await;
    assert_eq!(write("a", &[(5, 1.0)]).await["data"]["ingest"]["points"], 1);
}

async fn refused_call_leaves_no_series_whatever_it_is_committed_with(app: TestApp) {
    let admin = app.person("admin");
    keep(&app, &admin, Some(5), false).await;
    let now = now();
    app.ingest(&app.prod, PROD, "a", &[(now, 0.0)]).await;
    let call = async |number: i64| {
        // Every other one is too old, and names a series that is not there.
        let (series, time) = match number % 2 {
            0 => ("a".to_owned(), now + number),
            _ => (format!("b{number}"), now - 9 * DAY),
        };
        let answer = app.try_ingest(&app.prod, PROD, json!([batch(&series, &[(time, 1.0)])]));
        answer.await.get("errors").is_none()
    };
    let taken = futures::future::join_all((0..60).map(call)).await;
    assert_eq!(taken.iter().filter(|taken| **taken).count(), 30);
    let there = app.points(&app.prod, PROD).await;
    assert_eq!(there.len(), 1, "{there:?}");
    assert_eq!(there[0].1.len(), 30);
}

async fn retention_waits_for_who_compacts(app: TestApp) {
    let admin = app.person("admin");
    let compacting = app.operate(PROD).await;
    compacting.alone().await.unwrap();
    let ends = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        // As a compaction does last, it counts.
        let counted = compacting
            .audit(Action::TenantSet, "tenant", "counted", now())
            .await;
        counted.unwrap();
        compacting.commit().await.unwrap();
    };
    let (kept, ()) = tokio::join!(keep(&app, &admin, Some(5), false), ends);
    assert_eq!(kept["data"]["setRetention"]["points"], 0, "{kept}");
}

async fn subscriber_goes_on_for_an_hour_and_not_behind_a_deletion(app: TestApp) {
    let admin = app.person("admin");
    let follow = async |after: Value| {
        let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
        socket.follow("1", PROD, &["*"], after).await;
        socket
    };
    let refusal = async |after: Value| {
        let message = follow(after).await.next().await;
        assert_eq!(
            message["payload"][0]["extensions"]["code"], "BAD_USER_INPUT",
            "{message}"
        );
    };
    let added = |series: &str, points: &[(i64, f64)]| vec![(series.to_owned(), points.to_vec())];
    app.ingest(&app.prod, PROD, "a", &[(1, 1.0)]).await;
    app.compact(PROD).await;
    // Compacted is not forgotten.
    let (cursor, points) = follow(json!(START)).await.event().await;
    assert_eq!(points, added("a", &[(1, 1.0)]));
    let later = now() + compact::LOG;
    compact(app.operate(PROD).await, later).await.unwrap();
    refusal(json!(START)).await;
    app.ingest(&app.prod, PROD, "a", &[(2, 2.0), (3, 3.0)])
        .await;
    let mut kept_up = follow(cursor.clone()).await;
    assert_eq!(kept_up.event().await.1, added("a", &[(2, 2.0), (3, 3.0)]));
    delete(&app, &admin, &["a"], 2, 3, false).await;
    refusal(cursor).await;
    app.ingest(&app.prod, PROD, "a", &[(4, 4.0)]).await;
    assert_eq!(kept_up.event().await.1, added("a", &[(4, 4.0)]));
}

async fn administrators_alone_delete_and_each_deletion_is_told(app: TestApp) {
    app.ingest(&app.prod, PROD, "a", &[(1, 1.0), (2, 2.0)])
        .await;
    for asker in [app.prod.clone(), app.person("viewer")] {
        assert_eq!(
            code(&delete(&app, &asker, &["a"], 0, 9, false).await),
            "FORBIDDEN"
        );
        assert_eq!(code(&keep(&app, &asker, Some(1), false).await), "FORBIDDEN");
    }
    assert_eq!(app.points(&app.prod, PROD).await[0].1.len(), 2);
    let admin = app.person("admin");
    delete(&app, &admin, &["a"], 0, 2, false).await;
    delete(&app, &admin, &["a"], 0, 9, true).await;
    keep(&app, &admin, Some(30), false).await;
    let query = "query ($tenant: String!) { tenant(slug: $tenant) { auditEvents(first: 2) { nodes {
        action actor subject detail } } } }";
    let data = app.data(&admin, query, json!({ "tenant": PROD })).await;
    let events = &data["tenant"]["auditEvents"]["nodes"];
    let told =
        |place: usize, field: &str| events[place][field].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (told(0, "action"), told(1, "action")),
        ("RETENTION_SET".into(), "POINTS_DELETED".into())
    );
    assert!(
        told(0, "detail").starts_with("for 30 days; 1 points"),
        "{events}"
    );
    assert_eq!(told(1, "subject"), "series a");
    assert!(told(1, "detail").starts_with("1 points, "), "{events}");
    assert_eq!(told(1, "actor"), "admin");
}
