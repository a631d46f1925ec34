//! What the door lets through: methods, media types, other sites' requests.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use reqwest::{Method, header::HeaderMap};
use serde_json::json;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, client::IntoClientRequest},
};

use crate::{
    app::{ABSENT, INGEST, PROD, TestApp, batch, code, json_of, message},
    socket::START,
};

on_both! {
    mutation_by_get_is_not_allowed_and_writes_nothing,
    query_by_get_is_answered,
    other_methods_and_media_are_refused,
    request_that_is_no_graphql_request_is_refused,
    cookie_from_another_site_is_refused,
    socket_with_a_cookie_from_another_site_is_refused,
    status_tells_what_ran_to_who_asks_for_it,
    cost_is_told_to_who_asks_for_it,
    compressed_request_is_taken_up_to_its_bound,
    events_come_as_they_are_written_and_to_whom_they_are_open,
    answer_is_kept_by_its_asker_until_it_differs,
    pages_of_other_sites_ask_only_where_they_are_allowed,
    fields_come_in_the_order_of_the_question,
    what_is_skipped_leaves_what_it_stood_in,
    variables_that_are_not_given_have_their_defaults,
    what_fails_is_null_or_what_holds_it_is,
    subscription_is_one_field,
}

async fn cost_is_told_to_who_asks_for_it(app: TestApp) {
    let query = r#"{ tenant(slug: "mcce-g1-prod") { series(first: 10) { nodes { key } } } }"#;
    for (extensions, told) in [
        (json!({ "cost": true }), true),
        (json!({ "cost": false }), false),
        (json!({}), false),
        (json!(null), false),
    ] {
        let body = json!({ "query": query, "extensions": extensions });
        let answer = json_of(app.post(&app.prod, body.to_string()).send().await.unwrap()).await;
        assert_eq!(answer["data"]["tenant"]["series"]["nodes"], json!([]));
        assert_eq!(answer.get("extensions").is_some(), told, "{answer}");
        if told {
            let cost = &answer["extensions"]["cost"];
            assert!(cost["requested"].as_u64().unwrap() > 10, "{answer}");
            assert_eq!(
                [&cost["most"], &cost["depth"], &cost["mostDepth"]],
                [20_000, 4, 20]
            );
        }
    }
}

async fn compressed_request_is_taken_up_to_its_bound(app: TestApp) {
    let send = async |body: &[u8], encoding: &str| {
        let request = app.post(&app.prod, body.to_vec());
        let response = request.header("content-encoding", encoding).send().await;
        let response = response.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let packed = |text: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let variables = json!({ "tenant": PROD, "batches": [batch("a", &[(1, 1.0)])] });
    let ingest = json!({ "query": INGEST, "variables": variables }).to_string();
    let (status, text) = send(&packed(ingest.as_bytes()), "gzip").await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(
        app.points(&app.prod, PROD).await,
        [("a".to_owned(), vec![(1, 1.0)])]
    );
    // A few kB that would be a hundred MB.
    let bomb = packed(&vec![b' '; 100 << 20]);
    assert!(bomb.len() < 200_000);
    assert_eq!(send(&bomb, "gzip").await.0, 413);
    assert_eq!(send(ingest.as_bytes(), "gzip").await.0, 400);
    let (status, text) = send(ingest.as_bytes(), "zip").await;
    assert!(
        status == 415 && text.contains("may be gzip or br"),
        "{text}"
    );
}

async fn events_come_as_they_are_written_and_to_whom_they_are_open(app: TestApp) {
    let follow = async |token: &str, tenant: &str| {
        let query = "subscription ($tenant: String!) { pointsAdded(tenant: $tenant, series: [\"*\"], after: \"AA\") { series { series times } } }";
        let query = query.replace("after: \"AA\"", &format!("after: \"{START}\""));
        let body = json!({ "query": query, "variables": { "tenant": tenant } });
        let request = app.post(token, body.to_string());
        let request = request.header("accept", "text/event-stream");
        request.send().await.unwrap()
    };
    let mut events = follow(&app.prod, PROD).await;
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    assert_eq!(events.headers()["cache-control"], "no-store");
    for time in 1..4 {
        app.ingest(&app.prod, PROD, "a", &[(time, 1.0)]).await;
        let event = events.chunk().await.unwrap().unwrap();
        let expected = json!({ "data": { "pointsAdded": { "series": [{ "series": "a", "times": [time] }] } } });
        assert_eq!(event, format!("event: next\ndata: {expected}\n\n"));
    }
    for (token, tenant) in [(&app.foreign, PROD), (&app.prod, ABSENT)] {
        let told = follow(token, tenant).await.text().await.unwrap();
        assert!(
            told.starts_with("event: next\ndata: {\"data\":null,\"errors\""),
            "{told}"
        );
        assert!(told.contains("NOT_FOUND"), "{told}");
        assert!(told.ends_with("event: complete\ndata: null\n\n"), "{told}");
    }
    assert_eq!(follow("sdl_forged", PROD).await.status(), 401);
    app.stop();
    // Not complete: whoever follows asks another server.
    let rest = events.text().await.unwrap_or_default();
    assert!(!rest.contains("complete"), "{rest}");
}

async fn mutation_by_get_is_not_allowed_and_writes_nothing(app: TestApp) {
    let mut url = app.endpoint();
    let variables = json!({ "tenant": PROD, "batches": [batch("a", &[(1, 1.0)])] });
    url.query_pairs_mut()
        .append_pair("query", INGEST)
        .append_pair("variables", &variables.to_string());
    let request = app.http.get(url).bearer_auth(&app.prod);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "GET, HEAD, POST");
    assert_eq!(code(&json_of(response).await), "BAD_USER_INPUT");
    assert!(app.points(&app.prod, PROD).await.is_empty());
}

