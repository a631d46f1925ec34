//! Which chunks new points are merged with, and where the result is cut.

use std::ops::Range;

use super::{Points, Shape};

/// How many points a chunk is cut to; the last one of a cut holds up to twice as many.
pub const FULL: usize = 16_384;

/// Neighbouring chunks and new points that become new chunks together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// Places of the chunks, which are replaced.
    pub chunks: Range<usize>,
    /// Places of the new points.
    pub points: Range<usize>,
}

struct Group {
    merge: Merge,
    count: usize,
    changed: bool,
}

impl Group {
    /// Whether this group, which is written anyway, takes a neighbour in: one that is not full, and not so much larger
    /// that it would be written over and over again for a few points. So a point is written some ten times in its life,
    /// and a stretch of time is left with some ten chunks that are not full.
    fn absorbs(&self, other: &Group) -> bool {
        self.changed && other.count < FULL && other.count <= 2 * self.count
    }
}

/// How `new` points are merged into a series' `chunks`, which are in order and do not overlap: those that new points fall
/// into, and small neighbours. In order of time; chunks that stay as they are do not occur.
pub fn plan(chunks: &[Shape], new: &Points) -> Vec<Merge> {
    let mut groups: Vec<Group> = Vec::new();
    let mut push = |merge: Merge, count| {
        let mut group = Group {
            count: count + merge.points.len(),
            changed: !merge.points.is_empty(),
            merge,
        };
        while let Some(last) = groups.pop_if(|last| last.absorbs(&group) || group.absorbs(last)) {
            group = Group {
                merge: Merge {
                    chunks: last.merge.chunks.start..group.merge.chunks.end,
                    points: last.merge.points.start..group.merge.points.end,
                },
                count: last.count + group.count,
                changed: true,
            };
        }
        groups.push(group);
    };
    let mut place = 0;
    let times = new.times();
    for (index, chunk) in chunks.iter().enumerate() {
        let before = place + times[place..].partition_point(|&time| time < chunk.first_at);
        if before > place {
            let gap = Merge {
                chunks: index..index,
                points: place..before,
            };
            push(gap, 0);
        }
        place = before + times[before..].partition_point(|&time| time <= chunk.last_at);
        let within = Merge {
            chunks: index..index + 1,
            points: before..place,
        };
        push(within, chunk.count);
    }
    if place < times.len() {
        let behind = Merge {
            chunks: chunks.len()..chunks.len(),
            points: place..times.len(),
        };
        push(behind, 0);
    }
    groups
        .into_iter()
        .filter(|group| group.changed)
        .map(|group| group.merge)
        .collect()
}

/// Cuts points to chunks.
pub fn cut(points: &Points) -> impl Iterator<Item = Points> {
    let chunks = (points.len() / FULL).max(1);
    (0..chunks).map(move |chunk| {
        let end = if chunk + 1 == chunks {
            points.len()
        } else {
            (chunk + 1) * FULL
        };
        points.slice(chunk * FULL..end)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::chunk::{Run, TIMES, merge};

    /// Chunks of a series, as compaction leaves them.
    #[derive(Default)]
    struct Series(Vec<Points>);

    impl Series {
        /// Gives how many points were written.
        fn add(&mut self, new: &Points) -> usize {
            let shapes: Vec<Shape> = self.0.iter().filter_map(Shape::of).collect();
            let mut written = 0;
            for Merge { chunks, points } in plan(&shapes, new).into_iter().rev() {
                let mut runs: Vec<Run> = self.0[chunks.clone()]
                    .iter()
                    .map(|points| Run {
                        seq: 0,
                        points: points.clone(),
                    })
                    .collect();
                runs.push(Run {
                    seq: 1,
                    points: new.slice(points),
                });
                let merged = merge(runs, TIMES);
                written += merged.len();
                let cut: Vec<Points> = cut(&merged).collect();
                self.0.splice(chunks, cut);
            }
            written
        }

        fn points(&self) -> Vec<(i64, f64)> {
            self.0.iter().flat_map(Points::iter).collect()
        }
    }

    fn points(pairs: impl IntoIterator<Item = (i64, f64)>) -> Points {
        let (times, values) = pairs.into_iter().unzip();
        Points::sort_last_wins(times, values).unwrap()
    }

    #[test]
    fn steady_points_are_written_a_few_times_and_end_in_full_chunks() {
        for (size, order) in [(1, 1), (60, 1), (60, -1), (1_000, 1), (30_000, 1)] {
            let mut series = Series::default();
            let (mut written, total) = (0, 60_000 / size);
            for batch in 0..total {
                let batch = if order > 0 { batch } else { total - 1 - batch };
                let times = batch * size..(batch + 1) * size;
                written += series.add(&points(times.map(|time| (time, 1.0))));
            }
            assert_eq!(series.points().len(), 60_000);
            assert!(written < 16 * 60_000, "{written} for batches of {size}");
            let small = series.0.iter().filter(|points| points.len() < FULL).count();
            assert!(small <= 14, "{small} small chunks of batches of {size}");
            assert!(series.0.iter().all(|points| points.len() < 2 * FULL));
        }
    }

    #[test]
    fn chunks_that_nothing_falls_into_stay() {
        let shape = |first_at, last_at, count| Shape {
            count,
            first_at,
            last_at,
        };
        let chunks = [
            shape(0, 99, FULL),
            shape(200, 299, FULL),
            shape(400, 499, FULL),
        ];
        let plan = |times: &[i64]| plan(&chunks, &points(times.iter().map(|&time| (time, 0.0))));
        let one = |chunks, points| vec![Merge { chunks, points }];
        assert_eq!(plan(&[]), []);
        assert_eq!(plan(&[299]), one(1..2, 0..1));
        assert_eq!(plan(&[300]), one(2..2, 0..1));
        // What is written anyway takes small neighbours along.
        assert_eq!(plan(&[99, 100, 199]), one(0..1, 0..3));
        assert_eq!(plan(&[500, 501]), one(3..3, 0..2));
    }

    proptest! {
        #[test]
        fn compacting_equals_a_map(
            writes in prop::collection::vec(
                (0_i64..400, prop::sample::select(vec![1_i64, 3, 40]), 1_i64..120),
                1..40,
            ),
        ) {
            let (mut series, mut model) = (Series::default(), BTreeMap::new());
            for (write, (start, step, count)) in writes.into_iter().enumerate() {
                let new: Vec<(i64, f64)> = (0..count).map(|place| (start + step * place, write as f64)).collect();
                model.extend(new.iter().copied());
                series.add(&points(new));
            }
            prop_assert_eq!(series.points(), model.into_iter().collect::<Vec<_>>());
        }
    }
}
