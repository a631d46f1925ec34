//! Batches become chunks.

use std::{collections::BTreeMap, ops::Range};

use sea_orm::{
    ColumnTrait, Condition, DerivePartialModel, IntoActiveModel,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    chunk::{
        Points, Run, Shape, Summary, TIMES,
        compact::{cut, plan},
        encode_chunk, merge,
    },
    error::{Error, Result},
    guard::{AtLeast, Editor, Scoped, TenantScope, table::tenant_counter},
    point::{
        entity::{
            self,
            chunk::{Body, Column, Entity, Head},
        },
        store::{
            ingest::KEY_LIFETIME,
            pending::{self, counter, damaged, open, working},
            read::decode,
            retention::expire,
        },
    },
};

/// Points of batches that are compacted in one transaction, unless a single batch holds more.
const POINTS: i64 = 500_000;
/// Batches of one transaction.
const BATCHES: usize = 1_000;
/// Series looked up in one statement.
const SERIES: usize = 200;
/// Chunks looked at on both sides of new points.
const NEIGHBOURS: u64 = 12;
/// Heads read in one statement.
const HEADS: u64 = 1_000;
/// Chunks decoded at a time.
const BODIES: usize = 64;
/// Rows written in one statement, of 14 variables each.
const ROWS: usize = 500;
/// Batches let go of at a time.
const PAST: u64 = 5_000;
/// How long the payload of a batch is kept behind its compaction, in µs: for so long a subscriber can go on behind it.
pub const LOG: i64 = 60 * 60 * 1_000_000;

/// What one transaction has compacted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Batches that became chunks.
    pub batches: usize,
    /// Points that they held.
    pub points: i64,
    /// Whether more batches wait.
    pub more: bool,
}

/// Compacts a tenant's oldest batches, in a transaction of its own, and lets go of what is past.
///
/// Reads see the same points before and after. Whoever writes meanwhile is only kept up at the very end; whoever else
/// compacts waits.
///
/// # Errors
/// [`Error::Internal`] with the database's words, or when what is stored is damaged; then nothing has changed.
pub async fn compact<R: AtLeast<Editor>>(scope: TenantScope<R>, now: i64) -> Result<Compacted> {
    scope.alone().await?;
    let done = compact_oldest(&scope).await?;
    forget_past(&scope, now).await?;
    expire(&scope, now).await?;
    scope.commit().await?;
    Ok(done)
}

/// Compacts a tenant's oldest batches. Nobody else compacts meanwhile.
///
/// # Errors
/// As [`compact`].
pub(super) async fn compact_oldest<R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
) -> Result<Compacted> {
    let compacted = counter(scope).await?.compacted_seq;
    let mut batches = pending::since(scope, compacted, BATCHES).await?;
    let mut points = 0;
    let fit = batches.iter().take_while(|batch| {
        let first = points == 0;
        points += i64::from(batch.points);
        first || points <= POINTS
    });
    let fit = fit.count();
    let more = fit < batches.len() || fit == BATCHES;
    batches.truncate(fit);
    let done = Compacted {
        batches: batches.len(),
        points: batches.iter().map(|batch| i64::from(batch.points)).sum(),
        more,
    };
    let mut change = Change::default();
    if let Some(last) = batches.last() {
        let last = last.seq;
        for batch in &batches {
            change.points -= i64::from(batch.points);
            change.bytes -= length(&batch.payload);
        }
        let news = working(move || news(&batches)).await?;
        let news: Vec<(i32, Points)> = news.into_iter().collect();
        for news in news.chunks(SERIES) {
            change.add(store(scope, news).await?);
        }
        advance(
            scope,
            Some((tenant_counter::Column::CompactedSeq, last)),
            change,
        )
        .await?;
    }
    Ok(done)
}

/// How the tenant's numbers change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) points: i64,
    pub(super) bytes: i64,
}

impl Change {
    pub(super) fn add(&mut self, other: Change) {
        self.points += other.points;
        self.bytes += other.bytes;
    }
}

fn length(payload: &[u8]) -> i64 {
    i64::try_from(payload.len()).unwrap_or(i64::MAX)
}

/// Moves a place in the order of commits, if one is given, and counts.
pub(super) async fn advance<R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
    place: Option<(tenant_counter::Column, i64)>,
    change: Change,
) -> Result<()> {
    use tenant_counter::Column::{Bytes, Points};
    let mut counter = scope.update::<tenant_counter::Entity>();
    if let Some((place, seq)) = place {
        counter = counter.set(place, Expr::value(seq));
    }
    counter
        .set(Points, Expr::col(Points).add(change.points))
        .set(Bytes, Expr::col(Bytes).add(change.bytes))
        .all()
        .await?;
    Ok(())
}

/// The points of these batches by series, the last write winning.
fn news(batches: &[entity::Model]) -> Result<BTreeMap<i32, Points>> {
    let mut runs: BTreeMap<i32, Vec<Run>> = BTreeMap::new();
    for batch in batches {
        for entry in open(batch)?.entries() {
            let points = entry.points().map_err(damaged)?;
            let seq = batch.seq;
            let runs = runs.entry(entry.series_id()).or_default();
            runs.push(Run { seq, points });
        }
    }
    let merged = |(series_id, runs)| (series_id, merge(runs, TIMES));
    Ok(runs.into_iter().map(merged).collect())
}

