//! Batches: one row a write, which is the log, the receipt and the idempotency record in one.

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
                    .table("batch")
                    .col(integer("tenant_id"))
                    .col(big_integer("seq"))
                    .col(text_null("key"))
                    .col(binary("body_hash"))
                    // The receipt: how many points of how many series, and when.
                    .col(integer("points"))
                    .col(integer("series"))
                    .col(big_integer("created_at"))
                    .col(big_integer("first_at"))
                    .col(big_integer("last_at"))
                    .col(binary("payload"))
                    .primary_key(Index::create().col("tenant_id").col("seq"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("batch_key_key")
                    .table("batch")
                    .col("tenant_id")
                    .col("key")
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("batch_last_at")
                    .table("batch")
                    .col("tenant_id")
                    .col("last_at")
                    .to_owned(),
            )
            .await?;
        fence::enclose(manager, "batch", "tenant_id").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("batch").to_owned())
            .await
    }
}
