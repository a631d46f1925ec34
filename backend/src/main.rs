//! Arguments, logs, and the command that was asked for.

use std::{io::IsTerminal, process::ExitCode};

use clap::{Parser, Subcommand};
use sundial::{
    api::schema,
    command::{apply, check, compact, import, migrate, onboard, say, serve, tenant, token},
    config::{self, LogFormat, ServeConfig},
};
use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, filter::filter_fn, fmt, prelude::*};

/// Requests make many small things for a short time: it takes a tenth less of their time than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Sundial, a self-hosted, multi-tenant time-data service
#[derive(Parser)]
#[command(
    version,
    after_help = "Each option can also be set in the environment or in a file (--config). Examples:
  sundial serve --database-url sqlite:sundial.db
  sundial apply tenants.yaml --dry-run
  sundial token create --tenant mcce-g1-prod --name clock"
)]
struct Arguments {
    /// TOML file with settings by the names of the options: `listen = "0.0.0.0:8080"`
    #[arg(long, global = true, env = "SUNDIAL_CONFIG", value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server; on SQLite it brings the tables up to date first
    Serve(Box<ServeConfig>),
    /// Bring the database's tables up to date, take changes back, or list them
    Migrate(migrate::Migrate),
    /// Make tenants and access rules what a file says
    Apply(apply::Apply),
    /// Print the file that makes a tenant on a cluster
    Tenant(tenant::Tenant),
    /// Give a tenant's namespace on a cluster what it logs in with
    Onboard(onboard::Onboard),
    /// Create, list, rotate and revoke ingest tokens
    Token(token::Token),
    /// Make chunks of what was written; the server does it by itself
    Compact(compact::Compact),
    /// Write points from a file of CSV, NDJSON or InfluxDB's line protocol
    Import(import::Import),
    /// Print the API's schema
    Schema,
    /// Check database, migrations, row-level security, GitHub and the clock
    Check(Box<ServeConfig>),
}

fn main() -> ExitCode {
    if cfg!(feature = "filterless") {
        return fail("this program is built for the tests of isolation, and does nothing else");
    }
    let arguments: Arguments = match config::parse() {
        Ok(arguments) => arguments,
        Err(error) => return fail(&error.to_string()),
    };
    let format = match &arguments.command {
        Command::Serve(config) => config.log_format,
        _ => LogFormat::Auto,
    };
    log(format, matches!(arguments.command, Command::Serve(_)));
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("the runtime did not start: {error}")),
    };
    let done = runtime.block_on(async {
        match arguments.command {
            Command::Serve(config) => serve::run(*config).await,
            Command::Migrate(command) => migrate::run(command).await,
            Command::Apply(command) => apply::run(command).await,
            Command::Tenant(command) => tenant::run(command),
            Command::Onboard(command) => onboard::run(command).await,
            Command::Token(command) => token::run(command).await,
            Command::Compact(command) => compact::run(command).await,
            Command::Import(command) => import::run(command).await,
            Command::Schema => say(schema::sdl().trim_end()),
            Command::Check(config) => check::run(*config).await,
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(words: &str) -> ExitCode {
    eprintln!("error: {words}");
    ExitCode::FAILURE
}

/// Whether a line may be told, or a span named, whatever `SUNDIAL_LOG` says. Below `info`, libraries show what they carry,
/// which is tokens and passwords.
fn may_be_told(line: &Metadata<'_>) -> bool {
    let ours = line.target() == "sundial" || line.target().starts_with("sundial::");
    *line.level() <= Level::INFO || ours
}

/// The server's lines go to standard output; of other commands that is where their result goes.
fn log(format: LogFormat, serves: bool) {
    let quiet = if serves { "info" } else { "warn" };
    // PostgreSQL tells of each policy that is not there to be dropped; and each start would tell that there is nothing to
    // migrate.
    let filter = EnvFilter::try_from_env("SUNDIAL_LOG").unwrap_or_else(|_| {
        EnvFilter::new(format!(
            "{quiet},sqlx::postgres::notice=error,sea_orm_migration=warn"
        ))
    });
    let registry = tracing_subscriber::registry()
        .with(filter_fn(may_be_told))
        .with(filter);
    let json = match format {
        LogFormat::Auto => !std::io::stdout().is_terminal(),
        LogFormat::Pretty => false,
        LogFormat::Json => true,
    };
    match (serves, json) {
        (true, true) => registry
            .with(fmt::layer().json().flatten_event(true))
            .init(),
        (true, false) => registry.with(fmt::layer()).init(),
        (false, _) => registry
            .with(fmt::layer().with_writer(std::io::stderr))
            .init(),
    }
}
