//! `sundial compact`: what the server does beside its requests, done now.

use std::io::IsTerminal;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    command::{open_existing, operated, ready, say},
    config::DatabaseConfig,
    error::Result,
    guard::Pool,
    point::store::{compact, usage},
    request::now,
};

/// Make chunks of what was written to tenants; the server does it by itself, within a minute or so.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sundial compact --tenant mcce-g1-prod
  sundial compact --tenant mcce-g1-prod --tenant mcce-g1-test \\
      --database-url postgres://sundial@db/sundial")]
pub struct Compact {
    /// A tenant's name; can be given several times
    #[arg(
        long = "tenant",
        env = "SUNDIAL_TENANT",
        required = true,
        value_name = "SLUG"
    )]
    tenants: Vec<String>,
    #[command(flatten)]
    database: DatabaseConfig,
}

/// Runs the command.
///
/// # Errors
/// [`Error::BadInput`] when there is no such tenant, and what the database says.
pub async fn run(command: Compact) -> Result<()> {
    let pool = ready(open_existing(&command.database).await?).await?;
    for slug in &command.tenants {
        drop(operated(&pool, slug).await?);
    }
    for slug in &command.tenants {
        compact_all(&pool, slug).await?;
    }
    pool.close().await;
    Ok(())
}

async fn compact_all(pool: &Pool, slug: &str) -> Result<()> {
    let scope = operated(pool, slug).await?;
    let waiting = usage(&scope).await?.waiting;
    drop(scope);
    let bar = ProgressBar::new(u64::try_from(waiting).unwrap_or(0));
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = "{prefix} {bar:40} {pos} of {len} batches, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.set_prefix(slug.to_owned());
    let (mut batches, mut points) = (0, 0);
    loop {
        let done = compact(operated(pool, slug).await?, now()).await?;
        batches += done.batches;
        points += done.points;
        bar.inc(done.batches as u64);
        if !done.more {
            break;
        }
    }
    bar.finish_and_clear();
    let usage = usage(&operated(pool, slug).await?).await?;
    let each = usage.bytes as f64 / Ord::max(usage.points, 1) as f64;
    say(format_args!(
        "{slug}: {points} points of {batches} batches compacted; {} points in {} bytes, {each:.2} bytes a point",
        usage.points, usage.bytes
    ))
}
