//! Who is behind a GitHub token, remembered for as long as it may count unasked.
//!
//! Invariant: fails closed. What GitHub can't be asked about is no answer, and is not remembered. The
//! age of an answer counts from when it was asked for, so that no wait for it adds to its life.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use moka::{Expiry, future::Cache, policy::EvictionPolicy, sync};
use secrecy::SecretString;

use crate::{
    guard::{Person, Principal},
    identity::github::{Fault, Github, Standing, TokenHash, hash},
};

/// Most tokens that are remembered at once.
const TOKENS: u64 = 10_000;
/// Most accounts of which GitHub has told that something changed, within a lifetime.
const ACCOUNTS: u64 = 100_000;
/// Most questions in a row that a change at GitHub overtakes.
const ROUNDS: usize = 4;
/// Longer than any question takes.
const QUESTION: Duration = Duration::from_secs(60);

/// How long GitHub's answers count, from when they were asked for.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// That a token is ours.
    pub standing: Duration,
    /// That it is not: short, and only so that one who insists does not use up GitHub's patience.
    pub refusal: Duration,
    /// Name and memberships.
    pub profile: Duration,
}

impl Default for Lifetimes {
    /// What GitHub takes back has ended here 60 s later, memberships 5 min later.
    fn default() -> Self {
        Lifetimes {
            standing: Duration::from_secs(60),
            refusal: Duration::from_secs(5),
            profile: Duration::from_secs(300),
        }
    }
}

/// An answer of GitHub's, and when it was asked for.
#[derive(Clone)]
struct Known<T> {
    asked: Instant,
    said: T,
}

/// What GitHub says of the owner of a token.
#[derive(Clone)]
pub(super) struct Owner {
    pub(super) principal: Arc<Principal>,
    /// Ids of organisations that are left out until the person has signed on with them.
    pub(super) sign_on: Arc<BTreeSet<i64>>,
    news: Arc<AtomicBool>,
}

impl Owner {
    /// Whether nobody has asked this before of the same answer of GitHub's.
    pub(super) fn is_news(&self) -> bool {
        self.news.swap(false, Ordering::Relaxed)
    }
}

/// The owners of GitHub tokens.
pub(super) struct People {
    github: Github,
    lifetimes: Lifetimes,
    standings: Cache<TokenHash, Known<Standing>>,
    owners: Cache<TokenHash, Known<Owner>>,
    /// When GitHub told that something of an account changed.
    changed: sync::Cache<i64, Instant>,
    /// When GitHub told that something of anybody changed.
    all_changed: sync::Cache<(), Instant>,
}

impl People {
    pub(super) fn new(github: Github, lifetimes: Lifetimes) -> Self {
        People {
            github,
            lifetimes,
            standings: Cache::builder()
                .max_capacity(TOKENS)
                .expire_after(lifetimes)
                .build(),
            owners: Cache::builder()
                .max_capacity(TOKENS)
                .expire_after(lifetimes)
                .build(),
            changed: sync::Cache::builder()
                .max_capacity(ACCOUNTS)
                .eviction_policy(EvictionPolicy::lru())
                .time_to_live(lifetimes.standing.max(lifetimes.profile) + QUESTION)
                .build(),
            all_changed: sync::Cache::new(1),
        }
    }

    pub(super) fn github(&self) -> &Github {
        &self.github
    }

    /// The owner of `token`, which GitHub says was issued to our app. Requests that ask at the same
    /// time share one question.
    pub(super) async fn owner(&self, token: &SecretString) -> Result<Owner, Fault> {
        self.known(token, None).await
    }

    /// The same, asked for anew, unless that was done just now.
    pub(super) async fn owner_anew(&self, token: &SecretString) -> Result<Owner, Fault> {
        let recently = Instant::now().checked_sub(self.lifetimes.refusal);
        self.known(token, recently).await
    }

    /// Forgets what GitHub said of an account, or of everybody, until now: it has changed.
    pub(super) fn forget(&self, account_id: Option<i64>) {
        let now = Instant::now();
        match account_id {
            Some(id) => self.changed.insert(id, now),
            None => self.all_changed.insert((), now),
        }
    }

