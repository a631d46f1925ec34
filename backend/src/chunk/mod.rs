//! Time data as compressed columns: points to bytes and back, merged, aggregated and thinned.
//!
//! - [`points`]: [`Points`], one series' points in order; the proof that they may be stored
//! - [`codec`]: the payload of a `batch` row, the columns of one call's series behind a small directory
//! - [`mod@column`]: one series' points as bytes, the encoding that every payload shares
//! - [`mod@merge`]: several runs of one series into one, the last write winning
//! - [`compact`]: which chunks new points are merged with, and where the result is cut
//! - [`summary`]: what is known of points without reading them
//! - [`cell`]: points, or summaries of them, sorted into stretches of time
//! - [`every`]: how long a window is and where it begins
//! - [`window`]: the calendar's stretches of time, and aggregates over them
//! - [`mod@downsample`]: fewer points that draw the same line
//!
//! Times are µs since 1970 UTC within [`TIMES`], values finite, ranges half-open.
//!
//! Invariant: everything here is pure. Nothing reads a clock, a database or a tenant, and no bytes, however damaged or
//! forged, make it panic or allocate more than [`MAX_POINTS`] points take.

pub mod cell;
pub mod codec;
pub mod column;
pub mod compact;
pub mod downsample;
pub mod every;
pub mod merge;
pub mod points;
pub mod summary;
mod varint;
pub mod window;

pub use cell::{Cells, Edges};
pub use codec::{Batch, Entry, decode_chunk, encode_batch, encode_chunk};
pub use column::{Damaged, Shape};
pub use downsample::{columns, downsample, extremes};
pub use every::Every;
pub use merge::{Run, merge};
pub use points::{Points, Unfit};
pub use summary::{Sum, Summary};
pub use window::{Fill, Windows, grid};

use std::ops::Range;

/// The times a point can have, in µs since 1970 UTC: from 1970-01-01 up to, and without, 2200-01-01.
pub const TIMES: Range<i64> = 0..7_258_118_400_000_000;

/// The most points that one payload holds; what a reader allocates is bounded by it.
pub const MAX_POINTS: usize = 1_000_000;
