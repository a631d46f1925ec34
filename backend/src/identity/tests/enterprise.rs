//! A GitHub Enterprise Server is two addresses: all that is asked is below them.

use std::sync::Mutex;

use axum::{
    Json, Router,
    http::{HeaderMap, Method, Uri},
    routing::any,
};
use serde_json::{Value, json};

use super::*;

/// A server of a company's own, below `/github` of its host, that notes what it is asked.
async fn server() -> (Url, Arc<Mutex<Vec<String>>>, JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/github", listener.local_addr().unwrap());
    let noted = Arc::new(Mutex::new(Vec::new()));
    let (notes, next) = (Arc::clone(&noted), base.clone());
    let answer = move |method: Method, uri: Uri| {
        notes.lock().unwrap().push(format!("{method} {uri}"));
        let mut headers = HeaderMap::new();
        let body = match uri.path().strip_prefix("/github").unwrap_or_default() {
            "/login/oauth/access_token" => {
                json!({ "access_token": "gho_a", "token_type": "bearer", "scope": "read:org" })
            }
            "/api/v3/applications/ours/token" => json!({
                "app": { "client_id": "ours" }, "scopes": ["read:org"], "user": { "id": 7 },
            }),
            "/api/v3/user" => json!({ "id": 7, "login": "a", "name": null, "avatar_url": null }),
            "/api/v3/user/memberships/orgs/mcce" => {
                json!({ "state": "active", "organization": { "id": 1, "login": "mcce" } })
            }
            "/api/v3/user/teams" if !uri.query().unwrap().contains("&page=2") => {
                let link = format!("<{next}/api/v3/user/teams?per_page=100&page=2>; rel=\"next\"");
                headers.insert("link", link.parse().unwrap());
                json!([])
            }
            _ => json!([]),
        };
        async move { (headers, Json::<Value>(body)) }
    };
    let router = Router::new().fallback(any(answer));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (base.parse().unwrap(), noted, serving)
}

#[tokio::test]
async fn everything_is_asked_below_the_two_addresses() {
    for slash in ["", "/"] {
        let (base, noted, serving) = server().await;
        let world = World::with(Lifetimes::default(), |config| {
            config.url = format!("{base}{slash}").parse().unwrap();
            config.api_url = format!("{base}/api/v3{slash}").parse().unwrap();
            config.client_id = Some("ours".into());
        })
        .await;
        let mut browser = world.browser();
        let begun = browser.get("/auth/login").await;
        let page = location(&begun).to_owned();
        let authorize = format!("{base}/login/oauth/authorize?");
        assert!(page.starts_with(&authorize), "{page}");
        let page = Url::parse(&page).unwrap();
        let state = page.query_pairs().find(|(name, _)| name == "state");
        let callback = format!("/auth/callback?code=c&state={}", state.unwrap().1);
        assert_eq!(location(&browser.get(&callback).await), "/");
        let told = world.identity.explain(&browser.proof(), Some("mcce")).await;
        let Ok(Facts::Person(facts)) = told else {
            panic!("nobody: {told:?}");
        };
        assert_eq!(facts.membership, MembershipFact::Active);
        let mut noted = noted.lock().unwrap().clone();
        noted.sort();
        assert_eq!(
            noted,
            [
                "GET /github/api/v3/user",
                "GET /github/api/v3/user/memberships/orgs/mcce",
                "GET /github/api/v3/user/memberships/orgs?per_page=100&state=active",
                "GET /github/api/v3/user/teams?per_page=100",
                "GET /github/api/v3/user/teams?per_page=100&page=2",
                "GET /github/api/v3/users/a/orgs?per_page=100",
                "POST /github/api/v3/applications/ours/token",
                "POST /github/login/oauth/access_token",
            ]
        );
        // The stand-in, whose addresses were not given, was left alone.
        assert_eq!(world.github.all_requests(), 0);
        serving.abort();
    }
}
