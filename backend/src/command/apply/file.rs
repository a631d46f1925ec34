//! The file that says what tenants shall be.

use std::{collections::BTreeSet, path::Path};

use serde::{Deserialize, Deserializer};

use crate::{
    access::rule::{Given, Rules},
    error::{Error, Result},
    guard::{
        is_plain, is_slug,
        table::{access_rule::RoleName, tenant},
    },
    point::store::retention::Retention,
    producer::Settings,
    request::now,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tenants: Vec<Tenant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Tenant {
    slug: String,
    name: String,
    group: String,
    environment: Environment,
    access: Vec<Rule>,
    #[serde(default)]
    quota: Quota,
    /// Null for good.
    #[serde(default, deserialize_with = "stated")]
    retention_days: Option<Option<i32>>,
    #[serde(default)]
    producers: Vec<Producer>,
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

/// What stands there, even if it is null.
fn stated<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Producer {
    name: String,
    schedule: String,
    #[serde(default)]
    time_zone: Option<String>,
    /// Left out, it stays as it is.
    #[serde(default)]
    grace: Option<String>,
}

impl Producer {
    fn settings(self, now: i64) -> Result<Settings, String> {
        let of = format!("the producer {}", self.name);
        let grace = self.grace.map(|grace| grace.parse());
        let grace = grace
            .transpose()
            .map_err(|error| format!("{of}: grace: {error}"))?;
        let zone = self.time_zone.as_deref().unwrap_or("UTC");
        let settings = Settings::new(self.name, &self.schedule, zone, grace, now);
        settings.map_err(|error| format!("{of}: {error}"))
    }
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "UPPERCASE")]
enum Role {
    Viewer,
    Editor,
    Admin,
}

/// A tenant as it shall be, checked.
pub(in crate::command) struct Wanted {
    pub(in crate::command) slug: String,
    pub(super) name: String,
    pub(super) group: String,
    pub(super) environment: tenant::Environment,
    pub(super) quota_points: Option<i64>,
    pub(super) quota_bytes: Option<i64>,
    pub(super) retention: Option<Retention>,
    pub(super) producers: Vec<Settings>,
    pub(super) rules: Rules,
}

/// The tenants of a file.
///
/// # Errors
/// [`Error::BadInput`] with the place in it.
pub(in crate::command) fn read(file: &Path) -> Result<Vec<Wanted>> {
    let place = file.display();
    let text = match file == Path::new("-") {
        true => std::io::read_to_string(std::io::stdin()),
        false => std::fs::read_to_string(file),
    };
    let text = text.map_err(|error| Error::bad_input(format!("the file {place}: {error}")))?;
    parse(&text).map_err(|error| {
        // The parser begins with that word itself.
        let error = error.strip_prefix("error: ").unwrap_or(&error);
        Error::bad_input(format!("the file {place}: {error}"))
    })
}

/// That a file of this text could be applied.
pub(in crate::command) fn check(text: &str) -> Result<(), String> {
    parse(text).map(|_| ())
}

fn parse(text: &str) -> Result<Vec<Wanted>, String> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let now = now();
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
        let of_tenant = |error: &dyn std::fmt::Display| format!("the tenant {slug}: {error}");
        let retention = tenant.retention_days.map(Retention::try_from);
        let retention = retention.transpose().map_err(|error| of_tenant(&error))?;
        let mut producers: Vec<Settings> = Vec::new();
        for producer in tenant.producers {
            let settings = producer.settings(now).map_err(|error| of_tenant(&error))?;
            if producers.iter().any(|other| other.name == settings.name) {
                let twice = format!("the producer {} stands there twice", settings.name.as_str());
                return Err(of_tenant(&twice));
            }
            producers.push(settings);
        }
        let given: Vec<Given> = tenant.access.into_iter().map(Given::from).collect();
        let rules = Rules::try_from(given).map_err(|error| of_tenant(&error))?;
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
            retention,
            producers,
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
    fn retention_and_producers_are_read_if_they_are_stated() {
        let read = |more: &str| parse(&with("group: a", &format!("group: a\n    {more}")));
        let retention = |more| read(more).expect("reads")[0].retention;
        let days = |days| Some(Retention::try_from(days).expect("a retention"));
        assert_eq!(retention("quota: {}"), None);
        assert_eq!(retention("retentionDays: null"), days(None));
        assert_eq!(retention("retentionDays: 9"), days(Some(9)));
        let refusal = |more: &str| read(more).err().unwrap_or_default();
        for none in ["0", "-1", "36501", "1.5", "9d"] {
            assert_ne!(refusal(&format!("retentionDays: {none}")), "", "{none}");
        }
        let one = "{ name: clock, schedule: '*/5 * * * *', timeZone: Europe/Vienna, grace: 2m }";
        let tenants = read(&format!(
            "producers: [{one}, {{ name: b, schedule: 0 0 * * * }}]"
        ));
        let producers = &tenants.expect("reads")[0].producers;
        assert_eq!(producers[0].schedule.zone(), "Europe/Vienna");
        assert_eq!(producers[0].grace, Some(120_000_000));
        assert_eq!(
            (producers[1].schedule.zone(), producers[1].grace),
            ("UTC", None)
        );
        let twice = refusal(&format!("producers: [{one}, {one}]"));
        assert!(twice.contains("the tenant a-prod: the producer clock stands there twice"));
        for (field, fault) in [
            ("clock", "''"),
            ("*/5 * * * *", "61 * * * *"),
            ("*/5 * * * *", "0 0 30 2 *"),
            ("Europe/Vienna", "Mars/Base"),
            ("2m", "2 minutes"),
            ("2m", "8d"),
            ("grace", "graze"),
        ] {
            let refused = refusal(&format!("producers: [{}]", one.replace(field, fault)));
            assert_ne!(refused, "", "{fault}");
        }
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
