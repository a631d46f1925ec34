//! `sundial migrate`: the database's tables.

use clap::{Args, Subcommand};

use crate::{
    config::DatabaseConfig,
    error::Result,
    guard::{Pool, system},
};

/// Bring the database's tables up to date, take changes back, or list them.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sundial migrate status
  sundial migrate up --database-url postgres://owner@db/sundial --application-role sundial_app")]
pub struct Migrate {
    #[command(subcommand)]
    direction: Direction,
}

#[derive(Subcommand, Debug)]
enum Direction {
    /// Apply what is missing
    Up {
        #[command(flatten)]
        database: DatabaseConfig,
        /// PostgreSQL role that the server logs in as: gets what it needs of the tables, and no ownership
        #[arg(long, env = "SUNDIAL_APPLICATION_ROLE", value_name = "ROLE")]
        application_role: Option<String>,
    },
    /// Take the last changes back, with the data in what they created
    Down {
        #[command(flatten)]
        database: DatabaseConfig,
        /// How many changes
        #[arg(long, value_name = "NUMBER")]
        steps: u32,
    },
    /// List the changes
    Status {
        #[command(flatten)]
        database: DatabaseConfig,
    },
}

/// Runs the command.
///
/// # Errors
/// What the database says.
pub async fn run(command: Migrate) -> Result<()> {
    let (Direction::Up { database, .. }
    | Direction::Down { database, .. }
    | Direction::Status { database }) = &command.direction;
    let pool = Pool::open(&database.url, database.connections).await?;
    match command.direction {
        Direction::Up {
            application_role, ..
        } => {
            pool.migrate_up().await?;
            if let Some(role) = application_role {
                system::grant_application_role(&pool, &role).await?;
                println!("granted {role} what the server needs");
            }
        }
        Direction::Down { steps, .. } => pool.migrate_down(steps).await?,
        Direction::Status { .. } => {}
    }
    for (name, applied) in pool.migrations().await {
        println!("{} {name}", if applied { "applied" } else { "missing" });
    }
    pool.close().await;
    Ok(())
}
