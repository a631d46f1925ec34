//! The tables, brought up to date and taken back.

use sundial::guard::Pool;

use crate::database::{Database, Kind};

async fn pool(database: &Database) -> Pool {
    Pool::open(&database.owner.clone().into(), 4).await.unwrap()
}

/// What there is, a line for each column, policy and index.
async fn described(database: &Database) -> Vec<String> {
    let sql = match database.url.starts_with("sqlite:") {
        true => "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master WHERE name NOT LIKE 'seaql%' ORDER BY 1",
        false => {
            "SELECT line FROM (
                SELECT concat_ws(' ', table_name, ordinal_position, column_name, data_type, is_nullable, column_default) AS line
                FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'seaql_migrations'
                UNION ALL SELECT concat_ws(' ', tablename, policyname, permissive, cmd, qual, with_check) FROM pg_policies
                UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'seaql_migrations'
                UNION ALL SELECT concat_ws(' ', relname, relrowsecurity, relforcerowsecurity) FROM pg_class
                WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'seaql_migrations'
            ) AS lines ORDER BY line"
        }
    };
    database.read(sql).await
}

async fn tables_go_and_come_back_as_they_were(kind: Kind) {
    let database = Database::create(kind).await;
    let pool = pool(&database).await;
    let before = described(&database).await;
    assert!(before.len() > 30, "{before:?}");
    let changes = pool.migrations().await.len().try_into().unwrap();
    // Once more changes nothing.
    pool.migrate_up().await.unwrap();
    assert_eq!(described(&database).await, before);
    pool.migrate_down(changes).await.unwrap();
    let none = described(&database).await;
    // What SQLite keeps for itself.
    let left = none.iter().filter(|line| !line.contains(" sqlite_"));
    assert_eq!(left.count(), 0, "{none:?}");
    pool.migrate_up().await.unwrap();
    assert_eq!(described(&database).await, before);
}

async fn several_at_once_make_the_tables_once(kind: Kind) {
    let database = Database::create(kind).await;
    let first = pool(&database).await;
    let before = described(&database).await;
    let changes = first.migrations().await.len().try_into().unwrap();
    first.migrate_down(changes).await.unwrap();
    // Each as a program of its own would.
    let (second, third) = (pool(&database).await, pool(&database).await);
    let all = tokio::join!(first.migrate_up(), second.migrate_up(), third.migrate_up());
    assert!(all.0.is_ok() && all.1.is_ok() && all.2.is_ok(), "{all:?}");
    assert!(first.migrations().await.iter().all(|(_, applied)| *applied));
    assert_eq!(described(&database).await, before);
}

#[tokio::test]
async fn tables_go_and_come_back_as_they_were_on_sqlite() {
    tables_go_and_come_back_as_they_were(Kind::Sqlite).await;
}

#[tokio::test]
async fn tables_go_and_come_back_as_they_were_on_postgres() {
    tables_go_and_come_back_as_they_were(Kind::Postgres).await;
}

#[tokio::test]
async fn several_at_once_make_the_tables_once_on_sqlite() {
    several_at_once_make_the_tables_once(Kind::Sqlite).await;
}

#[tokio::test]
async fn several_at_once_make_the_tables_once_on_postgres() {
    several_at_once_make_the_tables_once(Kind::Postgres).await;
}
