//! New points as they come.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    num::ParseIntError,
    ops::Range,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use async_graphql::{Context, SimpleObject, Subscription};
use futures::Stream;

use crate::{
    chunk::{Points, Run, TIMES, merge},
    error::{Error, Result},
    guard::{Pool, TenantScope, Viewer},
    live::{Live, Watch},
    point::{
        feed::{ALONE, Event, Feed, Feeds, PIECE, Recent, one_piece, read},
        store,
    },
    request::{Asker, ContextExt},
    scalar::{Column, Micros, cursor, seal},
    series::{self, SeriesKey, SeriesMatch},
    tenant::graphql::parse_match,
};

/// Texts in one subscription.
const MOST_MATCHES: usize = 200;
/// Who follows, and whether he still may, is checked again this often.
pub const CHECK: Duration = Duration::from_secs(5);

/// How long a follower waits for another who reads for both: one whose connections are all in use holds up nobody.
const PATIENCE: Duration = Duration::from_secs(1);

/// New points.
#[derive(SimpleObject)]
pub struct PointsAdded {
    /// Where this event stands; a later subscription goes on behind it by `after`.
    cursor: String,
    /// The points, by series; at most 2,000 in one event.
    series: Vec<SeriesPoints>,
    /// Whether more wait behind this event already: it is read more slowly than points are written, or goes on behind
    /// `after`. Nothing is lost: who would rather have what is new ends this, and subscribes without `after`.
    lagged: bool,
}

/// New points of one series.
#[derive(SimpleObject)]
pub struct SeriesPoints {
    /// The series' key.
    series: String,
    /// Ascending.
    times: Column<Micros>,
    /// The value at each time.
    values: Column<f64>,
}

/// What can be subscribed to.
#[derive(Default)]
pub struct PointSubscription;

#[Subscription]
impl PointSubscription {
    /// Points of the tenant as they are written, whatever their time. Ends with an error when access ends.
    async fn points_added(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's slug.")] tenant: String,
        #[graphql(
            desc = "Keys of series (`clock.lag_seconds{producer=\"clock\"}`), or patterns with `*`: `clock.*`, `*` for all. Series that do not exist yet count from when they do."
        )]
        series: Vec<String>,
        #[graphql(
            desc = "Go on behind this event's `cursor`: every point written since comes, none twice. Left out: from now on."
        )]
        after: Option<String>,
    ) -> Result<impl Stream<Item = Result<PointsAdded>> + use<>> {
        let asker = ctx.asker()?.clone();
        let data = |error: async_graphql::Error| Error::internal("subscribing", error.message);
        let pool = ctx.data::<Pool>().map_err(data)?.clone();
        let live = ctx.data::<Live>().map_err(data)?.clone();
        let feeds = ctx.data::<Feeds>().map_err(data)?.clone();
        let wanted = Wanted::parse(&series)?;
        let after: Option<Place> = after.map(|text| cursor("event", &text)).transpose()?;
        let scope = pool.look::<Viewer>(asker.principal()?, &tenant).await?;
        // What is written before this, the follower finds when it begins; it is woken for what is written behind it.
        let watched = live.watch(scope.tenant().id);
        let places = store::places(&scope).await?;
        if after.is_some_and(|after| !places.contains(&after.seq)) {
            return Err(Error::bad_input(
                "`after` is no cursor of this tenant's events, or older than an hour: leave it out, and read what is there \
                 by `samples`",
            ));
        }
        // Who is to see only some series reads alone.
        let feed = scope
            .series()
            .is_none()
            .then(|| feeds.of(scope.tenant().id));
        drop(scope);
        let follower = Follower {
            pool,
            asker,
            checked: Instant::now(),
            tenant,
            wanted,
            place: after.unwrap_or(Place::behind(*places.end())),
            watched,
            feed,
            woken: Instant::now(),
            more: true,
            ended: false,
        };
        Ok(futures::stream::unfold(follower, Follower::step))
    }
}

/// Which series a subscriber wants: keys that are written out, and patterns.
struct Wanted {
    keys: HashSet<String>,
    patterns: Vec<SeriesMatch>,
    /// Whether a series is wanted, by its number: its key never changes, and is held to the patterns once.
    decided: HashMap<i32, bool>,
}

impl Wanted {
    fn parse(texts: &[String]) -> Result<Self> {
        if texts.is_empty() || texts.len() > MOST_MATCHES {
            return Err(Error::bad_input(format!(
                "`series` holds {} texts: name 1 to {MOST_MATCHES} series, or all of them by \"*\"",
                texts.len()
            )));
        }
        let mut wanted = Wanted {
            keys: HashSet::new(),
            patterns: Vec::new(),
            decided: HashMap::new(),
        };
        for text in texts {
            let pattern = parse_match(text)?;
            match pattern.exact() {
                Some(key) => {
                    wanted.keys.insert(key.to_string());
                }
                None => wanted.patterns.push(pattern),
            }
        }
        Ok(wanted)
    }

    fn includes(&mut self, series: &series::entity::Model) -> bool {
        let meant = |key: SeriesKey| self.patterns.iter().any(|pattern| pattern.matches(&key));
        *self.decided.entry(series.id).or_insert_with(|| {
            self.keys.contains(&series.key) || series.key.parse().is_ok_and(meant)
        })
    }

