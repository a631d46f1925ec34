//! Limits: how much one asker may ask for, so that none takes the server from the others.
//!
//! A principal has an allowance of operations, over HTTP and WebSocket alike; an address one for what it asks without
//! proof, for sign-ins and for new connections; and a small one for proof that does not count.
//!
//! Invariant: each asker's allowance is its own. No number of others, real or made up, uses it.

mod address;
mod bucket;
mod guess;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::clock::DefaultClock;

pub use crate::api::limit::{address::Address, bucket::Allowance};

use crate::{
    api::limit::{
        bucket::Buckets,
        guess::{Guesses, Outcome},
    },
    error::{Error, Result},
    guard::PrincipalKey,
    identity::{Identity, Proof, Refused},
    request::Asker,
};

/// What each asker is allowed; where there is none, everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowances {
    /// Operations of one principal.
    pub principal: Option<Allowance>,
    /// Of one address: operations without proof, sign-ins and new connections.
    pub address: Option<Allowance>,
    /// Of one address: proof that does not count.
    pub failures: Option<Allowance>,
}

/// Who has asked for how much lately. Cheap to clone.
#[derive(Clone)]
pub struct Limits(Arc<Inner>);

struct Inner {
    principals: Option<Buckets<PrincipalKey>>,
    addresses: Option<Buckets<Address>>,
    guesses: Option<Guesses>,
    proxies: usize,
}

impl Limits {
    /// Limits by `allowances`, behind `proxies` proxies that say whom they hear from.
    pub fn new(allowances: Allowances, proxies: usize) -> Self {
        let clock = DefaultClock::default;
        Limits(Arc::new(Inner {
            principals: allowances.principal.map(|it| Buckets::new(it, clock())),
            addresses: allowances.address.map(|it| Buckets::new(it, clock())),
            guesses: allowances.failures.map(|it| Guesses::new(it, clock())),
            proxies,
        }))
    }

    /// Where a request comes from.
    pub fn address<B>(&self, request: &Request<B>) -> Address {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        // The server always tells; were it not to, all would share one allowance rather than have none.
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
        Address::of(peer, request.headers(), self.0.proxies)
    }

    /// Who asks from `address`, by `proof`.
    ///
    /// # Errors
    /// As [`Identity::authenticate`], and [`Error::RateLimited`] when the address has shown too much that does not
    /// count.
    pub async fn admit(&self, identity: Identity, address: Address, proof: Proof) -> Result<Asker> {
        let print = proof.fingerprint();
        let check = Asker::check(identity, proof);
        let (Some(guesses), Some(print)) = (&self.0.guesses, print) else {
            return check.await;
        };
        let outcome = |checked: &Result<Asker>| match checked {
            Ok(asker) if asker.viewer().is_some() => Outcome::Proven,
            Err(Error::Unauthenticated(_)) => Outcome::Failed,
            _ => Outcome::Unknown,
        };
        let admitted = guesses.attempt(address, Some(print), check, outcome).await;
        told("failures", admitted)?
    }

    /// Takes one operation of `asker`, at `address`, from whoever's allowance it is.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub fn operation(&self, asker: &Asker, address: Address) -> Result<()> {
        match asker.viewer() {
            Some(principal) => told("principal", take(&self.0.principals, principal.key())),
            None => self.arrival(address),
        }
    }

    /// Takes a new connection, or a step of a sign-in, from the allowance of `address`.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub fn arrival(&self, address: Address) -> Result<()> {
        told("address", take(&self.0.addresses, address))
    }
}

fn take<K>(buckets: &Option<Buckets<K>>, key: K) -> Result<()>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
{
    buckets.as_ref().map_or(Ok(()), |buckets| buckets.take(key))
}

/// `result`, counted when it is a refusal: by the limit alone, for whose it is would be without bounds.
fn told<T>(limit: &'static str, result: Result<T>) -> Result<T> {
    result.inspect_err(|_| {
        metrics::counter!("sundial_rate_limited_total", "limit" => limit).increment(1);
    })
}

/// Limits the routes of the sign-in.
pub async fn sign_in(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let address = limits.address(&request);
    let is_answer = request.uri().path() == "/auth/callback";
    let answered = match (limits.arrival(address), &limits.0.guesses) {
        (Ok(()), Some(guesses)) if is_answer => {
            let outcome = |response: &Response| match response.extensions().get::<Refused>() {
                Some(Refused) => Outcome::Failed,
                None => Outcome::Unknown,
            };
            let attempt = guesses.attempt(address, None, next.run(request), outcome);
            told("failures", attempt.await)
        }
        (Ok(()), _) => Ok(next.run(request).await),
        (Err(error), _) => Err(error),
    };
    answered.unwrap_or_else(|error| {
        let words = format!("{error}\n");
        with_retry_after(
            (StatusCode::TOO_MANY_REQUESTS, words).into_response(),
            &error,
        )
    })
}

/// `response`, with when to ask again, where `error` knows.
pub fn with_retry_after(mut response: Response, error: &Error) -> Response {
    if let Some(seconds) = error.retry_after() {
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
