//! How GitHub's answers are read, within bounds, and what stands in the way of one.

use axum::http::{HeaderMap, HeaderValue, header::LINK};
use reqwest::{RequestBuilder, Response};
use serde::de::DeserializeOwned;
use url::Url;

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

/// Why a token's owner is not known.
#[derive(Clone, Debug)]
pub(in crate::identity) enum Fault {
    /// The token is of another app, of no app, revoked, or was never issued.
    Foreign,
    /// The token may not read memberships.
    Narrow,
    /// GitHub can't be asked.
    Unavailable(String),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Foreign => Error::Unauthenticated(FOREIGN),
            Fault::Narrow => Error::Unauthenticated(NARROW),
            Fault::Unavailable(words) => Error::GithubUnavailable {
                words,
                retry_after: RETRY_AFTER,
            },
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
    Fault::Unavailable(if error.is_timeout() {
        "it does not answer in time".into()
    } else {
        "it can't be reached".into()
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

/// GitHub's answer is none of those expected.
pub(super) fn unavailable(response: &Response) -> Fault {
    let status = response.status();
    tracing::warn!(%status, path = response.url().path(), "GitHub answers {status}");
    Fault::Unavailable(if is_limited(response.headers()) {
        "its limit of requests is used up for now".into()
    } else {
        format!("it answers {}", status.as_u16())
    })
}

/// Whether a refusal is about too many requests: <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>
pub(super) fn is_limited(headers: &HeaderMap) -> bool {
    headers.contains_key("retry-after")
        || headers.get("x-ratelimit-remaining") == Some(&HeaderValue::from_static("0"))
}

/// The body of an answer, read as JSON.
pub(super) async fn parse<T: DeserializeOwned>(response: Response) -> Result<T, Fault> {
    let bytes = bytes(response).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        // Where it stopped is told, and nothing of what it read.
        tracing::warn!(
            line = error.line(),
            column = error.column(),
            "GitHub's answer is garbled"
        );
        Fault::Unavailable("its answer can't be read".into())
    })
}

/// The body of an answer, up to a bound.
pub(in crate::identity) async fn bytes(mut response: Response) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > ANSWER {
            return Err(Fault::Unavailable("its answer is too long".into()));
        }
    }
    Ok(bytes)
}

/// The next page by the `Link` header (RFC 8288), which must be where `page` came from: the person's
/// token goes along.
pub(super) fn next_page(headers: &HeaderMap, page: &Url) -> Result<Option<Url>, Fault> {
    let links = headers
        .get(LINK)
        .and_then(|links| links.to_str().ok())
        .unwrap_or_default();
    let next = links.split(',').find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = |parameter: &str| matches!(parameter.trim(), "rel=\"next\"" | "rel=next");
        parameters.split(';').any(is_next).then_some(target)
    });
    let Some(next) = next else {
        return Ok(None);
    };
    match page.join(next) {
        Ok(url) if url.origin() == page.origin() => Ok(Some(url)),
        _ => {
            tracing::warn!("GitHub's next page is not on its own API; it is not asked for");
            Err(Fault::Unavailable("its next page is elsewhere".into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(links: &'static str) -> Result<Option<String>, Fault> {
        let mut headers = HeaderMap::new();
        headers.insert(LINK, HeaderValue::from_static(links));
        let page = Url::parse("https://api.github.com/user/teams").unwrap();
        Ok(next_page(&headers, &page)?.map(String::from))
    }

    #[test]
    fn next_page_is_found_among_the_links() {
        let links = "<https://api.github.com/user/teams?page=1>; rel=\"prev\", \
                     <https://api.github.com/user/teams?page=3>; rel=\"next\"";
        assert_eq!(
            next(links).unwrap().unwrap(),
            "https://api.github.com/user/teams?page=3"
        );
        assert!(
            next("<https://api.github.com/user/teams?page=1>; rel=\"last\"")
                .unwrap()
                .is_none()
        );
        assert!(next("").unwrap().is_none());
    }

    #[test]
    fn next_page_elsewhere_gets_no_token() {
        for links in [
            "<https://evil.example/user/teams?page=2>; rel=\"next\"",
            "<http://api.github.com/user/teams?page=2>; rel=\"next\"",
            "<//evil.example/>; rel=\"next\"",
        ] {
            assert!(matches!(next(links), Err(Fault::Unavailable(_))), "{links}");
        }
    }
}