    /// What is wanted of these events by series, of the points at these places.
    fn of(&mut self, events: &[Arc<Event>], places: &Range<usize>) -> Vec<SeriesPoints> {
        let mut runs: BTreeMap<&str, Vec<Run>> = BTreeMap::new();
        let mut before = 0;
        for event in events {
            for (series, points) in &event.series {
                let within = |place: usize| place.saturating_sub(before).min(points.len());
                let part = within(places.start)..within(places.end);
                before += points.len();
                let Some(series) = series else { continue };
                if !part.is_empty() && self.includes(series) {
                    runs.entry(&series.key).or_default().push(Run {
                        seq: event.seq,
                        points: points.slice(part),
                    });
                }
            }
        }
        let added = |(key, runs): (&str, Vec<Run>)| {
            let (times, values) = Points::into_parts(merge(runs, TIMES));
            SeriesPoints {
                series: key.to_owned(),
                times: times.into_iter().map(Micros).collect(),
                values: Column(values),
            }
        };
        runs.into_iter().map(added).collect()
    }
}

/// A place in the tenant's order of commits.
#[derive(Clone, Copy)]
struct Place {
    /// The last batch that was given whole.
    seq: i64,
    /// Points of the next one that were given.
    given: usize,
}

impl Place {
    fn behind(seq: i64) -> Self {
        Place { seq, given: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.seq, self.given)
    }
}

impl FromStr for Place {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        let (seq, given) = text.split_once('.').unwrap_or((text, "0"));
        Ok(Place {
            seq: seq.parse()?,
            given: given.parse()?,
        })
    }
}

/// A subscriber and its place in the tenant's order of commits.
struct Follower {
    pool: Pool,
    asker: Asker,
    checked: Instant,
    tenant: String,
    wanted: Wanted,
    place: Place,
    watched: Watch,
    feed: Option<Arc<Feed>>,
    /// When it was woken last.
    woken: Instant,
    /// Whether there may be something behind its place already.
    more: bool,
    ended: bool,
}

impl Follower {
    /// The next event, once there is one; after an error nothing comes any more.
    async fn step(mut self) -> Option<(Result<PointsAdded>, Self)> {
        if self.ended {
            return None;
        }
        loop {
            if !self.more {
                let check = CHECK.saturating_sub(self.checked.elapsed());
                // Whoever is woken, by a write or by the clock, looks.
                drop(tokio::time::timeout(check, self.watched.changed()).await);
                self.woken = Instant::now();
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

    /// Looks for what is behind its place.
    async fn look(&mut self) -> Result<Option<PointsAdded>> {
        if self.checked.elapsed() >= CHECK {
            self.asker = self.asker.again().await.map_err(ended)?;
            drop(self.enter().await?);
            self.checked = Instant::now();
        }
        let (events, more) = self.events().await?;
        self.more = more;
        let Some(last) = events.last() else {
            return Ok(None);
        };
        let given = self.place.given;
        let part = given..given.saturating_add(PIECE);
        let series = self.wanted.of(&events, &part);
        // Only a single one is larger than a piece.
        if events.iter().map(|event| event.size()).sum::<usize>() > part.end {
            self.place.given = part.end;
            self.more = true;
        } else {
            self.place = Place::behind(last.seq);
        }
        let cursor = seal(["event", &self.place.to_string()]);
        Ok((!series.is_empty()).then_some(PointsAdded {
            cursor,
            series,
            lagged: self.more,
        }))
    }

    /// The tenant, where the asker may still read it.
    async fn enter(&self) -> Result<TenantScope<Viewer>> {
        let principal = self.asker.principal()?;
        let entered = self.pool.look::<Viewer>(principal, &self.tenant).await;
        entered.map_err(ended)
    }

    /// As much as makes one piece of what is behind its place, and whether there is more: together with the others who
    /// follow the tenant, unless they are further.
    async fn events(&self) -> Result<(Vec<Arc<Event>>, bool)> {
        let seq = self.place.seq;
        let alone = async || {
            let (events, more) = read(&self.enter().await?, seq, ALONE).await?;
            let some = one_piece(&events);
            let more = more || some.len() < events.len();
            Ok((some, more))
        };
        let Some(feed) = &self.feed else {
            return alone().await;
        };
        // Invariant: nobody waits for it who holds a connection, for whoever has it may wait for one.
        let Ok(mut recent) = tokio::time::timeout(PATIENCE, feed.recent()).await else {
            return alone().await;
        };
        if !recent.has_come_to(seq) {
            let read = self.read_on(&mut recent).await;
            // What keeps the others from going on is no fault of who is further.
            if read.is_err() || !recent.has_come_to(seq) {
                recent.begin(seq);
            }
        }
        if !recent.holds(seq) {
            drop(recent);
            return alone().await;
        }
        if recent.is_stale(seq, self.woken) {
            self.read_on(&mut recent).await?;
        }
        Ok(recent.behind(seq))
    }

    async fn read_on(&self, recent: &mut Recent) -> Result<()> {
        // What is written from now on is news.
        let now = Instant::now();
        recent.read_on(&self.enter().await?, now).await
    }
}

/// Access that was there and is gone ends a subscription as FORBIDDEN, whatever took it.
pub fn ended(error: Error) -> Error {
    match error {
        Error::NotFound(_) | Error::Unauthenticated(_) => Error::Forbidden(
            "your access to this tenant has ended: sign in again, or ask its administrator".into(),
        ),
        other => other,
    }
}
