//! What is known of points without reading them.

use super::Points;

/// A sum that keeps what rounding would lose: about twice the precision of an `f64`.
///
/// It is the unevaluated sum of two numbers (Knuth's two-sum, The Art of Computer Programming 2, 4.2.2), so that sums of
/// parts, in whatever parts, add up to the same `f64`; nearly so where values cancel out over more than 100 bits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sum {
    /// The sum, rounded.
    pub rounded: f64,
    /// What rounding took.
    pub rest: f64,
}

impl Sum {
    /// The sum of one value.
    pub fn of(value: f64) -> Self {
        Sum {
            rounded: value,
            rest: 0.0,
        }
    }

    /// Adds a value.
    pub fn add(&mut self, value: f64) {
        let rounded = self.rounded + value;
        let part = rounded - self.rounded;
        self.rest += (self.rounded - (rounded - part)) + (value - part);
        self.rounded = rounded;
    }

    /// Adds another sum.
    pub fn append(&mut self, other: Sum) {
        self.add(other.rounded);
        self.rest += other.rest;
    }

    /// The sum as a number; nothing where adding up left the range of `f64`.
    pub fn total(self) -> Option<f64> {
        let total = self.rounded + self.rest;
        total.is_finite().then_some(total)
    }
}

/// A time in µs since 1970 UTC, and the value then.
pub type Point = (i64, f64);

/// Points of one series in short: how many, which are the first, last, least and greatest (of equals the earliest), and
/// what they add up to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// How many points, at least one.
    pub count: u64,
    /// The earliest.
    pub first: Point,
    /// The latest.
    pub last: Point,
    /// The one with the least value.
    pub min: Point,
    /// The one with the greatest value.
    pub max: Point,
    /// All values together.
    pub sum: Sum,
}

impl Summary {
    /// Of the points at `places`; nothing where there are none.
    pub fn of(points: &Points, places: std::ops::Range<usize>) -> Option<Self> {
        let times = points.times().get(places.clone())?;
        let values = points.values().get(places)?;
        let (&first, rest) = values.split_first()?;
        // Places, for times are looked up twice only.
        let (mut min, mut max, mut sum) = ((0, first), (0, first), Sum::of(first));
        for (place, &value) in (1..).zip(rest) {
            if value < min.1 {
                min = (place, value);
            }
            if value > max.1 {
                max = (place, value);
            }
            sum.add(value);
        }
        let at = |place: usize| times.get(place).copied();
        Some(Summary {
            count: values.len() as u64,
            first: (*times.first()?, first),
            last: (*times.last()?, *values.last()?),
            min: (at(min.0)?, min.1),
            max: (at(max.0)?, max.1),
            sum,
        })
    }

    /// Adds what comes after these points.
    pub fn append(&mut self, later: &Summary) {
        self.count += later.count;
        self.last = later.last;
        if later.min.1 < self.min.1 {
            self.min = later.min;
        }
        if later.max.1 > self.max.1 {
            self.max = later.max;
        }
        self.sum.append(later.sum);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chunk::column::tests::points;

    #[test]
    fn sums_lose_nothing_to_the_order_of_magnitudes() {
        let mut sum = Sum::of(1e16);
        for value in [1.0, 1e-9, -1e16] {
            sum.add(value);
        }
        assert_eq!(sum.total(), Some(1.0 + 1e-9));
        let mut beyond = Sum::of(f64::MAX);
        beyond.add(f64::MAX);
        beyond.add(-f64::MAX);
        assert_eq!(beyond.total(), None);
    }

    #[test]
    fn no_points_no_summary() {
        assert_eq!(Summary::of(&Points::default(), 0..0), None);
    }

    proptest! {
        #[test]
        fn parts_add_up_to_the_whole(points in points(300), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4)) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(points.len())).collect();
            cuts.extend([0, points.len()]);
            cuts.sort_unstable();
            let mut parts = cuts.windows(2).filter_map(|pair| Summary::of(&points, pair[0]..pair[1]));
            let mut added = parts.next().unwrap();
            for part in parts {
                added.append(&part);
            }
            let whole = Summary::of(&points, 0..points.len()).unwrap();
            let sum = Sum::of(0.0);
            prop_assert_eq!(Summary { sum, ..added }, Summary { sum, ..whole });
            let (one, other) = (added.sum.total(), whole.sum.total());
            // Values that differ by hundreds of orders of magnitude may cancel out at the last bits that are kept.
            let size: f64 = points.values().iter().map(|value| value.abs() * 1e-25).sum();
            prop_assert!(one.zip(other).is_none_or(|(one, other)| (one - other).abs() <= size), "{one:?} {other:?}");
            prop_assert_eq!(whole.min.1, points.values().iter().copied().fold(f64::MAX, f64::min));
            prop_assert_eq!(whole.max.1, points.values().iter().copied().fold(f64::MIN, f64::max));
        }
    }
}
