//! `sundial token`: ingest tokens, for the first administrator and for scripts.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use secrecy::ExposeSecret;

use crate::{
    command::open,
    config::DatabaseConfig,
    error::Result,
    guard::system,
    identity::{TokenName, create_token, list_tokens, revoke_token, rotate_token},
    request::now,
};

const DAY: i64 = 86_400_000_000;
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
        /// The second one is refused after this many days [default: never]
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
    let pool = open(&of.database).await?;
    let scope = system::operate(&pool, &of.tenant).await?;
    let now = now();
    let expiry = |days: Option<i64>| days.map(|days| now + days * DAY);
    match command.action {
        Action::Create { name, days, .. } => {
            let token =
                create_token(&scope, &TokenName::try_from(name)?, expiry(days), now).await?;
            scope.commit().await?;
            println!("{}", token.expose_secret());
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
                println!(
                    "{:>4}  {}  created {}  expires {}  revoked {}  used {}",
                    token.id,
                    token.name,
                    time(Some(token.created_at)),
                    time(token.expires_at),
                    time(token.revoked_at),
                    time(token.used_at),
                );
            }
        }
        Action::Rotate {
            id,
            overlap_hours,
            days,
            ..
        } => {
            let token = rotate_token(&scope, id, overlap_hours * HOUR, expiry(days), now).await?;
            scope.commit().await?;
            println!("{}", token.expose_secret());
        }
        Action::Revoke { id, .. } => {
            revoke_token(&scope, id, now).await?;
            scope.commit().await?;
            println!("token {id} counts no more");
        }
    }
    pool.close().await;
    Ok(())
}

fn time(micros: Option<i64>) -> String {
    micros
        .and_then(|micros| Timestamp::from_microsecond(micros - micros.rem_euclid(1_000_000)).ok())
        .map_or_else(|| "never".to_owned(), |time| time.to_string())
}