/// Stores new points of some series, merged with what is there.
async fn store<R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
    news: &[(i32, Points)],
) -> Result<Change> {
    let mut change = Change::default();
    let mut works = Vec::new();
    let mut heads = neighbours(scope, news).await?;
    for (series_id, new) in news {
        let heads = heads.remove(series_id).unwrap_or_default();
        let shapes: Vec<Shape> = heads.iter().map(shape).collect();
        for merge in plan(&shapes, new) {
            works.push(Work {
                series_id: *series_id,
                chunks: heads[merge.chunks]
                    .iter()
                    .map(|head| head.first_at)
                    .collect(),
                new: new.slice(merge.points),
            });
        }
    }
    let mut works = works.into_iter().peekable();
    while works.peek().is_some() {
        let mut chunks = 0;
        let mut lot = Vec::new();
        while let Some(work) = works.next_if(|work| {
            chunks += work.chunks.len().max(1);
            lot.is_empty() || chunks <= BODIES
        }) {
            lot.push(work);
        }
        change.add(replace(scope, lot).await?);
    }
    Ok(change)
}

/// New points of one series, and when the chunks begin that they are merged with.
struct Work {
    series_id: i32,
    chunks: Vec<i64>,
    new: Points,
}

fn shape(head: &Head) -> Shape {
    Shape {
        count: usize::try_from(head.points).unwrap_or(0),
        first_at: head.first_at,
        last_at: head.last_at,
    }
}

/// The chunks that new points may fall into, and some before and behind them, by series and in order.
async fn neighbours<R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
    news: &[(i32, Points)],
) -> Result<BTreeMap<i32, Vec<Head>>> {
    let of = |series_id: i32| {
        let chunks = scope.find::<Entity>();
        chunks.filter(Column::SeriesId.eq(series_id))
    };
    let spans: BTreeMap<i32, Range<i64>> = news
        .iter()
        .filter_map(|(series_id, new)| Some((*series_id, new.first()?.0..new.last()?.0 + 1)))
        .collect();
    let before = |(series_id, span): (&i32, &Range<i64>)| {
        of(*series_id)
            .filter(Column::FirstAt.lte(span.start))
            .order_by_desc(Column::FirstAt)
            .limit(NEIGHBOURS)
    };
    let mut heads: Vec<Head> = Scoped::all_of(spans.iter().map(before).collect()).await?;
    // Then those behind the first new point, until they are behind the last one by some.
    let mut behind: BTreeMap<i32, i64> = spans.iter().map(|(id, span)| (*id, span.start)).collect();
    let mut limit = NEIGHBOURS;
    while !behind.is_empty() {
        let next = |(series_id, behind): (&i32, &i64)| {
            of(*series_id)
                .filter(Column::FirstAt.gt(*behind))
                .order_by_asc(Column::FirstAt)
                .limit(limit)
        };
        let page: Vec<Head> = Scoped::all_of(behind.iter().map(next).collect()).await?;
        let mut last: BTreeMap<i32, (u64, i64)> = BTreeMap::new();
        for head in &page {
            let (count, first_at) = last.entry(head.series_id).or_default();
            *count += 1;
            *first_at = Ord::max(head.first_at, *first_at);
        }
        let more = |(id, (count, first_at)): (i32, (u64, i64))| {
            let within = spans.get(&id).is_some_and(|span| first_at < span.end);
            (count == limit && within).then_some((id, first_at))
        };
        behind = last.into_iter().filter_map(more).collect();
        heads.extend(page);
        limit = HEADS;
    }
    let mut by_series: BTreeMap<i32, Vec<Head>> = BTreeMap::new();
    heads.sort_by_key(|head| (head.series_id, head.first_at));
    for head in heads {
        by_series.entry(head.series_id).or_default().push(head);
    }
    Ok(by_series)
}

