//! One series' points as bytes: the encoding that batches and chunks share.
//!
//! How many points there are, and the first and last time, stand beside the column (in a batch's directory, in a
//! chunk's row), so that readers can pass over columns unread. The column itself is
//!
//! | bytes | what |
//! |---|---|
//! | 1 | how times are encoded (low four bits) and how values are (high four) |
//! | 1 to 10 | unless times are regular: how many bytes they take, a varint |
//! | | the times, see `column/time.rs` |
//! | to the end | the values, see `column/value.rs` |
//!
//! The smallest that pays is chosen. Values come back bit by bit, −0.0 and subnormal numbers included.

mod number;
mod time;
mod value;

use super::varint::Reader;
use super::{MAX_POINTS, Points};

/// Stored bytes are not what was once written; the text says what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stored time data is damaged: {0}")]
pub struct Damaged(pub(super) &'static str);

/// What is known of a column without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// How many points, at least one.
    pub count: usize,
    /// Time of the first point, in µs since 1970 UTC.
    pub first_at: i64,
    /// Time of the last point, in µs since 1970 UTC.
    pub last_at: i64,
}

impl Shape {
    /// The shape of points, or nothing if there are none.
    pub fn of(points: &Points) -> Option<Self> {
        Some(Self {
            count: points.len(),
            first_at: points.first()?.0,
            last_at: points.last()?.0,
        })
    }

    /// The step between regular times; nothing if times of this shape cannot be regular.
    fn step(self) -> Option<i64> {
        let steps = i64::try_from(self.count).ok()?.checked_sub(1)?;
        let span = self.last_at.checked_sub(self.first_at)?;
        match steps {
            0 => (span == 0).then_some(0),
            _ => (span >= steps && span % steps == 0).then_some(span / steps),
        }
    }
}

/// Appends the column of `points` to `bytes`. Its [`Shape`] is needed to read it and has to be kept elsewhere.
pub fn encode_column(points: &Points, bytes: &mut Vec<u8>) {
    let tag = bytes.len();
    bytes.push(0);
    let times = time::encode(points, bytes);
    let values = value::encode(points.values(), bytes);
    bytes[tag] = times | values << 4;
}

/// Reads a column back: `bytes` are exactly those that [`encode_column`] appended, `shape` that of the points.
///
/// # Errors
///
/// [`Damaged`] if the bytes, or the shape, are not what was written. Allocates at most what [`MAX_POINTS`] points take.
pub fn decode_column(bytes: &[u8], shape: Shape) -> Result<Points, Damaged> {
    if shape.count == 0 || shape.count > MAX_POINTS {
        return Err(Damaged("a column has no points or too many"));
    }
    let mut reader = Reader(bytes);
    let tag = reader.byte()?;
    let times = time::decode(tag & 0x0f, &mut reader, shape)?;
    let values = value::decode(tag >> 4, reader, shape.count)?;
    if (times.first(), times.last()) != (Some(&shape.first_at), Some(&shape.last_at)) {
        return Err(Damaged("times are not those announced"));
    }
    Points::decoded(times, values).ok_or(Damaged("points are out of order or out of bounds"))
}

#[cfg(test)]
pub(super) mod tests;
