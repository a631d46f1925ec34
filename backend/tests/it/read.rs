//! What went in comes out, by each of the ways.

use jiff::Timestamp;
use serde_json::{Value, json};
use sundial::{guard::Viewer, identity::Proof, request::now, series::store::list};

use crate::app::{ABSENT, FOREIGN, PROD, TEST, TestApp, batch, code, columns};

const SERIES: &str = r#"clock.offset{producer="a"}"#;
const SECOND: i64 = 1_000_000;

on_both! {
    what_many_read_together_is_what_each_reads_alone,
    samples_are_what_was_written,
    pages_by_cursor_give_each_point_once,
    windows_aggregate_what_was_written,
    latest_is_the_latest_time_and_not_the_latest_write,
    series_are_listed_by_match_and_by_page,
    node_gives_back_what_has_the_id,
    samples_thinned_keep_the_extremes,
    all_that_one_request_reads_is_of_one_moment,
    series_of_two_tenants_are_compared_by_whom_both_are_open_to,
    gaps_are_stretches_without_points,
    zero_keeps_its_sign,
}

async fn zero_keeps_its_sign(app: TestApp) {
    let points = [(0, -0.0), (1, 5.0), (2, -0.0)];
    app.ingest(&app.prod, PROD, "a", &points).await;
    let query = r#"query ($tenant: String!) { tenant(slug: $tenant) { series { nodes {
        latest { value }
        samples(range: { from: 0, to: 9 }) { values }
        windows(range: { from: 0, to: 9 }, every: "1s") { min first last } } } } }"#;
    for compacted in [false, true] {
        if compacted {
            app.compact(PROD).await;
        }
        let data = app.data(&app.prod, query, json!({ "tenant": PROD })).await;
        let node = &data["tenant"]["series"]["nodes"][0];
        let zeros = [
            &node["latest"]["value"],
            &node["samples"]["values"][0],
            &node["samples"]["values"][2],
            &node["windows"]["min"][0],
            &node["windows"]["first"][0],
            &node["windows"]["last"][0],
        ];
        for zero in zeros {
            let bits = zero.as_f64().unwrap().to_bits();
            assert_eq!(bits, (-0.0_f64).to_bits(), "{node}");
        }
    }
}

async fn all_that_one_request_reads_is_of_one_moment(app: TestApp) {
    app.ingest(&app.prod, PROD, "a", &[(1, 1.0)]).await;
    let proof = Proof::Bearer(app.person("viewer").into());
    let principal = app.identity().authenticate(&proof).await;
    let principal = principal.unwrap().unwrap();
    let scope = app.pool.look::<Viewer>(&principal, PROD).await.unwrap();
    let known = async || list(&scope, None, None, 10).await.unwrap().len();
    assert_eq!(known().await, 1);
    app.ingest(&app.prod, PROD, "b", &[(1, 1.0)]).await;
    assert_eq!(known().await, 1);
    assert_eq!(app.points(&app.prod, PROD).await.len(), 2);
}

