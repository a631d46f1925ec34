//! Row-level security by itself: what PostgreSQL shows and takes, whatever the server's statements are.

use sea_orm::{ConnectionTrait, DatabaseConnection, TransactionTrait};
use sundial::guard::{Pool, system};

use crate::{
    app::{FOREIGN, PROD, TEST, TestApp},
    database::{Kind, connect, read},
};

mod role;

/// Every table that names a tenant, as the database's own catalogue has it.
const TABLES: &str = "SELECT table_name::text FROM information_schema.columns
    WHERE column_name = 'tenant_id' AND table_schema = 'public' ORDER BY 1";

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
        app.compact(tenant).await;
        let run = "mutation ($tenant: String!) {
            setProducer(tenant: $tenant, name: \"clock\", schedule: \"0 0 1 1 *\") { id }
            startRun(tenant: $tenant, producer: \"clock\", slot: 5) { id } }";
        app.data(token, run, serde_json::json!({ "tenant": tenant }))
            .await;
    }
    app
}

async fn tables(app: &TestApp) -> Vec<String> {
    let tables: Vec<String> = app.database.read(TABLES).await;
    let expected = [
        "access_rule",
        "audit_event",
        "batch",
        "chunk",
        "ingest_token",
        "producer",
        "run",
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
        let words = refusal(&connection, own, &copy).await;
        assert!(words.contains("row-level security"), "{copy}: {words}");
        let give = format!("UPDATE {table} SET tenant_id = {foreign}");
        let words = refusal(&connection, own, &give).await;
        if table == "audit_event" {
            assert!(words.contains("permission denied"), "{give}: {words}");
            continue;
        }
        assert!(words.contains("row-level security"), "{give}: {words}");
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
            format!("CREATE POLICY mine ON {table} USING (true)"),
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
    assert!(owner.contains("owns tables access_rule, "), "{owner}");
    // That is told once, and not of each table and right.
    assert!(owner.lines().count() < 5, "{owner}");
    let superuser = faults(&app.database.superuser).await;
    assert!(superuser.contains("does not bind"), "{superuser}");
    let lift = "ALTER TABLE batch NO FORCE ROW LEVEL SECURITY";
    app.database.execute(lift).await;
    let lifted = faults(&app.database.url).await;
    assert!(
        lifted.contains("table batch has no row-level security"),
        "{lifted}"
    );
}

#[tokio::test]
async fn audit_log_is_added_to_and_never_changed() {
    let app = filled(Kind::Postgres).await;
    let connection = connect(&app.database.url).await;
    let own = tenant_ids(&app).await[0];
    for sql in [
        "UPDATE audit_event SET actor = 'nobody'",
        "DELETE FROM audit_event",
        "SET LOCAL app.key = 'past:9000000000000000'; DELETE FROM audit_event",
    ] {
        let words = refusal(&connection, own, sql).await;
        assert!(words.contains("permission denied"), "{sql}: {words}");
    }
    let count = "SELECT count(*) FROM audit_event";
    let before: Vec<i64> = app.database.read(count).await;
    assert!(
        system::forget_audit_events(&app.pool, i64::MAX)
            .await
            .is_err()
    );
    assert_eq!(app.database.read::<i64>(count).await, before);
    // Who owns the tables forgets what is past its time, of all tenants.
    app.database
        .execute("UPDATE audit_event SET at = 4 + id")
        .await;
    let owner = Pool::open(&app.database.owner.clone().into(), 2)
        .await
        .unwrap();
    assert_eq!(system::forget_audit_events(&owner, 5).await.unwrap(), 0);
    assert_eq!(system::forget_audit_events(&owner, 6).await.unwrap(), 3);
    assert_eq!(app.database.read::<i64>(count).await, [before[0] - 3]);
    owner.close().await;
}
