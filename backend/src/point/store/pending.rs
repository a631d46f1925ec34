//! Batches whose points are not in chunks yet.

use std::{collections::BTreeMap, ops::Range};

use sea_orm::{ColumnTrait, Condition};
use tokio::sync::Semaphore;

use crate::{
    chunk::{Batch, Damaged, Points, Run, merge},
    error::{Error, Result},
    guard::{Role, TenantScope, table::tenant_counter},
    point::{
        entity::{Column, Entity, Model},
        together::Together,
    },
    request::Budget,
};

/// Batches read in one statement.
const PAGE: usize = 2_000;
/// Bytes of batches that are to be read in one statement; the first one does not know how large they are.
const PAGE_BYTES: usize = 16 << 20;
/// Batches of the first statement.
const FIRST_PAGE: usize = 64;
/// Bytes of batches that several series of a request read from, once for all of them.
const FEW_BYTES: usize = 1 << 20;
/// Points of one read from which on it is a heavy one.
const HEAVY: usize = 1_000_000;
/// Heavy reads that go on at the same time, in the whole process: each can hold hundreds of MiB.
static HEAVY_READS: Semaphore = Semaphore::const_new(2);

/// A time in µs since 1970 UTC and the value then.
type Point = (i64, f64);

/// The tenant's numbers.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn counter<R: Role>(scope: &TenantScope<R>) -> Result<tenant_counter::Model> {
    let counter = scope.find::<tenant_counter::Entity>().one().await?;
    counter.ok_or(Error::NotFound("tenant"))
}

/// Points of a series within a half-open range of times that were written behind `compacted`, the last write winning,
/// out of what the request may read.
///
/// # Errors
/// [`Error::TooCostly`] when that is less; [`Error::Internal`] with the database's words, or when what is stored is damaged.
pub async fn read<R: Role>(
    scope: &TenantScope<R>,
    together: Option<&Together>,
    series_id: i32,
    range: &Range<i64>,
    counter: &tenant_counter::Model,
    budget: &Budget,
) -> Result<Points> {
    let mut runs = Vec::new();
    let (mut after, mut limit, mut points) = (counter.compacted_seq, FIRST_PAGE, 0);
    if after == counter.last_seq {
        return Ok(Points::default());
    }
    if let Some(together) = together
        && let Some(batches) = together.pending(range, after).await?
    {
        let (budget, range) = (budget.clone(), range.clone());
        let own = move || Ok(merge(runs_of(&batches, series_id, &range, &budget)?, range));
        return working(own).await;
    }
    let mut heavy = None;
    loop {
        let page = page(scope, range, after, limit).await?;
        after = page.last().map_or(after, |batch| batch.seq);
        let last = page.len() < limit;
        let bytes: usize = page.iter().map(|batch| batch.payload.len()).sum();
        limit = (PAGE_BYTES / (bytes / page.len().max(1)).max(1)).clamp(1, PAGE);
        let (budget, range) = (budget.clone(), range.clone());
        let page = working(move || runs_of(&page, series_id, &range, &budget)).await?;
        points += page.iter().map(|run| run.points.len()).sum::<usize>();
        runs.extend(page);
        if points > HEAVY && heavy.is_none() {
            heavy = HEAVY_READS.acquire().await.ok();
        }
        if last {
            break;
        }
    }
    let range = range.clone();
    let merged = working(move || Ok(merge(runs, range))).await;
    drop(heavy);
    merged
}

/// All batches from behind `compacted` on that overlap `range`, unless they are too many or too large to be kept.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn few<R: Role>(
    scope: &TenantScope<R>,
    range: &Range<i64>,
    compacted: i64,
) -> Result<Option<Vec<Model>>> {
    let batches = page(scope, range, compacted, FIRST_PAGE).await?;
    let bytes: usize = batches.iter().map(|batch| batch.payload.len()).sum();
    Ok((batches.len() < FIRST_PAGE && bytes <= FEW_BYTES).then_some(batches))
}

