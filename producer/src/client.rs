//! GraphQL over HTTP: sends requests, and says of each failure what it means and what to do.
//!
//! Invariant: nothing here prints the token.

use std::error::Error as _;
use std::time::{Duration, Instant};

use graphql_client::{GraphQLQuery, QueryBody, Response};
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{StatusCode, redirect};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::address::Address;
use crate::cli::TokenSource;
use crate::operation::{Ingest, ServerTime, ingest, report, server_time};

/// A server, and the token to write one tenant's data with.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    endpoint: Address,
    token: TokenSource,
    tenant: String,
    name: String,
}

/// What the server says it stored.
pub type Receipt = ingest::IngestIngest;

/// One question to the server for its time.
#[derive(Debug, Clone, Copy)]
pub struct Exchange {
    /// This machine's clock when the question left.
    pub sent: Timestamp,
    /// The server's clock when it answered.
    pub server: Timestamp,
    /// From question to answer, by a clock that nobody sets.
    pub round_trip: Duration,
}

/// Why a request did not do what it should.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct Failure {
    /// What can be done about it.
    pub kind: Kind,
    /// The cause and the next step, for people.
    pub cause: String,
}

/// What can be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The same request may succeed later, not before the given time.
    Passing(Option<Duration>),
    /// It will succeed once somebody changes a setting: a token, an address, a quota.
    Setting,
    /// The server has this slot already, with other values.
    Taken,
    /// It never will.
    Refused,
    /// It was answered, but with other data than its own: it asks for something else than it should.
    Strange,
}

