//! Accounts and sessions become a deployment's own, and they and tenants' names get their fence.
//!
//! People sign in again: sessions are not carried over.

use sea_orm_migration::{prelude::*, schema::*};

use crate::fence::{self, KEY};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager).await?;
        // The tenant that the deployment is pinned to, or 0 where it serves all of them.
        let home = || integer("home_id");
        manager
            .create_table(
                Table::create()
                    .table("account")
                    .col(home())
                    // GitHub's id: a login can change hands.
                    .col(big_integer("id"))
                    .col(text("login"))
                    .col(text("name"))
                    .col(text_null("avatar_url"))
                    // As GitHub last said, with commas between: `mcce,other` and `mcce/g1-admins`.
                    .col(text("organizations"))
                    .col(text("teams"))
                    .col(big_integer("seen_at"))
                    .primary_key(Index::create().col("home_id").col("id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("session")
                    .col(home())
                    // SHA-256 of the cookie's secret, which is kept nowhere.
                    .col(binary("hash"))
                    .col(big_integer("account_id"))
                    // Sealed by a key that only the cookie's secret gives.
                    .col(binary("github_token"))
                    .col(text("user_agent"))
                    .col(big_integer("created_at"))
                    .col(big_integer("used_at"))
                    .col(big_integer("expires_at"))
                    .primary_key(Index::create().col("home_id").col("hash"))
                    .to_owned(),
            )
            .await?;
        // Of another name than the one before: a connection of SQLite that has not yet heard that it is gone would refuse.
        create_session_index(manager, "session_home_account", &["home_id", "account_id"]).await?;

        let mine = format!("'account:' || id = {KEY}");
        let shared = format!(
            "{KEY} LIKE 'organizations:%' AND string_to_array(organizations, ',') && string_to_array({KEY}, ',')"
        );
        fence::enclose_if(
            manager,
            "account",
            "home_id",
            &format!("{mine} OR {shared}"),
        )
        .await?;
        let in_hand = format!("'session:' || encode(hash, 'hex') = {KEY}");
        let mine = format!("'account:' || account_id = {KEY}");
        // What has ended is removed by whoever signs in next.
        let ended =
            format!("{KEY} = 'ended:' AND expires_at < extract(epoch FROM now()) * 1000000");
        let whose = format!("{in_hand} OR {mine} OR {ended}");
        fence::enclose_if(manager, "session", "home_id", &whose).await?;

        // A tenant is found by its name, and listed to those whom a rule of it has let in.
        fence::enclose(manager, "tenant", "id").await?;
        fence::allow(
            manager,
            "tenant",
            "is_named",
            &format!("'slug:' || slug = {KEY}"),
        )
        .await?;
        let listed =
            format!("{KEY} LIKE 'tenants:%' AND id::text = ANY (string_to_array({KEY}, ','))");
        fence::allow_reading(manager, "tenant", "is_listed", &listed).await?;

        // One setting for whatever is in hand.
        fence::replace_reading(
            manager,
            "access_rule",
            "names_my_organization",
            &format!(
                "{KEY} LIKE 'organizations:%' AND organization = ANY (string_to_array({KEY}, ','))"
            ),
        )
        .await?;
        fence::replace_reading(
            manager,
            "ingest_token",
            "is_in_hand",
            &format!("'token:' || encode(hash, 'hex') = {KEY}"),
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        fence::replace_reading(
            manager,
            "ingest_token",
            "is_in_hand",
            "hash = decode(nullif(current_setting('app.token', true), ''), 'hex')",
        )
        .await?;
        fence::replace_reading(
            manager,
            "access_rule",
            "names_my_organization",
            "organization = ANY (string_to_array(nullif(current_setting('app.organizations', true), ''), ','))",
        )
        .await?;
        fence::open(
            manager,
            "tenant",
            &["tenant_fence", "is_named", "is_listed"],
        )
        .await?;
        drop_tables(manager).await?;
        manager
            .create_table(
                Table::create()
                    .table("account")
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
                    .col(binary("hash").primary_key())
                    .col(big_integer("account_id"))
                    .col(binary("github_token"))
                    .col(big_integer("created_at"))
                    .col(big_integer("used_at"))
                    .col(big_integer("expires_at"))
                    .to_owned(),
            )
            .await?;
        create_session_index(manager, "session_account", &["account_id"]).await
    }
}

async fn drop_tables(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for table in ["session", "account"] {
        manager
            .drop_table(Table::drop().table(table).to_owned())
            .await?;
    }
    Ok(())
}

async fn create_session_index(
    manager: &SchemaManager<'_>,
    name: &'static str,
    columns: &'static [&'static str],
) -> Result<(), DbErr> {
    let mut index = Index::create();
    index.name(name).table("session");
    for column in columns {
        index.col(*column);
    }
    manager.create_index(index).await
}
