//! When runs are due: a cron expression in a time zone. Pure: the time always comes from the caller, in µs since 1970 UTC.
//!
//! Daylight saving follows croner's rule, as the program `sundial-producer` does. A slot at a fixed time of day that the
//! clocks jump over is at the first instant after the jump, and one that the clocks repeat is once, at the earlier instant.
//! A schedule with wildcards (every minute, every second) runs through both without a hole.

use croner::{Cron, errors::CronError};
use jiff::{Timestamp, Zoned, tz::TimeZone};

use crate::error::{Error, Result};

/// Longest expression, in bytes.
const LONGEST: usize = 200;

/// A cron expression in a time zone.
#[derive(Debug, Clone)]
pub struct Schedule {
    expression: String,
    cron: Cron,
    zone: TimeZone,
}

impl Schedule {
    /// Reads a cron expression of five fields, of six with seconds first or of seven with the year last, and the name of a
    /// time zone in the IANA database. Whether it ever comes due, [`Schedule::due_after`] tells.
    ///
    /// # Errors
    /// [`Error::BadInput`] when either can't be read.
    pub fn new(expression: &str, zone: &str) -> Result<Self> {
        if expression.len() > LONGEST {
            return Err(Error::bad_input(format!(
                "`schedule` takes more than {LONGEST} bytes: write it shorter, with steps and ranges (*/5, 8-17)"
            )));
        }
        let expression = expression.split_whitespace().collect::<Vec<_>>().join(" ");
        // The library passes over what is empty, and seeks for most of a minute what a field without anything never means.
        let is_whole = |field: &str| field.split(',').all(|part| !part.is_empty());
        if !expression.split_whitespace().all(is_whole) {
            return Err(Error::bad_input(
                "`schedule` has a comma with nothing beside it: write lists as 1,15,30",
            ));
        }
        let cron = expression
            .parse()
            .map_err(|error| Error::bad_input(fault(&expression, &error)))?;
        // Each machine's own, and no zone: they are in the database's folder, and not in the database.
        let is_none = ["localtime", "posixrules", "etc/unknown"];
        let is_none = is_none.contains(&zone.to_ascii_lowercase().as_str());
        let zone = TimeZone::get(zone).ok().filter(|_| !is_none);
        let zone = zone.ok_or_else(|| {
            Error::bad_input(
                "`timeZone` is no name of the IANA database: write it as Europe/Vienna or UTC",
            )
        })?;
        Ok(Schedule {
            expression,
            cron,
            zone,
        })
    }

    /// The same schedule, if a slot comes after `now`. What passes here takes well below 1 ms to find a slot; an expression
    /// that means no day at all takes up to 300 ms, until the years run out.
    ///
    /// # Errors
    /// [`Error::BadInput`] when none ever comes.
    pub fn due_after(self, now: i64) -> Result<Self> {
        match self.next(now) {
            Some(_) => Ok(self),
            None => Err(Error::bad_input(format!(
                "`schedule` never comes due: no day from now on is meant by `{}`",
                self.expression
            ))),
        }
    }

    /// The expression, with single spaces.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The time zone's name, as the database has it.
    pub fn zone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// The first slot after an instant; none when the expression names years that are over.
    pub fn next(&self, after: i64) -> Option<i64> {
        let slot = self.cron.find_next_occurrence(&self.local(after)?, false);
        Some(slot.ok()?.timestamp().as_microsecond())
    }

    /// The latest slot at or before an instant.
    pub fn latest(&self, at: i64) -> Option<i64> {
        let slot = self.cron.find_previous_occurrence(&self.local(at)?, true);
        Some(slot.ok()?.timestamp().as_microsecond())
    }

    /// Whether an instant is a slot.
    pub fn is_slot(&self, at: i64) -> bool {
        self.latest(at) == Some(at)
    }

    fn local(&self, at: i64) -> Option<Zoned> {
        let at = Timestamp::from_microsecond(at).ok()?;
        Some(at.to_zoned(self.zone.clone()))
    }
}

