//! A pool over a file of its own.

use std::time::Duration;

use sea_orm::IntoActiveModel;

use super::*;
use crate::guard::{
    Admin,
    principal::tests::person,
    system,
    table::{
        access_rule::{self, RoleName},
        account,
        audit_event::{self, Action},
        session,
        tenant::Environment,
    },
};

async fn opened(connections: u32) -> (Pool, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("sundial.db").display());
    let pool = Pool::open(&url.into(), connections).await.unwrap();
    (pool, folder)
}

#[cfg(unix)]
#[tokio::test]
async fn file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let (pool, folder) = opened(2).await;
    pool.migrate_up().await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
    }
    pool.close().await;
}

#[tokio::test]
async fn file_that_is_not_there_is_told_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sundial.db");
    let url = SecretString::from(format!("sqlite:{}", path.display()));
    assert!(!Pool::is_there(&url));
    assert!(!path.exists());
    Pool::open(&url, 1).await.unwrap().close().await;
    assert!(Pool::is_there(&url));
    for elsewhere in ["sqlite::memory:", "postgres://db/sundial"] {
        assert!(Pool::is_there(&elsewhere.into()), "{elsewhere}");
    }
}

#[tokio::test]
async fn each_change_of_the_tables_is_told_whether_it_is_applied() {
    let (pool, _folder) = opened(2).await;
    let none = pool.migrations().await;
    assert!(none.len() > 7, "{none:?}");
    assert!(
        none.iter()
            .all(|(name, applied)| name.starts_with("m2026") && !applied)
    );
    pool.migrate_up().await.unwrap();
    assert!(pool.migrations().await.iter().all(|(_, applied)| *applied));
    pool.migrate_down(2).await.unwrap();
    let back: Vec<bool> = pool
        .migrations()
        .await
        .iter()
        .map(|(_, applied)| *applied)
        .collect();
    let (rest, last) = back.split_at(none.len() - 2);
    assert!(rest.iter().all(|applied| *applied), "{back:?}");
    assert_eq!(last, [false, false]);
}

#[tokio::test]
async fn closed_pool_answers_no_more() {
    let (pool, _folder) = opened(2).await;
    assert!(system::ping(&pool).await.is_ok());
    pool.close().await;
    assert!(system::ping(&pool).await.is_err());
}

#[tokio::test]
async fn one_person_holds_a_share_of_the_connections_unless_the_pool_has_one_tenant() {
    let (pool, _folder) = opened(4).await;
    pool.migrate_up().await.unwrap();
    let founded = system::found(&pool, "a-prod", "A", "a", Environment::Prod, 0).await;
    founded.unwrap().0.commit().await.unwrap();
    let read = async |pool: &Pool, account_id| {
        let person = person(account_id, "a");
        let snapshot = pool.snapshot(Some(&person));
        let tenants = system::open_tenants(&snapshot, &person);
        let soon = tokio::time::timeout(Duration::from_millis(500), tenants).await;
        soon.is_ok().then_some(snapshot)
    };
    // A quarter of four, held for as long as the snapshot is.
    let held = read(&pool, 1).await;
    assert!(held.is_some());
    assert!(read(&pool, 1).await.is_none());
    assert!(read(&pool, 2).await.is_some());
    let pinned = pool.clone().pinned_to("a-prod").await.unwrap();
    assert!(read(&pinned, 1).await.is_some());
    drop(held);
    assert!(read(&pool, 1).await.is_some());
}

