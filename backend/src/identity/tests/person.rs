//! GitHub tokens, and access that GitHub gives and takes back.

use super::*;
use crate::guard::Member;

#[tokio::test]
async fn token_of_our_app_counts_and_of_another_does_not() {
    let world = World::new().await;
    let token = world.token("viewer");
    let viewer = world.bearer(&token).await.unwrap();
    assert_eq!((viewer.account_id, viewer.login.as_str()), (1002, "viewer"));
    assert_eq!(
        viewer.memberships.teams,
        [("mcce".to_owned(), "g1-viewers".to_owned())]
    );

    // A valid token, whose owner `GET /user` would tell: of another app.
    let foreign = world
        .github
        .issue_token("admin", "read:user read:org", "Ov23liAnother");
    assert!(words(world.bearer(&foreign).await).contains("not one of Sundial's"));
    assert!(words(world.bearer("gho_neverissued").await).contains("not one of Sundial's"));
}

#[tokio::test]
async fn what_no_token_looks_like_is_refused_unasked() {
    let world = World::new().await;
    let path = world.check_path();
    let long = format!("gho_{}", "a".repeat(300));
    for text in [
        "",
        "x",
        "ghp_personal",
        "github_pat_11A",
        "gho_a b",
        "gho_ä",
        &long,
        "SDL_abc",
    ] {
        let refused = words(world.bearer(text).await);
        assert!(refused.contains("ingest token (sdl_"), "{text}: {refused}");
    }
    assert_eq!(world.github.requests(&path), 0);
}

#[tokio::test]
async fn token_without_the_scope_says_which() {
    let world = World::new().await;
    let narrow = world
        .github
        .issue_token("admin", "read:user", &world.settings.client_id);
    assert!(words(world.bearer(&narrow).await).contains("read:org"));
    let wide = world
        .github
        .issue_token("admin", "admin:org", &world.settings.client_id);
    assert_eq!(world.bearer(&wide).await.unwrap().login, "admin");
}

#[tokio::test]
async fn revoked_token_loses_access_when_its_standing_has_run_out() {
    let world = World::with(short(), |_| {}).await;
    let browser = world.signed_in("admin").await;
    let token = world.token("admin");
    assert!(world.bearer(&token).await.is_ok());
    world.github.revoke(&token);
    tokio::time::sleep(short().standing).await;
    assert!(words(world.bearer(&token).await).contains("revoked"));
    // The session has a token of its own.
    assert!(world.by_cookie(&browser).await.is_ok());
    assert!(Lifetimes::default().standing <= Duration::from_secs(60));
    assert!(Lifetimes::default().profile <= Duration::from_secs(300));
}

#[tokio::test]
async fn revoked_token_is_shown_to_github_once() {
    let world = World::with(
        Lifetimes {
            profile: Duration::ZERO,
            ..Lifetimes::default()
        },
        |_| {},
    )
    .await;
    let token = world.token("admin");
    assert!(world.bearer(&token).await.is_ok());
    world.github.revoke(&token);
    for _ in 0..3 {
        assert!(words(world.bearer(&token).await).contains("revoked"));
    }
    assert_eq!(world.github.requests("/user"), 2);
    assert_eq!(world.github.requests(&world.check_path()), 2);
}

#[tokio::test]
async fn refusal_is_forgotten_soon() {
    let world = World::with(short(), |_| {}).await;
    let path = world.check_path();
    for _ in 0..5 {
        assert!(world.bearer("gho_neverissued").await.is_err());
    }
    let asked = world.github.requests(&path);
    assert!(asked < 5, "{asked}");
    for round in 1..3 {
        tokio::time::sleep(short().refusal).await;
        assert!(world.bearer("gho_neverissued").await.is_err());
        assert!(world.github.requests(&path) >= asked + round);
    }
}

#[tokio::test]
async fn membership_taken_back_is_seen_when_the_profile_has_run_out() {
    let world = World::with(short(), |_| {}).await;
    let browser = world.signed_in("viewer").await;
    world.github.set_memberships("viewer", &[]);
    tokio::time::sleep(short().profile).await;
    let viewer = person(world.by_cookie(&browser).await.unwrap());
    assert!(viewer.memberships.organizations.is_empty());
    // And one that is given, with a new login: the account stays the same.
    world.github.set_memberships("viewer", &["Other/Ops"]);
    world.github.rename("viewer", "Vera");
    tokio::time::sleep(short().profile).await;
    let vera = person(world.by_cookie(&browser).await.unwrap());
    assert_eq!((vera.account_id, vera.login.as_str()), (1002, "Vera"));
    assert_eq!(vera.memberships.organizations, ["other"]);
    assert_eq!(
        vera.memberships.teams,
        [("other".to_owned(), "ops".to_owned())]
    );
}

