//! `sundial check`: what a deployment needs, each ok or what to do.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::Response;

use crate::{
    command::{open_existing, say},
    config::{GithubConfig, ServeConfig},
    error::{Error, Result},
    guard::{Backend, Pool, system},
    identity::Identity,
};

/// The clock may be off by this many seconds before points and sessions go wrong.
const CLOCK: i64 = 30;
/// How long GitHub may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Runs the command.
///
/// # Errors
/// [`Error::Conflict`] when something is not as it must be; each is told before.
pub async fn run(config: ServeConfig) -> Result<()> {
    let mut report = Report { faults: 0 };
    match open_existing(&config.database).await {
        Ok(pool) => {
            report.ok("database")?;
            let checked = check_database(&mut report, &pool, config.tenant()).await;
            pool.close().await;
            checked?;
        }
        Err(error) => report.fault("database", error)?,
    }
    if matches!(config.github.credentials(), Ok(Some(_))) {
        check_github(&mut report, &config.github).await?;
    }
    match Identity::check(&config.github, config.public_url()).await {
        Ok(true) => report.ok("sign-in")?,
        // Then GitHub is never asked.
        Ok(false) => report.open(
            "sign-in: no OAuth app is set, so only ingest tokens count; see SUNDIAL_GITHUB_CLIENT_ID",
        )?,
        Err(error) => report.fault("sign-in", error)?,
    }
    match report.faults {
        0 => Ok(()),
        1 => Err(Error::Conflict("1 fault".into())),
        many => Err(Error::Conflict(format!("{many} faults"))),
    }
}

async fn check_database(report: &mut Report, pool: &Pool, tenant: Option<&str>) -> Result<()> {
    let migrations = pool.migrations().await;
    let missing = migrations.into_iter().filter(|(_, applied)| !applied);
    let missing: Vec<String> = missing.map(|(name, _)| name).collect();
    if !missing.is_empty() {
        let words = missing.join(", ");
        // Nothing else can be told of tables that are not there.
        return report.fault(
            "migrations",
            format!(
                "run `sundial migrate up`, on PostgreSQL with --application-role ROLE, for these are missing, or the \
                 server's role may not see them: {words}"
            ),
        );
    }
    report.ok("migrations")?;
    let mut pool = pool.clone();
    if let Some(slug) = tenant {
        match pool.clone().pinned_to(slug).await {
            Ok(pinned) => {
                report.ok("tenant")?;
                pool = pinned;
            }
            Err(Error::NotFound(_)) => {
                let words = format!(
                    "there is no tenant {slug}, or the server's role is bound to another: make it with `sundial apply`, \
                     or log in with its own role"
                );
                report.fault("tenant", words)?;
            }
            Err(error) => report.fault("tenant", format!("{slug}: {error}"))?,
        }
    }
    if pool.backend() == Backend::Sqlite {
        return report
            .open("row-level security: SQLite has none; the file is this deployment's own");
    }
    let faults = system::fence_faults(&pool).await?;
    for fault in &faults {
        report.fault("row-level security", fault)?;
    }
    if faults.is_empty() {
        report.ok("row-level security")?;
    }
    Ok(())
}

async fn check_github(report: &mut Report, github: &GithubConfig) -> Result<()> {
    let asked = reqwest::Client::new()
        .get(github.api_url.clone())
        .header("user-agent", "sundial")
        .timeout(TIMEOUT)
        .send()
        .await;
    let response = match asked {
        Ok(response) => response,
        Err(error) => {
            let mut words = format!("{} does not answer", github.api_url);
            let error = error.without_url();
            let mut cause: Option<&dyn std::error::Error> = Some(&error);
            while let Some(error) = cause {
                words.push_str(&format!(": {error}"));
                cause = error.source();
            }
            return report.fault("GitHub", words);
        }
    };
    report.ok("GitHub")?;
    let Some(theirs) = date(&response) else {
        return Ok(());
    };
    let off = Timestamp::now().as_second() - theirs.as_second();
    if off.abs() > CLOCK {
        return report.fault(
            "clock",
            format!("differs from GitHub's by {off} s: set it by NTP"),
        );
    }
    report.ok("clock")
}

fn date(response: &Response) -> Option<Timestamp> {
    let date = response.headers().get("date")?.to_str().ok()?;
    Some(rfc2822::parse(date).ok()?.timestamp())
}

/// What is told, a line for each thing that was looked at.
struct Report {
    faults: usize,
}

impl Report {
    fn ok(&self, what: &str) -> Result<()> {
        say(format_args!("ok    {what}"))
    }

    fn open(&self, words: &str) -> Result<()> {
        say(format_args!("-     {words}"))
    }

    fn fault(&mut self, what: &str, problem: impl std::fmt::Display) -> Result<()> {
        self.faults += 1;
        say(format_args!("FAULT {what}: {problem}"))
    }
}
