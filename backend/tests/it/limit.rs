//! What one asker may ask for, and what that costs the others: nothing.

use std::{num::NonZeroU32, time::Duration};

use reqwest::{RequestBuilder, Response, redirect::Policy};
use serde_json::json;
use sundial::api::limit::{Allowance, Allowances};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, client::IntoClientRequest},
};

use crate::{
    app::{INGEST, PROD, TEST, TestApp, batch, code, json_of},
    database::Kind,
    socket::{START, Socket},
};

/// Nothing comes back within a test.
const EVERY: Duration = Duration::from_secs(3_600);

fn allowance(burst: u32) -> Option<Allowance> {
    Some(Allowance {
        burst: NonZeroU32::new(burst).unwrap(),
        every: EVERY,
    })
}

/// A server on SQLite behind one proxy, which adds whom it hears from to `X-Forwarded-For`.
async fn behind_a_proxy(allowances: Allowances) -> TestApp {
    TestApp::limited(Kind::Sqlite, allowances, 1).await
}

fn by_principal(burst: u32) -> Allowances {
    Allowances {
        principal: allowance(burst),
        ..Allowances::default()
    }
}

fn by_address(burst: u32) -> Allowances {
    Allowances {
        address: allowance(burst),
        ..Allowances::default()
    }
}

fn by_failures(burst: u32) -> Allowances {
    Allowances {
        failures: allowance(burst),
        ..Allowances::default()
    }
}

