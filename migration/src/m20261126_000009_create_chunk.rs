//! Chunks: compressed points of one series, into which batches are compacted.

use sea_orm_migration::{prelude::*, schema::*};

use crate::fence;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("chunk")
                    .col(integer("tenant_id"))
                    .col(integer("series_id"))
                    .col(big_integer("first_at"))
                    .col(big_integer("last_at"))
                    .col(integer("points"))
                    // What is known of the points without reading them.
                    .col(double("first"))
                    .col(double("last"))
                    .col(double("min"))
                    .col(big_integer("min_at"))
                    .col(double("max"))
                    .col(big_integer("max_at"))
                    // NULL: adding up leaves the range of a double.
                    .col(double_null("sum"))
                    .col(double_null("sum_rest"))
                    // The longest time between neighbouring points.
                    .col(big_integer("widest"))
                    // The payload's length.
                    .col(integer("bytes"))
                    .col(binary("payload"))
                    // Chunks of a series never overlap: when one begins is its name.
                    .primary_key(
                        Index::create()
                            .col("tenant_id")
                            .col("series_id")
                            .col("first_at"),
                    )
                    .to_owned(),
            )
            .await?;
        // What is oldest is forgotten first, of whatever series.
        manager
            .create_index(
                Index::create()
                    .name("chunk_last_at")
                    .table("chunk")
                    .col("tenant_id")
                    .col("last_at")
                    .to_owned(),
            )
            .await?;
        fence::enclose(manager, "chunk", "tenant_id").await?;
        // What is compressed already is not worth another attempt.
        for table in ["batch", "chunk"] {
            fence::run(
                manager,
                &[format!(
                    "ALTER TABLE {table} ALTER COLUMN payload SET STORAGE EXTERNAL"
                )],
            )
            .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("chunk").to_owned())
            .await
    }
}
