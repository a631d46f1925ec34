//! Ingest tokens, from making to refusal.

use super::*;
use crate::guard::{Admin, TenantScope, table::tenant::Environment};

impl World {
    async fn tenant(&self, slug: &str) -> TenantScope<Admin> {
        let founded = system::found(&self.pool, slug, slug, "mcce-g1", Environment::Prod, 1);
        founded.await.unwrap().0
    }

    async fn machine(&self, token: &SecretString, at: i64) -> Result<Token> {
        let proof = Proof::Bearer(token.clone());
        let principal = self.identity.authenticate_at(&proof, at).await?.unwrap();
        Ok(principal.as_token().unwrap().clone())
    }
}

fn named(name: &str) -> TokenName {
    name.to_owned().try_into().unwrap()
}

#[tokio::test]
async fn token_opens_its_tenant_and_no_other() {
    let world = World::new().await;
    world.tenant("other").await.commit().await.unwrap();
    let scope = world.tenant("mcce-g1-prod").await;
    let (_, token) = create_token(&scope, &named("clock"), None, None, 10)
        .await
        .unwrap();
    let rows = list_tokens(&scope).await.unwrap();
    let tenant_id = scope.tenant().id;
    scope.commit().await.unwrap();
    assert_eq!(
        (rows.len(), rows[0].id, rows[0].name.as_str()),
        (1, 1, "clock")
    );

    let known = world.machine(&token, 20).await.unwrap();
    assert_eq!((known.tenant_id, known.name.as_str()), (tenant_id, "clock"));
    let proof = Proof::Bearer(token);
    let principal = world.identity.authenticate(&proof).await.unwrap().unwrap();
    assert!(
        world
            .pool
            .look::<crate::guard::Viewer>(&principal, "mcce-g1-prod")
            .await
            .is_ok()
    );
    let other = world
        .pool
        .look::<crate::guard::Viewer>(&principal, "other")
        .await;
    assert_eq!(other.err().unwrap().code(), "NOT_FOUND");
    let admin = world.pool.enter::<Admin>(&principal, "mcce-g1-prod").await;
    assert_eq!(admin.err().unwrap().code(), "FORBIDDEN");
}

#[tokio::test]
async fn token_that_was_rolled_back_never_counts() {
    let world = World::new().await;
    let scope = world.tenant("mcce-g1-prod").await;
    let (_, token) = create_token(&scope, &named("clock"), None, None, 10)
        .await
        .unwrap();
    drop(scope);
    assert!(words(world.machine(&token, 20).await).contains("unknown or revoked"));
}

#[tokio::test]
async fn garbled_unknown_expired_and_revoked_say_what_to_do() {
    let world = World::new().await;
    let scope = world.tenant("mcce-g1-prod").await;
    assert!(
        create_token(&scope, &named("late"), None, Some(10), 10)
            .await
            .is_err()
    );
    let (_, expiring) = create_token(&scope, &named("clock"), None, Some(100), 10)
        .await
        .unwrap();
    let (_, revoked) = create_token(&scope, &named("clock"), None, None, 10)
        .await
        .unwrap();
    revoke_token(&scope, 2, 50).await.unwrap();
    revoke_token(&scope, 2, 60).await.unwrap();
    assert_eq!(list_tokens(&scope).await.unwrap()[1].revoked_at, Some(50));
    assert_eq!(
        revoke_token(&scope, 3, 50).await.err().unwrap().code(),
        "NOT_FOUND"
    );
    scope.commit().await.unwrap();

    assert!(world.machine(&expiring, 99).await.is_ok());
    assert!(words(world.machine(&expiring, 100).await).contains("expired"));
    let unknown = words(world.machine(&revoked, 50).await);
    assert!(unknown.contains("`sundial token create`"), "{unknown}");

    let mut garbled = expiring.expose_secret().to_owned();
    garbled.pop();
    assert!(words(world.machine(&garbled.into(), 20).await).contains("garbled"));
}

