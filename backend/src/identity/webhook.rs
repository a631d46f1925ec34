//! `POST /webhooks/github`: what GitHub tells unasked, so that it is remembered no longer.
//! <https://docs.github.com/en/webhooks/webhook-events-and-payloads>
//!
//! Invariant: nothing of a delivery is read before its signature holds, and none gives access: all
//! that comes of one is that GitHub is asked again.

use std::time::Duration;

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use hmac::{Hmac, Mac};
use moka::{policy::EvictionPolicy, sync::Cache};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::Sha256;

use crate::identity::Identity;

/// Most bytes of a delivery. GitHub sends up to 25 MB, and of these events a few KB.
const BODY: usize = 1 << 20;
/// Deliveries that are known again, for so long: GitHub repeats for three days, by hand.
const DELIVERIES: u64 = 10_000;
const KNOWN_FOR: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// The secret by which GitHub signs, and what it has delivered.
pub(super) struct Webhook {
    secret: SecretString,
    /// Signatures with the ids of their deliveries. An id alone is not signed, and the same event can
    /// come to pass twice.
    delivered: Cache<([u8; 32], String), ()>,
}

/// What an event changes.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    Account(i64),
    Everybody,
    Nothing,
}

/// The route. It holds its state itself.
pub(super) fn router(identity: Identity) -> Router {
    Router::new()
        .route("/webhooks/github", post(deliver))
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(identity)
}

