//! Series: a canonical key and a unit. No foreign key leads here from points.

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
                    .table("series")
                    .col(integer("tenant_id"))
                    .col(integer("id"))
                    .col(text("key"))
                    .col(text_null("unit"))
                    .col(big_integer("created_at"))
                    .primary_key(Index::create().col("tenant_id").col("id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("series_key_key")
                    .table("series")
                    .col("tenant_id")
                    .col("key")
                    .unique()
                    .to_owned(),
            )
            .await?;
        fence::enclose(manager, "series", "tenant_id").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("series").to_owned())
            .await
    }
}
