//! The device flow:
//! <https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps#device-flow>.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Form, Query, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Map, json};

use crate::oauth::{Parameters, Told, error, granted, read, write};
use crate::page;
use crate::state::{Answer, Device, Shared, State, random};

const LIFETIME: u64 = 900;
const INTERVAL: i64 = 5;
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub fn router() -> Router<Shared> {
    Router::new()
        .route("/login/device/code", post(code))
        .route("/login/device", get(ask).post(decide))
}

async fn code(Extract(shared): Extract<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let parameters = read(&headers, &body);
    if parameters.get("client_id") != Some(&shared.settings.client_id) {
        return StatusCode::NOT_FOUND.into_response();
    }
    // Letters and digits that cannot be taken for one another.
    let letters = b"BCDFGHJKLMNPQRSTVWXZ";
    let user_code = format!("{}-{}", random(4, letters), random(4, letters));
    let device_code = random(40, b"0123456789abcdef");
    shared.with(|inner| {
        let device = Device {
            user_code: user_code.clone(),
            scopes: parameters.get("scope").cloned().unwrap_or_default(),
            expires_at: inner.now() + Duration::from_secs(LIFETIME),
            interval: INTERVAL,
            polled_at: None,
            answer: None,
        };
        inner.devices.insert(device_code.clone(), device);
    });
    let answer = Map::from_iter([
        ("device_code".into(), json!(device_code)),
        ("user_code".into(), json!(user_code)),
        (
            "verification_uri".into(),
            json!(format!("{}/login/device", shared.url)),
        ),
        ("expires_in".into(), json!(LIFETIME)),
        ("interval".into(), json!(INTERVAL)),
    ]);
    write(&headers, answer)
}

async fn ask(
    Extract(shared): Extract<Shared>,
    Query(parameters): Query<Parameters>,
) -> Html<String> {
    let accounts = shared.with(|inner| inner.accounts.clone());
    let code = parameters
        .get("user_code")
        .map(String::as_str)
        .unwrap_or_default();
    Html(page::device(code, &accounts))
}

async fn decide(Extract(shared): Extract<Shared>, Form(parameters): Form<Parameters>) -> Response {
    let given = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
    let user_code = given("user_code").trim().to_uppercase();
    let done = shared.with(|inner| {
        let now = inner.now();
        let answer = match inner.account(given("login")) {
            Some(account) => Answer::Granted(account.id),
            None if parameters.contains_key("cancel") => Answer::Denied,
            None => return false,
        };
        let open = |device: &&mut Device| {
            device.user_code == user_code && device.answer.is_none() && now < device.expires_at
        };
        inner
            .devices
            .values_mut()
            .find(open)
            .map(|device| device.answer = Some(answer))
            .is_some()
    });
    if done {
        page::message(
            StatusCode::OK,
            "All set",
            "Your device knows the answer. You can close this page.",
        )
    } else {
        page::message(
            StatusCode::NOT_FOUND,
            "No such code",
            "The code is wrong, used or expired. Ask your device for a new one.",
        )
    }
}

/// One poll of a device for its token.
pub fn poll(shared: &State, parameters: &Parameters) -> Told {
    if parameters.get("grant_type").map(String::as_str) != Some(GRANT) {
        return Err(error(
            "unsupported_grant_type",
            &format!("The grant type must be {GRANT}."),
        ));
    }
    if parameters.get("client_id") != Some(&shared.settings.client_id) {
        return Err(error(
            "incorrect_client_credentials",
            "The client_id passed is incorrect.",
        ));
    }
    let device_code = parameters.get("device_code").cloned().unwrap_or_default();
    let (account, scopes) = shared.with(|inner| {
        let now = inner.now();
        let device = inner.devices.get_mut(&device_code).ok_or_else(|| {
            error(
                "incorrect_device_code",
                "The device_code provided is not valid.",
            )
        })?;
        if now >= device.expires_at {
            return Err(error("expired_token", "This 'device_code' has expired."));
        }
        let early = device
            .polled_at
            .is_some_and(|at| now.duration_since(at).as_secs() < device.interval);
        device.polled_at = Some(now);
        if early {
            device.interval += 5;
            let mut slow_down = error(
                "slow_down",
                "Too many requests have been made in the same timeframe.",
            );
            slow_down.insert("interval".into(), json!(device.interval));
            return Err(slow_down);
        }
        match device.answer {
            None => Err(error(
                "authorization_pending",
                "The authorization request is still pending.",
            )),
            Some(Answer::Denied) => Err(error(
                "access_denied",
                "The authorization request was denied.",
            )),
            Some(Answer::Granted(account)) => {
                let scopes = device.scopes.clone();
                inner.devices.remove(&device_code);
                Ok((account, scopes))
            }
        }
    })?;
    Ok(granted(shared, account, &scopes))
}
