//! Producers as they are set, changed and refused.

use super::*;

on_both! {
    producer_is_set_once_and_changed,
    what_is_no_producer_is_told,
    tenant_has_only_so_many_producers,
    deleted_producer_takes_its_runs_along,
}

/// The tenant's audit events about producers, the newest first: action, subject and detail.
async fn events(app: &TestApp) -> Vec<[String; 3]> {
    let query = format!(
        "{{ tenant(slug: \"{PROD}\") {{ auditEvents {{ nodes {{ action subject detail }} }} }} }}"
    );
    let data = app.data(&app.person("admin"), &query, json!({})).await;
    let events = data["tenant"]["auditEvents"]["nodes"]
        .as_array()
        .unwrap()
        .clone();
    let texts = events.iter().map(|event| {
        ["action", "subject", "detail"].map(|field| event[field].as_str().unwrap().to_owned())
    });
    texts
        .filter(|event| event[1].starts_with("producer"))
        .collect()
}

async fn producer_is_set_once_and_changed(app: TestApp) {
    let first = good(set(&app, &app.prod, PROD, " clock ").await);
    assert_eq!(first["name"], "clock");
    assert_eq!(
        (&first["timeZone"], &first["grace"]),
        (&json!("UTC"), &json!("1m"))
    );
    assert!(
        first["nextSlot"]
            .as_str()
            .unwrap()
            .ends_with("-01-01T00:00:00Z"),
        "{first}"
    );
    let same = json!({ "schedule": " 0 0  1 1 *", "timeZone": "utc", "grace": "60s" });
    assert_eq!(
        good(try_set(&app, &app.prod, PROD, "clock", same).await),
        first
    );
    let made = [
        "PRODUCER_SET",
        "producer 1 (clock)",
        "schedule: 0 0 1 1 * (UTC)\ngrace: 1m",
    ];
    assert_eq!(events(&app).await, [made]);
    let since = "SELECT since FROM producer";
    let before: Vec<i64> = app.database.read(since).await;
    let more = json!({ "schedule": YEARLY, "grace": "2d" });
    let changed = good(try_set(&app, &app.prod, PROD, "clock", more).await);
    assert_eq!(
        (&changed["id"], &changed["grace"]),
        (&first["id"], &json!("48h"))
    );
    assert_eq!(events(&app).await[0][2], "grace: 48h, was 1m");
    // With another grace the same slots are due, with another zone others.
    assert_eq!(app.database.read::<i64>(since).await, before);
    // What is left out stays: a program says nothing of how long its people wait for it.
    let kept = good(set(&app, &app.prod, PROD, "clock").await);
    assert_eq!(kept["grace"], "48h");
    let more = json!({ "schedule": YEARLY, "grace": "2d", "timeZone": "Europe/Vienna" });
    good(try_set(&app, &app.prod, PROD, "clock", more).await);
    assert_eq!(
        events(&app).await[0][2],
        "schedule: 0 0 1 1 * (Europe/Vienna), was 0 0 1 1 * (UTC)"
    );
    assert!(app.database.read::<i64>(since).await > before);
    // Another tenant has its own of the name.
    good(set(&app, &app.test, TEST, "clock").await);
    assert_eq!(events(&app).await.len(), 3);
}

async fn what_is_no_producer_is_told(app: TestApp) {
    for (name, more, words) in [
        ("", json!({ "schedule": YEARLY }), "1 to 100 characters"),
        ("a\nb", json!({ "schedule": YEARLY }), "1 to 100 characters"),
        ("a", json!({ "schedule": "daily" }), "five fields"),
        ("a", json!({ "schedule": "0 0 31 2 *" }), "never comes due"),
        (
            "a",
            json!({ "schedule": "*/5 * * * *".repeat(20) }),
            "200 bytes",
        ),
        (
            "a",
            json!({ "schedule": YEARLY, "timeZone": "Wien" }),
            "IANA",
        ),
        (
            "a",
            json!({ "schedule": YEARLY, "grace": "10ms" }),
            "1s to 7d",
        ),
        (
            "a",
            json!({ "schedule": YEARLY, "grace": "8d" }),
            "1s to 7d",
        ),
    ] {
        let answer = try_set(&app, &app.prod, PROD, name, more).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT");
        assert!(message(&answer).contains(words), "{answer}");
    }
    assert!(events(&app).await.is_empty());
}

async fn tenant_has_only_so_many_producers(app: TestApp) {
    good(set(&app, &app.prod, PROD, "clock").await);
    app.database
        .execute(
            "WITH RECURSIVE more (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM more WHERE n < 500)
            INSERT INTO producer (tenant_id, id, name, schedule, time_zone, grace, since, changes, created_at)
            SELECT p.tenant_id, n, 'p' || n, p.schedule, p.time_zone, p.grace, p.since, 0, 0 FROM producer p, more",
        )
        .await;
    let answer = set(&app, &app.prod, PROD, "more").await;
    assert_eq!(code(&answer), "QUOTA_EXCEEDED");
    assert!(message(&answer).contains("500 producers"), "{answer}");
    // Those that are there can be changed, and other tenants are not concerned.
    good(
        try_set(
            &app,
            &app.prod,
            PROD,
            "clock",
            json!({ "schedule": "* * * * *" }),
        )
        .await,
    );
    good(set(&app, &app.test, TEST, "more").await);
    let list = format!("query ($after: String) {{ tenant(slug: \"{PROD}\") {{ producers(first: 300, after: $after) {{ nodes {{ name }}
        pageInfo {{ endCursor hasNextPage }} }} }} }}");
    let mut names = Vec::new();
    let mut after = json!(null);
    for more in [true, false] {
        let data = app.data(&app.prod, &list, json!({ "after": after })).await;
        let page = &data["tenant"]["producers"];
        names.extend(
            page["nodes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|of| of["name"].as_str().unwrap().to_owned()),
        );
        after = page["pageInfo"]["endCursor"].clone();
        assert_eq!(page["pageInfo"]["hasNextPage"], more);
    }
    assert_eq!(names.len(), 500);
    assert!(names.is_sorted());
}

async fn deleted_producer_takes_its_runs_along(app: TestApp) {
    for name in ["clock", "disk"] {
        set(&app, &app.prod, PROD, name).await;
        good(start(&app, &app.prod, PROD, name, json!(5)).await);
    }
    let delete = "mutation ($id: ID!) { deleteProducer(tenant: \"mcce-g1-prod\", id: $id) {
        name lastRun { slot } runs(range: { from: 0, to: 9 }) { nodes { slot } } } }";
    let id = json!({ "id": seal(["producer", PROD, "1"]) });
    let deleted = good(app.ask(&app.person("admin"), delete, id.clone()).await);
    assert_eq!(
        deleted,
        json!({ "name": "clock", "lastRun": null, "runs": { "nodes": [] } })
    );
    assert_eq!(
        code(&app.ask(&app.person("admin"), delete, id).await),
        "NOT_FOUND"
    );
    let left: Vec<i32> = app.database.read("SELECT producer_id FROM run").await;
    assert_eq!(left, [2]);
    let told = ["PRODUCER_DELETED", "producer 1 (clock)", "with 1 runs"];
    assert_eq!(events(&app).await[0], told);
    // Its number is not given again.
    let made = good(set(&app, &app.prod, PROD, "clock").await);
    assert_eq!(made["id"], json!(seal(["producer", PROD, "3"])));
}
