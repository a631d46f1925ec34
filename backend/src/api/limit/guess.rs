//! Proof that does not count, by address: whoever guesses is stopped soon, and whoever is known goes on beside it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock, Reference},
    middleware::StateInformationMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};
use moka::{policy::EvictionPolicy, sync::Cache};
use tokio::sync::Semaphore;

use crate::{
    api::limit::{
        address::Address,
        bucket::{Allowance, limited},
    },
    error::Result,
};

/// Most checks of unknown proof at once for one address. It bounds what an address can ask before the first refusals
/// are counted; others wait, so that the many browsers behind one address all get in after a restart.
const CHECKS: usize = 16;
/// Most proofs that are known to have counted.
const PROVEN: u64 = 50_000;
/// How long after its last use proof is known to have counted.
const KNOWN: Duration = Duration::from_secs(600);

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The proof counts.
    Proven,
    /// It does not.
    Failed,
    /// Neither: nothing was shown, or GitHub can't be asked.
    Unknown,
}

/// Counts failed attempts, and refuses more.
pub(super) struct Guesses<C: Clock = DefaultClock> {
    quota: Quota,
    clock: C,
    guessers: Cache<Address, Arc<Guesser<C>>>,
    /// SHA-256 of proof that counted lately. It opens nothing: it only is no guess.
    proven: Cache<[u8; 32], ()>,
}

struct Guesser<C: Clock> {
    failures: RateLimiter<NotKeyed, InMemoryState, C, StateInformationMiddleware>,
    /// No unknown proof is checked before this.
    closed_until: Mutex<Option<C::Instant>>,
    checks: Semaphore,
}

impl<C: Clock + Clone + Send + Sync + 'static> Guesses<C> {
    pub(super) fn new(allowance: Allowance, clock: C) -> Self {
        Guesses {
            quota: allowance.quota(),
            clock,
            guessers: allowance.kept(),
            proven: Cache::builder()
                .max_capacity(PROVEN)
                .eviction_policy(EvictionPolicy::lru())
                .time_to_idle(KNOWN)
                .build(),
        }
    }

    /// Makes an attempt from `address`, by the proof whose hash is `print` where there is one, and counts what
    /// `outcome` says of it.
    ///
    /// # Errors
    /// [`Error::RateLimited`](crate::Error::RateLimited) when the address has failed too often, unless this proof
    /// counted lately: then the attempt is not made.
    pub(super) async fn attempt<T>(
        &self,
        address: Address,
        print: Option<[u8; 32]>,
        attempt: impl Future<Output = T>,
        outcome: impl FnOnce(&T) -> Outcome,
    ) -> Result<T> {
        let guesser = self.guessers.get_with(address, || {
            let failures = RateLimiter::direct_with_clock(self.quota, self.clock.clone());
            Arc::new(Guesser {
                failures: failures.with_middleware(),
                closed_until: Mutex::new(None),
                checks: Semaphore::new(CHECKS),
            })
        });
        let is_known = || print.is_some_and(|print| self.proven.get(&print).is_some());
        let mut turn = None;
        if !is_known() {
            guesser.is_open(&self.clock)?;
            turn = guesser.checks.acquire().await.ok();
            // Those before it may have used up what was left, or proven the same.
            if !is_known() {
                guesser.is_open(&self.clock)?;
            }
        }
        let attempted = attempt.await;
        match (outcome(&attempted), print) {
            (Outcome::Proven, Some(print)) => self.proven.insert(print, ()),
            (Outcome::Failed, print) => {
                guesser.count(&self.clock);
                if let Some(print) = print {
                    self.proven.invalidate(&print);
                }
            }
            _ => {}
        }
        drop(turn);
        Ok(attempted)
    }
}

impl<C: Clock> Guesser<C> {
    fn is_open(&self, clock: &C) -> Result<()> {
        let closed_until = self.closed_until.lock();
        let until = *closed_until.unwrap_or_else(PoisonError::into_inner);
        match until.map(|until| Duration::from(until.duration_since(clock.now()))) {
            Some(wait) if !wait.is_zero() => Err(limited(wait)),
            _ => Ok(()),
        }
    }

