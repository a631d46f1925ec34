//! The program's commands, a file each.

pub mod apply;
pub mod check;
pub mod compact;
pub mod import;
pub mod migrate;
pub mod onboard;
pub mod serve;
pub mod tenant;
pub mod token;

use std::io::{ErrorKind, Write};

use crate::{
    config::DatabaseConfig,
    error::{Error, Result},
    guard::{Admin, Backend, Pool, TenantScope, system},
};

/// Prints one line of a command's result. A reader that has heard enough (`| head -1`) is no fault.
///
/// # Errors
/// [`Error::Conflict`] when it can't be written: a full disk, say.
pub fn say(line: impl std::fmt::Display) -> Result<()> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Conflict(format!(
            "the result can't be written to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}

/// `1 point`, `2 points`.
fn counted(number: u64, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}

/// Enters a tenant that a person has named.
async fn operated(pool: &Pool, slug: &str) -> Result<TenantScope<Admin>> {
    let entered = system::operate(pool, slug).await;
    entered.map_err(|error| match error {
        Error::NotFound(_) => Error::bad_input(format!(
            "there is no tenant {slug}: make it with `sundial apply`"
        )),
        other => other,
    })
}

/// The database of `config`, which must be there: a slip in its name makes no new one.
async fn open_existing(config: &DatabaseConfig) -> Result<Pool> {
    if !Pool::is_there(&config.url) {
        return Err(Error::bad_input(
            "there is no such file: say which database is meant by SUNDIAL_DATABASE_URL, or make this one with \
             `sundial apply`, `sundial migrate up` or `sundial serve`",
        ));
    }
    Pool::open(&config.url, config.connections).await
}

/// The database of `config`, ready to be used: SQLite is brought up to date, PostgreSQL must be.
async fn open(config: &DatabaseConfig) -> Result<Pool> {
    ready(Pool::open(&config.url, config.connections).await?).await
}

/// The same, when it is brought up to date.
async fn ready(pool: Pool) -> Result<Pool> {
    match pool.backend() {
        Backend::Sqlite => {
            pool.migrate_up().await?;
            migrate::forget_audit_events(&pool, migrate::AUDIT_DAYS).await?;
        }
        Backend::Postgres => {
            let migrations = pool.migrations().await;
            let missing = migrations.iter().filter(|(_, applied)| !applied).count();
            if missing > 0 {
                return Err(Error::Conflict(format!(
                    "the database lacks {missing} changes: run `sundial migrate up --application-role ROLE` as the role that owns the tables, with the role of this server"
                )));
            }
        }
    }
    Ok(pool)
}
