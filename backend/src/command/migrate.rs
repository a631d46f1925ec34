//! `sundial migrate`: the database's tables.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use secrecy::SecretString;

use crate::{
    command::say,
    config::DatabaseConfig,
    error::{Error, Result},
    guard::{Pool, system},
    request::{DAY, now},
};

/// How long the audit log is kept where nobody says otherwise.
pub(super) const AUDIT_DAYS: u16 = 365;

/// Bring the database's tables up to date, take changes back, or list them.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sundial migrate status
  sundial migrate up --database-url postgres://owner@db/sundial --application-role sundial_app
  sundial migrate up --database-url postgres://owner@db/sundial --tenant mcce-g1-prod \\
      --application-role sundial_mcce_g1_prod --application-password-file role.password")]
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
        /// Bind that role to this tenant alone; the role is made if it is absent
        #[arg(
            long,
            env = "SUNDIAL_TENANT",
            value_name = "SLUG",
            requires = "application_role"
        )]
        tenant: Option<String>,
        /// File with the password that the role of a tenant logs in with
        #[arg(
            long,
            env = "SUNDIAL_APPLICATION_PASSWORD_FILE",
            value_name = "FILE",
            requires = "tenant"
        )]
        application_password_file: Option<PathBuf>,
        /// Forget entries of the audit log after this many days
        #[arg(long, env = "SUNDIAL_AUDIT_DAYS", value_name = "NUMBER", default_value_t = AUDIT_DAYS, value_parser = clap::value_parser!(u16).range(1..=36_500))]
        audit_days: u16,
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
            application_role,
            tenant,
            application_password_file,
            audit_days,
            ..
        } => {
            pool.migrate_up().await?;
            let given = |text: Option<String>| text.filter(|text| !text.is_empty());
            match (given(application_role), given(tenant)) {
                (Some(role), Some(slug)) => {
                    let password = application_password_file.map(read_password).transpose()?;
                    bind(&pool, &role, password, &slug).await?;
                }
                (Some(role), None) => {
                    system::grant_application_role(&pool, &role).await?;
                    say(format_args!("granted {role} what the server needs"))?;
                }
                (None, _) => {}
            }
            forget_audit_events(&pool, audit_days).await?;
        }
        Direction::Down { steps, .. } => pool.migrate_down(steps).await?,
        Direction::Status { .. } => {}
    }
    for (name, applied) in pool.migrations().await {
        say(format_args!(
            "{} {name}",
            if applied { "applied" } else { "missing" }
        ))?;
    }
    pool.close().await;
    Ok(())
}

async fn bind(pool: &Pool, role: &str, password: Option<SecretString>, slug: &str) -> Result<()> {
    let bound = system::bind_application_role(pool, role, password.as_ref(), slug).await;
    bound.map_err(|error| match error {
        Error::NotFound(_) => Error::bad_input(format!(
            "there is no tenant {slug} yet to bind {role} to: make it with `sundial apply`, then run this again"
        )),
        other => other,
    })?;
    say(format_args!(
        "{role} has the tenant {slug} and nothing else"
    ))?;
    Ok(())
}

fn read_password(file: PathBuf) -> Result<SecretString> {
    let text = std::fs::read_to_string(&file).map_err(|error| {
        Error::bad_input(format!("the password's file {}: {error}", file.display()))
    })?;
    Ok(text.trim().to_owned().into())
}

/// Deletes the entries of the audit log that are older than `days`.
///
/// # Errors
/// What the database says.
pub(super) async fn forget_audit_events(pool: &Pool, days: u16) -> Result<()> {
    let gone = system::forget_audit_events(pool, now() - i64::from(days) * DAY).await?;
    if gone > 0 {
        tracing::info!("forgot {gone} entries of the audit log from before the last {days} days");
    }
    Ok(())
}
