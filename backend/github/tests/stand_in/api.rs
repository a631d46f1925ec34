//! What the API says of people, and how a token ends.

use super::*;

#[tokio::test]
async fn the_api_refuses_strangers_and_missing_scopes() {
    let app = App::start().await;
    let response = app.get("/user", "gho_unknown").await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        response.json::<Value>().await.unwrap()["message"],
        "Bad credentials"
    );

    let token = app.token("admin", "read:user");
    assert_eq!(app.get("/user", &token).await.status(), StatusCode::OK);
    for path in ["/user/memberships/orgs", "/user/teams"] {
        let response = app.get(path, &token).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_eq!(response.headers()["x-oauth-scopes"], "read:user");
    }
    let nameless = Client::new()
        .get(app.github.api_url() + "/user")
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(nameless.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn memberships_are_those_that_were_set() {
    let app = App::start().await;
    let token = app.token("viewer", "read:org");
    let organizations = "/user/memberships/orgs?state=active";
    assert_eq!(
        names(app.get(organizations, &token).await, "/organization/login").await,
        ["mcce"]
    );
    assert_eq!(
        names(app.get("/user/teams", &token).await, "/slug").await,
        ["g1-viewers"]
    );
    assert_eq!(
        names(app.get("/user/teams", &token).await, "/organization/login").await,
        ["mcce"]
    );

    app.github.set_memberships("viewer", &["other"]);
    app.github.invite("viewer", "mcce");
    assert_eq!(
        names(app.get(organizations, &token).await, "/organization/login").await,
        ["other"]
    );
    assert_eq!(
        names(app.get("/user/memberships/orgs", &token).await, "/state").await,
        ["active", "pending"]
    );
    assert!(
        names(app.get("/user/teams", &token).await, "/slug")
            .await
            .is_empty()
    );

    let stranger = app.token("stranger", "read:org");
    assert!(
        names(
            app.get(organizations, &stranger).await,
            "/organization/login"
        )
        .await
        .is_empty()
    );
}

#[tokio::test]
async fn lists_come_in_pages() {
    let app = App::start().await;
    let many: Vec<String> = (0..31).map(|number| format!("org-{number:02}")).collect();
    app.github.set_memberships(
        "admin",
        &many.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let token = app.token("admin", "read:org");
    let mut path = "/user/memberships/orgs?state=active".to_owned();
    let mut seen = Vec::new();
    loop {
        let response = app.get(&path, &token).await;
        let link = response
            .headers()
            .get("link")
            .map(|link| link.to_str().unwrap().to_owned())
            .unwrap_or_default();
        seen.extend(names(response, "/organization/login").await);
        let Some(next) = link.split(", ").find(|part| part.ends_with("rel=\"next\"")) else {
            break;
        };
        let url = next.split(['<', '>']).nth(1).unwrap();
        path = url.strip_prefix(&app.github.api_url()).unwrap().to_owned();
    }
    assert_eq!(seen, many);
    assert_eq!(app.github.requests("/user/memberships/orgs"), 2);
}

#[tokio::test]
async fn an_unchanged_answer_is_free() {
    let app = App::start().await;
    let token = app.token("admin", "read:org");
    let first = app.get("/user/teams", &token).await;
    assert_eq!(first.headers()["x-ratelimit-remaining"], "4999");
    let request = app
        .http
        .get(app.github.api_url() + "/user/teams")
        .bearer_auth(&token);
    let second = request
        .header("if-none-match", &first.headers()["etag"])
        .send()
        .await
        .unwrap();
    assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(second.headers()["x-ratelimit-remaining"], "4999");
    app.github.set_memberships("admin", &[]);
    let request = app
        .http
        .get(app.github.api_url() + "/user/teams")
        .bearer_auth(&token);
    let third = request
        .header("if-none-match", &first.headers()["etag"])
        .send()
        .await
        .unwrap();
    assert_eq!(third.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_rate_limit_holds_for_an_hour() {
    let app = App::with(Settings {
        rate_limit: 1,
        ..Settings::default()
    })
    .await;
    let token = app.token("admin", "read:org");
    assert_eq!(app.get("/user", &token).await.status(), StatusCode::OK);
    let refused = app.get("/user", &token).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(refused.headers()["x-ratelimit-remaining"], "0");
    app.github.advance(Duration::from_secs(3601));
    assert_eq!(app.get("/user", &token).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_token_check_knows_only_the_apps_own_tokens() {
    let app = App::start().await;
    let own = app.token("viewer", "read:org");
    let found: Value = app
        .check(json!({ "access_token": own }).to_string())
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(found["app"]["client_id"], app.settings.client_id.as_str());
    assert_eq!(
        (&found["user"]["id"], &found["scopes"]),
        (&json!(1002), &json!(["read:org"]))
    );

    let foreign = app.github.issue_token("viewer", "read:org", "another-app");
    assert_eq!(app.get("/user", &foreign).await.status(), StatusCode::OK);
    for (body, status) in [
        (
            json!({ "access_token": foreign }).to_string(),
            StatusCode::NOT_FOUND,
        ),
        (
            json!({ "access_token": "gho_unknown" }).to_string(),
            StatusCode::NOT_FOUND,
        ),
        (
            json!({ "access_token": 1 }).to_string(),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (json!({}).to_string(), StatusCode::UNPROCESSABLE_ENTITY),
        ("{".to_owned(), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(app.check(body.clone()).await.status(), status, "{body}");
    }
    let url = format!(
        "{}/applications/{}/token",
        app.github.api_url(),
        app.settings.client_id
    );
    let wrong = app
        .http
        .post(url)
        .basic_auth(&app.settings.client_id, Some("guess"))
        .json(&json!({ "access_token": own }));
    assert_eq!(
        wrong.send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn revoked_tokens_stop_working() {
    let app = App::start().await;
    let [one, two, three] = [0; 3].map(|_| app.token("viewer", "read:org"));
    app.github.revoke(&one);
    assert_eq!(
        app.get("/user", &one).await.status(),
        StatusCode::UNAUTHORIZED
    );
    for (what, token) in [("token", &two), ("grant", &three)] {
        let url = format!(
            "{}/applications/{}/{what}",
            app.github.api_url(),
            app.settings.client_id
        );
        let request = app
            .http
            .delete(url)
            .basic_auth(&app.settings.client_id, Some(&app.settings.client_secret));
        let response = request
            .json(&json!({ "access_token": token }))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        assert_eq!(
            app.get("/user", token).await.status(),
            StatusCode::UNAUTHORIZED
        );
    }
}

#[tokio::test]
async fn the_eleventh_token_revokes_the_first() {
    let app = App::start().await;
    let tokens: Vec<String> = (0..11).map(|_| app.token("admin", "read:org")).collect();
    assert_eq!(
        app.get("/user", &tokens[0]).await.status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(app.get("/user", &tokens[1]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn failures_come_as_often_as_asked_for() {
    let app = App::start().await;
    let token = app.token("admin", "");
    app.github.fail_next(503, 2);
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(app.get("/user", &token).await.status().as_u16());
    }
    assert_eq!(seen, [503, 503, 200]);
    assert_eq!(app.github.requests("/user"), 3);
}