async fn series_of_two_tenants_are_compared_by_whom_both_are_open_to(app: TestApp) {
    app.ingest(
        &app.prod,
        PROD,
        "a",
        &[(1, 1.0), (2, 2.0), (2 * SECOND, 8.0)],
    )
    .await;
    app.ingest(&app.test, TEST, "a", &[(1, 4.0), (SECOND, 5.0)])
        .await;
    let query = "query ($left: String!, $right: String!, $series: String!) {
        compare(left: { tenant: $left, series: \"a\" }, right: { tenant: $right, series: $series },
        range: { from: 0, to: 3000000 }, every: \"1s\") { left { starts count avg } right { count avg } difference } }";
    let compare = async |asker: &str, right: &str, series: &str| {
        let variables = json!({ "left": PROD, "right": right, "series": series });
        app.ask(asker, query, variables).await
    };
    let admin = app.person("admin");
    let both = compare(&admin, TEST, "a").await;
    assert_eq!(
        both["data"]["compare"],
        json!({
            "left": { "starts": [0, SECOND, 2 * SECOND], "count": [2, 0, 1], "avg": [1.5, null, 8.0] },
            "right": { "count": [1, 1, 0], "avg": [4.0, 5.0, null] },
            "difference": [2.5, null, null],
        })
    );
    // Not there, and not open to who asks: the same.
    let viewer = app.person("viewer");
    for (asker, right, series) in [
        (&admin, TEST, "b"),
        (&admin, FOREIGN, "a"),
        (&admin, ABSENT, "a"),
        (&viewer, TEST, "a"),
        (&app.prod, TEST, "a"),
    ] {
        let answer = compare(asker, right, series).await;
        assert_eq!(
            answer,
            json!({ "data": { "compare": null } }),
            "{right} {series}"
        );
    }
    let same = compare(&app.prod, PROD, "a").await;
    assert_eq!(
        same["data"]["compare"]["difference"],
        json!([0.0, null, 0.0])
    );
    assert_eq!(code(&compare(&admin, TEST, "a{").await), "BAD_USER_INPUT");
}

async fn gaps_are_stretches_without_points(app: TestApp) {
    let points: Vec<(i64, f64)> = [0, 1, 2, 9, 10, 30]
        .map(|second| (second * SECOND, 1.0))
        .into();
    app.ingest(&app.prod, PROD, "a", &points).await;
    let now = now() - now() % SECOND;
    app.ingest(&app.prod, PROD, "b", &[(now - 60 * SECOND, 1.0)])
        .await;
    let query = "query ($tenant: String!, $match: String!, $from: Timestamp!, $to: Timestamp!, $than: Duration!, $first: Int!) {
        tenant(slug: $tenant) { series(match: $match) { nodes {
        gaps(range: { from: $from, to: $to }, longerThan: $than, first: $first) { from to } } } } }";
    let gaps = async |series: &str, from: i64, to: i64, than: &str, first: i32| {
        let variables = json!({
            "tenant": PROD, "match": series, "from": from, "to": to, "than": than, "first": first,
        });
        let data = app.data(&app.prod, query, variables).await;
        let gaps = data["tenant"]["series"]["nodes"][0]["gaps"]
            .as_array()
            .unwrap()
            .clone();
        let second = |time: &Value| {
            time.as_str()
                .unwrap()
                .parse::<Timestamp>()
                .unwrap()
                .as_second()
        };
        gaps.iter()
            .map(|gap| (second(&gap["from"]), second(&gap["to"])))
            .collect::<Vec<_>>()
    };
    for compacted in [false, true] {
        if compacted {
            app.compact(PROD).await;
        }
        let minute = 60 * SECOND;
        assert_eq!(
            gaps("a", 0, minute, "5s", 10).await,
            [(2, 9), (10, 30), (30, 60)]
        );
        // No point lies before 1970.
        for from in [-1, i64::MIN] {
            assert_eq!(gaps("a", from, minute, "5s", 1).await, [(2, 9)]);
        }
        assert_eq!(gaps("a", 0, minute, "7s", 10).await, [(10, 30), (30, 60)]);
        assert_eq!(gaps("a", 3 * SECOND, 8 * SECOND, "1s", 10).await, [(3, 8)]);
        assert_eq!(gaps("a", 0, 3 * SECOND, "1s", 10).await, []);
        // What lies ahead is no gap.
        assert_eq!(
            gaps("b", now - 60 * SECOND, now + 3_600 * SECOND, "1h", 10).await,
            []
        );
        assert_eq!(
            gaps("b", now + SECOND * 3_600, now + 7_200 * SECOND, "1s", 10).await,
            []
        );
    }
}

async fn samples_are_what_was_written(app: TestApp) {
    // Unsorted, with the limits of what a double and a time can be.
    let last = 7_258_118_399_999_999;
    let written = [
        (2 * SECOND, -0.5),
        (0, 1e308),
        (last, 5e-324),
        (SECOND, -1e308),
    ];
    let receipt = app.ingest(&app.prod, PROD, SERIES, &written).await;
    assert_eq!(
        (&receipt["points"], &receipt["series"]),
        (&json!(4), &json!(1))
    );
    assert_eq!(receipt["replayed"], false);
    let mut sorted = written.to_vec();
    sorted.sort_by_key(|point| point.0);
    assert_eq!(
        app.points(&app.prod, PROD).await,
        [(SERIES.to_owned(), sorted)]
    );
    assert!(app.points(&app.test, TEST).await.is_empty());
    // Half-open, and text is as good as micros.
    let query = r#"{ tenant(slug: "mcce-g1-prod") { series { nodes {
        samples(range: { from: "1970-01-01T01:00:01+01:00", to: 2000000 }) { times values } } } } }"#;
    let data = app.data(&app.prod, query, json!({})).await;
    let samples = &data["tenant"]["series"]["nodes"][0]["samples"];
    assert_eq!(columns(samples), [(SECOND, -1e308)]);
}

