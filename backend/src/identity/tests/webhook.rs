//! What GitHub tells unasked.

use github_stand_in::{Delivery, Event};

use super::*;

const SECRET: &str = "of the webhook";

async fn world() -> World {
    World::with(Lifetimes::default(), |config| {
        config.webhook_secret = Some(SECRET.into());
    })
    .await
}

async fn send(world: &World, delivery: &Delivery) -> StatusCode {
    let url = world.url.join("/webhooks/github").unwrap();
    let mut request = github::client().unwrap().post(url);
    for (name, value) in &delivery.headers {
        request = request.header(*name, value);
    }
    let response = request.body(delivery.body.clone()).send().await;
    response.unwrap().status()
}

fn with(delivery: &Delivery, header: &str, value: &str) -> Delivery {
    let mut delivery = delivery.clone();
    for (name, known) in &mut delivery.headers {
        if *name == header {
            *known = value.to_owned();
        }
    }
    delivery
}

#[tokio::test]
async fn membership_that_ended_has_ended_here_at_once() {
    let world = world().await;
    let (viewer, admin) = (world.token("viewer"), world.token("admin"));
    for token in [&viewer, &admin] {
        assert_eq!(
            world.bearer(token).await.unwrap().memberships.teams.len(),
            1
        );
    }
    world.github.set_memberships("viewer", &["mcce"]);
    let told = Event::Membership("removed", "mcce/g1-viewers", "viewer");
    let told = world.github.delivery(SECRET, told);
    assert_eq!(
        world.bearer(&viewer).await.unwrap().memberships.teams.len(),
        1
    );
    assert_eq!(send(&world, &told).await, StatusCode::ACCEPTED);
    let left = world.bearer(&viewer).await.unwrap().memberships;
    assert_eq!((left.organizations.len(), left.teams.len()), (1, 0));
    world.github.set_memberships("viewer", &[]);
    let told = Event::Organization("member_removed", "mcce", Some("viewer"));
    let told = world.github.delivery(SECRET, told);
    assert_eq!(send(&world, &told).await, StatusCode::ACCEPTED);
    let left = world.bearer(&viewer).await.unwrap().memberships;
    assert!(left.organizations.is_empty());
    // Nobody else was asked about.
    world.bearer(&admin).await.unwrap();
    assert_eq!(world.github.requests("/user"), 4);
}

#[tokio::test]
async fn token_that_was_taken_back_is_refused_at_once() {
    let world = world().await;
    let browser = world.signed_in("viewer").await;
    let token = world.token("viewer");
    world.bearer(&token).await.unwrap();
    world.github.revoke(&token);
    let told = Event::AuthorizationRevoked("viewer");
    let told = world.github.delivery(SECRET, told);
    assert_eq!(send(&world, &told).await, StatusCode::ACCEPTED);
    assert!(words(world.bearer(&token).await).contains("revoked"));
    // All tokens of the account are checked again; this one still counts.
    assert!(world.by_cookie(&browser).await.is_ok());
}

#[tokio::test]
async fn organisation_that_ended_is_asked_about_for_everybody() {
    let world = world().await;
    for action in ["deleted", "renamed"] {
        let tokens = [world.token("viewer"), world.token("admin")];
        for token in &tokens {
            world.bearer(token).await.unwrap();
        }
        let asked = world.github.requests("/user/teams");
        let told = world
            .github
            .delivery(SECRET, Event::Organization(action, "mcce", None));
        assert_eq!(send(&world, &told).await, StatusCode::ACCEPTED);
        for token in &tokens {
            world.bearer(token).await.unwrap();
        }
        assert_eq!(world.github.requests("/user/teams"), asked + 2);
    }
}

