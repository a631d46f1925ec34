//! The last minutes of a series in one small line: its shape, beside the figures that say the same.

use yew::prelude::*;

use crate::feed::RECENT;
use crate::time::Micros;
use crate::track::{self, Mark, Track};

const WIDTH: f64 = 96.0;
const HEIGHT: f64 = 22.0;
/// Room for the dot at the end and for the width of the line.
const EDGE: f64 = 2.0;

/// Draws the marks of the last [`RECENT`] before `now`; nothing where there are fewer than two.
pub fn spark(track: Option<&Track>, now: Micros) -> Html {
    let marks = track.map_or(&[][..], |track| track.between(now - RECENT, Micros::MAX));
    let Some((path, (x, y))) = line(marks, now) else {
        return Html::default();
    };
    html! {
        <svg class="spark" viewBox="0 0 96 22" aria-hidden="true">
            <path d={path}/><circle cx={format!("{x:.1}")} cy={format!("{y:.1}")} r="2"/>
        </svg>
    }
}

/// The path of the line and the place of its end. It breaks where points are missing.
fn line(marks: &[Mark], now: Micros) -> Option<(String, (f64, f64))> {
    let low = marks.iter().map(|mark| mark.last).reduce(f64::min)?;
    let high = marks.iter().map(|mark| mark.last).reduce(f64::max)?;
    let place = |mark: &Mark| {
        let x = WIDTH - EDGE - (now - mark.at) as f64 / RECENT as f64 * (WIDTH - 2.0 * EDGE);
        // A series that does not move runs through the middle.
        let share = if high > low {
            (mark.last - low) / (high - low)
        } else {
            0.5
        };
        (
            x.clamp(EDGE, WIDTH - EDGE),
            HEIGHT - EDGE - share * (HEIGHT - 2.0 * EDGE),
        )
    };
    let (last, tolerance) = (marks.last()?, track::tolerance(marks)?);
    let mut path = String::new();
    let mut before = None;
    for mark in marks {
        let (x, y) = place(mark);
        let joined = before.is_some_and(|before| mark.at - before <= tolerance);
        path.push_str(&format!("{}{x:.1} {y:.1}", if joined { 'L' } else { 'M' }));
        before = Some(mark.at);
    }
    Some((path, place(last)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;

    fn marks(seconds: &[i64]) -> Vec<Mark> {
        seconds
            .iter()
            .map(|second| Mark::point(second * SECOND, *second as f64))
            .collect()
    }

    #[test]
    fn the_line_breaks_where_points_are_missing() {
        let (path, _) = line(&marks(&[0, 5, 10, 15, 20, 60, 65]), 65 * SECOND).unwrap();
        assert_eq!(path.matches('M').count(), 2);
        assert_eq!(path.matches('L').count(), 5);
    }

    #[test]
    fn the_newest_mark_stands_at_the_right_edge() {
        let (_, (x, y)) = line(&marks(&[0, 5, 10]), 10 * SECOND).unwrap();
        assert_eq!((x, y), (WIDTH - EDGE, EDGE));
    }

    #[test]
    fn one_point_is_no_line() {
        assert_eq!(line(&marks(&[1]), SECOND), None);
    }
}
