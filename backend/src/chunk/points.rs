//! [`Points`]: the points of one series, in order and fit to be stored.

use std::ops::Range;

use super::TIMES;

/// Points of one series: strictly ascending times within [`TIMES`] (µs since 1970 UTC), each with one finite value.
///
/// Holding one is the proof; only checked or already proven points become one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Points {
    times: Vec<i64>,
    values: Vec<f64>,
}

/// Why times and values cannot be stored. The index counts from 0 in the order given.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// Times and values do not pair up.
    #[error("{times} times but {values} values: give one value for each time")]
    Lengths {
        /// How many times were given.
        times: usize,
        /// How many values were given.
        values: usize,
    },
    /// A time lies outside of [`TIMES`].
    #[error(
        "times[{index}] is {time} µs: times run from 1970-01-01 up to, and without, 2200-01-01, in µs since 1970 UTC"
    )]
    Time {
        /// Where it stands.
        index: usize,
        /// The time, in µs since 1970 UTC.
        time: i64,
    },
    /// A value is NaN or infinite.
    #[error("values[{index}] is {value}: only finite numbers can be stored")]
    Value {
        /// Where it stands.
        index: usize,
        /// The value.
        value: f64,
    },
}

impl Points {
    /// Checks the points of one series and puts them in order of time, in whatever order they come.
    ///
    /// Where a time occurs more than once, its last occurrence wins.
    ///
    /// # Errors
    ///
    /// The first thing found that cannot be stored, see [`Unfit`].
    pub fn sort_last_wins(times: Vec<i64>, values: Vec<f64>) -> Result<Self, Unfit> {
        if times.len() != values.len() {
            return Err(Unfit::Lengths {
                times: times.len(),
                values: values.len(),
            });
        }
        if let Some(index) = times.iter().position(|time| !TIMES.contains(time)) {
            return Err(Unfit::Time {
                index,
                time: times[index],
            });
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(Unfit::Value {
                index,
                value: values[index],
            });
        }
        if times.is_sorted_by(|a, b| a < b) {
            return Ok(Self { times, values });
        }
        let mut pairs: Vec<(i64, f64)> = times.into_iter().zip(values).collect();
        // Stable, so that the last of equal times is the last one given.
        pairs.sort_by_key(|&(time, _)| time);
        let mut points = Self::with_capacity(pairs.len());
        for (time, value) in pairs {
            match points.values.last_mut() {
                Some(last) if points.times.last() == Some(&time) => *last = value,
                _ => points.push(time, value),
            }
        }
        Ok(points)
    }

    /// Takes decoded columns if they are what was once encoded: as many times as values, in order, in bounds, finite.
    pub(super) fn decoded(times: Vec<i64>, values: Vec<f64>) -> Option<Self> {
        let in_bounds = |time: Option<&i64>| time.is_none_or(|time| TIMES.contains(time));
        let fit = times.len() == values.len()
            && in_bounds(times.first())
            && in_bounds(times.last())
            && times.is_sorted_by(|a, b| a < b)
            && values.iter().all(|value| value.is_finite());
        fit.then_some(Self { times, values })
    }

    /// Room for `capacity` points, to be filled in order.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self {
            times: Vec::with_capacity(capacity),
            values: Vec::with_capacity(capacity),
        }
    }

    /// Adds a point that comes after all others.
    pub(super) fn push(&mut self, time: i64, value: f64) {
        debug_assert!(self.times.last().is_none_or(|&last| last < time));
        self.times.push(time);
        self.values.push(value);
    }

    /// Adds the points at `places` of `other`, which come after all others.
    pub(super) fn extend(&mut self, other: &Self, places: Range<usize>) {
        debug_assert!(
            places.is_empty()
                || self
                    .times
                    .last()
                    .is_none_or(|&last| last < other.times[places.start])
        );
        self.times.extend_from_slice(&other.times[places.clone()]);
        self.values.extend_from_slice(&other.values[places]);
    }

    /// Adds points that come after all others.
    pub fn append(&mut self, later: Self) {
        if self.is_empty() {
            *self = later;
        } else {
            self.extend(&later, 0..later.len());
        }
    }

    /// The points at `places` alone.
    pub fn slice(&self, places: Range<usize>) -> Self {
        Self {
            times: self.times[places.clone()].to_vec(),
            values: self.values[places].to_vec(),
        }
    }

    /// Keeps the points at `places` alone.
    pub(super) fn keep(&mut self, places: Range<usize>) {
        self.times.truncate(places.end);
        self.values.truncate(places.end);
        self.times.drain(..places.start);
        self.values.drain(..places.start);
    }

    /// How many points there are.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The times in µs since 1970 UTC, strictly ascending.
    pub fn times(&self) -> &[i64] {
        &self.times
    }

    /// The values, one for each time.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Each point's time and value, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (i64, f64)> + ExactSizeIterator {
        self.times.iter().copied().zip(self.values.iter().copied())
    }

    /// The first point's time and value.
    pub fn first(&self) -> Option<(i64, f64)> {
        Some((*self.times.first()?, *self.values.first()?))
    }

    /// The last point's time and value.
    pub fn last(&self) -> Option<(i64, f64)> {
        Some((*self.times.last()?, *self.values.last()?))
    }

    /// The places of the points within a half-open range of times.
    pub fn places(&self, range: &Range<i64>) -> Range<usize> {
        let start = self.times.partition_point(|&time| time < range.start);
        let end = self.times.partition_point(|&time| time < range.end);
        start..end.max(start)
    }

    /// The two columns, times and values.
    pub fn into_parts(self) -> (Vec<i64>, Vec<f64>) {
        (self.times, self.values)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn later_occurrence_wins() {
        let points =
            Points::sort_last_wins(vec![5, 3, 5, 4, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!(points.times(), [3, 4, 5]);
        assert_eq!(points.values(), [5.0, 4.0, 3.0]);
    }

    #[test]
    fn unfit_points_are_named_by_their_place() {
        let error = |times: Vec<i64>, values: Vec<f64>| {
            Points::sort_last_wins(times, values)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            error(vec![1, 2], vec![1.0]),
            "2 times but 1 values: give one value for each time"
        );
        assert!(error(vec![1, -1], vec![1.0, 2.0]).starts_with("times[1] is -1 µs"));
        assert!(error(vec![TIMES.end], vec![1.0]).starts_with("times[0] is 7258118400000000 µs"));
        assert_eq!(
            error(vec![1], vec![f64::NAN]),
            "values[0] is NaN: only finite numbers can be stored"
        );
        assert_eq!(
            error(vec![1], vec![-f64::INFINITY]),
            "values[0] is -inf: only finite numbers can be stored"
        );
    }

    proptest! {
        #[test]
        fn sorting_equals_a_map(pairs in prop::collection::vec((0_i64..40, -1e9..1e9_f64), 0..60)) {
            let model: BTreeMap<i64, f64> = pairs.iter().copied().collect();
            let (times, values) = pairs.into_iter().unzip();
            let points = Points::sort_last_wins(times, values).unwrap();
            prop_assert!(points.iter().eq(model.into_iter()));
        }
    }
}
