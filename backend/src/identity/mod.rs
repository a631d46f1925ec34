//! Who is behind a request: people by GitHub, machines by ingest tokens.
//!
//! ```text
//! proof.rs         what a request shows
//! session.rs       browsers: the cookie's secret, its life, the GitHub token sealed by it
//! ingest_token.rs  machines: the token's format, made, rotated and revoked
//! github.rs        what GitHub's API says of a token and its owner
//! people.rs        the same, remembered for as long as it may count
//! webhook.rs       what GitHub tells unasked, so that it is remembered no longer
//! explain.rs       what GitHub says of a person, for whoever wonders why a tenant is not open
//! login.rs oauth.rs router.rs   signing in and out
//! site.rs seal.rs  the site's address and cookies; sealing
//! ```
//!
//! Invariant: this is the only place that makes a [`Principal`], and only of proof that it has
//! checked: on every request, at most a minute after GitHub last said so. It asks no tenant's data.

mod explain;
mod github;
pub mod ingest_token;
mod login;
mod oauth;
mod people;
mod proof;
mod router;
mod seal;
mod session;
mod site;
#[cfg(test)]
mod tests;
mod webhook;

use std::{sync::Arc, time::Duration};

use axum::{Router, http::HeaderMap};
use moka::sync::Cache;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use url::Url;

pub use crate::identity::{
    explain::{Facts, Hidden, MembershipFact, PersonFacts},
    ingest_token::{
        MOST_TOKENS, TokenName, create_token, find_token, known_token, list_tokens, revoke_token,
        rotate_token,
    },
    people::Lifetimes,
    proof::Proof,
    router::Refused,
    session::{MOST_SESSIONS, OwnSession},
};

use crate::{
    config::GithubConfig,
    error::{Error, Result},
    guard::{Pool, Principal, Token, system},
    identity::{
        explain::Links,
        github::Github,
        login::{Login, Stop},
        oauth::OAuth,
        people::{Owner, People},
        router::Answer,
        seal::Key,
        site::{Ambiguous, CookieKind, Site},
        webhook::Webhook,
    },
};

/// One minute in µs.
const MINUTE: i64 = 60_000_000;

/// Who may be behind requests, and the routes by which people sign in and out. Cheap to clone.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    pool: Pool,
    site: Site,
    /// Without one nobody can sign in, and only ingest tokens count.
    app: Option<App>,
    /// Hashes of sessions and ingest tokens whose use was noted within the minute.
    noted: Cache<Vec<u8>, ()>,
}

/// Our OAuth app at GitHub.
struct App {
    oauth: OAuth,
    people: People,
    links: Links,
    /// Without one GitHub tells nothing unasked.
    webhook: Option<Webhook>,
    login_key: Key,
    /// Hashes of the `state`s that have come back: a sign-in is finished once.
    finished: Cache<[u8; 32], ()>,
}

impl Identity {
    /// Identity by the GitHub of `github`, for the site that people reach at `public_url`.
    ///
    /// # Errors
    /// [`Error::BadInput`] when the public URL is neither https nor a loopback address, or GitHub's
    /// settings can't be used; the words say what to set.
    pub fn new(github: &GithubConfig, public_url: Url, pool: Pool) -> Result<Identity> {
        Identity::with_lifetimes(github, public_url, pool, Lifetimes::default())
    }

    /// The same, believing GitHub's answers for as long as `lifetimes` say.
    ///
    /// # Errors
    /// As [`Identity::new`].
    pub fn with_lifetimes(
        github: &GithubConfig,
        public_url: Url,
        pool: Pool,
        lifetimes: Lifetimes,
    ) -> Result<Identity> {
        let site = Site::new(public_url)?;
        let app = match github.credentials()? {
            Some((id, secret)) => Some(App::new(github, &site, id, secret, lifetimes)?),
            None => None,
        };
        Ok(Identity(Arc::new(Inner {
            pool,
            site,
            app,
            noted: Cache::builder()
                .max_capacity(100_000)
                .time_to_live(Duration::from_secs(60))
                .build(),
        })))
    }

    /// Whether people can sign in at `public_url` by the GitHub of `github`: false where no OAuth app is set.
    ///
    /// # Errors
    /// As [`Identity::new`], and [`Error::GithubUnavailable`] when GitHub can't be asked or refuses the app.
    pub async fn check(github: &GithubConfig, public_url: Url) -> Result<bool> {
        let site = Site::new(public_url)?;
        let Some((id, secret)) = github.credentials()? else {
            return Ok(false);
        };
        let app = App::new(github, &site, id, secret, Lifetimes::default())?;
        // A token that was never issued: GitHub says so to an app that it knows.
        app.people.github().standing(&"gho_none".into()).await?;
        Ok(true)
    }