#[tokio::test]
async fn last_known_memberships_are_kept() {
    const ADMIN: &str = "admin mcce/g1-admins";
    let world = World::with(short(), |_| {}).await;
    let slug = "mcce-g1-prod";
    let environment = crate::guard::table::tenant::Environment::Prod;
    let found = system::found(&world.pool, slug, slug, slug, environment, 0).await;
    found.unwrap().0.commit().await.unwrap();
    let known = async |organization: &str| {
        let scope = system::operate(&world.pool, slug).await.unwrap();
        let members = scope.known_members(&[organization.to_owned()]).await;
        let members = members.unwrap().into_iter();
        let words = |member: Member| {
            let teams = member.memberships.teams.into_iter();
            let teams = teams.map(|(organization, team)| format!(" {organization}/{team}"));
            member.login + &teams.collect::<String>()
        };
        members.map(words).collect::<Vec<_>>()
    };
    let _browser = world.signed_in("admin").await;
    assert_eq!(known("mcce").await, [ADMIN]);
    let token = world.token("viewer");
    world.bearer(&token).await.unwrap();
    eventually(|| async { known("mcce").await == [ADMIN, "viewer mcce/g1-viewers"] }).await;
    world.github.set_memberships("viewer", &["other"]);
    tokio::time::sleep(short().profile).await;
    world.bearer(&token).await.unwrap();
    eventually(|| async { known("other").await == ["viewer"] }).await;
    assert_eq!(known("mcce").await, [ADMIN]);
}

#[tokio::test]
async fn invitation_is_no_membership() {
    let world = World::new().await;
    world.github.invite("stranger", "mcce");
    let stranger = world.bearer(&world.token("stranger")).await.unwrap();
    assert!(stranger.memberships.organizations.is_empty());
}

#[tokio::test]
async fn all_pages_are_read() {
    let world = World::new().await;
    let teams: Vec<String> = (0..250)
        .map(|i| format!("org-{}/team-{i}", i % 130))
        .collect();
    let teams: Vec<&str> = teams.iter().map(String::as_str).collect();
    world.github.set_memberships("admin", &teams);
    let admin = world.bearer(&world.token("admin")).await.unwrap();
    assert_eq!(admin.memberships.organizations.len(), 130);
    assert_eq!(admin.memberships.teams.len(), 250);
    assert_eq!(world.github.requests("/user/memberships/orgs"), 2);
    assert_eq!(world.github.requests("/user/teams"), 3);
}

#[tokio::test]
async fn list_that_grows_by_a_page_is_read_on() {
    let world = World::with(short(), |_| {}).await;
    let token = world.token("admin");
    let organizations: Vec<String> = (0..101).map(|i| format!("org-{i}")).collect();
    let organizations: Vec<&str> = organizations.iter().map(String::as_str).collect();
    for number in [100, 101, 100] {
        world
            .github
            .set_memberships("admin", &organizations[..number]);
        let admin = world.bearer(&token).await.unwrap();
        assert_eq!(admin.memberships.organizations.len(), number);
        tokio::time::sleep(short().profile).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_at_once_share_one_question() {
    let world = Arc::new(World::new().await);
    let token = world.token("admin");
    let requests = (0..200).map(|_| {
        let (world, token) = (Arc::clone(&world), token.clone());
        tokio::spawn(async move { world.bearer(&token).await })
    });
    let all = futures::future::join_all(requests).await;
    assert!(all.into_iter().all(|one| one.unwrap().is_ok()));
    let path = world.check_path();
    for path in [
        path.as_str(),
        "/user",
        "/user/memberships/orgs",
        "/user/teams",
    ] {
        assert_eq!(world.github.requests(path), 1, "{path}");
    }
}

#[tokio::test]
async fn unchanged_answers_cost_nothing() {
    let world = World::with(short(), |_| {}).await;
    let token = world.token("admin");
    for round in 1..4 {
        world.bearer(&token).await.unwrap();
        assert_eq!(world.github.requests("/user/teams"), round);
        assert_eq!(world.github.counted("admin"), 3);
        tokio::time::sleep(short().profile).await;
    }
    // A change is seen, and costs the two lists that it is in.
    world.github.set_memberships("admin", &["other/ops"]);
    let admin = world.bearer(&token).await.unwrap();
    assert_eq!(admin.memberships.organizations, ["other"]);
    assert_eq!(world.github.counted("admin"), 5);
    // What one token was answered is not used for another.
    world.bearer(&world.token("admin")).await.unwrap();
    assert_eq!(world.github.counted("admin"), 8);
}

#[tokio::test]
async fn github_out_of_order_lets_nobody_in_and_is_not_remembered() {
    let world = World::with(short(), |_| {}).await;
    let token = world.token("admin");
    for status in [500, 403, 401] {
        world.github.fail_next(status, 1);
        let refused = world.bearer(&token).await.err().unwrap();
        assert_eq!(refused.code(), "GITHUB_UNAVAILABLE", "{status}");
    }
    assert!(world.bearer(&token).await.is_ok());
    // In the middle of a session too, once what was known has run out.
    let browser = world.signed_in("viewer").await;
    tokio::time::sleep(short().profile).await;
    world.github.fail_next(503, 10);
    let refused = world.by_cookie(&browser).await.err().unwrap();
    assert_eq!(refused.code(), "GITHUB_UNAVAILABLE");
    world.github.fail_next(503, 0);
    assert!(world.by_cookie(&browser).await.is_ok());
}

#[tokio::test]
async fn person_of_many_requests_costs_github_few() {
    let world = World::new().await;
    let browser = world.signed_in("admin").await;
    for _ in 0..100 {
        assert!(world.by_cookie(&browser).await.is_ok());
    }
    assert_eq!(world.github.requests("/user"), 1);
}
