//! Access rules as people give them: in a file for `sundial apply`, or by the API.

use std::collections::BTreeSet;

use crate::{
    error::{Error, Result},
    guard::table::access_rule::{self, RoleName},
};

/// Most rules of one tenant.
pub const MOST: usize = 200;

/// A rule as it was given.
#[derive(Clone, Debug)]
pub struct Given {
    /// Login of the organisation, in any case.
    pub organization: String,
    /// Slug of the team, in any case; every member of the organisation without.
    pub team: Option<String>,
    /// What it gives.
    pub role: RoleName,
}

/// Rules that a tenant can have: 1 to [`MOST`], in lower case, in order, no two for the same people.
#[derive(Clone, Debug)]
pub struct Rules(Vec<access_rule::Model>);

impl Rules {
    /// The rules. They name no tenant: the scope that writes them does.
    pub fn rows(&self) -> &[access_rule::Model] {
        &self.0
    }
}

impl TryFrom<Vec<Given>> for Rules {
    type Error = Error;

    fn try_from(given: Vec<Given>) -> Result<Self> {
        if given.is_empty() {
            return Err(Error::bad_input(
                "without an access rule nobody could enter: give one or more",
            ));
        }
        if given.len() > MOST {
            return Err(Error::bad_input(format!(
                "{} access rules are too many: a tenant has at most {MOST}",
                given.len()
            )));
        }
        let mut named = BTreeSet::new();
        let mut rows = Vec::with_capacity(given.len());
        for rule in given {
            let row = row(rule)?;
            if !named.insert((row.organization.clone(), row.team.clone())) {
                return Err(Error::bad_input(format!(
                    "two access rules are for {}: keep one",
                    whom(&row.organization, &row.team)
                )));
            }
            rows.push(row);
        }
        rows.sort_by(|a, b| (&a.organization, &a.team).cmp(&(&b.organization, &b.team)));
        Ok(Rules(rows))
    }
}

fn row(rule: Given) -> Result<access_rule::Model> {
    let organization = rule.organization.to_lowercase();
    if !is_name(&organization) || organization.starts_with(['-', '_']) {
        return Err(Error::bad_input(format!(
            "`{}` is no GitHub organisation: give its login, such as `mcce`",
            shown(&rule.organization)
        )));
    }
    let team = rule.team.as_deref().map(str::to_lowercase);
    if team.as_deref().is_some_and(|team| !is_name(team)) {
        return Err(Error::bad_input(format!(
            "`{}` is no GitHub team: give its slug without the organisation, such as `g1-admins`, or leave `team` out \
             for every member",
            shown(rule.team.as_deref().unwrap_or_default())
        )));
    }
    Ok(access_rule::Model {
        tenant_id: 0,
        organization,
        team: team.unwrap_or_default(),
        role: rule.role,
    })
}

fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=100).contains(&text.len()) && text.bytes().all(plain)
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

/// The people of a rule, in words. An empty team is every member.
pub fn whom(organization: &str, team: &str) -> String {
    match team {
        "" => format!("every member of {organization}"),
        team => format!("team {organization}/{team}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(organization: &str, team: Option<&str>) -> Given {
        Given {
            organization: organization.into(),
            team: team.map(String::from),
            role: RoleName::Viewer,
        }
    }

    fn refusal(rules: Vec<Given>) -> String {
        match Rules::try_from(rules) {
            Err(Error::BadInput(words)) => words,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rules_are_kept_in_lower_case_and_in_order() {
        let rules = vec![given("Other", Some("G1_Admins")), given("MCCE", None)];
        let rules = Rules::try_from(rules).unwrap();
        let names = rules.rows().iter();
        let names: Vec<_> = names
            .map(|rule| whom(&rule.organization, &rule.team))
            .collect();
        assert_eq!(names, ["every member of mcce", "team other/g1_admins"]);
    }

    #[test]
    fn rule_names_an_organisation_and_at_most_a_team_of_it() {
        for organization in [
            "",
            " ",
            "a b",
            "a/b",
            "a,b",
            "-",
            "_a",
            "ä",
            "İ",
            &"a".repeat(101),
        ] {
            let words = refusal(vec![given(organization, None)]);
            assert!(words.contains("no GitHub organisation"), "{words}");
            let words = refusal(vec![given(organization, Some("g1"))]);
            assert!(words.contains("no GitHub organisation"), "{words}");
        }
        // An empty team is a slip, not every member.
        for team in ["", "mcce/g1", "g 1", "@g1"] {
            let words = refusal(vec![given("mcce", Some(team))]);
            assert!(words.contains("no GitHub team"), "{words}");
        }
    }

    #[test]
    fn nobody_is_named_twice_and_somebody_once() {
        let words = refusal(vec![given("mcce", None), given("MCCE", None)]);
        assert!(words.contains("two access rules are for every member of mcce"));
        let words = refusal(vec![given("mcce", Some("A")), given("mcce", Some("a"))]);
        assert!(words.contains("team mcce/a"), "{words}");
        assert!(refusal(vec![]).contains("nobody could enter"));
        let many = |count| (0..count).map(|n| given(&format!("o{n}"), None)).collect();
        assert!(refusal(many(MOST + 1)).contains("at most 200"));
        assert_eq!(Rules::try_from(many(MOST)).unwrap().rows().len(), MOST);
    }
}
