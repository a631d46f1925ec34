//! Points as files.

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use crate::app::{ABSENT, FOREIGN, PROD, TestApp, batch, json_of};

on_each_fence! {
    file_holds_what_is_open_to_the_asker_and_nothing_else,
}

#[cfg(not(feature = "filterless"))]
mod format {
    use super::*;

    on_both! {
        files_hold_each_point_bit_by_bit,
        file_is_whole_however_it_is_compressed,
        file_breaks_off_when_its_asker_may_read_no_more,
        requests_that_make_no_file_are_refused_in_words,
    }
}

async fn export(app: &TestApp, token: &str, file: &str, query: &[(&str, &str)]) -> Response {
    let mut url = app.url.join(&format!("/export/{file}")).unwrap();
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    app.http.get(url).bearer_auth(token).send().await.unwrap()
}

async fn text(app: &TestApp, token: &str, file: &str, query: &[(&str, &str)]) -> String {
    let response = export(app, token, file, query).await;
    assert_eq!(response.status(), StatusCode::OK);
    response.text().await.unwrap()
}

async fn file_holds_what_is_open_to_the_asker_and_nothing_else(app: TestApp) {
    app.ingest(&app.prod, PROD, "own", &[(1, 1.0)]).await;
    app.ingest(&app.foreign, FOREIGN, "foreign", &[(1, 2.0)])
        .await;
    app.compact(FOREIGN).await;
    for token in [app.prod.clone(), app.person("viewer"), app.person("admin")] {
        let own = text(&app, &token, &format!("{PROD}.csv"), &[]).await;
        assert_eq!(
            own,
            "series,time,value\r\n\"own\",1970-01-01T00:00:00.000001Z,1.0\r\n"
        );
        let mut told = Vec::new();
        for slug in [FOREIGN, ABSENT, "-", "A"] {
            let refused = export(&app, &token, &format!("{slug}.csv"), &[]).await;
            assert_eq!(refused.status(), StatusCode::NOT_FOUND);
            told.push(refused.text().await.unwrap());
        }
        told.dedup();
        assert_eq!(told.len(), 1, "{told:?}");
    }
    let unknown = app
        .http
        .get(app.url.join(&format!("/export/{PROD}.csv")).unwrap());
    assert_eq!(
        unknown.send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    let forged = export(&app, "sdl_forged", &format!("{PROD}.csv"), &[]).await;
    assert_eq!(forged.status(), StatusCode::UNAUTHORIZED);
}

async fn files_hold_each_point_bit_by_bit(app: TestApp) {
    let odd = [
        0.1,
        -0.0,
        5e-324,
        f64::MAX,
        f64::MIN_POSITIVE,
        1e21,
        -1.0 / 3.0,
        21.5,
    ];
    let odd: Vec<(i64, f64)> = (0..)
        .zip(odd)
        .map(|(place, value)| (place * 1_500, value))
        .collect();
    let key = r#"room{name="a, \"b\""}"#;
    let many: Vec<(i64, f64)> = (0..20_000)
        .map(|place| (place * 1_000_000, place as f64 / 8.0))
        .collect();
    app.ingest(&app.prod, PROD, key, &odd).await;
    app.ingest(&app.prod, PROD, "many", &many).await;
    app.compact(PROD).await;
    app.ingest(&app.prod, PROD, "many", &[(5_000_000, -1.0)])
        .await;

    let file = text(&app, &app.prod, &format!("{PROD}.ndjson"), &[]).await;
    let lines: Vec<Value> = file
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), many.len() + odd.len());
    let of = |wanted: &str| {
        let own = lines.iter().filter(|line| line["series"] == wanted);
        let point = |line: &Value| {
            let time: jiff::Timestamp = line["time"].as_str().unwrap().parse().unwrap();
            (
                time.as_microsecond(),
                line["value"].as_f64().unwrap().to_bits(),
            )
        };
        own.map(point).collect::<Vec<_>>()
    };
    let bits = |points: &[(i64, f64)]| {
        points
            .iter()
            .map(|(time, value)| (*time, value.to_bits()))
            .collect::<Vec<_>>()
    };
    assert_eq!(of(key), bits(&odd));
    let mut rewritten = many.clone();
    rewritten[5].1 = -1.0;
    assert_eq!(of("many"), bits(&rewritten));

    let range = [
        ("series", "room"),
        ("from", "1970-01-01T00:00:00.003Z"),
        ("to", "6000"),
    ];
    let file = text(&app, &app.prod, &format!("{PROD}.csv"), &range).await;
    assert_eq!(
        file,
        "series,time,value\r\n\"room{name=\"\"a, \\\"\"b\\\"\"\"\"}\",1970-01-01T00:00:00.003Z,5e-324\r\n\
         \"room{name=\"\"a, \\\"\"b\\\"\"\"\"}\",1970-01-01T00:00:00.0045Z,1.7976931348623157e308\r\n"
    );
    let response = export(
        &app,
        &app.prod,
        &format!("{PROD}.csv"),
        &[("series", "none")],
    )
    .await;
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        header("content-type"),
        "text/csv; charset=utf-8; header=present"
    );
    assert_eq!(
        header("content-disposition"),
        "attachment; filename=\"mcce-g1-prod.csv\""
    );
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(response.text().await.unwrap(), "series,time,value\r\n");
}

