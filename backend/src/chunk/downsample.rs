//! Fewer points that draw the same line.

use std::ops::Range;

use super::Points;

/// Fewer points than this cannot show the first, last, least and greatest.
pub const LEAST_POINTS: usize = 4;

/// Too few points asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} points cannot show a series: ask for at least {LEAST_POINTS}, best for four times the chart's width in pixels"
)]
pub struct TooFewPoints(pub usize);

/// At most `most` of the points, such that a line through them looks like the line through all.
///
/// This is M4 (Jugel and others, "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014): the time from
/// the first to the last point is cut into `most / 4` equal columns, and of each the first, last, least and greatest
/// point remain (of equal values the earliest). With four times as many points as the chart has pixels in width, no pixel
/// differs. Where there are no more than `most` points, they are returned as they are.
///
/// # Errors
///
/// [`TooFewPoints`] if `most` is less than [`LEAST_POINTS`], whatever the points.
pub fn downsample(points: Points, most: usize) -> Result<Points, TooFewPoints> {
    if most < LEAST_POINTS {
        return Err(TooFewPoints(most));
    }
    let (Some((first, _)), Some((last, _))) = (points.first(), points.last()) else {
        return Ok(points);
    };
    if points.len() <= most {
        return Ok(points);
    }
    let columns = (most / 4) as i64;
    // Rounded up, so that the columns reach beyond the last point.
    let width = (last - first) / columns + 1;
    let mut kept = Points::with_capacity(most);
    let mut places = 0..0;
    while let Some(&time) = points.times().get(places.end) {
        // Columns without points are passed over.
        let end = first + ((time - first) / width + 1) * width;
        let length = points.times()[places.end..].partition_point(|&time| time < end);
        places = places.end..places.end + length;
        for place in extremes(points.values(), places.clone()) {
            kept.extend(&points, place..place + 1);
        }
    }
    Ok(kept)
}

/// The places of the first, last, least and greatest value, ascending, each once.
fn extremes(values: &[f64], mut places: Range<usize>) -> impl Iterator<Item = usize> {
    let (first, last) = (places.start, places.end - 1);
    let (mut least, mut greatest) = (first, first);
    places.next();
    for place in places {
        if values[place] < values[least] {
            least = place;
        }
        if values[place] > values[greatest] {
            greatest = place;
        }
    }
    let mut ends = [first, least.min(greatest), least.max(greatest), last]
        .into_iter()
        .peekable();
    std::iter::from_fn(move || {
        let place = ends.next()?;
        while ends.next_if_eq(&place).is_some() {}
        Some(place)
    })
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
