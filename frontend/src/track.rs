//! What a chart draws: marks in order of time, merged as they come, and the gaps between them.
//!
//! Invariant: a mark's time occurs once; what is merged later wins, as it does on the server.

use crate::time::{Micros, SECOND};

/// A point, or a window of points, on a chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// The point's time, or the window's start.
    pub at: Micros,
    /// The point's value, or the window's average.
    pub value: f64,
    /// The smallest value in it.
    pub low: f64,
    /// The largest value in it.
    pub high: f64,
    /// The newest value in it.
    pub last: f64,
    /// How many points it stands for.
    pub count: u64,
}

impl Mark {
    /// A mark that stands for one point.
    pub fn point(at: Micros, value: f64) -> Self {
        Self {
            at,
            value,
            low: value,
            high: value,
            last: value,
            count: 1,
        }
    }
}

/// The marks of one series, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Track(Vec<Mark>);

/// What the marks of a stretch of time come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// How many points there are.
    pub count: u64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The average over all points.
    pub avg: f64,
    /// The newest value.
    pub last: f64,
}

impl Track {
    /// Puts marks in their places; a mark at a time that is already there replaces it.
    pub fn merge(&mut self, marks: impl IntoIterator<Item = Mark>) {
        for mark in marks {
            // Almost every mark is the newest, and found at once.
            let place = match self.0.last() {
                Some(last) if last.at < mark.at => self.0.len(),
                _ => self.0.partition_point(|known| known.at < mark.at),
            };
            match self.0.get_mut(place) {
                Some(known) if known.at == mark.at => *known = mark,
                _ => self.0.insert(place, mark),
            }
        }
    }

    /// Drops what is older than `from`.
    pub fn trim(&mut self, from: Micros) {
        let keep = self.0.partition_point(|mark| mark.at < from);
        self.0.drain(..keep);
    }

    /// The marks, oldest first.
    pub fn marks(&self) -> &[Mark] {
        &self.0
    }

    /// The marks in `[from, to)`, oldest first.
    pub fn between(&self, from: Micros, to: Micros) -> &[Mark] {
        let start = self.0.partition_point(|mark| mark.at < from);
        let end = self.0.partition_point(|mark| mark.at < to);
        &self.0[start..end.max(start)]
    }
}

/// The sum of what `marks` stand for; none when there are none.
pub fn summary(marks: &[Mark]) -> Option<Summary> {
    let last = marks.last()?.last;
    let count: u64 = marks.iter().map(|mark| mark.count).sum();
    let sum: f64 = marks
        .iter()
        .map(|mark| mark.value * mark.count as f64)
        .sum();
    Some(Summary {
        count,
        min: marks
            .iter()
            .map(|mark| mark.low)
            .fold(f64::INFINITY, f64::min),
        max: marks
            .iter()
            .map(|mark| mark.high)
            .fold(f64::NEG_INFINITY, f64::max),
        avg: if count == 0 { last } else { sum / count as f64 },
        last,
    })
}

/// The longest distance between two marks that is not a gap; none below three marks.
///
/// Marks that keep a beat (most distances within a tenth of their median) break at one and a half beats, so that a
/// single missed slot shows. Others break at five times the median: they have no slots to miss.
pub fn tolerance(marks: &[Mark]) -> Option<Micros> {
    let mut distances: Vec<Micros> = marks
        .windows(2)
        .map(|pair| pair[1].at - pair[0].at)
        .collect();
    if distances.len() < 2 {
        return None;
    }
    distances.sort_unstable();
    let beat = distances[distances.len() / 2];
    let steady = distances
        .iter()
        .filter(|distance| (*distance - beat).abs() * 10 <= beat)
        .count();
    if steady * 4 >= distances.len() * 3 {
        Some(beat + beat / 2)
    } else {
        Some(beat * 5)
    }
}

/// Where points are missing: between marks too far apart, and from the last mark to `now` when it is long overdue.
pub fn gaps(marks: &[Mark], now: Micros) -> Vec<(Micros, Micros)> {
    let Some(tolerance) = tolerance(marks) else {
        return Vec::new();
    };
    let mut gaps: Vec<(Micros, Micros)> = marks
        .windows(2)
        .filter(|pair| pair[1].at - pair[0].at > tolerance)
        .map(|pair| (pair[0].at, pair[1].at))
        .collect();
    if let Some(last) = marks.last()
        && now - last.at > overdue(tolerance)
    {
        gaps.push((last.at, now));
    }
    gaps
}

/// How late the next point may be before silence counts as missing points: delivery takes a while.
pub fn overdue(tolerance: Micros) -> Micros {
    tolerance
        .saturating_mul(2)
        .max(tolerance.saturating_add(5 * SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steady(seconds: impl IntoIterator<Item = i64>) -> Track {
        let mut track = Track::default();
        track.merge(
            seconds
                .into_iter()
                .map(|second| Mark::point(second * SECOND, second as f64)),
        );
        track
    }

    #[test]
    fn points_out_of_order_find_their_places() {
        let track = steady([3, 1, 2, 5, 4]);
        let times: Vec<i64> = track.marks().iter().map(|mark| mark.at / SECOND).collect();
        assert_eq!(times, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_point_written_again_replaces_the_first() {
        let mut track = steady([1, 2, 3]);
        track.merge([Mark::point(2 * SECOND, 9.0)]);
        assert_eq!(track.marks().len(), 3);
        assert_eq!(track.marks()[1].value, 9.0);
    }

    #[test]
    fn old_marks_are_dropped() {
        let mut track = steady(0..10);
        track.trim(7 * SECOND);
        assert_eq!(track.marks().len(), 3);
        assert_eq!(track.between(8 * SECOND, 9 * SECOND).len(), 1);
    }

    #[test]
    fn one_missed_slot_is_a_gap() {
        let track = steady((0..10).chain(11..20));
        assert_eq!(
            gaps(track.marks(), 20 * SECOND),
            [(9 * SECOND, 11 * SECOND)]
        );
    }

    #[test]
    fn silence_up_to_now_is_a_gap_once_it_is_overdue() {
        let track = steady(0..10);
        assert_eq!(gaps(track.marks(), 12 * SECOND), []);
        assert_eq!(
            gaps(track.marks(), 60 * SECOND),
            [(9 * SECOND, 60 * SECOND)]
        );
    }

    #[test]
    fn points_without_a_beat_break_only_at_long_silences() {
        let track = steady([0, 1, 4, 6, 7, 11, 13, 14, 18, 60, 61]);
        assert_eq!(
            gaps(track.marks(), 62 * SECOND),
            [(18 * SECOND, 60 * SECOND)]
        );
    }

    #[test]
    fn two_points_have_no_gap() {
        assert_eq!(gaps(steady([0, 500]).marks(), 501 * SECOND), []);
    }

    #[test]
    fn a_summary_weighs_windows_by_their_points() {
        let marks = [
            Mark {
                at: 0,
                value: 1.0,
                low: 0.0,
                high: 2.0,
                last: 2.0,
                count: 3,
            },
            Mark {
                at: 1,
                value: 5.0,
                low: 5.0,
                high: 5.0,
                last: 5.0,
                count: 1,
            },
        ];
        let sum = summary(&marks).unwrap();
        assert_eq!(
            (sum.count, sum.min, sum.max, sum.avg, sum.last),
            (4, 0.0, 5.0, 2.0, 5.0)
        );
        assert_eq!(summary(&[]), None);
    }
}
