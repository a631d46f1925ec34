//! An allowance for each of many: by GCRA, a leaky bucket that is one number.

use std::{hash::Hash, num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use moka::{policy::EvictionPolicy, sync::Cache};

use crate::error::{Error, Result};

/// Most askers that are told apart at once, some 200 bytes each.
const ASKERS: u64 = 50_000;

/// How much one asker may ask for.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// At once, after a rest.
    pub burst: NonZeroU32,
    /// How soon one more is granted.
    pub every: Duration,
}

impl Allowance {
    /// `rate` in each `period`, and at once what `periods` of them give; `None`, no limit, for 0.
    pub fn of(rate: u32, period: Duration, periods: u32) -> Option<Self> {
        Some(Allowance {
            burst: NonZeroU32::new(rate.saturating_mul(periods))?,
            every: period.checked_div(rate)?,
        })
    }

    pub(super) fn quota(&self) -> Quota {
        // Shorter than a nanosecond is no limit that a machine could reach.
        let every = self.every.max(Duration::from_nanos(1));
        let quota = Quota::with_period(every).unwrap_or_else(|| Quota::per_second(self.burst));
        quota.allow_burst(self.burst)
    }

    /// What is kept of each asker, until it has rested so long that nothing needs to be known. Behind the most that are
    /// kept, the one that rested longest goes: whoever makes up addresses by the thousand has each of them forgotten,
    /// and takes nothing from anybody.
    pub(super) fn kept<K: Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static>(
        &self,
    ) -> Cache<K, V> {
        Cache::builder()
            .max_capacity(ASKERS)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(self.every.saturating_mul(self.burst.get()))
            .build()
    }
}

/// The refusal that names when to come again.
pub(super) fn limited(wait: Duration) -> Error {
    let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
    Error::RateLimited {
        retry_after: seconds.max(1),
    }
}

type Bucket<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// The same allowance for each `K`.
pub(super) struct Buckets<K, C: Clock = DefaultClock> {
    quota: Quota,
    clock: C,
    buckets: Cache<K, Arc<Bucket<C>>>,
}

impl<K, C> Buckets<K, C>
where
    K: Hash + Eq + Send + Sync + 'static,
    C: Clock + Clone + Send + Sync + 'static,
{
    pub(super) fn new(allowance: Allowance, clock: C) -> Self {
        Buckets {
            quota: allowance.quota(),
            clock,
            buckets: allowance.kept(),
        }
    }

    /// Takes one from the allowance of `key`.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when nothing is left.
    pub(super) fn take(&self, key: K) -> Result<()> {
        let full = || {
            Arc::new(RateLimiter::direct_with_clock(
                self.quota,
                self.clock.clone(),
            ))
        };
        let bucket = self.buckets.get_with(key, full);
        bucket
            .check()
            .map_err(|until| limited(until.wait_time_from(self.clock.now())))
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn buckets(rate: u32) -> (Buckets<u32, FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let allowance = Allowance::of(rate, SECOND, 10).unwrap();
        (Buckets::new(allowance, clock.clone()), clock)
    }

    fn wait(result: Result<()>) -> u32 {
        match result {
            Err(Error::RateLimited { retry_after }) => retry_after,
            other => panic!("not limited: {other:?}"),
        }
    }

    #[test]
    fn burst_is_granted_at_once_and_then_the_rate() {
        let (buckets, clock) = buckets(2);
        for _ in 0..20 {
            buckets.take(1).unwrap();
        }
        assert_eq!(wait(buckets.take(1)), 1);
        clock.advance(SECOND / 2);
        buckets.take(1).unwrap();
        buckets.take(1).unwrap_err();
        clock.advance(SECOND * 60);
        for _ in 0..20 {
            buckets.take(1).unwrap();
        }
        buckets.take(1).unwrap_err();
    }

    #[test]
    fn wait_is_told_in_whole_seconds_and_is_enough() {
        let every = Duration::from_millis(4_200);
        let allowance = Allowance {
            burst: NonZeroU32::MIN,
            every,
        };
        let clock = FakeRelativeClock::default();
        let buckets = Buckets::new(allowance, clock.clone());
        buckets.take(1).unwrap();
        assert_eq!(wait(buckets.take(1)), 5);
        clock.advance(SECOND * 4);
        assert_eq!(wait(buckets.take(1)), 1);
        clock.advance(SECOND);
        buckets.take(1).unwrap();
    }

    #[test]
    fn one_takes_nothing_from_another() {
        let (buckets, _) = buckets(1);
        while buckets.take(1).is_ok() {}
        for _ in 0..10 {
            buckets.take(2).unwrap();
        }
        buckets.take(2).unwrap_err();
    }

    #[test]
    fn flood_of_askers_is_bounded_and_costs_nobody() {
        let (buckets, _) = buckets(1);
        while buckets.take(0).is_ok() {}
        for stranger in 1..=3 * u32::try_from(ASKERS).unwrap() {
            buckets.take(stranger).unwrap();
            if stranger % 1_000 == 0 {
                // Whoever goes on asking is remembered throughout.
                buckets.take(0).unwrap_err();
            }
        }
        buckets.buckets.run_pending_tasks();
        assert!(buckets.buckets.entry_count() <= ASKERS);
    }

    #[test]
    fn zero_is_no_limit() {
        assert!(Allowance::of(0, SECOND, 10).is_none());
        assert!(Allowance::of(u32::MAX, SECOND, 10).is_some());
    }
}
