//! Runs as they begin and end, and slots as they turn late and missed.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    num::ParseIntError,
    str::FromStr,
    time::{Duration, Instant},
};

use async_graphql::{Context, SimpleObject, Subscription};
use futures::Stream;

use crate::{
    error::{Error, Result},
    guard::{Pool, TenantScope, Viewer},
    live::{Live, Watch},
    point::subscription::{CHECK, ended},
    producer::{State, entity::Model, run::Run, store},
    request::{Asker, ContextExt, now},
    scalar::{cursor, seal},
};

/// Names in one subscription.
const MOST_NAMES: usize = 200;
/// Runs in one event.
const MOST: usize = 100;
/// A follower looks at most so often: points that are written wake it too.
const PAUSE: Duration = Duration::from_millis(200);
/// How far a cursor may be ahead, µs: it may come from another server, whose clock is another.
const AHEAD: i64 = 60_000_000;

/// Runs that have changed.
#[derive(SimpleObject)]
pub struct RunsChanged {
    /// Where this event stands; a later subscription goes on behind it by `after`.
    cursor: String,
    /// The runs, as they are now; at most 100 in one event.
    runs: Vec<Run>,
}

/// What can be followed of runs.
#[derive(Default)]
pub struct RunSubscription;

#[Subscription]
impl RunSubscription {
    /// Runs of the tenant's producers as they begin and end, and slots as they turn LATE and MISSED. Ends with an error
    /// when access ends.
    async fn run_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's slug.")] tenant: String,
        #[graphql(
            desc = "Names of 1 to 200 producers. Those that do not exist yet count from when they do. Left out: all."
        )]
        producers: Option<Vec<String>>,
        #[graphql(
            desc = "Go on behind this event's `cursor`: every run that has changed since comes once, as it is by then, and so does every slot that is LATE or MISSED since. Left out: from now on."
        )]
        after: Option<String>,
    ) -> Result<impl Stream<Item = Result<RunsChanged>> + use<>> {
        let asker = ctx.asker()?.clone();
        let data = |error: async_graphql::Error| Error::internal("subscribing", error.message);
        let pool = ctx.data::<Pool>().map_err(data)?.clone();
        let live = ctx.data::<Live>().map_err(data)?.clone();
        let wanted = producers.map(names).transpose()?;
        let after: Option<Place> = after.map(|text| cursor("change", &text)).transpose()?;
        let scope = pool.look::<Viewer>(asker.principal()?, &tenant).await?;
        // What changes before this, the follower finds when it begins; it is woken for what changes behind it.
        let watched = live.watch(scope.tenant().id);
        let (last, now) = (store::last_change(&scope).await?, now());
        let given = |after: Place| (0..=last).contains(&after.seq) && after.told <= now + AHEAD;
        if after.is_some_and(|after| !given(after)) {
            return Err(Error::bad_input(
                "`after` is no cursor of this tenant's runs: leave it out, and read what is there by `producers`",
            ));
        }
        drop(scope);
        let follower = Follower {
            pool,
            asker,
            checked: Instant::now(),
            tenant,
            wanted,
            place: after.unwrap_or(Place {
                seq: last,
                told: now,
                producer: i32::MAX,
            }),
            read: None,
            followed: BTreeMap::new(),
            watched,
            looked: Instant::now(),
            more: true,
            ended: false,
        };
        Ok(futures::stream::unfold(follower, Follower::step))
    }
}

fn names(names: Vec<String>) -> Result<HashSet<String>> {
    if names.is_empty() || names.len() > MOST_NAMES {
        return Err(Error::bad_input(format!(
            "`producers` holds {} names: name 1 to {MOST_NAMES} producers, or all of them by leaving it out",
            names.len()
        )));
    }
    Ok(names.into_iter().collect())
}

/// A place in the order of changes to runs, and one in the order in which slots turn late and missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// The last change that was told.
    seq: i64,
    /// Up to when slots that turned were told, in µs since 1970 UTC.
    told: i64,
    /// Of those that turned just then, up to which producer.
    producer: i32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.seq, self.told, self.producer)
    }
}

