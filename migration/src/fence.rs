//! The second fence: row-level security of PostgreSQL. SQLite has none, and a file is one deployment's own.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// The tenant that the running transaction is bound to; NULL, and so no row at all, when it is bound to none.
///
/// The comparison stands bare in the policy, without a sub-select, since Citus refuses one there.
const TENANT: &str = "nullif(current_setting('app.tenant', true), '')::int";

/// What the running transaction has in hand besides: `token:` and a hash, `slug:` and a name, and so on; never a
/// value of two kinds.
pub(crate) const KEY: &str = "current_setting('app.key', true)";

/// Fences `table` by its column `column`: rows of the transaction's tenant only, to read and to write.
pub(crate) async fn enclose(
    manager: &SchemaManager<'_>,
    table: &str,
    column: &str,
) -> Result<(), DbErr> {
    enclose_by(manager, table, &format!("{column} = {TENANT}")).await
}

/// As [`enclose`], and of those rows only the ones for which `condition` holds.
pub(crate) async fn enclose_if(
    manager: &SchemaManager<'_>,
    table: &str,
    column: &str,
    condition: &str,
) -> Result<(), DbErr> {
    enclose_by(
        manager,
        table,
        &format!("{column} = {TENANT} AND ({condition})"),
    )
    .await
}

async fn enclose_by(
    manager: &SchemaManager<'_>,
    table: &str,
    condition: &str,
) -> Result<(), DbErr> {
    run(
        manager,
        &[
            format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"),
            format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY"),
            format!(
                "CREATE POLICY tenant_fence ON {table} USING ({condition}) WITH CHECK ({condition})"
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

/// Lets rows of a fenced `table` be deleted for which `condition` holds, whatever the tenant.
pub(crate) async fn allow_deleting(
    manager: &SchemaManager<'_>,
    table: &str,
    policy: &str,
    condition: &str,
) -> Result<(), DbErr> {
    let sql = format!("CREATE POLICY {policy} ON {table} FOR DELETE USING ({condition})");
    run(manager, &[sql]).await
}

/// As [`allow_reading`], in the place of the policy of that name.
pub(crate) async fn replace_reading(
    manager: &SchemaManager<'_>,
    table: &str,
    policy: &str,
    condition: &str,
) -> Result<(), DbErr> {
    let sql = format!("ALTER POLICY {policy} ON {table} USING ({condition})");
    run(manager, &[sql]).await
}

/// Lets rows of a fenced `table` be read and written for which `condition` holds, whatever the tenant.
pub(crate) async fn allow(
    manager: &SchemaManager<'_>,
    table: &str,
    policy: &str,
    condition: &str,
) -> Result<(), DbErr> {
    let sql =
        format!("CREATE POLICY {policy} ON {table} USING ({condition}) WITH CHECK ({condition})");
    run(manager, &[sql]).await
}

/// Takes the fence of `table` down, with its `policies`.
pub(crate) async fn open(
    manager: &SchemaManager<'_>,
    table: &str,
    policies: &[&str],
) -> Result<(), DbErr> {
    let mut statements: Vec<String> = policies
        .iter()
        .map(|policy| format!("DROP POLICY {policy} ON {table}"))
        .collect();
    statements.push(format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY"));
    statements.push(format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"));
    run(manager, &statements).await
}

/// Runs `statements` on PostgreSQL alone.
pub(crate) async fn run(manager: &SchemaManager<'_>, statements: &[String]) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    for sql in statements {
        connection.execute_unprepared(sql).await?;
    }
    Ok(())
}
