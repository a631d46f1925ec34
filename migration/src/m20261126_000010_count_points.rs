//! What a tenant stores, counted as it is written; and up to which batch it is compacted.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

use crate::fence;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const COLUMNS: [&str; 4] = [
    // The last batch whose points are in chunks.
    "compacted_seq",
    // The last batch whose payload is gone.
    "forgotten_seq",
    "points",
    "bytes",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time.
        let counts = COLUMNS.map(|column| big_integer(column).default(0).to_owned());
        // How long points are kept, in µs; NULL: for good.
        let retention = big_integer_null("retention").to_owned();
        for column in counts.into_iter().chain([retention]) {
            manager
                .alter_table(
                    Table::alter()
                        .table("tenant_counter")
                        .add_column(column)
                        .to_owned(),
                )
                .await?;
        }
        let length = match manager.get_database_backend() {
            DbBackend::Postgres => "octet_length(payload)",
            _ => "length(payload)",
        };
        // The owner sees no tenant's rows either, unless it steps over the fence.
        let fenced = ["tenant_counter", "batch"];
        for table in fenced {
            fence::run(
                manager,
                &[format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")],
            )
            .await?;
        }
        let of = |sum: &str| {
            format!(
                "(SELECT coalesce(sum({sum}), 0) FROM batch WHERE batch.tenant_id = tenant_counter.tenant_id)"
            )
        };
        let count = format!(
            "UPDATE tenant_counter SET points = {}, bytes = {}",
            of("points"),
            of(length)
        );
        manager.get_connection().execute_unprepared(&count).await?;
        for table in fenced {
            fence::run(
                manager,
                &[format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY")],
            )
            .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in COLUMNS.into_iter().chain(["retention"]) {
            manager
                .alter_table(
                    Table::alter()
                        .table("tenant_counter")
                        .drop_column(column)
                        .to_owned(),
                )
                .await?;
        }
        Ok(())
    }
}