async fn file_is_whole_however_it_is_compressed(app: TestApp) {
    let points: Vec<(i64, f64)> = (0..20_000)
        .map(|place| (place * 1_000_000, place as f64 / 8.0))
        .collect();
    app.ingest(&app.prod, PROD, "many", &points).await;
    for range in [&[][..], &[("to", "3")]] {
        let mut url = app.url.join(&format!("/export/{PROD}.csv")).unwrap();
        url.query_pairs_mut().extend_pairs(range);
        let client = Client::builder().no_brotli().no_gzip().build().unwrap();
        let plain = client.get(url.clone()).bearer_auth(&app.prod).send();
        let plain = plain.await.unwrap().text().await.unwrap();
        for client in [Client::builder().no_brotli(), Client::builder().no_gzip()] {
            let request = client.build().unwrap().get(url.clone());
            let response = request.bearer_auth(&app.prod).send().await.unwrap();
            // The client takes these away once it unpacks.
            assert!(!response.headers().contains_key("content-length"));
            let unpacked = response.text().await.unwrap();
            assert!(
                unpacked == plain,
                "{} of {} bytes",
                unpacked.len(),
                plain.len()
            );
        }
    }
}

async fn file_breaks_off_when_its_asker_may_read_no_more(app: TestApp) {
    // More than what waits in sockets.
    let key = format!("long{{name=\"{}\"}}", "a".repeat(400));
    for start in 0..3 {
        let points: Vec<(i64, f64)> = (0..40_000)
            .map(|place| (start * 40_000 + place, 0.5))
            .collect();
        app.ingest(&app.prod, PROD, &key, &points).await;
    }
    let made = r#"mutation { createToken(tenant: "mcce-g1-prod", name: "short") { secret token { id } } }"#;
    let made = app.data(&app.person("admin"), made, json!({})).await;
    let made = &made["createToken"];
    let secret = made["secret"].as_str().unwrap();
    let client = Client::builder().no_brotli().no_gzip().build().unwrap();
    let url = app.url.join(&format!("/export/{PROD}.csv")).unwrap();
    let mut response = client.get(url).bearer_auth(secret).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let revoked = r#"mutation ($id: ID!) { revokeToken(tenant: "mcce-g1-prod", id: $id) { id } }"#;
    app.data(
        &app.person("admin"),
        revoked,
        json!({ "id": made["token"]["id"] }),
    )
    .await;
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    let mut bytes = 0;
    loop {
        match response.chunk().await {
            Ok(Some(part)) => bytes += part.len(),
            Ok(None) => panic!("the file is whole, at {bytes} bytes"),
            Err(_) => break,
        }
    }
    assert!(bytes < 50_000_000, "{bytes}");
}

async fn requests_that_make_no_file_are_refused_in_words(app: TestApp) {
    let batches = json!([batch("a", &[(1, 1.0)])]);
    app.try_ingest(&app.prod, PROD, batches).await;
    for (file, query, words) in [
        ("mcce-g1-prod", &[][..], "name a file"),
        ("mcce-g1-prod.xlsx", &[], "name a file"),
        ("mcce-g1-prod.csv/", &[], "name a file"),
        ("%ff.csv", &[], "name a file"),
        (
            "mcce-g1-prod.csv",
            &[("series", "a"); 201],
            "more than 200 times",
        ),
        ("mcce-g1-prod.csv", &[("series", "a{")], "names no series"),
        (
            "mcce-g1-prod.csv",
            &[("from", "yesterday")],
            "`from` is no time",
        ),
        (
            "mcce-g1-prod.csv",
            &[("from", "2026-11-24T13:32:08 01:00")],
            "`+` in an address as %2B",
        ),
        ("mcce-g1-prod.csv", &[("from", "2"), ("to", "1")], "swap"),
        ("mcce-g1-prod.csv", &[("until", "1")], "and nothing else"),
    ] {
        let refused = export(&app, &app.prod, file, query).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        let answer = json_of(refused).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        let message = answer["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(words), "{message}");
    }
}
