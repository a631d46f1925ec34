//! Producers and their runs: what is expected when, and what came of it.

use sea_orm_migration::{prelude::*, schema::*};

use crate::fence;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time.
        for column in [
            integer("last_producer").default(0).to_owned(),
            big_integer("last_run").default(0).to_owned(),
        ] {
            let table = Table::alter()
                .table("tenant_counter")
                .add_column(column)
                .to_owned();
            manager.alter_table(table).await?;
        }
        manager
            .create_table(
                Table::create()
                    .table("producer")
                    .col(integer("tenant_id"))
                    .col(integer("id"))
                    .col(text("name"))
                    .col(text("schedule"))
                    .col(text("time_zone"))
                    // How long after its slot a run is late, in µs.
                    .col(big_integer("grace"))
                    // Slots from then on are expected.
                    .col(big_integer("since"))
                    // Of its runs: the place of the latest change, and how many changes there were.
                    .col(big_integer_null("last_run"))
                    .col(big_integer("changes"))
                    .col(big_integer("created_at"))
                    .primary_key(Index::create().col("tenant_id").col("id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("run")
                    .col(integer("tenant_id"))
                    .col(integer("producer_id"))
                    .col(big_integer("slot"))
                    // The place of its latest change in the tenant's order of changes.
                    .col(big_integer("seq"))
                    .col(big_integer("started_at"))
                    .col(big_integer_null("finished_at"))
                    .col(big_integer_null("points"))
                    .col(text_null("error"))
                    .primary_key(
                        Index::create()
                            .col("tenant_id")
                            .col("producer_id")
                            .col("slot"),
                    )
                    .to_owned(),
            )
            .await?;
        for (name, table, column) in [
            ("producer_name", "producer", "name"),
            ("run_seq", "run", "seq"),
        ] {
            let index = Index::create()
                .name(name)
                .table(table)
                .col("tenant_id")
                .col(column)
                .unique()
                .to_owned();
            manager.create_index(index).await?;
            fence::enclose(manager, table, "tenant_id").await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["run", "producer"] {
            manager
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        for column in ["last_run", "last_producer"] {
            let table = Table::alter()
                .table("tenant_counter")
                .drop_column(column)
                .to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}
