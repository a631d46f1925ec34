//! What GitHub takes back is gone here, in the time that is promised; and GitHub that can't be asked.

use std::time::{Duration, Instant};

use github_stand_in::{Delivery, Event, Limit};
use serde_json::{Value, json};
use sundial::identity::Lifetimes;

use crate::{
    app::{PROD, TestApp, WEBHOOK_SECRET, batch, code, json_of},
    database::Kind,
    socket::{START, Socket},
};

on_both! {
    membership_that_ended_is_gone_once_github_tells,
    subscription_ends_once_github_tells,
    limit_of_github_is_told_with_its_end,
}

/// Has GitHub end all memberships of `login`, and remember what it would tell.
pub fn end_memberships(app: &TestApp, login: &str) -> Delivery {
    app.github.set_memberships(login, &[]);
    let event = Event::Organization("member_removed", "mcce", Some(login));
    app.github.delivery(WEBHOOK_SECRET, event)
}

pub async fn deliver(app: &TestApp, delivery: Delivery) {
    let mut request = app.http.post(app.url.join("/webhooks/github").unwrap());
    for (name, value) in delivery.headers {
        request = request.header(name, value);
    }
    let response = request.body(delivery.body).send().await.unwrap();
    assert_eq!(response.status(), 202);
}

/// The tenants that are open to whoever has `token`.
async fn open_to(app: &TestApp, token: &str) -> Value {
    let query = "{ tenants { nodes { slug } } }";
    app.data(token, query, json!({})).await["tenants"]["nodes"].take()
}

/// A subscription of whoever has `token`, which has begun.
async fn follower(app: &TestApp, token: &str) -> Socket {
    app.ingest(&app.prod, PROD, "a", &[(1, 1.0)]).await;
    let mut socket = Socket::introduced(&app.endpoint(), token).await;
    socket.follow("1", PROD, &["*"], json!(START)).await;
    socket.event().await;
    socket
}

async fn ends_as_forbidden(app: &TestApp, mut socket: Socket) {
    let end = socket.next().await;
    assert_eq!(end["type"], "error", "{end}");
    assert_eq!(end["payload"][0]["extensions"]["code"], "FORBIDDEN");
    app.ingest(&app.prod, PROD, "a", &[(2, 2.0)]).await;
    assert!(socket.is_silent(Duration::from_millis(200)).await);
}

async fn membership_that_ended_is_gone_once_github_tells(app: TestApp) {
    let viewer = app.person("viewer");
    let open = json!([{ "slug": PROD }]);
    assert_eq!(open_to(&app, &viewer).await, open);
    let told = end_memberships(&app, "viewer");
    assert_eq!(open_to(&app, &viewer).await, open);
    deliver(&app, told).await;
    assert_eq!(open_to(&app, &viewer).await, json!([]));
}

async fn subscription_ends_once_github_tells(app: TestApp) {
    let socket = follower(&app, &app.person("viewer")).await;
    let told = end_memberships(&app, "viewer");
    deliver(&app, told).await;
    let told = Instant::now();
    ends_as_forbidden(&app, socket).await;
    assert!(told.elapsed() < Duration::from_secs(10));
}

async fn limit_of_github_is_told_with_its_end(app: TestApp) {
    app.github.set_limit(Some(Limit::Secondary(Some(30))));
    let body = json!({ "query": "{ viewer { login } }" }).to_string();
    let response = app.post(&app.person("viewer"), body).send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "30");
    assert_eq!(code(&json_of(response).await), "GITHUB_UNAVAILABLE");
    // Machines go on.
    let batches = json!([batch("a", &[(1, 1.0)])]);
    let answer = app.try_ingest(&app.prod, PROD, batches).await;
    assert!(answer.get("errors").is_none(), "{answer}");
}

/// What GitHub says counts for 1 s, so that a test can outlive it.
async fn soon_asking(kind: Kind) -> TestApp {
    let lifetimes = Lifetimes {
        standing: Duration::from_secs(1),
        profile: Duration::from_secs(1),
        ..Lifetimes::default()
    };
    TestApp::believing(kind, lifetimes).await
}

#[tokio::test]
async fn membership_that_ended_is_gone_after_its_time() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let app = soon_asking(kind).await;
        let viewer = app.person("viewer");
        assert_eq!(open_to(&app, &viewer).await, json!([{ "slug": PROD }]));
        let _untold = end_memberships(&app, "viewer");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(open_to(&app, &viewer).await, json!([]));
    }
}

#[tokio::test]
async fn subscription_ends_after_the_memberships_time() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let app = soon_asking(kind).await;
        let socket = follower(&app, &app.person("viewer")).await;
        let _untold = end_memberships(&app, "viewer");
        ends_as_forbidden(&app, socket).await;
    }
}

#[tokio::test]
async fn subscription_ends_when_its_token_is_taken_back() {
    let app = soon_asking(Kind::Sqlite).await;
    let token = app.person("viewer");
    let mut socket = follower(&app, &token).await;
    app.github.revoke(&token);
    assert_eq!(socket.ended().await, 4403);
}
