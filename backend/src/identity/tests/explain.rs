//! What a person is told of GitHub's side of things.

use super::*;

/// Explanations in a row that are all asked for.
fn anew() -> Lifetimes {
    Lifetimes {
        refusal: Duration::ZERO,
        ..Lifetimes::default()
    }
}

async fn world() -> World {
    World::with(anew(), |_| {}).await
}

async fn explain(world: &World, token: &str, organization: Option<&str>) -> Facts {
    let proof = Proof::Bearer(token.into());
    world.identity.explain(&proof, organization).await.unwrap()
}

async fn facts(world: &World, token: &str, organization: Option<&str>) -> PersonFacts {
    match explain(world, token, organization).await {
        Facts::Person(facts) => *facts,
        other => panic!("nobody: {other:?}"),
    }
}

fn link(world: &World, path: &str) -> Url {
    format!("{}{path}", world.github.url()).parse().unwrap()
}

fn app_link(world: &World) -> Url {
    let id = &world.settings.client_id;
    link(world, &format!("/settings/connections/applications/{id}"))
}

#[tokio::test]
async fn each_state_of_a_membership_is_told_with_what_to_do() {
    let world = world().await;
    let token = world.token("viewer");
    let membership = async || facts(&world, &token, Some("mcce")).await.membership;
    assert_eq!(membership().await, MembershipFact::Active);
    world.github.set_unapproved(&["mcce"]);
    let link_to_app = app_link(&world);
    assert_eq!(
        membership().await,
        MembershipFact::AppUnapproved { link: link_to_app }
    );
    world.github.set_sign_on(&["mcce"]);
    let at = link(&world, "/orgs/mcce/sso?authorization_request=A");
    assert_eq!(
        membership().await,
        MembershipFact::SignOnNeeded { link: at }
    );
    world.github.set_sign_on(&[]);
    world.github.set_unapproved(&[]);
    world.github.set_memberships("viewer", &[]);
    assert_eq!(membership().await, MembershipFact::Absent);
    world.github.invite("viewer", "mcce");
    let at = link(&world, "/orgs/mcce/invitation");
    assert_eq!(membership().await, MembershipFact::Invited { link: at });
    let absent = facts(&world, &token, Some("absent")).await;
    assert_eq!(absent.membership, MembershipFact::Absent);
}

#[tokio::test]
async fn hidden_organisations_are_told_apart() {
    let world = world().await;
    let all = ["mcce/g1-viewers", "Closed", "saml", "secret"];
    world.github.set_memberships("viewer", &all);
    world
        .github
        .set_public("viewer", &["mcce", "Closed", "saml"]);
    world.github.set_unapproved(&["Closed"]);
    world.github.set_sign_on(&["saml", "secret", "foreign"]);
    let token = world.token("viewer");
    let facts = facts(&world, &token, None).await;
    let person = facts.principal.as_person().unwrap();
    assert_eq!(person.memberships.organizations, ["mcce"]);
    assert_eq!(facts.membership, MembershipFact::Absent);
    let hidden = |organization: Option<&str>, link| Hidden {
        organization: organization.map(str::to_owned),
        link,
    };
    assert_eq!(facts.unapproved, [hidden(Some("closed"), app_link(&world))]);
    let mut sign_on = facts.sign_on;
    sign_on.sort_by_key(|hidden| hidden.organization.clone());
    assert_eq!(
        sign_on,
        [
            // GitHub tells its number alone.
            hidden(None, app_link(&world)),
            hidden(Some("saml"), link(&world, "/orgs/saml/sso")),
        ]
    );
}

