//! Points sorted into cells: stretches of time, one after the other, each with a summary of what lies in it.

use std::ops::Range;

use super::{Points, Summary};

/// A stretch of time that has ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// When it begins, in µs since 1970 UTC.
    pub start: i64,
    /// What lies in it; nothing where there are no points.
    pub summary: Option<Summary>,
}

/// Cells that are filled in order of time, by points or by summaries of points that lie in one cell.
pub struct Cells<E> {
    edges: E,
    cell: Option<Range<i64>>,
    held: Option<Summary>,
    done: Vec<Cell>,
}

impl<E: Iterator<Item = Range<i64>>> Cells<E> {
    /// Cells within `edges`: half-open, ascending, none empty, each beginning where the one before ends.
    pub fn new(mut edges: E) -> Self {
        Cells {
            cell: edges.next(),
            edges,
            held: None,
            done: Vec::new(),
        }
    }

    /// Whether all from the first to the last time lie in one cell. All that comes before the first has been given.
    pub fn hold(&mut self, first_at: i64, last_at: i64) -> bool {
        self.go_to(first_at)
            .is_some_and(|cell| cell.start <= first_at && last_at < cell.end)
    }

    /// Adds points, which come after all others. Those outside of the cells are passed over.
    pub fn add(&mut self, points: &Points) {
        let mut place = 0;
        while let Some(&time) = points.times().get(place) {
            let Some(cell) = self.go_to(time) else {
                return;
            };
            let places = points.places(&cell);
            if let Some(summary) = Summary::of(points, places.clone()) {
                self.append(&summary);
            }
            place = places.end.max(place + 1);
        }
    }

    /// Adds what [`Cells::hold`] says that one cell holds.
    pub fn append(&mut self, summary: &Summary) {
        match &mut self.held {
            Some(held) => held.append(summary),
            None => self.held = Some(*summary),
        }
    }

    /// All cells, those without points too.
    pub fn finish(mut self) -> Vec<Cell> {
        self.go_to(i64::MAX);
        self.done
    }

    /// The cell that `time` lies in, or the one after it; nothing behind the last.
    fn go_to(&mut self, time: i64) -> Option<Range<i64>> {
        while let Some(cell) = &self.cell
            && cell.end <= time
        {
            self.done.push(Cell {
                start: cell.start,
                summary: self.held.take(),
            });
            self.cell = self.edges.next();
        }
        self.cell.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(times: Range<i64>) -> Points {
        let values = times.clone().map(|time| time as f64).collect();
        Points::sort_last_wins(times.collect(), values).unwrap()
    }

    #[test]
    fn points_and_summaries_of_them_come_to_the_same() {
        let cells = || Cells::new([10..20, 20..40, 40..50].into_iter());
        let mut one = cells();
        one.add(&points(5..60));
        let mut other = cells();
        assert!(!other.hold(5, 9));
        assert!(!other.hold(9, 10));
        other.add(&points(5..15));
        assert!(!other.hold(15, 20));
        assert!(other.hold(15, 19));
        other.append(&Summary::of(&points(15..20), 0..5).unwrap());
        assert!(other.hold(20, 39));
        other.append(&Summary::of(&points(20..40), 0..20).unwrap());
        other.add(&points(40..45));
        other.add(&points(45..60));
        assert!(!other.hold(60, 61));
        let (one, other) = (one.finish(), other.finish());
        assert_eq!(one, other);
        assert_eq!(one[1].summary.unwrap().count, 20);
    }

    #[test]
    fn cells_without_points_are_there() {
        let mut cells = Cells::new([0..10, 10..20, 20..30].into_iter());
        cells.add(&points(12..14));
        let counts = cells
            .finish()
            .iter()
            .map(|cell| cell.summary.map_or(0, |summary| summary.count))
            .collect::<Vec<_>>();
        assert_eq!(counts, [0, 2, 0]);
        assert!(Cells::new(std::iter::empty()).finish().is_empty());
    }
}
