//! `sundial token`: ingest tokens, for the first administrator and for scripts.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    command::{open_existing, ready, say},
    config::DatabaseConfig,
    error::{Error, Result},
    guard::{Admin, TenantScope, system, table::ingest_token},
    identity::{TokenName, create_token, find_token, list_tokens, revoke_token, rotate_token},
    request::{DAY, now},
    series::limit::patterns,
};

const HOUR: i64 = 3_600_000_000;

/// Create, list, rotate and revoke ingest tokens.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sundial token create --tenant mcce-g1-prod --name clock --days 90 > clock.token
  sundial token list --tenant mcce-g1-prod
  sundial token rotate --tenant mcce-g1-prod --id 1 --overlap-hours 24
  sundial token revoke --tenant mcce-g1-prod --id 1")]
pub struct Token {
    #[command(subcommand)]
    action: Action,
}

#[derive(Args, Debug)]
struct Of {
    /// The tenant's slug
    #[arg(long, value_name = "SLUG")]
    tenant: String,
    #[command(flatten)]
    database: DatabaseConfig,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Print a new token, which is shown this once
    Create {
        #[command(flatten)]
        of: Of,
        /// What it is for
        #[arg(long, value_name = "NAME")]
        name: String,
        /// Refused after this many days [default: never]
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(1..=36_500))]
        days: Option<i64>,
        /// Limited to these series, `clock.*` say; may be given several times [default: all series]
        #[arg(long, value_name = "PATTERN")]
        series: Vec<String>,
        /// Write it to this file, for its owner alone; where one is there that is not empty, none is made
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// List the tenant's tokens
    List {
        #[command(flatten)]
        of: Of,
    },
    /// Print a second token of the same name; the first counts a while longer
    Rotate {
        #[command(flatten)]
        of: Of,
        /// The first token's number
        #[arg(long, value_name = "NUMBER")]
        id: i32,
        /// How long the first one still counts
        #[arg(long, default_value_t = 24, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(0..=8_760))]
        overlap_hours: i64,
        /// The second one is refused after this many days [default: the first one's]
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(1..=36_500))]
        days: Option<i64>,
    },
    /// Have a token refused from now on
    Revoke {
        #[command(flatten)]
        of: Of,
        /// The token's number
        #[arg(long, value_name = "NUMBER")]
        id: i32,
    },
}

/// Runs the command.
///
/// # Errors
/// [`crate::Error::NotFound`] when there is no such tenant or token, and what the database says.
pub async fn run(command: Token) -> Result<()> {
    let (Action::Create { of, .. }
    | Action::List { of }
    | Action::Rotate { of, .. }
    | Action::Revoke { of, .. }) = &command.action;
    let pool = ready(open_existing(&of.database).await?).await?;
    let scope = system::operate(&pool, &of.tenant).await;
    let scope = scope.map_err(|error| match error {
        Error::NotFound(_) => Error::bad_input(format!(
            "there is no tenant {}: make it with `sundial apply`",
            of.tenant
        )),
        other => other,
    })?;
    let now = now();
    let expiry = |days: Option<i64>| days.map(|days| now + days * DAY);
    match command.action {
        Action::Create {
            name,
            days,
            series,
            file,
            ..
        } => {
            // Before a token is made that could not be written.
            let place = file.as_deref().map(own_file).transpose()?;
            if let (Some(None), Some(file)) = (&place, &file) {
                drop(scope);
                say(format_args!(
                    "{} is there: no token was made",
                    file.display()
                ))?;
                pool.close().await;
                return Ok(());
            }
            let name = TokenName::try_from(name)?;
            let limit = (!series.is_empty()).then(|| patterns(&series));
            let limit = limit.transpose()?;
            let (id, token) =
                create_token(&scope, &name, limit.as_deref(), expiry(days), now).await?;
            let made = find_token(&scope, id).await?;
            scope.commit().await?;
            match place.flatten() {
                Some(file) => keep(&made, &token, file)?,
                None => show(&made, &token)?,
            }
        }
        Action::List { .. } => {
            let tokens = list_tokens(&scope).await?;
            // Closing the pool waits for every connection, and the scope holds one.
            let tenant = scope.tenant().slug.clone();
            drop(scope);
            if tokens.is_empty() {
                eprintln!(
                    "no tokens yet: make one with `sundial token create --tenant {} --name NAME`",
                    tenant
                );
            }
            for token in tokens {
                let series = token.series.map(|series| series.replace('\n', ", "));
                say(format_args!(
                    "{:>4}  {}  series {}  created {}  expires {}  revoked {}  used {}",
                    token.id,
                    token.name,
                    series.as_deref().unwrap_or("all"),
                    time(Some(token.created_at)),
                    time(token.expires_at),
                    time(token.revoked_at),
                    time(token.used_at),
                ))?;
            }
        }
        Action::Rotate {
            id,
            overlap_hours,
            days,
            ..
        } => {
            let rotated = rotate_token(&scope, id, overlap_hours * HOUR, expiry(days), now).await;
            let (new, token) = rotated.map_err(|error| absent(error, id, &scope))?;
            let made = find_token(&scope, new).await?;
            scope.commit().await?;
            show(&made, &token)?;
        }
        Action::Revoke { id, .. } => {
            let revoked = revoke_token(&scope, id, now).await;
            revoked.map_err(|error| absent(error, id, &scope))?;
            scope.commit().await?;
            say(format_args!("token {id} counts no more"))?;
        }
    }
    pool.close().await;
    Ok(())
}

/// That the tenant has no token numbered `id`, with the way to those that it has.
fn absent(error: Error, id: i32, scope: &TenantScope<Admin>) -> Error {
    let tenant = &scope.tenant().slug;
    match error {
        Error::NotFound(_) => Error::bad_input(format!(
            "{tenant} has no ingest token {id}: `sundial token list --tenant {tenant}` shows those that there are"
        )),
        other => other,
    }
}

/// The file at `path`, open to its owner alone; none where one is there that is not empty.
fn own_file(path: &Path) -> Result<Option<File>> {
    if path
        .metadata()
        .is_ok_and(|known| known.is_file() && known.len() > 0)
    {
        return Ok(None);
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = options.open(path).and_then(|file| {
        // One that was there, and empty, may be open to others.
        #[cfg(unix)]
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(file)
    });
    let opened = opened.map_err(|error| {
        Error::bad_input(format!(
            "the file {}: {error}; no token was made",
            path.display()
        ))
    })?;
    Ok(Some(opened))
}

/// Writes a token to its file.
fn keep(made: &ingest_token::Model, token: &SecretString, mut file: File) -> Result<()> {
    let id = made.id;
    writeln!(file, "{}", token.expose_secret()).map_err(|error| {
        Error::Conflict(format!(
            "token {id} was made and could not be written ({error}): revoke it, and make another"
        ))
    })?;
    say(format_args!(
        "token {id}, expires {}, is written",
        time(made.expires_at)
    ))
}

/// Prints a token, which nobody can see a second time.
fn show(made: &ingest_token::Model, token: &SecretString) -> Result<()> {
    let id = made.id;
    eprintln!(
        "token {id}, expires {}; it is shown this once",
        time(made.expires_at)
    );
    writeln!(std::io::stdout(), "{}", token.expose_secret()).map_err(|error| {
        Error::Conflict(format!(
            "token {id} was made and could not be shown ({error}): revoke it, and make another"
        ))
    })
}

fn time(micros: Option<i64>) -> String {
    micros
        .and_then(|micros| Timestamp::from_microsecond(micros - micros.rem_euclid(1_000_000)).ok())
        .map_or_else(|| "never".to_owned(), |time| time.to_string())
}
