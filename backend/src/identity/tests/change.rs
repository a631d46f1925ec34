//! Changes at GitHub while it is being asked, and how old its answers may become.

use axum::{Json, Router, routing::any};
use serde_json::json;
use tokio::{sync::watch, time::Instant};

use super::*;
use crate::identity::github::Github;

/// A GitHub that says who belongs to `organization` as it is when it is asked, and lets its answer go
/// once `open` is true.
struct Slow {
    organization: watch::Sender<&'static str>,
    open: watch::Sender<bool>,
    asked: watch::Receiver<u32>,
    people: Arc<People>,
    server: JoinHandle<()>,
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Slow {
    async fn start(lifetimes: Lifetimes) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let (organization, said) = watch::channel("mcce");
        let (open, opened) = watch::channel(true);
        let (count, asked) = watch::channel(0);
        let answer = move |uri: axum::http::Uri| {
            let (said, mut opened, count) = (said.clone(), opened.clone(), count.clone());
            async move {
                let body = match uri.path() {
                    "/applications/ours/token" => json!({
                        "app": { "client_id": "ours" }, "scopes": ["read:org"], "user": { "id": 7 },
                    }),
                    "/user" => json!({ "id": 7, "login": "a", "name": null, "avatar_url": null }),
                    "/user/memberships/orgs" => json!([
                        { "state": "active", "organization": { "id": 1, "login": *said.borrow() } },
                    ]),
                    _ => json!([]),
                };
                if uri.path() == "/user/memberships/orgs" {
                    count.send_modify(|count| *count += 1);
                    opened.wait_for(|open| *open).await.unwrap();
                }
                Json(body)
            }
        };
        let router = Router::new().fallback(any(answer));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let http = github::client().unwrap();
        let github = Github::new(http, &url, "ours".into(), "secret".into()).unwrap();
        Slow {
            organization,
            open,
            asked,
            people: Arc::new(People::new(github, lifetimes)),
            server,
        }
    }

    /// The organisation that the person belongs to.
    fn member_of(&self) -> JoinHandle<String> {
        let people = Arc::clone(&self.people);
        tokio::spawn(async move {
            let owner = people.owner(&"gho_a".into()).await.unwrap();
            owner
                .principal
                .as_person()
                .unwrap()
                .memberships
                .organizations[0]
                .clone()
        })
    }
}

#[tokio::test]
async fn answer_from_before_a_change_does_not_count() {
    for account_id in [Some(7), None] {
        let mut github = Slow::start(Lifetimes::default()).await;
        github.open.send_replace(false);
        let (first, second) = (github.member_of(), github.member_of());
        github.asked.wait_for(|asked| *asked == 1).await.unwrap();
        // It has made up its mind; then something changes, and it tells so before it answers.
        github.organization.send_replace("other");
        github.people.forget(account_id);
        github.open.send_replace(true);
        assert_eq!(first.await.unwrap(), "other");
        assert_eq!(second.await.unwrap(), "other");
        assert_eq!(*github.asked.borrow(), 2);
        assert_eq!(github.member_of().await.unwrap(), "other");
        assert_eq!(*github.asked.borrow(), 2);
    }
}

#[tokio::test]
async fn change_of_another_account_asks_nothing() {
    let github = Slow::start(Lifetimes::default()).await;
    assert_eq!(github.member_of().await.unwrap(), "mcce");
    github.people.forget(Some(8));
    assert_eq!(github.member_of().await.unwrap(), "mcce");
    assert_eq!(*github.asked.borrow(), 1);
}

#[tokio::test]
async fn wait_for_an_answer_is_part_of_its_life() {
    let life = Duration::from_millis(900);
    let github = Slow::start(Lifetimes {
        profile: life,
        ..Lifetimes::default()
    })
    .await;
    github.open.send_replace(false);
    let begun = Instant::now();
    let first = github.member_of();
    let mut asked = github.asked.clone();
    asked.wait_for(|asked| *asked == 1).await.unwrap();
    github.organization.send_replace("other");
    tokio::time::sleep_until(begun + life / 2).await;
    github.open.send_replace(true);
    assert_eq!(first.await.unwrap(), "mcce");
    assert_eq!(github.member_of().await.unwrap(), "mcce");
    // Counted from when it came, it would last for half a life more.
    tokio::time::sleep_until(begun + life + Duration::from_millis(50)).await;
    assert_eq!(github.member_of().await.unwrap(), "other");
}
