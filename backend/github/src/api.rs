//! The REST calls, in the shapes of GitHub's published API description: <https://docs.github.com/en/rest>.

use axum::body::Bytes;
use axum::extract::{Path, Request, State as Extract};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::oauth::{basic, header};
use crate::shape::{authorization, full_user};
use crate::state::{Account, Shared, State, Token};
use crate::{membership, restriction};

pub fn router() -> Router<Shared> {
    Router::new()
        .route("/user", get(user))
        .route("/user/memberships/orgs", get(membership::list))
        .route(
            "/user/memberships/orgs/{organization}",
            get(membership::one),
        )
        .route("/user/teams", get(membership::teams))
        .route("/users/{login}/orgs", get(membership::public))
        .route(
            "/applications/{client_id}/token",
            post(check_token).delete(delete_token),
        )
        .route("/applications/{client_id}/grant", delete(delete_grant))
        .fallback(|| async { not_found() })
        .layer(middleware::from_fn(demand_user_agent))
}

/// GitHub turns away whoever does not say who is calling.
async fn demand_user_agent(request: Request, next: Next) -> Response {
    if header(request.headers(), USER_AGENT.as_str()).is_empty() {
        return refusal(
            StatusCode::FORBIDDEN,
            "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.",
        );
    }
    next.run(request).await
}

pub fn not_found() -> Response {
    refusal(StatusCode::NOT_FOUND, "Not Found")
}

pub fn refusal(status: StatusCode, message: &str) -> Response {
    let body = json!({
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": status.as_str(),
    });
    (status, Json(body)).into_response()
}

/// What is answered to a token that may ask.
pub struct Said {
    pub body: Value,
    /// The header `Link`.
    pub link: Option<String>,
    /// The header `X-GitHub-SSO`.
    pub sso: Option<String>,
}

impl Said {
    pub fn just(body: Value) -> Self {
        Self {
            body,
            link: None,
            sso: None,
        }
    }
}

async fn user(Extract(shared): Extract<Shared>, headers: HeaderMap) -> Response {
    answer(&shared, &headers, None, |account| {
        Ok(Said::just(full_user(&shared, account)))
    })
}

/// Answers a request made with a token: checks it and its scope, counts it, and saves the body where the caller has it.
pub fn answer(
    shared: &State,
    headers: &HeaderMap,
    scope: Option<&str>,
    said: impl FnOnce(&Account) -> Result<Said, Box<Response>>,
) -> Response {
    let given = header(headers, AUTHORIZATION.as_str());
    let Some(given) = given
        .strip_prefix("Bearer ")
        .or_else(|| given.strip_prefix("token "))
    else {
        return refusal(StatusCode::UNAUTHORIZED, "Requires authentication");
    };
    let known = shared.with(|inner| {
        let token = inner
            .tokens
            .iter()
            .find(|known| known.token == given)?
            .clone();
        let account = inner.account_by_id(token.account)?.clone();
        let (used, reset) = inner.spend(account.id, 1);
        Some((token, account, used, reset))
    });
    let Some((token, account, used, reset)) = known else {
        return refusal(StatusCode::UNAUTHORIZED, "Bad credentials");
    };
    let limit = shared.settings.rate_limit;
    let mut response = if used > limit {
        refusal(
            StatusCode::FORBIDDEN,
            &format!("API rate limit exceeded for user ID {}.", account.id),
        )
    } else if scope.is_some_and(|scope| !token.allows(scope)) {
        refusal(
            StatusCode::FORBIDDEN,
            "You need at least read:org scope to list your organizations.",
        )
    } else {
        match said(&account) {
            Ok(said) => conditional(headers, &token, said),
            Err(refused) => *refused,
        }
    };
    let used = if response.status() == StatusCode::NOT_MODIFIED {
        // An unchanged answer costs nothing.
        shared.with(|inner| {
            inner
                .used
                .get_mut(&account.id)
                .map(|hour| hour.1 = hour.1.saturating_sub(1))
        });
        used.saturating_sub(1)
    } else {
        used
    };
    let mut tell = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    };
    tell("x-oauth-scopes", token.scopes.join(", "));
    tell(
        "x-accepted-oauth-scopes",
        scope
            .map(|_| "admin:org, read:org, write:org")
            .unwrap_or_default()
            .into(),
    );
    tell("x-oauth-client-id", token.client_id.clone());
    tell("x-ratelimit-limit", limit.to_string());
    tell(
        "x-ratelimit-remaining",
        limit.saturating_sub(used).to_string(),
    );
    tell("x-ratelimit-used", used.min(limit).to_string());
    tell("x-ratelimit-reset", reset.to_string());
    tell("x-ratelimit-resource", "core".into());
    response
}