/// 202 for what is heard, be it for the second time; 204 for what does not matter here; 401 when the
/// signature does not hold; 404 when no secret is set up.
async fn deliver(
    State(identity): State<Identity>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, (StatusCode, &'static str)> {
    let app = identity.0.app.as_ref();
    let Some((app, webhook)) = app.and_then(|app| Some((app, app.webhook.as_ref()?))) else {
        return Err((StatusCode::NOT_FOUND, "There is no webhook here.\n"));
    };
    let text = |name| {
        let text = headers.get(name).and_then(|text| text.to_str().ok());
        text.unwrap_or_default()
    };
    let Some(signature) = webhook.verify(text("x-hub-signature-256"), &body) else {
        tracing::warn!("refused a webhook delivery whose signature does not hold");
        return Err((
            StatusCode::UNAUTHORIZED,
            "The signature does not hold: set the same secret here and at GitHub.\n",
        ));
    };
    let event = text("x-github-event");
    let change = change(event, &body).map_err(|error| {
        tracing::warn!(
            event,
            line = error.line(),
            column = error.column(),
            "a delivery is garbled"
        );
        (
            StatusCode::BAD_REQUEST,
            "The payload can't be read: set the content type application/json at GitHub.\n",
        )
    })?;
    let account_id = match change {
        Change::Nothing => return Ok(StatusCode::NO_CONTENT),
        Change::Everybody => None,
        Change::Account(id) => Some(id),
    };
    if webhook.is_new(signature, text("x-github-delivery")) {
        tracing::info!(event, account.id = account_id, "GitHub tells of a change");
        app.people.forget(account_id);
    }
    Ok(StatusCode::ACCEPTED)
}

impl Webhook {
    pub(super) fn new(secret: SecretString) -> Self {
        Webhook {
            secret,
            delivered: Cache::builder()
                .max_capacity(DELIVERIES)
                .eviction_policy(EvictionPolicy::lru())
                .time_to_live(KNOWN_FOR)
                .build(),
        }
    }

    /// The signature in `sha256=…`, if it is of `body`; compared in constant time.
    fn verify(&self, header: &str, body: &[u8]) -> Option<[u8; 32]> {
        let signature = unhex(header.strip_prefix("sha256=")?)?;
        let secret = self.secret.expose_secret().as_bytes();
        let mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
        mac.chain_update(body).verify_slice(&signature).ok()?;
        Some(signature)
    }

    fn is_new(&self, signature: [u8; 32], delivery: &str) -> bool {
        let key = (signature, delivery.to_owned());
        self.delivered.entry(key).or_insert(()).is_fresh()
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, i) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(i..i + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[derive(Deserialize)]
struct Account {
    id: i64,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    action: String,
    /// Of `organization`.
    membership: Option<Membership>,
    /// Of `membership`.
    member: Option<Account>,
    /// Of all: who did it.
    sender: Option<Account>,
}

#[derive(Deserialize)]
struct Membership {
    user: Option<Account>,
}

/// What `event` changes. One that does not say of whom changes everybody: asking again harms nobody.
fn change(event: &str, body: &[u8]) -> serde_json::Result<Change> {
    if ![
        "organization",
        "membership",
        "team",
        "github_app_authorization",
    ]
    .contains(&event)
    {
        return Ok(Change::Nothing);
    }
    let said: Payload = serde_json::from_slice(body)?;
    let whose = match (event, said.action.as_str()) {
        ("organization", "member_added" | "member_removed") => {
            said.membership.and_then(|membership| membership.user)
        }
        ("membership", "added" | "removed") => said.member,
        ("github_app_authorization", "revoked") => said.sender,
        // With an organisation or a team go its memberships, and with its name what rules say of it.
        ("organization", "deleted" | "renamed") | ("team", "deleted" | "edited") => None,
        _ => return Ok(Change::Nothing),
    };
    Ok(whose.map_or(Change::Everybody, |account| Change::Account(account.id)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The example of GitHub's page on validating deliveries.
    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const SIGNATURE: &str =
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    #[test]
    fn delivery_is_known_for_three_days() {
        assert_eq!(KNOWN_FOR.as_secs(), 259_200);
    }

    #[test]
    fn signature_holds_for_its_secret_and_body_alone() {
        let webhook = Webhook::new(SECRET.into());
        assert!(webhook.verify(SIGNATURE, BODY).is_some());
        assert!(
            webhook
                .verify(&SIGNATURE.to_uppercase().replace("SHA", "sha"), BODY)
                .is_some()
        );
        assert!(webhook.verify(SIGNATURE, b"Hello, World").is_none());
        assert!(
            Webhook::new("another".into())
                .verify(SIGNATURE, BODY)
                .is_none()
        );
        let last = SIGNATURE.replace("e17", "e16");
        let double = format!("{SIGNATURE}00");
        let wide = format!("sha256={}", "é".repeat(32));
        let sha1 = SIGNATURE.replace("sha256", "sha1");
        for forged in [
            "",
            "sha256=",
            &SIGNATURE[7..],
            &SIGNATURE[..69],
            &last,
            &double,
            &wide,
            &sha1,
        ] {
            assert!(webhook.verify(forged, BODY).is_none(), "{forged}");
        }
    }

    #[test]
    fn event_changes_whom_it_is_about() {
        let told = |event: &str, body: Value| change(event, body.to_string().as_bytes()).unwrap();
        let membership = |action: &str| json!({ "action": action, "membership": { "user": { "id": 7 } }, "sender": { "id": 8 } });
        let member = |action: &str| json!({ "action": action, "member": { "id": 7 }, "sender": { "id": 8 } });
        for action in ["member_added", "member_removed"] {
            assert_eq!(told("organization", membership(action)), Change::Account(7));
            assert_eq!(
                told("organization", json!({ "action": action })),
                Change::Everybody
            );
        }
        for action in ["added", "removed"] {
            assert_eq!(told("membership", member(action)), Change::Account(7));
            let gone = json!({ "action": action, "member": null, "sender": { "id": 8 } });
            assert_eq!(told("membership", gone), Change::Everybody);
        }
        let revoked = json!({ "action": "revoked", "sender": { "id": 8 } });
        assert_eq!(
            told("github_app_authorization", revoked),
            Change::Account(8)
        );
        for (event, action) in [
            ("organization", "deleted"),
            ("organization", "renamed"),
            ("team", "deleted"),
            ("team", "edited"),
        ] {
            assert_eq!(told(event, json!({ "action": action })), Change::Everybody);
        }
        for (event, action) in [
            ("ping", ""),
            ("organization", "member_invited"),
            ("membership", "else"),
            ("team", "created"),
            ("push", "deleted"),
            ("", "deleted"),
        ] {
            assert_eq!(told(event, member(action)), Change::Nothing, "{event}");
        }
    }

    #[test]
    fn garbled_event_is_an_error_and_another_is_not_read() {
        assert!(change("organization", b"payload=%7B%7D").is_err());
        assert!(change("membership", br#"{"action":"removed","member":{"id":"7"}}"#).is_err());
        assert_eq!(change("push", b"no json").unwrap(), Change::Nothing);
    }
}
