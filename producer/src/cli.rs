//! Arguments, each also an environment variable, and what they come to.

use std::path::PathBuf;
use std::{env, fs};

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use crate::address::{Address, AddressParser};
use crate::schedule::{self, Schedule};

/// In lines that fit a narrow terminal, for clap would break longer ones where they cannot be pasted.
const EXAMPLES: &str = "\
Examples:
  Measure this machine's clock against the server's, each second, until
  stopped:
    SUNDIAL_TOKEN=sdl_… sundial-producer run --tenant mcce-g1-prod \\
      --schedule '* * * * * *'

  One run for the latest slot of a schedule, as a CronJob starts it:
    sundial-producer once --tenant mcce-g1-prod \\
      --schedule '*/5 * * * *' --token-file /run/secrets/sundial/token

  Every 15 seconds, all that a metrics page shows:
    sundial-producer run --tenant mcce-g1-prod \\
      --schedule '*/15 * * * * *' --source prometheus \\
      --scrape-url http://127.0.0.1:8081/metrics

A token comes from `sundial token create --tenant TENANT --name NAME`.
Logs go to standard error, as JSON unless that is a terminal. SUNDIAL_LOG sets
how much: error, warn, info (the default), debug or trace.";

/// Writes time data to Sundial on a schedule.
///
/// A run measures once; its points carry the time of its slot, however late it is. What cannot be delivered waits on disk
/// and goes out in order, and nothing is stored twice.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, max_term_width = 110)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run for one slot, deliver it and what waits, and end; 1 if the slot was not delivered.
    #[command(after_help = EXAMPLES)]
    Once(Once),
    /// Keep the schedule until stopped.
    #[command(after_help = EXAMPLES)]
    Run(Options),
}

/// Arguments of `once`.
#[derive(Debug, Args)]
pub struct Once {
    /// The slot to run for, such as 2026-05-01T10:00:00Z; the latest at or before now if absent.
    #[arg(long, env = "SUNDIAL_SLOT")]
    pub slot: Option<Timestamp>,
    /// How long to keep trying where the server cannot be reached; after it, the run waits in the spool.
    #[arg(
        long,
        env = "SUNDIAL_GIVE_UP_AFTER",
        value_name = "DURATION",
        default_value = "30s"
    )]
    pub give_up_after: SignedDuration,
    /// Where, as whom, when and what.
    #[command(flatten)]
    pub options: Options,
}

/// Arguments of both commands.
#[derive(Debug, Args)]
pub struct Options {
    /// The server, without /graphql.
    #[arg(
        long,
        env = "SUNDIAL_URL",
        value_parser = AddressParser,
        hide_env_values = true,
        default_value = "http://127.0.0.1:8080"
    )]
    pub url: Address,
    /// The tenant to write to, such as mcce-g1-prod.
    #[arg(long, env = "SUNDIAL_TENANT", value_name = "SLUG", value_parser = plain)]
    pub tenant: String,
    /// File with the ingest token, read at each request, so that it can be rotated; else SUNDIAL_TOKEN holds it.
    #[arg(long, env = "SUNDIAL_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// This producer's name, on each series as the label `producer`; the source's name if absent.
    #[arg(long, env = "SUNDIAL_NAME", value_parser = plain)]
    pub name: Option<String>,
    /// Cron expression: minute hour day month weekday; six fields have seconds first, seven the year last.
    #[arg(
        long,
        env = "SUNDIAL_SCHEDULE",
        value_name = "CRON",
        default_value = "* * * * *"
    )]
    pub schedule: String,
    /// IANA time zone of the schedule, such as Europe/Vienna.
    #[arg(
        long,
        env = "SUNDIAL_TIME_ZONE",
        value_name = "ZONE",
        default_value = "UTC"
    )]
    pub time_zone: String,
    /// What to measure.
    #[arg(long, env = "SUNDIAL_SOURCE", default_value = "clock")]
    pub source: Kind,
    /// The metrics page that the source `prometheus` reads.
    #[arg(
        long,
        env = "SUNDIAL_SCRAPE_URL",
        value_name = "URL",
        value_parser = AddressParser,
        hide_env_values = true,
        required_if_eq("source", "prometheus")
    )]
    pub scrape_url: Option<Address>,
    /// Directory for what is not delivered yet; ~/.local/state/sundial-producer if absent.
    #[arg(long, env = "SUNDIAL_SPOOL", value_name = "DIR")]
    pub spool: Option<PathBuf>,
}

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// This machine's clock against the server's, and how late runs begin.
    Clock,
    /// The samples of a Prometheus metrics page.
    Prometheus,
}

