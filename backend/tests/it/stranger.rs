//! Who may see and do what. Absent and foreign are the same answer, to the byte.

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sundial::identity::{TokenName, create_token, list_tokens, revoke_token};

use crate::{
    app::{ABSENT, FOREIGN, INGEST, PROD, TEST, TestApp, batch, code, json_of, message},
    socket::Socket,
};

on_each_fence! {
    foreign_and_absent_tenants_are_the_same_answer,
    foreign_nodes_are_absent_nodes,
    subscription_to_a_foreign_tenant_is_one_to_an_absent_tenant,
    token_of_one_environment_opens_no_other,
    each_person_sees_the_tenants_of_their_teams,
    viewer_may_read_and_not_write,
    without_proof_nothing_is_open,
    tokens_that_count_no_more_are_refused,
    forged_cookies_are_refused,
}

/// The status and body of an answer.
async fn answer_of(app: &TestApp, token: &str, query: &str, variables: Value) -> (u16, String) {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let response = app.post(token, body).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn foreign_and_absent_tenants_are_the_same_answer(app: TestApp) {
    app.ingest(&app.foreign, FOREIGN, "a", &[(1, 1.0)]).await;
    let read = "query ($tenant: String!) { tenant(slug: $tenant) { id lastPointAt series { nodes { key } } } }";
    let batches = json!([batch("a", &[(1, 1.0)])]);
    for token in [
        app.prod.clone(),
        app.person("admin"),
        app.person("stranger"),
        String::new(),
    ] {
        for query in [read, INGEST] {
            let with = |tenant| json!({ "tenant": tenant, "batches": batches, "key": "k" });
            let foreign = answer_of(&app, &token, query, with(FOREIGN)).await;
            let absent = answer_of(&app, &token, query, with(ABSENT)).await;
            assert_eq!(foreign, absent);
            assert!(!foreign.1.contains("\"key\""), "{}", foreign.1);
        }
    }
    let answer = app.try_ingest(&app.prod, FOREIGN, batches).await;
    assert_eq!(code(&answer), "NOT_FOUND");
    let read = app.points(&app.foreign, FOREIGN).await;
    assert_eq!(read, [("a".to_owned(), vec![(1, 1.0)])]);
}

async fn foreign_nodes_are_absent_nodes(app: TestApp) {
    app.ingest(&app.foreign, FOREIGN, "a", &[(1, 1.0)]).await;
    let ids = r#"{ tenant(slug: "other-g9-prod") { id series { nodes { id } } } }"#;
    let data = app.data(&app.foreign, ids, json!({})).await;
    let tenant = data["tenant"]["id"].as_str().unwrap();
    let series = data["tenant"]["series"]["nodes"][0]["id"].as_str().unwrap();
    let query = "query ($id: ID!) { node(id: $id) { id ... on Series { key } } }";
    let open = app.data(&app.foreign, query, json!({ "id": series })).await;
    assert_eq!(open["node"]["key"], "a");
    for token in [
        app.prod.clone(),
        app.person("admin"),
        app.person("stranger"),
        String::new(),
    ] {
        let absent = answer_of(&app, &token, query, json!({ "id": "bm9uZQ" })).await;
        for id in [tenant, series] {
            let foreign = answer_of(&app, &token, query, json!({ "id": id })).await;
            assert_eq!(foreign, absent);
        }
    }
}

async fn subscription_to_a_foreign_tenant_is_one_to_an_absent_tenant(app: TestApp) {
    app.ingest(&app.foreign, FOREIGN, "a", &[(1, 1.0)]).await;
    let mut ends = Vec::new();
    for tenant in [FOREIGN, ABSENT] {
        let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
        let query = "subscription ($tenant: String!) { pointsAdded(tenant: $tenant, series: [\"*\"]) { cursor } }";
        let payload = json!({ "query": query, "variables": { "tenant": tenant } });
        socket
            .send(json!({ "id": "1", "type": "subscribe", "payload": payload }))
            .await;
        ends.push(socket.next().await);
    }
    assert_eq!(ends[0].to_string(), ends[1].to_string());
    assert_eq!(ends[0]["type"], "error");
    assert_eq!(ends[0]["payload"][0]["extensions"]["code"], "NOT_FOUND");
}

async fn token_of_one_environment_opens_no_other(app: TestApp) {
    let answer = app
        .try_ingest(&app.prod, TEST, json!([batch("a", &[(1, 1.0)])]))
        .await;
    assert_eq!(code(&answer), "NOT_FOUND");
    let query = "{ tenants { nodes { slug role } } viewer { kind login } }";
    let data = app.data(&app.prod, query, json!({})).await;
    let expected = json!({
        "tenants": { "nodes": [{ "slug": PROD, "role": "EDITOR" }] },
        "viewer": { "kind": "INGEST_TOKEN", "login": "clock" },
    });
    assert_eq!(data, expected);
    assert!(app.points(&app.test, TEST).await.is_empty());
}

async fn each_person_sees_the_tenants_of_their_teams(app: TestApp) {
    // A team of the same name in another organisation opens nothing.
    app.github.set_memberships("impostor", &["evil/g1-admins"]);
    app.github.set_memberships("other", &["Other"]);
    let query = "{ tenants { nodes { slug role } } }";
    for (login, open) in [
        (
            "admin",
            json!([{ "slug": PROD, "role": "ADMIN" }, { "slug": TEST, "role": "ADMIN" }]),
        ),
        ("viewer", json!([{ "slug": PROD, "role": "VIEWER" }])),
        ("stranger", json!([])),
        ("impostor", json!([])),
        ("other", json!([{ "slug": FOREIGN, "role": "ADMIN" }])),
    ] {
        let data = app.data(&app.person(login), query, json!({})).await;
        assert_eq!(data["tenants"]["nodes"], open, "{login}");
    }
}

async fn viewer_may_read_and_not_write(app: TestApp) {
    app.ingest(&app.person("admin"), PROD, "a", &[(1, 1.0)])
        .await;
    let viewer = app.person("viewer");
    let answer = app
        .try_ingest(&viewer, PROD, json!([batch("a", &[(2, 2.0)])]))
        .await;
    assert_eq!(code(&answer), "FORBIDDEN");
    assert!(
        message(&answer).contains("ask an administrator"),
        "{answer}"
    );
    let read = app.points(&viewer, PROD).await;
    assert_eq!(read, [("a".to_owned(), vec![(1, 1.0)])]);
    // Where the viewer has no role at all, nothing is told.
    let answer = app
        .try_ingest(&viewer, TEST, json!([batch("a", &[(2, 2.0)])]))
        .await;
    assert_eq!(code(&answer), "NOT_FOUND");
}

async fn without_proof_nothing_is_open(app: TestApp) {
    let data = app
        .data("", "{ viewer { login } serverTime }", json!({}))
        .await;
    assert!(data["viewer"].is_null());
    for query in [
        r#"{ tenant(slug: "mcce-g1-prod") { id } }"#,
        "{ tenants { nodes { slug } } }",
        r#"{ node(id: "bm9uZQ") { id } }"#,
    ] {
        let answer = app.ask("", query, json!({})).await;
        assert_eq!(code(&answer), "UNAUTHENTICATED", "{query}");
        assert!(message(&answer).contains("/auth/login"), "{answer}");
    }
    let answer = app
        .try_ingest("", PROD, json!([batch("a", &[(1, 1.0)])]))
        .await;
    assert_eq!(code(&answer), "UNAUTHENTICATED");
}

async fn tokens_that_count_no_more_are_refused(app: TestApp) {
    let scope = app.operate(PROD).await;
    let name = TokenName::try_from("expired".to_owned()).unwrap();
    let (_, expired) = create_token(&scope, &name, None, Some(1), 0).await.unwrap();
    let tokens = list_tokens(&scope).await.unwrap();
    let first = tokens.iter().find(|token| token.name == "clock").unwrap();
    revoke_token(&scope, first.id, 1).await.unwrap();
    scope.commit().await.unwrap();
    let mut garbled = app.test.clone();
    let last = if garbled.ends_with('a') { 'b' } else { 'a' };
    garbled.pop();
    garbled.push(last);
    for (token, words) in [
        (app.prod.as_str(), "sundial token create"),
        (expired.expose_secret(), "has expired"),
        (&garbled, "garbled"),
        ("sdl_", "garbled"),
        ("gho_neverissued", "not one of Sundial's"),
        ("ghp_personal", "ingest token (sdl_"),
    ] {
        let variables = json!({ "tenant": PROD, "batches": [batch("a", &[(1, 1.0)])] });
        let body = json!({ "query": INGEST, "variables": variables }).to_string();
        let response = app.post(token, body).send().await.unwrap();
        assert_eq!(response.status(), 401, "{words}");
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        let answer = json_of(response).await;
        assert_eq!(code(&answer), "UNAUTHENTICATED");
        assert!(message(&answer).contains(words), "{answer}");
        assert!(!answer.to_string().contains(token) || token == "sdl_");
    }
    let batches: Vec<i64> = app.database.read("SELECT count(*) FROM batch").await;
    assert_eq!(batches, [0]);
}

async fn forged_cookies_are_refused(app: TestApp) {
    for value in ["", "abc", &"A".repeat(43)] {
        let request = app.post("", json!({ "query": "{ viewer { login } }" }).to_string());
        let request = request
            .header("cookie", format!("sundial={value}"))
            .header("sec-fetch-site", "same-origin");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401, "{value}");
        assert_eq!(code(&json_of(response).await), "UNAUTHENTICATED");
    }
}