#[tokio::test]
async fn rotation_overlaps() {
    let world = World::new().await;
    let scope = world.tenant("mcce-g1-prod").await;
    let (_, old) = create_token(&scope, &named("clock"), None, Some(1_000), 10)
        .await
        .unwrap();
    let (_, new) = rotate_token(&scope, 1, 100, None, 200).await.unwrap();
    let rows = list_tokens(&scope).await.unwrap();
    assert_eq!(rows[0].expires_at, Some(300));
    // The second lives as long as the first was made for, unless somebody says otherwise.
    let lives = |row: &crate::guard::table::ingest_token::Model| (row.name.clone(), row.expires_at);
    assert_eq!(lives(&rows[1]), ("clock".into(), Some(200 + 990)));
    // A longer overlap lets nothing live longer.
    rotate_token(&scope, 1, 5_000, None, 250).await.unwrap();
    assert_eq!(list_tokens(&scope).await.unwrap()[0].expires_at, Some(300));
    rotate_token(&scope, 2, 100, Some(777), 260).await.unwrap();
    assert_eq!(list_tokens(&scope).await.unwrap()[3].expires_at, Some(777));
    let over = rotate_token(&scope, 1, 100, None, 300).await;
    assert_eq!(over.err().unwrap().code(), "CONFLICT");
    scope.commit().await.unwrap();

    assert!(world.machine(&old, 299).await.is_ok());
    assert!(world.machine(&new, 299).await.is_ok());
    assert!(words(world.machine(&old, 300).await).contains("expired"));
    assert!(world.machine(&new, 300).await.is_ok());
}

#[tokio::test]
async fn tenant_cannot_touch_another_tenants_token() {
    let world = World::new().await;
    let scope = world.tenant("mcce-g1-prod").await;
    let (_, token) = create_token(&scope, &named("clock"), None, None, 10)
        .await
        .unwrap();
    scope.commit().await.unwrap();
    let other = world.tenant("other").await;
    assert!(list_tokens(&other).await.unwrap().is_empty());
    assert_eq!(
        revoke_token(&other, 1, 20).await.err().unwrap().code(),
        "NOT_FOUND"
    );
    let rotated = rotate_token(&other, 1, 0, None, 20).await;
    assert_eq!(rotated.err().unwrap().code(), "NOT_FOUND");
    drop(other);
    assert!(world.machine(&token, 20).await.is_ok());
}

#[tokio::test]
async fn last_use_is_noted_to_the_minute() {
    let world = World::new().await;
    let scope = world.tenant("mcce-g1-prod").await;
    let (_, token) = create_token(&scope, &named("clock"), None, None, 10)
        .await
        .unwrap();
    scope.commit().await.unwrap();
    let used_at = async || {
        let scope = system::operate(&world.pool, "mcce-g1-prod").await.unwrap();
        list_tokens(&scope).await.unwrap()[0].used_at
    };
    let begun = now();
    for i in 0..20 {
        world.machine(&token, begun + i).await.unwrap();
    }
    eventually(|| async { used_at().await == Some(begun) }).await;
}

#[tokio::test]
async fn tenant_keeps_no_more_tokens_than_it_may() {
    let world = World::new().await;
    let scope = world.tenant("mcce-g1-prod").await;
    for _ in 0..MOST_TOKENS {
        create_token(&scope, &named("clock"), None, None, 10)
            .await
            .unwrap();
    }
    scope.commit().await.unwrap();
    let scope = world.tenant("mcce-g1-prod").await;
    let over = create_token(&scope, &named("over"), None, None, 20).await;
    assert_eq!(over.err().unwrap().code(), "CONFLICT");
    drop(scope);
    // One that counts no more makes room, and no other.
    let scope = world.tenant("mcce-g1-prod").await;
    revoke_token(&scope, 7, 20).await.unwrap();
    create_token(&scope, &named("over"), None, None, 30)
        .await
        .unwrap();
    let kept: Vec<i32> = list_tokens(&scope)
        .await
        .unwrap()
        .iter()
        .map(|token| token.id)
        .collect();
    assert_eq!(kept.len(), MOST_TOKENS);
    assert!(!kept.contains(&7) && kept.contains(&1) && kept.contains(&501));
}
