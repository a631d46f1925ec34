//! One series' points as bytes: the encoding that batches and chunks share.
//!
//! How many points there are, and the first and last time, stand beside the column (in a batch's directory, in a
//! chunk's row), so that readers can pass over columns unread. The column itself is
//!
//! | bytes | what |
//! |---|---|
//! | 1 | how times are encoded (low four bits) and how values are (high four) |
//! | 1 to 10 | unless times are regular: how many bytes they take, a varint |
//! | | the times: nothing (regular), varints of the steps between them, or pco with first-order deltas |
//! | to the end | the values: little-endian IEEE 754, 8 bytes each, or pco |
//!
//! The smallest that pays is chosen. Values come back bit by bit, −0.0 and subnormal numbers included.

use pco::metadata::DeltaEncoding;
use pco::wrapped::{FileCompressor, FileDecompressor};
use pco::{ChunkConfig, DeltaSpec, PagingSpec};

use super::varint::{Reader, put};
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

const REGULAR: u8 = 0;
const STEPS: u8 = 1;
const PCO: u8 = 2;
const RAW: u8 = 0;

/// With fewer points than this, choosing how to compress takes pco longer than the bytes are worth.
const WORTH_PCO: usize = 64;

/// pco's mode that brings its own dictionary, which is never written here and would let forged bytes ask for 256 MB.
const PCO_DICTIONARY_MODE: u8 = 4;

/// log2 of the longest look-back that pco writes; forged bytes could ask for more memory.
const PCO_LOOKBACK_LOG: u32 = 15;

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
    let times = encode_times(points, bytes);
    let values = encode_values(points.values(), bytes);
    bytes[tag] = times | values << 4;
}

fn encode_times(points: &Points, bytes: &mut Vec<u8>) -> u8 {
    let times = points.times();
    let regular = |step: i64| times.windows(2).all(|pair| pair[1] - pair[0] == step);
    if Shape::of(points).and_then(Shape::step).is_some_and(regular) {
        return REGULAR;
    }
    let mut steps = Vec::with_capacity(3 * times.len());
    for pair in times.windows(2) {
        put(&mut steps, pair[1].abs_diff(pair[0]));
    }
    let (how, encoded) = match compress(times, DeltaSpec::TryConsecutive(1)) {
        Some(compressed) if compressed.len() < steps.len() => (PCO, compressed),
        _ => (STEPS, steps),
    };
    put(bytes, encoded.len() as u64);
    bytes.extend_from_slice(&encoded);
    how
}

fn encode_values(values: &[f64], bytes: &mut Vec<u8>) -> u8 {
    match compress(values, DeltaSpec::Auto) {
        Some(compressed) if compressed.len() < size_of_val(values) => {
            bytes.extend_from_slice(&compressed);
            PCO
        }
        _ => {
            bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            RAW
        }
    }
}

/// Compresses numbers, or tells that it does not pay.
fn compress<T: pco::data_types::Number>(numbers: &[T], delta: DeltaSpec) -> Option<Vec<u8>> {
    if numbers.len() < WORTH_PCO {
        return None;
    }
    let config = ChunkConfig::default()
        .with_delta_spec(delta)
        .with_paging_spec(PagingSpec::Exact(vec![numbers.len()]));
    let file = FileCompressor::default();
    let mut bytes = file.write_header(Vec::new()).ok()?;
    let mut chunk = file.chunk_compressor(numbers, &config).ok()?;
    bytes.reserve_exact(chunk.meta_size_hint() + chunk.page_size_hint(0));
    bytes = chunk.write_meta(bytes).ok()?;
    chunk.write_page(0, bytes).ok()
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
    let times = match tag & 0x0f {
        REGULAR => regular_times(shape)?,
        STEPS => {
            let length = reader.varint()?;
            stepped_times(Reader(reader.take(length)?), shape)?
        }
        PCO => {
            let length = reader.varint()?;
            decompress(reader.take(length)?, shape.count)?
        }
        _ => return Err(Damaged("times have an unknown encoding")),
    };
    let values = match tag >> 4 {
        RAW => raw_values(reader.0, shape.count)?,
        PCO => decompress(reader.0, shape.count)?,
        _ => return Err(Damaged("values have an unknown encoding")),
    };
    if (times.first(), times.last()) != (Some(&shape.first_at), Some(&shape.last_at)) {
        return Err(Damaged("times are not those announced"));
    }
    Points::decoded(times, values).ok_or(Damaged("points are out of order or out of bounds"))
}

fn regular_times(shape: Shape) -> Result<Vec<i64>, Damaged> {
    let step = shape
        .step()
        .ok_or(Damaged("times are not those announced"))?;
    Ok((0..shape.count as i64)
        .map(|index| shape.first_at + index * step)
        .collect())
}

fn stepped_times(mut steps: Reader<'_>, shape: Shape) -> Result<Vec<i64>, Damaged> {
    // A step takes at least a byte, so that this bounds what is allocated too.
    if steps.0.len() < shape.count - 1 {
        return Err(Damaged("cut short"));
    }
    let mut times = Vec::with_capacity(shape.count);
    let mut time = shape.first_at;
    times.push(time);
    for _ in 1..shape.count {
        time = time
            .checked_add(steps.micros()?)
            .ok_or(Damaged("a time is out of bounds"))?;
        times.push(time);
    }
    if steps.0.is_empty() {
        Ok(times)
    } else {
        Err(Damaged("more bytes than points"))
    }
}

fn raw_values(bytes: &[u8], count: usize) -> Result<Vec<f64>, Damaged> {
    let (values, rest) = bytes.as_chunks::<8>();
    if values.len() != count || !rest.is_empty() {
        return Err(Damaged("values are cut short or too long"));
    }
    Ok(values
        .iter()
        .map(|&value| f64::from_le_bytes(value))
        .collect())
}

fn decompress<T: pco::data_types::Number>(bytes: &[u8], count: usize) -> Result<Vec<T>, Damaged> {
    let refused = |_| Damaged("compressed numbers cannot be read");
    let (file, bytes) = FileDecompressor::new(bytes).map_err(refused)?;
    if bytes
        .first()
        .is_none_or(|byte| byte & 0x0f == PCO_DICTIONARY_MODE)
    {
        return Err(Damaged("compressed numbers have an unknown encoding"));
    }
    let (mut chunk, bytes) = file.chunk_decompressor::<T, _>(bytes).map_err(refused)?;
    match &chunk.meta().delta_encoding {
        DeltaEncoding::NoOp | DeltaEncoding::Consecutive { .. } => {}
        DeltaEncoding::Lookback { config, .. } if config.window_n_log <= PCO_LOOKBACK_LOG => {}
        _ => return Err(Damaged("compressed numbers have an unknown encoding")),
    }
    let mut numbers = vec![T::default(); count];
    let mut page = chunk.page_decompressor(bytes, count).map_err(refused)?;
    let progress = page.read(&mut numbers).map_err(refused)?;
    if progress.n_processed == count && progress.finished && page.into_src().is_empty() {
        Ok(numbers)
    } else {
        Err(Damaged("compressed numbers are too few or too many"))
    }
}

#[cfg(test)]
pub(super) mod tests;