async fn pages_by_cursor_give_each_point_once(app: TestApp) {
    let written: Vec<(i64, f64)> = (0..25).map(|i| (i * SECOND, i as f64)).collect();
    for part in written.chunks(7) {
        app.ingest(&app.prod, PROD, SERIES, part).await;
    }
    let query = "query ($after: String) { tenant(slug: \"mcce-g1-prod\") { series { nodes {
        points(range: { from: 0, to: 100000000 }, first: 10, after: $after) {
            pageInfo { hasNextPage hasPreviousPage endCursor } nodes { time value } } } } } }";
    let (mut after, mut values, mut pages) = (json!(null), Vec::new(), 0);
    loop {
        let data = app.data(&app.prod, query, json!({ "after": after })).await;
        let page = &data["tenant"]["series"]["nodes"][0]["points"];
        assert_eq!(page["pageInfo"]["hasPreviousPage"], pages > 0);
        let nodes = page["nodes"].as_array().unwrap();
        values.extend(nodes.iter().map(|node| node["value"].as_f64().unwrap()));
        pages += 1;
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            assert_eq!(nodes[nodes.len() - 1]["time"], "1970-01-01T00:00:24Z");
            break;
        }
        // A point behind the cursor's own time does not move the pages before it.
        app.ingest(&app.prod, PROD, SERIES, &[(0, 0.0)]).await;
    }
    assert_eq!(pages, 3);
    assert_eq!(values, (0..25).map(f64::from).collect::<Vec<_>>());
}

async fn windows_aggregate_what_was_written(app: TestApp) {
    let written = [(0, 1.0), (SECOND, 3.0), (61 * SECOND, 5.0)];
    app.ingest(&app.prod, PROD, SERIES, &written).await;
    let query = r#"{ tenant(slug: "mcce-g1-prod") { series { nodes {
        windows(range: { from: 0, to: 180000000 }, every: "1m", fill: NULL) {
            starts count min max sum avg first last } } } } }"#;
    let data = app.data(&app.prod, query, json!({})).await;
    let expected = json!({
        "starts": [0, 60 * SECOND, 120 * SECOND], "count": [2, 1, 0],
        "min": [1.0, 5.0, null], "max": [3.0, 5.0, null], "sum": [4.0, 5.0, null],
        "avg": [2.0, 5.0, null], "first": [1.0, 5.0, null], "last": [3.0, 5.0, null],
    });
    assert_eq!(data["tenant"]["series"]["nodes"][0]["windows"], expected);
}

async fn latest_is_the_latest_time_and_not_the_latest_write(app: TestApp) {
    let query = r#"{ tenant(slug: "mcce-g1-prod") {
        lastPointAt series { nodes { key latest { time value } } } } }"#;
    let data = app.data(&app.prod, query, json!({})).await;
    assert_eq!(data["tenant"]["lastPointAt"], json!(null));
    app.ingest(&app.prod, PROD, "a", &[(9 * SECOND, 9.0)]).await;
    app.ingest(&app.prod, PROD, "a", &[(5 * SECOND, 5.0)]).await;
    app.ingest(&app.prod, PROD, "b", &[(7 * SECOND, 7.0)]).await;
    let data = app.data(&app.prod, query, json!({})).await;
    let expected = json!({
        "lastPointAt": "1970-01-01T00:00:09Z",
        "series": { "nodes": [
            { "key": "a", "latest": { "time": "1970-01-01T00:00:09Z", "value": 9.0 } },
            { "key": "b", "latest": { "time": "1970-01-01T00:00:07Z", "value": 7.0 } },
        ] },
    });
    assert_eq!(data["tenant"], expected);
}

async fn series_are_listed_by_match_and_by_page(app: TestApp) {
    let keys = [
        "a.x",
        r#"a.y{host="1"}"#,
        r#"a.y{host="2"}"#,
        r#"b{host="1"}"#,
    ];
    let batches: Vec<_> = keys.iter().map(|key| batch(key, &[(0, 0.0)])).collect();
    let answer = app.try_ingest(&app.prod, PROD, json!(batches)).await;
    assert_eq!(answer["data"]["ingest"]["series"], 4);
    let query =
        "query ($match: String, $first: Int!, $after: String) { tenant(slug: \"mcce-g1-prod\") {
        series(match: $match, first: $first, after: $after) {
            pageInfo { hasNextPage endCursor } nodes { key name labels { name value } } } } }";
    for (pattern, meant) in [
        ("*", &keys[..]),
        ("a.*", &keys[..3]),
        (r#"a.*{host="2"}"#, &keys[2..3]),
        ("c", &[]),
    ] {
        let variables = json!({ "match": pattern, "first": 50 });
        let data = app.data(&app.prod, query, variables).await;
        let nodes = data["tenant"]["series"]["nodes"].as_array().unwrap();
        let listed: Vec<_> = nodes
            .iter()
            .map(|node| node["key"].as_str().unwrap())
            .collect();
        assert_eq!(listed, meant, "{pattern}");
    }
    let page = app.data(&app.prod, query, json!({ "first": 3 })).await;
    let info = &page["tenant"]["series"]["pageInfo"];
    assert_eq!(info["hasNextPage"], true);
    let variables = json!({ "first": 3, "after": info["endCursor"] });
    let page = app.data(&app.prod, query, variables).await;
    let expected =
        json!([{ "key": keys[3], "name": "b", "labels": [{ "name": "host", "value": "1" }] }]);
    assert_eq!(page["tenant"]["series"]["nodes"], expected);
}

