//! A GitHub that answers what it should not: nothing of it gives anybody access.

use axum::{Json, Router, http::HeaderMap, routing::any};
use serde_json::{Value, json};

use super::*;
use crate::identity::github::{Fault, Github, Membership, Standing};

/// A GitHub whose answers are given by path; what is not is an empty list. A number, alone or as `status`,
/// is the status of a refusal.
async fn answering(answers: Value) -> (Github, JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let answer = move |uri: axum::http::Uri| async move {
        let said = answers.get(uri.path()).cloned().unwrap_or(json!([]));
        let mut headers = HeaderMap::new();
        if let Some(link) = said.get("link") {
            let link = format!("<{}>; rel=\"next\"", link.as_str().unwrap());
            headers.insert("link", link.parse().unwrap());
            return (StatusCode::OK, headers, Json(json!([])));
        }
        let status = said.as_u64().or(said["status"].as_u64());
        let status = StatusCode::from_u16(status.map_or(200, |status| status as u16));
        (status.unwrap(), headers, Json(said))
    };
    let router = Router::new().fallback(any(answer));
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let github = Github::new(
        github::client().unwrap(),
        &url,
        "ours".into(),
        "secret".into(),
    );
    (github.unwrap(), server)
}

async fn standing(answer: Value) -> Result<Standing, Fault> {
    let (github, server) = answering(json!({ "/applications/ours/token": answer })).await;
    let standing = github.standing(&"gho_a".into()).await;
    server.abort();
    standing
}

