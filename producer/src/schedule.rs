//! When runs are due: a cron expression in a time zone. Pure: the time always comes from the caller.
//!
//! Daylight saving follows croner's rule. A slot at a fixed time of day that the clocks jump over runs at the first
//! instant after the jump, and one that the clocks repeat runs once, at the earlier instant. A schedule with wildcards
//! (every minute, every second) runs through both without a hole.

use croner::Cron;
use croner::errors::CronError;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A cron expression in a time zone.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

/// Why a schedule is none.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The expression cannot be read.
    #[error(
        "schedule '{0}' {1}; write five fields (minute hour day month weekday), six with seconds first, such as \
         '*/10 * * * * *', or seven with the year last"
    )]
    Expression(String, String),
    /// The zone is not in the time zone database.
    #[error("time zone '{0}' is not known; write an IANA name such as Europe/Vienna")]
    Zone(String),
    /// No slot ever comes.
    #[error("schedule '{0}' never comes due")]
    Never(String),
}

/// The slot to run next, and how many were passed over because the one before took too long.
#[derive(Debug, PartialEq, Eq)]
pub struct Following {
    /// The slot to run next. It may be past: then it is due at once.
    pub slot: Timestamp,
    /// Slots that came and went meanwhile.
    pub skipped: u64,
}

impl Schedule {
    /// Reads a cron expression of five fields, of six with seconds first or of seven with the year last, and an IANA
    /// time zone.
    ///
    /// # Errors
    /// When either cannot be read, or when no slot comes after `now`.
    pub fn new(expression: &str, zone: &str, now: Timestamp) -> Result<Self, Unusable> {
        let cron = expression
            .parse()
            .map_err(|error| Unusable::Expression(expression.into(), fault(expression, &error)))?;
        let zone = TimeZone::get(zone).map_err(|_| Unusable::Zone(zone.into()))?;
        let schedule = Self { cron, zone };
        schedule
            .next(now)
            .ok_or_else(|| Unusable::Never(expression.into()))?;
        Ok(schedule)
    }

    /// The first slot after an instant; none when the expression names years that are over.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after = after.to_zoned(self.zone.clone());
        self.cron
            .find_next_occurrence(&after, false)
            .ok()
            .map(|slot| slot.timestamp())
    }

    /// The latest slot at or before an instant.
    pub fn latest(&self, at: Timestamp) -> Option<Timestamp> {
        let at = at.to_zoned(self.zone.clone());
        self.cron
            .find_previous_occurrence(&at, true)
            .ok()
            .map(|slot| slot.timestamp())
    }

    /// What to run after `slot`, the time being `now`: the next slot or, where later ones have come meanwhile, the
    /// latest of them, so that runs never pile up.
    pub fn follow(&self, slot: Timestamp, now: Timestamp) -> Option<Following> {
        let mut following = Following {
            slot: self.next(slot)?,
            skipped: 0,
        };
        while let Some(later) = self.next(following.slot).filter(|later| *later <= now) {
            following = Following {
                slot: later,
                skipped: following.skipped + 1,
            };
        }
        Some(following)
    }
}