/// What is wrong with an expression, and what to write.
fn fault(expression: &str, error: &CronError) -> String {
    let reason = match expression.split_whitespace().count() {
        // Nicknames such as @daily are one field.
        1 if !expression.starts_with('@') => "has 1 field".to_owned(),
        count @ (0 | 2..=4 | 8..) => format!("has {count} fields"),
        _ => {
            let reason = match error {
                CronError::InvalidPattern(reason)
                | CronError::IllegalCharacters(reason)
                | CronError::ComponentError(reason) => reason.clone(),
                other => other.to_string(),
            };
            format!("can't be read: {}", reason.trim_end_matches('.'))
        }
    };
    format!(
        "`schedule` {reason}; write five fields (minute hour day month weekday), six with seconds first, such as \
         `*/10 * * * * *`, or seven with the year last"
    )
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    fn schedule(expression: &str, zone: &str) -> Schedule {
        Schedule::new(expression, zone).unwrap()
    }

    /// The words by which a schedule is refused.
    fn refusal(expression: &str, zone: &str) -> String {
        let now = at("2026-11-26T15:00:00Z");
        let read = Schedule::new(expression, zone).and_then(|schedule| schedule.due_after(now));
        match read {
            Err(Error::BadInput(words)) => words,
            other => panic!("{expression}: {other:?}"),
        }
    }

    #[test]
    fn what_means_nothing_is_refused_at_once() {
        for expression in [
            ", * * * *",
            ",,,, * * * *",
            "0 , * * *",
            "0 0 1, * *",
            "0 0 1 1 ,",
            ", * * * * *",
        ] {
            assert!(refusal(expression, "UTC").contains("comma"), "{expression}");
        }
        for zone in ["localtime", "posixrules", "Etc/Unknown", "nowhere"] {
            assert!(refusal("0 0 * * *", zone).contains("IANA"), "{zone}");
        }
    }

    #[test]
    fn five_fields_are_minutes_and_six_are_seconds() {
        let minutes = schedule("*/15 * * * *", "UTC");
        assert_eq!(
            minutes.next(at("2026-05-01T10:01:00Z")),
            Some(at("2026-05-01T10:15:00Z"))
        );
        let seconds = schedule("*/20  *\t* * * *", "utc");
        assert_eq!(
            (seconds.expression(), seconds.zone()),
            ("*/20 * * * * *", "UTC")
        );
        assert_eq!(
            seconds.next(at("2026-05-01T10:01:20Z")),
            Some(at("2026-05-01T10:01:40Z"))
        );
    }

    #[test]
    fn slots_are_found_from_both_sides() {
        let seconds = schedule("* * * * * *", "Europe/Vienna");
        let (second, behind) = (
            at("2026-05-01T10:00:00Z"),
            at("2026-05-01T10:00:00.999999Z"),
        );
        assert_eq!(seconds.latest(second), Some(second));
        assert_eq!(seconds.latest(behind), Some(second));
        assert_eq!(seconds.next(behind), Some(second + 1_000_000));
        assert!(seconds.is_slot(second) && !seconds.is_slot(behind));
        assert!(!seconds.is_slot(i64::MIN) && !seconds.is_slot(i64::MAX));
    }

    #[test]
    fn time_of_day_is_that_of_the_zone() {
        let daily = schedule("30 2 * * *", "Europe/Vienna");
        // Clocks jump from 02:00 to 03:00 on 29 March, and go back on 25 October.
        for (after, slot) in [
            ("2026-03-27T12:00:00Z", "2026-03-28T01:30:00Z"),
            ("2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
            ("2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
            ("2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
        ] {
            assert_eq!(daily.next(at(after)), Some(at(slot)), "{after}");
            assert!(daily.is_slot(at(slot)), "{slot}");
        }
    }

    #[test]
    fn what_is_no_schedule_says_what_to_write() {
        for (expression, zone, words) in [
            ("", "UTC", "has 0 fields; write five fields"),
            ("often", "UTC", "has 1 field; write five fields"),
            ("every day", "UTC", "has 2 fields; write five fields"),
            ("61 * * * *", "UTC", "can't be read"),
            ("* * * * *", "Europe/Wien", "IANA database"),
            ("* * * * *", "", "IANA database"),
            ("0 0 31 2 *", "UTC", "never comes due"),
            ("0 0 30 2 +1", "UTC", "never comes due"),
            ("0 0 0 1 1 * 2020", "UTC", "never comes due"),
            ("* 2 29 3 +7", "Europe/Vienna", "never comes due"),
        ] {
            let told = refusal(expression, zone);
            assert!(told.contains(words), "{told}");
        }
        let long = format!("{} * * * *", "1,".repeat(LONGEST));
        assert!(refusal(&long, "UTC").contains("200 bytes"));
    }

    #[test]
    fn accepted_schedules_are_found_quickly_from_any_time() {
        for (expression, zone) in [
            ("* * * * * *", "Europe/Vienna"),
            ("0 0 29 2 *", "UTC"),
            ("0 0 29 2 +1", "Europe/Vienna"),
            ("0 0 29 2 +MON#L", "America/New_York"),
            ("0 0 * 2 1#5", "UTC"),
            ("0,7,59 0,59 0 29 2 *", "Europe/Vienna"),
            ("59 59 23 29 2 +0 4000-4999", "Europe/Vienna"),
            ("59 59 23 29 2 * 2196", "UTC"),
            ("0 0 0 1 1 * 2199", "Pacific/Apia"),
            ("@yearly", "UTC"),
        ] {
            let schedule = schedule(expression, zone);
            let mut longest = Duration::ZERO;
            for now in [
                "1970-01-01T00:00:00Z",
                "2026-11-26T15:00:00Z",
                "2190-07-01T00:00:00Z",
            ] {
                // The first time the zone is read.
                for _ in 0..3 {
                    let start = Instant::now();
                    assert!(schedule.next(at(now)).is_some(), "{expression}: {now}");
                    schedule.latest(at(now));
                    longest = longest.max(start.elapsed());
                }
            }
            // Some 0.2 ms where it is optimised; tests are not, and do not run alone.
            assert!(
                longest < Duration::from_millis(200),
                "{expression}: {longest:?}"
            );
        }
    }
}
