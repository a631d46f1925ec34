//! What is asked often is found by an index, however much there is: PostgreSQL counts how it reads its tables.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use crate::{
    app::{INGEST, PROD, TestApp, batch},
    database::Kind,
};

/// Chunks of each of as many series, and batches that are compacted.
const MANY: i64 = 150;

#[tokio::test]
async fn hot_queries_read_no_table_from_front_to_back() {
    let app = TestApp::start(Kind::Postgres).await;
    for series in 0..MANY {
        app.ingest(&app.prod, PROD, &format!("s{series}"), &[(series, 1.0)])
            .await;
    }
    app.compact(PROD).await;
    // As many chunks and batches more, of these and of other tenants, that nobody decodes.
    let fill = format!(
        "INSERT INTO chunk SELECT c.tenant_id, c.series_id, 1000000 * n, 1000000 * n + 999999, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, '' \
         FROM chunk c, generate_series(1, {MANY}) n; \
         INSERT INTO batch SELECT tenant_id, seq - 10000 * n, NULL, body_hash, 1, 1, 1, 1, 1, '' \
         FROM batch, generate_series(1, {MANY}) n; \
         INSERT INTO series SELECT id + 1000, n, 'x' || n, NULL, 1 FROM tenant, generate_series(1, 5000) n; \
         ANALYZE"
    );
    app.database.execute(&fill).await;
    let before = scans(&app).await;
    for round in 0..2 {
        let key = json!({
            "tenant": PROD, "batches": [batch("s1", &[(5, 1.0)])], "key": format!("key {round}"),
        });
        app.data(&app.prod, INGEST, key).await;
        let query = r#"query ($tenant: String!) { tenant(slug: $tenant) {
            lastPointAt usage { points }
            series(match: "s1", first: 1) { nodes {
                samples(range: { from: 0, to: 900000 }) { values }
                points(range: { from: 0, to: 900000 }, first: 5) { nodes { value } }
                windows(range: { from: 0, to: 900000 }, every: "1s") { count }
                gaps(range: { from: 0, to: 900000 }, longerThan: "1s", first: 5) { from } } }
            latest: series(first: 100) { nodes { latest { value } } } } }"#;
        app.data(&app.prod, query, json!({ "tenant": PROD })).await;
        // What a session has counted it tells once a second, when it has something to do.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        app.data(&app.prod, query, json!({ "tenant": PROD })).await;
    }
    let after = scans(&app).await;
    for table in ["batch", "chunk", "series"] {
        let (one, other) = (before[table], after[table]);
        assert_eq!(one.0, other.0, "{table} was read from front to back");
        assert!(
            one.1 + 2 <= other.1,
            "{table} was not read by an index: {other:?}"
        );
    }
}

/// How often each table was read from front to back, and by an index.
async fn scans(app: &TestApp) -> BTreeMap<String, (i64, i64)> {
    tokio::time::sleep(Duration::from_millis(200)).await;
    let read = |column: &str| {
        format!(
            "SELECT relname || ' ' || {column} FROM pg_stat_user_tables WHERE schemaname = 'public'"
        )
    };
    let split = |row: String| {
        let (table, count) = row.rsplit_once(' ').unwrap();
        (table.to_owned(), count.parse().unwrap())
    };
    let rows = async |column: &str| -> BTreeMap<String, i64> {
        let rows: Vec<String> = app.database.read(&read(column)).await;
        rows.into_iter().map(split).collect()
    };
    let (whole, index) = (rows("seq_scan").await, rows("idx_scan").await);
    let both = |(table, whole): (String, i64)| {
        let index = index.get(&table).copied().unwrap_or_default();
        (table, (whole, index))
    };
    whole.into_iter().map(both).collect()
}
