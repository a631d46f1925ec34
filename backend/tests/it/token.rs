//! Ingest tokens, from making to refusal, by the API.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};

use crate::{
    app::{ABSENT, FOREIGN, INGEST, PROD, TEST, TestApp, batch, code, json_of, message},
    socket::{START, Socket},
};

on_each_fence! {
    token_is_shown_once_and_listed_without_its_secret,
    administrators_of_the_tenant_alone_manage_tokens,
    foreign_and_absent_tokens_are_the_same_answer,
    limited_token_sees_only_its_series,
    limited_token_writes_only_its_series,
}

#[cfg(not(feature = "filterless"))]
mod life {
    use super::*;

    on_both! {
        revoked_token_is_refused_on_every_replica_at_once,
        rotated_tokens_overlap,
        token_expires,
        what_makes_no_token_is_told,
        last_use_is_told,
    }
}

const FIELDS: &str = "id number name series createdAt expiresAt revokedAt usedAt";

/// Makes a token, with more of `createToken`'s arguments in `limits`, and gives its id and secret.
pub async fn create(
    app: &TestApp,
    asker: &str,
    tenant: &str,
    name: &str,
    limits: Value,
) -> (String, String) {
    let query =
        "mutation ($tenant: String!, $name: String!, $series: [String!], $expiresAt: Timestamp) {
        made: createToken(tenant: $tenant, name: $name, series: $series, expiresAt: $expiresAt) {
            token { id } secret } }";
    let mut variables = limits;
    variables["tenant"] = json!(tenant);
    variables["name"] = json!(name);
    made(&app.data(asker, query, variables).await)
}

/// Rotates a token, with more of `rotateToken`'s arguments in `more`.
pub async fn rotate(
    app: &TestApp,
    asker: &str,
    tenant: &str,
    id: &str,
    more: Value,
) -> (String, String) {
    let answer = try_rotate(app, asker, tenant, id, more).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    made(&answer["data"])
}

async fn try_rotate(app: &TestApp, asker: &str, tenant: &str, id: &str, more: Value) -> Value {
    let query = "mutation ($tenant: String!, $id: ID!, $overlap: Duration, $expiresAt: Timestamp) {
        made: rotateToken(tenant: $tenant, id: $id, overlap: $overlap, expiresAt: $expiresAt) {
            token { id } secret } }";
    let mut variables = more;
    variables["tenant"] = json!(tenant);
    variables["id"] = json!(id);
    app.ask(asker, query, variables).await
}

fn made(data: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let made = &data["made"];
    (text(&made["token"]["id"]), text(&made["secret"]))
}

/// Revokes a token, and gives when that was.
pub async fn revoke(app: &TestApp, asker: &str, tenant: &str, id: &str) -> Value {
    let answer = try_revoke(app, asker, tenant, id).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"]["revokeToken"]["revokedAt"].clone()
}

async fn try_revoke(app: &TestApp, asker: &str, tenant: &str, id: &str) -> Value {
    let query = "mutation ($tenant: String!, $id: ID!) {
        revokeToken(tenant: $tenant, id: $id) { revokedAt } }";
    app.ask(asker, query, json!({ "tenant": tenant, "id": id }))
        .await
}

async fn tokens(app: &TestApp, tenant: &str) -> Vec<Value> {
    let query = format!("query ($t: String!) {{ tenant(slug: $t) {{ tokens {{ {FIELDS} }} }} }}");
    let data = app
        .data(&app.person("admin"), &query, json!({ "t": tenant }))
        .await;
    data["tenant"]["tokens"].as_array().unwrap().clone()
}

