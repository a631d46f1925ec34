//! Who may enter: rules read and changed by the API, and who is named by a change.

mod apply;
mod explain;

use serde_json::{Value, json};
use sundial::{
    access::{
        rule::{Given, Rules},
        store::{By, plan, set_access_rules},
    },
    guard::table::access_rule::RoleName,
};

use crate::app::{ABSENT, FOREIGN, PROD, TestApp, code, message};

on_each_fence! {
    dry_run_tells_what_the_run_then_does,
    last_administrator_is_not_locked_out,
    asker_is_known_without_a_sign_in,
    changes_at_once_leave_no_mixture,
    rules_that_can_not_be_are_refused_in_words,
    only_administrators_see_and_change_rules,
    rules_of_a_foreign_tenant_are_those_of_an_absent_one,
    people_of_foreign_organizations_are_not_named,
}

const SET: &str =
    "mutation ($tenant: String!, $rules: [AccessRuleInput!]!, $dry: Boolean!, $force: Boolean!) {
    setAccessRules(tenant: $tenant, rules: $rules, dryRun: $dry, force: $force) {
        rules { organization team role }
        changes { organization team before after }
        gains { login before after } gainCount
        loses { login before after } loseCount
    }
}";

fn input(organization: &str, team: Option<&str>, role: &str) -> Value {
    json!({ "organization": organization, "team": team, "role": role })
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    Dry,
    Run,
    Forced,
}

async fn set(app: &TestApp, token: &str, tenant: &str, rules: &Value, how: How) -> Value {
    let (dry, force) = (how == How::Dry, how == How::Forced);
    let variables = json!({ "tenant": tenant, "rules": rules, "dry": dry, "force": force });
    app.ask(token, SET, variables).await
}

/// What a change that is taken answers.
async fn change(app: &TestApp, token: &str, rules: &Value, how: How) -> Value {
    let mut answer = set(app, token, PROD, rules, how).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"]["setAccessRules"].take()
}

/// Somebody who has signed in, as the server keeps them.
async fn known(app: &TestApp, id: i64, login: &str, organizations: &str, teams: &str) {
    let sql = format!(
        "INSERT INTO account VALUES (0, {id}, '{login}', '{login}', NULL, '{organizations}', '{teams}', 1)"
    );
    app.database.execute(&sql).await;
}

/// The rules of all tenants, and how many entries the audit log has.
async fn stored(app: &TestApp) -> (Vec<String>, i64) {
    let rules = "SELECT tenant_id || ' ' || organization || '/' || team || ' ' || role FROM access_rule ORDER BY 1";
    let events: Vec<i64> = app.database.read("SELECT count(*) FROM audit_event").await;
    (app.database.read(rules).await, events[0])
}

async fn dry_run_tells_what_the_run_then_does(app: TestApp) {
    known(&app, 11, "vi", "mcce", "mcce/g1-viewers").await;
    known(&app, 12, "new", "mcce", "mcce/g1-guests").await;
    known(&app, 13, "ad", "mcce", "mcce/g1-admins").await;
    let admin = app.person("admin");
    let rules = json!([
        input("MCCE", Some("G1-Admins"), "ADMIN"),
        input("mcce", Some("g1-guests"), "EDITOR"),
    ]);
    let before = stored(&app).await;
    let dry = change(&app, &admin, &rules, How::Dry).await;
    let told = json!({
        "rules": [
            { "organization": "mcce", "team": "g1-admins", "role": "ADMIN" },
            { "organization": "mcce", "team": "g1-guests", "role": "EDITOR" },
        ],
        "changes": [
            { "organization": "mcce", "team": "g1-guests", "before": null, "after": "EDITOR" },
            { "organization": "mcce", "team": "g1-viewers", "before": "VIEWER", "after": null },
        ],
        "gains": [{ "login": "new", "before": null, "after": "EDITOR" }],
        "gainCount": 1,
        "loses": [{ "login": "vi", "before": "VIEWER", "after": null }],
        "loseCount": 1,
    });
    assert_eq!(dry, told);
    assert_eq!(stored(&app).await, before);

    assert_eq!(change(&app, &admin, &rules, How::Run).await, dry);
    let (after, events) = stored(&app).await;
    assert!(
        after
            .iter()
            .any(|rule| rule.ends_with("mcce/g1-guests EDITOR")),
        "{after:?}"
    );
    assert!(
        !after.iter().any(|rule| rule.contains("g1-viewers")),
        "{after:?}"
    );
    assert_eq!(events, before.1 + 1);
    let query = "query ($tenant: String!) { tenant(slug: $tenant) { accessRules { organization team role } } }";
    let data = app.data(&admin, query, json!({ "tenant": PROD })).await;
    assert_eq!(data["tenant"]["accessRules"], dry["rules"]);
    let last = "SELECT actor || ': ' || detail FROM audit_event ORDER BY at DESC, id DESC LIMIT 1";
    let last: Vec<String> = app.database.read(last).await;
    assert_eq!(
        last,
        ["admin: + team mcce/g1-guests: EDITOR\n- team mcce/g1-viewers: VIEWER"]
    );

    // The same once more is no change, and no entry.
    let again = change(&app, &admin, &rules, How::Run).await;
    assert_eq!(again["changes"], json!([]));
    assert_eq!(stored(&app).await, (after, events));
}

