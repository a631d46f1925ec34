//! What an app sees of organisations that withhold themselves, of limits, and of webhooks.

#![expect(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping it"
)]

use github_stand_in::{Event, GitHub, Limit, Settings, start};
use hmac::{Hmac, Mac};
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use sha2::Sha256;

struct App {
    github: GitHub,
    token: String,
}

impl App {
    async fn start() -> Self {
        let settings = Settings::default();
        let github = start(settings.clone()).await.unwrap();
        github.set_memberships("admin", &["mcce/g1-admins", "other/ops"]);
        let token = github.issue_token("admin", "read:org", &settings.client_id);
        Self { github, token }
    }

    async fn get(&self, path: &str) -> Response {
        Client::new()
            .get(self.github.api_url() + path)
            .header("user-agent", "test")
            .bearer_auth(&self.token)
            .send()
            .await
            .unwrap()
    }

    async fn body(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    /// The organisations in both lists of the account's own.
    async fn listed(&self) -> (Vec<Value>, Vec<Value>) {
        let names = |body: Value| {
            let items = body.as_array().unwrap().clone();
            let names = items
                .iter()
                .map(|item| item["organization"]["login"].clone());
            names.collect::<Vec<_>>()
        };
        (
            names(self.body("/user/memberships/orgs").await),
            names(self.body("/user/teams").await),
        )
    }
}

#[tokio::test]
async fn a_membership_is_told_by_its_state() {
    let app = App::start().await;
    app.github.invite("admin", "third");
    for (name, state) in [("mcce", "active"), ("MCCE", "active"), ("third", "pending")] {
        let path = format!("/user/memberships/orgs/{name}");
        assert_eq!(app.body(&path).await["state"], state, "{name}");
    }
    let absent = app.get("/user/memberships/orgs/absent").await;
    assert_eq!(absent.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_unapproved_app_is_told_of_the_restriction_by_name_alone() {
    let app = App::start().await;
    app.github.set_unapproved(&["mcce"]);
    let (organizations, teams) = app.listed().await;
    assert_eq!(
        (organizations, teams),
        (vec!["other".into()], vec!["other".into()])
    );
    let refused = app.get("/user/memberships/orgs/mcce").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let refused: Value = refused.json().await.unwrap();
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("the `mcce` organization has enabled OAuth App access restrictions"));
}

#[tokio::test]
async fn single_sign_on_is_demanded_by_a_header() {
    let app = App::start().await;
    app.github.set_sign_on(&["mcce", "foreign"]);
    let list = app.get("/user/teams").await;
    let header = list.headers()["x-github-sso"].to_str().unwrap().to_owned();
    let (organizations, _) = app.listed().await;
    assert_eq!(organizations, ["other"]);
    let refused = app.get("/user/memberships/orgs/mcce").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let url = format!("required; url={}/orgs/mcce/sso?", app.github.url());
    let single = refused.headers()["x-github-sso"].to_str().unwrap();
    assert!(single.starts_with(&url), "{single}");
    app.github.set_sign_on(&[]);
    assert!(
        !app.get("/user/teams")
            .await
            .headers()
            .contains_key("x-github-sso")
    );
    let id = app.body("/user/memberships/orgs/mcce").await["organization"]["id"].clone();
    assert_eq!(header, format!("partial-results; organizations={id}"));
}

#[tokio::test]
async fn what_an_account_shows_is_seen_by_everybody() {
    let app = App::start().await;
    assert_eq!(app.body("/users/viewer/orgs").await, serde_json::json!([]));
    app.github.set_public("viewer", &["mcce"]);
    assert_eq!(app.body("/users/viewer/orgs").await[0]["login"], "mcce");
    let absent = app.get("/users/absent/orgs").await;
    assert_eq!(absent.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn limits_say_when_they_end() {
    let app = App::start().await;
    app.github.set_limit(Some(Limit::Primary(120)));
    let refused = app.get("/user").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(refused.headers()["x-ratelimit-remaining"], "0");
    assert!(!refused.headers().contains_key("retry-after"));
    app.github.set_limit(Some(Limit::Secondary(Some(30))));
    let refused = app.get("/user").await;
    assert_eq!(refused.headers()["retry-after"], "30");
    app.github.set_limit(Some(Limit::Secondary(None)));
    let refused = app.get("/user").await;
    assert!(!refused.headers().contains_key("retry-after"));
    assert!(
        refused
            .text()
            .await
            .unwrap()
            .contains("secondary rate limit")
    );
    app.github.set_limit(None);
    assert_eq!(app.get("/user").await.status(), StatusCode::OK);
    assert_eq!(
        (app.github.counted("admin"), app.github.all_requests()),
        (1, 4)
    );
}

#[tokio::test]
async fn deliveries_are_signed_and_say_of_whom() {
    let app = App::start().await;
    for (event, name, pointer) in [
        (Event::Ping, "ping", None),
        (
            Event::Organization("member_removed", "mcce", Some("admin")),
            "organization",
            Some("/membership/user/id"),
        ),
        (
            Event::Membership("removed", "mcce/g1-admins", "admin"),
            "membership",
            Some("/member/id"),
        ),
        (
            Event::AuthorizationRevoked("admin"),
            "github_app_authorization",
            Some("/sender/id"),
        ),
    ] {
        let delivery = app.github.delivery("secret", event);
        let header = |name| {
            let header = delivery.headers.iter().find(|(known, _)| *known == name);
            header.unwrap().1.as_str()
        };
        assert_eq!(header("x-github-event"), name);
        assert_eq!(header("x-github-delivery").len(), 36);
        let mac = Hmac::<Sha256>::new_from_slice(b"secret").unwrap();
        let digest = mac.chain_update(&delivery.body).finalize().into_bytes();
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(header("x-hub-signature-256"), format!("sha256={digits}"));
        let body: Value = serde_json::from_str(&delivery.body).unwrap();
        let id = pointer.map(|pointer| body.pointer(pointer).unwrap().as_u64());
        assert_eq!(id, pointer.map(|_| Some(1001)), "{name}");
    }
}