async fn counts(app: &TestApp, token: &str) -> bool {
    let answer = app
        .post(token, r#"{"query":"{ serverTime }"}"#)
        .send()
        .await;
    match answer.unwrap().status().as_u16() {
        200 => true,
        401 => false,
        other => panic!("{other}"),
    }
}

async fn token_is_shown_once_and_listed_without_its_secret(app: TestApp) {
    let admin = app.person("admin");
    let patterns = json!(["clock.*", r#" a { y = "*", x = "1" } "#, "clock.*{}"]);
    let limits = json!({ "series": patterns, "expiresAt": "2100-01-01T00:00:00Z" });
    let (id, secret) = create(&app, &admin, PROD, "  clock on web-1 ", limits).await;
    assert!(secret.starts_with("sdl_") && secret.len() == 53);
    assert!(counts(&app, &secret).await);
    let data = app
        .data(&secret, "{ viewer { kind login } }", json!({}))
        .await;
    assert_eq!(
        data["viewer"],
        json!({ "kind": "INGEST_TOKEN", "login": "clock on web-1" })
    );

    let listed = tokens(&app, PROD).await;
    assert_eq!(listed.len(), 2);
    let first = json!([
        listed[0]["number"],
        listed[0]["series"],
        listed[0]["expiresAt"]
    ]);
    assert_eq!(first, json!([1, null, null]));
    let mut second = listed[1].clone();
    for time in ["createdAt", "usedAt"] {
        second[time].take();
    }
    let expected = json!({
        "id": id, "number": 2, "name": "clock on web-1",
        "series": ["clock.*", r#"a{x="1",y="*"}"#],
        "createdAt": null, "expiresAt": "2100-01-01T00:00:00Z", "revokedAt": null, "usedAt": null,
    });
    assert_eq!(second, expected);
    let shown = json!(listed).to_string();
    for secret in [&secret, &app.prod] {
        assert!(!shown.contains(&secret[4..12]), "{shown}");
    }
    // Another tenant has others.
    assert_eq!(tokens(&app, TEST).await.len(), 1);
}

async fn administrators_of_the_tenant_alone_manage_tokens(app: TestApp) {
    app.github.set_memberships("other", &["other"]);
    let admin = app.person("admin");
    let id = tokens(&app, PROD).await[0]["id"].clone();
    let read = "query ($tenant: String!) { tenant(slug: $tenant) { slug tokens { id } } }";
    let create =
        "mutation ($tenant: String!) { createToken(tenant: $tenant, name: \"x\") { secret } }";
    let rotate = "mutation ($tenant: String!, $id: ID!) { rotateToken(tenant: $tenant, id: $id) { secret } }";
    let revoke =
        "mutation ($tenant: String!, $id: ID!) { revokeToken(tenant: $tenant, id: $id) { id } }";
    let variables = |tenant: &str| json!({ "tenant": tenant, "id": id });
    for query in [read, create, rotate, revoke] {
        for low in [app.person("viewer"), app.prod.clone()] {
            let answer = app.ask(&low, query, variables(PROD)).await;
            assert_eq!(code(&answer), "FORBIDDEN", "{query}");
            assert!(message(&answer).contains("ADMIN"), "{answer}");
        }
        for outside in [
            app.person("stranger"),
            app.person("other"),
            app.foreign.clone(),
        ] {
            let answer = app.ask(&outside, query, variables(PROD)).await;
            let absent = app.ask(&outside, query, variables(ABSENT)).await;
            assert_eq!(answer.to_string(), absent.to_string());
            match query == read {
                true => assert_eq!(answer, json!({ "data": { "tenant": null } })),
                false => assert_eq!(code(&answer), "NOT_FOUND"),
            }
        }
        let answer = app.ask("", query, variables(PROD)).await;
        assert_eq!(code(&answer), "UNAUTHENTICATED");
    }
    assert!(counts(&app, &app.prod).await);
    assert_eq!(tokens(&app, PROD).await.len(), 1);
    assert!(
        app.ask(&admin, revoke, variables(PROD))
            .await
            .get("errors")
            .is_none()
    );
}

async fn foreign_and_absent_tokens_are_the_same_answer(app: TestApp) {
    let admin = app.person("admin");
    let foreign = "{ tenant(slug: \"mcce-g1-prod\") { tokens { id } } }";
    let foreign = app.data(&admin, foreign, json!({})).await;
    let foreign = foreign["tenant"]["tokens"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut answers = BTreeSet::new();
    // Numbered 1 like the tenant's own, numbered as none is, another kind's, and none at all.
    for id in [
        foreign.as_str(),
        "dG9rZW4KbWNjZS1nMS10ZXN0Cjk",
        "dGVuYW50Cm1jY2UtZzEtdGVzdA",
        "x",
        "",
    ] {
        for answer in [
            try_revoke(&app, &admin, TEST, id).await,
            try_rotate(&app, &admin, TEST, id, json!({})).await,
        ] {
            assert_eq!(code(&answer), "NOT_FOUND", "{id}");
            answers.insert(answer.to_string());
        }
    }
    // One for each of the two mutations.
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert!(counts(&app, &app.prod).await && counts(&app, &app.test).await);
}

async fn limited_token_sees_only_its_series(app: TestApp) {
    for key in ["a", "b", r#"b{x="1"}"#, r#"b{x="2"}"#] {
        app.ingest(&app.prod, PROD, key, &[(1, 1.0), (2, 2.0)])
            .await;
    }
    let patterns = json!({ "series": ["a", r#"b{x="1*"}"#] });
    let (_, limited) = create(&app, &app.person("admin"), PROD, "limited", patterns).await;
    let seen: Vec<String> = app
        .points(&limited, PROD)
        .await
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(seen, ["a", r#"b{x="1"}"#]);

    let list = "query ($match: String, $first: Int! = 50) { tenant(slug: \"mcce-g1-prod\") { lastPointAt
        series(match: $match, first: $first) { pageInfo { hasNextPage } edges { cursor } nodes { id key
            latest { value } points(range: { from: 0, to: 9 }) { nodes { value } }
            windows(range: { from: 0, to: 9 }, every: \"1s\") { sum } } } } }";
    for (matching, keys) in [("*", 2), ("b", 1), (r#"b{x="2"}"#, 0), ("a*", 1)] {
        let data = app.data(&limited, list, json!({ "match": matching })).await;
        let series = &data["tenant"]["series"];
        assert_eq!(
            series["nodes"].as_array().map(Vec::len),
            Some(keys),
            "{matching}"
        );
        assert_eq!(data["tenant"]["lastPointAt"], Value::Null);
    }
    // Nor is a page's end told by what is hidden.
    let page = app.data(&limited, list, json!({ "first": 2 })).await;
    assert_eq!(page["tenant"]["series"]["pageInfo"]["hasNextPage"], false);

    let all = app.data(&app.prod, list, json!({})).await;
    let node = "query ($id: ID!) { node(id: $id) { id ... on Series { key latest { value } } } }";
    let absent = app.data(&limited, node, json!({ "id": "bm9uZQ" })).await;
    for series in all["tenant"]["series"]["nodes"].as_array().unwrap() {
        let data = app
            .data(&limited, node, json!({ "id": series["id"] }))
            .await;
        let open = seen.iter().any(|key| series["key"] == **key);
        assert_eq!(data["node"]["key"] == series["key"], open, "{series}");
        assert!(open || data == absent, "{data}");
    }

    // From the beginning of the tenant's order, and as they come.
    let mut socket = Socket::introduced(&app.endpoint(), &limited).await;
    socket.follow("1", PROD, &["*", "b"], json!(START)).await;
    let (_, added) = socket.event().await;
    let keys: Vec<&str> = added.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["a", r#"b{x="1"}"#]);
    app.ingest(&app.prod, PROD, "b", &[(3, 3.0)]).await;
    app.ingest(&app.prod, PROD, r#"b{x="12"}"#, &[(3, 3.0)])
        .await;
    let (_, added) = socket.event().await;
    assert_eq!(added, [(r#"b{x="12"}"#.to_owned(), vec![(3, 3.0)])]);
    assert!(socket.is_silent(Duration::from_millis(200)).await);
}

async fn limited_token_writes_only_its_series(app: TestApp) {
    let (id, limited) = create(
        &app,
        &app.person("admin"),
        PROD,
        "limited",
        json!({ "series": ["a"] }),
    )
    .await;
    let (_, rotated) = rotate(&app, &app.person("admin"), PROD, &id, json!({})).await;
    app.ingest(&limited, PROD, "a", &[(1, 1.0)]).await;
    // All of a call, or none of it; what is there and what is not are refused in the same way.
    app.ingest(&app.prod, PROD, "b", &[(1, 1.0)]).await;
    for token in [&limited, &rotated] {
        for key in ["b", "none", "ab", r#"b{a="a"}"#] {
            let mixed = json!([batch("a", &[(2, 2.0)]), batch(key, &[(2, 2.0)])]);
            let answer = app.try_ingest(token, PROD, mixed).await;
            assert_eq!(code(&answer), "FORBIDDEN", "{key}");
        }
    }
    let expected = [
        ("a".to_owned(), vec![(1, 1.0)]),
        ("b".to_owned(), vec![(1, 1.0)]),
    ];
    assert_eq!(app.points(&app.prod, PROD).await, expected);
    // Another's receipt is not replayed to it.
    let write =
        |key: &str| json!({ "tenant": PROD, "batches": [batch(key, &[(5, 5.0)])], "key": "k" });
    app.data(&app.prod, INGEST, write("b")).await;
    let answer = app.ask(&limited, INGEST, write("b")).await;
    assert_eq!(code(&answer), "FORBIDDEN");
    assert!(!message(&answer).contains("receipt"));
    let own = json!({ "tenant": PROD, "batches": [batch("a", &[(5, 5.0)])], "key": "own" });
    app.data(&limited, INGEST, own.clone()).await;
    let replayed = app.data(&limited, INGEST, own).await;
    assert_eq!(replayed["ingest"]["replayed"], true);
    // Nor has it anything elsewhere.
    let answer = app
        .try_ingest(&limited, FOREIGN, json!([batch("a", &[(1, 1.0)])]))
        .await;
    assert_eq!(code(&answer), "NOT_FOUND");
}

async fn revoked_token_is_refused_on_every_replica_at_once(app: TestApp) {
    let replica = app.replica().await;
    let admin = app.person("admin");
    let (id, secret) = create(&app, &admin, PROD, "leaked", json!({})).await;
    let statuses = async || {
        let mut statuses = Vec::new();
        for endpoint in [&app.endpoint(), &replica.url] {
            let request = app.http.post(endpoint.clone()).bearer_auth(&secret);
            let answer = request
                .json(&json!({ "query": "{ serverTime }" }))
                .send()
                .await
                .unwrap();
            statuses.push(answer.status().as_u16());
        }
        statuses
    };
    assert_eq!(statuses().await, [200, 200]);
    let mut sockets = Vec::new();
    for endpoint in [&app.endpoint(), &replica.url] {
        let mut socket = Socket::introduced(endpoint, &secret).await;
        socket.follow("1", PROD, &["*"], json!(START)).await;
        sockets.push(socket);
    }
    app.ingest(&app.prod, PROD, "a", &[(1, 1.0)]).await;
    for socket in &mut sockets {
        socket.event().await;
    }
    // Revoked by the one, refused by both.
    let at = revoke(&app, &admin, PROD, &id).await;
    assert_eq!(statuses().await, [401, 401]);
    assert_eq!(revoke(&app, &admin, PROD, &id).await, at);
    for socket in &mut sockets {
        assert_eq!(socket.ended().await, 4403);
    }
}

async fn rotated_tokens_overlap(app: TestApp) {
    let admin = app.person("admin");
    let limits = json!({ "series": ["a", "b*"] });
    let (id, old) = create(&app, &admin, PROD, "clock", limits).await;
    let (next, new) = rotate(
        &app,
        &admin,
        PROD,
        &id,
        json!({ "overlap": "1s", "expiresAt": "2100-01-01T00:00:00Z" }),
    )
    .await;
    assert!(counts(&app, &old).await && counts(&app, &new).await);
    let listed = tokens(&app, PROD).await;
    assert_eq!(listed[2]["id"], *next);
    assert_eq!(
        (&listed[2]["name"], &listed[2]["series"]),
        (&json!("clock"), &json!(["a", "b*"]))
    );
    assert_eq!(listed[2]["expiresAt"], "2100-01-01T00:00:00Z");
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert!(!counts(&app, &old).await);
    assert!(counts(&app, &new).await);
    // What counts no more has no successor.
    assert_eq!(
        code(&try_rotate(&app, &admin, PROD, &id, json!({})).await),
        "CONFLICT"
    );
    // A day, where nobody says otherwise; the longest is a year.
    rotate(&app, &admin, PROD, &next, json!({})).await;
    let end: jiff::Timestamp = tokens(&app, PROD).await[2]["expiresAt"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let hours = jiff::Timestamp::now().duration_until(end).as_hours();
    assert!((23..=24).contains(&hours), "{hours}");
    for (refused, words) in [
        (json!({ "overlap": "367d" }), "366d"),
        (json!({ "overlap": "0s" }), "longer than nothing"),
        (json!({ "expiresAt": 1 }), "expired already"),
    ] {
        let answer = try_rotate(&app, &admin, PROD, &next, refused).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT");
        assert!(message(&answer).contains(words), "{answer}");
    }
}

async fn token_expires(app: TestApp) {
    let soon = jiff::Timestamp::now().as_microsecond() + 1_500_000;
    let limits = json!({ "expiresAt": soon });
    let (_, secret) = create(&app, &app.person("admin"), PROD, "short", limits).await;
    assert!(counts(&app, &secret).await);
    tokio::time::sleep(Duration::from_millis(1_600)).await;
    assert!(!counts(&app, &secret).await);
    let answer = app
        .post(&secret, r#"{"query":"{ serverTime }"}"#)
        .send()
        .await
        .unwrap();
    assert!(message(&json_of(answer).await).contains("expired"));
}

async fn what_makes_no_token_is_told(app: TestApp) {
    let query = "mutation ($name: String!, $series: [String!], $expiresAt: Timestamp) {
        createToken(tenant: \"mcce-g1-prod\", name: $name, series: $series, expiresAt: $expiresAt) { secret } }";
    for (variables, words) in [
        (json!({ "name": " " }), "1 to 100 characters"),
        (json!({ "name": "a\nb" }), "on one line"),
        (json!({ "name": "a", "series": [] }), "1 to 50 patterns"),
        (
            json!({ "name": "a", "series": vec!["a"; 51] }),
            "1 to 50 patterns",
        ),
        (
            json!({ "name": "a", "series": ["a", "b{"] }),
            "`b{` means no series",
        ),
        (
            json!({ "name": "a", "expiresAt": "2020-01-01T00:00:00Z" }),
            "expired already",
        ),
    ] {
        let answer = app.ask(&app.person("admin"), query, variables).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT");
        assert!(message(&answer).contains(words), "{answer}");
    }
    assert_eq!(tokens(&app, PROD).await.len(), 1);
}

async fn last_use_is_told(app: TestApp) {
    assert_eq!(tokens(&app, PROD).await[0]["usedAt"], Value::Null);
    assert!(counts(&app, &app.prod).await);
    for _ in 0..100 {
        if tokens(&app, PROD).await[0]["usedAt"].is_string() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no use was noted");
}