async fn query_by_get_is_answered(app: TestApp) {
    let mut url = app.endpoint();
    url.query_pairs_mut()
        .append_pair(
            "query",
            "query ($slug: String!) { tenant(slug: $slug) { slug } }",
        )
        .append_pair("variables", &json!({ "slug": PROD }).to_string());
    let request = app.http.get(url).bearer_auth(&app.prod);
    let asked = request.try_clone().unwrap().send().await.unwrap();
    let tag = asked.headers()["etag"].clone();
    let answer = json_of(asked).await;
    assert_eq!(answer, json!({ "data": { "tenant": { "slug": PROD } } }));
    let mut head = request.build().unwrap();
    *head.method_mut() = Method::HEAD;
    let head = app.http.execute(head).await.unwrap();
    assert_eq!(
        (head.status().as_u16(), &head.headers()["etag"]),
        (200, &tag)
    );
    assert_eq!(head.text().await.unwrap(), "");
}

async fn other_methods_and_media_are_refused(app: TestApp) {
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let request = app.http.request(method.clone(), app.endpoint());
        let response = request.bearer_auth(&app.prod).send().await.unwrap();
        assert_eq!(response.status(), 405, "{method}");
    }
    let body = json!({ "query": "{ serverTime }" }).to_string();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin1",
    ] {
        let request = app.http.post(app.endpoint()).header("content-type", kind);
        let response = request.body(body.clone()).send().await.unwrap();
        assert_eq!(response.status(), 415, "{kind}");
    }
    let request = app.post("", body).header("accept", "text/html");
    assert_eq!(request.send().await.unwrap().status(), 406);
}

