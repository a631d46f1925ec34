//! Deliveries of webhooks: <https://docs.github.com/en/webhooks/webhook-events-and-payloads>.

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::shape::{organization, simple_user, team_of};
use crate::state::{Account, State, random};

/// What a delivery tells of. Logins are those of accounts; a team is `mcce/g1-admins`.
#[derive(Clone, Copy)]
pub enum Event<'a> {
    /// The webhook was made.
    Ping,
    /// Something about an organisation: `action`, organisation, and the account whose membership it is, if it is.
    Organization(&'a str, &'a str, Option<&'a str>),
    /// A membership in a team: `action`, team, account.
    Membership(&'a str, &'a str, &'a str),
    /// An account took its leave of the app.
    AuthorizationRevoked(&'a str),
}

/// A signed request, to be sent by `POST`.
#[derive(Clone)]
pub struct Delivery {
    /// Names and values.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: String,
}

pub fn deliver(shared: &State, secret: &str, event: Event<'_>) -> Delivery {
    let account = |login: &str| shared.with(|inner| inner.account(login).cloned());
    let user = |account: Option<Account>| account.map(|account| simple_user(shared, &account));
    let sender = json!({ "login": "owner", "id": 1, "type": "User" });
    let (name, body): (&str, Value) = match event {
        Event::Ping => (
            "ping",
            json!({ "zen": "Keep it logically awesome.", "hook_id": 1, "sender": sender }),
        ),
        Event::Organization(action, name, login) => {
            let mut body = json!({
                "action": action, "organization": organization(shared, name), "sender": sender,
            });
            if let Some(login) = login {
                body["membership"] = json!({
                    "url": format!("{}/api/v3/orgs/{name}/memberships/{login}", shared.url),
                    "state": "active",
                    "role": "member",
                    "organization_url": body["organization"]["url"],
                    "user": user(account(login)),
                });
            }
            ("organization", body)
        }
        Event::Membership(action, team, login) => {
            let (name, slug) = team.split_once('/').unwrap_or((team, ""));
            let body = json!({
                "action": action,
                "scope": "team",
                "member": user(account(login)),
                "sender": sender,
                "team": team_of(shared, name, slug),
                "organization": organization(shared, name),
            });
            ("membership", body)
        }
        Event::AuthorizationRevoked(login) => (
            "github_app_authorization",
            json!({ "action": "revoked", "sender": user(account(login)) }),
        ),
    };
    let body = body.to_string();
    let hexadecimal = b"0123456789abcdef";
    let id = [8, 4, 4, 4, 12].map(|length| random(length, hexadecimal));
    let headers = vec![
        ("content-type", "application/json".into()),
        ("user-agent", "GitHub-Hookshot/0000000".into()),
        ("x-github-event", name.into()),
        ("x-github-delivery", id.join("-")),
        ("x-hub-signature-256", sign(secret, &body)),
    ];
    Delivery { headers, body }
}

fn sign(secret: &str, body: &str) -> String {
    // A key of any length is taken.
    let signature = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .map(|mac| mac.chain_update(body).finalize().into_bytes())
        .unwrap_or_default();
    let digits = signature.iter().map(|byte| format!("{byte:02x}"));
    format!("sha256={}", digits.collect::<String>())
}
