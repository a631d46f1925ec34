//! Tenants, the numbers that each hands out, and the rules that open it to GitHub organisations and teams.

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
                    .table("tenant")
                    .col(pk_auto("id"))
                    .col(text_uniq("slug"))
                    .col(text("name"))
                    .col(text("group"))
                    .col(text("environment"))
                    .col(big_integer("created_at"))
                    .to_owned(),
            )
            .await?;

        // The row is locked by each write of its tenant, which makes the order of `seq` the order of commits.
        manager
            .create_table(
                Table::create()
                    .table("tenant_counter")
                    .col(integer("tenant_id").primary_key())
                    .col(big_integer("last_seq").default(0))
                    .col(integer("last_series").default(0))
                    .col(integer("last_token").default(0))
                    .to_owned(),
            )
            .await?;
        fence::enclose(manager, "tenant_counter", "tenant_id").await?;

        manager
            .create_table(
                Table::create()
                    .table("access_rule")
                    .col(integer("tenant_id"))
                    .col(text("organization"))
                    // Empty: every member of the organisation.
                    .col(text("team"))
                    .col(text("role"))
                    .primary_key(
                        Index::create()
                            .col("tenant_id")
                            .col("organization")
                            .col("team"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("access_rule_organization")
                    .table("access_rule")
                    .col("organization")
                    .to_owned(),
            )
            .await?;
        fence::enclose(manager, "access_rule", "tenant_id").await?;
        // Which tenants are open to a person is asked before one is chosen: by the person's own organisations.
        fence::allow_reading(
            manager,
            "access_rule",
            "names_my_organization",
            "organization = ANY (string_to_array(nullif(current_setting('app.organizations', true), ''), ','))",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["access_rule", "tenant_counter", "tenant"] {
            manager
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}
