//! Sign-ins, listed and ended by whoever signed in.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    app::{PROD, TestApp, code, json_of},
    browser::Browser,
    socket::Socket,
};

on_each_fence! {
    own_sessions_are_listed_and_no_others,
    foreign_and_absent_sessions_are_the_same_answer,
    machine_has_no_session_and_ends_none,
    signing_out_everywhere_spares_whom_it_should,
}

#[cfg(not(feature = "filterless"))]
mod ends {
    use super::*;

    on_both! {
        ended_session_is_refused_on_every_replica_at_once,
        subscription_of_an_ended_session_ends_in_time,
        ended_session_begins_nothing_on_its_connection,
        another_site_ends_no_session,
    }
}

const SESSIONS: &str =
    "{ viewer { login sessions { id createdAt usedAt expiresAt userAgent current } } }";
const END: &str = "mutation ($id: ID!) { endSession(id: $id) }";
const END_ALL: &str = "mutation { endSessions }";
const END_OTHERS: &str = "mutation { endSessions(keepCurrent: true) }";

async fn sessions(browser: &Browser) -> Vec<Value> {
    let answer = browser.ask(SESSIONS, json!({})).await;
    let sessions = answer["data"]["viewer"]["sessions"].as_array();
    sessions.unwrap_or_else(|| panic!("{answer}")).clone()
}

async fn own_sessions_are_listed_and_no_others(app: TestApp) {
    let first = Browser::sign_in(&app, "admin", "Firefox on one").await;
    let second = Browser::sign_in(&app, "admin", &"ä".repeat(200)).await;
    let other = Browser::sign_in(&app, "viewer", "Chromium").await;

    let seen = sessions(&first).await;
    let shown = |seen: &[Value], name: &str| -> Vec<Value> {
        seen.iter().map(|session| session[name].clone()).collect()
    };
    // The latest sign-in first. What is no text in a header's alphabet is no name.
    assert_eq!(
        shown(&seen, "userAgent"),
        [json!(""), json!("Firefox on one")]
    );
    assert_eq!(shown(&seen, "current"), [json!(false), json!(true)]);
    let mine = sessions(&second).await;
    assert_eq!(shown(&mine, "current"), [json!(true), json!(false)]);
    assert_eq!(shown(&mine, "id"), shown(&seen, "id"));
    assert_eq!(
        shown(&sessions(&other).await, "userAgent"),
        [json!("Chromium")]
    );
    for session in &seen {
        let time =
            |name: &str| -> jiff::Timestamp { session[name].as_str().unwrap().parse().unwrap() };
        assert_eq!(time("createdAt"), time("usedAt"));
        assert_eq!(
            time("usedAt").duration_until(time("expiresAt")).as_hours(),
            7 * 24
        );
    }

    // An id tells neither the cookie nor what the database knows of it.
    let hashes = "SELECT hex FROM (SELECT lower(hex(hash)) AS hex FROM session) AS s";
    let hashes = if app.database.url.starts_with("sqlite:") {
        hashes.to_owned()
    } else {
        hashes.replace("lower(hex(hash))", "encode(hash, 'hex')")
    };
    let hashes: Vec<String> = app.database.read(&hashes).await;
    assert_eq!(hashes.len(), 3);
    let (_, secret) = first.cookie.split_once('=').unwrap();
    for session in &seen {
        let id = decoded(session["id"].as_str().unwrap());
        assert!(!id.contains(&secret[..8]), "{id}");
        let id = decoded(id.strip_prefix("session\n").unwrap());
        let near = |hash: &String| hash.contains(&hex(&id)[..8]);
        assert!(!hashes.iter().any(near));
    }

    // One who asks by a GitHub token of the same account sees them, and is in none.
    let seen = app.data(&app.person("admin"), SESSIONS, json!({})).await;
    let seen = seen["viewer"]["sessions"].as_array().unwrap().clone();
    assert_eq!(shown(&seen, "current"), [json!(false), json!(false)]);
}

fn decoded(text: &str) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
    bytes.into_iter().map(char::from).collect()
}

fn hex(text: &str) -> String {
    text.chars().map(|c| format!("{:02x}", c as u32)).collect()
}

async fn ended_session_is_refused_on_every_replica_at_once(app: TestApp) {
    let replica = app.replica().await;
    let stolen = Browser::sign_in(&app, "admin", "stolen").await;
    let browser = Browser::sign_in(&app, "admin", "mine").await;
    for endpoint in [&app.endpoint(), &replica.url] {
        assert_eq!(stolen.status(endpoint).await, 200);
    }
    let id = sessions(&browser).await[1]["id"].clone();
    let ended = browser.ask(END, json!({ "id": id })).await;
    assert_eq!(ended, json!({ "data": { "endSession": id } }));
    for endpoint in [&app.endpoint(), &replica.url] {
        assert_eq!(stolen.status(endpoint).await, 401);
        assert_eq!(browser.status(endpoint).await, 200);
    }
    assert_eq!(sessions(&browser).await.len(), 1);
    let again = browser.ask(END, json!({ "id": id })).await;
    assert_eq!(code(&again), "NOT_FOUND");
}