async fn last_administrator_is_not_locked_out(app: TestApp) {
    let admin = app.person("admin");
    let rules = json!([input("mcce", Some("g1-viewers"), "ADMIN")]);
    let before = stored(&app).await;
    // What the run refuses the dry run refuses too.
    for how in [How::Dry, How::Run] {
        let answer = set(&app, &admin, PROD, &rules, how).await;
        assert_eq!(code(&answer), "CONFLICT");
        assert!(
            message(&answer).contains("admin would no longer be ADMIN"),
            "{answer}"
        );
        assert!(message(&answer).contains("force: true"), "{answer}");
    }
    assert_eq!(stored(&app).await, before);
    // Somebody known takes over, by a rule of an organisation that can be seen.
    known(&app, 11, "vi", "mcce", "mcce/g1-viewers").await;
    let dry = change(&app, &admin, &rules, How::Dry).await;
    assert_eq!(dry["gains"][0]["login"], "vi");
    app.database.execute("DELETE FROM account").await;

    let forced = change(&app, &admin, &rules, How::Forced).await;
    assert_eq!(
        forced["loses"],
        json!([{ "login": "admin", "before": "ADMIN", "after": null }])
    );
    let query = "query ($tenant: String!) { tenant(slug: $tenant) { role } }";
    let data = app.data(&admin, query, json!({ "tenant": PROD })).await;
    assert_eq!(data["tenant"], Value::Null);
    let data = app
        .data(&app.person("viewer"), query, json!({ "tenant": PROD }))
        .await;
    assert_eq!(data["tenant"]["role"], "ADMIN");
}

async fn asker_is_known_without_a_sign_in(app: TestApp) {
    // What was noted of the asker long ago does not count against what GitHub says now.
    let token = app.person("admin");
    let ids: Value = app.data(&token, "{ viewer { login } }", json!({})).await;
    assert_eq!(ids["viewer"]["login"], "admin");
    let rules = json!([input("mcce", Some("g1-admins"), "ADMIN")]);
    let told = change(&app, &token, &rules, How::Dry).await;
    assert_eq!(told["loses"], json!([]));
    let lower = json!([
        input("mcce", Some("g1-admins"), "EDITOR"),
        input("mcce", Some("g1-owners"), "ADMIN"),
    ]);
    known(&app, 11, "owner", "mcce", "mcce/g1-owners").await;
    let told = change(&app, &token, &lower, How::Dry).await;
    assert_eq!(
        told["loses"],
        json!([{ "login": "admin", "before": "ADMIN", "after": "EDITOR" }])
    );
}

async fn changes_at_once_leave_no_mixture(app: TestApp) {
    // Past the server, which lets one person ask for one thing at a time.
    let change = async |team: String| {
        let given = [("g1-admins", RoleName::Admin), (&team, RoleName::Viewer)];
        let given = given.map(|(team, role)| Given {
            organization: "mcce".into(),
            team: Some(team.into()),
            role,
        });
        let rules = Rules::try_from(given.to_vec()).unwrap();
        let scope = app.operate(PROD).await;
        plan(&scope, &rules, By::Operator).await.unwrap();
        set_access_rules(&scope, rules.rows(), 1).await.unwrap();
        scope.commit().await.unwrap();
    };
    for round in 0..8 {
        let teams = (0..4).map(|n| format!("team-{round}-{n}"));
        futures::future::join_all(teams.map(change)).await;
        let (rules, _) = stored(&app).await;
        let of_round = |rule: &&String| rule.contains(&format!("team-{round}-"));
        assert_eq!(rules.iter().filter(of_round).count(), 1, "{rules:?}");
    }
}

async fn rules_that_can_not_be_are_refused_in_words(app: TestApp) {
    let admin = app.person("admin");
    let many: Vec<Value> = (0..201)
        .map(|n| input(&format!("o{n}"), None, "ADMIN"))
        .collect();
    for (rules, words) in [
        (json!([]), "nobody could enter"),
        (json!(many), "at most 200"),
        (
            json!([input("", Some("g1-admins"), "ADMIN")]),
            "no GitHub organisation",
        ),
        (json!([input("mcce", Some(""), "ADMIN")]), "no GitHub team"),
        (
            json!([input("mcce", None, "ADMIN"), input("Mcce", None, "VIEWER")]),
            "keep one",
        ),
        (
            json!([{ "team": "g1-admins", "role": "ADMIN" }]),
            "organization",
        ),
    ] {
        let before = stored(&app).await;
        let answer = set(&app, &admin, PROD, &rules, How::Forced).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT", "{answer}");
        assert!(message(&answer).contains(words), "{words}: {answer}");
        assert_eq!(stored(&app).await, before);
    }
}

