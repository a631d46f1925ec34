//! What is to be said of a slot. Pure: the time always comes from the caller. All times are µs since 1970 UTC.

use std::{iter::Peekable, ops::Range};

use async_graphql::Enum;

use crate::{
    error::{Error, Result},
    producer::{
        Schedule,
        entity::{self, run},
    },
};

/// How it stands with a run.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(name = "RunState")]
pub enum State {
    /// It has begun, and not ended.
    Running,
    /// It has ended, and said how many points it wrote.
    Succeeded,
    /// It has ended, and said why it failed.
    Failed,
    /// It has not begun, and the grace after its slot is over.
    Late,
    /// It has not begun, and twice the grace after its slot is over.
    Missed,
}

impl State {
    /// Of a run that has begun.
    pub fn of(run: &run::Model) -> Self {
        match (run.finished_at, &run.error) {
            (None, _) => State::Running,
            (Some(_), None) => State::Succeeded,
            (Some(_), Some(_)) => State::Failed,
        }
    }

    /// Of a run that was due at `slot` and has not begun by `now`; none while its grace lasts.
    pub fn unmet(slot: i64, grace: i64, now: i64) -> Option<Self> {
        if now < slot.saturating_add(grace) {
            None
        } else if now < slot.saturating_add(2 * grace) {
            Some(State::Late)
        } else {
            Some(State::Missed)
        }
    }
}

impl entity::Model {
    /// When its runs are due.
    ///
    /// # Errors
    /// [`Error::Internal`] when what is stored is no schedule any more.
    pub fn due(&self) -> Result<Schedule> {
        let schedule = Schedule::new(&self.schedule, &self.time_zone);
        schedule.map_err(|error| Error::internal("a stored schedule", error))
    }

    /// What a run at `slot` is that has not begun by `now`, if one is expected there.
    pub fn expects(&self, schedule: &Schedule, slot: i64, now: i64) -> Option<State> {
        let state = State::unmet(slot, self.grace, now)?;
        (slot >= self.since && schedule.is_slot(slot)).then_some(state)
    }

    /// The slots within `range` at which a run is late or missed at `now` unless it has begun, the newest first: each is
    /// worked out when it is asked for.
    pub fn expected<'a>(
        &self,
        schedule: &'a Schedule,
        range: &Range<i64>,
        now: i64,
    ) -> impl Iterator<Item = i64> + use<'a> {
        let earliest = range.start.max(self.since);
        let last = range.end.saturating_sub(1).min(now - self.grace);
        let up_to = move |at: i64| {
            let slot = (at >= earliest).then(|| schedule.latest(at)).flatten();
            slot.filter(|slot| *slot >= earliest)
        };
        std::iter::successors(up_to(last), move |slot| up_to(slot - 1))
    }
}

/// Slots with the runs that have begun there, the newest first: of `runs` and of `slots`, which both come so.
pub struct Merged<S: Iterator<Item = i64>> {
    runs: Peekable<std::vec::IntoIter<run::Model>>,
    slots: Peekable<S>,
}

impl<S: Iterator<Item = i64>> Merged<S> {
    /// `runs`, and those of `slots` that have none.
    pub fn new(runs: Vec<run::Model>, slots: S) -> Self {
        Merged {
            runs: runs.into_iter().peekable(),
            slots: slots.peekable(),
        }
    }
}

impl<S: Iterator<Item = i64>> Iterator for Merged<S> {
    type Item = (i64, Option<run::Model>);

    fn next(&mut self) -> Option<Self::Item> {
        let slot = self.slots.peek().copied();
        let run = self
            .runs
            .next_if(|run| slot.is_none_or(|slot| run.slot >= slot));
        if run.as_ref().is_none_or(|run| Some(run.slot) == slot) {
            self.slots.next();
        }
        match run {
            Some(run) => Some((run.slot, Some(run))),
            None => slot.map(|slot| (slot, None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn producer(grace: i64, since: i64) -> entity::Model {
        entity::Model {
            tenant_id: 1,
            id: 1,
            name: "clock".into(),
            schedule: "* * * * * *".into(),
            time_zone: "UTC".into(),
            grace,
            since,
            last_run: None,
            changes: 0,
            created_at: 0,
        }
    }

    fn run(slot: i64) -> run::Model {
        run::Model {
            tenant_id: 1,
            producer_id: 1,
            slot,
            seq: 1,
            started_at: slot,
            finished_at: None,
            points: None,
            error: None,
        }
    }

    #[test]
    fn slot_is_late_behind_its_grace_and_missed_behind_twice_that() {
        let at = |now| State::unmet(100, 10, now);
        assert_eq!(at(109), None);
        assert_eq!((at(110), at(119)), (Some(State::Late), Some(State::Late)));
        assert_eq!(at(120), Some(State::Missed));
    }

    #[test]
    fn run_that_began_is_what_it_says() {
        let mut run = run(0);
        assert_eq!(State::of(&run), State::Running);
        (run.finished_at, run.points) = (Some(1), Some(3));
        assert_eq!(State::of(&run), State::Succeeded);
        (run.points, run.error) = (None, Some("no".into()));
        assert_eq!(State::of(&run), State::Failed);
    }

    #[test]
    fn only_slots_of_the_schedule_since_then_are_expected() {
        let seconds = Schedule::new("* * * * * *", "UTC").unwrap();
        let producer = producer(SECOND, 3 * SECOND);
        let expected = |range: Range<i64>, now| -> Vec<i64> {
            let range = range.start * SECOND..range.end * SECOND;
            let slots = producer.expected(&seconds, &range, now);
            slots.map(|slot| slot / SECOND).collect()
        };
        assert_eq!(expected(0..99, 7 * SECOND), [6, 5, 4, 3]);
        assert_eq!(expected(0..99, 7 * SECOND - 1), [5, 4, 3]);
        assert_eq!(expected(4..6, 7 * SECOND), [5, 4]);
        assert!(expected(0..3, 7 * SECOND).is_empty());
        assert!(expected(5..5, 7 * SECOND).is_empty());
        let is = |slot, now| producer.expects(&seconds, slot, now);
        assert_eq!(is(3 * SECOND, 4 * SECOND), Some(State::Late));
        assert_eq!(is(3 * SECOND, 5 * SECOND), Some(State::Missed));
        assert_eq!(is(2 * SECOND, 5 * SECOND), None);
        assert_eq!(is(3 * SECOND + 1, 9 * SECOND), None);
        assert_eq!(is(3 * SECOND, 4 * SECOND - 1), None);
    }

    #[test]
    fn runs_and_slots_come_each_once() {
        let merged = |runs: &[i64], slots: &[i64]| -> Vec<(i64, bool)> {
            let runs = runs.iter().map(|slot| run(*slot)).collect();
            let merged = Merged::new(runs, slots.iter().copied());
            merged.map(|(slot, run)| (slot, run.is_some())).collect()
        };
        assert_eq!(
            merged(&[9, 5, 4, 1], &[7, 5, 3]),
            [
                (9, true),
                (7, false),
                (5, true),
                (4, true),
                (3, false),
                (1, true)
            ]
        );
        assert_eq!(merged(&[], &[2, 1]), [(2, false), (1, false)]);
        assert_eq!(merged(&[2, 1], &[]), [(2, true), (1, true)]);
        assert!(merged(&[], &[]).is_empty());
    }
}
