//! Each fence with the other one taken away.

use sea_orm::{ConnectionTrait, DatabaseConnection, TransactionTrait};
use serde_json::json;
use sundial::guard::{Pool, system};

use crate::{
    app::{FOREIGN, PROD, TEST, TestApp},
    database::{Kind, connect, read},
    socket::{START, Socket},
};

/// Every table that names a tenant, as the database's own catalogue has it.
const TABLES: &str = "SELECT table_name::text FROM information_schema.columns
    WHERE column_name = 'tenant_id' AND table_schema = 'public' ORDER BY 1";

on_both! {
    filter_alone_shows_no_foreign_row,
}

/// A server on PostgreSQL with rows of each tenant in every table.
async fn filled(kind: Kind) -> TestApp {
    let app = TestApp::start(kind).await;
    for (value, (token, tenant)) in [
        (&app.prod, PROD),
        (&app.test, TEST),
        (&app.foreign, FOREIGN),
    ]
    .into_iter()
    .enumerate()
    {
        app.ingest(token, tenant, "a", &[(1, value as f64)]).await;
    }
    app
}

async fn tables(app: &TestApp) -> Vec<String> {
    let tables: Vec<String> = app.database.read(TABLES).await;
    let expected = [
        "access_rule",
        "batch",
        "ingest_token",
        "series",
        "tenant_counter",
    ];
    for table in expected {
        assert!(tables.iter().any(|known| known == table), "{table}");
    }
    tables
}

async fn tenant_ids(app: &TestApp) -> Vec<i32> {
    let ids = app.database.read("SELECT id FROM tenant ORDER BY id").await;
    assert_eq!(ids.len(), 3);
    ids
}

/// The words by which the database refuses `sql` in a transaction of the tenant numbered `tenant`.
async fn refusal(connection: &DatabaseConnection, tenant: i32, sql: &str) -> String {
    let transaction = connection.begin().await.unwrap();
    let bind = format!("SET LOCAL app.tenant = '{tenant}'");
    transaction.execute_unprepared(&bind).await.unwrap();
    let refused = transaction.execute_unprepared(sql).await;
    transaction.rollback().await.unwrap();
    match refused {
        Err(error) => error.to_string(),
        Ok(done) => panic!("{sql}: {} rows", done.rows_affected()),
    }
}

#[tokio::test]
async fn row_level_security_alone_shows_only_the_bound_tenant() {
    let app = filled(Kind::Postgres).await;
    let connection = connect(&app.database.url).await;
    for table in tables(&app).await {
        let all = format!("SELECT tenant_id FROM {table} ORDER BY 1");
        assert!(read::<i32>(&connection, &all).await.is_empty(), "{table}");
        for id in tenant_ids(&app).await {
            let transaction = connection.begin().await.unwrap();
            let bind = format!("SET LOCAL app.tenant = '{id}'");
            transaction.execute_unprepared(&bind).await.unwrap();
            let seen: Vec<i32> = read(&transaction, &all).await;
            assert!(!seen.is_empty(), "{table}");
            assert!(seen.iter().all(|row| *row == id), "{table}: {seen:?}");
            transaction.commit().await.unwrap();
        }
        // What bound the last transaction does not bind the connection.
        assert!(read::<i32>(&connection, &all).await.is_empty(), "{table}");
    }
}

#[tokio::test]
async fn row_level_security_alone_refuses_foreign_writes() {
    let app = filled(Kind::Postgres).await;
    let connection = connect(&app.database.url).await;
    let ids = tenant_ids(&app).await;
    let (own, foreign) = (ids[0], ids[2]);
    for table in tables(&app).await {
        let copy = format!(
            "INSERT INTO {table} SELECT (jsonb_populate_record(row, '{{\"tenant_id\": {foreign}}}')).* \
             FROM {table} AS row LIMIT 1"
        );
        let give = format!("UPDATE {table} SET tenant_id = {foreign}");
        for sql in [copy, give] {
            let words = refusal(&connection, own, &sql).await;
            assert!(words.contains("row-level security"), "{sql}: {words}");
        }
        let before: Vec<i64> = app
            .database
            .read(&format!("SELECT count(*) FROM {table}"))
            .await;
        let transaction = connection.begin().await.unwrap();
        let bind = format!("SET LOCAL app.tenant = '{own}'");
        transaction.execute_unprepared(&bind).await.unwrap();
        for sql in [
            format!("UPDATE {table} SET tenant_id = {own} WHERE tenant_id = {foreign}"),
            format!("DELETE FROM {table} WHERE tenant_id <> {own}"),
        ] {
            let done = transaction.execute_unprepared(&sql).await.unwrap();
            assert_eq!(done.rows_affected(), 0, "{sql}");
        }
        transaction.commit().await.unwrap();
        let after: Vec<i64> = app
            .database
            .read(&format!("SELECT count(*) FROM {table}"))
            .await;
        assert_eq!(before, after, "{table}");
    }
}

#[tokio::test]
async fn every_table_of_a_tenant_is_fenced_by_force() {
    let app = TestApp::start(Kind::Postgres).await;
    for table in tables(&app).await {
        let sql = format!(
            "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = '{table}'::regclass"
        );
        assert_eq!(app.database.read::<bool>(&sql).await, [true], "{table}");
    }
}