/// A question of whoever has `token`, as it comes from `address`.
fn question(app: &TestApp, token: &str, address: &str) -> RequestBuilder {
    let body = json!({ "query": "{ serverTime }" }).to_string();
    app.post(token, body).header("x-forwarded-for", address)
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

/// An answer that says that it was too much, and when it is no more.
async fn assert_limited(response: Response) {
    assert_eq!(response.status(), 429);
    let after = response.headers()["retry-after"].to_str().unwrap();
    let after: u64 = after.parse().unwrap();
    assert!((1..=EVERY.as_secs()).contains(&after), "{after}");
    assert_eq!(code(&json_of(response).await), "RATE_LIMITED");
}

async fn principal_is_limited_and_costs_no_other(kind: Kind) {
    let app = TestApp::limited(kind, by_principal(3), 0).await;
    let (admin, viewer) = (app.person("admin"), app.person("viewer"));
    for token in [&app.prod, &admin] {
        for _ in 0..3 {
            assert_eq!(status(question(&app, token, "")).await, 200);
        }
        assert_limited(question(&app, token, "").send().await.unwrap()).await;
    }
    for token in [&app.test, &viewer, ""] {
        assert_eq!(status(question(&app, token, "")).await, 200);
    }
    // Another token of the same person is of the same person.
    let again = app.person("admin");
    assert_limited(question(&app, &again, "").send().await.unwrap()).await;
}

#[tokio::test]
async fn principal_is_limited_and_costs_no_other_on_sqlite() {
    principal_is_limited_and_costs_no_other(Kind::Sqlite).await;
}

#[tokio::test]
async fn principal_is_limited_and_costs_no_other_on_postgres() {
    principal_is_limited_and_costs_no_other(Kind::Postgres).await;
}

#[tokio::test]
async fn refused_write_writes_nothing_however_large() {
    let app = TestApp::limited(Kind::Sqlite, by_principal(1), 0).await;
    assert_eq!(status(question(&app, &app.prod, "")).await, 200);
    let points: Vec<(i64, f64)> = (0..300_000).map(|time| (time, 0.5)).collect();
    let variables = json!({ "tenant": PROD, "batches": [batch("a", &points)] });
    let body = json!({ "query": INGEST, "variables": variables }).to_string();
    assert!(body.len() > 2 << 20);
    assert_limited(app.post(&app.prod, body).send().await.unwrap()).await;
    let batches: Vec<i64> = app.database.read("SELECT count(*) FROM batch").await;
    assert_eq!(batches, [0]);
}

#[tokio::test]
async fn both_transports_take_from_one_allowance() {
    let app = TestApp::limited(Kind::Sqlite, by_principal(3), 0).await;
    let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
    let mut other = Socket::introduced(&app.endpoint(), &app.test).await;
    for id in ["1", "2"] {
        socket.follow(id, PROD, &["*"], json!(null)).await;
    }
    assert_eq!(status(question(&app, &app.prod, "")).await, 200);
    socket.follow("3", PROD, &["*"], json!(null)).await;
    let refused = socket.next().await;
    assert_eq!(
        (&refused["type"], &refused["id"]),
        (&json!("error"), &json!("3"))
    );
    let error = &refused["payload"][0];
    assert_eq!(error["extensions"]["code"], "RATE_LIMITED");
    assert!(
        error["message"].as_str().unwrap().contains("try again in"),
        "{error}"
    );
    assert_limited(question(&app, &app.prod, "").send().await.unwrap()).await;
    // What runs goes on, on this connection and on others.
    other.follow("1", TEST, &["*"], json!(START)).await;
    app.ingest(&app.test, TEST, "a", &[(1, 1.0)]).await;
    assert_eq!(other.event().await.1, [("a".to_owned(), vec![(1, 1.0)])]);
    socket.send(json!({ "type": "ping" })).await;
    assert_eq!(socket.next().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn address_is_limited_without_proof_and_costs_no_other() {
    let app = behind_a_proxy(by_address(3)).await;
    for _ in 0..3 {
        assert_eq!(status(question(&app, "", "192.0.2.1")).await, 200);
    }
    assert_limited(question(&app, "", "192.0.2.1").send().await.unwrap()).await;
    assert_eq!(status(question(&app, "", "192.0.2.2")).await, 200);
    // With proof it is the principal that counts.
    for _ in 0..5 {
        assert_eq!(status(question(&app, &app.prod, "192.0.2.1")).await, 200);
    }
    // A cookie of our name that is none of ours is no proof.
    let cookie = question(&app, "", "192.0.2.1").header("cookie", "__Host-sundial=x");
    let cookie = cookie.header("sec-fetch-site", "same-origin");
    assert_limited(cookie.send().await.unwrap()).await;
}

#[tokio::test]
async fn forged_header_is_worth_nothing() {
    let app = behind_a_proxy(by_address(3)).await;
    let mut answers = Vec::new();
    for forged in ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4", "1.1.1.5"] {
        let forged = format!("{forged}, 192.0.2.1");
        answers.push(status(question(&app, "", &forged)).await);
    }
    assert_eq!(answers, [200, 200, 200, 429, 429]);
    let open = TestApp::limited(Kind::Sqlite, by_address(3), 0).await;
    let mut answers = Vec::new();
    for forged in ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"] {
        let request = question(&open, "", forged).header("forwarded", format!("for={forged}"));
        answers.push(status(request).await);
    }
    assert_eq!(answers, [200, 200, 200, 429]);
}

#[tokio::test]
async fn connections_and_sign_ins_are_of_the_address() {
    let app = TestApp::limited(Kind::Sqlite, by_address(3), 0).await;
    let http = reqwest::Client::builder().redirect(Policy::none());
    let http = http.build().unwrap();
    let sign_in = || http.get(app.url.join("/auth/login").unwrap()).send();
    assert_eq!(sign_in().await.unwrap().status(), 303);
    let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
    drop(Socket::open(&app.endpoint()).await);

    let refused = sign_in().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    assert!(refused.text().await.unwrap().contains("try again in"));
    let mut url = app.endpoint();
    url.set_scheme("ws").unwrap();
    let mut upgrade = url.as_str().into_client_request().unwrap();
    let protocol = "graphql-transport-ws".parse().unwrap();
    upgrade
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let Err(Error::Http(refused)) = connect_async(upgrade).await else {
        panic!("it was let in");
    };
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    // The connection that stands has its principal's allowance.
    socket.follow("1", PROD, &["*"], json!(START)).await;
    app.ingest(&app.prod, PROD, "a", &[(1, 1.0)]).await;
    assert_eq!(socket.event().await.1, [("a".to_owned(), vec![(1, 1.0)])]);
}

#[tokio::test]
async fn guesses_end_soon_and_those_who_are_known_go_on() {
    let app = behind_a_proxy(by_failures(5)).await;
    let (here, elsewhere) = ("192.0.2.1", "192.0.2.2");
    let admin = app.person("admin");
    for token in [&app.prod, &admin] {
        assert_eq!(status(question(&app, token, here)).await, 200);
    }
    let asked = app
        .github
        .requests("/applications/Ov23liStandInSundial/token");
    let mut answers = Vec::new();
    for guess in 0..8 {
        answers.push(status(question(&app, &format!("gho_{guess:036}"), here)).await);
    }
    assert_eq!(answers, [401, 401, 401, 401, 401, 429, 429, 429]);
    let since = app
        .github
        .requests("/applications/Ov23liStandInSundial/token");
    assert_eq!(since - asked, 5);
    // Guesses of every kind are refused, and so is who is new here; nobody else is.
    for token in ["sdl_x", "gho_x", "x", &app.test] {
        assert_limited(question(&app, token, here).send().await.unwrap()).await;
    }
    for token in [&app.prod, &admin, ""] {
        assert_eq!(status(question(&app, token, here)).await, 200, "{token}");
    }
    assert_eq!(status(question(&app, &app.test, elsewhere)).await, 200);
}

#[tokio::test]
async fn guesses_by_socket_and_sign_in_count_alike() {
    let app = TestApp::limited(Kind::Sqlite, by_failures(4), 0).await;
    for _ in 0..2 {
        let mut socket = Socket::open(&app.endpoint()).await;
        socket.init("sdl_x").await;
        assert_eq!(socket.close_code().await, 4401);
    }
    let http = reqwest::Client::builder().redirect(Policy::none());
    let http = http.build().unwrap();
    let forged = app.url.join("/auth/callback?code=a&state=b").unwrap();
    for expected in [303, 303, 429] {
        let answer = http.get(forged.clone()).send().await.unwrap();
        assert_eq!(answer.status(), expected);
    }
    let mut socket = Socket::open(&app.endpoint()).await;
    socket.init("sdl_x").await;
    assert_eq!(socket.close_code().await, 1013);
    // Beginning one is no guess.
    let login = app.url.join("/auth/login").unwrap();
    assert_eq!(http.get(login).send().await.unwrap().status(), 303);
}
