//! The payloads of rows: of a `chunk`, one series' points, and of a `batch`, one call's points of many series.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version, 1 |
//! | 4 | CRC-32 (IEEE) of the version and of everything behind this checksum, little-endian |
//!
//! In a chunk the column follows, see [`mod@super::column`]; its shape stands in the row. In a batch a directory follows:
//!
//! | bytes | what |
//! |---|---|
//! | varint | how many series |
//! | varint | the earliest time in the batch, µs since 1970 UTC |
//! | 5 varints a series | the directory, by ascending id |
//! | | the columns in the same order, see [`mod@super::column`] |
//!
//! A series' five numbers are its id (less the one before; the first as 32 bits), how many points, the first time (less
//! the earliest in the batch), the last time (less the first) and how many bytes its column takes.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::column::{Damaged, Shape, decode_column, encode_column};
use super::varint::{Reader, put};
use super::{MAX_POINTS, Points};

const VERSION: u8 = 1;
const FRAME: usize = 1 + 4;

/// Fewest bytes that a series takes in the directory and in its column.
const FEWEST_BYTES: usize = 5 + 3;

/// More points than one payload holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{points} points are more than the {MAX_POINTS} that one call may write: send them in several"
)]
pub struct TooManyPoints {
    /// How many there were.
    pub points: usize,
}

/// Encodes the points of a call, by series id. A series without points is left out.
///
/// # Errors
///
/// [`TooManyPoints`] above [`MAX_POINTS`] in all.
pub fn encode_batch<P: Borrow<Points>>(
    series: &BTreeMap<i32, P>,
) -> Result<Vec<u8>, TooManyPoints> {
    let points = series.values().map(|points| points.borrow().len()).sum();
    if points > MAX_POINTS {
        return Err(TooManyPoints { points });
    }
    let shaped: Vec<_> = series
        .iter()
        .filter_map(|(&id, points)| Some((id, points.borrow(), Shape::of(points.borrow())?)))
        .collect();
    let earliest = shaped
        .iter()
        .map(|(_, _, shape)| shape.first_at)
        .min()
        .unwrap_or_default();

    let mut bytes = vec![0; FRAME];
    let mut columns = Vec::new();
    put(&mut bytes, shaped.len() as u64);
    put(&mut bytes, earliest.unsigned_abs());
    let mut last_id = None;
    for (id, points, shape) in shaped {
        let start = columns.len();
        encode_column(points, &mut columns);
        put(
            &mut bytes,
            u64::from(last_id.map_or(id.cast_unsigned(), |last| id.abs_diff(last))),
        );
        put(&mut bytes, shape.count as u64);
        put(&mut bytes, shape.first_at.abs_diff(earliest));
        put(&mut bytes, shape.last_at.abs_diff(shape.first_at));
        put(&mut bytes, (columns.len() - start) as u64);
        last_id = Some(id);
    }
    bytes.extend_from_slice(&columns);
    seal(&mut bytes);
    Ok(bytes)
}

/// Encodes the points of one series. Their [`Shape`] is needed to read them and has to be kept elsewhere.
pub fn encode_chunk(points: &Points) -> Vec<u8> {
    let mut bytes = vec![0; FRAME];
    encode_column(points, &mut bytes);
    seal(&mut bytes);
    bytes
}

/// Decodes what [`encode_chunk`] wrote of points of this shape.
///
/// # Errors
///
/// [`Damaged`] if it is something else: another version, a wrong checksum, points of another shape.
pub fn decode_chunk(payload: &[u8], shape: Shape) -> Result<Points, Damaged> {
    decode_column(unseal(payload)?, shape)
}

/// Puts version and checksum in front of a payload whose first bytes are left free for them.
fn seal(payload: &mut [u8]) {
    payload[0] = VERSION;
    let checksum = checksum(payload).to_le_bytes();
    payload[1..FRAME].copy_from_slice(&checksum);
}

