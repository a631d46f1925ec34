//! Points sorted into cells: stretches of time, one after the other, each with a summary of what lies in it.

use std::sync::Arc;

use super::{Points, Summary};

/// Where cells begin and end, in µs since 1970 UTC. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Edges(Arc<[i64]>);

impl Edges {
    /// Cells between each of these strictly ascending times and the next, half-open.
    pub fn new(edges: Vec<i64>) -> Self {
        Edges(edges.into())
    }

    /// How many cells they bound.
    pub fn cells(&self) -> usize {
        self.0.len().saturating_sub(1)
    }

    /// The place of the cell that `time` lies in.
    fn cell(&self, time: i64) -> Option<usize> {
        let begun = self.0.partition_point(|&edge| edge <= time);
        (1..self.0.len()).contains(&begun).then(|| begun - 1)
    }

    /// Whether all from the first to the last time lie in one cell.
    pub fn hold_in_one(&self, first_at: i64, last_at: i64) -> bool {
        let cell = self.cell(first_at);
        cell.is_some() && cell == self.cell(last_at)
    }

    /// Summaries of the points in each cell that has some; points outside of the cells are passed over.
    pub fn summarize(&self, points: &Points) -> Vec<Summary> {
        let Some((first_at, _)) = points.first() else {
            return Vec::new();
        };
        let edges = &self.0[self.cell(first_at).unwrap_or(0)..];
        let cells = edges.windows(2).scan(0, |place, edges| {
            let more = points
                .times()
                .get(*place..)
                .filter(|times| !times.is_empty())?;
            let start = *place + more.partition_point(|&time| time < edges[0]);
            *place = start + points.times()[start..].partition_point(|&time| time < edges[1]);
            Some(Summary::of(points, start..*place))
        });
        cells.flatten().collect()
    }
}

/// Cells with a summary of what lies in each.
#[derive(Debug)]
pub struct Cells {
    edges: Edges,
    held: Vec<Option<Summary>>,
}

impl Cells {
    /// Empty cells.
    pub fn new(edges: Edges) -> Self {
        Cells {
            held: vec![None; edges.0.len().saturating_sub(1)],
            edges,
        }
    }

    /// Adds a summary of points that lie in one cell, and come after all others in it.
    pub fn append(&mut self, summary: &Summary) {
        let cell = self.edges.cell(summary.first.0);
        if let Some(held) = cell.and_then(|cell| self.held.get_mut(cell)) {
            match held {
                Some(held) => held.append(summary),
                None => *held = Some(*summary),
            }
        }
    }

    /// When each cell begins, in µs since 1970 UTC, and what lies in it.
    pub fn iter(&self) -> impl Iterator<Item = (i64, Option<&Summary>)> {
        let starts = self.edges.0.iter().copied();
        starts.zip(self.held.iter().map(Option::as_ref))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(from: i64, to: i64) -> Points {
        let values = (from..to).map(|time| time as f64).collect();
        Points::sort_last_wins((from..to).collect(), values).unwrap()
    }

    fn cells(parts: &[(i64, i64)]) -> Cells {
        let edges = Edges::new(vec![10, 20, 40, 50]);
        let mut cells = Cells::new(edges.clone());
        for &(from, to) in parts {
            for summary in edges.summarize(&points(from, to)) {
                cells.append(&summary);
            }
        }
        cells
    }

    fn counts(parts: &[(i64, i64)]) -> Vec<(i64, u64)> {
        let cells = cells(parts);
        let counts = cells
            .iter()
            .map(|(start, held)| (start, held.map_or(0, |held| held.count)));
        counts.collect()
    }

    #[test]
    fn parts_fill_cells_as_the_whole_does() {
        let whole = cells(&[(5, 60)]);
        let parts = cells(&[(5, 12), (12, 15), (15, 20), (20, 45), (45, 60)]);
        assert_eq!(whole.held, parts.held);
        assert_eq!(counts(&[(5, 60)]), [(10, 10), (20, 20), (40, 10)]);
        assert_eq!(counts(&[(25, 27)]), [(10, 0), (20, 2), (40, 0)]);
        assert_eq!(counts(&[(0, 10), (50, 60)]), [(10, 0), (20, 0), (40, 0)]);
        assert!(Cells::new(Edges::new(vec![])).iter().next().is_none());
    }

    #[test]
    fn what_lies_in_one_cell_is_known() {
        let edges = Edges::new(vec![10, 20, 40]);
        for (first_at, last_at, one) in [
            (10, 19, true),
            (20, 39, true),
            (39, 39, true),
            (19, 20, false),
            (9, 10, false),
            (5, 9, false),
            (39, 40, false),
            (40, 41, false),
        ] {
            assert_eq!(
                edges.hold_in_one(first_at, last_at),
                one,
                "{first_at} to {last_at}"
            );
        }
        assert!(!Edges::new(vec![]).hold_in_one(0, 0));
    }
}
