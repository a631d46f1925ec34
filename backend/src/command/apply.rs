//! `sundial apply`: tenants, their access rules, retention and producers from a file that is kept in Git.

mod file;

use std::path::PathBuf;

use clap::Args;

use self::file::Wanted;
pub(super) use self::file::{check, read};
use crate::{
    access::{
        change::Change,
        store::{self, By},
    },
    command::{counted, open, open_existing, ready, say},
    config::DatabaseConfig,
    error::{Error, Result},
    guard::{
        Admin, Pool, TenantScope, system,
        table::{audit_event::Action, tenant},
    },
    point::store::{
        retention::{Retention, set_retention},
        usage,
    },
    producer::{self, Settings, settings::words},
    request::now,
};

/// Make tenants, their access rules, retention and producers what a file says. What it does not name stays as it is.
#[derive(Args, Debug)]
#[command(after_help = "A file:
  tenants:
    - slug: mcce-g1-prod
      name: MCCE group 1
      group: mcce-g1
      environment: PROD          # or TEST
      access:
        - { organization: mcce, team: g1-admins, role: ADMIN }
        - { organization: mcce, role: VIEWER }    # every member
      quota: { points: 100000000, bytes: 1000000000 }    # what it may store; any number without
      retentionDays: 365         # how long points are kept, by their time; null for good
      producers:
        - { name: clock, schedule: '*/5 * * * *', timeZone: Europe/Vienna, grace: 2m }

Examples:
  sundial apply tenants.yaml
  sundial apply tenants.yaml --dry-run --database-url postgres://sundial_owner@db/sundial")]
pub struct Apply {
    /// YAML file, or - for standard input
    file: PathBuf,
    /// Only tell what would change, and which known people gain and lose by it
    #[arg(long)]
    dry_run: bool,
    /// Apply it even if a tenant is left without a known administrator
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    database: DatabaseConfig,
}

/// Runs the command: everything in the file is checked before anything is written.
///
/// # Errors
/// [`Error::BadInput`] with the place in the file, [`Error::Conflict`] when a tenant would be left without an
/// administrator, and what the database says.
pub async fn run(command: Apply) -> Result<()> {
    let tenants = read(&command.file)?;
    let pool = match command.dry_run {
        true => ready(open_existing(&command.database).await?).await?,
        false => open(&command.database).await?,
    };
    if command.dry_run {
        try_out(&pool, &tenants, command.force, true).await?;
        say("nothing was written: this was a dry run")?;
    } else {
        write(&pool, &tenants, command.force).await?;
    }
    pool.close().await;
    Ok(())
}

/// Makes tenants and access rules what they shall be, and tells what that changes.
///
/// # Errors
/// [`Error::Conflict`] when a tenant would be left without an administrator, unless `force` says that it may be; and what
/// the database says.
pub(super) async fn write(pool: &Pool, tenants: &[Wanted], force: bool) -> Result<()> {
    try_out(pool, tenants, force, false).await?;
    for tenant in tenants {
        let (scope, outcome) = Outcome::of(pool, tenant, now()).await?;
        if !force {
            outcome
                .change
                .check_administrator(&tenant.slug, "`--force`")?;
        }
        scope.commit().await?;
        outcome.tell(&tenant.slug)?;
    }
    Ok(())
}

/// Goes through it without a commit, so that no tenant changes where another one must not.
async fn try_out(pool: &Pool, tenants: &[Wanted], force: bool, tell: bool) -> Result<()> {
    let mut stranded = Vec::new();
    for tenant in tenants {
        let (scope, outcome) = Outcome::of(pool, tenant, now()).await?;
        drop(scope);
        if tell {
            outcome.tell(&tenant.slug)?;
        }
        if !force
            && let Err(error) = outcome
                .change
                .check_administrator(&tenant.slug, "`--force`")
        {
            stranded.push(error.to_string());
        }
    }
    if stranded.is_empty() {
        return Ok(());
    }
    stranded.push("nothing was written".into());
    Err(Error::Conflict(stranded.join("\n")))
}

/// What applying does to one tenant.
struct Outcome {
    made: bool,
    /// What is new about the tenant besides its access rules, in words.
    news: Vec<String>,
    change: Change,
}