/// What stands behind version and checksum, if they are right.
fn unseal(payload: &[u8]) -> Result<&[u8], Damaged> {
    let (frame, body) = payload
        .split_first_chunk::<FRAME>()
        .ok_or(Damaged("cut short"))?;
    let [version, stated @ ..] = *frame;
    if version != VERSION {
        return Err(Damaged("the version is unknown"));
    }
    if checksum(payload) != u32::from_le_bytes(stated) {
        return Err(Damaged("the checksum is wrong"));
    }
    Ok(body)
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..1]);
    hasher.update(&bytes[FRAME..]);
    hasher.finalize()
}

/// An opened batch: its directory is read and its checksum right, its columns are not decoded yet.
#[derive(Debug, Clone)]
pub struct Batch<'a> {
    entries: Vec<Entry<'a>>,
}

/// One series in a batch.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    series_id: i32,
    shape: Shape,
    column: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Opens a payload.
    ///
    /// # Errors
    ///
    /// [`Damaged`] if it is not what [`encode_batch`] wrote: another version, a wrong checksum, a directory that does
    /// not fit the bytes. A directory with a forged checksum opens if it fits; its columns are checked when decoded.
    pub fn open(payload: &'a [u8]) -> Result<Self, Damaged> {
        let mut reader = Reader(unseal(payload)?);
        let count = reader.varint()?;
        let earliest = reader.micros()?;
        if count > (reader.0.len() / FEWEST_BYTES) as u64 {
            return Err(Damaged("more series than bytes for them"));
        }
        let mut entries = Vec::with_capacity(count as usize);
        let mut points = 0_u64;
        let mut last_id: Option<i32> = None;
        for _ in 0..count {
            let step = u32::try_from(reader.varint()?)
                .map_err(|_| Damaged("a series id is out of bounds"))?;
            let series_id = match last_id {
                None => step.cast_signed(),
                Some(_) if step == 0 => return Err(Damaged("a series occurs twice")),
                Some(last) => last
                    .checked_add_unsigned(step)
                    .ok_or(Damaged("a series id is out of bounds"))?,
            };
            last_id = Some(series_id);
            let count = reader.varint()?;
            points = points.saturating_add(count);
            if count == 0 || points > MAX_POINTS as u64 {
                return Err(Damaged("a column has no points or too many"));
            }
            let first_at = earliest + reader.micros()?;
            let last_at = first_at + reader.micros()?;
            let length = reader.varint()?;
            let shape = Shape {
                count: count as usize,
                first_at,
                last_at,
            };
            entries.push((
                Entry {
                    series_id,
                    shape,
                    column: &[],
                },
                length,
            ));
        }
        let entries = entries
            .into_iter()
            .map(|(entry, length)| {
                Ok(Entry {
                    column: reader.take(length)?,
                    ..entry
                })
            })
            .collect::<Result<Vec<_>, Damaged>>()?;
        if reader.0.is_empty() {
            Ok(Self { entries })
        } else {
            Err(Damaged("more bytes than columns"))
        }
    }

    /// The series in the batch, by ascending id.
    pub fn entries(&self) -> &[Entry<'a>] {
        &self.entries
    }

    /// One series' entry; nothing if the batch has no point of it.
    pub fn entry(&self, series_id: i32) -> Option<&Entry<'a>> {
        let place = self
            .entries
            .binary_search_by_key(&series_id, |entry| entry.series_id)
            .ok()?;
        self.entries.get(place)
    }
}

impl Entry<'_> {
    /// The series.
    pub fn series_id(&self) -> i32 {
        self.series_id
    }

    /// How many points, from when, till when.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Whether points may lie within a half-open range of times; if not, decoding can be spared.
    pub fn overlaps(&self, range: &Range<i64>) -> bool {
        self.shape.first_at < range.end && range.start <= self.shape.last_at
    }

    /// Decodes the series' points.
    ///
    /// # Errors
    ///
    /// [`Damaged`] if the column is not what was written.
    pub fn points(&self) -> Result<Points, Damaged> {
        decode_column(self.column, self.shape)
    }
}

#[cfg(test)]
mod tests;