    async fn known(&self, token: &SecretString, since: Option<Instant>) -> Result<Owner, Fault> {
        let hash = hash(token);
        let is_recent = |asked: Instant| since.is_none_or(|since| asked >= since);
        let standing = remembered(
            &self.standings,
            hash,
            || self.github.standing(token),
            |known| {
                is_recent(known.asked)
                    && match known.said {
                        Standing::Ours(id) => self.is_current(id, known.asked),
                        Standing::Narrow | Standing::Foreign => true,
                    }
            },
        );
        let account_id = match standing.await? {
            Standing::Ours(account_id) => account_id,
            Standing::Narrow => return Err(Fault::Narrow),
            Standing::Foreign => return Err(Fault::Foreign),
        };
        let owner = remembered(
            &self.owners,
            hash,
            || self.ask(token, account_id),
            |known| is_recent(known.asked) && self.is_current(account_id, known.asked),
        );
        let owner = owner.await;
        if matches!(owner, Err(Fault::Foreign)) {
            // It was taken back since it was checked. GitHub shuts out an account whose tokens fail it time
            // and again; a check of ours does not count as that.
            self.standings.invalidate(&hash).await;
        }
        owner
    }

    /// Whether nothing of the account has changed since `asked`, as far as GitHub told.
    fn is_current(&self, account_id: i64, asked: Instant) -> bool {
        let changed = self.changed.get(&account_id);
        let changed = changed.max(self.all_changed.get(&()));
        changed.is_none_or(|changed| asked > changed)
    }

    async fn ask(&self, token: &SecretString, account_id: i64) -> Result<Owner, Fault> {
        let profile = self.github.profile(token).await?;
        if profile.id != account_id {
            return Err(Fault::unavailable("its answers contradict each other"));
        }
        let principal = Principal::person(Person {
            account_id,
            login: profile.login,
            name: profile.name,
            avatar_url: profile.avatar_url,
            memberships: profile.memberships,
        });
        Ok(Owner {
            principal: Arc::new(principal),
            sign_on: Arc::new(profile.sign_on),
            news: Arc::new(AtomicBool::new(true)),
        })
    }
}

/// What is remembered of a token, or else asked for, if it counts. A question that was under way when
/// something changed may have been answered before that: its answer does not count, and it is asked again.
async fn remembered<T, F>(
    memory: &Cache<TokenHash, Known<T>>,
    hash: TokenHash,
    ask: impl Fn() -> F,
    counts: impl Fn(&Known<T>) -> bool,
) -> Result<T, Fault>
where
    T: Clone + Send + Sync + 'static,
    F: Future<Output = Result<T, Fault>>,
{
    for _ in 0..ROUNDS {
        let question = async {
            let asked = Instant::now();
            let said = ask().await?;
            Ok(Known { asked, said })
        };
        let known = memory.try_get_with(hash, question).await;
        let known = known.map_err(|fault: Arc<Fault>| Arc::unwrap_or_clone(fault))?;
        if counts(&known) {
            return Ok(known.said);
        }
        // Others may have asked meanwhile: theirs stays.
        if memory.get(&hash).await.is_some_and(|known| !counts(&known)) {
            memory.invalidate(&hash).await;
        }
    }
    Err(Fault::unavailable("what it says changes all the time"))
}

impl Lifetimes {
    fn left<T: Lasting>(&self, known: &Known<T>, now: Instant) -> Option<Duration> {
        let age = now.saturating_duration_since(known.asked);
        Some(known.said.lifetime(self).saturating_sub(age))
    }
}

/// How long an answer counts.
trait Lasting: Send + Sync + 'static {
    fn lifetime(&self, lifetimes: &Lifetimes) -> Duration;
}

impl Lasting for Standing {
    fn lifetime(&self, lifetimes: &Lifetimes) -> Duration {
        match self {
            Standing::Ours(_) => lifetimes.standing,
            Standing::Narrow | Standing::Foreign => lifetimes.refusal,
        }
    }
}

impl Lasting for Owner {
    fn lifetime(&self, lifetimes: &Lifetimes) -> Duration {
        lifetimes.profile
    }
}

impl<T: Lasting> Expiry<TokenHash, Known<T>> for Lifetimes {
    fn expire_after_create(
        &self,
        _: &TokenHash,
        known: &Known<T>,
        now: Instant,
    ) -> Option<Duration> {
        self.left(known, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::github;

    #[tokio::test]
    async fn answer_from_the_moment_of_a_change_does_not_count() {
        let (http, api) = (github::client().unwrap(), "http://127.0.0.1:9");
        let github = Github::new(http, &api.parse().unwrap(), "a".into(), "b".into());
        let people = People::new(github.unwrap(), Lifetimes::default());
        let before = Instant::now();
        people.forget(Some(7));
        let changed = people.changed.get(&7).unwrap();
        assert!(!people.is_current(7, before));
        assert!(!people.is_current(7, changed));
        assert!(people.is_current(7, changed + Duration::from_nanos(1)));
        assert!(people.is_current(8, before));
    }
}
