//! The web flow: <https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps>.

use std::collections::HashMap;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Form, Query, State as Extract};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use url::{Host, Url, form_urlencoded};

use crate::state::{Code, Shared, State, random};
use crate::{device, page};

const CODE_LIFETIME: Duration = Duration::from_secs(600);

pub type Parameters = HashMap<String, String>;

pub fn router() -> Router<Shared> {
    Router::new()
        .route("/login/oauth/authorize", get(ask).post(decide))
        .route("/login/oauth/access_token", post(exchange))
}

async fn ask(Extract(shared): Extract<Shared>, Query(parameters): Query<Parameters>) -> Response {
    if let Err(refusal) = check(&shared, &parameters) {
        return *refusal;
    }
    let accounts = shared.with(|inner| inner.accounts.clone());
    Html(page::authorize(&parameters, &accounts)).into_response()
}

async fn decide(Extract(shared): Extract<Shared>, Form(parameters): Form<Parameters>) -> Response {
    let target = match check(&shared, &parameters) {
        Ok(target) => target,
        Err(refusal) => return *refusal,
    };
    let state = parameters.get("state").map(String::as_str);
    if parameters.contains_key("cancel") {
        return refuse(
            target,
            "access_denied",
            "The user has denied your application access.",
            state,
        );
    }
    let login = parameters
        .get("login")
        .map(String::as_str)
        .unwrap_or_default();
    let code = shared.with(|inner| {
        let account = inner.account(login)?.id;
        let code = random(20, b"0123456789abcdef");
        let waiting = Code {
            account,
            scopes: parameters.get("scope").cloned().unwrap_or_default(),
            redirect_uri: parameters.get("redirect_uri").cloned(),
            challenge: parameters.get("code_challenge").cloned(),
            expires_at: inner.now() + CODE_LIFETIME,
        };
        inner.codes.insert(code.clone(), waiting);
        Some(code)
    });
    match code {
        Some(code) => redirect(target, &[("code", Some(&code)), ("state", state)]),
        None => page::message(
            StatusCode::UNPROCESSABLE_ENTITY,
            "No such account",
            "Go back and choose one of the accounts.",
        ),
    }
}

/// Where to send the person back to, or the answer to a request that asks wrongly.
fn check(shared: &State, parameters: &Parameters) -> Result<Url, Box<Response>> {
    if parameters.get("client_id") != Some(&shared.settings.client_id) {
        return Err(Box::new(page::not_found()));
    }
    let state = parameters.get("state").map(String::as_str);
    let refused = |error, why| Err(Box::new(refuse(shared.callback.clone(), error, why, state)));
    let target = match parameters.get("redirect_uri") {
        None => shared.callback.clone(),
        Some(text) => match Url::parse(text) {
            Ok(url) if within(&shared.callback, &url) => url,
            _ => return refused("redirect_uri_mismatch", MISMATCH),
        },
    };
    // PKCE, SHA-256 only: a challenge is 32 bytes in unpadded base64url.
    let method = parameters.get("code_challenge_method").map(String::as_str);
    match (parameters.get("code_challenge"), method) {
        (None, None) => Ok(target),
        (Some(challenge), Some("S256")) if challenge.len() == 43 => Ok(target),
        _ => refused(
            "invalid_request",
            "The code_challenge must be 43 characters with the code_challenge_method S256.",
        ),
    }
}

const MISMATCH: &str =
    "The redirect_uri MUST match the registered callback URL for this application.";

/// GitHub's rule for redirects: the callback's host or a sub-domain of it, its port (free on a loopback address), its
/// path or one below it.
fn within(callback: &Url, target: &Url) -> bool {
    let loopback = match callback.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let (Some(registered), Some(host)) = (callback.host_str(), target.host_str()) else {
        return false;
    };
    let host_matches = host == registered
        || host
            .strip_suffix(registered)
            .is_some_and(|sub| sub.ends_with('.'));
    let port_matches =
        loopback || callback.port_or_known_default() == target.port_or_known_default();
    let path_matches = target
        .path()
        .strip_prefix(callback.path().trim_end_matches('/'))
        .is_some_and(|below| below.is_empty() || below.starts_with('/'));
    callback.scheme() == target.scheme() && host_matches && port_matches && path_matches
}

fn refuse(target: Url, error: &str, why: &str, state: Option<&str>) -> Response {
    redirect(
        target,
        &[
            ("error", Some(error)),
            ("error_description", Some(why)),
            ("state", state),
        ],
    )
}

fn redirect(mut target: Url, parameters: &[(&str, Option<&str>)]) -> Response {
    for (name, value) in parameters {
        if let Some(value) = value {
            target.query_pairs_mut().append_pair(name, value);
        }
    }
    (StatusCode::FOUND, [(LOCATION, String::from(target))]).into_response()
}

