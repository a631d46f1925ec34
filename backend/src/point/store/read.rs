//! Points of one series in order of time: those in chunks, and over them those that are not compacted yet.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
    sync::{Arc, LazyLock},
};

use futures::future::{try_join, try_join_all};
use sea_orm::{ColumnTrait, Condition};

use crate::{
    chunk::{Cells, Edges, Points, Run, Shape, Sum, Summary, decode_chunk, merge},
    error::{Error, Result},
    guard::{Role, Scoped, TenantScope},
    point::{
        entity::chunk::{Body, Column, Entity, Head},
        store::pending::{self, damaged, working},
        together::Together,
    },
    request::Budget,
};

/// Heads of chunks read in one statement.
const HEADS: usize = 2_000;
/// Chunks decoded at a time, at first and at most: few points may be enough, and many are not to fill the memory.
const BODIES: Range<usize> = 4..32;

/// Where chunks of a series are looked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stretch {
    /// The series' number.
    pub series_id: i32,
    /// They begin within this.
    within: Range<i64>,
    /// Whether the one before them is wanted too.
    and_before: bool,
}

/// Chunks of a series, by when they begin.
pub type Wanted = (i32, Vec<i64>);

impl Stretch {
    /// Those of `found`, which are chunks of the series, that lie in this stretch.
    pub fn own(&self, found: &[Head]) -> Vec<Head> {
        let mut own: BTreeMap<i64, &Head> = BTreeMap::new();
        own.extend(found.iter().map(|head| (head.first_at, head)));
        let before = own.range(..self.within.start).next_back();
        let before = before.filter(|_| self.and_before);
        let within = own.range(self.within.clone()).take(HEADS);
        let own = before.into_iter().chain(within);
        own.map(|(_, head)| (*head).clone()).collect()
    }
}

/// What is known of the chunks that lie in these stretches: of each the first [`HEADS`].
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn heads<R: Role>(scope: &TenantScope<R>, stretches: &[Stretch]) -> Result<Vec<Head>> {
    let of = |stretch: &Stretch| {
        let series_id = stretch.series_id;
        scope
            .find::<Entity>()
            .filter(Column::SeriesId.eq(series_id))
    };
    let mut selections = Vec::new();
    for stretch in stretches {
        let within = Condition::all()
            .add(Column::FirstAt.gte(stretch.within.start))
            .add(Column::FirstAt.lt(stretch.within.end));
        let within = of(stretch).filter(within);
        selections.push(within.order_by_asc(Column::FirstAt).limit(HEADS as u64));
        if stretch.and_before {
            let before = of(stretch).filter(Column::FirstAt.lt(stretch.within.start));
            selections.push(before.order_by_desc(Column::FirstAt).limit(1));
        }
    }
    Scoped::all_of(selections).await
}

/// These chunks with their points.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn bodies<R: Role>(scope: &TenantScope<R>, wanted: &[Wanted]) -> Result<Vec<Body>> {
    let these = wanted.iter().fold(Condition::any(), |these, (id, starts)| {
        let of = Condition::all()
            .add(Column::SeriesId.eq(*id))
            .add(Column::FirstAt.is_in(starts.iter().copied()));
        these.add(of)
    });
    scope.find::<Entity>().filter(these).all_as().await
}

/// Reads a series from front to back, some chunks at a time.
pub struct Reader<'a, R: Role> {
    scope: &'a TenantScope<R>,
    /// Others of the same request that read at the same time.
    together: Option<&'a Together>,
    series_id: i32,
    range: Range<i64>,
    budget: Budget,
    /// Points that are not in chunks, from `place` on not given yet.
    fresh: Points,
    place: usize,
    heads: VecDeque<Head>,
    /// Where chunks begin that are not in `heads`; none when those are all.
    behind: Option<i64>,
    stride: usize,
    most: usize,
    /// Whether all of it will be read: then the next chunks are fetched while some are decoded.
    all: bool,
    ahead: Option<Taken>,
}

/// Chunks on their way from the database to whoever reads.
struct Taken {
    steps: Vec<Step>,
    /// By when they begin.
    bodies: BTreeMap<i64, Arc<Body>>,
}

/// A chunk, what comes before it, what is written over it, and whether its summary is enough.
struct Step {
    before: Option<Points>,
    head: Head,
    over: Option<Points>,
    whole: bool,
}

/// Some points of a series.
pub enum Piece<T> {
    /// What was made of the points.
    Read(T),
    /// A chunk that a summary is enough of.
    Summary(Summary),
}

/// What is known of a range without reading it.
pub struct Survey {
    /// No fewer and no more points than this.
    pub points: Range<usize>,
    /// The points lie in this part of the range.
    pub stretch: Range<i64>,
}

/// What is to be done for a piece.
enum Work {
    Give(Points),
    Tell(Summary),
    /// A chunk, and what is written over it.
    Decode(Arc<Body>, Points),
}