impl Client {
    /// A client for `/graphql` below `url`.
    ///
    /// # Errors
    /// When no TLS can be set up.
    pub fn new(
        url: &Address,
        tenant: &str,
        name: &str,
        token: TokenSource,
    ) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("sundial-producer/", env!("CARGO_PKG_VERSION")))
            // A redirected POST would arrive as a GET, or take the token elsewhere.
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(15))
            .build()?;
        Ok(Self {
            http,
            endpoint: url.join("graphql"),
            token,
            tenant: tenant.into(),
            name: name.into(),
        })
    }

    /// Sends a request of [`Ingest`] as it is.
    ///
    /// # Errors
    /// When the server did not store it, or that is not known.
    pub async fn ingest(&self, request: Vec<u8>) -> Result<Receipt, Failure> {
        let data: <Ingest as GraphQLQuery>::ResponseData = self.post(request).await?;
        Ok(data.ingest)
    }

    /// Says how a run has ended.
    ///
    /// # Errors
    /// When the server did not take it, or that is not known.
    pub async fn report(&self, report: &QueryBody<report::Variables>) -> Result<(), Failure> {
        let request = serde_json::to_vec(report).map_err(unwritable)?;
        // What it answers is known, and one part of it is asked for the first time alone.
        let _: Value = self.post(request).await?;
        Ok(())
    }

    /// Asks the server for its time.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn server_time(&self) -> Result<Exchange, Failure> {
        let request = serde_json::to_vec(&ServerTime::build_query(server_time::Variables))
            .map_err(unwritable)?;
        let (sent, started) = (Timestamp::now(), Instant::now());
        let data: <ServerTime as GraphQLQuery>::ResponseData = self.post(request).await?;
        Ok(Exchange {
            sent,
            server: data.server_time,
            round_trip: started.elapsed(),
        })
    }

    async fn post<T: DeserializeOwned>(&self, request: Vec<u8>) -> Result<T, Failure> {
        let setting = |cause| Failure {
            kind: Kind::Setting,
            cause,
        };
        let token = self
            .token
            .read()
            .map_err(|error| setting(error.to_string()))?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
            .map_err(|_| {
                setting("the token has characters that no token has; copy it anew".into())
            })?;
        bearer.set_sensitive(true);
        let post = self.http.post(self.endpoint.secret_url().clone());
        let post = post
            .header(AUTHORIZATION, bearer)
            .header(CONTENT_TYPE, "application/json")
            .body(request);
        let unreached = |error: reqwest::Error| Failure {
            kind: Kind::Passing(None),
            cause: format!(
                "cannot reach {}: {}; is the server running there?",
                self.endpoint,
                root(&error)
            ),
        };
        let response = post.send().await.map_err(unreached)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(unreached)?;
        let after = headers
            .get(RETRY_AFTER)
            .and_then(|after| after.to_str().ok()?.trim().parse().ok());
        let after = after.map(Duration::from_secs);
        let answer = serde_json::from_slice::<Response<Value>>(&body);
        match answer {
            Ok(Response {
                data: Some(data),
                errors,
                ..
            }) if errors.as_ref().is_none_or(Vec::is_empty) => {
                T::deserialize(data).map_err(|_| Failure {
                    kind: Kind::Strange,
                    cause: format!(
                        "{} answered {status} with other data than was asked for",
                        self.endpoint
                    ),
                })
            }
            Ok(Response {
                errors: Some(errors),
                ..
            }) if !errors.is_empty() => {
                let error = &errors[0];
                let code = error
                    .extensions
                    .as_ref()
                    .and_then(|more| more.get("code")?.as_str())
                    .unwrap_or_default();
                Err(self.refusal(status, code, &error.message, after))
            }
            _ => {
                let to = headers
                    .get(LOCATION)
                    .and_then(|to| to.to_str().ok())
                    .unwrap_or_default();
                Err(self.strange(status, to, after))
            }
        }
    }

    /// What a GraphQL error means.
    fn refusal(
        &self,
        status: StatusCode,
        code: &str,
        message: &str,
        after: Option<Duration>,
    ) -> Failure {
        let (tenant, name) = (&self.tenant, &self.name);
        let create = format!("`sundial token create --tenant {tenant} --name {name}`");
        let (kind, step) = match code {
            "UNAUTHENTICATED" => (
                Kind::Setting,
                format!("the token was refused; create one with {create}"),
            ),
            "FORBIDDEN" => (
                Kind::Setting,
                format!("the token may not write here; create one with {create}"),
            ),
            "NOT_FOUND" => (
                Kind::Setting,
                format!(
                    "this token opens no tenant {tenant}; check --tenant, or create a token for it with {create}"
                ),
            ),
            "QUOTA_EXCEEDED" => (
                Kind::Setting,
                format!("raise the quota of {tenant}, or write less often"),
            ),
            "CONFLICT" => (Kind::Taken, "the slot's first run stays".into()),
            "BAD_USER_INPUT" | "QUERY_TOO_COSTLY" => (
                Kind::Refused,
                "the run is dropped, as it never will be taken".into(),
            ),
            "RATE_LIMITED" | "INTERNAL" | "GITHUB_UNAVAILABLE" => {
                (Kind::Passing(after), "will be tried again".into())
            }
            _ if status.is_server_error() => (Kind::Passing(after), "will be tried again".into()),
            _ => (
                Kind::Refused,
                "is the server of another version than this producer?".into(),
            ),
        };
        Failure {
            kind,
            cause: format!("{} {code}: {message}; {step}", status.as_u16()),
        }
    }

    /// What an answer means that is no GraphQL.
    fn strange(&self, status: StatusCode, to: &str, after: Option<Duration>) -> Failure {
        let (kind, step) = match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                (Kind::Passing(after), "will be tried again".into())
            }
            StatusCode::PAYLOAD_TOO_LARGE => (
                Kind::Refused,
                "the run is too large for the server, and dropped".into(),
            ),
            _ if status.is_server_error() => (Kind::Passing(after), "will be tried again".into()),
            _ if status.is_redirection() => (
                Kind::Setting,
                format!("it redirects to {to}; name that address with --url"),
            ),
            _ => (
                Kind::Setting,
                "is --url the address of a Sundial server, without /graphql?".into(),
            ),
        };
        Failure {
            kind,
            cause: format!("{} answered {status}; {step}", self.endpoint),
        }
    }
}

fn unwritable(error: serde_json::Error) -> Failure {
    Failure {
        kind: Kind::Refused,
        cause: error.to_string(),
    }
}

/// The innermost cause: what the operating system said.
pub fn root(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(|cause| cause.source()) {
        cause = Some(deeper);
    }
    if error.is_timeout() {
        return "no answer in time".into();
    }
    cause.map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_the_token() {
        let url = Address::try_from("http://me:hidden@127.0.0.1:9").unwrap();
        let token = TokenSource::Given("sdl_hidden".into());
        let shown = format!("{token:?}");
        let client = Client::new(&url, "prod", "clock", token).unwrap();
        let shown = format!("{shown} {client:?} {client:#?}");
        assert!(!shown.contains("hidden"), "{shown}");
    }
}