#[tokio::test]
async fn token_counts_only_if_all_of_the_answer_says_so() {
    let whole = json!({
        "app": { "client_id": "ours" }, "scopes": ["read:org", "read:user"], "user": { "id": 7 },
    });
    assert_eq!(standing(whole.clone()).await.unwrap(), Standing::Ours(7));
    let with = |name: &str, value: Value| {
        let mut answer = whole.clone();
        answer[name] = value;
        answer
    };
    let another = with("app", json!({ "client_id": "another" }));
    assert_eq!(standing(another).await.unwrap(), Standing::Foreign);
    let nobody = with("user", Value::Null);
    assert_eq!(standing(nobody).await.unwrap(), Standing::Foreign);
    for scopes in [Value::Null, json!([]), json!(["repo"])] {
        let narrow = with("scopes", scopes);
        assert_eq!(standing(narrow).await.unwrap(), Standing::Narrow);
    }
    for garbled in [
        json!([]),
        json!("yes"),
        with("app", Value::Null),
        with("user", json!({})),
    ] {
        let refused = standing(garbled.clone()).await;
        assert!(
            matches!(refused, Err(Fault::Unavailable { .. })),
            "{garbled}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn answers_of_two_accounts_are_nobodys() {
    let (github, _server) = answering(json!({
        "/applications/ours/token": {
            "app": { "client_id": "ours" }, "scopes": ["read:org"], "user": { "id": 7 },
        },
        "/user": { "id": 8, "login": "another", "name": null, "avatar_url": "" },
    }))
    .await;
    let people = People::new(github, Lifetimes::default());
    assert!(matches!(
        people.owner(&"gho_a".into()).await,
        Err(Fault::Unavailable { .. })
    ));
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let asked = async |answer: Value, of: &str| {
        let mut answers =
            json!({ "/user": { "id": 7, "login": "a", "name": "", "avatar_url": "" } });
        answers[of] = answer;
        let (github, _server) = answering(answers).await;
        github.profile(&"gho_a".into()).await
    };
    for of in ["/user", "/user/teams", "/user/memberships/orgs"] {
        let narrow = asked(json!(403), of).await;
        assert!(matches!(narrow, Err(Fault::Narrow)), "{of}");
        let foreign = asked(json!(401), of).await;
        assert!(matches!(foreign, Err(Fault::Foreign)), "{of}");
        let refused = asked(json!(404), of).await;
        let words = Error::from(refused.err().unwrap()).to_string();
        assert!(words.contains("it answers 404"), "{of}: {words}");
    }
    let refused = standing(json!(401)).await.err().unwrap();
    let words = Error::from(refused).to_string();
    assert!(
        words.contains("refuses the client id and secret"),
        "{words}"
    );
}

#[tokio::test]
async fn membership_is_what_github_says_of_it() {
    const UNAPPROVED: &str = "Although you appear to have the correct authorization credentials, the `mcce` \
        organization has enabled OAuth App access restrictions";
    for (answer, expected) in [
        (
            json!({ "state": "active", "organization": { "id": 1, "login": "mcce" } }),
            Membership::Active,
        ),
        (
            json!({ "state": "pending", "organization": { "id": 1, "login": "mcce" } }),
            Membership::Pending,
        ),
        (
            json!({ "state": "odd", "organization": { "id": 1, "login": "mcce" } }),
            Membership::Absent,
        ),
        (json!(404), Membership::Absent),
        (
            json!({ "status": 403, "message": UNAPPROVED }),
            Membership::Unapproved,
        ),
        (
            json!({ "status": 403, "message": "an IP allow list is enabled" }),
            Membership::Refused,
        ),
    ] {
        let answers = json!({ "/user/memberships/orgs/mcce": answer });
        let (github, _server) = answering(answers.clone()).await;
        let asked = github.membership(&"gho_a".into(), "a", "mcce").await;
        assert_eq!(asked.unwrap().0, expected, "{answers}");
    }
}

#[tokio::test]
async fn answer_is_read_up_to_a_bound() {
    const BOUND: usize = 4 << 20;
    let of_size = async |size: usize| {
        // A text of JSON, in its quotes.
        let text = json!("a".repeat(size - 2));
        standing(text)
            .await
            .err()
            .map(|fault| Error::from(fault).to_string())
    };
    let read = of_size(BOUND).await.unwrap();
    assert!(read.contains("can't be read"), "{read}");
    let unread = of_size(BOUND + 1).await.unwrap();
    assert!(unread.contains("too long"), "{unread}");
}

#[tokio::test]
async fn what_a_profile_leaves_empty_is_not_there() {
    let profile = async |name: &str, avatar: &str| {
        let user = json!({ "id": 7, "login": "a", "name": name, "avatar_url": avatar });
        let (github, _server) = answering(json!({ "/user": user })).await;
        github.profile(&"gho_a".into()).await.unwrap()
    };
    let empty = profile("", "").await;
    assert_eq!((empty.name.as_str(), empty.avatar_url), ("a", None));
    let full = profile("Ada", "https://a.example/a.png").await;
    let avatar = full.avatar_url.as_deref();
    assert_eq!(
        (full.name.as_str(), avatar),
        ("Ada", Some("https://a.example/a.png"))
    );
}

#[tokio::test]
async fn token_goes_to_no_other_host() {
    let (elsewhere, heard) = tokio::sync::oneshot::channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = format!("http://{}/user/teams", listener.local_addr().unwrap());
    let listening = tokio::spawn(async move {
        listener.accept().await.unwrap();
        elsewhere.send(()).unwrap();
    });
    let (github, _server) = answering(json!({
        "/user": { "id": 7, "login": "a", "name": null, "avatar_url": null },
        "/user/teams": { "link": link },
    }))
    .await;
    let asked = github.profile(&"gho_a".into()).await;
    assert!(matches!(asked, Err(Fault::Unavailable { .. })));
    let heard = tokio::time::timeout(Duration::from_millis(200), heard).await;
    assert!(heard.is_err(), "another host was asked");
    listening.abort();
}

#[tokio::test]
async fn pages_without_end_are_left_at_a_bound() {
    let (github, _server) = answering(json!({
        "/user": { "id": 7, "login": "a", "name": null, "avatar_url": null },
        "/user/teams": { "link": "/user/teams" },
    }))
    .await;
    let profile = github.profile(&"gho_a".into()).await.unwrap();
    assert_eq!(
        (profile.name.as_str(), profile.memberships.teams.len()),
        ("a", 0)
    );
}
