//! Who did what to a tenant, as its administrators read it.

use serde_json::{Value, json};

use crate::{
    app::{ABSENT, FOREIGN, PROD, TEST, TestApp, code, message},
    token::{create, revoke, rotate},
};

on_each_fence! {
    events_are_told_newest_first_and_paged,
    filters_narrow,
    administrators_of_the_tenant_alone_read_its_log,
    log_holds_no_secret,
}

const EVENTS: &str =
    "query ($tenant: String!, $first: Int! = 50, $after: String, $filter: AuditFilter) {
    tenant(slug: $tenant) { auditEvents(first: $first, after: $after, filter: $filter) {
        pageInfo { hasPreviousPage hasNextPage endCursor }
        edges { cursor }
        nodes { id at actorKind actor action subject detail } } } }";

/// The connection that `variables` give of PROD's log.
async fn events(app: &TestApp, mut variables: Value) -> Value {
    variables["tenant"] = json!(PROD);
    let mut data = app.data(&app.person("admin"), EVENTS, variables).await;
    data["tenant"]["auditEvents"].take()
}

fn subjects(page: &Value) -> Vec<&str> {
    let nodes = page["nodes"].as_array().unwrap().iter();
    nodes
        .map(|node| node["subject"].as_str().unwrap())
        .collect()
}

async fn events_are_told_newest_first_and_paged(app: TestApp) {
    let admin = app.person("admin");
    create(
        &app,
        &admin,
        PROD,
        "two",
        json!({ "series": [" b "], "expiresAt": "2100-01-01T00:00:00Z" }),
    )
    .await;
    let page = events(&app, json!({ "first": 2 })).await;
    assert_eq!(
        subjects(&page),
        ["ingest token 2 (two)", "ingest token 1 (clock)"]
    );
    let newest = &page["nodes"][0];
    let by = json!([
        newest["actorKind"],
        newest["actor"],
        newest["action"],
        newest["detail"]
    ]);
    let told = "limited to b\nrefused from 2100-01-01T00:00:00Z on";
    assert_eq!(by, json!(["PERSON", "admin", "TOKEN_CREATED", told]));
    let before = &page["nodes"][1];
    assert_eq!(
        (&before["actorKind"], &before["actor"]),
        (&json!("OPERATOR"), &json!("operator"))
    );
    let info = &page["pageInfo"];
    assert_eq!(
        (&info["hasPreviousPage"], &info["hasNextPage"]),
        (&json!(false), &json!(true))
    );

    // What comes meanwhile moves no page.
    create(&app, &admin, PROD, "three", json!({})).await;
    let next = events(&app, json!({ "first": 2, "after": info["endCursor"] })).await;
    assert_eq!(subjects(&next), ["access rules"]);
    assert_eq!(next["pageInfo"]["hasNextPage"], false);
    assert_eq!(next["pageInfo"]["hasPreviousPage"], true);
    let all = events(&app, json!({})).await;
    assert_eq!(subjects(&all).len(), 4);
    assert_eq!(all["nodes"][1]["id"], newest["id"]);

    for refused in [
        json!({ "tenant": PROD, "first": 501 }),
        json!({ "tenant": PROD, "first": -1 }),
        json!({ "tenant": PROD, "after": "x" }),
        json!({ "tenant": PROD, "filter": { "from": 2, "to": 1 } }),
        json!({ "tenant": PROD, "filter": { "actor": "a".repeat(401) } }),
    ] {
        let answer = app.ask(&admin, EVENTS, refused.clone()).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT", "{refused}");
    }
    // A page costs what it may hold.
    let twice = "query ($t: String!) { a: tenant(slug: $t) { ...E } b: tenant(slug: $t) { ...E } c: tenant(slug: $t) { ...E } }
        fragment E on Tenant { auditEvents(first: 500) {
            edges { cursor node { id at actorKind actor action subject detail } } nodes { id at actor action subject detail } } }";
    let answer = app.ask(&admin, twice, json!({ "t": PROD })).await;
    assert_eq!(code(&answer), "QUERY_TOO_COSTLY");
}

