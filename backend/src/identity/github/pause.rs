//! Until when GitHub wants not to be asked.

use std::{
    hash::Hash,
    time::{Duration, Instant},
};

use moka::{policy::EvictionPolicy, sync::Cache};

use crate::identity::github::answer::Fault;

/// Who must not ask for now, and until when. No pause is longer than an hour.
pub(super) struct Pauses<K>(Cache<K, Instant>);

impl<K: Hash + Eq + Send + Sync + 'static> Pauses<K> {
    /// Pauses of at most `capacity` askers at once.
    pub(super) fn new(capacity: u64) -> Self {
        let hour = Duration::from_secs(3600);
        Pauses(
            Cache::builder()
                .max_capacity(capacity)
                .eviction_policy(EvictionPolicy::lru())
                .time_to_live(hour)
                .build(),
        )
    }

    /// Lets `asker` ask, unless it must wait.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] with the seconds that are left.
    pub(super) fn check(&self, asker: &K) -> Result<(), Fault> {
        let until = self.0.get(asker);
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        match left.filter(|left| !left.is_zero()) {
            None => Ok(()),
            // Rounded up: who comes back when told is let through.
            Some(left) => Err(Fault::limited(
                u32::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u32::MAX),
            )),
        }
    }

    /// Has `asker` wait for so many seconds; a longer wait that it was told before stands.
    pub(super) fn begin(&self, asker: K, seconds: u32) {
        let until = Instant::now() + Duration::from_secs(seconds.into());
        self.0.entry(asker).and_upsert_with(|before| {
            before.map_or(until, |before| before.into_value().max(until))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(pauses: &Pauses<u8>, asker: u8) -> Option<u32> {
        match pauses.check(&asker) {
            Ok(()) => None,
            Err(Fault::Unavailable { retry_after, .. }) => Some(retry_after),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_the_one_that_was_told_waits() {
        let pauses = Pauses::new(10);
        pauses.begin(1, 1);
        assert_eq!((left(&pauses, 1), left(&pauses, 2)), (Some(1), None));
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(left(&pauses, 1), None);
    }

    #[test]
    fn longer_wait_stands() {
        let pauses = Pauses::new(10);
        pauses.begin(1, 100);
        pauses.begin(1, 10);
        assert_eq!(left(&pauses, 1), Some(100));
        pauses.begin(1, 200);
        assert_eq!(left(&pauses, 1), Some(200));
    }
}