/// The body, or 304 where the caller has it. Tags differ from token to token, as on GitHub.
fn conditional(headers: &HeaderMap, token: &Token, said: Said) -> Response {
    let body = said.body.to_string();
    let digest = Sha256::new()
        .chain_update(&token.token)
        .chain_update(&body)
        .finalize();
    let tag: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("W/\"{tag}\"");
    let mut response = if header(headers, IF_NONE_MATCH.as_str()) == tag {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
    };
    let sso = HeaderName::from_static(restriction::SSO);
    for (name, value) in [(ETAG, Some(tag)), (LINK, said.link), (sso, said.sso)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

async fn check_token(
    Extract(shared): Extract<Shared>,
    Path(client_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match own_token(&shared, &client_id, &headers, &body) {
        Ok(token) => {
            let account = shared.with(|inner| inner.account_by_id(token.account).cloned());
            Json(authorization(&shared, &token, account.as_ref())).into_response()
        }
        Err(refused) => *refused,
    }
}

async fn delete_token(
    Extract(shared): Extract<Shared>,
    Path(client_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    remove(
        &shared,
        own_token(&shared, &client_id, &headers, &body),
        |known, given| known.token == given.token,
    )
}

async fn delete_grant(
    Extract(shared): Extract<Shared>,
    Path(client_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    remove(
        &shared,
        own_token(&shared, &client_id, &headers, &body),
        |known, given| (known.account, &known.client_id) == (given.account, &given.client_id),
    )
}

fn remove(
    shared: &State,
    found: Result<Token, Box<Response>>,
    gone: impl Fn(&Token, &Token) -> bool,
) -> Response {
    match found {
        Ok(given) => {
            shared.with(|inner| inner.tokens.retain(|known| !gone(known, &given)));
            shared.save();
            StatusCode::NO_CONTENT.into_response()
        }
        Err(refused) => *refused,
    }
}

/// The token in the body, if the caller is the app it was issued to.
fn own_token(
    shared: &State,
    client_id: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Token, Box<Response>> {
    let refuse = |status, message: &str| Box::new(refusal(status, message));
    let settings = &shared.settings;
    match basic(headers) {
        None => return Err(refuse(StatusCode::UNAUTHORIZED, "Requires authentication")),
        Some(given) if given != (settings.client_id.clone(), settings.client_secret.clone()) => {
            return Err(refuse(StatusCode::UNAUTHORIZED, "Bad credentials"));
        }
        Some(_) if client_id != settings.client_id => {
            return Err(refuse(StatusCode::NOT_FOUND, "Not Found"));
        }
        Some(_) => {}
    }
    let fields: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|_| refuse(StatusCode::BAD_REQUEST, "Problems parsing JSON"))?;
    let given = fields
        .get("access_token")
        .and_then(Value::as_str)
        .filter(|given| !given.is_empty());
    let given = given.ok_or_else(|| {
        refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Invalid request.\n\n\"access_token\" wasn't supplied.",
        )
    })?;
    shared
        .with(|inner| {
            inner
                .tokens
                .iter()
                .find(|known| known.token == given && known.client_id == client_id)
                .cloned()
        })
        .ok_or_else(|| refuse(StatusCode::NOT_FOUND, "Not Found"))
}