async fn filters_narrow(app: TestApp) {
    let admin = app.person("admin");
    app.github.set_memberships("admin2", &["mcce/g1-admins"]);
    let second = app.person("admin2");
    let (id, _) = create(&app, &admin, PROD, "two", json!({})).await;
    create(&app, &second, PROD, "three", json!({})).await;
    revoke(&app, &second, PROD, &id).await;
    let found = async |filter: Value| {
        let page = events(&app, json!({ "filter": filter })).await;
        let found = subjects(&page).into_iter().map(String::from);
        found.collect::<Vec<_>>()
    };
    let two = "ingest token 2 (two)";
    let three = "ingest token 3 (three)";
    assert_eq!(found(json!({ "actor": "admin2" })).await, [two, three]);
    assert_eq!(found(json!({ "actor": "admin" })).await, [two]);
    assert_eq!(found(json!({ "actor": "%" })).await.len(), 0);
    assert_eq!(found(json!({ "action": "TOKEN_REVOKED" })).await, [two]);
    assert_eq!(
        found(json!({ "action": "ACCESS_RULES_SET" })).await,
        ["access rules"]
    );
    let both = json!({ "action": "TOKEN_CREATED", "actor": "admin2" });
    assert_eq!(found(both).await, [three]);
    assert_eq!(found(json!({})).await.len(), 5);
    // Tests found their tenants in 1970.
    assert_eq!(
        found(json!({ "to": "1970-01-02T00:00:00Z" })).await.len(),
        2
    );
    assert_eq!(
        found(json!({ "from": "1970-01-02T00:00:00Z" })).await.len(),
        3
    );
    let page = events(&app, json!({ "first": 1, "filter": { "actor": "admin" } })).await;
    let at = page["nodes"][0]["at"].clone();
    assert_eq!(found(json!({ "from": at, "actor": "admin" })).await, [two]);
    assert_eq!(found(json!({ "to": at, "actor": "admin" })).await.len(), 0);
}

async fn administrators_of_the_tenant_alone_read_its_log(app: TestApp) {
    app.github.set_memberships("other", &["other"]);
    let ask =
        async |token: &str, tenant: &str| app.ask(token, EVENTS, json!({ "tenant": tenant })).await;
    for token in [app.person("viewer"), app.prod.clone()] {
        let answer = ask(&token, PROD).await;
        assert_eq!(code(&answer), "FORBIDDEN");
        assert!(message(&answer).contains("ADMIN"), "{answer}");
    }
    for token in [
        app.person("stranger"),
        app.person("other"),
        app.foreign.clone(),
    ] {
        let answer = ask(&token, PROD).await;
        assert_eq!(answer, json!({ "data": { "tenant": null } }));
        assert_eq!(answer, ask(&token, ABSENT).await);
    }
    assert_eq!(code(&ask("", PROD).await), "UNAUTHENTICATED");
    // Each tenant has a log of its own.
    create(&app, &app.person("other"), FOREIGN, "theirs", json!({})).await;
    for tenant in [PROD, TEST] {
        let answer = ask(&app.person("admin"), tenant).await;
        let page = &answer["data"]["tenant"]["auditEvents"];
        assert_eq!(subjects(page), ["ingest token 1 (clock)", "access rules"]);
        assert!(!answer.to_string().contains("theirs"));
    }
}

async fn log_holds_no_secret(app: TestApp) {
    let admin = app.person("admin");
    let (first, one) = create(&app, &admin, PROD, "a", json!({})).await;
    let (second, two) = rotate(&app, &admin, PROD, &first, json!({})).await;
    let (_, three) = rotate(&app, &admin, PROD, &second, json!({ "overlap": "1h" })).await;
    revoke(&app, &admin, PROD, &first).await;
    let told = events(&app, json!({})).await.to_string();
    for action in ["TOKEN_CREATED", "TOKEN_ROTATED", "TOKEN_REVOKED"] {
        assert!(told.contains(action), "{told}");
    }
    let concat = "SELECT concat(actor, ' ', subject, ' ', detail) FROM audit_event";
    let concat = if app.database.url.starts_with("sqlite:") {
        concat.replace(
            "concat(actor, ' ', subject, ' ', detail)",
            "actor || ' ' || subject || ' ' || detail",
        )
    } else {
        concat.to_owned()
    };
    let kept = app.database.read::<String>(&concat).await.join("\n");
    assert!(kept.contains("ingest token 3 (a)"), "{kept}");
    for secret in [&one, &two, &three, &app.prod, &admin] {
        for part in [secret.as_str(), &secret[4..20], &secret[20..]] {
            assert!(!told.contains(part) && !kept.contains(part), "{part}");
        }
    }
}
