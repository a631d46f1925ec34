//! Windows: what points were like over stretches of time.

use std::ops::Range;

use jiff::tz::TimeZone;

use super::{Cells, Edges, Every, Summary, TIMES};

/// The most windows that one call gives.
pub const MAX_WINDOWS: usize = 10_000;

/// What becomes of windows without points. Their count is 0 in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fill {
    /// They are left out.
    #[default]
    None,
    /// They are there, with nothing in them.
    Null,
    /// Each aggregate repeats that of the last window before with points; nothing before the first such window.
    Previous,
    /// Each aggregate lies on the straight line, by the starts of windows, between those of the nearest windows
    /// with points on both sides; nothing before the first and after the last such window.
    Linear,
}

/// Aggregates by window, in columns of equal length, ascending by start.
///
/// An aggregate is `None` in a window without points, unless filled. `sum` and `avg` are `None` as well where adding
/// the values up leaves the range of f64, for an infinity is no JSON; nothing is filled from such a window either.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Windows {
    /// When each window begins, in µs since 1970 UTC. The first may begin before the range that was asked for.
    pub starts: Vec<i64>,
    /// How many points lie in it.
    pub count: Vec<u64>,
    /// Least value.
    pub min: Vec<Option<f64>>,
    /// Greatest value.
    pub max: Vec<Option<f64>>,
    /// The values together, see [`super::summary::Sum`].
    pub sum: Vec<Option<f64>>,
    /// `sum` by `count`.
    pub avg: Vec<Option<f64>>,
    /// Value of the earliest point.
    pub first: Vec<Option<f64>>,
    /// Value of the latest point.
    pub last: Vec<Option<f64>>,
}

/// More windows than [`MAX_WINDOWS`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "every {every} makes {windows} windows of this range and at most {MAX_WINDOWS} are given: \
     ask for every {enough}, or for a shorter range"
)]
pub struct TooManyWindows {
    /// What was asked for.
    pub every: String,
    /// How many windows that makes.
    pub windows: i64,
    /// A length that makes few enough.
    pub enough: &'static str,
}

/// Lengths to propose to who asked for too many windows; the last one fits [`TIMES`] as a whole.
const PROPOSALS: [&str; 14] = [
    "100ms", "1s", "5s", "10s", "30s", "1m", "5m", "15m", "1h", "3h", "12h", "1d", "1w", "1mo",
];

/// The windows of `every`'s grid that meet a half-open range, cut to [`TIMES`].
///
/// The first may begin before the range, the last end after it. All of them count towards [`MAX_WINDOWS`], whether there
/// are points in them or not.
///
/// # Errors
///
/// [`TooManyWindows`], found before anything is allocated.
pub fn grid(range: &Range<i64>, every: Every, zone: &TimeZone) -> Result<Edges, TooManyWindows> {
    let range = range.start.max(TIMES.start)..range.end.min(TIMES.end);
    if range.is_empty() {
        return Ok(Edges::new(Vec::new()));
    }
    let numbers = every.covering(&range, zone);
    let windows = numbers.end - numbers.start;
    if windows > MAX_WINDOWS as i64 {
        return Err(TooManyWindows {
            every: every.to_string(),
            windows,
            enough: enough(&range),
        });
    }
    // Where clocks were put back over midnight, the numbers reach one window beyond the range on both sides.
    let starts = (numbers.start - 1..=numbers.end + 1).map(|number| every.start(number, zone));
    let mut edges: Vec<i64> = starts.collect();
    // A day that a zone skipped is empty.
    edges.dedup();
    let first = edges.partition_point(|&edge| edge <= range.start).max(1) - 1;
    let end = edges.partition_point(|&edge| edge < range.end);
    edges.truncate(end + 1);
    edges.drain(..first);
    Ok(Edges::new(edges))
}

fn enough(range: &Range<i64>) -> &'static str {
    let few = |every: &Every| (range.end - range.start) / every.about() + 4 <= MAX_WINDOWS as i64;
    let fits = |text: &&&str| text.parse().as_ref().is_ok_and(few);
    PROPOSALS.iter().find(fits).copied().unwrap_or("1mo")
}

impl Windows {
    /// How many windows there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is no window.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Windows of what lies in each cell, with those without points as `fill` says.
    pub fn of(cells: &Cells, fill: Fill) -> Self {
        let mut windows = Windows::default();
        for (start, held) in cells.iter() {
            if held.is_some() || fill != Fill::None {
                windows.push(start, held);
            }
        }
        match fill {
            Fill::None | Fill::Null => {}
            Fill::Previous => windows.fill(|_, before, _| before.1),
            Fill::Linear => windows.fill(between),
        }
        windows
    }

    fn push(&mut self, start: i64, held: Option<&Summary>) {
        let count = held.map_or(0, |held| held.count);
        let sum = held.and_then(|held| held.sum.total());
        self.starts.push(start);
        self.count.push(count);
        self.min.push(held.map(|held| held.min.1));
        self.max.push(held.map(|held| held.max.1));
        self.sum.push(sum);
        self.avg.push(sum.map(|sum| sum / count as f64));
        self.first.push(held.map(|held| held.first.1));
        self.last.push(held.map(|held| held.last.1));
    }

    /// Fills windows without points: `value(start, before, after)` is given the start to fill, and starts and
    /// aggregates of the nearest windows with points (`None` where there is no such window or no such aggregate).
    fn fill(&mut self, value: impl Fn(i64, Known, Known) -> Option<f64>) {
        let mut before = None;
        let mut at = 0;
        while at < self.len() {
            if self.count[at] > 0 {
                before = Some(at);
                at += 1;
                continue;
            }
            let end = self.count[at..]
                .iter()
                .position(|&count| count > 0)
                .map_or(self.len(), |steps| at + steps);
            let after = Some(end).filter(|&end| end < self.len());
            for column in [
                &mut self.min,
                &mut self.max,
                &mut self.sum,
                &mut self.avg,
                &mut self.first,
                &mut self.last,
            ] {
                let known = |place: Option<usize>, column: &[Option<f64>]| {
                    place.map_or((0, None), |place| (self.starts[place], column[place]))
                };
                let (before, after) = (known(before, column), known(after, column));
                for (place, &start) in column[at..end].iter_mut().zip(&self.starts[at..end]) {
                    *place = value(start, before, after);
                }
            }
            at = end;
        }
    }
}

/// The start of a window and one of its aggregates.
type Known = (i64, Option<f64>);

/// The straight line from `before` to `after` at `start`.
fn between(start: i64, before: Known, after: Known) -> Option<f64> {
    let (from, to) = (before.1?, after.1?);
    let share = (start - before.0) as f64 / (after.0 - before.0) as f64;
    // In halves, or the way between opposite extremes would overflow; clamped, for rounding may overstep an end.
    let half = from / 2.0 + (to / 2.0 - from / 2.0) * share;
    Some((2.0 * half).clamp(from.min(to), from.max(to)))
}

#[cfg(test)]
mod tests;
