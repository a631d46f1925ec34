//! What other access rules change, and who gains and who loses by it.

use std::{cmp::Ordering, collections::BTreeMap, fmt};

use crate::{
    access::rule::whom,
    error::{Error, Result},
    guard::{
        Member,
        table::access_rule::{self, RoleName},
    },
};

/// Most names in a refusal.
const NAMED: usize = 10;

/// What a tenant's new access rules change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Rules that come, go, or give another role, by organisation and team.
    pub rules: Vec<RuleChange>,
    /// Known people whose role rises, by login.
    pub gains: Vec<RoleChange>,
    /// Known people whose role falls, by login.
    pub loses: Vec<RoleChange>,
    last: Option<LastAdministrators>,
}

/// A rule that comes, goes, or gives another role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleChange {
    /// Login of the organisation.
    pub organization: String,
    /// Slug of the team; empty for every member of the organisation.
    pub team: String,
    /// What it gave; nothing when it is new.
    pub before: Option<RoleName>,
    /// What it gives; nothing when it is gone.
    pub after: Option<RoleName>,
}

/// A person whose role changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleChange {
    /// GitHub login.
    pub login: String,
    /// The role before; nothing without access.
    pub before: Option<RoleName>,
    /// The role after; nothing without access.
    pub after: Option<RoleName>,
}

/// Whom a change would leave a tenant without.
#[derive(Clone, Debug, PartialEq, Eq)]
enum LastAdministrators {
    /// These known people, by login.
    Known(Vec<String>),
    /// Whoever a rule means: nobody of them is known.
    Unknown,
}

impl Change {
    /// From the rules `before` to `after`, for `members`, who are in the order of their logins.
    pub fn of(
        before: &[access_rule::Model],
        after: &[access_rule::Model],
        members: &[Member],
    ) -> Self {
        let (mut gains, mut loses) = (Vec::new(), Vec::new());
        let (mut had, mut has) = (Vec::new(), false);
        for member in members {
            let change = RoleChange {
                login: member.login.clone(),
                before: member.memberships.role(before),
                after: member.memberships.role(after),
            };
            if change.before == Some(RoleName::Admin) {
                had.push(change.login.clone());
            }
            has |= change.after == Some(RoleName::Admin);
            match change.after.cmp(&change.before) {
                Ordering::Greater => gains.push(change),
                Ordering::Less => loses.push(change),
                Ordering::Equal => {}
            }
        }
        let gives =
            |rules: &[access_rule::Model]| rules.iter().any(|rule| rule.role == RoleName::Admin);
        let last = if !had.is_empty() && !has {
            Some(LastAdministrators::Known(had))
        } else if gives(before) && !gives(after) {
            Some(LastAdministrators::Unknown)
        } else {
            None
        };
        Change {
            rules: rules(before, after),
            gains,
            loses,
            last,
        }
    }

    /// That the change leaves an administrator in `tenant`, as far as people are known.
    ///
    /// # Errors
    /// [`Error::Conflict`] with whom the tenant would lose, and that `force` insists.
    pub fn check_administrator(&self, tenant: &str, force: &str) -> Result<()> {
        match &self.last {
            None => Ok(()),
            Some(LastAdministrators::Known(logins)) => Err(Error::Conflict(format!(
                "{tenant} would be left without an administrator: {} would no longer be ADMIN, and nobody else known \
                 would be; keep a rule that gives one of them ADMIN, or insist by {force}",
                listed(logins)
            ))),
            Some(LastAdministrators::Unknown) => Err(Error::Conflict(format!(
                "{tenant} would be left without an administrator: no rule would give ADMIN any more; keep one that \
                 does, or insist by {force}"
            ))),
        }
    }

    /// The rules that change, a line each.
    pub fn rule_lines(&self) -> Vec<String> {
        self.rules.iter().map(RuleChange::to_string).collect()
    }
}

/// Up to [`NAMED`] of `names`, and how many others there are.
pub fn listed(names: &[String]) -> String {
    let mut list = names[..names.len().min(NAMED)].join(", ");
    if names.len() > NAMED {
        list += &format!(" and {} others", names.len() - NAMED);
    }
    list
}

