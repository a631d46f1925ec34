//! Rules changed by `sundial apply`.

use std::process::Output;

use serde_json::json;
use tokio::process::Command;

use super::{known, stored};
use crate::app::{FOREIGN, PROD, TestApp, batch};

on_both! {
    apply_names_who_gains_and_who_loses,
    apply_tells_and_keeps_what_is_new_about_a_tenant,
    apply_that_strands_one_tenant_changes_none,
    apply_sets_what_a_tenant_may_store,
    apply_sets_how_long_points_are_kept_and_which_producers_are_expected,
}

/// `sundial apply` of a file with these contents.
async fn apply(app: &TestApp, file: &str, flags: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenants.yaml");
    std::fs::write(&path, file).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sundial"));
    command.arg("apply").arg(&path).args(flags);
    command.env("SUNDIAL_DATABASE_URL", &app.database.owner);
    command.output().await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A tenant as `sundial apply` reads it.
fn wanted(slug: &str, rules: &[&str]) -> String {
    let group = slug.rsplit_once('-').unwrap().0;
    let mut text = format!(
        "  - slug: {slug}\n    name: {slug}\n    group: {group}\n    environment: PROD\n    access:\n"
    );
    for rule in rules {
        text += &format!("      - {{ {rule} }}\n");
    }
    text
}

async fn apply_names_who_gains_and_who_loses(app: TestApp) {
    known(&app, 11, "vi", "mcce", "mcce/g1-viewers").await;
    known(&app, 12, "ad", "mcce", "mcce/g1-admins").await;
    // Whoever holds the database is told of people of whichever organisation.
    known(&app, 13, "guest", "third", "").await;
    let rules = [
        "organization: mcce, team: g1-admins, role: ADMIN",
        "organization: third, role: EDITOR",
    ];
    let file = format!(
        "tenants:\n{}{}",
        wanted(PROD, &rules),
        wanted("new-prod", &rules[..1])
    );
    // Once in vain: what the audit log has of long ago is forgotten on the way.
    apply(&app, &file, &["--dry-run"]).await;
    let before = stored(&app).await;
    let told = format!(
        "{PROD}: changed\n  - team mcce/g1-viewers: VIEWER\n  + every member of third: EDITOR\n  gains: guest: \
         EDITOR, was no access\n  loses: vi: no access, was VIEWER\nnew-prod: new\n  + team mcce/g1-admins: ADMIN\n  \
         gains: ad: ADMIN, was no access\n"
    );
    let dry = apply(&app, &file, &["--dry-run"]).await;
    assert_eq!(text(&dry.stderr), "");
    assert!(dry.status.success());
    assert_eq!(
        text(&dry.stdout),
        format!("{told}nothing was written: this was a dry run\n")
    );
    assert_eq!(stored(&app).await, before);
    let run = apply(&app, &file, &[]).await;
    assert!(run.status.success(), "{}", text(&run.stderr));
    assert_eq!(text(&run.stdout), told);
    let (rules, events) = stored(&app).await;
    assert_eq!(rules.len(), before.0.len() + 1);
    // The new tenant, and both tenants' rules.
    assert_eq!(events, before.1 + 3);
}

async fn apply_tells_and_keeps_what_is_new_about_a_tenant(app: TestApp) {
    let file = |name: &str, environment: &str| {
        let tenant = wanted("new-prod", &["organization: mcce, role: ADMIN"]);
        let tenant = tenant.replace("name: new-prod", &format!("name: {name}"));
        format!("tenants:\n{}", tenant.replace("PROD", environment))
    };
    let told = async |file: String| text(&apply(&app, &file, &["--force"]).await.stdout);
    assert!(
        told(file("' One '", "PROD"))
            .await
            .starts_with("new-prod: new\n")
    );
    assert_eq!(told(file("One", "PROD")).await, "new-prod: as it was\n");
    let news = "name: Two, was One\n  environment: TEST, was PROD\n";
    assert_eq!(
        told(file("Two", "TEST")).await,
        format!("new-prod: changed\n  {news}")
    );
    let kept: Vec<String> = app
        .database
        .read(
            "SELECT detail FROM audit_event WHERE action = 'TENANT_SET' AND subject = 'tenant new-prod' ORDER BY id",
        )
        .await;
    assert_eq!(
        kept,
        ["made", "name: Two, was One\nenvironment: TEST, was PROD"]
    );
}

async fn apply_sets_what_a_tenant_may_store(app: TestApp) {
    let tenant = wanted(PROD, &["organization: mcce, role: ADMIN"]);
    let limited = format!("tenants:\n{tenant}    quota: {{ points: 3 }}\n");
    let write = async |time: i64| {
        let points = [(time, 1.0), (time + 1, 1.0)];
        let answer = app.try_ingest(&app.prod, PROD, json!([batch("a", &points)]));
        answer.await.get("errors").is_none()
    };
    let told = apply(&app, &limited, &["--force", "--dry-run"]).await;
    assert!(text(&told.stdout).contains("quota of points: 3, was none"));
    assert!(write(0).await && write(2).await);
    assert!(apply(&app, &limited, &["--force"]).await.status.success());
    assert!(!write(4).await);
    let told = apply(&app, &format!("tenants:\n{tenant}"), &["--force"]).await;
    assert!(text(&told.stdout).contains("quota of points: none, was 3"));
    assert!(write(4).await);
}

async fn apply_sets_how_long_points_are_kept_and_which_producers_are_expected(app: TestApp) {
    const DAY: i64 = 86_400_000_000;
    let now = jiff::Timestamp::now().as_microsecond();
    let points = [(now - 9 * DAY, 1.0), (now - 8 * DAY, 1.0), (now, 1.0)];
    app.try_ingest(&app.prod, PROD, json!([batch("a", &points)]))
        .await;
    let file = |more: &str| {
        let tenant = wanted(PROD, &["organization: mcce, role: ADMIN"]);
        format!("tenants:\n{tenant}{more}")
    };
    let told = async |more: &str, flags: &[&str]| {
        let done = apply(&app, &file(more), flags).await;
        assert_eq!(text(&done.stderr), "");
        let told = text(&done.stdout);
        let lines = told.lines().filter(|line| !line.contains("every member"));
        lines.map(str::to_owned).collect::<Vec<_>>().join("\n")
    };
    told("", &["--force"]).await;
    let week = "    retentionDays: 7\n    producers: [{ name: clock, schedule: 0 * * * * }]\n";
    let news = format!(
        "{PROD}: changed\n  points are kept for 7 days: 2 points deleted\n  producer clock: 0 * * * * (UTC), grace 1m"
    );
    let dry = told(week, &["--dry-run"]).await;
    assert_eq!(
        dry,
        format!("{news}\nnothing was written: this was a dry run")
    );
    assert_eq!(told(week, &[]).await, news);
    let kept = format!("{PROD}: as it was");
    // Who follows runs is not woken for nothing.
    let last = "SELECT max(last_run) FROM tenant_counter";
    let before: Vec<i64> = app.database.read(last).await;
    assert_eq!(told(week, &[]).await, kept);
    assert_eq!(app.database.read::<i64>(last).await, before);
    // What is not stated stays.
    assert_eq!(told("", &[]).await, kept);
    let other = "    retentionDays: null\n    producers: [{ name: clock, schedule: 0 * * * *, grace: 2m }]\n";
    assert_eq!(
        told(other, &[]).await,
        format!(
            "{PROD}: changed\n  points are kept for good: 0 points deleted\n  producer clock: 0 * * * * (UTC), grace 2m"
        )
    );
    let events: Vec<String> = app
        .database
        .read(
            "SELECT action || ': ' || detail FROM audit_event WHERE action IN ('RETENTION_SET', 'PRODUCER_SET') ORDER BY id",
        )
        .await;
    let (first, others) = events.split_first().unwrap();
    assert!(
        first.starts_with("RETENTION_SET: for 7 days; 2 points, "),
        "{first}"
    );
    assert_eq!(
        others,
        [
            "PRODUCER_SET: schedule: 0 * * * * (UTC)\ngrace: 1m",
            "RETENTION_SET: for good; 0 points, 0 bytes, of 0 series deleted",
            "PRODUCER_SET: grace: 2m, was 1m"
        ]
    );
}

async fn apply_that_strands_one_tenant_changes_none(app: TestApp) {
    known(&app, 12, "ad", "mcce", "mcce/g1-admins").await;
    let file = format!(
        "tenants:\n{}{}{}",
        wanted("new-prod", &["organization: mcce, role: ADMIN"]),
        wanted(PROD, &["organization: mcce, team: g1-viewers, role: ADMIN"]),
        wanted(FOREIGN, &["organization: other, role: VIEWER"]),
    );
    // Once in vain: what the audit log has of long ago is forgotten on the way.
    apply(&app, &file, &["--dry-run"]).await;
    let before = stored(&app).await;
    for flags in [&["--dry-run"][..], &[]] {
        let refused = apply(&app, &file, flags).await;
        assert_eq!(refused.status.code(), Some(1));
        let words = text(&refused.stderr);
        assert!(words.contains("ad would no longer be ADMIN"), "{words}");
        assert!(
            words.contains(&format!("{FOREIGN} would be left")),
            "{words}"
        );
        assert!(words.contains("--force"), "{words}");
        assert!(words.contains("nothing was written"), "{words}");
        let told = text(&refused.stdout);
        assert_eq!(
            told.contains("loses: ad: no access, was ADMIN"),
            !flags.is_empty(),
            "{told}"
        );
        assert_eq!(stored(&app).await, before);
    }
    let tenants: Vec<String> = app.database.read("SELECT slug FROM tenant").await;
    assert!(!tenants.contains(&"new-prod".to_owned()));
    let forced = apply(&app, &file, &["--force"]).await;
    assert!(forced.status.success(), "{}", text(&forced.stderr));
    assert_ne!(stored(&app).await, before);
}

#[tokio::test]
async fn slip_in_the_name_of_the_database_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let tenants = folder.path().join("tenants.yaml");
    let tenants = tenants.to_str().unwrap();
    std::fs::write(tenants, "tenants: []").unwrap();
    for arguments in [
        &["token", "list", "--tenant", PROD][..],
        &["apply", tenants, "--dry-run"],
        &["check"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sundial"));
        command.args(arguments).current_dir(folder.path());
        let output = command.output().await.unwrap();
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(
            said.contains("SUNDIAL_DATABASE_URL"),
            "{arguments:?}: {said}"
        );
        assert!(!folder.path().join("sundial.db").exists(), "{arguments:?}");
    }
}

#[tokio::test]
async fn file_of_settings_reaches_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let run = async |arguments: &[&str], url: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sundial"));
        let settings = format!("database-url = \"sqlite:{url}\"\naudit-days = 90\n");
        std::fs::write(folder.path().join("sundial.toml"), settings).unwrap();
        command.args(["--config", "sundial.toml"]).args(arguments);
        command.current_dir(folder.path()).output().await.unwrap()
    };
    assert!(run(&["migrate", "up"], "a.db").await.status.success());
    assert!(folder.path().join("a.db").exists());
    assert!(!folder.path().join("sundial.db").exists());
    let list = ["token", "list", "--tenant", PROD];
    let absent = text(&run(&list, "a.db").await.stderr);
    assert!(absent.contains("there is no tenant"), "{absent}");
    let absent = text(&run(&list, "b.db").await.stderr);
    assert!(absent.contains("there is no such file"), "{absent}");
}
