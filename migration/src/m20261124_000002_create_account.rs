//! People, by GitHub's numeric id, and their sessions. Neither belongs to a tenant.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("account")
                    // GitHub's id: a login can change hands.
                    .col(big_integer("id").primary_key())
                    .col(text("login"))
                    .col(text("name"))
                    .col(text_null("avatar_url"))
                    .col(big_integer("seen_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("session")
                    // SHA-256 of the cookie's secret, which is kept nowhere.
                    .col(binary("hash").primary_key())
                    .col(big_integer("account_id"))
                    // Sealed by a key that only the cookie's secret gives.
                    .col(binary("github_token"))
                    .col(big_integer("created_at"))
                    .col(big_integer("used_at"))
                    .col(big_integer("expires_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("session_account")
                    .table("session")
                    .col("account_id")
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["session", "account"] {
            manager
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}
