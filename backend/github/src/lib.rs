//! A stand-in for GitHub, for the demo and the tests: it answers what GitHub documents for OAuth apps and for the few
//! REST calls that Sundial makes, at the paths of GitHub Enterprise Server (`/login/*`, `/api/v3/*`).
//!
//! ```text
//! lib.rs      start, and the handle by which a test changes what GitHub answers
//! state.rs    accounts, memberships, tokens, codes: everything that is remembered
//! oauth.rs    the web flow: authorisation page, codes, PKCE, tokens
//! device.rs   the device flow
//! api.rs      the REST calls: who asks, in what version, and whether a token is the app's
//! membership.rs   those about organisations and teams
//! restriction.rs  what organisations, and GitHub itself, withhold
//! webhook.rs  deliveries, signed, for tests to send
//! shape.rs    the JSON objects of the REST calls
//! page.rs     HTML
//! ```
//!
//! Invariant: nothing here knows Sundial. What GitHub's documentation does not say is not answered.

mod api;
mod device;
mod membership;
mod oauth;
mod page;
mod restriction;
mod shape;
mod state;
mod webhook;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State as Extract};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use restriction::Limit;
use state::{Shared, State};
pub use webhook::{Delivery, Event};

/// What the stand-in is started with: where it listens and the one OAuth app that is registered with it.
#[derive(Clone)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The registered app's client id.
    pub client_id: String,
    /// The registered app's client secret.
    pub client_secret: String,
    /// The registered callback. A loopback address matches on any port, as on GitHub.
    pub callback_url: String,
    /// Requests that one account may make in an hour; GitHub's own limit is 5,000.
    pub rate_limit: u32,
    /// Where access tokens are kept across restarts; in memory only when absent.
    pub state: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            client_id: "Ov23liStandInSundial".into(),
            client_secret: "stand-in-secret".into(),
            callback_url: "http://127.0.0.1:8080/auth/callback".into(),
            rate_limit: 5_000,
            state: None,
        }
    }
}

/// A running stand-in. Dropping it ends it.
pub struct GitHub {
    address: SocketAddr,
    shared: Shared,
    server: JoinHandle<io::Result<()>>,
}

/// Starts a stand-in and returns once it accepts connections.
///
/// # Errors
/// When the address is taken, the callback is no URL, or the state file cannot be read.
pub async fn start(settings: Settings) -> io::Result<GitHub> {
    let listener = TcpListener::bind(settings.listen).await?;
    let address = listener.local_addr()?;
    let shared: Shared = Arc::new(State::open(settings, &format!("http://{address}"))?);
    let app = app(Arc::clone(&shared));
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(GitHub {
        address,
        shared,
        server,
    })
}

fn app(shared: Shared) -> Router {
    oauth::router()
        .merge(device::router())
        .nest("/api/v3", api::router())
        .fallback(|| async { page::not_found() })
        .layer(middleware::from_fn_with_state(
            Arc::clone(&shared),
            count_and_fail,
        ))
        .with_state(shared)
}

/// Counts every request, and answers those of machines with the failure that a test asked for.
async fn count_and_fail(
    Extract(shared): Extract<Shared>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let api = path.starts_with("/api/v3/");
    let machine = api || path == "/login/oauth/access_token";
    let path = path.strip_prefix("/api/v3").unwrap_or(path).to_owned();
    let failure = shared.with(|inner| {
        *inner.requests.entry(path).or_default() += 1;
        let (status, left) = inner.failure.take().filter(|_| machine)?;
        if left > 1 {
            inner.failure = Some((status, left - 1));
        }
        Some(status)
    });
    match failure {
        Some(status) => (
            status,
            axum::Json(serde_json::json!({ "message": status.canonical_reason() })),
        )
            .into_response(),
        None => match shared.with(|inner| inner.limit).filter(|_| api) {
            Some(limit) => restriction::limited(&shared, limit),
            None => next.run(request).await,
        },
    }
}

