//! A scheduled producer of time data for Sundial.
//!
//! ```text
//! cli.rs        arguments            schedule.rs   when runs are due (pure)
//! once.rs       one run              source/       what is measured
//! run.rs        the schedule, kept   spool.rs      what waits, on disk
//! client.rs     GraphQL over HTTP    delivery.rs   from the spool to the server
//! request.rs    what is sent         address.rs    where to, without the password
//! report.rs     how runs ended, told to the server
//! ```
//!
//! Invariant: it knows the server by `backend/schema.graphql` alone.

mod address;
mod cli;
mod client;
mod delivery;
mod once;
mod operation;
mod report;
mod request;
mod run;
mod schedule;
mod seldom;
mod series;
mod source;
mod spool;
mod stop;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use jiff::Timestamp;
use tracing::error;
use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, filter::filter_fn, fmt, prelude::*};

use cli::{Arguments, Command, Options};
use client::Client;
use stop::Stop;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log();
    let outcome = match Stop::listen() {
        Err(error) => Err(error.into()),
        Ok(stop) => match &arguments.command {
            Command::Once(arguments) => once::once(arguments, &stop).await,
            Command::Run(options) => run::run(options, &stop).await,
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            error!("{failed}");
            ExitCode::from(failed.code())
        }
    }
}

/// Logs go to standard error: for people where that is a terminal, else as JSON.
fn log() {
    let filter = EnvFilter::try_from_env("SUNDIAL_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = io::stderr().is_terminal();
    let registry = tracing_subscriber::registry()
        .with(filter_fn(may_be_told))
        .with(filter);
    let log = fmt::layer().with_writer(io::stderr);
    if terminal {
        registry.with(log.compact().with_target(false)).init();
    } else {
        registry.with(log.json().flatten_event(true)).init();
    }
}

/// Whether a line may be told whatever `RUST_LOG` says. Below `info`, libraries show what they carry.
fn may_be_told(line: &Metadata<'_>) -> bool {
    *line.level() <= Level::INFO || line.target().starts_with("sundial_producer")
}

/// The client that the options name.
fn settle(options: &Options) -> Result<Client, Failed> {
    Ok(Client::new(
        &options.url,
        &options.tenant,
        options.name(),
        options.token()?,
    )?)
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Schedule(#[from] schedule::Unusable),
    #[error(transparent)]
    Token(#[from] cli::NoToken),
    #[error("{slot} is no slot of the schedule{}", latest.map(|latest| format!("; the one before it is {latest}")).unwrap_or_default())]
    NoSlot {
        slot: Timestamp,
        latest: Option<Timestamp>,
    },
    #[error("the schedule has no slot yet")]
    NoSlotYet,
    #[error("nothing was measured: {0}")]
    Nothing(source::Trouble),
    #[error("stopped before anything was measured")]
    Stopped,
    #[error(transparent)]
    Undelivered(#[from] delivery::Undelivered),
    #[error(transparent)]
    Spool(#[from] spool::Unusable),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("HTTP cannot be set up: {0}")]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Unwritable(#[from] request::Unwritable),
}

impl Failed {
    /// 2 where the arguments are wrong, as for those that cannot be read at all; else 1.
    fn code(&self) -> u8 {
        match self {
            Self::Schedule(_) | Self::Token(_) | Self::NoSlot { .. } | Self::NoSlotYet => 2,
            _ => 1,
        }
    }
}
