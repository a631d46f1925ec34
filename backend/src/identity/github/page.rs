//! What GitHub has answered, kept to be asked for again only if it has changed.
//!
//! Invariant: nothing here counts without GitHub: a page is used when GitHub has just said, to the
//! same token, that it is still so. In memory alone.

use std::{sync::Arc, time::Duration};

use axum::http::{
    HeaderMap, HeaderValue,
    header::{ETAG, LINK},
};
use moka::sync::Cache;
use reqwest::Response;
use url::Url;

use crate::{
    error::Result,
    identity::github::{
        TokenHash,
        answer::{Fault, bytes, sso},
    },
};

/// Most bytes of all pages.
const BYTES: u64 = 32 << 20;
/// What a page counts at least, so that there are at most 32,768.
const PAGE: usize = 1 << 10;
/// A page that nobody asks for so long is let go.
const IDLE: Duration = Duration::from_secs(3600);

/// One answer, or one page of a list.
pub(super) struct Page {
    /// What GitHub calls this version of it.
    pub(super) etag: Option<HeaderValue>,
    pub(super) body: Vec<u8>,
    /// The page after it.
    pub(super) next: Option<Url>,
    /// What the header `X-GitHub-SSO` says.
    pub(super) sso: Option<String>,
}

impl Page {
    /// Reads `response` to `url`; pages after it must be below `api`.
    pub(super) async fn of(response: Response, url: &Url, api: &Url) -> Result<Self, Fault> {
        let headers = response.headers();
        Ok(Page {
            etag: headers.get(ETAG).cloned(),
            next: next_page(headers, url, api)?,
            sso: sso(headers),
            body: bytes(response).await?,
        })
    }
}

/// Pages by the token that they were answered to: another's are another's.
pub(super) struct Pages(Cache<(TokenHash, String), Arc<Page>>);

impl Pages {
    pub(super) fn new() -> Self {
        let weigh = |(_, url): &(TokenHash, String), page: &Arc<Page>| {
            u32::try_from(PAGE + url.len() + page.body.len()).unwrap_or(u32::MAX)
        };
        Pages(
            Cache::builder()
                .weigher(weigh)
                .max_capacity(BYTES)
                .time_to_idle(IDLE)
                .build(),
        )
    }

    pub(super) fn find(&self, token: TokenHash, url: &Url) -> Option<Arc<Page>> {
        self.0.get(&(token, url.as_str().to_owned()))
    }

    pub(super) fn keep(&self, token: TokenHash, url: &Url, page: &Arc<Page>) {
        // Without a tag it can't be asked for by it.
        if page.etag.is_some() {
            self.0
                .insert((token, url.as_str().to_owned()), Arc::clone(page));
        }
    }

    pub(super) fn forget(&self, token: TokenHash, url: &Url) {
        self.0.invalidate(&(token, url.as_str().to_owned()));
    }
}

/// The next page by the `Link` header (RFC 8288), which must be below `api`: the person's token goes
/// along.
fn next_page(headers: &HeaderMap, page: &Url, api: &Url) -> Result<Option<Url>, Fault> {
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
    let base = api.path().trim_end_matches('/');
    let is_below = |url: &Url| {
        url.origin() == api.origin()
            && url
                .path()
                .strip_prefix(base)
                .is_some_and(|rest| rest.starts_with('/'))
    };
    match page.join(next) {
        Ok(url) if is_below(&url) => Ok(Some(url)),
        _ => {
            tracing::warn!("GitHub's next page is not on its own API; it is not asked for");
            Err(Fault::unavailable("its next page is elsewhere"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(links: &str) -> Result<Option<String>, Fault> {
        let api = Url::parse("https://ghe.example/api/v3").unwrap();
        let page = Url::parse("https://ghe.example/api/v3/user/teams?page=1").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(LINK, HeaderValue::from_str(links).unwrap());
        Ok(next_page(&headers, &page, &api)?.map(String::from))
    }

    #[test]
    fn pages_are_bounded_in_bytes_and_number() {
        let pages = Pages::new();
        let url = |i: usize| Url::parse(&format!("https://api.github.com/?page={i}")).unwrap();
        let keep = |etag: Option<&'static str>, i: usize, size: usize| {
            let page = Page {
                etag: etag.map(HeaderValue::from_static),
                body: vec![0; size],
                next: None,
                sso: None,
            };
            pages.keep([0; 32], &url(i), &Arc::new(page));
        };
        (0..40).for_each(|i| keep(Some("a"), i, 1 << 20));
        pages.0.run_pending_tasks();
        assert!(
            (1..32).contains(&pages.0.entry_count()),
            "{}",
            pages.0.entry_count()
        );
        (0..40_000).for_each(|i| keep(Some("a"), i, 0));
        pages.0.run_pending_tasks();
        assert!(
            (1..=32_768).contains(&pages.0.entry_count()),
            "{}",
            pages.0.entry_count()
        );
        assert!(pages.0.weighted_size() <= BYTES);
    }

    #[test]
    fn page_is_found_by_its_token_and_address_alone() {
        let pages = Pages::new();
        let url = |query: &str| Url::parse(&format!("https://api.github.com/user{query}")).unwrap();
        let page = |etag| Page {
            etag,
            body: Vec::new(),
            next: None,
            sso: None,
        };
        let tagged = page(Some(HeaderValue::from_static("a")));
        pages.keep([0; 32], &url(""), &Arc::new(tagged));
        pages.keep([0; 32], &url("?page=3"), &Arc::new(page(None)));
        assert!(pages.find([0; 32], &url("")).is_some());
        assert!(pages.find([1; 32], &url("")).is_none());
        assert!(pages.find([0; 32], &url("?page=2")).is_none());
        assert!(pages.find([0; 32], &url("?page=3")).is_none());
    }

    #[test]
    fn next_page_is_found_among_the_links() {
        let links = "<https://ghe.example/api/v3/user/teams?page=1>; rel=\"prev\", \
                     <https://ghe.example/api/v3/user/teams?page=3>; rel=\"next\"";
        assert_eq!(
            next(links).unwrap().unwrap(),
            "https://ghe.example/api/v3/user/teams?page=3"
        );
        let last = "<https://ghe.example/api/v3/user/teams?page=1>; rel=\"last\"";
        assert!(next(last).unwrap().is_none());
        assert!(next("").unwrap().is_none());
    }

    #[test]
    fn next_page_elsewhere_gets_no_token() {
        for links in [
            "<https://evil.example/api/v3/user/teams?page=2>; rel=\"next\"",
            "<http://ghe.example/api/v3/user/teams?page=2>; rel=\"next\"",
            "<//evil.example/api/v3/>; rel=\"next\"",
            "<https://ghe.example/pages/evil>; rel=\"next\"",
            "<https://ghe.example/api/v3evil/>; rel=\"next\"",
            "<https://ghe.example/api/v3/../../pages/evil>; rel=\"next\"",
        ] {
            assert!(
                matches!(next(links), Err(Fault::Unavailable { .. })),
                "{links}"
            );
        }
    }
}
