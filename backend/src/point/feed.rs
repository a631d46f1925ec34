//! New points of a tenant, read once for all who follow it in this process.
//!
//! Invariant: a feed holds what its own tenant has written, and gives it to nobody whose access was not found to be good
//! within [`CHECK`](super::subscription::CHECK), nor to who may see only some of the tenant's series.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Instant,
};

use tokio::sync::MutexGuard;

use crate::{
    chunk::Points,
    error::{Error, Result},
    guard::{TenantScope, Viewer},
    point::{
        entity::Model,
        store::{self, damaged, open, working},
    },
    series,
};

/// Batches that a feed reads at a time.
const BATCHES: usize = 64;
/// Batches that somebody reads who is behind the feed: some of them make a piece.
pub const ALONE: usize = 8;
/// Points read at a time, unless a single batch holds more.
const POINTS: i64 = 50_000;
/// Points that a subscriber is told of at a time: what waits for a slow one is never more than a few times this.
pub const PIECE: usize = 2_000;
/// Points that a feed keeps for who is a little behind.
const KEPT: i64 = 200_000;

/// What one batch has brought.
pub struct Event {
    /// The batch's place in the tenant's order of commits.
    pub seq: i64,
    /// Its series, and their new points; of a series that its reader may not see, only the points, which count for places
    /// that anybody may go on from.
    pub series: Vec<(Option<Arc<series::entity::Model>>, Points)>,
    points: i64,
}

impl Event {
    /// How many points it holds, seen or not.
    pub fn size(&self) -> usize {
        self.series.iter().map(|(_, points)| points.len()).sum()
    }
}

/// The first of `events`, and those behind it that fit into one piece with it.
pub fn one_piece<'a>(events: impl IntoIterator<Item = &'a Arc<Event>>) -> Vec<Arc<Event>> {
    let mut points = 0;
    let mut begun = false;
    let fit = events.into_iter().take_while(|event| {
        points += event.size();
        let first = !std::mem::replace(&mut begun, true);
        first || points <= PIECE
    });
    fit.cloned().collect()
}

/// The feeds that somebody follows, by tenant. Cheap to clone.
#[derive(Clone, Default)]
pub struct Feeds(Arc<Mutex<HashMap<i32, Weak<Feed>>>>);

/// The feed of one tenant.
#[derive(Default)]
pub struct Feed(tokio::sync::Mutex<Recent>);

/// What a tenant has written lately.
#[derive(Default)]
pub struct Recent {
    events: VecDeque<Arc<Event>>,
    /// The places that can be gone on behind: the one before the first event, and the last that was read.
    places: Option<(i64, i64)>,
    /// When all that was there had been read; none while there is more.
    read_at: Option<Instant>,
}

impl Feeds {
    /// The feed of a tenant; it lives for as long as somebody holds it.
    pub fn of(&self, tenant_id: i32) -> Arc<Feed> {
        let mut feeds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = feeds.get(&tenant_id).and_then(Weak::upgrade) {
            return feed;
        }
        // Whoever comes anew sweeps out those that nobody follows.
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let feed = Arc::default();
        feeds.insert(tenant_id, Arc::downgrade(&feed));
        feed
    }
}

impl Feed {
    /// What the tenant has written lately, for one at a time: the others wait, and have nothing to read then.
    pub async fn recent(&self) -> MutexGuard<'_, Recent> {
        self.0.lock().await
    }
}

impl Recent {
    /// Whether it has been read up to the place `seq`.
    pub fn has_come_to(&self, seq: i64) -> bool {
        self.places.is_some_and(|(_, last)| last >= seq)
    }

    /// Whether it holds whatever is behind `seq` and has been read.
    pub fn holds(&self, seq: i64) -> bool {
        self.places.is_some_and(|(first, _)| first <= seq)
    }

    /// Begins anew at the place `seq`.
    pub fn begin(&mut self, seq: i64) {
        *self = Recent {
            places: Some((seq, seq)),
            ..Recent::default()
        };
    }

    /// Whether what is behind `seq` is not read yet, as far as it was there when its follower was woken.
    pub fn is_stale(&self, seq: i64, woken: Instant) -> bool {
        let at_end = self.places.is_none_or(|(_, last)| last <= seq);
        at_end && self.read_at.is_none_or(|read_at| read_at < woken)
    }

    /// Reads what is new, in a view that was opened after `now`.
    ///
    /// # Errors
    /// As [`read`]; then it has come nowhere.
    pub async fn read_on(&mut self, scope: &TenantScope<Viewer>, now: Instant) -> Result<()> {
        let Some((first, last)) = self.places.take() else {
            return Ok(());
        };
        let (events, more) = read(scope, last, BATCHES).await?;
        let last = events.last().map_or(last, |event| event.seq);
        self.events.extend(events);
        self.places = Some((first, last));
        // There is more, whenever one was woken.
        self.read_at = (!more).then_some(now);
        self.forget();
        Ok(())
    }

    /// Drops what is more than it keeps: never what was read last, which is less, or a single event.
    fn forget(&mut self) {
        let mut points: i64 = self.events.iter().map(|event| event.points).sum();
        while points > KEPT
            && self.events.len() > 1
            && let Some(gone) = self.events.pop_front()
        {
            points -= gone.points;
            self.places = self.places.map(|(_, last)| (gone.seq, last));
        }
    }

