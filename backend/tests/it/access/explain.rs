//! Why a tenant is open or not, told to everybody and no more of it than they may know.

use serde_json::{Value, json};

use super::{How, answer_of, input, set};
use crate::app::{ABSENT, FOREIGN, PROD, TEST, TestApp, json_of};

on_each_fence! {
    foreign_and_absent_tenants_are_explained_alike,
    wrong_team_is_told_to_members_alone,
    each_standing_is_explained,
    what_github_withholds_is_explained,
    proof_that_does_not_count_opens_the_explanation_alone,
}

const EXPLAIN: &str = "query ($tenant: String!) { explainAccess(tenant: $tenant) {
    granted role steps { check ok words action url } failed { check }
} }";

async fn foreign_and_absent_tenants_are_explained_alike(app: TestApp) {
    app.github.set_memberships("none", &[]);
    let tokens = [
        app.prod.clone(),
        app.person("admin"),
        app.person("viewer"),
        app.person("none"),
        "gho_neverissued".to_owned(),
        "sdl_garbled".to_owned(),
        String::new(),
    ];
    for token in &tokens {
        let foreign = answer_of(&app, token, EXPLAIN, json!({ "tenant": FOREIGN })).await;
        let absent = answer_of(&app, token, EXPLAIN, json!({ "tenant": ABSENT })).await;
        assert_eq!(foreign, absent);
        assert_eq!(foreign.0, 200, "{}", foreign.1);
        assert!(foreign.1.contains("\"granted\":false"), "{}", foreign.1);
        assert!(!foreign.1.contains("member of other"), "{}", foreign.1);
    }
}

async fn explained(app: &TestApp, token: &str, tenant: &str) -> Value {
    let mut data = app.data(token, EXPLAIN, json!({ "tenant": tenant })).await;
    data["explainAccess"].take()
}

async fn wrong_team_is_told_to_members_alone(app: TestApp) {
    let told = explained(&app, &app.person("viewer"), TEST).await;
    assert_eq!(told["failed"]["check"], "TEAM", "{told}");
    let words = told["steps"][6]["words"].as_str().unwrap();
    assert!(words.contains("team mcce/g1-admins (ADMIN)"), "{words}");
    // Of the same tenant's rules, those of another organisation stay hidden.
    let rules = json!([
        input("mcce", Some("g1-admins"), "ADMIN"),
        input("secret", Some("g7"), "EDITOR"),
    ]);
    let answer = set(&app, &app.person("admin"), TEST, &rules, How::Run).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    assert_eq!(explained(&app, &app.person("viewer"), TEST).await, told);
    app.github.set_memberships("other", &["other/g1-admins"]);
    let foreign = explained(&app, &app.person("other"), TEST).await;
    assert_eq!(foreign["failed"]["check"], "RULE", "{foreign}");
    assert_eq!(foreign, explained(&app, &app.person("other"), ABSENT).await);
}

async fn each_standing_is_explained(app: TestApp) {
    app.github.set_memberships("none", &[]);
    for (token, tenant, role, failed, action) in [
        (
            String::new(),
            PROD,
            None,
            Some("TOKEN"),
            "Sign in with GitHub",
        ),
        (
            "gho_neverissued".to_owned(),
            PROD,
            None,
            Some("TOKEN"),
            "Sign in with GitHub again",
        ),
        (
            app.test.clone(),
            PROD,
            None,
            Some("TOKEN"),
            "Use a token of the tenant",
        ),
        (app.prod.clone(), PROD, Some("EDITOR"), None, ""),
        (
            app.person("none"),
            PROD,
            None,
            Some("MEMBERSHIP"),
            "approve Sundial",
        ),
        (
            app.person("admin"),
            FOREIGN,
            None,
            Some("RULE"),
            "for your organisation",
        ),
        (
            app.person("viewer"),
            TEST,
            None,
            Some("TEAM"),
            "add you to one of them",
        ),
        (app.person("viewer"), PROD, Some("VIEWER"), None, ""),
        (app.person("admin"), PROD, Some("ADMIN"), None, ""),
    ] {
        let told = explained(&app, &token, tenant).await;
        assert_eq!(told["role"], json!(role), "{told}");
        assert_eq!(told["granted"], json!(role.is_some()), "{told}");
        assert_eq!(told["failed"]["check"], json!(failed), "{told}");
        let steps = told["steps"].as_array().unwrap();
        let (last, passed) = steps.split_last().unwrap();
        assert!(
            passed
                .iter()
                .all(|step| step["ok"] == true && step["action"].is_null()),
            "{told}"
        );
        assert_eq!(last["ok"], json!(role.is_some()), "{told}");
        assert!(
            last["action"].as_str().unwrap_or_default().contains(action),
            "{told}"
        );
        if failed == Some("TOKEN") {
            assert_eq!(last["url"], "/auth/login");
        }
    }
}