fn rules(before: &[access_rule::Model], after: &[access_rule::Model]) -> Vec<RuleChange> {
    let mut roles: BTreeMap<(&str, &str), [Option<RoleName>; 2]> = BTreeMap::new();
    for (side, rules) in [before, after].into_iter().enumerate() {
        for rule in rules {
            roles.entry((&rule.organization, &rule.team)).or_default()[side] = Some(rule.role);
        }
    }
    let changed = roles
        .into_iter()
        .filter(|(_, [before, after])| before != after);
    changed
        .map(|((organization, team), [before, after])| RuleChange {
            organization: organization.to_owned(),
            team: team.to_owned(),
            before,
            after,
        })
        .collect()
}

impl fmt::Display for RuleChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whom = whom(&self.organization, &self.team);
        match (self.before, self.after) {
            (Some(before), Some(after)) => write!(f, "~ {whom}: {after}, was {before}"),
            (Some(role), None) => write!(f, "- {whom}: {role}"),
            (_, after) => write!(f, "+ {whom}: {}", named(after)),
        }
    }
}

impl fmt::Display for RoleChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (named(self.before), named(self.after));
        write!(f, "{}: {after}, was {before}", self.login)
    }
}

fn named(role: Option<RoleName>) -> String {
    role.map_or_else(|| "no access".to_owned(), |role| role.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Memberships;

    fn rule(organization: &str, team: &str, role: RoleName) -> access_rule::Model {
        access_rule::Model {
            tenant_id: 0,
            organization: organization.into(),
            team: team.into(),
            role,
        }
    }

    fn member(login: &str, team: &str) -> Member {
        Member {
            account_id: 1,
            login: login.into(),
            memberships: Memberships {
                organizations: vec!["mcce".into()],
                teams: vec![("mcce".into(), team.into())],
            },
        }
    }

    #[test]
    fn gains_and_losses_are_told_by_name() {
        let before = [
            rule("mcce", "a", RoleName::Admin),
            rule("mcce", "b", RoleName::Viewer),
            rule("mcce", "c", RoleName::Editor),
        ];
        let after = [
            rule("mcce", "a", RoleName::Admin),
            rule("mcce", "b", RoleName::Editor),
            rule("mcce", "d", RoleName::Viewer),
        ];
        let members = [
            ("al", "a"),
            ("bo", "b"),
            ("cy", "c"),
            ("di", "d"),
            ("ed", "e"),
        ];
        let members = members.map(|(login, team)| member(login, team));
        let change = Change::of(&before, &after, &members);
        assert!(change.check_administrator("t", "force").is_ok());
        assert_eq!(
            change.rule_lines(),
            [
                "~ team mcce/b: EDITOR, was VIEWER",
                "- team mcce/c: EDITOR",
                "+ team mcce/d: VIEWER"
            ]
        );
        let lines = |people: &[RoleChange]| -> Vec<String> {
            people.iter().map(RoleChange::to_string).collect()
        };
        assert_eq!(
            lines(&change.gains),
            ["bo: EDITOR, was VIEWER", "di: VIEWER, was no access"]
        );
        assert_eq!(lines(&change.loses), ["cy: no access, was EDITOR"]);
    }

    #[test]
    fn last_administrator_is_not_locked_out() {
        let before = [rule("mcce", "a", RoleName::Admin)];
        let refusal = |after: &[access_rule::Model], members: &[Member]| {
            let change = Change::of(&before, after, members);
            change
                .check_administrator("t", "force")
                .err()
                .map(|error| error.to_string())
        };
        let moved = [rule("mcce", "b", RoleName::Admin)];
        let words = refusal(&moved, &[member("al", "a")]).unwrap();
        assert!(words.contains("al would no longer be ADMIN"), "{words}");
        assert!(words.ends_with("or insist by force"), "{words}");
        // Somebody else known takes over.
        assert_eq!(
            refusal(&moved, &[member("al", "a"), member("bo", "b")]),
            None
        );
        // Nobody known administers: the rules alone tell.
        assert_eq!(refusal(&moved, &[]), None);
        assert_eq!(refusal(&moved, &[member("cy", "c")]), None);
        let lowered = [rule("mcce", "a", RoleName::Editor)];
        for members in [vec![], vec![member("cy", "c")]] {
            let words = refusal(&lowered, &members).unwrap();
            assert!(words.contains("no rule would give ADMIN"), "{words}");
        }
        let first = Change::of(&[], &lowered, &[]);
        assert!(first.check_administrator("t", "force").is_ok());
    }

    #[test]
    fn refusal_names_a_few_of_many() {
        let names: Vec<String> = (0..12).map(|n| format!("p{n}")).collect();
        assert!(listed(&names).ends_with("p9 and 2 others"));
        assert_eq!(listed(&names[..2]), "p0, p1");
    }
}
