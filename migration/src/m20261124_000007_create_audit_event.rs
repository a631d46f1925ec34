//! The audit log: who did what to which tenant. It grows at its end and changes nowhere.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

use crate::fence::{self, KEY};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("audit_event")
                    .col(integer("tenant_id"))
                    .col(big_integer("id"))
                    .col(big_integer("at"))
                    // PERSON, INGEST_TOKEN or OPERATOR.
                    .col(text("actor_kind"))
                    // GitHub's id, or the token's number; 0 for an operator.
                    .col(big_integer("actor_id"))
                    .col(text("actor"))
                    .col(text("action"))
                    .col(text("subject"))
                    .col(text("detail"))
                    .primary_key(Index::create().col("tenant_id").col("id"))
                    .to_owned(),
            )
            .await?;
        manager
            .alter_table(
                Table::alter()
                    .table("tenant_counter")
                    .add_column(big_integer("last_event").default(0))
                    .to_owned(),
            )
            .await?;
        fence::enclose(manager, "audit_event", "tenant_id").await?;
        // What is older than its retention goes, whosever it is; `sundial migrate up` sees to it, as the owner.
        let past = format!("at < substring({KEY} FROM '^past:([0-9]+)$')::bigint");
        fence::allow_reading(manager, "audit_event", "is_past", &past).await?;
        fence::allow_deleting(manager, "audit_event", "may_go", &past).await?;
        // PostgreSQL: the application role is granted no UPDATE and no DELETE. SQLite knows no roles.
        if manager.get_database_backend() == DbBackend::Sqlite {
            let refuse = "CREATE TRIGGER audit_event_stays BEFORE UPDATE ON audit_event BEGIN \
                SELECT raise(ABORT, 'the audit log is not changed'); END";
            manager.get_connection().execute_unprepared(refuse).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("audit_event").to_owned())
            .await?;
        manager
            .alter_table(
                Table::alter()
                    .table("tenant_counter")
                    .drop_column("last_event")
                    .to_owned(),
            )
            .await
    }
}
