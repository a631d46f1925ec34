//! How GitHub's answers are read, within bounds, and what stands in the way of one.

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::{RequestBuilder, Response};
use serde::{Deserialize, de::DeserializeOwned};

use crate::error::Error;

/// Most bytes of one answer: a full page of teams is some 300 KB.
const ANSWER: usize = 4 << 20;

/// Of a token that is not ours or no more.
const FOREIGN: &str = "GitHub says that this token is not one of Sundial's sign-in, or was \
    revoked: sign in again at /auth/login, or use an ingest token (`sundial token create`)";
/// Of a token without the scope `read:org`.
const NARROW: &str = "the GitHub token may not read memberships (scope read:org is missing, or \
    single sign-on is asked for): sign in again at /auth/login and leave the scope ticked";

/// When GitHub does not say itself, seconds.
const RETRY_AFTER: u32 = 10;
/// After a limit that GitHub gives no end of, seconds: "wait for at least one minute".
/// <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>
const LIMITED_FOR: i64 = 60;
/// GitHub counts by the hour: nothing it says keeps us away for longer, seconds.
const HOUR: i64 = 3600;

/// Why a token's owner is not known.
#[derive(Clone, Debug)]
pub(in crate::identity) enum Fault {
    /// The token is of another app, of no app, revoked, or was never issued.
    Foreign,
    /// The token may not read memberships.
    Narrow,
    /// GitHub can't be asked.
    Unavailable {
        /// Why.
        words: String,
        /// Seconds until it is worth asking again.
        retry_after: u32,
    },
}

impl Fault {
    /// GitHub can't be asked, and does not say when it can.
    pub(in crate::identity) fn unavailable(words: impl Into<String>) -> Self {
        Fault::Unavailable {
            words: words.into(),
            retry_after: RETRY_AFTER,
        }
    }

    /// GitHub has asked to be left alone for so many seconds.
    pub(super) fn limited(retry_after: u32) -> Self {
        Fault::Unavailable {
            words: "its limit of requests is used up for now".into(),
            retry_after,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Foreign => Error::Unauthenticated(FOREIGN),
            Fault::Narrow => Error::Unauthenticated(NARROW),
            Fault::Unavailable { words, retry_after } => {
                Error::GithubUnavailable { words, retry_after }
            }
        }
    }
}

/// Sends `request`, as GitHub wants to be asked.
pub(super) async fn send(request: RequestBuilder) -> Result<Response, Fault> {
    let request = request
        .header("accept", "application/vnd.github+json")
        .header("x-github-api-version", "2022-11-28");
    request.send().await.map_err(unreachable)
}

fn unreachable(error: reqwest::Error) -> Fault {
    // The address may hold what is asked about; the cause says enough.
    let error = error.without_url();
    tracing::warn!(error = %chain(&error), "GitHub can't be reached");
    Fault::unavailable(if error.is_timeout() {
        "it does not answer in time"
    } else {
        "it can't be reached"
    })
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(&format!(": {error}"));
        cause = error.source();
    }
    words
}

/// An answer that is not what was asked for.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// GitHub's words, for programs to tell the cause by.
    pub(super) message: String,
    /// What the header `X-GitHub-SSO` says.
    pub(super) sso: Option<String>,
    /// Seconds for which GitHub wants not to be asked, 1 to 3600.
    pub(super) wait: Option<u32>,
}

impl Refusal {
    /// Reads `response` at `now`, seconds since 1970 UTC.
    pub(super) async fn of(response: Response, now: i64) -> Self {
        #[derive(Default, Deserialize)]
        struct Said {
            #[serde(default)]
            message: String,
        }
        let (status, headers) = (response.status(), response.headers().clone());
        // Not all refusals have words: a proxy's, say.
        let said: Said = match bytes(response).await {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
            Err(_) => Said::default(),
        };
        Refusal {
            status,
            sso: sso(&headers),
            wait: wait(status, &headers, &said.message, now),
            message: said.message,
        }
    }

    /// As what stands in the way of an answer.
    pub(super) fn fault(&self, path: &str) -> Fault {
        let status = self.status;
        tracing::warn!(%status, path, wait = self.wait, "GitHub answers {status}");
        let limited = [StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS].contains(&status);
        match self.wait {
            Some(wait) if limited => Fault::limited(wait),
            wait => Fault::Unavailable {
                words: format!("it answers {}", status.as_u16()),
                retry_after: wait.unwrap_or(RETRY_AFTER),
            },
        }
    }
}

/// The header `X-GitHub-SSO`: `required; url=…`, or `partial-results; organizations=1,2`.
pub(super) fn sso(headers: &HeaderMap) -> Option<String> {
    Some(headers.get("x-github-sso")?.to_str().ok()?.to_owned())
}