    /// Counts a failure, and closes when it was the last that was left.
    fn count(&self, clock: &C) {
        let until = match self.failures.check() {
            Ok(left) if left.remaining_burst_capacity() > 0 => return,
            Ok(left) => clock.now() + Nanos::from(left.quota().replenish_interval()),
            Err(until) => until.earliest_possible(),
        };
        let closed_until = self.closed_until.lock();
        *closed_until.unwrap_or_else(PoisonError::into_inner) = Some(until);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr},
        sync::atomic::{AtomicU32, Ordering},
    };

    use governor::clock::FakeRelativeClock;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn address(last: u8) -> Address {
        IpAddr::from(Ipv4Addr::new(192, 0, 2, last)).into()
    }

    struct World {
        guesses: Guesses<FakeRelativeClock>,
        clock: FakeRelativeClock,
        checked: AtomicU32,
    }

    impl World {
        fn new() -> Self {
            let clock = FakeRelativeClock::default();
            let allowance = Allowance::of(10, MINUTE, 3).unwrap();
            World {
                guesses: Guesses::new(allowance, clock.clone()),
                clock,
                checked: AtomicU32::new(0),
            }
        }

        async fn attempt(&self, from: u8, proof: u8, outcome: Outcome) -> Result<()> {
            let check = async {
                tokio::task::yield_now().await;
                self.checked.fetch_add(1, Ordering::Relaxed);
            };
            let print = Some([proof; 32]);
            self.guesses
                .attempt(address(from), print, check, |()| outcome)
                .await
        }

        /// Fails until refused, and tells how often it was checked.
        async fn fail(&self, from: u8) -> u32 {
            let before = self.checked.load(Ordering::Relaxed);
            while self.attempt(from, 0, Outcome::Failed).await.is_ok() {}
            self.checked.load(Ordering::Relaxed) - before
        }
    }

    #[tokio::test]
    async fn guesses_end_at_the_allowance_and_come_back_with_time() {
        let world = World::new();
        assert_eq!(world.fail(1).await, 30);
        world.clock.advance(MINUTE / 10 - Duration::from_millis(1));
        assert_eq!(world.fail(1).await, 0);
        world.clock.advance(Duration::from_millis(1));
        assert_eq!(world.fail(1).await, 1);
        world.clock.advance(MINUTE);
        assert_eq!(world.fail(1).await, 10);
        assert_eq!(world.fail(2).await, 30);
    }

    #[tokio::test]
    async fn guesses_at_the_same_time_are_bounded_too() {
        let world = World::new();
        let many = (0..1_000).map(|_| world.attempt(1, 0, Outcome::Failed));
        futures::future::join_all(many).await;
        let most = 30 + u32::try_from(CHECKS).unwrap();
        let checked = world.checked.load(Ordering::Relaxed);
        assert!((30..most).contains(&checked), "{checked}");
    }

    #[tokio::test]
    async fn known_proof_counts_beside_a_guesser() {
        let world = World::new();
        world.attempt(1, 7, Outcome::Proven).await.unwrap();
        world.fail(1).await;
        world.attempt(1, 7, Outcome::Proven).await.unwrap();
        assert!(world.attempt(1, 8, Outcome::Proven).await.is_err());
        // From elsewhere the unknown is no guess.
        world.attempt(2, 8, Outcome::Proven).await.unwrap();
        world.attempt(1, 8, Outcome::Proven).await.unwrap();
    }

    #[tokio::test]
    async fn proof_that_counts_no_more_is_a_guess_again() {
        let world = World::new();
        world.attempt(1, 7, Outcome::Proven).await.unwrap();
        world.fail(1).await;
        world.attempt(1, 7, Outcome::Failed).await.unwrap();
        world.attempt(1, 7, Outcome::Failed).await.unwrap_err();
    }

    #[tokio::test]
    async fn success_and_outage_are_no_guesses() {
        let world = World::new();
        for proof in 0..100 {
            world.attempt(1, proof, Outcome::Proven).await.unwrap();
            world.attempt(1, 200, Outcome::Unknown).await.unwrap();
        }
        assert_eq!(world.fail(1).await, 30);
    }

    #[tokio::test]
    async fn many_at_once_with_proof_that_counts_are_all_let_in() {
        let world = World::new();
        let many = (0..200).map(|proof| world.attempt(1, proof, Outcome::Proven));
        let all = futures::future::join_all(many).await;
        assert!(all.iter().all(Result::is_ok));
    }
}