impl FromStr for Place {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().unwrap_or_default();
        Ok(Place {
            seq: next().parse()?,
            told: next().parse()?,
            producer: next().parse()?,
        })
    }
}

/// A slot that turns late or missed: when, whose, which, and what it turns. One after the other in this order.
type Turn = (i64, i32, i64, State);

/// A producer that is followed, and its slots that turn next. The schedule is read anew for each: it takes a hundred times
/// the memory of its text.
struct Followed {
    producer: Model,
    late: Option<i64>,
    missed: Option<i64>,
}

impl Followed {
    /// With what turns behind `place`.
    fn behind(place: Place, producer: Model, now: i64) -> Self {
        let mut followed = Followed {
            producer,
            late: None,
            missed: None,
        };
        let Model { id, grace, .. } = followed.producer;
        // What turned at the very time is told up to a producer.
        let told = place.told.saturating_sub(i64::from(id > place.producer));
        followed.seek(State::Late, told.saturating_sub(grace), now);
        followed.seek(State::Missed, told.saturating_sub(2 * grace), now);
        followed
    }

    /// Goes on to the first slot behind `slot`; what is missed already does not turn late any more.
    fn seek(&mut self, state: State, slot: i64, now: i64) {
        let (since, grace) = (self.producer.since, self.producer.grace);
        let next = |slot: i64| self.producer.due().ok()?.next(slot.max(since - 1));
        match state {
            State::Late => self.late = next(slot.max(now - 2 * grace)),
            _ => self.missed = next(slot),
        }
    }

    /// What turns next.
    fn next(&self) -> Option<Turn> {
        let Model { id, grace, .. } = self.producer;
        let late = self.late.map(|slot| (slot + grace, id, slot, State::Late));
        let missed = self
            .missed
            .map(|slot| (slot + 2 * grace, id, slot, State::Missed));
        let both = late.into_iter().chain(missed);
        both.min_by_key(|(at, _, slot, _)| (*at, *slot))
    }

    /// Whether slots of `producer`, which this one has become, turn as they did.
    fn turns_like(&self, producer: &Model) -> bool {
        let before = &self.producer;
        before.schedule == producer.schedule
            && before.time_zone == producer.time_zone
            && before.grace == producer.grace
    }
}

/// A subscriber and its place.
struct Follower {
    pool: Pool,
    asker: Asker,
    checked: Instant,
    tenant: String,
    /// All producers without.
    wanted: Option<HashSet<String>>,
    place: Place,
    /// The last change to producers that `followed` knows of.
    read: Option<i64>,
    followed: BTreeMap<i32, Followed>,
    watched: Watch,
    looked: Instant,
    /// Whether there may be something behind its place already.
    more: bool,
    ended: bool,
}

impl Follower {
    /// The next event, once there is one; after an error nothing comes any more.
    async fn step(mut self) -> Option<(Result<RunsChanged>, Self)> {
        if self.ended {
            return None;
        }
        loop {
            if !self.more {
                self.wait().await;
            }
            match self.look().await {
                Ok(None) => {}
                Ok(Some(event)) => return Some((Ok(event), self)),
                Err(error) => {
                    self.ended = true;
                    return Some((Err(error), self));
                }
            }
        }
    }

    /// Waits until there may be something: somebody has written, a slot turns, or it is time to check who asks.
    async fn wait(&mut self) {
        let check = CHECK.saturating_sub(self.checked.elapsed());
        let turn = self.next_turn().map_or(check, |(at, ..)| {
            Duration::from_micros(at.saturating_sub(now()).try_into().unwrap_or(0))
        });
        drop(tokio::time::timeout(check.min(turn), self.watched.changed()).await);
        tokio::time::sleep(PAUSE.saturating_sub(self.looked.elapsed())).await;
    }

