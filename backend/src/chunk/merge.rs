//! Several runs of one series into one: by time, the last write winning.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::Points;

/// Points of one series that were written together, and their place in the order of writes.
#[derive(Debug, Clone)]
pub struct Run {
    /// Among points of the same time, the one with the highest `seq` wins; of equals, the run that is given later.
    pub seq: i64,
    /// The points.
    pub points: Points,
}

/// Merges runs, given in any order, into the points within a half-open range of times.
pub fn merge(mut runs: Vec<Run>, range: Range<i64>) -> Points {
    // Stable: after this, a run's place says who wins.
    runs.sort_by_key(|run| run.seq);
    let mut runs: Vec<(Points, Range<usize>)> = runs
        .into_iter()
        .map(|Run { points, .. }| {
            let places = points.places(&range);
            (points, places)
        })
        .filter(|(_, places)| !places.is_empty())
        .collect();
    if runs.len() < 2 {
        let Some((mut points, places)) = runs.pop() else {
            return Points::default();
        };
        points.keep(places);
        return points;
    }

    let mut merged = Points::with_capacity(runs.iter().map(|(_, places)| places.len()).sum());
    // The earliest next time comes out first; of equal ones, that of the last write.
    let mut next: BinaryHeap<(Reverse<i64>, usize)> = runs
        .iter()
        .enumerate()
        .map(|(run, (points, places))| (Reverse(points.times()[places.start]), run))
        .collect();
    while let Some((Reverse(time), run)) = next.pop() {
        let (points, places) = &mut runs[run];
        if merged.last().is_some_and(|(last, _)| last == time) {
            places.start += 1;
        } else {
            // All that lies before any other run's next point can be taken at once.
            let until = next
                .peek()
                .map_or(i64::MAX, |&(Reverse(other), _)| other.max(time + 1));
            let end = places.start + before(&points.times()[places.clone()], until);
            merged.extend(points, places.start..end);
            places.start = end;
        }
        if places.start < places.end {
            next.push((Reverse(points.times()[places.start]), run));
        }
    }
    merged
}

/// How many of the sorted `times` lie before `until`; quick when they are few, as in runs that interleave.
fn before(times: &[i64], until: i64) -> usize {
    let mut bound = 1;
    while bound < times.len() && times[bound] < until {
        bound *= 2;
    }
    let start = bound / 2;
    start + times[start..times.len().min(bound)].partition_point(|&time| time < until)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn run(seq: i64, times: &[i64]) -> Run {
        Run {
            seq,
            points: Points::sort_last_wins(times.to_vec(), vec![seq as f64; times.len()]).unwrap(),
        }
    }

    #[test]
    fn last_write_wins_whatever_the_order_given() {
        for runs in [
            [run(1, &[1, 2, 3]), run(2, &[2, 4])],
            [run(2, &[2, 4]), run(1, &[1, 2, 3])],
        ] {
            let merged = merge(runs.to_vec(), 0..10);
            assert_eq!(merged.times(), [1, 2, 3, 4]);
            assert_eq!(merged.values(), [1.0, 2.0, 1.0, 2.0]);
        }
    }

    #[test]
    fn range_is_half_open() {
        assert_eq!(merge(vec![run(1, &[1, 2, 3])], 1..3).times(), [1, 2]);
        assert_eq!(
            merge(vec![run(1, &[1, 3]), run(2, &[2, 4])], 2..4).times(),
            [2, 3]
        );
        assert!(merge(vec![run(1, &[1, 2, 3])], 4..9).is_empty());
        assert!(merge(Vec::new(), 0..10).is_empty());
    }

    proptest! {
        #[test]
        fn merging_equals_a_map(
            mut writes in prop::collection::vec(
                (0_i64..6, prop::collection::btree_map(0_i64..80, -1e9..1e9_f64, 0..40)),
                0..8,
            ),
            from in 0_i64..80,
            length in -5_i64..90,
        ) {
            let range = from..from + length;
            let runs = writes
                .iter()
                .map(|(seq, points)| {
                    let (times, values) = points.iter().unzip();
                    Run { seq: *seq, points: Points::sort_last_wins(times, values).unwrap() }
                })
                .collect();
            writes.sort_by_key(|(seq, _)| *seq);
            let model: BTreeMap<i64, f64> = writes.into_iter().flat_map(|(_, points)| points).collect();
            let expected: Vec<(i64, f64)> = model.into_iter().filter(|(time, _)| range.contains(time)).collect();
            let merged: Vec<(i64, f64)> = merge(runs, range).iter().collect();
            prop_assert_eq!(merged, expected);
        }
    }
}