/// Seconds for which GitHub wants not to be asked after this refusal at `now`, if it wants that.
/// <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit>
fn wait(status: StatusCode, headers: &HeaderMap, message: &str, now: i64) -> Option<u32> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<i64>().ok();
    let used_up = headers.get("x-ratelimit-remaining") == Some(&HeaderValue::from_static("0"));
    let seconds = if let Some(seconds) = number("retry-after") {
        seconds
    } else if status == StatusCode::FORBIDDEN || status == StatusCode::TOO_MANY_REQUESTS {
        if used_up {
            number("x-ratelimit-reset").map_or(LIMITED_FOR, |reset| reset.saturating_sub(now))
        } else if status == StatusCode::TOO_MANY_REQUESTS || message.contains("rate limit") {
            LIMITED_FOR
        } else {
            return None;
        }
    } else {
        return None;
    };
    u32::try_from(seconds.clamp(1, HOUR)).ok()
}

/// The body of an answer, read as JSON.
pub(super) async fn parse<T: DeserializeOwned>(response: Response) -> Result<T, Fault> {
    read(&bytes(response).await?)
}

/// A body as JSON.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        // Where it stopped is told, and nothing of what it read.
        tracing::warn!(
            line = error.line(),
            column = error.column(),
            "GitHub's answer is garbled"
        );
        Fault::unavailable("its answer can't be read")
    })
}

/// The body of an answer, up to a bound.
pub(in crate::identity) async fn bytes(mut response: Response) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > ANSWER {
            return Err(Fault::unavailable("its answer is too long"));
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn waits(status: u16, headers: &[(&'static str, &str)], message: &str) -> Option<u32> {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.insert(*name, value.parse().unwrap());
        }
        wait(StatusCode::from_u16(status).unwrap(), &all, message, NOW)
    }

    #[test]
    fn limit_is_told_from_other_refusals() {
        let words = |status, wait| {
            let refusal = Refusal {
                status,
                message: String::new(),
                sso: None,
                wait,
            };
            match refusal.fault("/user") {
                Fault::Unavailable { words, retry_after } => (words, retry_after),
                other => panic!("{other:?}"),
            }
        };
        let limit = "its limit of requests is used up for now".to_owned();
        for status in [StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS] {
            assert_eq!(words(status, Some(30)), (limit.clone(), 30));
        }
        let down = StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(words(down, Some(30)), ("it answers 503".into(), 30));
        assert_eq!(words(down, None), ("it answers 503".into(), RETRY_AFTER));
    }

    #[test]
    fn causes_are_told_in_a_row() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);
        let chained = chain(&Outer(std::io::Error::other("inner")));
        assert_eq!(chained, "outer: inner");
    }

    #[test]
    fn wait_is_what_github_asks_for() {
        let used_up = ("x-ratelimit-remaining", "0");
        let reset = (NOW + 120).to_string();
        let reset = ("x-ratelimit-reset", reset.as_str());
        let after = ("retry-after", "30");
        for status in [403, 429] {
            assert_eq!(waits(status, &[after], ""), Some(30));
            assert_eq!(waits(status, &[used_up, reset], ""), Some(120));
            // `Retry-After` goes first: a secondary limit can come with a primary one.
            assert_eq!(waits(status, &[used_up, reset, after], ""), Some(30));
            assert_eq!(waits(status, &[used_up], ""), Some(60));
            let words = "You have exceeded a secondary rate limit.";
            assert_eq!(waits(status, &[], words), Some(60));
        }
        assert_eq!(waits(429, &[], ""), Some(60));
        assert_eq!(waits(503, &[after], ""), Some(30));
        assert_eq!(
            waits(403, &[("x-ratelimit-remaining", "1"), reset], ""),
            None
        );
        assert_eq!(waits(403, &[], "Not for you"), None);
        assert_eq!(waits(502, &[used_up, reset], ""), None);
    }

    #[test]
    fn wait_is_bounded() {
        let used_up = ("x-ratelimit-remaining", "0");
        for (reset, expected) in [(NOW - 5, 1), (NOW, 1), (NOW + 9000, 3600), (i64::MIN, 1)] {
            let reset = reset.to_string();
            let headers = [used_up, ("x-ratelimit-reset", reset.as_str())];
            assert_eq!(waits(403, &headers, ""), Some(expected), "{reset}");
        }
        assert_eq!(waits(429, &[("retry-after", "0")], ""), Some(1));
        assert_eq!(waits(429, &[("retry-after", "86400")], ""), Some(3600));
        // A date, which GitHub does not send.
        let date = ("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT");
        assert_eq!(waits(429, &[date], ""), Some(60));
    }
}