async fn page<R: Role>(
    scope: &TenantScope<R>,
    range: &Range<i64>,
    after: i64,
    most: usize,
) -> Result<Vec<Model>> {
    let overlapping = Condition::all()
        .add(Column::LastAt.gte(range.start))
        .add(Column::FirstAt.lt(range.end))
        .add(Column::Seq.gt(after));
    let batches = scope.find::<Entity>().filter(overlapping);
    let batches = batches.order_by_asc(Column::Seq).limit(most as u64);
    batches.all().await
}

/// The series' points in these batches, as each was written.
fn runs_of(
    batches: &[Model],
    series_id: i32,
    range: &Range<i64>,
    budget: &Budget,
) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    for batch in batches {
        let opened = open(batch)?;
        let Some(entry) = opened
            .entry(series_id)
            .filter(|entry| entry.overlaps(range))
        else {
            continue;
        };
        budget.read(entry.shape().count)?;
        runs.push(Run {
            seq: batch.seq,
            points: entry.points().map_err(damaged)?,
        });
    }
    Ok(runs)
}

/// Does work that keeps a core busy where nobody else waits for it.
///
/// # Errors
/// Those of the work, and [`Error::Internal`] when it panicked.
pub async fn working<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::internal("working on points", error)))
}

/// Brings `best`, the latest point of each series that is known of, up to date with what was written behind `compacted`.
///
/// # Errors
/// [`Error::Internal`] with the database's words, or when what is stored is damaged.
pub async fn update_latest<R: Role>(
    scope: &TenantScope<R>,
    series_ids: &[i32],
    compacted: i64,
    best: &mut BTreeMap<i32, Point>,
) -> Result<()> {
    // Of points at the same time the one written last counts, and all of these were written after what is in chunks.
    let mut places: BTreeMap<i32, i64> = BTreeMap::new();
    let mut before: Option<(i64, i64)> = None;
    let mut page = 16;
    loop {
        let mut batches = scope.find::<Entity>().filter(Column::Seq.gt(compacted));
        if let Some((last_at, seq)) = before {
            let earlier = Condition::all()
                .add(Column::LastAt.eq(last_at))
                .add(Column::Seq.lt(seq));
            batches = batches.filter(
                Condition::any()
                    .add(Column::LastAt.lt(last_at))
                    .add(earlier),
            );
        }
        let batches = batches
            .order_by_desc(Column::LastAt)
            .order_by_desc(Column::Seq)
            .limit(page as u64)
            .all()
            .await?;
        for batch in &batches {
            // What follows ends no later than this: nobody's latest is in it once all are known later.
            let all_later = best.len() == series_ids.len()
                && best.values().all(|(time, _)| *time > batch.last_at);
            if all_later {
                return Ok(());
            }
            let opened = open(batch)?;
            for &id in series_ids {
                let Some(entry) = opened.entry(id) else {
                    continue;
                };
                let candidate = (entry.shape().last_at, batch.seq);
                let place = places.get(&id).copied().unwrap_or(compacted);
                let held = best.get(&id).map(|(time, _)| (*time, place));
                if held.is_none_or(|held| held < candidate)
                    && let Some(point) = entry.points().map_err(damaged)?.last()
                {
                    best.insert(id, point);
                    places.insert(id, batch.seq);
                }
            }
        }
        match batches.last() {
            Some(batch) if batches.len() == page => before = Some((batch.last_at, batch.seq)),
            _ => return Ok(()),
        }
        page = (page * 2).min(PAGE);
    }
}

/// Up to `most` batches behind the place `seq`, in the order of their commits.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn since<R: Role>(scope: &TenantScope<R>, seq: i64, most: usize) -> Result<Vec<Model>> {
    scope
        .find::<Entity>()
        .filter(Column::Seq.gt(seq))
        .order_by_asc(Column::Seq)
        .limit(most as u64)
        .all()
        .await
}

/// The batch's columns by series.
///
/// # Errors
/// [`Error::Internal`] when what is stored is damaged.
pub fn open(batch: &Model) -> Result<Batch<'_>> {
    Batch::open(&batch.payload).map_err(damaged)
}

/// What is told when stored bytes are damaged.
pub fn damaged(error: Damaged) -> Error {
    Error::internal("stored points are damaged", error)
}
