//! GitHub's limits of requests: it is left alone until they end, and whoever asks is told when.

use github_stand_in::Limit;

use super::*;

/// Memberships are asked for at every request, token checks hardly ever.
fn checked_once() -> Lifetimes {
    Lifetimes {
        standing: Duration::from_secs(60),
        refusal: Duration::from_millis(300),
        profile: Duration::ZERO,
    }
}

/// The seconds to wait, as the person behind `token` is told.
async fn told(world: &World, token: &str) -> u32 {
    match world.bearer(token).await {
        Err(error @ Error::GithubUnavailable { .. }) => error.retry_after().unwrap(),
        other => panic!("not unavailable: {other:?}"),
    }
}

#[tokio::test]
async fn limited_person_waits_and_others_do_not() {
    for limit in [Limit::Primary(2), Limit::Secondary(Some(2))] {
        let world = World::with(checked_once(), |_| {}).await;
        let (admin, viewer) = (world.token("admin"), world.token("viewer"));
        world.bearer(&admin).await.unwrap();
        world.github.set_limit(Some(limit));
        let begun = std::time::Instant::now();
        assert!((1..=2).contains(&told(&world, &admin).await));
        world.github.set_limit(None);
        let asked = world.github.all_requests();
        for _ in 0..5 {
            assert!((1..=2).contains(&told(&world, &admin).await));
        }
        assert_eq!(world.github.all_requests(), asked);
        // Another person's token, and another of the same person's, are not what GitHub refused.
        world.bearer(&viewer).await.unwrap();
        world.bearer(&world.token("admin")).await.unwrap();
        eventually(|| async { world.bearer(&admin).await.is_ok() }).await;
        assert!(begun.elapsed() > Duration::from_millis(900));
    }
}

#[tokio::test]
async fn limited_app_checks_no_token() {
    let world = World::with(checked_once(), |_| {}).await;
    let (known, new) = (world.token("admin"), world.token("viewer"));
    world.bearer(&known).await.unwrap();
    world.github.set_limit(Some(Limit::Primary(2)));
    assert!((1..=2).contains(&told(&world, &new).await));
    world.github.set_limit(None);
    let path = world.check_path();
    let asked = world.github.requests(&path);
    for token in [new.as_str(), "gho_neverissued", &world.token("admin")] {
        assert!((1..=2).contains(&told(&world, token).await));
    }
    assert_eq!(world.github.requests(&path), asked);
    // Who was checked just before goes on.
    world.bearer(&known).await.unwrap();
    eventually(|| async { world.bearer(&new).await.is_ok() }).await;
    assert_eq!(world.github.requests(&path), asked + 1);
}

#[tokio::test]
async fn limit_without_an_end_is_a_minute() {
    let world = World::with(checked_once(), |_| {}).await;
    let token = world.token("admin");
    world.bearer(&token).await.unwrap();
    world.github.set_limit(Some(Limit::Secondary(None)));
    assert_eq!(told(&world, &token).await, 60);
}

#[tokio::test]
async fn fault_without_an_end_is_asked_about_again() {
    let world = World::new().await;
    let token = world.token("admin");
    for round in 1..4 {
        world.github.fail_next(500, 1);
        assert_eq!(told(&world, &token).await, 10);
        assert_eq!(world.github.requests(&world.check_path()), round);
    }
    world.bearer(&token).await.unwrap();
}

#[tokio::test]
async fn sign_in_at_a_limit_says_that_github_is_not_available() {
    let world = World::new().await;
    let mut browser = world.browser();
    let callback = browser.choose("/", &[("login", "admin")]).await;
    world.github.set_limit(Some(Limit::Secondary(Some(2))));
    let back = browser.get(&callback).await;
    assert_eq!(location(&back), "/signin?error=github_unavailable");
}