impl<'a, R: Role> Reader<'a, R> {
    /// Opens a series within a half-open range of times, out of what the request may read. What is past its retention is
    /// not read, whether it is deleted yet or not.
    ///
    /// # Errors
    /// [`Error::TooCostly`] when that is less than what is not compacted yet; [`Error::Internal`] with the database's
    /// words, or when what is stored is damaged.
    pub async fn open(
        scope: &'a TenantScope<R>,
        together: Option<&'a Together>,
        series_id: i32,
        mut range: Range<i64>,
        budget: &Budget,
        now: i64,
    ) -> Result<Self> {
        let counter = match together {
            Some(together) => together.counter().await?.clone(),
            None => pending::counter(scope).await?,
        };
        range.start = Ord::min(Ord::max(range.start, counter.kept_since(now)), range.end);
        let fresh = pending::read(scope, together, series_id, &range, &counter, budget).await?;
        let mut reader = Reader {
            scope,
            together,
            series_id,
            behind: Some(range.start),
            range,
            budget: budget.clone(),
            fresh,
            place: 0,
            heads: VecDeque::new(),
            stride: BODIES.start,
            most: BODIES.end,
            all: false,
            ahead: None,
        };
        // The chunk that begins before the range may end within it.
        reader.fetch(true).await?;
        Ok(reader)
    }

    /// The same, at most so many chunks at a time: for what makes much of each point, and of all of them.
    pub fn by(self, most: usize) -> Self {
        Reader {
            most,
            all: true,
            ..self
        }
    }

    /// Whether it reads what is not compacted yet.
    pub fn is_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// Reads the next heads, and the one before them where it is wanted.
    async fn fetch(&mut self, and_before: bool) -> Result<()> {
        let Some(behind) = self.behind else {
            return Ok(());
        };
        let stretch = Stretch {
            series_id: self.series_id,
            within: behind..self.range.end,
            and_before,
        };
        let mut heads = match self.together {
            Some(together) => together.heads(stretch).await?,
            None => heads(self.scope, &[stretch]).await?,
        };
        let last = heads.len() < HEADS;
        heads.retain(|head| head.last_at >= self.range.start);
        heads.sort_by_key(|head| head.first_at);
        self.behind = heads.last().filter(|_| !last).map(|head| head.first_at + 1);
        self.heads.extend(heads);
        Ok(())
    }

