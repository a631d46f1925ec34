//! What may happen each second is said once a minute.

use std::time::{Duration, Instant};

/// Counts what happens until it is said.
#[derive(Debug, Default)]
pub struct Seldom {
    count: u64,
    said: Option<Instant>,
}

impl Seldom {
    /// Counts `more`, and tells the count since it was told last, unless it is 0 or that was within a minute.
    pub fn count(&mut self, more: u64) -> Option<u64> {
        self.count_at(Instant::now(), more)
    }

    fn count_at(&mut self, now: Instant, more: u64) -> Option<u64> {
        self.count += more;
        let due = self
            .said
            .is_none_or(|said| now.duration_since(said) >= Duration::from_secs(60));
        if self.count == 0 || !due {
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_told_as_one() {
        let mut seldom = Seldom::default();
        let now = Instant::now();
        let mut count = |second, more| seldom.count_at(now + Duration::from_secs(second), more);
        assert_eq!(count(0, 0), None);
        assert_eq!(count(1, 1), Some(1));
        assert_eq!((count(2, 2), count(60, 3)), (None, None));
        assert_eq!((count(61, 0), count(62, 0)), (Some(5), None));
    }
}