#[tokio::test]
async fn deployment_of_one_tenant_has_its_own_people_and_sessions() {
    let (pool, _folder) = opened(4).await;
    pool.migrate_up().await.unwrap();
    let founded = system::found(&pool, "a-prod", "A", "a", Environment::Prod, 0).await;
    let (scope, _) = founded.unwrap();
    let rule = access_rule::Model {
        tenant_id: 0,
        organization: "ops".into(),
        team: String::new(),
        role: RoleName::Admin,
    };
    scope.insert(rule.into_active_model()).await.unwrap();
    scope.commit().await.unwrap();
    let administrator = person(9, "ops");
    let pinned = pool.clone().pinned_to("a-prod").await.unwrap();
    let sign_in = async |pool: &Pool, organization: &str, hash: u8| {
        let account = account::Model {
            home_id: 0,
            id: 7,
            login: organization.into(),
            name: "A".into(),
            avatar_url: None,
            organizations: organization.into(),
            teams: String::new(),
            seen_at: hash.into(),
        };
        let session = session::Model {
            home_id: 0,
            user_agent: String::new(),
            hash: vec![hash],
            account_id: 7,
            github_token: vec![],
            created_at: 0,
            used_at: 0,
            expires_at: 10,
        };
        system::begin_session(pool, account, session).await.unwrap();
    };
    // The same person signs in at both, and is in another organisation by the second time.
    sign_in(&pool, "one", 1).await;
    sign_in(&pinned, "two", 2).await;
    let organizations = ["one", "two"].map(String::from);
    let known = async |scope: &TenantScope<Admin>| {
        let known = scope.known_members(&organizations).await.unwrap();
        let logins = known.into_iter().map(|member| member.login);
        logins.collect::<Vec<_>>()
    };
    for (pool, organization, own, foreign) in [(&pool, "one", [1], [2]), (&pinned, "two", [2], [1])]
    {
        let scope = pool.enter::<Admin>(&administrator, "a-prod").await;
        assert_eq!(known(&scope.unwrap()).await, [organization]);
        // Whoever holds the database knows the people of both, as they were last seen.
        let scope = system::operate(pool, "a-prod").await.unwrap();
        assert_eq!(known(&scope).await, ["two"]);
        drop(scope);
        let sessions = system::sessions_of(&pool.snapshot(None), 7).await.unwrap();
        let sessions: Vec<_> = sessions.into_iter().map(|session| session.hash).collect();
        assert_eq!(sessions, [own]);
        assert!(system::session_by_hash(pool, &own).await.unwrap().is_some());
        assert!(
            system::session_by_hash(pool, &foreign)
                .await
                .unwrap()
                .is_none()
        );
        let ended = system::end_sessions(pool, 7, vec![foreign.to_vec()]).await;
        assert_eq!(ended.unwrap(), 0);
    }
    sign_in(&pool, "one", 3).await;
    let scope = system::operate(&pool, "a-prod").await.unwrap();
    assert_eq!(known(&scope).await, ["one"]);
}

#[tokio::test]
async fn reader_waits_for_no_writer() {
    let (pool, _folder) = opened(4).await;
    pool.migrate_up().await.unwrap();
    let founded = system::found(&pool, "a-prod", "A", "a", Environment::Prod, 0).await;
    let (writing, _) = founded.unwrap();
    let soon = Duration::from_secs(2);
    let reading = tokio::time::timeout(soon, system::token_by_hash(&pool, b"none")).await;
    assert!(reading.unwrap().unwrap().is_none());
    // Who writes waits, and goes on when the first has ended.
    let second = async || tokio::time::timeout(soon, system::operate(&pool, "a-prod")).await;
    assert!(second().await.is_err());
    writing.commit().await.unwrap();
    assert!(second().await.unwrap().is_ok());
}

#[tokio::test]
async fn writers_of_two_processes_wait_for_each_other() {
    let (one, folder) = opened(2).await;
    one.migrate_up().await.unwrap();
    let founded = system::found(&one, "a-prod", "A", "a", Environment::Prod, 0).await;
    founded.unwrap().0.commit().await.unwrap();
    let url = format!("sqlite:{}", folder.path().join("sundial.db").display());
    let other = Pool::open(&url.into(), 2).await.unwrap();
    let write = async |scope: &TenantScope<Admin>, now| {
        scope.audit(Action::TenantSet, "a", "", now).await.unwrap();
    };
    // Both have read, if one could begin while the other is at it, and neither could write what it then has to.
    let first = system::operate(&one, "a-prod").await.unwrap();
    let second = tokio::spawn(async move {
        let second = system::operate(&other, "a-prod").await.unwrap();
        write(&second, 2).await;
        second.commit().await.unwrap();
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    write(&first, 1).await;
    first.commit().await.unwrap();
    second.await.unwrap();
    let scope = system::operate(&one, "a-prod").await.unwrap();
    let events = scope.find::<audit_event::Entity>().all().await.unwrap();
    assert_eq!(
        events.iter().map(|event| event.at).collect::<Vec<_>>(),
        [1, 2]
    );
}