    /// What can be told before anything is read.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words.
    pub async fn survey(&mut self) -> Result<Survey> {
        while self.behind.is_some() {
            self.fetch(false).await?;
        }
        let fresh = self.fresh.len() - self.place;
        let count = |head: &Head| usize::try_from(head.points).unwrap_or(0);
        let most = self.heads.iter().map(count).sum::<usize>() + fresh;
        // Of points that are written anew, and of chunks that reach out of the range, some may not count.
        let cut = self.heads.iter().filter(|head| !self.holds(head));
        let fewest = most.saturating_sub(cut.map(count).sum::<usize>() + fresh);
        let firsts = [
            self.heads.front().map(|head| head.first_at),
            self.fresh.first().map(|(time, _)| time),
        ];
        let lasts = [
            self.heads.back().map(|head| head.last_at),
            self.fresh.last().map(|(time, _)| time),
        ];
        let start = firsts
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.range.start);
        let end = lasts.into_iter().flatten().max().unwrap_or(start);
        Ok(Survey {
            points: fewest..most,
            stretch: start.max(self.range.start)..(end + 1).min(self.range.end),
        })
    }

    fn holds(&self, head: &Head) -> bool {
        self.range.contains(&head.first_at) && self.range.contains(&head.last_at)
    }

    /// The next pieces in order of time, with what `make` makes of points; nothing behind the last. Where a summary of a
    /// whole chunk is enough, the chunk is not read.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub async fn next<T: Send + 'static>(
        &mut self,
        enough: impl Fn(&Head) -> bool,
        make: impl Fn(Points) -> T + Clone + Send + 'static,
    ) -> Result<Option<Vec<Piece<T>>>> {
        let taken = match self.ahead.take() {
            Some(taken) => Some(taken),
            None => self.take(&enough).await?,
        };
        let Some(Taken { steps, mut bodies }) = taken else {
            let rest = self.fresh_before(i64::MAX);
            let piece = |rest| vec![Piece::Read(make(rest))];
            return Ok(rest.map(piece));
        };
        let mut works = Vec::new();
        for step in steps {
            works.extend(step.before.map(Work::Give));
            works.push(if step.whole {
                Work::Tell(summary(&step.head))
            } else {
                let body = bodies.remove(&step.head.first_at);
                let body = body.ok_or_else(|| Error::Internal("a chunk is not there".into()))?;
                Work::Decode(body, step.over.unwrap_or_default())
            });
        }
        if let [_] = &works[..] {
            // One is decoded sooner than a thread is woken for it.
            let done = works.into_iter().map(|work| work.done(&self.range, &make));
            return done.collect::<Result<_>>().map(Some);
        }
        // All cores have something to do, and none a handful.
        let lot = works.len().div_ceil(cores()).max(2);
        let mut works = works.into_iter().peekable();
        let mut lots = Vec::new();
        while works.peek().is_some() {
            let lot: Vec<Work> = works.by_ref().take(lot).collect();
            let (range, make) = (self.range.clone(), make.clone());
            lots.push(working(move || {
                let done = lot.into_iter().map(|work| work.done(&range, &make));
                done.collect::<Result<Vec<_>>>()
            }));
        }
        let lots = try_join_all(lots);
        let made = if self.all {
            let (made, ahead) = try_join(lots, self.take(&enough)).await?;
            self.ahead = ahead;
            made
        } else {
            lots.await?
        };
        Ok(Some(made.into_iter().flatten().collect()))
    }

    /// The next chunks, and what belongs to them; nothing behind the last.
    async fn take(&mut self, enough: impl Fn(&Head) -> bool) -> Result<Option<Taken>> {
        if self.heads.is_empty() {
            self.fetch(false).await?;
        }
        if self.heads.is_empty() {
            return Ok(None);
        }
        let (mut steps, mut wanted) = (Vec::new(), Vec::new());
        while wanted.len() < self.stride
            && let Some(head) = self.heads.pop_front()
        {
            let before = self.fresh_before(head.first_at);
            let over = self.fresh_before(head.last_at + 1);
            let whole = over.is_none() && self.holds(&head) && enough(&head);
            if !whole {
                self.budget
                    .read(usize::try_from(head.points).unwrap_or(0))?;
                wanted.push(head.first_at);
            }
            steps.push(Step {
                before,
                head,
                over,
                whole,
            });
        }
        self.stride = (2 * self.stride).min(self.most);
        let bodies = self.bodies(wanted).await?;
        Ok(Some(Taken { steps, bodies }))
    }

    /// Points that are not in chunks from before `time`, if there are any.
    fn fresh_before(&mut self, time: i64) -> Option<Points> {
        let end = self.fresh.times().partition_point(|&fresh| fresh < time);
        let places = self.place..end.max(self.place);
        self.place = places.end;
        (!places.is_empty()).then(|| self.fresh.slice(places))
    }

    async fn bodies(&self, starts: Vec<i64>) -> Result<BTreeMap<i64, Arc<Body>>> {
        if starts.is_empty() {
            return Ok(BTreeMap::new());
        }
        let bodies = match self.together {
            Some(together) => together.bodies(self.series_id, starts).await?,
            None => {
                let bodies = bodies(self.scope, &[(self.series_id, starts)]).await?;
                bodies.into_iter().map(Arc::new).collect()
            }
        };
        let by_start = bodies.into_iter().map(|body| (body.first_at, body));
        Ok(by_start.collect())
    }

    /// All points, or the first of them: at least `most` and one, if there are so many.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub async fn points(mut self, most: usize) -> Result<Points> {
        let mut all = Points::default();
        while all.len() <= most
            && let Some(pieces) = self.next(|_| false, |points| points).await?
        {
            for piece in pieces {
                if let Piece::Read(points) = piece {
                    all.append(points);
                }
            }
        }
        Ok(all)
    }

    /// Summaries of what lies in each cell.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub async fn cells(mut self, edges: Edges) -> Result<Cells> {
        self.all = true;
        let mut cells = Cells::new(edges.clone());
        let within = edges.clone();
        let enough = move |head: &Head| {
            head.sum.is_some() && within.hold_in_one(head.first_at, head.last_at)
        };
        let make = move |points: Points| edges.summarize(&points);
        while let Some(pieces) = self.next(&enough, make.clone()).await? {
            for piece in pieces {
                match piece {
                    Piece::Read(summaries) => summaries.iter().for_each(|one| cells.append(one)),
                    Piece::Summary(summary) => cells.append(&summary),
                }
            }
        }
        Ok(cells)
    }
}

impl Work {
    fn done<T>(self, range: &Range<i64>, make: &impl Fn(Points) -> T) -> Result<Piece<T>> {
        Ok(match self {
            Work::Give(points) => Piece::Read(make(points)),
            Work::Tell(summary) => Piece::Summary(summary),
            Work::Decode(body, over) => {
                let run = |seq, points| Run { seq, points };
                let runs = vec![run(0, decode(&body)?), run(1, over)];
                Piece::Read(make(merge(runs, range.clone())))
            }
        })
    }
}

/// The points of a chunk.
///
/// # Errors
/// [`Error::Internal`] when what is stored is damaged.
pub fn decode(body: &Body) -> Result<Points> {
    let shape = Shape {
        count: usize::try_from(body.points).unwrap_or(0),
        first_at: body.first_at,
        last_at: body.last_at,
    };
    decode_chunk(&body.payload, shape).map_err(damaged)
}

fn summary(head: &Head) -> Summary {
    Summary {
        count: u64::try_from(head.points).unwrap_or(0),
        first: (head.first_at, head.first),
        last: (head.last_at, head.last),
        min: (head.min_at, head.min),
        max: (head.max_at, head.max),
        // Where adding up left the range of f64, nobody has asked for it.
        sum: Sum {
            rounded: head.sum.unwrap_or(f64::INFINITY),
            rest: head.sum_rest.unwrap_or_default(),
        },
    }
}

fn cores() -> usize {
    // The system is asked by reading files.
    static CORES: LazyLock<usize> =
        LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));
    *CORES
}