    /// Who is behind a request; nobody when it shows no proof.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for proof that does not count, with what to do;
    /// [`Error::GithubUnavailable`] when GitHub would have to be asked and can't be.
    pub async fn authenticate(&self, proof: &Proof) -> Result<Option<Arc<Principal>>> {
        let result = self.authenticate_at(proof, now()).await;
        if let Err(error) = &result {
            tracing::info!(code = error.code(), "refused proof of identity: {error}");
        }
        result
    }

    async fn authenticate_at(&self, proof: &Proof, now: i64) -> Result<Option<Arc<Principal>>> {
        match proof {
            Proof::Nothing => Ok(None),
            Proof::Cookie(cookies) => {
                let cookies = cookies.expose_secret();
                match self.session_cookie(cookies)? {
                    Some(value) => self.browser(value, now).await.map(Some),
                    None => Ok(None),
                }
            }
            Proof::Bearer(token) => {
                let text = token.expose_secret();
                if text.starts_with(ingest_token::PREFIX) {
                    self.machine(token, now).await.map(Some)
                } else if is_github_token(text) {
                    self.person(token, now).await.map(Some)
                } else {
                    Err(Error::Unauthenticated(UNKNOWN_KIND))
                }
            }
        }
    }

    /// The routes `/auth/login`, `/auth/callback`, `POST /auth/logout` and `POST /webhooks/github`.
    pub fn router(&self) -> Router {
        router::router(self.clone()).merge(webhook::router(self.clone()))
    }

    /// Whether a request's headers prove that it comes from the site's own pages. A request with a
    /// cookie must: a browser sends it along whoever made it ask.
    pub fn is_same_origin(&self, headers: &HeaderMap) -> bool {
        self.0.site.is_same_origin(headers)
    }

