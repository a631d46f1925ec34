use super::*;

/// A person who is a member of one organisation.
pub(in crate::guard) fn person(account_id: i64, organization: &str) -> Principal {
    Principal::person(Person {
        account_id,
        login: "a".into(),
        name: "A".into(),
        avatar_url: None,
        memberships: Memberships {
            organizations: vec![organization.into()],
            teams: vec![],
        },
    })
}

fn rule(organization: &str, team: &str, role: RoleName) -> access_rule::Model {
    access_rule::Model {
        tenant_id: 1,
        organization: organization.into(),
        team: team.into(),
        role,
    }
}

fn member() -> Memberships {
    Memberships {
        organizations: vec!["mcce".into()],
        teams: vec![("mcce".into(), "g1".into()), ("other".into(), "ops".into())],
    }
}

#[test]
fn highest_matching_rule_wins() {
    let rules = [
        rule("mcce", "", RoleName::Viewer),
        rule("mcce", "g1", RoleName::Admin),
        rule("mcce", "g2", RoleName::Editor),
    ];
    assert_eq!(member().role(&rules), Some(RoleName::Admin));
}

#[test]
fn team_of_another_organization_opens_nothing() {
    assert_eq!(member().role(&[rule("mcce", "ops", RoleName::Admin)]), None);
    assert_eq!(member().role(&[rule("other", "", RoleName::Admin)]), None);
    assert_eq!(member().role(&[rule("", "", RoleName::Admin)]), None);
    assert_eq!(
        Memberships::default().role(&[rule("mcce", "", RoleName::Viewer)]),
        None
    );
}
