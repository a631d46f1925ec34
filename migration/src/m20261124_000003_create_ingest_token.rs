//! Tokens of machines: a hash each, of one tenant, that may expire and be revoked.

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
                    .table("ingest_token")
                    .col(integer("tenant_id"))
                    .col(integer("id"))
                    .col(text("name"))
                    .col(binary_uniq("hash"))
                    .col(big_integer("created_at"))
                    .col(big_integer_null("expires_at"))
                    .col(big_integer_null("revoked_at"))
                    .col(big_integer_null("used_at"))
                    .primary_key(Index::create().col("tenant_id").col("id"))
                    .to_owned(),
            )
            .await?;
        fence::enclose(manager, "ingest_token", "tenant_id").await?;
        // A token names its tenant, so it is looked up before the tenant is known: by the hash of what is in hand.
        fence::allow_reading(
            manager,
            "ingest_token",
            "is_in_hand",
            "hash = decode(nullif(current_setting('app.token', true), ''), 'hex')",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("ingest_token").to_owned())
            .await
    }
}