/// What is wrong with an expression, as the end of a sentence about it.
fn fault(expression: &str, error: &CronError) -> String {
    let fields = expression.split_whitespace().count();
    let fields = match fields {
        5..=7 => None,
        1 => Some("has 1 field".into()),
        _ => Some(format!("has {fields} fields")),
    };
    fields.unwrap_or_else(|| {
        let reason = match error {
            CronError::InvalidPattern(reason)
            | CronError::IllegalCharacters(reason)
            | CronError::ComponentError(reason) => reason.clone(),
            other => other.to_string(),
        };
        format!("cannot be read: {}", reason.trim_end_matches('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn schedule(expression: &str, zone: &str) -> Schedule {
        Schedule::new(expression, zone, at("2026-01-01T00:00:00Z")).unwrap()
    }

    /// The first `count` slots after an instant.
    fn slots(schedule: &Schedule, after: &str, count: usize) -> Vec<Timestamp> {
        std::iter::successors(schedule.next(at(after)), |slot| schedule.next(*slot))
            .take(count)
            .collect()
    }

    #[test]
    fn five_fields_are_minutes_and_six_are_seconds() {
        let minutes = slots(&schedule("*/15 * * * *", "UTC"), "2026-05-01T10:01:00Z", 2);
        assert_eq!(
            minutes,
            [at("2026-05-01T10:15:00Z"), at("2026-05-01T10:30:00Z")]
        );
        let seconds = slots(
            &schedule("*/20 * * * * *", "UTC"),
            "2026-05-01T10:01:00Z",
            2,
        );
        assert_eq!(
            seconds,
            [at("2026-05-01T10:01:20Z"), at("2026-05-01T10:01:40Z")]
        );
    }

    #[test]
    fn a_time_of_day_is_that_of_the_zone() {
        let daily = schedule("0 6 * * *", "Europe/Vienna");
        assert_eq!(
            daily.next(at("2026-01-10T00:00:00Z")),
            Some(at("2026-01-10T05:00:00Z"))
        );
        assert_eq!(
            daily.next(at("2026-07-10T00:00:00Z")),
            Some(at("2026-07-10T04:00:00Z"))
        );
    }

    #[test]
    fn the_latest_slot_may_be_now() {
        let seconds = schedule("* * * * * *", "UTC");
        assert_eq!(
            seconds.latest(at("2026-05-01T10:00:00Z")),
            Some(at("2026-05-01T10:00:00Z"))
        );
        assert_eq!(
            seconds.latest(at("2026-05-01T10:00:00.999999Z")),
            Some(at("2026-05-01T10:00:00Z"))
        );
        assert_eq!(
            seconds.next(at("2026-05-01T10:00:00.999999Z")),
            Some(at("2026-05-01T10:00:01Z"))
        );
    }

    // Vienna, 29 March 2026: 02:00 CET becomes 03:00 CEST at 01:00 UTC.
    #[test]
    fn a_slot_in_the_hour_that_spring_takes_runs_right_after_it() {
        let daily = schedule("30 2 * * *", "Europe/Vienna");
        let expected = [
            at("2026-03-28T01:30:00Z"),
            at("2026-03-29T01:00:00Z"),
            at("2026-03-30T00:30:00Z"),
        ];
        assert_eq!(slots(&daily, "2026-03-27T12:00:00Z", 3), expected);
        assert_eq!(
            daily.latest(at("2026-03-29T12:00:00Z")),
            Some(at("2026-03-29T01:00:00Z"))
        );
    }

    #[test]
    fn every_minute_has_no_hole_in_spring() {
        let minutes = slots(
            &schedule("* * * * *", "Europe/Vienna"),
            "2026-03-29T00:30:00Z",
            60,
        );
        assert!(
            minutes
                .windows(2)
                .all(|pair| pair[1].duration_since(pair[0]).as_secs() == 60)
        );
    }

    // Vienna, 25 October 2026: 03:00 CEST becomes 02:00 CET at 01:00 UTC.
    #[test]
    fn a_slot_in_the_hour_that_autumn_repeats_runs_once() {
        let daily = schedule("30 2 * * *", "Europe/Vienna");
        let expected = [
            at("2026-10-24T00:30:00Z"),
            at("2026-10-25T00:30:00Z"),
            at("2026-10-26T01:30:00Z"),
        ];
        assert_eq!(slots(&daily, "2026-10-23T12:00:00Z", 3), expected);
    }

    #[test]
    fn every_second_runs_through_both_hours_of_autumn() {
        let seconds = schedule("* * * * * *", "Europe/Vienna");
        let all = slots(&seconds, "2026-10-24T23:59:59Z", 2 * 3600);
        assert_eq!(all.first(), Some(&at("2026-10-25T00:00:00Z")));
        assert_eq!(all.last(), Some(&at("2026-10-25T01:59:59Z")));
        assert!(
            all.windows(2)
                .all(|pair| pair[1].duration_since(pair[0]).as_secs() == 1)
        );
        for slot in [all[1800], all[5400]] {
            assert_eq!(seconds.latest(slot), Some(slot));
        }
    }

    #[test]
    fn a_run_in_time_skips_nothing() {
        let seconds = schedule("* * * * * *", "UTC");
        let slot = at("2026-05-01T10:00:00Z");
        let next = at("2026-05-01T10:00:01Z");
        for now in ["2026-05-01T10:00:00.2Z", "2026-05-01T10:00:01.5Z"] {
            assert_eq!(
                seconds.follow(slot, at(now)),
                Some(Following {
                    slot: next,
                    skipped: 0
                })
            );
        }
    }

    #[test]
    fn a_long_run_skips_to_the_latest_slot_and_counts() {
        let seconds = schedule("* * * * * *", "UTC");
        let following = seconds.follow(at("2026-05-01T10:00:00Z"), at("2026-05-01T10:00:05.3Z"));
        assert_eq!(
            following,
            Some(Following {
                slot: at("2026-05-01T10:00:05Z"),
                skipped: 4
            })
        );
    }

    #[test]
    fn a_clock_set_back_repeats_no_slot() {
        let seconds = schedule("* * * * * *", "UTC");
        let following = seconds.follow(at("2026-05-01T10:00:00Z"), at("2026-05-01T09:00:00Z"));
        assert_eq!(
            following,
            Some(Following {
                slot: at("2026-05-01T10:00:01Z"),
                skipped: 0
            })
        );
    }

    #[test]
    fn what_is_no_schedule_says_why() {
        let now = at("2026-01-01T00:00:00Z");
        for (expression, zone, part) in [
            ("every day", "UTC", "five fields"),
            ("* * * * *", "Europe/Wien", "IANA name"),
            ("0 0 1 1 * 2020", "UTC", "five fields"),
            ("0 0 0 1 1 * 2020", "UTC", "never comes due"),
        ] {
            let error = Schedule::new(expression, zone, now)
                .unwrap_err()
                .to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