async fn request_that_is_no_graphql_request_is_refused(app: TestApp) {
    for (body, words) in [
        (r#"[{"query":"{ serverTime }"}]"#, "one by one"),
        ("", "no GraphQL request"),
        ("{", "no GraphQL request"),
        ("null", "no GraphQL request"),
        ("{}", "`query` is missing"),
        (r#"{"query":" "}"#, "`query` is missing"),
        (
            r#"{"query":"subscription { pointsAdded(tenant: \"a\", series: []) { cursor } }"}"#,
            "graphql-transport-ws",
        ),
    ] {
        let response = app.post(&app.prod, body).send().await.unwrap();
        assert_eq!(response.status(), 400, "{body}");
        let answer = json_of(response).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT");
        assert!(message(&answer).contains(words), "{body}: {answer}");
        assert!(answer.get("data").is_none());
    }
}

async fn cookie_from_another_site_is_refused(app: TestApp) {
    let body = json!({ "query": "{ viewer { login } }" }).to_string();
    let origin = app.url.origin().ascii_serialization();
    for (name, value, status) in [
        ("x-nothing", "", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        // From its own pages the forged cookie itself is looked at.
        ("origin", &origin, 401),
    ] {
        let request = app.post("", body.clone()).header(name, value);
        let request = request.header("cookie", format!("sundial={}", "A".repeat(43)));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{name}: {value}");
        let expected = match status {
            403 => "FORBIDDEN",
            _ => "UNAUTHENTICATED",
        };
        assert_eq!(code(&json_of(response).await), expected);
    }
}

async fn socket_with_a_cookie_from_another_site_is_refused(app: TestApp) {
    let mut url = app.endpoint();
    url.set_scheme("ws").unwrap();
    let refusal = async |pairs: &[(&'static str, &str)]| {
        let mut request = url.as_str().into_client_request().unwrap();
        for (name, value) in pairs {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match connect_async(request).await {
            Err(Error::Http(response)) => response.status().as_u16(),
            other => panic!("not refused: {other:?}"),
        }
    };
    let protocol = ("sec-websocket-protocol", "graphql-transport-ws");
    let cookie = ("cookie", "sundial=abc");
    let evil = ("origin", "https://evil.example");
    assert_eq!(refusal(&[protocol, cookie, evil]).await, 403);
    assert_eq!(refusal(&[protocol, cookie]).await, 403);
    assert_eq!(refusal(&[]).await, 400);
    assert_eq!(
        refusal(&[("sec-websocket-protocol", "graphql-ws")]).await,
        400
    );
}

async fn status_tells_what_ran_to_who_asks_for_it(app: TestApp) {
    let accept = "application/graphql-response+json";
    let ask = async |query: &str| {
        let request = app.post(&app.prod, json!({ "query": query }).to_string());
        let response = request.header("accept", accept).send().await.unwrap();
        let headers: HeaderMap = response.headers().clone();
        assert!(
            headers["content-type"]
                .to_str()
                .unwrap()
                .starts_with(accept)
        );
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        (response.status().as_u16(), json_of(response).await)
    };
    assert_eq!(ask("{ __typename }").await.0, 200);
    for query in [
        "{",
        "{ nothing }",
        "query A { __typename } query B { __typename }",
    ] {
        let (status, answer) = ask(query).await;
        assert_eq!(status, 400, "{query}");
        assert!(answer.get("data").is_none(), "{answer}");
        assert_eq!(code(&answer), "BAD_USER_INPUT");
    }
}

async fn answer_is_kept_by_its_asker_until_it_differs(app: TestApp) {
    let get = async |token: &str, known: &str| {
        let mut url = app.endpoint();
        let query = r#"{ tenant(slug: "mcce-g1-prod") { series { nodes { key } } } }"#;
        url.query_pairs_mut().append_pair("query", query);
        let request = app.http.get(url).bearer_auth(token);
        let response = request.header("if-none-match", known).send().await.unwrap();
        let header = |name: &str| response.headers().get(name).cloned();
        let (tag, cache, vary) = (header("etag"), header("cache-control"), header("vary"));
        assert_eq!(cache.unwrap(), "private, no-cache");
        assert!(vary.unwrap().to_str().unwrap().contains("authorization"));
        let tag = tag.unwrap().to_str().unwrap().to_owned();
        (
            response.status().as_u16(),
            tag,
            response.text().await.unwrap(),
        )
    };
    let (status, tag, body) = get(&app.prod, "").await;
    assert_eq!(status, 200);
    let kept = get(&app.prod, &format!("\"other\", {tag}")).await;
    assert_eq!(kept, (304, tag.clone(), String::new()));
    for known in ["*", tag.trim_start_matches("W/")] {
        assert_eq!(get(&app.prod, known).await.0, 304);
    }
    // Who sees something else is told it, whatever he claims to know.
    let (status, _, other) = get(&app.foreign, &tag).await;
    assert_eq!(
        (status, other.as_str()),
        (200, r#"{"data":{"tenant":null}}"#)
    );
    assert_ne!(body, other);
    app.ingest(&app.prod, PROD, "a", &[(1, 1.0)]).await;
    let (status, changed, _) = get(&app.prod, &tag).await;
    assert_eq!(status, 200);
    assert_ne!(changed, tag);
    // What is asked by POST is kept by nobody.
    let response = app
        .post(&app.prod, r#"{"query":"{ serverTime }"}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert!(!response.headers().contains_key("etag"));
}

async fn pages_of_other_sites_ask_only_where_they_are_allowed(app: TestApp) {
    let other = app
        .replica_for(vec!["https://app.example.org".into()])
        .await;
    let ask = async |url: &reqwest::Url, method: Method, origin: &str, cookie: &str| {
        let request = app.http.request(method, url.clone());
        let request = request
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type",
            )
            .header("content-type", "application/json")
            .body(r#"{"query":"{ serverTime }"}"#);
        let request = match cookie {
            "" => request.bearer_auth(&app.prod),
            cookie => request.header("cookie", cookie),
        };
        let response = request.send().await.unwrap();
        let headers = response.headers();
        assert!(!headers.contains_key("access-control-allow-credentials"));
        let open = headers.get("access-control-allow-origin").cloned();
        (
            response.status().as_u16(),
            open.map(|open| open.to_str().unwrap().to_owned()),
        )
    };
    let (known, unknown) = ("https://app.example.org", "https://evil.example.org");
    for method in [Method::OPTIONS, Method::POST] {
        for origin in [known, unknown] {
            let status = if method == Method::OPTIONS { 405 } else { 200 };
            assert_eq!(
                ask(&app.endpoint(), method.clone(), origin, "").await,
                (status, None)
            );
        }
        let open = Some(known.to_owned());
        assert_eq!(
            ask(&other.url, method.clone(), known, "").await,
            (200, open)
        );
        assert_eq!(ask(&other.url, method, unknown, "").await, (200, None));
    }
    // By the cookie of somebody who is signed in, no other site asks.
    let cookie = "__Host-sundial=anything";
    assert_eq!(ask(&other.url, Method::POST, known, cookie).await.0, 403);
}

async fn fields_come_in_the_order_of_the_question(app: TestApp) {
    app.ingest(&app.prod, PROD, "a", &[(1, 1.0)]).await;
    let query = r#"{ serverTime: __typename tenant(slug: "mcce-g1-prod") {
        usage { points } last: lastPointAt series { pageInfo { hasNextPage } nodes { latest { value } key
            samples(range: { from: 0, to: 9 }) { values times } } } slug }
        viewer { login kind } none: tenant(slug: "other-g9-none") { slug } }"#;
    let asked = json!({ "query": query }).to_string();
    for _ in 0..5 {
        let response = app.post(&app.prod, asked.clone()).send().await.unwrap();
        assert_eq!(
            response.text().await.unwrap(),
            r#"{"data":{"serverTime":"Query","tenant":{"usage":{"points":1},"last":"1970-01-01T00:00:00.000001Z","series":{"pageInfo":{"hasNextPage":false},"nodes":[{"latest":{"value":1.0},"key":"a","samples":{"values":[1.0],"times":[1]}}]},"slug":"mcce-g1-prod"},"viewer":{"login":"clock","kind":"INGEST_TOKEN"},"none":null}}"#
        );
    }
}

async fn what_is_skipped_leaves_what_it_stood_in(app: TestApp) {
    app.ingest(&app.prod, PROD, "a", &[(1, 1.0)]).await;
    let skip = "@skip(if: $yes)";
    for (query, expected) in [
        (format!("{{ serverTime {skip} }}"), "{}"),
        (format!("mutation($yes: Boolean!) {{ endSessions(keepCurrent: true) {skip} }}"), "{}"),
        (
            format!("{{ tenants {{ nodes {{ id {skip} }} pageInfo {{ hasNextPage {skip} }} }} }}"),
            r#"{"tenants":{"nodes":[{}],"pageInfo":{}}}"#,
        ),
        (
            format!(r#"{{ tenant(slug: "other-g9-none") {{ id {skip} }} own: tenant(slug: "mcce-g1-prod") {{ ...f }} }}
                fragment f on Tenant {{ id {skip} ... {{ name {skip} }} }}"#),
            r#"{"tenant":null,"own":{}}"#,
        ),
        (
            r#"query($yes: Boolean!) { viewer { ... @include(if: $yes) { login } ... @skip(if: $yes) { name } } }"#.into(),
            r#"{"viewer":{"login":"clock"}}"#,
        ),
    ] {
        let query = match query.starts_with('{') {
            true => format!("query($yes: Boolean!) {query}"),
            false => query,
        };
        let body = json!({ "query": query, "variables": { "yes": true } });
        let response = app.post(&app.prod, body.to_string()).send().await.unwrap();
        let text = response.text().await.unwrap();
        assert_eq!(text, format!(r#"{{"data":{expected}}}"#), "{query}");
    }
}

async fn variables_that_are_not_given_have_their_defaults(app: TestApp) {
    let write = format!(
        r#"mutation ($dry: Boolean = true) {{ ingest(tenant: "{PROD}",
            batches: [{{ series: "a", times: [1], values: [1] }}]) @skip(if: $dry) {{ points }} }}"#
    );
    let skipped = app.ask(&app.prod, &write, json!({})).await;
    assert_eq!(skipped, json!({ "data": {} }));
    assert!(app.points(&app.prod, PROD).await.is_empty());
    let written = app.ask(&app.prod, &write, json!({ "dry": false })).await;
    assert_eq!(written["data"]["ingest"]["points"], 1, "{written}");
    let query = "query ($s: Boolean = true) { viewer { login kind @skip(if: $s) name } }";
    let answer = app.ask(&app.prod, query, json!({})).await;
    assert_eq!(
        answer.to_string(),
        r#"{"data":{"viewer":{"login":"clock","name":"clock"}}}"#
    );
    let query = "query ($s: Boolean!) { serverTime @include(if: $s) }";
    let answer = app.ask(&app.prod, query, json!({})).await;
    assert!(answer.get("data").is_none(), "{answer}");
    assert!(message(&answer).contains("`$s` is missing"), "{answer}");
    // Of the operation that is meant, and not of another.
    let both =
        "query A ($s: Boolean!) { serverTime @include(if: $s) } query B { viewer { login } }";
    let body = json!({ "query": both, "operationName": "B" }).to_string();
    let answer = json_of(app.post(&app.prod, body).send().await.unwrap()).await;
    assert_eq!(answer["data"]["viewer"]["login"], "clock", "{answer}");
}

async fn what_fails_is_null_or_what_holds_it_is(app: TestApp) {
    let write = |slug| {
        format!(
            "ingest(tenant: \"{slug}\", batches: [{{ series: \"a\", times: [1], values: [1] }}]) {{ points }}"
        )
    };
    for (query, expected) in [
        // A role keeps it closed, and nothing else with it.
        (
            format!("{{ tenant(slug: \"{PROD}\") {{ slug tokens {{ id }} name }} }}"),
            json!({ "tenant": { "slug": PROD, "tokens": null, "name": PROD } }),
        ),
        // Nor with what is asked of the same in another place, in either order.
        (
            format!(
                "{{ tenant(slug: \"{PROD}\") {{ tokens {{ id }} }} ...f }} fragment f on Query {{ tenant(slug: \"{PROD}\") {{ slug }} }}"
            ),
            json!({ "tenant": { "slug": PROD, "tokens": null } }),
        ),
        // Null is not allowed there, nor in what holds it, but in what holds that.
        (
            format!(
                "{{ serverTime: __typename tenant(slug: \"{PROD}\") {{ slug series(match: \"[\") {{ pageInfo {{ hasNextPage }} }} }} }}"
            ),
            json!({ "serverTime": "Query", "tenant": null }),
        ),
        (
            format!(
                "mutation {{ one: {} two: {} }}",
                write(PROD),
                write("other-g9-none")
            ),
            json!(null),
        ),
    ] {
        let answer = app.ask(&app.prod, &query, json!({})).await;
        assert_eq!(answer["data"], expected, "{answer}");
        assert_eq!(
            answer["errors"].as_array().map(Vec::len),
            Some(1),
            "{answer}"
        );
    }
    // What was done is done.
    assert_eq!(app.points(&app.prod, PROD).await.len(), 1);
}

async fn subscription_is_one_field(app: TestApp) {
    let one = format!("pointsAdded(tenant: \"{PROD}\", series: [\"*\"]) {{ cursor }}");
    let on = "on Subscription";
    for query in [
        format!("subscription {{ a: {one} b: {one} }}"),
        format!("subscription {{ {one} {one} }}"),
        format!("subscription {{ __typename {one} }}"),
        format!("subscription {{ ...f }} fragment f {on} {{ {one} }}"),
        format!("subscription {{ ... {on} {{ {one} }} }}"),
        format!(
            "subscription ($s: Boolean = true) {{ pointsAdded(tenant: \"{PROD}\", series: [\"*\"]) @skip(if: $s) {{ cursor }} }}"
        ),
    ] {
        let request = app.post(&app.prod, json!({ "query": query }).to_string());
        let response = request
            .header("accept", "text/event-stream")
            .send()
            .await
            .unwrap();
        let text = response.text().await.unwrap();
        assert!(
            text.contains("a subscription is one field"),
            "{query}: {text}"
        );
    }
}
