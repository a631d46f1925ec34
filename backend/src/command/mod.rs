//! The program's commands, a file each.

pub mod apply;
pub mod check;
pub mod migrate;
pub mod serve;
pub mod token;

use crate::{
    config::DatabaseConfig,
    error::{Error, Result},
    guard::{Backend, Pool},
};

/// The database of `config`, ready to be used: SQLite is brought up to date, PostgreSQL must be.
async fn open(config: &DatabaseConfig) -> Result<Pool> {
    let pool = Pool::open(&config.url, config.connections).await?;
    match pool.backend() {
        Backend::Sqlite => pool.migrate_up().await?,
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
