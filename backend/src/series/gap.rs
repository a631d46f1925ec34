//! Where points are missing.

use std::ops::Range;

use async_graphql::SimpleObject;

use crate::{
    chunk::Points,
    error::Result,
    guard::Role,
    point::store::{Reader, read::Piece},
    scalar::DateTime,
};

/// A stretch of time without points.
#[derive(SimpleObject, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last point before it, or the start of the range.
    from: DateTime,
    /// The first point behind it, or the end of the range.
    to: DateTime,
}

/// The first `most` stretches of `range` without points that are longer than `length` (µs).
///
/// # Errors
/// As [`Reader::open`].
pub async fn gaps<R: Role>(
    mut reader: Reader<'_, R>,
    range: Range<i64>,
    length: i64,
    most: usize,
) -> Result<Vec<Gap>> {
    let mut gaps = Vec::new();
    let mut at = range.start;
    let between = |from: i64, to: i64| {
        (to - from > length).then_some(Gap {
            from: DateTime(from),
            to: DateTime(to),
        })
    };
    let dense = move |points| dense(&points, length);
    while let Some(pieces) = reader.next(|head| head.widest <= length, dense).await? {
        for piece in pieces {
            let stretches = match piece {
                Piece::Read(stretches) => stretches,
                Piece::Summary(summary) => vec![(summary.first.0, summary.last.0)],
            };
            for (first_at, last_at) in stretches {
                gaps.extend(between(at, first_at));
                at = last_at;
            }
            if gaps.len() >= most {
                gaps.truncate(most);
                return Ok(gaps);
            }
        }
    }
    gaps.extend(between(at, range.end));
    gaps.truncate(most);
    Ok(gaps)
}

/// Stretches from one point to another within which neighbours are no further apart than `length`.
fn dense(points: &Points, length: i64) -> Vec<(i64, i64)> {
    let near = |one: &i64, next: &i64| next - one <= length;
    let runs = points.times().chunk_by(near);
    runs.filter_map(|run| Some((*run.first()?, *run.last()?)))
        .collect()
}