async fn foreign_and_absent_sessions_are_the_same_answer(app: TestApp) {
    let admin = Browser::sign_in(&app, "admin", "a").await;
    let viewer = Browser::sign_in(&app, "viewer", "v").await;
    let foreign = sessions(&admin).await[0]["id"].clone();
    let mut answers = Vec::new();
    for id in [foreign, json!("c2Vzc2lvbgphYmNk"), json!("x"), json!("")] {
        let answer = viewer.ask(END, json!({ "id": id })).await;
        assert_eq!(code(&answer), "NOT_FOUND", "{id}");
        answers.push(answer.to_string());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(admin.status(&app.endpoint()).await, 200);
    assert_eq!(sessions(&viewer).await.len(), 1);
}

async fn machine_has_no_session_and_ends_none(app: TestApp) {
    let admin = Browser::sign_in(&app, "admin", "a").await;
    let seen = app.data(&app.prod, SESSIONS, json!({})).await;
    assert_eq!(seen["viewer"]["sessions"], json!([]));
    let id = sessions(&admin).await[0]["id"].clone();
    for query in [END, END_ALL, END_OTHERS] {
        let variables = if query == END {
            json!({ "id": id })
        } else {
            json!({})
        };
        let answer = app.ask(&app.prod, query, variables.clone()).await;
        assert_eq!(code(&answer), "FORBIDDEN", "{query}");
        let answer = app.ask("", query, variables).await;
        assert_eq!(code(&answer), "UNAUTHENTICATED", "{query}");
    }
    assert_eq!(admin.status(&app.endpoint()).await, 200);
}

async fn signing_out_everywhere_spares_whom_it_should(app: TestApp) {
    let endpoint = app.endpoint();
    let viewer = Browser::sign_in(&app, "viewer", "v").await;
    let first = Browser::sign_in(&app, "admin", "1").await;
    let second = Browser::sign_in(&app, "admin", "2").await;
    let third = Browser::sign_in(&app, "admin", "3").await;
    let ended = second.ask(END_OTHERS, json!({})).await;
    assert_eq!(ended["data"]["endSessions"], 2, "{ended}");
    let statuses = [
        first.status(&endpoint).await,
        second.status(&endpoint).await,
        third.status(&endpoint).await,
    ];
    assert_eq!(statuses, [401, 200, 401]);
    let fourth = Browser::sign_in(&app, "admin", "4").await;
    let ended = second.ask(END_ALL, json!({})).await;
    assert_eq!(ended["data"]["endSessions"], 2, "{ended}");
    assert_eq!(second.status(&endpoint).await, 401);
    assert_eq!(fourth.status(&endpoint).await, 401);
    // Who asks by a GitHub token has no session of its own to keep.
    let fifth = Browser::sign_in(&app, "admin", "5").await;
    let ended = app.data(&app.person("admin"), END_OTHERS, json!({})).await;
    assert_eq!(ended["endSessions"], 1);
    assert_eq!(fifth.status(&endpoint).await, 401);
    assert_eq!(viewer.status(&endpoint).await, 200);
}

async fn subscription_of_an_ended_session_ends_in_time(app: TestApp) {
    let browser = Browser::sign_in(&app, "viewer", "v").await;
    let other = Browser::sign_in(&app, "viewer", "o").await;
    let mut socket = Socket::by_cookie(&app.endpoint(), &browser.cookie).await;
    socket
        .follow("1", PROD, &["*"], json!(crate::socket::START))
        .await;
    app.ingest(&app.prod, PROD, "a", &[(1, 1.0)]).await;
    socket.event().await;
    let ended = other.ask(END_OTHERS, json!({})).await;
    assert_eq!(ended["data"]["endSessions"], 1);
    let start = Instant::now();

    // What runs, and the connection itself, have the proof checked every 5 s.
    assert_eq!(socket.ended().await, 4403);
    let time = start.elapsed();
    assert!(time < Duration::from_secs(8), "{time:?}");
}

async fn ended_session_begins_nothing_on_its_connection(app: TestApp) {
    let browser = Browser::sign_in(&app, "viewer", "v").await;
    let other = Browser::sign_in(&app, "viewer", "o").await;
    let mut socket = Socket::by_cookie(&app.endpoint(), &browser.cookie).await;
    let query = async |socket: &mut Socket, id: &str| {
        let payload = json!({ "query": "{ viewer { login } }" });
        let message = json!({ "id": id, "type": "subscribe", "payload": payload });
        socket.send(message).await;
    };
    query(&mut socket, "1").await;
    assert_eq!(socket.next().await["type"], "next");
    assert_eq!(socket.next().await["type"], "complete");
    other.ask(END_OTHERS, json!({})).await;
    let start = Instant::now();
    query(&mut socket, "2").await;
    assert_eq!(socket.close_code().await, 4403);
    let time = start.elapsed();
    assert!(time < Duration::from_secs(1), "{time:?}");
}

async fn another_site_ends_no_session(app: TestApp) {
    let browser = Browser::sign_in(&app, "admin", "a").await;
    for site in ["cross-site", "same-site"] {
        let answer = browser
            .send(&app.endpoint(), END_ALL, json!({}), site)
            .await;
        assert_eq!(answer.status(), 403);
        assert_eq!(code(&json_of(answer).await), "FORBIDDEN");
    }
    assert_eq!(browser.status(&app.endpoint()).await, 200);
}
