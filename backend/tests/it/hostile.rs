//! Requests that are made to do harm: refused at once, in a few words, and nobody else waits for it.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sea_orm::ConnectionTrait;
use serde_json::json;
use sundial::{
    guard::{Pool, system},
    identity::{list_tokens, revoke_token},
    request::now,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    app::{CONNECTIONS, PROD, TestApp, code, json_of, message},
    database::{Kind, connect},
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

/// The answer to a request that declares `bytes` and sends nothing.
async fn declaring(app: &TestApp, token: &str, bytes: usize) -> String {
    let address = (app.url.host_str().unwrap(), app.url.port().unwrap());
    let mut stream = TcpStream::connect(address).await.unwrap();
    let authorization = match token {
        "" => String::new(),
        token => format!("authorization: Bearer {token}\r\n"),
    };
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{authorization}content-length: {bytes}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // What follows is thrown away, and not waited for.
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn large_requests_are_refused_by_what_they_declare() {
    let app = server().await;
    for (token, bytes, words) in [
        ("", (1 << 20) + 1, "takes `Authorization"),
        (app.prod.as_str(), (8 << 20) + 1, "in several calls"),
    ] {
        let answer = declaring(&app, token, bytes).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert!(answer.contains(words), "{answer}");
    }
    // What is large by surprise is refused as well.
    let body = json!({ "query": "{ serverTime }", "variables": { "a": "x".repeat(2 << 20) } });
    let response = app.post("", body.to_string()).send().await.unwrap();
    assert_eq!(response.status(), 413);
    let body = json!({ "query": format!("{{ serverTime }} # {}", "x".repeat(300 << 10)) });
    let response = app.post(&app.prod, body.to_string()).send().await.unwrap();
    assert_eq!(code(&json_of(response).await), "QUERY_TOO_COSTLY");
}

#[tokio::test]
async fn refusals_are_short() {
    let app = server().await;
    let unused = (0..5_000)
        .map(|i| format!("$v{i}:Int "))
        .collect::<String>();
    let unknown = (0..5_000).map(|i| format!("v{i} ")).collect::<String>();
    let times = |count: usize, each: &str| {
        let each = |place: usize| each.replace('#', &place.to_string());
        (0..count).map(each).collect::<String>()
    };
    for query in [
        format!("{{{}}}", times(15_000, "a#: __typename ")),
        format!("{{{}}}", times(15_000, "serverTime ")),
        format!("{{{}}}", times(201, "a#: tenant(slug: \"none\") { id } ")),
        format!("{{{}}}", times(200, "a#: serverTime ")),
        format!("{{{}}}", times(50, "a#: __schema { types { name } } ")),
        format!(
            "{{{}}}",
            times(
                150,
                &format!("a#: nodes(ids: [{}]) {{ id }} ", times(100, "\"x\""))
            )
        ),
        format!("{{serverTime {}}}", times(5_000, "@include(if: true)")),
        format!("query({}){{serverTime}}", times(5_000, "$v#: Int = 1 ")),
        times(5_000, "query q# { serverTime } "),
        format!("{{tenant({}){{id}}}}", times(5_000, "x#: 1 ")),
        format!("{{nodes(ids: [{}]) {{id}}}}", times(9_000, "\"x#\" ")),
        format!(
            "{{...f0}} {} fragment f30 on Query {{serverTime}}",
            (0..30)
                .map(|i| format!("fragment f{i} on Query {{...f{n} ...f{n}}} ", n = i + 1))
                .collect::<String>()
        ),
        format!("query({unused}){{serverTime}}"),
        format!("{{{unknown}}}"),
        format!("{{serverTime {}", "!".repeat(100_000)),
        format!("{{{}}}", "x".repeat(100_000)),
    ] {
        let start = Instant::now();
        let response = app.post("", json!({ "query": query }).to_string()).send();
        let text = response.await.unwrap().text().await.unwrap();
        let begin: String = query.chars().take(60).collect();
        assert!(text.len() < 16 << 10, "{begin}: {} bytes", text.len());
        assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn costly_queries_say_how_to_ask_for_less() {
    let app = server().await;
    let writes: String = (0..21)
        .map(|i| {
            format!(
                r#"a{i}: ingest(tenant: "{PROD}", batches: [{{ series: "a", times: [{i}], values: [1] }}]) {{ id }} "#
            )
        })
        .collect();
    let answer = app
        .ask(&app.prod, &format!("mutation {{ {writes} }}"), json!({}))
        .await;
    assert_eq!(code(&answer), "QUERY_TOO_COSTLY");
    assert!(message(&answer).contains("more than 20000"), "{answer}");
    assert!(message(&answer).contains("in several requests"), "{answer}");
}

#[tokio::test]
async fn faulty_variable_is_told_once_and_plainly() {
    let app = server().await;
    let query = r#"query ($at: Timestamp!) { tenant(slug: "mcce-g1-prod") { series { nodes {
        a: samples(range: { from: $at, to: 9 }) { times } b: samples(range: { from: 1, to: $at }) { times } } } } }"#;
    app.ingest(&app.prod, PROD, "a", &[(1, 1.0)]).await;
    app.ingest(&app.prod, PROD, "b", &[(1, 1.0)]).await;
    let answer = app
        .ask(&app.prod, query, json!({ "at": "yesterday" }))
        .await;
    assert_eq!(code(&answer), "BAD_USER_INPUT");
    assert!(
        message(&answer).starts_with("`yesterday` is no RFC 3339"),
        "{answer}"
    );
    let batches = json!([{ "series": "a", "times": ["yesterday"], "values": [1] }]);
    let answer = app.try_ingest(&app.prod, PROD, batches).await;
    let words = message(&answer);
    assert!(
        words.contains("is no RFC 3339") && !words.contains("occurred"),
        "{answer}"
    );
}

