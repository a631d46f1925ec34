//! The JSON objects of the REST calls, as GitHub's published API description has them.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::state::{Account, State, Token, stable_id};

pub fn authorization(shared: &State, token: &Token, account: Option<&Account>) -> Value {
    let id = stable_id(&token.token);
    let hashed: String = Sha256::digest(&token.token)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    json!({
        "id": id,
        "url": format!("{}/api/v3/authorizations/{id}", shared.url),
        "app": { "name": "Sundial", "url": shared.callback.origin().ascii_serialization(), "client_id": token.client_id },
        "token": token.token,
        "hashed_token": hashed,
        "token_last_eight": token.token.get(token.token.len().saturating_sub(8)..),
        "note": null,
        "note_url": null,
        "created_at": seconds(token.created_at),
        "updated_at": seconds(token.created_at),
        "scopes": token.scopes,
        "fingerprint": null,
        "expires_at": null,
        "user": account.map(|account| simple_user(shared, account)),
    })
}

/// RFC 3339 in whole seconds, as GitHub writes times.
fn seconds(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub fn simple_user(shared: &State, account: &Account) -> Value {
    let (login, api) = (
        &account.login,
        format!("{}/api/v3/users/{}", shared.url, account.login),
    );
    json!({
        "login": login,
        "id": account.id,
        "node_id": format!("U_{}", account.id),
        "avatar_url": "",
        "gravatar_id": "",
        "url": api,
        "html_url": format!("{}/{login}", shared.url),
        "followers_url": format!("{api}/followers"),
        "following_url": format!("{api}/following{{/other_user}}"),
        "gists_url": format!("{api}/gists{{/gist_id}}"),
        "starred_url": format!("{api}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{api}/subscriptions"),
        "organizations_url": format!("{api}/orgs"),
        "repos_url": format!("{api}/repos"),
        "events_url": format!("{api}/events{{/privacy}}"),
        "received_events_url": format!("{api}/received_events"),
        "type": "User",
        "user_view_type": "public",
        "site_admin": false,
    })
}

pub fn full_user(shared: &State, account: &Account) -> Value {
    let mut user = simple_user(shared, account);
    for (name, value) in [
        ("name", json!(account.name)),
        ("company", Value::Null),
        ("blog", json!("")),
        ("location", Value::Null),
        ("email", Value::Null),
        ("hireable", Value::Null),
        ("bio", Value::Null),
        ("public_repos", json!(0)),
        ("public_gists", json!(0)),
        ("followers", json!(0)),
        ("following", json!(0)),
        ("created_at", json!("2020-01-01T00:00:00Z")),
        ("updated_at", json!("2020-01-01T00:00:00Z")),
    ] {
        user[name] = value;
    }
    user
}

pub fn organization(shared: &State, login: &str) -> Value {
    let (id, api) = (
        stable_id(login),
        format!("{}/api/v3/orgs/{login}", shared.url),
    );
    json!({
        "login": login,
        "id": id,
        "node_id": format!("O_{id}"),
        "url": api,
        "repos_url": format!("{api}/repos"),
        "events_url": format!("{api}/events"),
        "hooks_url": format!("{api}/hooks"),
        "issues_url": format!("{api}/issues"),
        "members_url": format!("{api}/members{{/member}}"),
        "public_members_url": format!("{api}/public_members{{/member}}"),
        "avatar_url": "",
        "description": null,
    })
}

pub fn team_of(shared: &State, login: &str, slug: &str) -> Value {
    let organization = organization(shared, login);
    let id = stable_id(&format!("{login}/{slug}"));
    let api = format!(
        "{}/api/v3/organizations/{}/team/{id}",
        shared.url, organization["id"]
    );
    json!({
        "id": id,
        "node_id": format!("T_{id}"),
        "url": api,
        "html_url": format!("{}/orgs/{login}/teams/{slug}", shared.url),
        "name": slug,
        "slug": slug,
        "description": null,
        "privacy": "closed",
        "notification_setting": "notifications_enabled",
        "permission": "pull",
        "members_url": format!("{api}/members{{/member}}"),
        "repositories_url": format!("{api}/repos"),
        "parent": null,
        "members_count": 1,
        "repos_count": 0,
        "created_at": "2020-01-01T00:00:00Z",
        "updated_at": "2020-01-01T00:00:00Z",
        "organization": organization,
    })
}
