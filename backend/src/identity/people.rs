//! Who is behind a GitHub token, remembered for as long as it may count unasked.
//!
//! Invariant: fails closed. What GitHub can't be asked about is no answer, and is not remembered.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use moka::{Expiry, future::Cache};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::{
    guard::{Person, Principal},
    identity::github::{Fault, Github, Standing},
};

/// SHA-256 of a token: the memory of the process holds no token longer than a request.
type Hash = [u8; 32];

/// Most tokens that are remembered at once.
const TOKENS: u64 = 10_000;

/// How long GitHub's answers count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetimes {
    /// That a token is ours.
    pub(super) standing: Duration,
    /// That it is not: short, and only so that one who insists does not use up GitHub's patience.
    pub(super) refusal: Duration,
    /// Name and memberships.
    pub(super) profile: Duration,
}

impl Default for Lifetimes {
    /// What GitHub takes back has ended here 60 s later, memberships 5 min later: each lifetime and
    /// the longest wait for the answer it follows.
    fn default() -> Self {
        Lifetimes {
            standing: Duration::from_secs(50),
            refusal: Duration::from_secs(5),
            profile: Duration::from_secs(280),
        }
    }
}

/// The owners of GitHub tokens.
pub(super) struct People {
    github: Github,
    standings: Cache<Hash, Standing>,
    profiles: Cache<Hash, Arc<Principal>>,
}

impl People {
    pub(super) fn new(github: Github, lifetimes: Lifetimes) -> Self {
        People {
            github,
            standings: Cache::builder()
                .max_capacity(TOKENS)
                .expire_after(lifetimes)
                .build(),
            profiles: Cache::builder()
                .max_capacity(TOKENS)
                .time_to_live(lifetimes.profile)
                .build(),
        }
    }

    /// The owner of `token`, which GitHub says was issued to our app. Requests that ask at the same
    /// time share one question.
    pub(super) async fn owner(&self, token: &SecretString) -> Result<Arc<Principal>, Fault> {
        let hash: Hash = Sha256::digest(token.expose_secret()).into();
        let asked = self
            .standings
            .try_get_with(hash, self.github.standing(token));
        let account_id = match asked.await.map_err(Arc::unwrap_or_clone)? {
            Standing::Ours(account_id) => account_id,
            Standing::Narrow => return Err(Fault::Narrow),
            Standing::Foreign => return Err(Fault::Foreign),
        };
        let asked = self
            .profiles
            .try_get_with(hash, self.ask(token, account_id));
        asked.await.map_err(Arc::unwrap_or_clone)
    }

    async fn ask(&self, token: &SecretString, account_id: i64) -> Result<Arc<Principal>, Fault> {
        let profile = self.github.profile(token).await?;
        if profile.id != account_id {
            return Err(Fault::Unavailable(
                "its answers contradict each other".into(),
            ));
        }
        Ok(Arc::new(Principal::person(Person {
            account_id,
            login: profile.login,
            name: profile.name,
            avatar_url: profile.avatar_url,
            memberships: profile.memberships,
        })))
    }
}

impl Expiry<Hash, Standing> for Lifetimes {
    fn expire_after_create(&self, _: &Hash, standing: &Standing, _: Instant) -> Option<Duration> {
        Some(match standing {
            Standing::Ours(_) => self.standing,
            Standing::Narrow | Standing::Foreign => self.refusal,
        })
    }

    // An answer that takes the place of one past its time is an update to the cache.
    fn expire_after_update(
        &self,
        hash: &Hash,
        standing: &Standing,
        at: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(hash, standing, at)
    }
}
