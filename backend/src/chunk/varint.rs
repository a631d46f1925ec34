//! Whole numbers in as few bytes as they need (LEB128: seven bits a byte, the lowest first), and a careful reader.

use super::Damaged;

/// Appends `number`, in 1 to 10 bytes.
pub(super) fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Reads bytes from the front, and refuses to read what is not there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn byte(&mut self) -> Result<u8, Damaged> {
        let (&byte, rest) = self.0.split_first().ok_or(Damaged("cut short"))?;
        self.0 = rest;
        Ok(byte)
    }

    pub(super) fn varint(&mut self) -> Result<u64, Damaged> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Damaged("a number is too large"))
    }

    /// A number of µs, which fits an `i64` with room to add two of them.
    pub(super) fn micros(&mut self) -> Result<i64, Damaged> {
        i64::try_from(self.varint()?)
            .ok()
            .filter(|&micros| micros < super::TIMES.end)
            .ok_or(Damaged("a time is out of bounds"))
    }

    pub(super) fn take(&mut self, count: u64) -> Result<&'a [u8], Damaged> {
        let count = usize::try_from(count).map_err(|_| Damaged("cut short"))?;
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Damaged("cut short"))?;
        self.0 = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            u64::from(u32::MAX),
            u64::MAX - 1,
            u64::MAX,
        ] {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            let mut reader = Reader(&bytes);
            assert_eq!(reader.varint(), Ok(number));
            assert!(reader.0.is_empty());
            assert_eq!(
                Reader(&bytes[..bytes.len() - 1]).varint(),
                Err(Damaged("cut short"))
            );
        }
        assert_eq!(
            Reader(&[0xff; 11]).varint(),
            Err(Damaged("a number is too large"))
        );
    }
}