impl Outcome {
    /// Of `tenant`, done in a scope that may be committed.
    async fn of(pool: &Pool, tenant: &Wanted, now: i64) -> Result<(TenantScope<Admin>, Self)> {
        let (scope, before) = system::found(
            pool,
            &tenant.slug,
            &tenant.name,
            &tenant.group,
            tenant.environment,
            now,
        )
        .await?;
        let change = store::plan(&scope, &tenant.rules, By::Operator).await?;
        // First: whoever changes chunks and counters takes what keeps the chunks before the counters' row.
        let mut settings = Vec::new();
        if let Some(retention) = tenant.retention {
            settings.extend(keep(&scope, retention, now).await?);
        }
        for wanted in &tenant.producers {
            settings.extend(expect(&scope, wanted, now).await?);
        }
        let made = before.is_none();
        let mut news = before.map_or_else(Vec::new, |before| news(&before, scope.tenant()));
        news.extend(quota_news(scope.tenant(), tenant));
        system::set_quota(&scope, tenant.quota_points, tenant.quota_bytes).await?;
        let made_words = made.then(|| "made".to_owned());
        let detail: Vec<String> = made_words.into_iter().chain(news.iter().cloned()).collect();
        let detail = &detail.join("\n");
        if !detail.is_empty() {
            let subject = format!("tenant {}", tenant.slug);
            scope
                .audit(Action::TenantSet, &subject, detail, now)
                .await?;
        }
        store::set_access_rules(&scope, tenant.rules.rows(), now).await?;
        // They have their own entries in the audit log.
        news.extend(settings);
        Ok((scope, Outcome { made, news, change }))
    }

    fn tell(&self, slug: &str) -> Result<()> {
        let same = self.news.is_empty() && self.change.rules.is_empty();
        let what = match (self.made, same) {
            (true, _) => "new",
            (false, true) => "as it was",
            (false, false) => "changed",
        };
        say(format_args!("{slug}: {what}"))?;
        for line in &self.news {
            say(format_args!("  {line}"))?;
        }
        for rule in &self.change.rules {
            say(format_args!("  {rule}"))?;
        }
        for person in &self.change.gains {
            say(format_args!("  gains: {person}"))?;
        }
        for person in &self.change.loses {
            say(format_args!("  loses: {person}"))?;
        }
        Ok(())
    }
}

/// Keeps points as long as the file says, and tells so where that is news.
async fn keep(
    scope: &TenantScope<Admin>,
    retention: Retention,
    now: i64,
) -> Result<Option<String>> {
    if usage(scope).await?.retention == retention.micros() {
        return Ok(None);
    }
    let deleted = set_retention(scope, retention, now).await?;
    let deleted = counted(deleted.points.unsigned_abs(), "point");
    Ok(Some(format!(
        "points are kept {retention}: {deleted} deleted"
    )))
}

/// Expects a producer's runs as the file says, and tells so where that is news.
async fn expect(
    scope: &TenantScope<Admin>,
    settings: &Settings,
    now: i64,
) -> Result<Option<String>> {
    let (producer, changed) = producer::store::set(scope, settings, now).await?;
    Ok(changed.then(|| {
        format!(
            "producer {}: {} ({}), grace {}",
            producer.name,
            producer.schedule,
            producer.time_zone,
            words(producer.grace)
        )
    }))
}

/// What of a tenant is not as it was, a line each.
fn news(before: &tenant::Model, after: &tenant::Model) -> Vec<String> {
    [
        ("name", after.name.clone(), before.name.clone()),
        ("group", after.group.clone(), before.group.clone()),
        (
            "environment",
            after.environment.to_string(),
            before.environment.to_string(),
        ),
    ]
    .into_iter()
    .filter(|(_, now, was)| now != was)
    .map(|(what, now, was)| format!("{what}: {now}, was {was}"))
    .collect()
}

/// What of a tenant's quota is not as it was, a line each.
fn quota_news(was: &tenant::Model, wanted: &Wanted) -> Vec<String> {
    let words = |quota: Option<i64>| quota.map_or("none".to_owned(), |quota| quota.to_string());
    [
        ("points", wanted.quota_points, was.quota_points),
        ("bytes", wanted.quota_bytes, was.quota_bytes),
    ]
    .into_iter()
    .filter(|(_, now, was)| now != was)
    .map(|(what, now, was)| format!("quota of {what}: {}, was {}", words(now), words(was)))
    .collect()
}
