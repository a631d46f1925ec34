//! What can be said of a producer and of its runs, checked.

use crate::{
    chunk::{Every, TIMES},
    error::{Error, Result},
    guard::is_plain,
    producer::Schedule,
};

const SECOND: i64 = 1_000_000;
/// The shortest grace and the longest, µs.
/// How long after its slot a run is late where nobody says otherwise.
pub const USUAL_GRACE: i64 = 60 * SECOND;
const GRACE: std::ops::RangeInclusive<i64> = SECOND..=7 * 86_400 * SECOND;
/// How far the clock of a producer may be ahead, µs.
const AHEAD: i64 = 5 * 60 * SECOND;
/// Longest text of why a run failed, in characters.
const LONGEST: usize = 1_000;

/// What a producer is called: 1 to 100 characters, none of them invisible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerName(String);

impl TryFrom<String> for ProducerName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let name = text.trim();
        if !(1..=100).contains(&name.chars().count()) || !is_plain(name) {
            return Err(Error::bad_input(
                "a producer's name must be 1 to 100 characters on one line, none of them invisible, such as `clock`",
            ));
        }
        Ok(ProducerName(name.to_owned()))
    }
}

impl ProducerName {
    /// The name of a producer that is asked for.
    ///
    /// # Errors
    /// [`Error::NotFound`] for what no producer is called.
    pub fn asked(text: String) -> Result<Self> {
        ProducerName::try_from(text).map_err(|_| Error::NotFound("producer"))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A producer as it shall be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What it is called.
    pub name: ProducerName,
    /// When its runs are due.
    pub schedule: Schedule,
    /// How long after its slot a run is late, in µs; none to leave it as it is.
    pub grace: Option<i64>,
}

impl Settings {
    /// Reads what was given, the time being `now`.
    ///
    /// # Errors
    /// [`Error::BadInput`] with what to write.
    pub fn new(
        name: String,
        expression: &str,
        time_zone: &str,
        grace: Option<Every>,
        now: i64,
    ) -> Result<Self> {
        let name = name.try_into()?;
        let grace = grace.map(Every::about);
        if grace.is_some_and(|grace| !GRACE.contains(&grace)) {
            return Err(Error::bad_input(
                "`grace` must be 1s to 7d: how long after its slot a run may still begin",
            ));
        }
        let schedule = Schedule::new(expression, time_zone)?.due_after(now)?;
        Ok(Settings {
            name,
            schedule,
            grace,
        })
    }
}

/// A duration of whole ms, in words: `90s`.
pub fn words(micros: i64) -> String {
    Every::fixed(micros).map_or_else(|| format!("{micros}µs"), |every| every.to_string())
}

/// A slot that a run can be for, the time being `now`.
///
/// # Errors
/// [`Error::BadInput`] when it lies too far ahead, or where no points can be.
pub fn slot(at: i64, now: i64) -> Result<i64> {
    if at > now + AHEAD {
        return Err(Error::bad_input(
            "`slot` lies more than 5 minutes ahead: a run begins when its slot has come; check the clock",
        ));
    }
    within(at, "slot")
}

/// When a run has begun, the time being `now`: not ahead of it.
///
/// # Errors
/// As [`slot`].
pub fn started(at: i64, now: i64) -> Result<i64> {
    if at > now + AHEAD {
        return Err(Error::bad_input(
            "`startedAt` lies more than 5 minutes ahead: check the clock",
        ));
    }
    Ok(within(at, "startedAt")?.min(now))
}

fn within(at: i64, what: &str) -> Result<i64> {
    if !TIMES.contains(&at) {
        return Err(Error::bad_input(format!(
            "`{what}` must lie from 1970 up to and without 2200"
        )));
    }
    Ok(at)
}

/// How a run has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It wrote so many points.
    Points(i64),
    /// Why it failed.
    Error(String),
}

impl Outcome {
    /// It wrote so many points.
    ///
    /// # Errors
    /// [`Error::BadInput`] for less than none.
    pub fn points(points: i32) -> Result<Self> {
        if points < 0 {
            return Err(Error::bad_input(
                "`points` is less than 0: say how many points were written",
            ));
        }
        Ok(Outcome::Points(points.into()))
    }

    /// It failed, with these words; what does not show is left out of them, since programs' own words may hold anything.
    ///
    /// # Errors
    /// [`Error::BadInput`] when they say nothing, or too much.
    pub fn error(words: &str) -> Result<Self> {
        let shows =
            |char: &char| matches!(char, '\n' | '\t') || is_plain(char.encode_utf8(&mut [0; 4]));
        let words: String = words.chars().filter(shows).collect();
        let words = words.trim();
        if words.is_empty() || words.chars().count() > LONGEST {
            return Err(Error::bad_input(format!(
                "`error` must say in 1 to {LONGEST} characters why the run failed: give the last lines of what it said"
            )));
        }
        Ok(Outcome::Error(words.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(name: &str, grace: &str) -> Result<Settings> {
        let grace = grace.parse().unwrap();
        Settings::new(name.into(), "* * * * *", "UTC", Some(grace), 0)
    }

    #[test]
    fn names_are_short_and_show_as_what_they_are() {
        assert_eq!(settings(" clock ", "1m").unwrap().name.as_str(), "clock");
        for bad in ["", " ", "a\nb", "a\u{202e}b", &"x".repeat(101)] {
            assert!(
                matches!(settings(bad, "1m"), Err(Error::BadInput(_))),
                "{bad}"
            );
            let asked = ProducerName::asked(bad.into());
            assert!(matches!(asked, Err(Error::NotFound("producer"))), "{bad}");
        }
    }

    #[test]
    fn grace_is_bounded_and_told_in_its_largest_unit() {
        for (grace, told) in [
            ("1s", "1s"),
            ("90s", "90s"),
            ("60s", "1m"),
            ("7d", "168h"),
            ("1500ms", "1500ms"),
        ] {
            assert_eq!(words(settings("a", grace).unwrap().grace.unwrap()), told);
        }
        for bad in ["999ms", "8d", "1mo"] {
            assert!(
                matches!(settings("a", bad), Err(Error::BadInput(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn clocks_may_be_a_little_ahead() {
        assert_eq!(slot(AHEAD, 0).ok(), Some(AHEAD));
        assert!(slot(AHEAD + 1, 0).is_err() && slot(-1, 0).is_err());
        assert_eq!(started(AHEAD, 7).ok(), Some(7));
        assert_eq!(started(3, 7).ok(), Some(3));
        assert!(started(AHEAD + 8, 7).is_err() && started(-1, 0).is_err());
    }

    #[test]
    fn words_of_a_failure_show() {
        let told = |words: &str| match Outcome::error(words) {
            Ok(Outcome::Error(words)) => Some(words),
            _ => None,
        };
        assert_eq!(
            told("\u{1b}[31mno\0\r\n\tway \n").as_deref(),
            Some("[31mno\n\tway")
        );
        assert_eq!(
            (told("\0 \n"), told(&"x".repeat(LONGEST + 1))),
            (None, None)
        );
        assert!(Outcome::points(-1).is_err());
        assert_eq!(Outcome::points(0).ok(), Some(Outcome::Points(0)));
    }
}
