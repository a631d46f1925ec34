//! `sundial tenant`: the file that makes a tenant on a cluster.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::{
    command::{apply, say},
    error::{Error, Result},
    producer::Schedule,
    request::now,
};

/// Print the file that makes a tenant on a cluster.
#[derive(Args, Debug)]
pub struct Tenant {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Print the file of a new tenant, to be kept in infra/applications/tenants
    #[command(after_help = "Examples:
  sundial tenant new mcce-g2-prod --name 'MCCE group 2' --host mcce-g2-prod.sundial.example.org \\
      --admin mcce/g2-admins --viewer mcce > infra/applications/tenants/mcce-g2-prod.yaml")]
    New(Box<New>),
}

#[derive(Args, Debug)]
struct New {
    /// The tenant's slug, which its namespace is named by
    slug: String,
    /// Name for people
    #[arg(long)]
    name: String,
    /// The group that the tenant belongs to [default: the slug without `-prod` or `-test`]
    #[arg(long, value_name = "SLUG")]
    group: Option<String>,
    /// PROD or TEST [default: as the slug ends]
    #[arg(long, value_parser = ["PROD", "TEST"])]
    environment: Option<String>,
    /// The host that people open
    #[arg(long)]
    host: String,
    /// Who administers it: a GitHub organisation, or a team of one; may be given several times
    #[arg(long, value_name = "ORGANISATION[/TEAM]", required = true)]
    admin: Vec<String>,
    /// Who may write; may be given several times
    #[arg(long, value_name = "ORGANISATION[/TEAM]")]
    editor: Vec<String>,
    /// Who may read; may be given several times
    #[arg(long, value_name = "ORGANISATION[/TEAM]")]
    viewer: Vec<String>,
    /// When its producer runs: minute hour day month weekday
    #[arg(long, value_name = "CRON", default_value = "*/5 * * * *")]
    schedule: String,
}

/// Longest slug whose CronJob, `onboard-SLUG`, has a name that Kubernetes takes (52), and PostgreSQL its role (57).
const SLUG: usize = 44;
/// Namespaces that are there already; infra/applications/tenants/tenant.schema.json knows more names that are taken.
const TAKEN: [&str; 4] = ["default", "argocd", "cert-manager", "nginx-gateway"];

/// Runs the command.
///
/// # Errors
/// [`Error::BadInput`] for what no tenant may be.
pub fn run(command: Tenant) -> Result<()> {
    let Action::New(new) = command.action;
    say(file(&new)?.trim_end())
}

fn file(new: &New) -> Result<String> {
    let slug = &new.slug;
    if slug.len() > SLUG {
        return Err(Error::bad_input(format!(
            "`{slug}` is longer than {SLUG} characters, which objects of the cluster are named by"
        )));
    }
    if TAKEN.contains(&slug.as_str()) || slug.starts_with("kube-") || slug.starts_with("sundial-") {
        return Err(Error::bad_input(format!(
            "`{slug}` is a namespace of the cluster's own: choose another slug"
        )));
    }
    let ends = [("-prod", "PROD"), ("-test", "TEST")];
    let end = ends.iter().find(|(end, _)| slug.ends_with(end));
    let group = match (&new.group, end) {
        (Some(group), _) => group.as_str(),
        (None, Some((end, _))) => slug.strip_suffix(end).unwrap_or(slug),
        (None, None) => return Err(missing("--group", slug)),
    };
    let environment = match (&new.environment, end) {
        (Some(environment), _) => environment.as_str(),
        (None, Some((_, environment))) => environment,
        (None, None) => return Err(missing("--environment", slug)),
    };
    let is_label = |label: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(plain)
            && label.trim_matches('-') == label
    };
    if !new.host.contains('.') || new.host.len() > 253 || !new.host.split('.').all(is_label) {
        return Err(Error::bad_input(format!(
            "`{}` is no host: give a name alone, such as {slug}.sundial.example.org",
            new.host
        )));
    }
    if new.schedule.split_whitespace().count() != 5 {
        return Err(Error::bad_input(format!(
            "`{}` is no schedule of a CronJob: write five fields, minute hour day month weekday",
            new.schedule
        )));
    }
    Schedule::new(&new.schedule, "UTC")?.due_after(now())?;
    let roles = [
        ("ADMIN", &new.admin),
        ("EDITOR", &new.editor),
        ("VIEWER", &new.viewer),
    ];
    let rules = roles
        .iter()
        .flat_map(|(role, names)| names.iter().map(|name| rule(name, role)));
    let access: Vec<Value> = rules.collect();
    let tenant = json!({
        "slug": slug, "name": new.name, "group": group, "environment": environment, "access": access,
    });
    apply::check(&json!({ "tenants": [&tenant] }).to_string())
        .map_err(|error| Error::bad_input(format!("no such tenant can be: {error}")))?;
    let mut text = String::new();
    for (key, value) in [
        ("slug", json!(slug)),
        ("name", json!(new.name)),
        ("group", json!(group)),
        ("environment", json!(environment)),
        ("host", json!(new.host)),
    ] {
        text += &format!("{key}: {value}\n");
    }
    text += "access:\n";
    // JSON is YAML too, in which nothing needs another thought of quotes.
    for rule in access {
        text += &format!("  - {rule}\n");
    }
    text += &format!("producer: {}\n", json!({ "schedule": new.schedule }));
    Ok(text)
}

