//! The values of a column.
//!
//! | code | when | bytes |
//! |---|---|---|
//! | 0 | nothing else is smaller | little-endian IEEE 754, 8 bytes each |
//! | 2 | many | pco |
//! | 3 | many decimal numbers | a byte for the decimals, then the digits as whole numbers, by pco |
//! | 4 | few decimal numbers | a byte for the decimals, then how much the digits change, varints (zigzag) |
//!
//! Sensors and people give decimal numbers, `21.5`. Such a value is the quotient of whole numbers, 215 and 10, and comes
//! back bit by bit, for a division is rounded exactly. Whole numbers take two thirds of the bytes and half of the time to
//! read. (The observation is that of ALP: Afroozeh and others, "ALP: Adaptive Lossless floating-Point compression",
//! SIGMOD 2023.)

use pco::DeltaSpec;

use super::Damaged;
use super::number::{WORTH_PCO, compress, decompress};
use crate::chunk::varint::{Reader, put};

const RAW: u8 = 0;
const PCO: u8 = 2;
const DECIMAL: u8 = 3;
const DECIMAL_STEPS: u8 = 4;

/// Powers of ten, by how many decimals there are. All are exact.
const SCALES: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// Whole numbers up to this are exact in an `f64`.
const EXACT: i64 = 1 << 53;

/// Appends the values, and gives the code of how.
pub(super) fn encode(values: &[f64], bytes: &mut Vec<u8>) -> u8 {
    let raw = size_of_val(values);
    let start = bytes.len();
    if values.len() < WORTH_PCO {
        let mut few = [0; WORTH_PCO];
        let digits = &mut few[..values.len()];
        if let Some(decimals) = to_digits(values, digits) {
            bytes.push(decimals);
            put_changes(digits, bytes);
            if bytes.len() - start < raw {
                return DECIMAL_STEPS;
            }
            bytes.truncate(start);
        }
    } else {
        let mut digits = vec![0; values.len()];
        if let Some(decimals) = to_digits(values, &mut digits)
            && let Some(encoded) = compress(&digits, DeltaSpec::Auto)
            && encoded.len() < raw
        {
            bytes.push(decimals);
            bytes.extend_from_slice(&encoded);
            return DECIMAL;
        }
    }
    match compress(values, DeltaSpec::Auto) {
        Some(encoded) if encoded.len() < raw => {
            bytes.extend_from_slice(&encoded);
            PCO
        }
        _ => {
            bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            RAW
        }
    }
}

/// Puts the digits of the values, as whole numbers, into as many `digits`, and tells how many decimals they have; nothing
/// if not all are decimal numbers.
fn to_digits(values: &[f64], digits: &mut [i64]) -> Option<u8> {
    'more: for (decimals, scale) in (0..).zip(SCALES) {
        for (value, digits) in values.iter().zip(&mut *digits) {
            // Whatever this rounds to, the division tells whether it is right. −0.0 is not: it has no whole number.
            let whole = (value * scale + 0.5_f64.copysign(*value)) as i64;
            let exact = (-EXACT..=EXACT).contains(&whole);
            if !exact || (whole as f64 / scale).to_bits() != value.to_bits() {
                continue 'more;
            }
            *digits = whole;
        }
        return Some(decimals);
    }
    None
}

fn put_changes(digits: &[i64], bytes: &mut Vec<u8>) {
    let mut last = 0;
    for &whole in digits {
        let change = whole - last;
        put(bytes, ((change << 1) ^ (change >> 63)) as u64);
        last = whole;
    }
}

/// Reads `count` values back, which take all of the bytes that are left.
pub(super) fn decode(how: u8, mut reader: Reader<'_>, count: usize) -> Result<Vec<f64>, Damaged> {
    match how {
        RAW => raw(reader.0, count),
        PCO => decompress(reader.0, count),
        DECIMAL | DECIMAL_STEPS => {
            let scale = *SCALES
                .get(usize::from(reader.byte()?))
                .ok_or(Damaged("values have an unknown scale"))?;
            let digits = match how {
                DECIMAL => decompress(reader.0, count)?,
                _ => changed(reader, count)?,
            };
            Ok(digits
                .into_iter()
                .map(|whole: i64| whole as f64 / scale)
                .collect())
        }
        _ => Err(Damaged("values have an unknown encoding")),
    }
}

fn raw(bytes: &[u8], count: usize) -> Result<Vec<f64>, Damaged> {
    let (values, rest) = bytes.as_chunks::<8>();
    if values.len() != count || !rest.is_empty() {
        return Err(Damaged("values are cut short or too long"));
    }
    Ok(values
        .iter()
        .map(|&value| f64::from_le_bytes(value))
        .collect())
}

fn changed(mut reader: Reader<'_>, count: usize) -> Result<Vec<i64>, Damaged> {
    // A change takes at least a byte, so that this bounds what is allocated too.
    if reader.0.len() < count {
        return Err(Damaged("cut short"));
    }
    let mut digits = Vec::with_capacity(count);
    let mut last = 0_i64;
    for _ in 0..count {
        let change = reader.varint()?;
        last = last.wrapping_add((change >> 1).cast_signed() ^ -((change & 1).cast_signed()));
        digits.push(last);
    }
    if reader.0.is_empty() {
        Ok(digits)
    } else {
        Err(Damaged("more bytes than points"))
    }
}
