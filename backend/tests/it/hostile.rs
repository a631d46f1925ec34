//! Requests that are made to do harm: refused at once, in a few words, and nobody else waits for it.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use serde_json::json;
use sundial::{
    identity::{list_tokens, revoke_token},
    request::now,
};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    app::{PROD, TestApp, code, json_of, message},
    database::Kind,
    socket::{START, Socket},
};

/// How long a refusal may take of a server that is built for tests.
const AT_ONCE: Duration = Duration::from_secs(2);

async fn server() -> TestApp {
    TestApp::start(Kind::Sqlite).await
}

/// Documents that are nested deeper than any stack, wherever a document can nest.
fn deep() -> Vec<String> {
    let within =
        |open: &str, close: &str| format!("{}1{}", open.repeat(20_000), close.repeat(20_000));
    vec![
        format!("{{tenant(slug:{}){{id}}}}", within("[", "]")),
        format!("{{tenant(slug:{}){{id}}}}", within("{a:", "}")),
        format!("{{serverTime @include(if:{})}}", within("[", "]")),
        format!("query($a:Int={}){{serverTime}}", within("[", "]")),
        format!("query($a:{}){{serverTime}}", within("[", "]")),
        "{a".repeat(20_000),
    ]
}

/// Fragments that each spread the next one twice.
fn doubling(count: usize) -> String {
    let mut query = "{...F0}".to_owned();
    for i in 0..count {
        let next = i + 1;
        write!(
            query,
            "fragment F{i} on Query{{a:__typename ...F{next} ...F{next}}}"
        )
        .unwrap();
    }
    query + &format!("fragment F{count} on Query{{a:__typename}}")
}

#[tokio::test]
async fn deep_documents_end_nothing_but_themselves() {
    let app = server().await;
    for query in deep() {
        let start = Instant::now();
        let answer = app.ask("", &query, json!({})).await;
        assert_eq!(code(&answer), "QUERY_TOO_COSTLY");
        assert!(message(&answer).contains("nested deeper"), "{answer}");
        assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    }
    let mut url = app.endpoint();
    url.query_pairs_mut()
        .append_pair("query", &format!("{{a(b:{}", "[".repeat(3_000)));
    let response = app.http.get(url).send().await.unwrap();
    assert_eq!(code(&json_of(response).await), "QUERY_TOO_COSTLY");

    let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
    for query in deep() {
        let payload = json!({ "query": query });
        socket
            .send(json!({ "id": "1", "type": "subscribe", "payload": payload }))
            .await;
        let end = socket.next().await;
        assert_eq!(end["type"], "error");
        assert_eq!(
            end["payload"][0]["extensions"]["code"], "QUERY_TOO_COSTLY",
            "{end}"
        );
    }
}

#[tokio::test]
async fn fragments_that_double_are_refused_at_once() {
    let app = server().await;
    assert_eq!(
        app.data("", &doubling(3), json!({})).await,
        json!({ "a": "Query" })
    );
    for count in [25, 50] {
        let start = Instant::now();
        let answer = app.ask("", &doubling(count), json!({})).await;
        assert_eq!(code(&answer), "QUERY_TOO_COSTLY");
        assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    }
    let cycle = "{...A} fragment A on Query{...A}";
    assert_eq!(code(&app.ask("", cycle, json!({})).await), "BAD_USER_INPUT");
}

/// A query that anybody may ask, on a connection.
async fn ask(socket: &mut Socket, id: &str, query: &str) {
    let payload = json!({ "query": query });
    socket
        .send(json!({ "id": id, "type": "subscribe", "payload": payload }))
        .await;
}

async fn revoke(app: &TestApp) {
    let scope = app.operate(PROD).await;
    let token = list_tokens(&scope).await.unwrap().remove(0);
    revoke_token(&scope, token.id, now()).await.unwrap();
    scope.commit().await.unwrap();
}

#[tokio::test]
async fn revoked_token_does_nothing_more_on_an_open_socket() {
    let app = server().await;
    let write = format!(
        r#"mutation {{ ingest(tenant: "{PROD}", batches: [{{ series: "a", times: [1], values: [1] }}]) {{ id }} }}"#
    );
    let follow =
        format!(r#"subscription {{ pointsAdded(tenant: "{PROD}", series: ["*"]) {{ cursor }} }}"#);
    let mut sockets = Vec::new();
    for _ in 0..4 {
        sockets.push(Socket::introduced(&app.endpoint(), &app.prod).await);
    }
    revoke(&app).await;
    let queries = [&write, "{ serverTime }", &follow];
    for (socket, query) in sockets.iter_mut().zip(queries) {
        ask(socket, "1", query).await;
        assert_eq!(socket.close_code().await, 4403, "{query}");
    }
    // One that asks for nothing is closed too, and so is one that follows.
    assert_eq!(sockets[3].close_code().await, 4403);
    let rows: Vec<i64> = app.database.read("SELECT count(*) FROM batch").await;
    assert_eq!(rows, [0]);
}

#[tokio::test]
async fn proof_that_counts_no_more_ends_what_runs() {
    let app = server().await;
    let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
    socket.follow("1", PROD, &["*"], json!(START)).await;
    app.ingest(&app.prod, PROD, "a", &[(1, 1.0)]).await;
    socket.event().await;
    revoke(&app).await;
    // Whichever looks first: the subscription ends, and so does the connection.
    match socket.end().await {
        (Some(error), code) => {
            assert_eq!(error["payload"][0]["extensions"]["code"], "FORBIDDEN");
            assert_eq!(code, 4403);
        }
        (None, code) => assert_eq!(code, 4403),
    }
}

#[tokio::test]
async fn messages_that_can_not_be_read_end_the_connection_by_their_code() {
    let app = server().await;
    let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
    socket
        .send_raw(Message::text("x".repeat((1 << 20) + 1)))
        .await;
    assert_eq!(socket.close_code().await, 1009);
}
