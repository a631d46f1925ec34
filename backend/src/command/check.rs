//! `sundial check`: what a deployment needs, each ok or what to do.

use jiff::{Timestamp, fmt::rfc2822};

use crate::{
    config::ServeConfig,
    error::{Error, Result},
    guard::{Backend, Pool, system},
};

/// The clock may be off by this many seconds before points and sessions go wrong.
const CLOCK: i64 = 30;

/// Runs the command.
///
/// # Errors
/// [`Error::Conflict`] when something is not as it must be; each is told before.
pub async fn run(config: ServeConfig) -> Result<()> {
    let mut faults = 0;
    let mut tell = |what: &str, problems: Vec<String>| {
        if problems.is_empty() {
            println!("ok    {what}");
        }
        for problem in problems {
            faults += 1;
            println!("FAULT {what}: {problem}");
        }
    };
    match Pool::open(&config.database.url, config.database.connections).await {
        Ok(pool) => {
            tell("database", Vec::new());
            let missing = pool
                .migrations()
                .await
                .into_iter()
                .filter(|(_, applied)| !applied);
            let missing: Vec<String> = missing.map(|(name, _)| name).collect();
            let to_do = || {
                format!(
                    "{} are missing: run `sundial migrate up`",
                    missing.join(", ")
                )
            };
            tell(
                "migrations",
                if missing.is_empty() {
                    Vec::new()
                } else {
                    vec![to_do()]
                },
            );
            match pool.backend() {
                Backend::Postgres => tell("row-level security", system::fence_faults(&pool).await?),
                Backend::Sqlite => println!(
                    "-     row-level security: SQLite has none; the file is this deployment's own"
                ),
            }
            pool.close().await;
        }
        Err(error) => tell("database", vec![error.to_string()]),
    }
    match config.github.credentials() {
        Ok(Some(_)) => tell("sign-in", Vec::new()),
        Ok(None) => println!(
            "-     sign-in: no OAuth app is set, so only ingest tokens count; see SUNDIAL_GITHUB_CLIENT_ID"
        ),
        Err(error) => tell("sign-in", vec![error.to_string()]),
    }
    match reqwest::Client::new()
        .get(config.github.api_url.clone())
        .header("user-agent", "sundial")
        .timeout(std::time::Duration::from_secs(10))
        .send()
        .await
    {
        Ok(response) => {
            tell("GitHub", Vec::new());
            let date = response
                .headers()
                .get("date")
                .and_then(|date| date.to_str().ok());
            let theirs = date
                .and_then(|date| rfc2822::parse(date).ok())
                .map(|date| date.timestamp());
            if let Some(theirs) = theirs {
                let off = Timestamp::now().as_second() - theirs.as_second();
                let problem = format!("differs from GitHub's by {off} s: set it by NTP");
                tell(
                    "clock",
                    if off.abs() > CLOCK {
                        vec![problem]
                    } else {
                        Vec::new()
                    },
                );
            }
        }
        Err(error) => tell(
            "GitHub",
            vec![format!(
                "{} does not answer: {}",
                config.github.api_url,
                error.without_url()
            )],
        ),
    }
    match faults {
        0 => Ok(()),
        1 => Err(Error::Conflict("1 fault".into())),
        many => Err(Error::Conflict(format!("{many} faults"))),
    }
}