#[tokio::test]
async fn control_characters_in_ids_and_cursors_name_nothing() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let app = TestApp::start(kind).await;
        let sealed = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let query = "query ($id: ID!) { node(id: $id) { id } }";
        for id in ["tenant\nmcce\0", "series\nmcce-g1-prod\0\n1"] {
            let data = app
                .data(&app.prod, query, json!({ "id": sealed(id) }))
                .await;
            assert_eq!(data, json!({ "node": null }));
        }
        let query = r#"query ($after: String) { tenant(slug: "mcce-g1-prod") { series(after: $after) { nodes { id } } } }"#;
        let after = json!({ "after": sealed("series\na\0") });
        assert_eq!(
            code(&app.ask(&app.prod, query, after).await),
            "BAD_USER_INPUT"
        );
    }
}

#[tokio::test]
async fn page_knows_what_is_elsewhere() {
    let app = server().await;
    for path in ["livez", "readyz", "metrics"] {
        let response = app
            .http
            .get(app.url.join(path).unwrap())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 404);
        assert!(response.text().await.unwrap().contains("management port"));
    }
    let odd = app.url.join("/graphiql/..%2findex.html").unwrap();
    let response = app.http.get(odd).send().await.unwrap();
    assert_eq!(response.status(), 404);
    let login = app.url.join("/auth/logout").unwrap();
    let response = app.http.post(login).send().await.unwrap();
    assert_eq!(response.headers()["referrer-policy"], "no-referrer");
}

#[tokio::test]
async fn points_of_one_request_are_bounded_together() {
    let app = server().await;
    let points: Vec<(i64, f64)> = (0..60_000).map(|time| (time, 0.0)).collect();
    app.ingest(&app.prod, PROD, "a", &points).await;
    let asking = |field: &str, count: usize| {
        let fields: String = (0..count).map(|i| format!("a{i}: {field} ")).collect();
        format!(r#"{{ tenant(slug: "{PROD}") {{ series {{ nodes {{ {fields} }} }} }} }}"#)
    };
    let samples = "samples(range: { from: 0, to: 60000 }) { times }";
    assert!(app.ask(&app.prod, &asking(samples, 2), json!({})).await["errors"].is_null());
    let answer = app.ask(&app.prod, &asking(samples, 17), json!({})).await;
    assert_eq!(code(&answer), "QUERY_TOO_COSTLY");
    assert!(message(&answer).contains("in several requests"), "{answer}");
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_gets_them_back() {
    let app = server().await;
    let address = (app.url.host_str().unwrap(), app.url.port().unwrap());
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        held.push(TcpStream::connect(address).await.unwrap());
    }
    let answered = async || {
        let client = reqwest::Client::new();
        client
            .get(app.url.join("/graphiql").unwrap())
            .send()
            .await
            .is_ok()
    };
    assert!(!answered().await);
    drop(held);
    let patience = tokio::time::timeout(AT_ONCE, async { while !answered().await {} });
    assert!(patience.await.is_ok());
}

#[tokio::test]
async fn query_that_takes_too_long_ends_in_the_database_too() {
    let app = TestApp::start(Kind::Postgres).await;
    app.ingest(&app.prod, PROD, "a", &[(1, 1.0)]).await;
    let others = connect(&app.database.superuser).await;
    let lock = "BEGIN; LOCK TABLE series IN ACCESS EXCLUSIVE MODE";
    others.execute_unprepared(lock).await.unwrap();
    let query = r#"{ tenant(slug: "mcce-g1-prod") { series { nodes { key } } } }"#;
    let start = Instant::now();
    let answer = app.ask(&app.prod, query, json!({})).await;
    assert_eq!(code(&answer), "QUERY_TOO_COSTLY", "{answer}");
    assert!(start.elapsed() < Duration::from_secs(33), "{start:?}");
    // Nobody waits for the lock any more, which is still held.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    assert_eq!(app.database.read::<i64>(waiting).await, [0]);
    others.execute_unprepared("ROLLBACK").await.unwrap();
    assert_eq!(app.points(&app.prod, PROD).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn transaction_that_nobody_waits_for_is_not_left_open() {
    let app = TestApp::start(Kind::Postgres).await;
    let url = app.database.url.clone().into();
    let pool = Pool::open(&url, 1).await.unwrap();
    drop(system::operate(&pool, PROD).await.unwrap());
    for round in 0..100_u64 {
        let entered = system::operate(&pool, PROD);
        drop(tokio::time::timeout(Duration::from_micros(10 * round), entered).await);
        let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
        let start = Instant::now();
        while app.database.read::<i64>(open).await != [0] {
            assert!(start.elapsed() < Duration::from_secs(10), "{round}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