#[tokio::test]
async fn replay_does_nothing() {
    let world = world().await;
    let token = world.token("viewer");
    let told = Event::Organization("member_added", "mcce", Some("viewer"));
    let told = world.github.delivery(SECRET, told);
    world.bearer(&token).await.unwrap();
    for asked in [2, 2, 2] {
        assert_eq!(send(&world, &told).await, StatusCode::ACCEPTED);
        world.bearer(&token).await.unwrap();
        assert_eq!(world.github.requests("/user"), asked);
    }
    // The same again, later, is another delivery of the same text.
    let again = with(&told, "x-github-delivery", "another");
    assert_eq!(send(&world, &again).await, StatusCode::ACCEPTED);
    world.bearer(&token).await.unwrap();
    assert_eq!(world.github.requests("/user"), 3);
}

#[tokio::test]
async fn forged_delivery_is_refused_unread() {
    let world = world().await;
    let token = world.token("viewer");
    world.bearer(&token).await.unwrap();
    let event = Event::Organization("member_removed", "mcce", Some("viewer"));
    let told = world.github.delivery(SECRET, event);
    let mut altered = told.clone();
    altered.body.push(' ');
    let mut unsigned = told.clone();
    unsigned
        .headers
        .retain(|(name, _)| *name != "x-hub-signature-256");
    // Not even that it is garbled is found out without the secret.
    let mut garbled = world.github.delivery("another", event);
    garbled.body = "no json".into();
    for forged in [
        altered,
        unsigned,
        garbled,
        world.github.delivery("another", event),
        world.github.delivery("", event),
        with(&told, "x-hub-signature-256", "sha256="),
    ] {
        assert_eq!(send(&world, &forged).await, StatusCode::UNAUTHORIZED);
    }
    let mut long = told.clone();
    long.body = " ".repeat((1 << 20) + 1);
    assert_eq!(send(&world, &long).await, StatusCode::PAYLOAD_TOO_LARGE);
    world.bearer(&token).await.unwrap();
    assert_eq!(world.github.requests("/user"), 1);
}

#[tokio::test]
async fn other_events_do_nothing() {
    let world = world().await;
    let token = world.token("viewer");
    world.bearer(&token).await.unwrap();
    let invited = Event::Organization("member_invited", "mcce", Some("viewer"));
    let told = Event::Membership("removed", "mcce/g1-viewers", "viewer");
    let told = world.github.delivery(SECRET, told);
    for other in [
        world.github.delivery(SECRET, Event::Ping),
        world.github.delivery(SECRET, invited),
        with(&told, "x-github-event", "push"),
        with(&told, "x-github-event", ""),
    ] {
        assert_eq!(send(&world, &other).await, StatusCode::NO_CONTENT);
    }
    world.bearer(&token).await.unwrap();
    assert_eq!(world.github.requests("/user"), 1);
}

#[tokio::test]
async fn without_a_secret_there_is_no_webhook() {
    for secret in [None, Some("")] {
        let world = World::with(Lifetimes::default(), |config| {
            config.webhook_secret = secret.map(Into::into);
        })
        .await;
        for signed_by in [SECRET, ""] {
            let told = world.github.delivery(signed_by, Event::Ping);
            assert_eq!(send(&world, &told).await, StatusCode::NOT_FOUND);
        }
    }
}

#[tokio::test]
async fn secret_can_be_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let world = World::with(Lifetimes::default(), |config| {
        config.webhook_secret_file = Some(file.clone());
    })
    .await;
    let told = Event::Organization("member_removed", "mcce", Some("viewer"));
    let told = world.github.delivery(SECRET, told);
    assert_eq!(send(&world, &told).await, StatusCode::ACCEPTED);
    let absent = GithubConfig {
        webhook_secret: None,
        webhook_secret_file: Some(folder.path().join("absent")),
        url: world.github.url().parse().unwrap(),
        api_url: world.github.api_url().parse().unwrap(),
        client_id: Some("id".into()),
        client_secret: Some("secret".into()),
        client_secret_file: None,
    };
    let refused = Identity::new(&absent, world.url.clone(), world.pool.clone()).err();
    assert!(refused.unwrap().to_string().contains("webhook secret"));
}