#[tokio::test]
async fn token_that_does_not_count_is_told_where_to_get_another() {
    let world = world().await;
    let foreign = world
        .github
        .issue_token("admin", "read:org", "Ov23liAnother");
    let revoked = world.token("admin");
    world.bearer(&revoked).await.unwrap();
    world.github.revoke(&revoked);
    for token in [&foreign, &revoked, "gho_neverissued"] {
        let told = explain(&world, token, Some("mcce")).await;
        assert!(
            matches!(
                told,
                Facts::NotOurs {
                    sign_in: "/auth/login"
                }
            ),
            "{told:?}"
        );
    }
    let narrow = world
        .github
        .issue_token("admin", "read:user", &world.settings.client_id);
    let told = explain(&world, &narrow, Some("mcce")).await;
    assert!(
        matches!(
            told,
            Facts::ScopeMissing {
                sign_in: "/auth/login"
            }
        ),
        "{told:?}"
    );
}

#[tokio::test]
async fn only_people_are_told() {
    let world = world().await;
    for (proof, code) in [
        (Proof::Nothing, "UNAUTHENTICATED"),
        (Proof::Cookie("theme=dark".into()), "UNAUTHENTICATED"),
        (Proof::Cookie("sundial=forged".into()), "UNAUTHENTICATED"),
        (Proof::Bearer("ghp_personal".into()), "UNAUTHENTICATED"),
        (Proof::Bearer("sdl_a".into()), "BAD_USER_INPUT"),
    ] {
        let told = world.identity.explain(&proof, None).await.err().unwrap();
        assert_eq!(told.code(), code, "{proof:?}");
    }
    assert_eq!(world.github.all_requests(), 0);
    let browser = world.signed_in("viewer").await;
    let told = world.identity.explain(&browser.proof(), Some("mcce")).await;
    assert!(matches!(told, Ok(Facts::Person(facts)) if facts.membership == MembershipFact::Active));
}

#[tokio::test]
async fn explanation_is_asked_for_anew_and_counts_from_then_on() {
    let world = world().await;
    let token = world.token("stranger");
    let known = async || {
        world
            .bearer(&token)
            .await
            .unwrap()
            .memberships
            .organizations
    };
    assert!(known().await.is_empty());
    world.github.set_memberships("stranger", &["mcce"]);
    assert!(known().await.is_empty());
    let told = facts(&world, &token, Some("mcce")).await;
    assert_eq!(told.membership, MembershipFact::Active);
    let person = told.principal.as_person().unwrap();
    assert_eq!(person.memberships.organizations, ["mcce"]);
    assert_eq!(known().await, ["mcce"]);
}

#[tokio::test]
async fn who_insists_does_not_use_up_github() {
    let world = World::new().await;
    let token = world.token("viewer");
    for _ in 0..20 {
        facts(&world, &token, Some("mcce")).await;
    }
    assert_eq!(world.github.requests(&world.check_path()), 1);
    assert_eq!(world.github.requests("/user/teams"), 1);
    // The two questions of its own are answered unchanged.
    assert_eq!(world.github.counted("viewer"), 5);
}

#[tokio::test]
async fn cost_does_not_tell_whether_there_is_such_an_organisation() {
    let world = world().await;
    world.github.set_unapproved(&["closed"]);
    world.github.set_sign_on(&["saml"]);
    world
        .github
        .set_memberships("viewer", &["mcce", "closed", "saml"]);
    let token = world.token("viewer");
    let mut costs = std::collections::BTreeSet::new();
    for organization in [
        "mcce", "closed", "saml", "absent", "a/../b", "..", "", "a?b",
    ] {
        let before = world.github.all_requests();
        facts(&world, &token, Some(organization)).await;
        costs.insert(world.github.all_requests() - before);
    }
    let before = world.github.all_requests();
    facts(&world, &token, None).await;
    costs.insert(world.github.all_requests() - before);
    assert_eq!(costs.into_iter().collect::<Vec<_>>(), [6]);
}

#[tokio::test]
async fn github_out_of_order_explains_nothing() {
    let world = world().await;
    let token = world.token("viewer");
    for nth in 0..2 {
        if nth == 1 {
            world.bearer(&token).await.unwrap();
        }
        world.github.fail_next(502, 1);
        let proof = Proof::Bearer(token.as_str().into());
        let told = world.identity.explain(&proof, Some("mcce")).await;
        assert_eq!(told.err().unwrap().code(), "GITHUB_UNAVAILABLE");
    }
}