    fn session_cookie<'a>(&self, cookies: &'a str) -> Result<Option<&'a str>> {
        let value = self.0.site.cookie(CookieKind::Session, cookies);
        value.map_err(|Ambiguous| Error::Unauthenticated(TWICE))
    }

    async fn browser(&self, value: &str, now: i64) -> Result<Arc<Principal>> {
        let session = session::find(&self.0.pool, value, now).await?;
        let principal = self.person(&session.github_token, now).await?;
        session.check_owner(&principal)?;
        if self.is_due(&session.hash, Some(session.used_at), now) {
            let (pool, hash) = (self.0.pool.clone(), session.hash);
            tokio::spawn(async move {
                note(system::note_session_use(&pool, &hash, now).await);
            });
        }
        Ok(principal)
    }

    /// The owner of a GitHub token.
    async fn person(&self, token: &SecretString, now: i64) -> Result<Arc<Principal>> {
        let owner = self.app()?.people.owner(token).await?;
        self.keep(&owner, now);
        Ok(owner.principal)
    }

    /// Keeps what GitHub says of a person, once for each time that it was asked: a change of access rules
    /// is tried out on the memberships that are known.
    fn keep(&self, owner: &Owner, now: i64) {
        if let Some(person) = owner.principal.as_person()
            && owner.is_news()
        {
            let (pool, account) = (self.0.pool.clone(), session::account(person, now));
            tokio::spawn(async move { note(system::note_account(&pool, account).await) });
        }
    }

    async fn machine(&self, token: &SecretString, now: i64) -> Result<Arc<Principal>> {
        let row = ingest_token::find(&self.0.pool, token, now).await?;
        let principal = Principal::token(Token {
            tenant_id: row.tenant_id,
            id: row.id,
            name: row.name.clone(),
            series: row
                .series
                .as_deref()
                .map(|patterns| patterns.lines().map(String::from).collect()),
        });
        if self.is_due(&row.hash, row.used_at, now) {
            let pool = self.0.pool.clone();
            tokio::spawn(async move {
                note(system::note_token_use(&pool, &row, now).await);
            });
        }
        Ok(Arc::new(principal))
    }

    /// Whether a use is to be noted: once a minute, and by one of the requests that come at once.
    fn is_due(&self, hash: &[u8], used_at: Option<i64>, now: i64) -> bool {
        used_at.is_none_or(|at| at + MINUTE <= now)
            && self.0.noted.entry_by_ref(hash).or_insert(()).is_fresh()
    }

    fn app(&self) -> Result<&App> {
        self.0
            .app
            .as_ref()
            .ok_or(Error::Unauthenticated(NOT_CONFIGURED))
    }

    /// The sign-in that GitHub's answer belongs to, and the code in it.
    fn answered(
        &self,
        cookies: &str,
        answer: Answer,
        now: i64,
    ) -> Result<(Login, SecretString), Stop> {
        let app = self.0.app.as_ref().ok_or(Stop::NotConfigured)?;
        let value = self
            .0
            .site
            .cookie(CookieKind::Login, cookies)
            .ok()
            .flatten()
            .ok_or(Stop::Mismatch)?;
        let state = answer.state.ok_or(Stop::Mismatch)?;
        let login = Login::open(&app.login_key, value, state.expose_secret(), now)?;
        let once = app
            .finished
            .entry(Sha256::digest(state.expose_secret()).into())
            .or_insert(());
        if !once.is_fresh() {
            return Err(Stop::Mismatch);
        }
        match (answer.error.as_deref(), answer.code) {
            (None, Some(code)) => Ok((login, code)),
            (Some("access_denied"), _) => Err(Stop::Denied),
            (Some(error), _) => {
                tracing::error!(
                    error,
                    "GitHub refuses to sign people in: check the OAuth app's callback"
                );
                Err(Stop::NotConfigured)
            }
            (None, None) => Err(Stop::Mismatch),
        }
    }

    /// Signs in whoever `code` stands for. The browser's session until then, if it has one, ends: a
    /// planted cookie is worth nothing afterwards.
    async fn sign_in(
        &self,
        cookies: &str,
        user_agent: &str,
        code: SecretString,
        verifier: SecretString,
        now: i64,
    ) -> Result<Result<session::Secret, Stop>> {
        let (token, principal) = match self.redeem(code, verifier).await {
            Ok(known) => known,
            Err(stop) => return Ok(Err(stop)),
        };
        let person = principal
            .as_person()
            .ok_or_else(|| Error::Internal("a GitHub token is of no person".into()))?;
        for value in self.0.site.cookies(CookieKind::Session, cookies) {
            session::end(&self.0.pool, value).await?;
        }
        let secret = session::begin(&self.0.pool, person, &token, user_agent, now).await?;
        tracing::info!(
            account.id = person.account_id,
            login = person.login,
            "signed in {}",
            person.login
        );
        Ok(Ok(secret))
    }

    async fn redeem(
        &self,
        code: SecretString,
        verifier: SecretString,
    ) -> Result<(SecretString, Arc<Principal>), Stop> {
        let app = self.0.app.as_ref().ok_or(Stop::NotConfigured)?;
        let token = app.oauth.exchange(code, verifier).await?;
        let owner = app.people.owner(&token).await?;
        // It is kept together with the session that begins.
        owner.is_news();
        Ok((token, owner.principal))
    }
}

impl App {
    fn new(
        github: &GithubConfig,
        site: &Site,
        id: String,
        secret: SecretString,
        lifetimes: Lifetimes,
    ) -> Result<Self> {
        let http = github::client()?;
        Ok(App {
            oauth: OAuth::new(http.clone(), &github.url, site.callback()?, &id, &secret)?,
            login_key: Key::derive(secret.expose_secret().as_bytes(), login::PURPOSE)?,
            links: Links::new(&github.url, &id)?,
            people: People::new(Github::new(http, &github.api_url, id, secret)?, lifetimes),
            webhook: github.webhook_secret()?.map(Webhook::new),
            finished: Cache::builder()
                .max_capacity(100_000)
                .time_to_live(Duration::from_micros(login::LIFE.unsigned_abs()))
                .build(),
        })
    }
}

const NOT_CONFIGURED: &str = "no GitHub sign-in is set up here, so only ingest tokens count: the operator \
    sets SUNDIAL_GITHUB_CLIENT_ID and its secret";
const TWICE: &str = "two session cookies came along, and only one can be Sundial's own, so neither counts: delete \
    this site's cookies in the browser, then sign in again at /auth/login";
const UNKNOWN_KIND: &str = "the Authorization header must be `Bearer` and an ingest token (sdl_…) or a \
    GitHub token of Sundial's own sign-in (gho_…); personal access tokens can't be checked";

/// Whether `token` could be one of a GitHub sign-in: `gho_`, and up to 255 letters, digits and `_` in all.
fn is_github_token(token: &str) -> bool {
    token.starts_with("gho_")
        && token.len() <= 255
        && token
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// What could not be noted is told and no more: the request is not to blame.
fn note(result: Result<()>) {
    if let Err(error) = result {
        tracing::warn!(%error, "a use or an account could not be noted");
    }
}

/// µs since 1970 UTC.
fn now() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}