    /// What is behind `seq`, as much as makes one piece, and whether there is more.
    pub fn behind(&self, seq: i64) -> (Vec<Arc<Event>>, bool) {
        let start = self.events.partition_point(|event| event.seq <= seq);
        let some = one_piece(self.events.range(start..));
        let more = start + some.len() < self.events.len() || self.read_at.is_none();
        (some, more)
    }
}

/// What the tenant has written behind `seq`, up to `most` batches of it, and whether there is more.
///
/// # Errors
/// [`Error::Conflict`] when that can't be known any more; [`Error::Internal`] with the database's words, or when what is
/// stored is damaged.
pub async fn read(
    scope: &TenantScope<Viewer>,
    seq: i64,
    most: usize,
) -> Result<(Vec<Arc<Event>>, bool)> {
    if !store::places(scope).await?.contains(&seq) {
        return Err(Error::Conflict(
            "points were deleted, or came faster than they were read for an hour: subscribe again without `after`, and \
             read what is there by `samples`"
                .into(),
        ));
    }
    let mut batches = store::since(scope, seq, most).await?;
    let mut more = batches.len() == most;
    // Whoever was away for long gets it in several events, none of them large.
    let mut points = 0;
    let fit = batches.iter().take_while(|batch| {
        points += i64::from(batch.points);
        points <= POINTS
    });
    let fit = fit.count().max(1);
    if fit < batches.len() {
        batches.truncate(fit);
        more = true;
    }
    if batches.is_empty() {
        return Ok((Vec::new(), false));
    }
    let opened = working(move || {
        let opened = batches.into_iter().map(opened);
        opened.collect::<Result<Vec<_>>>()
    });
    let opened = opened.await?;
    let columns = opened.iter().flat_map(|(_, columns)| columns);
    let ids: BTreeSet<i32> = columns.map(|(series_id, _)| *series_id).collect();
    let known = series::store::by_id(scope, ids).await?;
    let known: BTreeMap<i32, Arc<series::entity::Model>> = known
        .into_iter()
        .map(|(id, series)| (id, Arc::new(series)))
        .collect();
    let events = opened.into_iter().map(|(batch, columns)| {
        // Those that the asker is not to see are not among the known.
        let columns = columns.into_iter();
        let series = columns.map(|(series_id, points)| (known.get(&series_id).cloned(), points));
        Arc::new(Event {
            seq: batch.seq,
            points: i64::from(batch.points),
            series: series.collect(),
        })
    });
    Ok((events.collect(), more))
}

type Columns = Vec<(i32, Points)>;

fn opened(batch: Model) -> Result<(Model, Columns)> {
    let columns = open(&batch)?
        .entries()
        .iter()
        .map(|entry| Ok((entry.series_id(), entry.points().map_err(damaged)?)))
        .collect::<Result<_>>()?;
    Ok((
        Model {
            payload: Vec::new(),
            ..batch
        },
        columns,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_and_without_gaps() {
        let series = Arc::new(series::entity::Model {
            tenant_id: 1,
            id: 1,
            key: "a".into(),
            unit: None,
            created_at: 0,
        });
        let event = |(seq, points): (i64, i64)| {
            let times: Vec<i64> = (0..points).collect();
            let values = vec![0.0; times.len()];
            let held = Points::sort_last_wins(times, values).expect("fits");
            Arc::new(Event {
                seq,
                series: vec![(Some(series.clone()), held)],
                points,
            })
        };
        let mut recent = Recent {
            events: [(5, 1_000_000), (6, 1_000_000), (7, 10), (8, 10)]
                .map(event)
                .into(),
            places: Some((4, 8)),
            read_at: Some(Instant::now()),
        };
        let behind = |recent: &Recent, seq| {
            let (events, more) = recent.behind(seq);
            let places: Vec<i64> = events.iter().map(|event| event.seq).collect();
            (places, more)
        };
        // A large one comes alone.
        assert_eq!(behind(&recent, 4), (vec![5], true));
        assert_eq!(behind(&recent, 6), (vec![7, 8], false));
        let piece = i64::try_from(PIECE).expect("fits");
        let fit = |sizes: [i64; 3]| {
            let events: Vec<_> = (1..).zip(sizes).map(event).collect();
            one_piece(&events).len()
        };
        assert_eq!(fit([0, piece + 1, 1]), 1);
        assert_eq!(fit([0, piece, 1]), 2);
        assert_eq!(fit([piece - 1, 1, 0]), 3);
        recent.forget();
        assert_eq!(recent.places, Some((6, 8)));
        assert!(!recent.holds(5) && recent.holds(6) && recent.has_come_to(8));
        assert_eq!(behind(&recent, 6), (vec![7, 8], false));
        // The last one stays, however large.
        recent.events = [(9, 5), (10, 1_000_000)].map(event).into();
        recent.places = Some((8, 10));
        recent.forget();
        assert_eq!(recent.places, Some((9, 10)));
        assert_eq!(behind(&recent, 9), (vec![10], false));
    }
}
