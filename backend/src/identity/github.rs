//! What GitHub's API says of a token and its owner.
//!
//! Invariant: nothing is believed that GitHub did not answer in full; what can't be asked is a
//! [`Fault::Unavailable`], never a "no".

mod answer;
mod membership;
mod page;
mod pause;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::http::{
    StatusCode,
    header::{HeaderValue, IF_NONE_MATCH},
};
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use url::Url;

use crate::{
    error::{Error, Result},
    guard::Memberships,
    identity::{
        github::{
            answer::{Refusal, parse, read, send},
            page::{Page, Pages},
            pause::Pauses,
        },
        now,
    },
};

pub(super) use crate::identity::github::{
    answer::{Fault, bytes},
    membership::{Membership, Organization},
};

/// For one request to GitHub, from the first byte out to the last one in.
const TIMEOUT: Duration = Duration::from_secs(10);
/// For all pages of all that is asked of one person.
const TIMEOUT_OF_ALL: Duration = Duration::from_secs(20);
/// Most pages of one list.
const PAGES: usize = 50;
/// Entries of a full page.
const FULL: usize = 100;

/// SHA-256 of a token: the memory of the process holds no token longer than a request.
pub(super) type TokenHash = [u8; 32];

/// What the process knows a token by.
pub(super) fn hash(token: &SecretString) -> TokenHash {
    Sha256::digest(token.expose_secret()).into()
}

/// Most tokens whose owner has used up GitHub's patience, at once.
const TOKENS: u64 = 10_000;

/// Scopes that each let an app read memberships.
const READ_ORG: [&str; 3] = ["read:org", "write:org", "admin:org"];

/// What GitHub says of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Issued to our app, for the account of this id.
    Ours(i64),
    /// Issued to our app, and memberships can't be read with it.
    Narrow,
    /// Of another app, of no app, revoked, or never issued.
    Foreign,
}

/// What GitHub says of a person.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    /// GitHub's numeric id.
    pub(super) id: i64,
    /// Login, as the person writes it.
    pub(super) login: String,
    /// Name, or the login where GitHub has none.
    pub(super) name: String,
    /// Where GitHub keeps the picture.
    pub(super) avatar_url: Option<String>,
    /// Active memberships, in lower case.
    pub(super) memberships: Memberships,
    /// Ids of organisations that are left out until the person has signed on with them.
    pub(super) sign_on: BTreeSet<i64>,
}

/// GitHub's API, as our OAuth app sees it.
pub(super) struct Github {
    http: Client,
    api: Url,
    client_id: String,
    client_secret: SecretString,
    pages: Pages,
    /// The app's own pause: of token checks.
    app_pause: Pauses<()>,
    token_pauses: Pauses<TokenHash>,
}