async fn only_administrators_see_and_change_rules(app: TestApp) {
    let rules = json!([input("mcce", None, "ADMIN")]);
    let read =
        "query ($tenant: String!) { tenant(slug: $tenant) { accessRules { organization } } }";
    let before = stored(&app).await;
    for (token, seen, changed) in [
        (app.person("viewer"), "FORBIDDEN", "FORBIDDEN"),
        (app.prod.clone(), "FORBIDDEN", "FORBIDDEN"),
        (app.test.clone(), "", "NOT_FOUND"),
        (app.person("stranger"), "", "NOT_FOUND"),
        (String::new(), "UNAUTHENTICATED", "UNAUTHENTICATED"),
    ] {
        let answer = app.ask(&token, read, json!({ "tenant": PROD })).await;
        match seen {
            "" => assert_eq!(answer, json!({ "data": { "tenant": null } })),
            seen => assert_eq!(code(&answer), seen),
        }
        assert!(!answer.to_string().contains("mcce\""), "{answer}");
        for how in [How::Dry, How::Run, How::Forced] {
            assert_eq!(code(&set(&app, &token, PROD, &rules, how).await), changed);
        }
    }
    assert_eq!(stored(&app).await, before);
    let data = app
        .data(&app.person("admin"), read, json!({ "tenant": PROD }))
        .await;
    assert_eq!(
        data["tenant"]["accessRules"],
        json!([{ "organization": "mcce" }, { "organization": "mcce" }])
    );
}

/// The status and body of an answer.
async fn answer_of(app: &TestApp, token: &str, query: &str, variables: Value) -> (u16, String) {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let response = app.post(token, body).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn rules_of_a_foreign_tenant_are_those_of_an_absent_one(app: TestApp) {
    let rules = json!([input("mcce", None, "ADMIN")]);
    let before = stored(&app).await;
    for token in [
        app.prod.clone(),
        app.person("admin"),
        app.person("stranger"),
        String::new(),
    ] {
        for (dry, force) in [(true, false), (false, false), (false, true)] {
            let with =
                |tenant| json!({ "tenant": tenant, "rules": rules, "dry": dry, "force": force });
            let foreign = answer_of(&app, &token, SET, with(FOREIGN)).await;
            let absent = answer_of(&app, &token, SET, with(ABSENT)).await;
            assert_eq!(foreign, absent);
        }
    }
    assert_eq!(stored(&app).await, before);
}

async fn people_of_foreign_organizations_are_not_named(app: TestApp) {
    known(&app, 11, "outsider", "other", "other/ops").await;
    // A colleague: what else they belong to is not the asker's to know.
    known(&app, 12, "both", "mcce,other", "mcce/g1-viewers,other/ops").await;
    let admin = app.person("admin");
    let probe = |organization, team| {
        json!([
            input("mcce", Some("g1-admins"), "ADMIN"),
            input("mcce", Some("g1-viewers"), "VIEWER"),
            input(organization, team, "EDITOR"),
        ])
    };
    let named = |told: &Value| (told["gains"].clone(), told["loses"].clone());
    let empty = change(&app, &admin, &probe("nobody", None), How::Dry).await;
    assert_eq!(named(&empty), (json!([]), json!([])));
    for team in [None, Some("ops")] {
        let told = change(&app, &admin, &probe("other", team), How::Dry).await;
        assert_eq!(named(&told), named(&empty), "{told}");
        assert_eq!(
            (&told["gainCount"], &told["loseCount"]),
            (&json!(0), &json!(0))
        );
    }
    // Nor does it tell whether such an organisation has anybody who could take over.
    let mut words = Vec::new();
    for organization in ["other", "nobod"] {
        let rules = json!([input(organization, None, "ADMIN")]);
        let answer = set(&app, &admin, PROD, &rules, How::Dry).await;
        words.push(answer.to_string());
        assert_eq!(code(&answer), "CONFLICT");
    }
    assert_eq!(words[0], words[1]);
    // Those that a rule lets in are known to whoever administers the tenant.
    change(&app, &admin, &probe("other", None), How::Run).await;
    let told = change(&app, &admin, &probe("nobody", None), How::Dry).await;
    let logins: Vec<&Value> = told["loses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| &of["login"])
        .collect();
    assert_eq!(logins, ["both", "outsider"]);
}