    /// Looks for what is behind its place.
    async fn look(&mut self) -> Result<Option<RunsChanged>> {
        if self.checked.elapsed() >= CHECK {
            self.asker = self.asker.again().await.map_err(ended)?;
            self.checked = Instant::now();
        }
        self.looked = Instant::now();
        let principal = self.asker.principal()?;
        let scope = self.pool.look::<Viewer>(principal, &self.tenant).await;
        let scope = scope.map_err(ended)?;
        let now = now();
        let last = store::last_change(&scope).await?;
        if self.read != Some(last) {
            self.read_producers(&scope, now).await?;
            self.read = Some(last);
        }
        let mut runs = self.begun(&scope, last).await?;
        if !self.more {
            runs.extend(self.turned(&scope, now, MOST - runs.len()).await?);
        }
        let cursor = seal(["change", &self.place.to_string()]);
        Ok((!runs.is_empty()).then_some(RunsChanged { cursor, runs }))
    }

    async fn read_producers(&mut self, scope: &TenantScope<Viewer>, now: i64) -> Result<()> {
        let mut known = std::mem::take(&mut self.followed);
        for producer in store::all(scope).await? {
            let wanted = self.wanted.as_ref();
            if wanted.is_some_and(|wanted| !wanted.contains(&producer.name)) {
                continue;
            }
            let before = known.remove(&producer.id);
            let followed = match before.filter(|before| before.turns_like(&producer)) {
                Some(before) => Followed { producer, ..before },
                None => Followed::behind(self.place, producer, now),
            };
            self.followed.insert(followed.producer.id, followed);
        }
        Ok(())
    }

    /// The runs that have changed behind its place, of which `last` is the last; some of them where they are many.
    async fn begun(&mut self, scope: &TenantScope<Viewer>, last: i64) -> Result<Vec<Run>> {
        let mut rows = Vec::new();
        if last > self.place.seq {
            rows = store::changed_behind(scope, self.place.seq, MOST).await?;
        }
        self.more = rows.len() == MOST;
        self.place.seq = match rows.last() {
            Some(row) if self.more => row.seq,
            _ => last,
        };
        let begun = rows.into_iter().filter_map(|row| {
            let of = &self.followed.get(&row.producer_id)?.producer;
            Some(Run::begun(&self.tenant, of, row))
        });
        Ok(begun.collect())
    }

    /// The slots that have turned behind its place, and where no run has begun; about `room` of them where they are many.
    async fn turned(
        &mut self,
        scope: &TenantScope<Viewer>,
        now: i64,
        room: usize,
    ) -> Result<Vec<Run>> {
        let mut turned = Vec::new();
        while let Some((at, id, slot, state)) = self.next_turn().filter(|(at, ..)| *at <= now) {
            // One place stands for what turns of one producer at one time, which is two slots at most.
            if turned.len() + 1 >= room && (at, id) != (self.place.told, self.place.producer) {
                self.more = true;
                break;
            }
            (self.place.told, self.place.producer) = (at, id);
            let Some(followed) = self.followed.get_mut(&id) else {
                break;
            };
            followed.seek(state, slot, now);
            let producer = &followed.producer;
            let is_so = State::unmet(slot, producer.grace, now) == Some(state);
            if is_so && slot >= producer.since {
                turned.push((id, slot, state));
            }
        }
        let slots: Vec<(i32, i64)> = turned.iter().map(|(id, slot, _)| (*id, *slot)).collect();
        let begun: HashSet<(i32, i64)> = store::begun(scope, &slots).await?.into_iter().collect();
        let unmet = turned.into_iter().filter_map(|(id, slot, state)| {
            let of = &self.followed.get(&id)?.producer;
            let unmet = !begun.contains(&(id, slot));
            unmet.then(|| Run::unmet(&self.tenant, of, slot, state))
        });
        Ok(unmet.collect())
    }

    /// What turns next of all that is followed.
    fn next_turn(&self) -> Option<Turn> {
        let turns = self.followed.values().filter_map(Followed::next);
        turns.min_by_key(|(at, id, slot, _)| (*at, *id, *slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_and_read() {
        let place = Place {
            seq: 7,
            told: -5,
            producer: 3,
        };
        assert_eq!(place.to_string().parse(), Ok(place));
        for bad in ["", "7", "7.5", "7.5.", "7.5.3.1", "a.5.3"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
