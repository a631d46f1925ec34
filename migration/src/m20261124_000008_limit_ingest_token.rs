//! Ingest tokens may be limited to some of the tenant's series.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .alter_table(
                Table::alter()
                    .table("ingest_token")
                    // Patterns, one a line; NULL: all series.
                    .add_column(text_null("series"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .alter_table(
                Table::alter()
                    .table("ingest_token")
                    .drop_column("series")
                    .to_owned(),
            )
            .await
    }
}
