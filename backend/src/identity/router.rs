//! `/auth/login`, `/auth/callback` and `POST /auth/logout`.

use axum::{
    Router,
    extract::{Query, State, rejection::QueryRejection},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT, CACHE_CONTROL, LOCATION, SET_COOKIE, USER_AGENT},
    },
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::{
    error::Result,
    identity::{
        Identity, login, login::Login, login::Stop, now, proof::cookies, session, site::CookieKind,
    },
};

/// The routes. They hold their state themselves.
pub(super) fn router(identity: Identity) -> Router {
    Router::new()
        .route("/auth/login", get(begin))
        .route("/auth/callback", get(callback))
        .route("/auth/logout", post(logout))
        .layer(middleware::map_response(no_store))
        .with_state(identity)
}

/// Marks the answer to a sign-in whose proof did not count, for whoever counts them.
#[derive(Clone, Copy, Debug)]
pub struct Refused;

async fn no_store(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // An address with a code in it goes to nobody.
    headers.insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    response
}

#[derive(Default, Deserialize)]
struct Wanted {
    return_to: Option<String>,
}

async fn begin(
    State(identity): State<Identity>,
    headers: HeaderMap,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    let return_to = wanted
        .ok()
        .and_then(|Query(wanted)| wanted.return_to)
        .unwrap_or_default();
    let Some(app) = &identity.0.app else {
        return stopped(&identity, Stop::NotConfigured);
    };
    if identity.0.site.is_foreign(&headers) {
        // A session begins by a click on Sundial's own page, which is what who is not signed in finds there.
        return redirect(&identity.0.site.return_to(&return_to), &[]);
    }
    if let Some(login) = identity.0.site.own_login(&headers, &return_to) {
        return redirect(login.as_str(), &[]);
    }
    let begun = app.oauth.begin();
    let login = Login {
        state: begun.state,
        verifier: begun.verifier,
        return_to: identity.0.site.return_to(&return_to),
        begun_at: now(),
    };
    match login.seal(&app.login_key) {
        Ok(value) => {
            let kept = identity
                .0
                .site
                .set_cookie(CookieKind::Login, &value, login::COOKIE_LIFE);
            redirect(begun.url.as_str(), &[kept])
        }
        Err(error) => failed(&error),
    }
}

/// What GitHub sends the browser back with.
#[derive(Default, Deserialize)]
pub(super) struct Answer {
    pub(super) code: Option<SecretString>,
    pub(super) state: Option<SecretString>,
    pub(super) error: Option<String>,
}

async fn callback(
    State(identity): State<Identity>,
    headers: HeaderMap,
    answer: Result<Query<Answer>, QueryRejection>,
) -> Response {
    let Query(answer) = answer.unwrap_or_default();
    let cookies = cookies(&headers);
    let (login, code) = match identity.answered(&cookies, answer, now()) {
        Ok(answered) => answered,
        Err(stop) => return stopped(&identity, stop),
    };
    let user_agent = headers.get(USER_AGENT);
    let user_agent = user_agent.and_then(|name| name.to_str().ok());
    let user_agent = user_agent.unwrap_or_default();
    match identity
        .sign_in(&cookies, user_agent, code, login.verifier, now())
        .await
    {
        Ok(Ok(secret)) => {
            let site = &identity.0.site;
            let kept = site.set_cookie(
                CookieKind::Session,
                secret.cookie().expose_secret(),
                session::LIFE / 1_000_000,
            );
            redirect(
                &login.return_to,
                &[kept, site.clear_cookie(CookieKind::Login)],
            )
        }
        Ok(Err(stop)) => stopped(&identity, stop),
        Err(error) => failed(&error),
    }
}

async fn logout(State(identity): State<Identity>, headers: HeaderMap) -> Response {
    let site = &identity.0.site;
    if !site.is_same_origin(&headers) {
        tracing::info!("refused a sign-out that came from another site");
        let words = "Signing out must come from Sundial's own page: open it and choose Sign out.\n";
        return (StatusCode::FORBIDDEN, words).into_response();
    }
    for value in site.cookies(CookieKind::Session, &cookies(&headers)) {
        match session::end(&identity.0.pool, value).await {
            Ok(Some(id)) => tracing::info!(account.id = id, "signed out account {id}"),
            Ok(None) => {}
            Err(error) => return failed(&error),
        }
    }
    let gone = [site.clear_cookie(CookieKind::Session)];
    let by_form = headers.get(ACCEPT).is_some_and(|accept| {
        accept
            .to_str()
            .is_ok_and(|accept| accept.contains("text/html"))
    });
    if by_form {
        redirect("/signin", &gone)
    } else {
        with_cookies(StatusCode::NO_CONTENT.into_response(), &gone)
    }
}

/// Ends a sign-in at the page that says why. The sign-in under way is over with it.
fn stopped(identity: &Identity, stop: Stop) -> Response {
    tracing::info!(reason = stop.code(), "refused a sign-in: {}", stop.code());
    let gone = identity.0.site.clear_cookie(CookieKind::Login);
    let mut response = redirect(&format!("/signin?error={}", stop.code()), &[gone]);
    if matches!(stop, Stop::Mismatch | Stop::Expired) {
        response.extensions_mut().insert(Refused);
    }
    response
}

fn failed(error: &crate::Error) -> Response {
    tracing::error!(%error, "a sign-in or sign-out failed");
    let words = "Sundial could not do this because of a fault of its own. Try again shortly.\n";
    (StatusCode::INTERNAL_SERVER_ERROR, words).into_response()
}

fn redirect(to: &str, cookies: &[String]) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    match HeaderValue::from_str(to) {
        Ok(to) => response.headers_mut().insert(LOCATION, to),
        Err(error) => return failed(&crate::Error::internal("a redirect", error)),
    };
    with_cookies(response, cookies)
}

fn with_cookies(mut response: Response, cookies: &[String]) -> Response {
    for cookie in cookies {
        if let Ok(mut cookie) = HeaderValue::from_str(cookie) {
            cookie.set_sensitive(true);
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    response
}
