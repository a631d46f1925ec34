//! A scope to read with stays one, whatever role it is for.

use super::*;
use crate::guard::{Admin, Pool, principal::tests::person, system, table::tenant::Environment};

/// A tenant that the organisation `viewers` reads and `admins` administers.
async fn founded() -> (Pool, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("sundial.db").display());
    let pool = Pool::open(&url.into(), 2).await.unwrap();
    pool.migrate_up().await.unwrap();
    let (scope, _) = system::found(&pool, "a-prod", "A", "a", Environment::Prod, 0)
        .await
        .unwrap();
    for (organization, role) in [("viewers", RoleName::Viewer), ("admins", RoleName::Admin)] {
        scope.insert(rule(organization, role)).await.unwrap();
    }
    scope.commit().await.unwrap();
    (pool, folder)
}

fn rule(organization: &str, role: RoleName) -> access_rule::ActiveModel {
    use sea_orm::ActiveValue::Set;
    access_rule::ActiveModel {
        tenant_id: Set(0),
        organization: Set(organization.into()),
        team: Set(String::new()),
        role: Set(role),
    }
}

#[test]
fn slug_is_lower_case_with_a_letter_first_and_no_dash_last() {
    let longest = "a".repeat(63);
    for good in ["a", "a-1", "mcce-g1-prod", "a--b", &longest] {
        assert!(is_slug(good), "{good}");
    }
    let longer = "a".repeat(64);
    for bad in [
        "", "-", "-a", "a-", "1a", "A", "aB", "a_b", "a b", "ä", &longer,
    ] {
        assert!(!is_slug(bad), "{bad}");
    }
}

#[test]
fn plain_text_hides_nothing() {
    for good in [
        "clock on web-1",
        "Zeitgeber für Wien",
        "時計",
        "⏱️ 👩‍💻",
        "مىڭ",
    ] {
        assert!(is_plain(good), "{good}");
    }
    for bad in [
        "\u{7}",
        "a\nb",
        "a\u{200b}",
        "\u{202e}a",
        "a\u{2028}",
        "\u{2066}a",
        "\u{feff}a",
    ] {
        assert!(!is_plain(bad), "{bad:?}");
    }
}

#[tokio::test]
async fn role_that_is_not_held_is_not_given() {
    let (pool, _folder) = founded().await;
    let member = person(1, "viewers");
    let snapshot = pool.snapshot(Some(&member));
    let viewer = snapshot.enter(&member, "a-prod").await.unwrap();
    assert!(viewer.at_least::<Viewer>().is_ok());
    for refused in [
        viewer.at_least::<Editor>().err(),
        viewer.at_least::<Admin>().err(),
    ] {
        assert!(matches!(refused, Some(Error::Forbidden(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn administrator_that_reads_does_not_write() {
    let (pool, _folder) = founded().await;
    let member = person(1, "admins");
    let snapshot = pool.snapshot(Some(&member));
    let reading = snapshot.enter(&member, "a-prod").await.unwrap();
    let scope = reading.at_least::<Admin>().unwrap();
    let rules = || scope.find::<access_rule::Entity>().all();
    assert_eq!(rules().await.unwrap().len(), 2);
    let added = scope.insert(rule("third", RoleName::Admin)).await;
    let changed = scope.update::<access_rule::Entity>();
    let changed = changed.set(access_rule::Column::Team, "t").all().await;
    let gone = scope.delete::<access_rule::Entity>().all().await;
    for refused in [added.err(), changed.err(), gone.err()] {
        let refused = refused.map(|error| error.to_string());
        assert_eq!(refused.as_deref(), Some("a snapshot takes no write"));
    }
    assert_eq!(rules().await.unwrap().len(), 2);
    assert!(scope.commit().await.is_err());
}
