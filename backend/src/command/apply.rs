//! `sundial apply`: tenants and access rules from a file that is kept in Git.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::{Deserialize, Deserializer};

use crate::{
    access::{
        change::Change,
        rule::{Given, Rules},
        store::{self, By},
    },
    command::{open, open_existing, ready, say},
    config::DatabaseConfig,
    error::{Error, Result},
    guard::{
        Admin, Pool, TenantScope, is_plain, is_slug, system,
        table::{access_rule::RoleName, audit_event::Action, tenant},
    },
    request::now,
};

/// Make tenants and access rules what a file says. Tenants that the file does not name stay as they are.
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

Examples:
  sundial apply tenants.yaml --dry-run
  sundial apply tenants.yaml --database-url postgres://sundial_owner@db/sundial")]
pub struct Apply {
    /// YAML file
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tenants: Vec<Tenant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tenant {
    slug: String,
    name: String,
    group: String,
    environment: Environment,
    access: Vec<Rule>,
    #[serde(default)]
    quota: Quota,
}

/// What a tenant may store; any number of what is left out.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Quota {
    points: Option<i64>,
    bytes: Option<i64>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "UPPERCASE")]
enum Environment {
    Prod,
    Test,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    organization: String,
    /// Left out for every member; a name that a template left empty is none, and not everybody.
    #[serde(default, deserialize_with = "stated")]
    team: Option<String>,
    role: Role,
}

fn stated<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "UPPERCASE")]
enum Role {
    Viewer,
    Editor,
    Admin,
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

/// The tenants of a file.
///
/// # Errors
/// [`Error::BadInput`] with the place in it.
pub(super) fn read(file: &Path) -> Result<Vec<Wanted>> {
    let place = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Error::bad_input(format!("the file {place}: {error}")))?;
    parse(&text).map_err(|error| {
        // The parser begins with that word itself.
        let error = error.strip_prefix("error: ").unwrap_or(&error);
        Error::bad_input(format!("the file {place}: {error}"))
    })
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
    /// What else is new about the tenant, in words.
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

/// A tenant as it shall be, checked.
pub(super) struct Wanted {
    pub(super) slug: String,
    name: String,
    group: String,
    environment: tenant::Environment,
    quota_points: Option<i64>,
    quota_bytes: Option<i64>,
    rules: Rules,
}

/// That a file of this text could be applied.
pub(super) fn check(text: &str) -> Result<(), String> {
    parse(text).map(|_| ())
}

fn parse(text: &str) -> Result<Vec<Wanted>, String> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let mut slugs = BTreeSet::new();
    let mut wanted = Vec::new();
    for tenant in file.tenants {
        let slug = &tenant.slug;
        for (field, value) in [("slug", slug), ("group", &tenant.group)] {
            if !is_slug(value) {
                return Err(format!(
                    "`{value}` is no {field}: 1 to 63 of a-z, 0-9 and -, with a letter first and no - last"
                ));
            }
        }
        if !slugs.insert(slug.clone()) {
            return Err(format!("the tenant {slug} stands there twice"));
        }
        let name = tenant.name.trim();
        if name.is_empty() || name.len() > 200 || !is_plain(name) {
            return Err(format!(
                "the tenant {slug} needs a name of 1 to 200 bytes, none of them invisible"
            ));
        }
        let quota = |what: &str, most: Option<i64>| match most {
            Some(most) if most < 0 => Err(format!(
                "the tenant {slug}: the quota of {what} is {most}: give a number from 0 on, or leave it out"
            )),
            most => Ok(most),
        };
        let (quota_points, quota_bytes) = (
            quota("points", tenant.quota.points)?,
            quota("bytes", tenant.quota.bytes)?,
        );
        let given: Vec<Given> = tenant.access.into_iter().map(Given::from).collect();
        let rules =
            Rules::try_from(given).map_err(|error| format!("the tenant {slug}: {error}"))?;
        wanted.push(Wanted {
            slug: tenant.slug,
            name: name.to_owned(),
            group: tenant.group,
            environment: match tenant.environment {
                Environment::Prod => tenant::Environment::Prod,
                Environment::Test => tenant::Environment::Test,
            },
            quota_points,
            quota_bytes,
            rules,
        });
    }
    Ok(wanted)
}

impl From<Rule> for Given {
    fn from(rule: Rule) -> Self {
        Given {
            organization: rule.organization,
            team: rule.team,
            role: match rule.role {
                Role::Viewer => RoleName::Viewer,
                Role::Editor => RoleName::Editor,
                Role::Admin => RoleName::Admin,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(from: &str, to: &str) -> String {
        let text = "tenants:\n  - slug: a-prod\n    name: A\n    group: a\n    environment: PROD\n    access:\n      \
                    - { organization: mcce, team: g1, role: ADMIN }\n";
        assert!(text.contains(from));
        text.replace(from, to)
    }

    #[test]
    fn file_is_read() {
        let tenants = parse(&with("a-prod", "b-prod")).expect("reads");
        assert_eq!(tenants[0].slug, "b-prod");
        assert_eq!(tenants[0].rules.rows().len(), 1);
        assert_eq!(tenants[0].quota_points, None);
        let text = with("group: a", "group: a\n    quota: { points: 5, bytes: 0 }");
        let tenants = parse(&text).expect("reads");
        assert_eq!(
            (tenants[0].quota_points, tenants[0].quota_bytes),
            (Some(5), Some(0))
        );
    }

    #[test]
    fn faults_are_told_in_words() {
        let refusal = |from, to| parse(&with(from, to)).err().unwrap_or_default();
        assert!(refusal("a-prod", "A prod").contains("is no slug"));
        assert!(refusal("group: a", "group: A").contains("is no group"));
        assert!(refusal("name: A", "name: ' '").contains("needs a name"));
        assert!(
            refusal("organization: mcce", "organization: 'a,b'")
                .contains("the tenant a-prod: `a,b` is no GitHub organisation")
        );
        for blank in ["team: ''", "team: ", "team: null", "team: ~"] {
            assert_ne!(refusal("team: g1", blank), "", "{blank}");
        }
        assert!(refusal("organization: mcce, ", "").contains("organization"));
        assert!(refusal("ADMIN", "OWNER").contains("OWNER"));
        assert!(refusal("group: a", "group: a\n    quota: { points: -1 }").contains("is -1"));
        assert!(refusal("group: a", "group: a\n    quota: { rows: 1 }").contains("rows"));
        assert!(refusal("environment", "environnement").contains("environnement"));
    }
}
