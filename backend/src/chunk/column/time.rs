//! The times of a column.
//!
//! | code | when | bytes |
//! |---|---|---|
//! | 0 | all steps are equal | none |
//! | 1 | few, or steps that compress badly | a varint for each step |
//! | 2 | steps resemble each other | pco with first-order deltas |
//! | 3 | times jitter about a straight line | a byte for the unit, then what each time is off the line, by pco |
//!
//! The line of code 3 goes from the first to the last time in whole units: code 0 stands for µs, 1 for ms, 2 for s. Jitter
//! about a line takes fewer bits than its steps do, of which each jitters twice.

use pco::DeltaSpec;

use super::number::{WORTH_PCO, compress, decompress};
use super::{Damaged, Shape};
use crate::chunk::Points;
use crate::chunk::varint::{Reader, put};

const REGULAR: u8 = 0;
const STEPS: u8 = 1;
const PCO: u8 = 2;
const LINE: u8 = 3;

/// µs, ms and s, in µs.
const UNITS: [i64; 3] = [1, 1_000, 1_000_000];

/// Appends the times of `points`, and gives the code of how.
pub(super) fn encode(points: &Points, bytes: &mut Vec<u8>) -> u8 {
    let times = points.times();
    let regular = |step: i64| times.windows(2).all(|pair| pair[1] - pair[0] == step);
    if Shape::of(points).and_then(Shape::step).is_some_and(regular) {
        return REGULAR;
    }
    let (how, encoded) = match compressed(points) {
        Some(compressed) => compressed,
        None => (STEPS, steps(times)),
    };
    put(bytes, encoded.len() as u64);
    bytes.extend_from_slice(&encoded);
    how
}

fn steps(times: &[i64]) -> Vec<u8> {
    let mut steps = Vec::with_capacity(3 * times.len());
    for pair in times.windows(2) {
        put(&mut steps, pair[1].abs_diff(pair[0]));
    }
    steps
}

/// Compressed as it is likely to be the smallest; nothing where steps are smaller.
fn compressed(points: &Points) -> Option<(u8, Vec<u8>)> {
    let times = points.times();
    if times.len() < WORTH_PCO {
        return None;
    }
    let shape = Shape::of(points)?;
    let unit = (0..UNITS.len()).rev().find(|&unit| {
        let whole = |time: &i64| (time - shape.first_at) % UNITS[unit] == 0;
        times.iter().all(whole)
    })?;
    let line = Line::of(shape, UNITS[unit])?;
    let off: Vec<i64> = times
        .iter()
        .zip(line)
        .map(|(time, line)| (time - shape.first_at) / UNITS[unit] - line)
        .collect();
    // How far times are off the line, and how far steps are off the mean step.
    let total = |numbers: &mut dyn Iterator<Item = i64>| -> u128 {
        numbers
            .map(|number| u128::from(number.unsigned_abs()))
            .sum()
    };
    let jitter = total(&mut off.iter().copied());
    let drift = total(&mut off.windows(2).map(|pair| pair[1] - pair[0]));
    let (how, encoded) = if jitter < drift {
        let mut encoded = vec![unit as u8];
        encoded.extend_from_slice(&compress(&off, DeltaSpec::NoOp)?);
        (LINE, encoded)
    } else {
        (PCO, compress(times, DeltaSpec::TryConsecutive(1))?)
    };
    // A step takes a byte or more: mostly it is plain that compressing pays.
    let pays = encoded.len() < times.len() || encoded.len() < steps(times).len();
    pays.then_some((how, encoded))
}

/// Reads the times of `shape` back.
pub(super) fn decode(how: u8, reader: &mut Reader<'_>, shape: Shape) -> Result<Vec<i64>, Damaged> {
    if how == REGULAR {
        return regular(shape);
    }
    let length = reader.varint()?;
    let mut encoded = Reader(reader.take(length)?);
    match how {
        STEPS => stepped(encoded, shape),
        PCO => decompress(encoded.0, shape.count),
        LINE => {
            let unit = *UNITS
                .get(usize::from(encoded.byte()?))
                .ok_or(Damaged("times have an unknown unit"))?;
            let line = Line::of(shape, unit).ok_or(Damaged("times are not those announced"))?;
            let mut times: Vec<i64> = decompress(encoded.0, shape.count)?;
            // What is forged may wrap around; whoever decodes looks whether times ascend.
            for (time, line) in times.iter_mut().zip(line) {
                *time = time
                    .wrapping_add(line)
                    .wrapping_mul(unit)
                    .wrapping_add(shape.first_at);
            }
            Ok(times)
        }
        _ => Err(Damaged("times have an unknown encoding")),
    }
}

fn regular(shape: Shape) -> Result<Vec<i64>, Damaged> {
    let step = shape
        .step()
        .ok_or(Damaged("times are not those announced"))?;
    Ok((0..shape.count as i64)
        .map(|index| shape.first_at + index * step)
        .collect())
}

fn stepped(mut steps: Reader<'_>, shape: Shape) -> Result<Vec<i64>, Damaged> {
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

/// A straight line in whole units from 0 at the first to the whole span at the last point, rounded down: one number a
/// point, without a division for each.
struct Line {
    next: i64,
    step: i64,
    rest: i64,
    owed: i64,
    steps: i64,
}

impl Line {
    /// Of two points or more whose span is of whole units.
    fn of(shape: Shape, unit: i64) -> Option<Self> {
        let steps = i64::try_from(shape.count).ok()?.checked_sub(1)?;
        let span = shape.last_at.checked_sub(shape.first_at)?;
        if steps < 1 || span < 0 || span % unit != 0 {
            return None;
        }
        let span = span / unit;
        Some(Line {
            next: 0,
            step: span / steps,
            rest: span % steps,
            owed: 0,
            steps,
        })
    }
}

impl Iterator for Line {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        let at = self.next;
        self.next += self.step;
        self.owed += self.rest;
        if self.owed >= self.steps {
            self.next += 1;
            self.owed -= self.steps;
        }
        Some(at)
    }
}