async fn exchange(Extract(shared): Extract<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let mut parameters = read(&headers, &body);
    if let Some((id, secret)) = basic(&headers) {
        parameters.entry("client_id".into()).or_insert(id);
        parameters.entry("client_secret".into()).or_insert(secret);
    }
    let answer = if parameters.contains_key("device_code")
        || parameters.contains_key("grant_type") && !parameters.contains_key("code")
    {
        device::poll(&shared, &parameters)
    } else {
        redeem(&shared, &parameters)
    };
    shared.save();
    write(&headers, answer.unwrap_or_else(|error| error))
}

/// What an app is told: the fields of an answer, or those of an error, both with status 200 as GitHub has it.
pub type Told = Result<Map<String, Value>, Map<String, Value>>;

pub fn error(code: &str, description: &str) -> Map<String, Value> {
    let uri = "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors/";
    Map::from_iter([
        ("error".into(), json!(code)),
        ("error_description".into(), json!(description)),
        ("error_uri".into(), json!(uri)),
    ])
}

pub fn granted(shared: &State, account: u64, scopes: &str) -> Map<String, Value> {
    shared.with(|inner| {
        let login = inner
            .account_by_id(account)
            .map(|account| account.login.clone())
            .unwrap_or_default();
        let token = inner.issue(&login, scopes, &shared.settings.client_id);
        let scopes = inner
            .tokens
            .last()
            .map(|token| token.scopes.join(","))
            .unwrap_or_default();
        Map::from_iter([
            ("access_token".into(), json!(token)),
            ("scope".into(), json!(scopes)),
            ("token_type".into(), json!("bearer")),
        ])
    })
}

fn redeem(shared: &State, parameters: &Parameters) -> Told {
    let given = |name: &str| parameters.get(name).map(String::as_str);
    if given("client_id") != Some(&shared.settings.client_id)
        || given("client_secret") != Some(&shared.settings.client_secret)
    {
        return Err(error(
            "incorrect_client_credentials",
            "The client_id and/or client_secret passed are incorrect.",
        ));
    }
    let bad_code = || {
        error(
            "bad_verification_code",
            "The code passed is incorrect or expired.",
        )
    };
    let now = shared.now();
    // Taken out whatever follows: a code is good for one attempt.
    let code = shared
        .with(|inner| inner.codes.remove(given("code").unwrap_or_default()))
        .filter(|code| now < code.expires_at)
        .ok_or_else(bad_code)?;
    if let Some(redirect_uri) = given("redirect_uri") {
        let expected = code
            .redirect_uri
            .as_deref()
            .unwrap_or(&shared.settings.callback_url);
        if redirect_uri != expected {
            return Err(error("redirect_uri_mismatch", MISMATCH));
        }
    }
    if let Some(challenge) = &code.challenge {
        let verifier = given("code_verifier").unwrap_or_default();
        if BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) != *challenge {
            return Err(bad_code());
        }
    }
    Ok(granted(shared, code.account, &code.scopes))
}

/// Parameters of a form or of a JSON object, by the content type.
pub fn read(headers: &HeaderMap, body: &[u8]) -> Parameters {
    if header(headers, CONTENT_TYPE.as_str()).starts_with("application/json") {
        let fields: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
        return fields
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())))
            .collect();
    }
    form_urlencoded::parse(body).into_owned().collect()
}

/// A form unless the caller asks for JSON, as GitHub answers.
pub fn write(headers: &HeaderMap, answer: Map<String, Value>) -> Response {
    if header(headers, ACCEPT.as_str()).contains("json") {
        return Json(answer).into_response();
    }
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &answer {
        form.append_pair(name, value.as_str().unwrap_or(&value.to_string()));
    }
    (
        [(
            CONTENT_TYPE,
            "application/x-www-form-urlencoded; charset=utf-8",
        )],
        form.finish(),
    )
        .into_response()
}

/// The name and password of HTTP Basic authentication.
pub fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let encoded = header(headers, AUTHORIZATION.as_str()).strip_prefix("Basic ")?;
    let text = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.into(), password.into()))
}

pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_follow_the_documented_rule() {
        let holds = |callback: &str, target: &str| {
            within(&callback.parse().unwrap(), &target.parse().unwrap())
        };
        let callback = "http://example.com/path";
        for good in [
            "http://example.com/path",
            "http://example.com/path/subdir/other",
            "http://oauth.example.com/path",
            "http://oauth.example.com/path/subdir/other",
        ] {
            assert!(holds(callback, good), "{good}");
        }
        for bad in [
            "http://example.com/bar",
            "http://example.com/",
            "http://example.com/pathological",
            "http://example.com:8080/path",
            "http://oauth.example.com:8080/path",
            "http://example.org",
            "http://badexample.com/path",
            "https://example.com/path",
        ] {
            assert!(!holds(callback, bad), "{bad}");
        }
        assert!(holds("http://127.0.0.1/path", "http://127.0.0.1:1234/path"));
        assert!(!holds(
            "http://127.0.0.1/path",
            "http://127.0.0.2:1234/path"
        ));
    }
}
