//! Slots that come due: late, missed, and in pages.

use super::*;

on_both! {
    slots_without_a_run_are_late_and_then_missed,
    runs_come_in_pages_without_a_hole,
    old_runs_go_and_were_not_missed,
}

/// A producer that is due each second, since so many seconds ago.
pub(super) async fn secondly(app: &TestApp, name: &str, grace: &str, ago: i64) -> i64 {
    let more = json!({ "schedule": "* * * * * *", "grace": grace });
    good(try_set(app, &app.prod, PROD, name, more).await);
    let since = (now() / SECOND - ago) * SECOND;
    let sql = format!("UPDATE producer SET since = {since} WHERE name = '{name}'");
    app.database.execute(&sql).await;
    since
}

async fn slots_without_a_run_are_late_and_then_missed(app: TestApp) {
    let since = secondly(&app, "clock", "10s", 30).await;
    let (begun, odd) = (since + 2 * SECOND, since + 3 * SECOND + 5);
    good(start(&app, &app.prod, PROD, "clock", json!(begun)).await);
    good(start(&app, &app.prod, PROD, "clock", json!(odd)).await);
    let before = now();
    let page = runs(&app, &app.prod, [0, i64::MAX / 2], 500, json!(null)).await;
    let after = now();
    let runs = page["nodes"].as_array().unwrap();
    let slots: Vec<i64> = runs.iter().map(|run| micros(&run["slot"])).collect();
    assert!(slots.is_sorted_by(|a, b| a > b), "{slots:?}");
    assert_eq!(slots.last(), Some(&since));
    // Each second from the first to the last that is late, and the one between.
    let count = (slots[0] - since) / SECOND + 2;
    assert_eq!(slots.len(), usize::try_from(count).unwrap());
    assert!((before - 10 * SECOND - SECOND..=after - 10 * SECOND).contains(&slots[0]));
    let mut seen = BTreeMap::new();
    for run in runs {
        let (slot, state) = (micros(&run["slot"]), run["state"].as_str().unwrap());
        match state {
            "RUNNING" => assert!([begun, odd].contains(&slot)),
            "LATE" => assert!(slot > before - 20 * SECOND && run["startedAt"].is_null()),
            "MISSED" => assert!(slot <= after - 20 * SECOND && run["startedAt"].is_null()),
            other => panic!("{other}"),
        }
        *seen.entry(state).or_insert(0) += 1;
    }
    assert!(
        seen["RUNNING"] == 2 && seen["LATE"] >= 9 && seen["MISSED"] >= 8,
        "{seen:?}"
    );
    // By its id, one that has not begun is there only where it was expected.
    let node = "query ($id: ID!) { node(id: $id) { ... on Run { slot state } } }";
    for (slot, state) in [
        (since, json!("MISSED")),
        (begun, json!("RUNNING")),
        (odd, json!("RUNNING")),
        (since - SECOND, Value::Null),
        (since + 5, Value::Null),
        (now() / SECOND * SECOND, Value::Null),
        (i64::MAX, Value::Null),
        (i64::MIN, Value::Null),
    ] {
        let id = seal(["run", PROD, "1", &slot.to_string()]);
        let data = app.data(&app.prod, node, json!({ "id": id })).await;
        assert_eq!(data["node"]["state"], state, "{slot}");
    }
}

async fn runs_come_in_pages_without_a_hole(app: TestApp) {
    let since = secondly(&app, "clock", "1s", 40).await;
    for place in [0, 3, 4, 5, 17] {
        good(
            start(
                &app,
                &app.prod,
                PROD,
                "clock",
                json!(since + place * SECOND),
            )
            .await,
        );
    }
    let range = [since, since + 30 * SECOND];
    let whole = runs(&app, &app.prod, range, 50, json!(null)).await;
    assert_eq!(whole["nodes"].as_array().map(Vec::len), Some(30));
    for first in [1, 4, 29, 30] {
        let (mut paged, mut after) = (Vec::new(), json!(null));
        loop {
            let page = runs(&app, &app.prod, range, first, after.clone()).await;
            assert_eq!(page["pageInfo"]["hasPreviousPage"], json!(!after.is_null()));
            paged.extend(page["nodes"].as_array().unwrap().clone());
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == json!(false) {
                break;
            }
        }
        assert_eq!(json!(paged), whole["nodes"], "{first}");
    }
    let nothing = runs(&app, &app.prod, range, 0, json!(null)).await;
    assert_eq!(nothing["nodes"], json!([]));
    assert_eq!(nothing["pageInfo"]["hasNextPage"], true);
    let behind = runs(&app, &app.prod, [0, since], 50, json!(null)).await;
    assert_eq!(behind["nodes"], json!([]));
}

async fn old_runs_go_and_were_not_missed(app: TestApp) {
    let since = secondly(&app, "clock", "1s", 5_000).await;
    // Each but every tenth second has run.
    app.database
        .execute(&format!(
            "WITH RECURSIVE more (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM more WHERE n < 1999)
            INSERT INTO run (tenant_id, producer_id, slot, seq, started_at, finished_at, points)
            SELECT p.tenant_id, p.id, p.since + n * {SECOND}, -n, 0, 1, 1 FROM producer p, more WHERE n % 10 > 0"
        ))
        .await;
    for change in 0..64 {
        let outcome = json!({ "points": change });
        good(
            finish(
                &app,
                &app.prod,
                PROD,
                "clock",
                since + 1_999 * SECOND,
                outcome,
            )
            .await,
        );
        let kept: Vec<i64> = app.database.read("SELECT count(*) FROM run").await;
        assert_eq!(kept, [if change < 63 { 1_800 } else { 1_000 }], "{change}");
    }
    let oldest: Vec<i64> = app.database.read("SELECT min(slot) FROM run").await;
    let page = runs(
        &app,
        &app.prod,
        [0, oldest[0] + 10 * SECOND],
        50,
        json!(null),
    )
    .await;
    let states: Vec<&Value> = page["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["state"])
        .collect();
    assert_eq!(states.len(), 10);
    assert_eq!(states.iter().filter(|state| **state == "MISSED").count(), 1);
}
