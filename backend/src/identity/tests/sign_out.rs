//! Signing out, and sessions that end by themselves.

use super::*;

#[tokio::test]
async fn signing_out_ends_the_session_everywhere() {
    let world = World::new().await;
    let mut browser = world.signed_in("admin").await;
    let kept = browser.proof();
    let out = browser
        .post("/auth/logout", &[("sec-fetch-site", "same-origin")])
        .await;
    assert_eq!(out.status(), StatusCode::NO_CONTENT);
    assert_eq!(out.headers()["cache-control"], "no-store");
    assert!(browser.cookies.is_empty());
    // The cookie that somebody kept is worth nothing, at once.
    assert!(words(world.identity.authenticate(&kept).await).contains("sign in again"));
}

#[tokio::test]
async fn form_signs_out_to_a_page() {
    let world = World::new().await;
    let mut browser = world.signed_in("admin").await;
    let origin = world.url.origin().ascii_serialization();
    let headers = [
        ("origin", origin.as_str()),
        ("accept", "text/html,*/*;q=0.8"),
    ];
    let out = browser.post("/auth/logout", &headers).await;
    assert_eq!(location(&out), "/signin");
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn another_site_signs_nobody_out() {
    let world = World::new().await;
    let mut browser = world.signed_in("admin").await;
    for headers in [
        &[][..],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
    ] {
        let out = browser.post("/auth/logout", headers).await;
        assert_eq!(out.status(), StatusCode::FORBIDDEN, "{headers:?}");
    }
    assert_eq!(
        browser.get("/auth/logout").await.status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(
        person(world.by_cookie(&browser).await.unwrap()).login,
        "admin"
    );
}

#[tokio::test]
async fn signing_out_signed_out_is_no_fault() {
    let world = World::new().await;
    let mut browser = world.browser();
    browser.cookies.insert("sundial".into(), "forged".into());
    let out = browser
        .post("/auth/logout", &[("sec-fetch-site", "same-origin")])
        .await;
    assert_eq!(out.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn forged_cookie_is_refused() {
    let world = World::new().await;
    for forged in [
        "x",
        session::Secret::random().cookie().expose_secret(),
        &"A".repeat(43),
        "ä",
        "",
    ] {
        let proof = Proof::Cookie(format!("sundial={forged}").into());
        let refused = words(world.identity.authenticate(&proof).await);
        assert!(refused.contains("sign in again"), "{forged}: {refused}");
    }
    assert_eq!(world.github.requests("/user"), 0);
}

#[tokio::test]
async fn session_ends_idle_and_ends_anyway() {
    let world = World::new().await;
    let browser = world.signed_in("admin").await;
    let proof = browser.proof();
    let at = |at: i64| world.identity.authenticate_at(&proof, at);
    let begun = now();
    assert!(at(begun + session::IDLE - MINUTE).await.is_ok());
    // That use was noted beside the request, and moved the idle end.
    let later = begun + session::IDLE + MINUTE;
    eventually(|| async { at(later).await.is_ok() }).await;
    assert!(words(at(begun + 2 * session::IDLE + MINUTE).await).contains("has ended"));
    assert!(words(at(begun + session::LIFE + MINUTE).await).contains("has ended"));
}

#[tokio::test]
async fn stolen_database_opens_no_github_account() {
    let world = World::new().await;
    let browser = world.signed_in("admin").await;
    let secret = session::Secret::of_cookie(&browser.cookies["sundial"]).unwrap();
    let row = system::session_by_hash(&world.pool, &secret.hash())
        .await
        .unwrap()
        .unwrap();
    let sealed = String::from_utf8_lossy(&row.github_token);
    assert!(!sealed.contains("gho_"));
    // The hash in the row is no secret that its key could come from.
    let key = Key::derive(&row.hash, "sundial: GitHub token of a session").unwrap();
    assert!(key.open(&row.github_token, &row.hash).is_none());
}

#[tokio::test]
async fn session_with_the_token_of_another_account_is_nobodys() {
    let world = World::new().await;
    let token = SecretString::from(world.token("admin"));
    let viewer = world.bearer(&world.token("viewer")).await.unwrap();
    let secret = session::begin(&world.pool, &viewer, &token, "test", now())
        .await
        .unwrap();
    let proof = Proof::Cookie(format!("sundial={}", secret.cookie().expose_secret()).into());
    assert_eq!(
        world
            .identity
            .authenticate(&proof)
            .await
            .err()
            .unwrap()
            .code(),
        "INTERNAL"
    );
}

#[tokio::test]
async fn use_is_noted_once_a_minute_whichever_replica_noted_it() {
    let world = World::new().await;
    let due = |hash: &[u8], used_at| world.identity.is_due(hash, used_at, 10 * MINUTE);
    assert!(!due(b"a", Some(9 * MINUTE + 1)));
    assert!(due(b"a", Some(9 * MINUTE)));
    assert!(!due(b"a", Some(9 * MINUTE)));
    assert!(due(b"b", None));
    assert!(!due(b"b", None));
}