impl GitHub {
    /// The web address, such as `http://127.0.0.1:8082`: what stands for `https://github.com`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address of the API, such as `http://127.0.0.1:8082/api/v3`: what stands for `https://api.github.com`.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("{}/api/v3", self.url())
    }

    /// Replaces an account's active memberships: `mcce` is an organisation, `mcce/g1-admins` a team in it (which
    /// makes the account a member of the organisation too). An account that is not there yet is made.
    pub fn set_memberships(&self, login: &str, memberships: &[&str]) {
        self.shared
            .with(|inner| inner.set_memberships(login, memberships));
    }

    /// Invites an account to an organisation: its membership is `pending` until [`GitHub::set_memberships`].
    pub fn invite(&self, login: &str, organization: &str) {
        self.shared.with(|inner| inner.invite(login, organization));
    }

    /// Renames an account: its id stays, as on GitHub.
    pub fn rename(&self, login: &str, to: &str) {
        self.shared.with(|inner| inner.rename(login, to));
        self.shared.save();
    }

    /// Has an account show to everybody that it belongs to these organisations, and to no other.
    pub fn set_public(&self, login: &str, organizations: &[&str]) {
        let organizations = owned(organizations);
        self.shared
            .with(|inner| inner.account_or_new(login).public = organizations);
    }

    /// Replaces the organisations that have not approved the app: members' lists leave them out.
    pub fn set_unapproved(&self, organizations: &[&str]) {
        let organizations = owned(organizations);
        self.shared.with(|inner| inner.unapproved = organizations);
    }

    /// Replaces the organisations that demand single sign-on, which nobody has done: members' lists leave them
    /// out, and say so.
    pub fn set_sign_on(&self, organizations: &[&str]) {
        let organizations = owned(organizations);
        self.shared.with(|inner| inner.sign_on = organizations);
    }

    /// Refuses all calls of the API by a limit, until there is none again.
    pub fn set_limit(&self, limit: Option<Limit>) {
        self.shared.with(|inner| inner.limit = limit);
    }

    /// What GitHub would send to a webhook whose secret is `secret`, for the test to send.
    #[must_use]
    pub fn delivery(&self, secret: &str, event: Event<'_>) -> Delivery {
        webhook::deliver(&self.shared, secret, event)
    }

    /// Issues a token to `client_id` for an account, as if it had gone through the web flow. `scopes` is delimited by
    /// spaces. Another client id than the registered one makes it another app's token.
    #[must_use]
    pub fn issue_token(&self, login: &str, scopes: &str, client_id: &str) -> String {
        let token = self
            .shared
            .with(|inner| inner.issue(login, scopes, client_id));
        self.shared.save();
        token
    }

    /// Revokes a token.
    pub fn revoke(&self, token: &str) {
        self.shared
            .with(|inner| inner.tokens.retain(|known| known.token != token));
        self.shared.save();
    }

    /// Answers the next `count` requests of machines (the API and the token endpoint) with `status`.
    ///
    /// # Panics
    /// When `status` is no HTTP status.
    #[expect(
        clippy::expect_used,
        reason = "a test that names no status is wrong, and should hear so at once"
    )]
    pub fn fail_next(&self, status: u16, count: u32) {
        let status = StatusCode::from_u16(status).expect("an HTTP status from 100 to 999");
        self.shared
            .with(|inner| inner.failure = (count > 0).then_some((status, count)));
    }

    /// How many requests came for a path, without `/api/v3`: `/user`, `/login/oauth/access_token`.
    #[must_use]
    pub fn requests(&self, path: &str) -> u64 {
        self.shared
            .with(|inner| inner.requests.get(path).copied().unwrap_or_default())
    }

    /// How many requests came in all.
    #[must_use]
    pub fn all_requests(&self) -> u64 {
        self.shared.with(|inner| inner.requests.values().sum())
    }

    /// How many requests to the API were counted against an account's hour: those answered 304 were not.
    #[must_use]
    pub fn counted(&self, login: &str) -> u32 {
        self.shared.with(|inner| {
            let id = inner.account(login).map(|account| account.id);
            id.and_then(|id| inner.used.get(&id))
                .map_or(0, |(_, used)| *used)
        })
    }

    /// Moves the stand-in's clock on, so that codes age without waiting.
    pub fn advance(&self, by: Duration) {
        self.shared.with(|inner| inner.ahead += by);
    }

    /// Runs until the server ends, which it does only with its process.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn wait(mut self) -> io::Result<()> {
        (&mut self.server).await.map_err(io::Error::other)?
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl Drop for GitHub {
    fn drop(&mut self) {
        self.server.abort();
    }
}
