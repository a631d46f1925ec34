//! Fewer points that draw the same line.

use std::ops::Range;

use super::{Cells, Edges, Points};

/// Fewer points than this cannot show the first, last, least and greatest.
pub const LEAST_POINTS: usize = 4;

/// Too few points asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} points cannot show a series: ask for at least {LEAST_POINTS}, best for four times the chart's width in pixels"
)]
pub struct TooFewPoints(pub usize);

/// Cells of which [`extremes`] are at most `most` points, such that a line through them looks like the line through all.
///
/// This is M4 (Jugel and others, "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014): the stretch from
/// the first to the last point is cut into `most / 4` equal columns, and of each the first, last, least and greatest
/// point remain (of equal values the earliest). With four times as many points as the chart has pixels in width, no pixel
/// differs.
///
/// # Errors
///
/// [`TooFewPoints`] if `most` is less than [`LEAST_POINTS`], whatever the points.
pub fn columns(stretch: &Range<i64>, most: usize) -> Result<Edges, TooFewPoints> {
    if most < LEAST_POINTS {
        return Err(TooFewPoints(most));
    }
    let columns = (most / 4) as i64;
    // Rounded up, so that the columns reach beyond the last point.
    let width = ((stretch.end - stretch.start).max(1) - 1) / columns + 1;
    let edges = (0..=columns).map(|column| stretch.start + column * width);
    Ok(Edges::new(edges.collect()))
}

/// The first, last, least and greatest point of each cell, each once.
pub fn extremes(cells: &Cells) -> Points {
    let mut kept = Points::default();
    for summary in cells.iter().filter_map(|(_, held)| held) {
        let (one, other) = (summary.min, summary.max);
        let (earlier, later) = if one.0 < other.0 {
            (one, other)
        } else {
            (other, one)
        };
        for (time, value) in [summary.first, earlier, later, summary.last] {
            if kept.last().is_none_or(|(last, _)| last < time) {
                kept.push(time, value);
            }
        }
    }
    kept
}

/// At most `most` of the points, by [`columns`] and [`extremes`]. Where there are no more than `most`, they stay as they are.
///
/// # Errors
///
/// As [`columns`].
pub fn downsample(points: Points, most: usize) -> Result<Points, TooFewPoints> {
    let (first, last) = match (points.first(), points.last()) {
        (Some((first, _)), Some((last, _))) => (first, last),
        _ => (0, 0),
    };
    let edges = columns(&(first..last + 1), most)?;
    if points.len() <= most {
        return Ok(points);
    }
    let mut cells = Cells::new(edges.clone());
    for summary in edges.summarize(&points) {
        cells.append(&summary);
    }
    Ok(extremes(&cells))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn points(values: &[f64]) -> Points {
        Points::sort_last_wins(
            (0..values.len() as i64).map(|i| 1_000_000 * i).collect(),
            values.to_vec(),
        )
        .unwrap()
    }

    #[test]
    fn few_points_stay_as_they_are() {
        let some = points(&[1.0, 2.0, 1.0, 0.5, 3.0]);
        assert_eq!(downsample(some.clone(), 5), Ok(some));
        assert_eq!(downsample(Points::default(), 4), Ok(Points::default()));
        assert_eq!(downsample(Points::default(), 3), Err(TooFewPoints(3)));
    }

    #[test]
    fn one_spike_among_many_survives() {
        let mut values = vec![1.0; 100_000];
        values[54_321] = 9.0;
        values[54_400] = -9.0;
        let kept = downsample(points(&values), 400).unwrap();
        assert!(kept.iter().any(|point| point == (54_321_000_000, 9.0)));
        assert!(kept.iter().any(|point| point == (54_400_000_000, -9.0)));
    }

    proptest! {
        #[test]
        fn ends_and_extremes_remain_within_the_bound(
            pairs in prop::collection::btree_map(prop_oneof![0_i64..1000, super::super::TIMES], -1e9..1e9_f64, 1..300),
            most in 4_usize..100,
        ) {
            let (times, values): (Vec<i64>, Vec<f64>) = pairs.iter().unzip();
            let all = Points::sort_last_wins(times, values.clone()).unwrap();
            let kept = downsample(all.clone(), most).unwrap();
            prop_assert!(kept.len() <= most);
            prop_assert!(kept.iter().all(|(time, value)| pairs.get(&time) == Some(&value)));
            prop_assert_eq!((kept.first(), kept.last()), (all.first(), all.last()));
            let extremes = |values: &[f64]| {
                (values.iter().copied().reduce(f64::min), values.iter().copied().reduce(f64::max))
            };
            prop_assert_eq!(extremes(kept.values()), extremes(&values));
            if pairs.len() <= most {
                prop_assert_eq!(kept, all);
            }
        }
    }
}