/// A name that is also the name of a directory in the spool.
fn plain(text: &str) -> Result<String, &'static str> {
    let fits = text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|next| next.is_ascii_alphanumeric() || "._-".contains(next));
    if fits {
        Ok(text.into())
    } else {
        Err("write up to 64 letters, digits, '.', '_' or '-', a letter or digit first")
    }
}

impl Options {
    /// The producer's name.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(match self.source {
            Kind::Clock => "clock",
            Kind::Prometheus => "prometheus",
        })
    }

    /// The schedule, which must come due after `now`.
    ///
    /// # Errors
    /// When the expression or the zone cannot be read.
    pub fn schedule(&self, now: Timestamp) -> Result<Schedule, schedule::Unusable> {
        Schedule::new(&self.schedule, &self.time_zone, now)
    }

    /// This producer's own directory in the spool: producers and tenants never mix.
    pub fn spool(&self) -> PathBuf {
        let home = || {
            env::home_dir()
                .unwrap_or_else(env::temp_dir)
                .join(".local/state/sundial-producer")
        };
        self.spool
            .clone()
            .unwrap_or_else(home)
            .join(&self.tenant)
            .join(self.name())
    }

    /// Where the token is, which is looked at once now, so that a mistake shows at the start.
    ///
    /// # Errors
    /// When there is none.
    pub fn token(&self) -> Result<TokenSource, NoToken> {
        let source = match (&self.token_file, env::var("SUNDIAL_TOKEN")) {
            (Some(path), _) => TokenSource::File(path.clone()),
            (None, Ok(token)) if !token.trim().is_empty() => {
                TokenSource::Given(token.trim().into())
            }
            _ => {
                return Err(NoToken::Absent {
                    tenant: self.tenant.clone(),
                    name: self.name().into(),
                });
            }
        };
        source.read().map(|_| source)
    }
}

/// Where the token comes from.
#[derive(Debug)]
pub enum TokenSource {
    /// The environment.
    Given(SecretString),
    /// A file, read anew at each request.
    File(PathBuf),
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    /// None was named.
    #[error(
        "no token: set SUNDIAL_TOKEN or --token-file; create one with `sundial token create --tenant {tenant} --name {name}`"
    )]
    Absent { tenant: String, name: String },
    /// The file cannot be read.
    #[error("token file {0}: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// The file is empty.
    #[error("token file {0} is empty; write the token that `sundial token create` prints into it")]
    Empty(PathBuf),
}

impl TokenSource {
    /// The token as it is now.
    ///
    /// # Errors
    /// When the file cannot be read or is empty.
    pub fn read(&self) -> Result<SecretString, NoToken> {
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::File(path) => {
                let text = fs::read_to_string(path)
                    .map_err(|error| NoToken::Unreadable(path.clone(), error))?;
                let token = text.trim();
                if token.is_empty() {
                    Err(NoToken::Empty(path.clone()))
                } else {
                    Ok(token.into())
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn names_cannot_leave_the_spool() {
        for name in ["", "..", ".hidden", "a/b", "a b", "ä"] {
            assert!(plain(name).is_err(), "{name}");
        }
        assert!(plain("mcce-g1-prod").is_ok());
    }

    #[test]
    fn a_metrics_page_must_be_named() {
        let arguments = [
            "sundial-producer",
            "run",
            "--tenant",
            "t",
            "--source",
            "prometheus",
        ];
        let error = Arguments::try_parse_from(arguments)
            .unwrap_err()
            .to_string();
        assert!(error.contains("--scrape-url"), "{error}");
    }
}
