//! What organisations, and GitHub itself, withhold.
//!
//! <https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api>,
//! <https://docs.github.com/en/organizations/managing-oauth-access-to-your-organizations-data>,
//! <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>.

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;

use crate::api::refusal;
use crate::shape::organization;
use crate::state::{Account, State};

pub const SSO: &str = "x-github-sso";

/// A limit of requests that is used up.
#[derive(Clone, Copy)]
pub enum Limit {
    /// The hour's requests, until so many seconds from now.
    Primary(u32),
    /// Too much at once: to be asked again after so many seconds, if it says.
    Secondary(Option<u32>),
}

/// Whether lists hold what is of an organisation.
pub fn shows(shared: &State, name: &str) -> bool {
    let hides = |names: &[String]| names.iter().any(|known| known == name);
    shared.with(|inner| !hides(&inner.sign_on) && !hides(&inner.unapproved))
}

/// Refuses what is of an organisation that withholds it.
pub fn check(shared: &State, name: &str) -> Result<(), Box<Response>> {
    let (sign_on, unapproved) = shared.with(|inner| {
        let holds = |names: &[String]| names.iter().any(|known| known == name);
        (holds(&inner.sign_on), holds(&inner.unapproved))
    });
    if sign_on {
        let mut response = refusal(
            StatusCode::FORBIDDEN,
            "Resource protected by organization SAML enforcement. You must grant your OAuth token access to this organization.",
        );
        let url = format!("{}/orgs/{name}/sso?authorization_request=A", shared.url);
        tell(response.headers_mut(), SSO, &format!("required; url={url}"));
        return Err(Box::new(response));
    }
    if unapproved {
        return Err(Box::new(refusal(
            StatusCode::FORBIDDEN,
            &format!(
                "Although you appear to have the correct authorization credentials, the `{name}` organization has \
                 enabled OAuth App access restrictions, meaning that data access to third-parties is limited. For more \
                 information on these restrictions, including how to enable this app, visit \
                 https://docs.github.com/articles/restricting-access-to-your-organization-s-data/"
            ),
        )));
    }
    Ok(())
}

/// The header of lists that leave organisations out until their account has signed on.
pub fn left_out(shared: &State, account: &Account) -> Option<String> {
    let sign_on = shared.with(|inner| inner.sign_on.clone());
    let held = |name: &&String| {
        let mut memberships = account.memberships.iter();
        memberships.any(|held| held.organization == **name)
    };
    let ids = sign_on.iter().filter(held);
    let ids: Vec<String> = ids
        .map(|name| organization(shared, name)["id"].to_string())
        .collect();
    (!ids.is_empty()).then(|| format!("partial-results; organizations={}", ids.join(",")))
}

/// The answer to every call while a limit is used up.
pub fn limited(shared: &State, limit: Limit) -> Response {
    match limit {
        Limit::Primary(seconds) => {
            let message = "API rate limit exceeded.";
            let mut response = refusal(StatusCode::FORBIDDEN, message);
            let reset = shared.now().as_second() + i64::from(seconds);
            tell(response.headers_mut(), "x-ratelimit-remaining", "0");
            tell(
                response.headers_mut(),
                "x-ratelimit-reset",
                &reset.to_string(),
            );
            response
        }
        Limit::Secondary(seconds) => {
            let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
            let mut response = refusal(StatusCode::FORBIDDEN, message);
            if let Some(seconds) = seconds {
                tell(response.headers_mut(), "retry-after", &seconds.to_string());
            }
            response
        }
    }
}

fn tell(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
