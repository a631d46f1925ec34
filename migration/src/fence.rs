//! The second fence: row-level security of PostgreSQL. SQLite has none, and a file is one deployment's own.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// The tenant that the running transaction is bound to; NULL, and so no row at all, when it is bound to none.
///
/// The comparison stands bare in the policy, without a sub-select, since Citus refuses one there.
const TENANT: &str = "nullif(current_setting('app.tenant', true), '')::int";

/// Fences `table` by its column `column`: rows of the transaction's tenant only, to read and to write.
pub(crate) async fn enclose(
    manager: &SchemaManager<'_>,
    table: &str,
    column: &str,
) -> Result<(), DbErr> {
    run(
        manager,
        &[
            format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"),
            format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY"),
            format!(
                "CREATE POLICY tenant_fence ON {table} USING ({column} = {TENANT}) WITH CHECK ({column} = {TENANT})"
            ),
        ],
    )
    .await
}

/// Lets rows of a fenced `table` be read for which `condition` holds, whatever the tenant; never written.
pub(crate) async fn allow_reading(
    manager: &SchemaManager<'_>,
    table: &str,
    policy: &str,
    condition: &str,
) -> Result<(), DbErr> {
    let sql = format!("CREATE POLICY {policy} ON {table} FOR SELECT USING ({condition})");
    run(manager, &[sql]).await
}

async fn run(manager: &SchemaManager<'_>, statements: &[String]) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    for sql in statements {
        connection.execute_unprepared(sql).await?;
    }
    Ok(())
}