#[tokio::test]
async fn application_role_can_not_lift_the_fence() {
    let app = filled(Kind::Postgres).await;
    let connection = connect(&app.database.url).await;
    let own = tenant_ids(&app).await[0];
    for table in tables(&app).await {
        for sql in [
            format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"),
            format!("DROP POLICY tenant_fence ON {table}"),
            format!("SET LOCAL row_security = off; SELECT * FROM {table}"),
            format!("TRUNCATE {table}"),
        ] {
            refusal(&connection, own, &sql).await;
        }
    }
    refusal(&connection, own, "SET ROLE postgres").await;
    refusal(&connection, own, "CREATE TABLE public.mine (tenant_id int)").await;
}

#[tokio::test]
async fn faults_of_the_fence_are_found() {
    let app = TestApp::start(Kind::Postgres).await;
    assert_eq!(
        system::fence_faults(&app.pool).await.unwrap(),
        Vec::<String>::new()
    );
    let faults = async |url: &str| {
        let pool = Pool::open(&url.to_owned().into(), 2).await.unwrap();
        let faults = system::fence_faults(&pool).await.unwrap().join("\n");
        pool.close().await;
        faults
    };
    let owner = faults(&app.database.owner).await;
    assert!(owner.contains("owns table batch"), "{owner}");
    let superuser = faults(&app.database.superuser).await;
    assert!(superuser.contains("not bound"), "{superuser}");
    let lift = "ALTER TABLE batch NO FORCE ROW LEVEL SECURITY";
    app.database.execute(lift).await;
    let lifted = faults(&app.database.url).await;
    assert!(
        lifted.contains("table batch has no row-level security"),
        "{lifted}"
    );
}

async fn filter_alone_shows_no_foreign_row(app: TestApp) {
    if app.database.kind == Kind::Postgres {
        for table in tables(&app).await {
            let lift = format!(
                "ALTER TABLE {table} DISABLE ROW LEVEL SECURITY; ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY"
            );
            app.database.execute(&lift).await;
            let open = connect(&app.database.url).await;
            let count = format!("SELECT count(DISTINCT tenant_id) FROM {table}");
            let seen: Vec<i64> = read(&open, &count).await;
            assert!(
                table == "batch" || table == "series" || seen == [3],
                "{table}"
            );
        }
    }
    let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
    let of_each = [
        (&app.prod, PROD, 1.0),
        (&app.test, TEST, 2.0),
        (&app.foreign, FOREIGN, 3.0),
    ];
    // The same names, times and places in each tenant: only the tenant tells them apart.
    for round in 1..3 {
        for (token, tenant, value) in of_each {
            app.ingest(token, tenant, "a", &[(round, value)]).await;
        }
    }
    let query = r#"query ($tenant: String!) { tenants { nodes { slug } } tenant(slug: $tenant) { id lastPointAt
        series { nodes { id key latest { value } points(range: { from: 0, to: 9 }) { nodes { value } }
        windows(range: { from: 0, to: 9 }, every: "1s") { count sum } } } } }"#;
    let node = "query ($id: ID!) { node(id: $id) { id } }";
    let mut ids = Vec::new();
    for (token, tenant, value) in of_each {
        let read = app.points(token, tenant).await;
        assert_eq!(read, [("a".to_owned(), vec![(1, value), (2, value)])]);
        let data = app.data(token, query, json!({ "tenant": tenant })).await;
        assert_eq!(data["tenants"]["nodes"], json!([{ "slug": tenant }]));
        let series = &data["tenant"]["series"]["nodes"];
        assert_eq!(series.as_array().map(Vec::len), Some(1));
        assert_eq!(series[0]["latest"]["value"], value);
        assert_eq!(
            series[0]["windows"],
            json!({ "count": [2], "sum": [2.0 * value] })
        );
        ids.push((data["tenant"]["id"].clone(), series[0]["id"].clone()));
        for (_, other, _) in of_each {
            let data = app.data(token, query, json!({ "tenant": other })).await;
            assert_eq!(data["tenant"].is_null(), other != tenant);
        }
    }
    for (place, (token, _, _)) in of_each.into_iter().enumerate() {
        for (other, (tenant, series)) in ids.iter().enumerate() {
            for id in [tenant, series] {
                let data = app.data(token, node, json!({ "id": id })).await;
                assert_eq!(data["node"].is_null(), place != other);
            }
        }
    }
    for (login, count) in [("admin", 2), ("viewer", 1), ("stranger", 0)] {
        let tenants = "{ tenants { nodes { slug } } }";
        let data = app.data(&app.person(login), tenants, json!({})).await;
        let open = data["tenants"]["nodes"].as_array().map(Vec::len);
        assert_eq!(open, Some(count), "{login}");
    }
    // From the beginning of the tenant's order: its own, and nobody else's.
    socket.follow("1", PROD, &["*"], json!(START)).await;
    let (_, added) = socket.event().await;
    assert_eq!(added, [("a".to_owned(), vec![(1, 1.0), (2, 1.0)])]);
}
