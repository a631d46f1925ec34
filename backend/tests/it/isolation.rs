//! Tenants that are alike in all but their name, and never mix.

use serde_json::json;

use crate::{
    app::{FOREIGN, PROD, TEST, TestApp},
    socket::{START, Socket},
};

on_each_fence! {
    tenants_that_are_alike_do_not_mix,
}

async fn tenants_that_are_alike_do_not_mix(app: TestApp) {
    let mut socket = Socket::introduced(&app.endpoint(), &app.prod).await;
    let of_each = [
        (&app.prod, PROD, 1.0),
        (&app.test, TEST, 2.0),
        (&app.foreign, FOREIGN, 3.0),
    ];
    // The same names, times and places in each tenant: only the tenant tells them apart.
    for round in 1..3 {
        for (token, tenant, value) in of_each {
            app.ingest(token, tenant, "a", &[(round, value)]).await;
        }
    }
    let query = r#"query ($tenant: String!) { tenants { nodes { slug } } tenant(slug: $tenant) { id lastPointAt
        series { nodes { id key latest { value } points(range: { from: 0, to: 9 }) { nodes { value } }
        windows(range: { from: 0, to: 9 }, every: "1s") { count sum } } } } }"#;
    let node = "query ($id: ID!) { node(id: $id) { id } }";
    let mut ids = Vec::new();
    for (token, tenant, value) in of_each {
        let read = app.points(token, tenant).await;
        assert_eq!(read, [("a".to_owned(), vec![(1, value), (2, value)])]);
        let data = app.data(token, query, json!({ "tenant": tenant })).await;
        assert_eq!(data["tenants"]["nodes"], json!([{ "slug": tenant }]));
        let series = &data["tenant"]["series"]["nodes"];
        assert_eq!(series.as_array().map(Vec::len), Some(1));
        assert_eq!(series[0]["latest"]["value"], value);
        assert_eq!(
            series[0]["windows"],
            json!({ "count": [2], "sum": [2.0 * value] })
        );
        ids.push((data["tenant"]["id"].clone(), series[0]["id"].clone()));
        for (_, other, _) in of_each {
            let data = app.data(token, query, json!({ "tenant": other })).await;
            assert_eq!(data["tenant"].is_null(), other != tenant);
        }
    }
    for (place, (token, _, _)) in of_each.into_iter().enumerate() {
        for (other, (tenant, series)) in ids.iter().enumerate() {
            for id in [tenant, series] {
                let data = app.data(token, node, json!({ "id": id })).await;
                assert_eq!(data["node"].is_null(), place != other);
            }
        }
    }
    for (login, count) in [("admin", 2), ("viewer", 1), ("stranger", 0)] {
        let tenants = "{ tenants { nodes { slug } } }";
        let data = app.data(&app.person(login), tenants, json!({})).await;
        let open = data["tenants"]["nodes"].as_array().map(Vec::len);
        assert_eq!(open, Some(count), "{login}");
    }
    // From the beginning of the tenant's order: its own, and nobody else's.
    socket.follow("1", PROD, &["*"], json!(START)).await;
    let (_, added) = socket.event().await;
    assert_eq!(added, [("a".to_owned(), vec![(1, 1.0), (2, 1.0)])]);
}