fn missing(option: &str, slug: &str) -> Error {
    Error::bad_input(format!(
        "`{slug}` ends neither with -prod nor with -test: say {option}"
    ))
}

fn rule(name: &str, role: &str) -> Value {
    let (organization, team) = match name.split_once('/') {
        Some((organization, team)) => (organization, Some(team)),
        None => (name, None),
    };
    let mut rule = Map::new();
    rule.insert("organization".into(), json!(organization));
    if let Some(team) = team {
        rule.insert("team".into(), json!(team));
    }
    rule.insert("role".into(), json!(role));
    Value::Object(rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(slug: &str) -> New {
        New {
            slug: slug.into(),
            name: "Group: 2".into(),
            group: None,
            environment: None,
            host: "g2.example.org".into(),
            admin: vec!["mcce/g2-admins".into()],
            editor: vec![],
            viewer: vec!["mcce".into()],
            schedule: "*/5 * * * *".into(),
        }
    }

    #[test]
    fn file_is_that_of_a_tenant() {
        let told = file(&new("mcce-g2-prod")).expect("writes");
        assert!(told.starts_with("slug: \"mcce-g2-prod\"\nname: \"Group: 2\"\ngroup: \"mcce-g2\"\nenvironment: \"PROD\"\n"), "{told}");
        assert!(told.contains("access:\n  - {"), "{told}");
        assert!(told.contains("\"team\":\"g2-admins\""), "{told}");
        let other = New {
            group: Some("g".into()),
            environment: Some("TEST".into()),
            ..new("g2")
        };
        assert!(
            file(&other)
                .expect("writes")
                .contains("group: \"g\"\nenvironment: \"TEST\"")
        );
    }

    #[test]
    fn what_no_tenant_may_be_is_refused() {
        let refusal = |new: New| file(&new).expect_err("refuses").to_string();
        assert!(refusal(new("g2")).contains("--group"));
        assert!(refusal(new("G2-prod")).contains("is no slug"));
        assert!(refusal(new(&format!("{}-prod", "a".repeat(45)))).contains("longer than 44"));
        assert!(
            refusal(New {
                host: "https://g2.example.org".into(),
                ..new("g2-prod")
            })
            .contains("is no host")
        );
        for host in ["..-", "a..b", "-a.b"] {
            let host = host.to_owned();
            assert!(
                refusal(New {
                    host,
                    ..new("g2-prod")
                })
                .contains("is no host")
            );
        }
        for schedule in ["nonsense", "61 * * * *", "* * * * * *"] {
            let schedule = schedule.to_owned();
            assert!(
                file(&New {
                    schedule,
                    ..new("g2-prod")
                })
                .is_err()
            );
        }
        assert!(
            refusal(New {
                admin: vec!["a,b/c".into()],
                ..new("g2-prod")
            })
            .contains("is no GitHub organisation")
        );
        assert!(
            refusal(New {
                name: " ".into(),
                ..new("g2-prod")
            })
            .contains("needs a name")
        );
    }
}
