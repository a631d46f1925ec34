//! [`Every`]: how long a window is, and where it begins.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::TIMES;

/// The length of windows, with the grid that they lie on: `500ms`, `30s`, `5m`, `1h`, `1d`, `2w`, `3mo`.
///
/// | unit | length | a window begins |
/// |---|---|---|
/// | `ms` `s` `m` `h` | fixed | at multiples of the length since 1970-01-01 00:00 UTC, in every time zone |
/// | `d` | by the calendar, 23 or 25 hours where clocks change | with every nth day, counted from 1970-01-01 |
/// | `w` | by the calendar | on Monday of every nth week, counted from that of 1970-01-01, Monday 1969-12-29 |
/// | `mo` | by the calendar | with every nth month, counted from January 1970: `3mo` are quarters |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Every {
    count: i64,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Unit {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
}

/// A text that is no [`Every`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvery {
    /// Not a whole number and a unit.
    #[error(
        "`{0}` is no duration: give a whole number and one of ms, s, m, h, d, w, mo, such as 30s, 5m, 1h, 1d, 1mo"
    )]
    Malformed(String),
    /// Zero or less.
    #[error("`{0}` is too short: it must be longer than nothing")]
    NotPositive(String),
    /// Longer than all times that points can have.
    #[error("`{0}` is too long: the longest windows are 230 years, 2760mo")]
    TooLong(String),
}

const UNITS: [(&str, Unit); 7] = [
    ("ms", Unit::Millisecond),
    ("s", Unit::Second),
    ("m", Unit::Minute),
    ("h", Unit::Hour),
    ("d", Unit::Day),
    ("w", Unit::Week),
    ("mo", Unit::Month),
];

impl Unit {
    /// In µs; for units of the calendar what one takes on average, to tell how long windows are about.
    fn micros(self) -> i64 {
        const SECOND: i64 = 1_000_000;
        match self {
            Self::Millisecond => 1_000,
            Self::Second => SECOND,
            Self::Minute => 60 * SECOND,
            Self::Hour => 3_600 * SECOND,
            Self::Day => 86_400 * SECOND,
            Self::Week => 7 * 86_400 * SECOND,
            Self::Month => 2_629_746 * SECOND,
        }
    }

    fn text(self) -> &'static str {
        UNITS
            .iter()
            .find(|(_, unit)| *unit == self)
            .map_or("", |(text, _)| text)
    }
}

impl FromStr for Every {
    type Err = InvalidEvery;

    fn from_str(text: &str) -> Result<Self, InvalidEvery> {
        // Whatever was sent, the message stays short.
        let shown = || text.chars().take(40).collect::<String>();
        let negative = text.starts_with('-');
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (digits, unit) = digits.split_at(digits.bytes().take_while(u8::is_ascii_digit).count());
        let unit = UNITS
            .iter()
            .find(|(text, _)| *text == unit)
            .map(|(_, unit)| *unit);
        let Some(unit) = unit.filter(|_| !digits.is_empty()) else {
            return Err(InvalidEvery::Malformed(shown()));
        };
        // Only digits are left, so that what does not parse is too large.
        let count = digits.parse::<i64>().unwrap_or(i64::MAX);
        if negative || count == 0 {
            return Err(InvalidEvery::NotPositive(shown()));
        }
        match count.checked_mul(unit.micros()) {
            Some(micros) if micros <= TIMES.end => Ok(Self { count, unit }),
            _ => Err(InvalidEvery::TooLong(shown())),
        }
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, self.unit.text())
    }
}

/// Windows have numbers, ascending with time. That of 1970-01-01 is 0.
impl Every {
    /// One minute.
    pub const MINUTE: Self = Every {
        count: 1,
        unit: Unit::Minute,
    };

    /// About how long a window is, in µs; exact unless it goes by the calendar.
    pub fn about(self) -> i64 {
        self.count * self.unit.micros()
    }

    /// As long as `micros`, in the largest fixed unit that counts it: none below 1 ms.
    pub fn fixed(micros: i64) -> Option<Self> {
        let units = [Unit::Hour, Unit::Minute, Unit::Second, Unit::Millisecond];
        let unit = units.into_iter().find(|unit| micros % unit.micros() == 0)?;
        let count = micros / unit.micros();
        (count > 0).then_some(Every { count, unit })
    }

    /// Numbers of the windows that the calendar has for a half-open range within [`TIMES`]. Where clocks were put back
    /// over midnight, a range may begin in the window before, and end in that after.
    pub(super) fn covering(self, range: &Range<i64>, zone: &TimeZone) -> Range<i64> {
        self.number(range.start, zone)..self.number(range.end - 1, zone) + 1
    }