async fn node_gives_back_what_has_the_id(app: TestApp) {
    app.ingest(&app.prod, PROD, SERIES, &[(0, 1.0)]).await;
    let query = r#"{ tenant(slug: "mcce-g1-prod") { id series { nodes { id } } } }"#;
    let data = app.data(&app.prod, query, json!({})).await;
    let node =
        "query ($id: ID!) { node(id: $id) { id ... on Tenant { slug } ... on Series { key } } }";
    let id = &data["tenant"]["id"];
    let tenant = app.data(&app.prod, node, json!({ "id": id })).await;
    assert_eq!(tenant["node"], json!({ "id": id, "slug": PROD }));
    let id = &data["tenant"]["series"]["nodes"][0]["id"];
    let series = app.data(&app.prod, node, json!({ "id": id })).await;
    assert_eq!(series["node"], json!({ "id": id, "key": SERIES }));
}

async fn samples_thinned_keep_the_extremes(app: TestApp) {
    let written: Vec<(i64, f64)> = (0..1000)
        .map(|i| (i * SECOND, if i == 617 { 1000.0 } else { (i % 10) as f64 }))
        .collect();
    app.ingest(&app.prod, PROD, SERIES, &written).await;
    let query = r#"{ tenant(slug: "mcce-g1-prod") { series { nodes {
        samples(range: { from: 0, to: 1000000000 }, maxPoints: 40) { times values } } } } }"#;
    let data = app.data(&app.prod, query, json!({})).await;
    let thin = columns(&data["tenant"]["series"]["nodes"][0]["samples"]);
    assert!(thin.len() <= 40, "{}", thin.len());
    assert!(thin.contains(&(617 * SECOND, 1000.0)));
    assert!(thin.iter().all(|point| written.contains(point)));
}

async fn what_many_read_together_is_what_each_reads_alone(app: TestApp) {
    const SERIES: usize = 25;
    let write = async |times: std::ops::Range<i64>, value: f64| {
        let batches = (0..SERIES).map(|series| {
            // Of different lengths, so that what is another's shows.
            let times = times.clone().step_by(series + 1);
            let points: Vec<(i64, f64)> = times.map(|time| (time, value + series as f64)).collect();
            batch(&format!("s{series:02}"), &points)
        });
        let answer = app.try_ingest(&app.prod, PROD, batches.collect()).await;
        assert!(answer.get("errors").is_none(), "{answer}");
    };
    // In several chunks, over one another, and not compacted.
    for times in [0..3_000, 20_000..23_000] {
        write(times, 0.25).await;
        app.compact(PROD).await;
    }
    write(1_000..4_000, 0.5).await;
    write(21_000..21_900, 0.75).await;
    let parts = "a: samples(range: { from: 0, to: 2500 }) { times values }
        b: samples(range: { from: 1700, to: 30000 }) { times values }
        c: points(range: { from: 21000, to: 30000 }, first: 5) { nodes { time value } }
        d: windows(range: { from: 0, to: 30000 }, every: \"1ms\") { count sum }";
    let list = format!("{{ tenant(slug: \"{PROD}\") {{ series {{ nodes {{ key {parts} }} }} }} }}");
    let together = app.data(&app.prod, &list, json!({})).await;
    let together = together["tenant"]["series"]["nodes"].as_array().unwrap();
    assert_eq!(together.len(), SERIES);
    for node in together {
        for (name, part) in ["a", "b", "c", "d"].into_iter().zip(parts.lines()) {
            let key = node["key"].as_str().unwrap();
            let one = format!(
                "{{ tenant(slug: \"{PROD}\") {{ series(match: \"{key}\", first: 1) {{ nodes {{ {part} }} }} }} }}"
            );
            let alone = app.data(&app.prod, &one, json!({})).await;
            let alone = &alone["tenant"]["series"]["nodes"][0][name];
            assert_eq!(node[name], *alone, "{key} {part}");
        }
    }
}
