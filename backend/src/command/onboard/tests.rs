//! Onboarding beside a cluster that these tests make up.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
    routing::any,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

use super::*;
use crate::{guard::table::tenant::Environment, identity::list_tokens};

/// The Secrets of a namespace, by their names.
#[derive(Clone, Default)]
struct Secrets(Arc<Mutex<Map<String, Value>>>);

impl Secrets {
    fn token(&self) -> String {
        let secrets = self.0.lock().unwrap();
        let token = secrets[PRODUCER]["data"]["token"].as_str().unwrap();
        String::from_utf8(BASE64_STANDARD.decode(token).unwrap()).unwrap()
    }
}

/// What the API does with one Secret; a namespace named `closed` takes none.
async fn secret(
    method: Method,
    Path(path): Path<String>,
    State(Secrets(secrets)): State<Secrets>,
    body: Option<Json<Value>>,
) -> Response {
    let (namespace, name) = path.split_once("/secrets").unwrap();
    let mut secrets = secrets.lock().unwrap();
    match (method, body) {
        (Method::GET, None) => match secrets.get(name.trim_start_matches('/')) {
            Some(secret) => Json(secret.clone()).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        (Method::POST | Method::PUT, Some(Json(secret))) if namespace != "closed" => {
            let name = secret["metadata"]["name"].as_str().unwrap().to_owned();
            secrets.insert(name, secret.clone());
            Json(secret).into_response()
        }
        _ => (StatusCode::FORBIDDEN, Json(json!({ "message": "not you" }))).into_response(),
    }
}

/// A tenant `a-prod`, and a cluster's API by its address.
async fn set_up() -> (Pool, tempfile::TempDir, Secrets, String) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("sundial.db").display());
    let pool = Pool::open(&url.into(), 2).await.unwrap();
    pool.migrate_up().await.unwrap();
    let founded = system::found(&pool, "a-prod", "A", "a", Environment::Prod, 0).await;
    founded.unwrap().0.commit().await.unwrap();
    let secrets = Secrets::default();
    let router = Router::new()
        .route("/api/v1/namespaces/{*path}", any(secret))
        .with_state(secrets.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (pool, folder, secrets, server)
}

async fn tokens(pool: &Pool) -> Vec<bool> {
    let scope = operated(pool, "a-prod").await.unwrap();
    let tokens = list_tokens(&scope).await.unwrap();
    tokens
        .iter()
        .map(|token| token.revoked_at.is_none())
        .collect()
}

#[tokio::test]
async fn token_that_lasts_is_left_and_nothing_is_held() {
    let (pool, _folder, secrets, server) = set_up().await;
    let cluster = Cluster::at(&server, "", "account", "a-prod").unwrap();
    assert_eq!(
        renew(&pool, "a-prod", &cluster).await.unwrap(),
        "made, for 90 days"
    );
    let token = secrets.token();
    for _ in 0..3 {
        assert_eq!(renew(&pool, "a-prod", &cluster).await.unwrap(), "as it was");
    }
    assert_eq!(secrets.token(), token);
    assert_eq!(tokens(&pool).await, [true]);
    // It waits for every connection that is held.
    let closed = tokio::time::timeout(Duration::from_secs(5), pool.close()).await;
    closed.expect("closes");
}

#[tokio::test]
async fn token_that_ends_soon_is_renewed_beside_it() {
    let (pool, _folder, secrets, server) = set_up().await;
    let cluster = Cluster::at(&server, "", "account", "a-prod").unwrap();
    let scope = operated(&pool, "a-prod").await.unwrap();
    let name = TokenName::try_from("soon".to_owned()).unwrap();
    let end = Some(now() + (RENEWED_DAYS - 1) * DAY);
    let (_, soon) = create_token(&scope, &name, None, end, now()).await.unwrap();
    scope.commit().await.unwrap();
    let kept = SecretString::from("of somebody else".to_owned());
    let data = BTreeMap::from([
        ("token".to_owned(), soon.clone()),
        ("other".to_owned(), kept),
    ]);
    assert_eq!(cluster.write(PRODUCER, data).await.unwrap(), "made");
    assert_eq!(
        renew(&pool, "a-prod", &cluster).await.unwrap(),
        "changed, for 90 days"
    );
    assert_ne!(secrets.token(), soon.expose_secret());
    assert!(cluster.read(PRODUCER, "other").await.unwrap().is_some());
    assert_eq!(tokens(&pool).await, [true, true]);
}

#[tokio::test]
async fn token_that_cannot_be_handed_over_counts_no_more() {
    let (pool, _folder, _, server) = set_up().await;
    let closed = Cluster::at(&server, "", "account", "closed").unwrap();
    let refused = renew(&pool, "a-prod", &closed).await.unwrap_err();
    assert!(refused.to_string().contains("not you"), "{refused}");
    assert_eq!(tokens(&pool).await, [false]);
    for namespace in ["", "A", "a/secrets", "..", "a prod"] {
        assert!(Cluster::at(&server, "", "account", namespace).is_err());
    }
}

#[test]
fn password_is_that_of_key_and_tenant() {
    let of = |key: &str, slug| {
        let password = password(&key.to_owned().into(), slug);
        password.map(|password| password.expose_secret().to_owned())
    };
    let (key, other) = ("k".repeat(32), "l".repeat(32));
    let derived = of(&key, "a-prod").expect("derives");
    assert_eq!(derived.len(), 64);
    assert_eq!(of(&key, "a-prod").ok(), Some(derived.clone()));
    assert_ne!(of(&key, "b-prod").ok(), Some(derived.clone()));
    assert_ne!(of(&other, "a-prod").ok(), Some(derived));
    assert!(of("short", "a-prod").is_err());
}

#[test]
fn login_is_the_tenants_at_the_same_place() {
    let of = |owner: &str| {
        let url = login(
            &owner.to_owned().into(),
            "sundial_a",
            &"secret".to_owned().into(),
        );
        url.map(|url| url.expose_secret().to_owned()).ok()
    };
    assert_eq!(
        of("postgres://owner:pass@db:5433/sundial?sslmode=verify-full&sslrootcert=/etc/ca.crt&user=owner").as_deref(),
        Some("postgres://sundial_a:secret@db:5433/sundial?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.crt")
    );
    assert_eq!(
        of("postgresql://db/s").as_deref(),
        Some("postgresql://sundial_a:secret@db/s")
    );
    assert_eq!(of("sqlite:sundial.db"), None);
    assert_eq!(of("nothing"), None);
}
