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
/// Longest name that infra/applications/tenants/tenant.schema.json takes, in characters.
const NAME: usize = 100;
/// What stands for something else on a cluster, as that schema has it; besides `kube-…`, `calico-…` and `…-base`.
const TAKEN: [&str; 14] = [
    "app",
    "argocd",
    "backup",
    "cert-manager",
    "default",
    "external-secrets",
    "gateway-api",
    "ingress",
    "migration",
    "monitoring",
    "nginx-gateway",
    "owner",
    "root",
    "sundial-system",
];

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
    let is_part = ["kube-", "calico-"]
        .iter()
        .any(|start| slug.starts_with(start));
    if TAKEN.contains(&slug.as_str()) || is_part || slug.ends_with("-base") {
        return Err(Error::bad_input(format!(
            "`{slug}` stands for something else on a cluster: choose another slug"
        )));
    }
    if new.name.trim().chars().count() > NAME {
        return Err(Error::bad_input(format!(
            "the name is longer than {NAME} characters"
        )));
    }
    let ends = [("-prod", "PROD"), ("-test", "TEST")];
    let end = ends
        .iter()
        .find_map(|(end, environment)| Some((slug.strip_suffix(end)?, *environment)));
    let group = new.group.as_deref().or(end.map(|(group, _)| group));
    let environment = new
        .environment
        .as_deref()
        .or(end.map(|(_, environment)| environment));
    let (Some(group), Some(environment)) = (group, environment) else {
        return Err(Error::bad_input(format!(
            "`{slug}` ends neither with -prod nor with -test: say --group and --environment"
        )));
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
        ("name", json!(new.name.trim())),
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
    fn slugs_are_refused_that_the_schema_of_tenants_refuses() {
        let schema = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../infra/applications/tenants/tenant.schema.json"
        );
        let schema = std::fs::read_to_string(schema).expect("is there");
        let schema: Value = serde_json::from_str(&schema).expect("parses");
        let (slug, name) = (&schema["properties"]["slug"], &schema["properties"]["name"]);
        assert_eq!(
            (&slug["maxLength"], &name["maxLength"]),
            (&json!(SLUG), &json!(NAME))
        );
        let refused = json!([
            { "not": { "enum": TAKEN } }, { "not": { "pattern": "^(kube|calico)-" } }, { "not": { "pattern": "-base$" } },
        ]);
        assert_eq!(slug["allOf"], refused);
        for slug in TAKEN
            .into_iter()
            .chain(["kube-a-prod", "calico-test", "a-base"])
        {
            let refusal = file(&new(slug)).expect_err("refuses").to_string();
            assert!(
                refusal.contains("stands for something else"),
                "{slug}: {refusal}"
            );
        }
    }

    #[test]
    fn what_no_tenant_may_be_is_refused() {
        let refusal = |new: New| file(&new).expect_err("refuses").to_string();
        assert!(refusal(new("g2")).contains("--group and --environment"));
        let name = "a".repeat(101);
        assert!(
            refusal(New {
                name,
                ..new("g2-prod")
            })
            .contains("longer than 100")
        );
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