/// An HTTP client for GitHub: no redirect is followed, for what is sent is secret.
///
/// # Errors
/// [`Error::Internal`] when the machine has no usable TLS.
pub(super) fn client() -> Result<Client> {
    Client::builder()
        .user_agent(concat!("sundial/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .connect_timeout(TIMEOUT)
        .build()
        .map_err(|error| Error::internal("the HTTP client", error))
}

/// `base` and `path` below it.
///
/// # Errors
/// [`Error::BadInput`] when `base` is no http address.
pub(super) fn below(base: &Url, path: &[&str]) -> Result<Url> {
    let mut url = base.clone();
    match url.path_segments_mut() {
        Ok(mut segments) if ["http", "https"].contains(&base.scheme()) => {
            segments.pop_if_empty().extend(path);
        }
        _ => {
            return Err(Error::bad_input(format!(
                "GitHub's address {base} must start with https:// (--github-url, --github-api-url)"
            )));
        }
    }
    Ok(url)
}

#[derive(Deserialize)]
struct Authorization {
    app: App,
    scopes: Option<Vec<String>>,
    user: Option<Owner>,
}

#[derive(Deserialize)]
struct App {
    client_id: String,
}

#[derive(Deserialize)]
struct Owner {
    id: i64,
}

#[derive(Deserialize)]
struct User {
    id: i64,
    login: String,
    name: Option<String>,
    avatar_url: Option<String>,
}

impl Github {
    pub(super) fn new(
        http: Client,
        api: &Url,
        client_id: String,
        client_secret: SecretString,
    ) -> Result<Self> {
        below(api, &[])?;
        Ok(Github {
            http,
            api: api.clone(),
            client_id,
            client_secret,
            pages: Pages::new(),
            app_pause: Pauses::new(1),
            token_pauses: Pauses::new(TOKENS),
        })
    }

    /// What GitHub says of `token`. `GET /user` would answer any app's token; this tells whose it is:
    /// <https://docs.github.com/en/rest/apps/oauth-applications#check-a-token>
    pub(super) async fn standing(&self, token: &SecretString) -> Result<Standing, Fault> {
        self.app_pause.check(&())?;
        let url = self.url(&["applications", &self.client_id, "token"])?;
        let body = serde_json::json!({ "access_token": token.expose_secret() });
        let request = self
            .http
            .post(url)
            .basic_auth(&self.client_id, Some(self.client_secret.expose_secret()))
            .json(&body);
        let response = send(request).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => {
                return Ok(Standing::Foreign);
            }
            StatusCode::UNAUTHORIZED => {
                tracing::error!(
                    "GitHub refuses the OAuth app's client id and secret; nobody can be checked"
                );
                return Err(Fault::unavailable(
                    "it refuses the client id and secret that Sundial is set up with",
                ));
            }
            _ => {
                let refusal = Refusal::of(response, now() / 1_000_000).await;
                if let Some(wait) = refusal.wait {
                    self.app_pause.begin((), wait);
                }
                return Err(refusal.fault("/applications"));
            }
        }
        let said: Authorization = parse(response).await?;
        Ok(match said.user {
            Some(owner) if said.app.client_id == self.client_id => {
                let scopes = said.scopes.unwrap_or_default();
                if scopes
                    .iter()
                    .any(|scope| READ_ORG.contains(&scope.as_str()))
                {
                    Standing::Ours(owner.id)
                } else {
                    Standing::Narrow
                }
            }
            _ => Standing::Foreign,
        })
    }

    /// What GitHub says of the owner of `token`.
    pub(super) async fn profile(&self, token: &SecretString) -> Result<Profile, Fault> {
        let all = async { tokio::try_join!(self.user(token), self.memberships(token)) };
        let (user, (memberships, sign_on)) = in_time(all).await?;
        Ok(Profile {
            id: user.id,
            name: user
                .name
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| user.login.clone()),
            login: user.login,
            avatar_url: user.avatar_url.filter(|url| !url.is_empty()),
            memberships,
            sign_on,
        })
    }

    async fn user(&self, token: &SecretString) -> Result<User, Fault> {
        read(&self.page(token, &self.url(&["user"])?).await?.body)
    }

    /// All pages of a list. Those beyond the bound are left out: that can only take access away.
    async fn list<T: DeserializeOwned>(
        &self,
        token: &SecretString,
        path: &[&str],
        state: &str,
    ) -> Result<List<T>, Fault> {
        let mut url = self.url(path)?;
        url.query_pairs_mut()
            .append_pair("per_page", &FULL.to_string());
        if !state.is_empty() {
            url.query_pairs_mut().append_pair("state", state);
        }
        let mut list = List {
            entries: Vec::new(),
            sso: Vec::new(),
        };
        for _ in 0..PAGES {
            let page = self.page(token, &url).await?;
            let entries: Vec<T> = read(&page.body)?;
            let is_full = entries.len() >= FULL;
            list.entries.extend(entries);
            list.sso.extend(page.sso.clone());
            match &page.next {
                Some(next) => url = next.clone(),
                None => {
                    // It stays as it is when the list grows by a page, and would not tell of that.
                    if is_full {
                        self.pages.forget(hash(token), &url);
                    }
                    return Ok(list);
                }
            }
        }
        tracing::warn!(
            path = url.path(),
            "GitHub lists more than {PAGES} pages; the rest is not read"
        );
        Ok(list)
    }

    /// What every token of a sign-in can read.
    async fn page(&self, token: &SecretString, url: &Url) -> Result<Arc<Page>, Fault> {
        match self.ask(token, url).await? {
            Answer::Page(page) => Ok(page),
            Answer::Refusal(refusal) if refusal.status == StatusCode::FORBIDDEN => {
                Err(Fault::Narrow)
            }
            Answer::Refusal(refusal) => Err(refusal.fault(url.path())),
        }
    }

    /// Asks with a person's token, unless GitHub wants to be left alone by it, and only for what has
    /// changed since it last answered.
    async fn ask(&self, token: &SecretString, url: &Url) -> Result<Answer, Fault> {
        let hash = hash(token);
        self.token_pauses.check(&hash)?;
        let known = self.pages.find(hash, url);
        let mut request = self
            .http
            .get(url.clone())
            .bearer_auth(token.expose_secret());
        let etag = known.as_ref().and_then(|page| page.etag.clone());
        if let Some(etag) = etag {
            request = request.header::<_, HeaderValue>(IF_NONE_MATCH, etag);
        }
        let response = send(request).await?;
        match (response.status(), known) {
            (StatusCode::OK, _) => {
                let page = Arc::new(Page::of(response, url, &self.api).await?);
                self.pages.keep(hash, url, &page);
                Ok(Answer::Page(page))
            }
            (StatusCode::NOT_MODIFIED, Some(page)) => Ok(Answer::Page(page)),
            (StatusCode::UNAUTHORIZED, _) => Err(Fault::Foreign),
            _ => {
                let refusal = Refusal::of(response, now() / 1_000_000).await;
                match refusal.wait {
                    Some(wait) => {
                        self.token_pauses.begin(hash, wait);
                        Err(refusal.fault(url.path()))
                    }
                    None => Ok(Answer::Refusal(refusal)),
                }
            }
        }
    }

    fn url(&self, path: &[&str]) -> Result<Url, Fault> {
        below(&self.api, path).map_err(|error| Fault::unavailable(error.to_string()))
    }
}

enum Answer {
    Page(Arc<Page>),
    Refusal(Refusal),
}

struct List<T> {
    entries: Vec<T>,
    /// What the headers `X-GitHub-SSO` say.
    sso: Vec<String>,
}

async fn in_time<T>(all: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    tokio::time::timeout(TIMEOUT_OF_ALL, all)
        .await
        .map_err(|_| Fault::unavailable("it answers too slowly"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_keeps_its_path_and_gains_no_slash() {
        for base in ["https://ghe.example/api/v3", "https://ghe.example/api/v3/"] {
            let url = below(&Url::parse(base).unwrap(), &["user", "teams"]).unwrap();
            assert_eq!(url.as_str(), "https://ghe.example/api/v3/user/teams");
        }
        assert!(below(&Url::parse("mailto:a@b").unwrap(), &[]).is_err());
        assert!(below(&Url::parse("file:///etc").unwrap(), &[]).is_err());
    }
}