    /// When the window of this number begins, in µs since 1970 UTC.
    pub(super) fn start(self, number: i64, zone: &TimeZone) -> i64 {
        let count = number * self.count;
        let day = match self.unit {
            Unit::Day => epoch().checked_add(count.days()),
            Unit::Week => monday().checked_add(count.weeks()),
            Unit::Month => epoch().checked_add(count.months()),
            fixed => return count * fixed.micros(),
        };
        // Both can only fail some thousands of years away from any window asked for.
        day.and_then(|day| day.to_zoned(zone.clone()))
            .map_or(if number < 0 { i64::MIN } else { i64::MAX }, |zoned| {
                zoned.timestamp().as_microsecond()
            })
    }

    /// The window that the calendar says a time is in.
    fn number(self, time: i64, zone: &TimeZone) -> i64 {
        let units = match self.unit {
            Unit::Day => days_since(epoch(), local(time, zone)),
            Unit::Week => days_since(monday(), local(time, zone)).div_euclid(7),
            Unit::Month => {
                let day = local(time, zone);
                (i64::from(day.year()) - 1970) * 12 + i64::from(day.month()) - 1
            }
            fixed => time.div_euclid(fixed.micros()),
        };
        units.div_euclid(self.count)
    }
}

const fn epoch() -> Date {
    date(1970, 1, 1)
}

const fn monday() -> Date {
    date(1969, 12, 29)
}

fn local(time: i64, zone: &TimeZone) -> Date {
    zone.to_datetime(Timestamp::from_microsecond(time).unwrap_or(Timestamp::UNIX_EPOCH))
        .date()
}

fn days_since(start: Date, day: Date) -> i64 {
    start.duration_until(day).as_hours() / 24
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back() {
        for text in [
            "1ms", "500ms", "30s", "5m", "1h", "1d", "2d", "1w", "3mo", "2760mo", "83950d",
        ] {
            assert_eq!(text.parse::<Every>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_refused_with_the_way_out() {
        for text in [
            "", "5", "m", "1y", "1.5h", "5 m", " 5m", "5m ", "1h30m", "+5m", "--5m", "٣s", "5M",
            "5us",
        ] {
            assert_eq!(
                text.parse::<Every>(),
                Err(InvalidEvery::Malformed(text.into()))
            );
        }
        for text in ["0s", "-5m", "000mo"] {
            assert_eq!(
                text.parse::<Every>(),
                Err(InvalidEvery::NotPositive(text.into()))
            );
        }
        for text in [
            "2762mo",
            "9223372036854775807h",
            "99999999999999999999999s",
            "90000d",
        ] {
            assert_eq!(
                text.parse::<Every>(),
                Err(InvalidEvery::TooLong(text.into()))
            );
        }
        let message = "ever so long"
            .repeat(1000)
            .parse::<Every>()
            .unwrap_err()
            .to_string();
        assert!(message.len() < 200, "{message}");
    }

    #[test]
    fn calendar_windows_begin_where_the_zone_says() {
        let vienna = TimeZone::get("Europe/Vienna").unwrap();
        let start = |every: &str, at: &str| {
            let every: Every = every.parse().unwrap();
            let at = at.parse::<Timestamp>().unwrap().as_microsecond();
            let start = every.start(every.number(at, &vienna), &vienna);
            Timestamp::from_microsecond(start)
                .unwrap()
                .to_zoned(vienna.clone())
                .datetime()
                .to_string()
        };
        assert_eq!(start("1d", "2026-03-29T20:00:00Z"), "2026-03-29T00:00:00");
        assert_eq!(start("1d", "2026-03-29T22:00:00Z"), "2026-03-30T00:00:00");
        assert_eq!(start("1w", "2026-11-22T22:59:59Z"), "2026-11-16T00:00:00");
        assert_eq!(start("1w", "2026-11-22T23:00:00Z"), "2026-11-23T00:00:00");
        assert_eq!(start("1mo", "2026-10-31T23:00:00Z"), "2026-11-01T00:00:00");
        assert_eq!(start("3mo", "2026-11-24T12:00:00Z"), "2026-10-01T00:00:00");
        assert_eq!(start("12mo", "2026-11-24T12:00:00Z"), "2026-01-01T00:00:00");
        assert_eq!(start("1h", "2026-11-24T12:34:56Z"), "2026-11-24T13:00:00");
        assert_eq!(start("2d", "1970-01-02T12:00:00Z"), "1970-01-01T00:00:00");
        assert_eq!(start("1w", "1970-01-01T00:00:00Z"), "1969-12-29T00:00:00");
    }
}