/// Merges new points with chunks, and replaces these.
async fn replace<R: AtLeast<Editor>>(scope: &TenantScope<R>, lot: Vec<Work>) -> Result<Change> {
    let mut change = Change::default();
    let mut old = Condition::any();
    for work in lot.iter().filter(|work| !work.chunks.is_empty()) {
        let own = Condition::all()
            .add(Column::SeriesId.eq(work.series_id))
            .add(Column::FirstAt.is_in(work.chunks.iter().copied()));
        old = old.add(own);
    }
    let mut bodies: BTreeMap<i32, Vec<Body>> = BTreeMap::new();
    if !old.is_empty() {
        for body in scope
            .find::<Entity>()
            .filter(old.clone())
            .all_as::<Body>()
            .await?
        {
            change.points -= i64::from(body.points);
            change.bytes -= length(&body.payload);
            bodies.entry(body.series_id).or_default().push(body);
        }
        scope.delete::<Entity>().filter(old).all().await?;
    }
    let tenant_id = scope.tenant().id;
    let rows = working(move || {
        let mut rows = Vec::new();
        for work in lot {
            let old = bodies.get(&work.series_id).map_or(&[][..], Vec::as_slice);
            let old = old
                .iter()
                .filter(|body| work.chunks.contains(&body.first_at));
            let decoded = old.map(|body| {
                Ok(Run {
                    seq: 0,
                    points: decode(body)?,
                })
            });
            let mut runs = decoded.collect::<Result<Vec<_>>>()?;
            if runs.len() != work.chunks.len() {
                return Err(Error::Internal("a chunk is not there".into()));
            }
            runs.push(Run {
                seq: 1,
                points: work.new,
            });
            for points in cut(&merge(runs, TIMES)) {
                rows.extend(row(tenant_id, work.series_id, &points)?);
            }
        }
        Ok(rows)
    })
    .await?;
    for row in &rows {
        change.points += i64::from(row.points);
        change.bytes += length(&row.payload);
    }
    insert(scope, rows).await?;
    Ok(change)
}

/// Inserts chunks.
pub(super) async fn insert<R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
    rows: Vec<entity::chunk::Model>,
) -> Result<()> {
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let some = rows
            .by_ref()
            .take(ROWS)
            .map(IntoActiveModel::into_active_model);
        scope.insert_many(some).await?;
    }
    Ok(())
}

/// A chunk's row; nothing of no points.
pub(super) fn row(
    tenant_id: i32,
    series_id: i32,
    points: &Points,
) -> Result<Option<entity::chunk::Model>> {
    let Some(summary) = Summary::of(points, 0..points.len()) else {
        return Ok(None);
    };
    let sum = summary.sum.total().map(|_| summary.sum);
    // SQLite keeps no sign of a zero, so that such a summary tells too little.
    let extremes = [summary.first, summary.last, summary.min, summary.max];
    let is_negative_zero = |(_, value): &(i64, f64)| value.to_bits() == (-0.0_f64).to_bits();
    let sum = sum.filter(|_| !extremes.iter().any(is_negative_zero));
    let steps = points.times().windows(2).map(|pair| pair[1] - pair[0]);
    let payload = encode_chunk(points);
    let number =
        |count: usize| i32::try_from(count).map_err(|error| Error::internal("counting", error));
    Ok(Some(entity::chunk::Model {
        tenant_id,
        series_id,
        first_at: summary.first.0,
        last_at: summary.last.0,
        points: number(points.len())?,
        first: summary.first.1,
        last: summary.last.1,
        min: summary.min.1,
        min_at: summary.min.0,
        max: summary.max.1,
        max_at: summary.max.0,
        sum: sum.map(|sum| sum.rounded),
        sum_rest: sum.map(|sum| sum.rest),
        widest: steps.max().unwrap_or(0),
        bytes: number(payload.len())?,
        payload,
    }))
}

/// What letting go of a batch needs to know.
#[derive(DerivePartialModel)]
#[sea_orm(entity = "entity::Entity")]
struct Past {
    seq: i64,
    created_at: i64,
}

/// Lets go of payloads of compacted batches, once nobody can go on behind them, and of receipts whose key counts no more.
async fn forget_past<R: AtLeast<Editor>>(scope: &TenantScope<R>, now: i64) -> Result<()> {
    use entity::Column::Seq;
    let counter = counter(scope).await?;
    let oldest = |after: i64, until: i64| {
        scope
            .find::<entity::Entity>()
            .filter(Condition::all().add(Seq.gt(after)).add(Seq.lte(until)))
            .order_by_asc(Seq)
            .limit(PAST)
            .all_as::<Past>()
    };
    let last = |past: Vec<Past>, age: i64| {
        let past = past
            .iter()
            .take_while(|batch| now - batch.created_at >= age);
        past.last().map(|batch| batch.seq)
    };
    let log = oldest(counter.forgotten_seq, counter.compacted_seq).await?;
    if let Some(seq) = last(log, LOG) {
        forget(scope, counter.forgotten_seq, seq).await?;
    }
    let receipts = oldest(0, counter.forgotten_seq).await?;
    if let Some(seq) = last(receipts, KEY_LIFETIME) {
        let gone = scope.delete::<entity::Entity>();
        gone.filter(Seq.lte(seq)).all().await?;
    }
    Ok(())
}

/// Lets go of the payloads of compacted batches behind the place `after` up to `seq`; receipts stay while their key counts.
pub(super) async fn forget<R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
    after: i64,
    seq: i64,
) -> Result<()> {
    use entity::Column::{Key, Payload, Seq};
    let past = || Condition::all().add(Seq.gt(after)).add(Seq.lte(seq));
    let gone = scope.delete::<entity::Entity>();
    gone.filter(past().add(Key.is_null())).all().await?;
    let kept = scope.update::<entity::Entity>().filter(past());
    kept.set(Payload, Expr::value(Vec::<u8>::new()))
        .all()
        .await?;
    let place = (tenant_counter::Column::ForgottenSeq, seq);
    advance(scope, Some(place), Change::default()).await
}