async fn what_github_withholds_is_explained(app: TestApp) {
    let narrow = app.narrow_person("viewer");
    let told = explained(&app, &narrow, PROD).await;
    assert_eq!(told["failed"]["check"], "SCOPE", "{told}");
    assert_eq!(told["steps"][1]["url"], "/auth/login");

    // Of an organisation that a rule names, and that the person is seen to belong to.
    app.github.set_memberships("kept", &["mcce/g1-viewers"]);
    app.github.set_public("kept", &["mcce"]);
    app.github.set_unapproved(&["mcce"]);
    let kept = app.person("kept");
    let told = explained(&app, &kept, PROD).await;
    assert_eq!(told["failed"]["check"], "ORGANIZATION_APPROVAL", "{told}");
    let step = &told["steps"][2];
    assert!(
        step["words"]
            .as_str()
            .unwrap()
            .starts_with("mcce has not approved")
    );
    let page = format!("{}/settings/connections/applications/", app.github.url());
    assert!(step["url"].as_str().unwrap().starts_with(&page), "{step}");
    // It is no reason why another tenant is closed.
    let told = explained(&app, &kept, FOREIGN).await;
    assert_eq!(told["failed"]["check"], "RULE", "{told}");
    assert_eq!(told, explained(&app, &kept, ABSENT).await);
    // Of one that shows nobody its members, only that there may be one is told.
    app.github.set_memberships("hidden", &["mcce/g1-viewers"]);
    let hidden = app.person("hidden");
    let told = explained(&app, &hidden, PROD).await;
    assert_eq!(told["failed"]["check"], "MEMBERSHIP", "{told}");
    assert!(
        told["steps"][4]["url"].as_str().unwrap().starts_with(&page),
        "{told}"
    );
    assert_eq!(told, explained(&app, &hidden, ABSENT).await);

    app.github.set_unapproved(&[]);
    app.github.set_sign_on(&["mcce"]);
    app.github.set_memberships("signs", &["mcce/g1-viewers"]);
    app.github.set_public("signs", &["mcce"]);
    let told = explained(&app, &app.person("signs"), PROD).await;
    assert_eq!(told["failed"]["check"], "SINGLE_SIGN_ON", "{told}");
    let step = &told["steps"][3];
    assert!(
        step["words"].as_str().unwrap().contains("mcce before"),
        "{step}"
    );
    assert_eq!(step["url"], format!("{}/orgs/mcce/sso", app.github.url()));
    // Nobody shows which organisation it is: it is told of whatever tenant.
    app.github.set_memberships("veiled", &["mcce/g1-viewers"]);
    let veiled = app.person("veiled");
    let told = explained(&app, &veiled, PROD).await;
    assert_eq!(told["failed"]["check"], "SINGLE_SIGN_ON", "{told}");
    for tenant in [FOREIGN, ABSENT] {
        assert_eq!(told, explained(&app, &veiled, tenant).await);
    }
    assert!(!told.to_string().contains("mcce"), "{told}");
}

async fn proof_that_does_not_count_opens_the_explanation_alone(app: TestApp) {
    let explain = r#"explainAccess(tenant: "mcce-g1-prod") { failed { check } }"#;
    for (token, status) in [("gho_neverissued", 401), ("", 200)] {
        for query in [
            format!("{{ {explain} serverTime }}"),
            format!("{{ {explain} explain: serverTime }}"),
            format!("{{ {explain} __schema {{ queryType {{ name }} }} }}"),
            format!("{{ ... on Query {{ {explain} }} }}"),
            format!("{{ ...all }} fragment all on Query {{ {explain} }}"),
            "{ serverTime }".to_owned(),
        ] {
            let body = json!({ "query": query }).to_string();
            let response = app.post(token, body).send().await.unwrap();
            assert_eq!(response.status(), status, "{query}");
        }
        for query in [
            format!("{{ {explain} }}"),
            format!("{{ __typename why: {explain} {explain} }}"),
        ] {
            let body = json!({ "query": query }).to_string();
            let response = app.post(token, body).send().await.unwrap();
            assert_eq!(response.status(), 200, "{query}");
            let answer = json_of(response).await;
            assert_eq!(answer["data"]["explainAccess"]["failed"]["check"], "TOKEN");
        }
    }
    // Much is not read for it, and what is amiss is not told.
    for body in [
        json!({ "query": format!("{{ {explain} }} #{}", "-".repeat(20_000)) }).to_string(),
        "{".to_owned(),
    ] {
        let response = app.post("gho_neverissued", body).send().await.unwrap();
        assert_eq!(response.status(), 401);
    }
    // One operation of several is held to the others.
    let several = format!("query a {{ {explain} }} query b {{ serverTime }}");
    for name in ["a", "b"] {
        let body = json!({ "query": several, "operationName": name }).to_string();
        let response = app.post("gho_neverissued", body).send().await.unwrap();
        assert_eq!(response.status(), 401);
    }
    let mutation = "mutation { explainAccess(tenant: \"a\") { granted } }";
    let body = json!({ "query": mutation }).to_string();
    let response = app.post("gho_neverissued", body).send().await.unwrap();
    assert_eq!(response.status(), 401);
}
