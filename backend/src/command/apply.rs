//! `sundial apply`: tenants and access rules from a file that is kept in Git.

use std::{collections::BTreeSet, path::PathBuf};

use clap::Args;
use serde::Deserialize;

use crate::{
    command::{open, say},
    config::DatabaseConfig,
    error::{Error, Result},
    guard::{
        Admin, TenantScope, is_slug, system,
        table::{
            access_rule::{self, RoleName},
            audit_event::Action,
            tenant,
        },
    },
    request::now,
    tenant::store,
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

Examples:
  sundial apply tenants.yaml --dry-run
  sundial apply tenants.yaml --database-url postgres://sundial_owner@db/sundial")]
pub struct Apply {
    /// YAML file
    file: PathBuf,
    /// Only tell what would change
    #[arg(long)]
    dry_run: bool,
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
    #[serde(default)]
    team: Option<String>,
    role: Role,
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
/// [`Error::BadInput`] with the place in the file, and what the database says.
pub async fn run(command: Apply) -> Result<()> {
    let place = command.file.display();
    let text = std::fs::read_to_string(&command.file)
        .map_err(|error| Error::bad_input(format!("the file {place}: {error}")))?;
    let file = parse(&text).map_err(|error| {
        // The parser begins with that word itself.
        let error = error.strip_prefix("error: ").unwrap_or(&error);
        Error::bad_input(format!("the file {place}: {error}"))
    })?;
    let pool = open(&command.database).await?;
    let now = now();
    for tenant in &file.tenants {
        let environment = match tenant.environment {
            Environment::Prod => tenant::Environment::Prod,
            Environment::Test => tenant::Environment::Test,
        };
        let (scope, made) = system::found(
            &pool,
            &tenant.slug,
            &tenant.name,
            &tenant.group,
            environment,
            now,
        )
        .await?;
        if made {
            scope
                .audit(
                    Action::TenantSet,
                    &format!("tenant {}", tenant.slug),
                    "made",
                    now,
                )
                .await?;
        }
        let changes = store::set_access_rules(&scope, &rules(&scope, tenant), now).await?;
        let what = match (made, changes.is_empty()) {
            (true, _) => "new",
            (false, true) => "as it was",
            (false, false) => "changed",
        };
        // What is dropped without a commit has not happened.
        if !command.dry_run {
            scope.commit().await?;
        }
        say(format_args!("{}: {what}", tenant.slug))?;
        for change in changes {
            say(format_args!("  {change}"))?;
        }
    }
    if command.dry_run {
        say("nothing was written: this was a dry run")?;
    }
    pool.close().await;
    Ok(())
}

fn rules(scope: &TenantScope<Admin>, tenant: &Tenant) -> Vec<access_rule::Model> {
    let rules = tenant.access.iter().map(|rule| access_rule::Model {
        tenant_id: scope.tenant().id,
        organization: rule.organization.to_lowercase(),
        team: rule.team.as_deref().unwrap_or_default().to_lowercase(),
        role: match rule.role {
            Role::Viewer => RoleName::Viewer,
            Role::Editor => RoleName::Editor,
            Role::Admin => RoleName::Admin,
        },
    });
    rules.collect()
}

fn parse(text: &str) -> Result<File, String> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let mut slugs = BTreeSet::new();
    for tenant in &file.tenants {
        let slug = &tenant.slug;
        for (field, value) in [("slug", slug), ("group", &tenant.group)] {
            if !is_slug(value) {
                return Err(format!(
                    "`{value}` is no {field}: 1 to 63 of a-z, 0-9 and -, with a letter first and no - last"
                ));
            }
        }
        if !slugs.insert(slug) {
            return Err(format!("the tenant {slug} stands there twice"));
        }
        let name = tenant.name.trim();
        if name.is_empty() || name.len() > 200 || name.chars().any(char::is_control) {
            return Err(format!(
                "the tenant {slug} needs a name of 1 to 200 bytes, without control characters"
            ));
        }
        if tenant.access.is_empty() {
            return Err(format!(
                "the tenant {slug} has no access rule: nobody could enter"
            ));
        }
        let mut named = BTreeSet::new();
        for rule in &tenant.access {
            let team = rule.team.as_deref();
            if !is_login(&rule.organization) || team.is_some_and(|team| !is_login(team)) {
                return Err(format!(
                    "an access rule of {slug} names no GitHub organisation or team: a login such as `mcce`, and a \
                     team's slug such as `g1-admins`"
                ));
            }
            if !named.insert((
                rule.organization.to_lowercase(),
                team.map(str::to_lowercase),
            )) {
                return Err(format!(
                    "two access rules of {slug} name the same organisation and team"
                ));
            }
        }
    }
    Ok(file)
}

fn is_login(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
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
        let file = parse(&with("a-prod", "b-prod")).expect("reads");
        assert_eq!(file.tenants[0].slug, "b-prod");
    }

    #[test]
    fn faults_are_told_in_words() {
        let refusal = |from, to| parse(&with(from, to)).err().unwrap_or_default();
        assert!(refusal("a-prod", "A prod").contains("is no slug"));
        assert!(refusal("group: a", "group: A").contains("is no group"));
        assert!(refusal("name: A", "name: ' '").contains("needs a name"));
        assert!(
            refusal("organization: mcce", "organization: 'a,b'")
                .contains("names no GitHub organisation")
        );
        assert!(refusal("organization: mcce, ", "").contains("organization"));
        assert!(refusal("ADMIN", "OWNER").contains("OWNER"));
        assert!(refusal("environment", "environnement").contains("environnement"));
    }
}
