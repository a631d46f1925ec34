//! Batches, written and read back merged.

use std::{collections::BTreeMap, ops::Range};

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition,
    sea_query::{Expr, ExprTrait},
};
use tokio::sync::Semaphore;

use crate::{
    chunk::{Batch, Damaged, Points, Run, encode_batch, merge},
    error::{Error, Result},
    guard::{AtLeast, Editor, Role, TenantScope, table::tenant_counter},
    point::{
        entity::{ActiveModel, Column, Entity, Model},
        write::{IdempotencyKey, Write},
    },
    request::Budget,
    series,
};

/// How long an idempotency key is kept, in µs.
pub const KEY_LIFETIME: i64 = 24 * 60 * 60 * 1_000_000;

/// Batches read in one statement.
const PAGE: usize = 2_000;
/// Bytes of batches that are to be read in one statement; the first one does not know how large they are.
const PAGE_BYTES: usize = 16 << 20;
/// Batches of the first statement.
const FIRST_PAGE: usize = 64;
/// Points of one read from which on it is a heavy one.
const HEAVY: usize = 1_000_000;
/// Heavy reads that go on at the same time, in the whole process: each can hold hundreds of MiB.
static HEAVY_READS: Semaphore = Semaphore::const_new(2);

/// What a write has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its place in the tenant's order of commits.
    pub seq: i64,
    /// How many points it wrote.
    pub points: i32,
    /// To how many series.
    pub series: i32,
    /// Whether it had been written before, by the same idempotency key.
    pub replayed: bool,
    /// When it was written, in µs since 1970 UTC.
    pub at: i64,
}

/// Writes one call's points as one row, and makes them last. All of it or nothing.
///
/// # Errors
/// [`Error::Conflict`] when `key` has been used in the last 24 h for something else, [`Error::Forbidden`] when the
/// ingest token is limited to other series.
pub async fn ingest<R: AtLeast<Editor>>(
    scope: TenantScope<R>,
    write: &Write,
    key: Option<&IdempotencyKey>,
    now: i64,
) -> Result<Receipt> {
    series::store::check_reach(&scope, write.series().keys())?;
    // Holds the tenant's counter until the commit: `seq` rises in the order of commits, and of two
    // calls with the same key the second sees the first.
    let counter = scope
        .update::<tenant_counter::Entity>()
        .set(
            tenant_counter::Column::LastSeq,
            Expr::col(tenant_counter::Column::LastSeq).add(1),
        )
        .all()
        .await?;
    let seq = counter.first().ok_or(Error::NotFound("tenant"))?.last_seq;

    let body_hash = write.hash();
    if let Some(key) = key
        && let Some(receipt) = written_before(&scope, key, &body_hash, now).await?
    {
        return Ok(receipt);
    }

    let keys: Vec<String> = write.series().keys().cloned().collect();
    let ids = series::store::find_or_make(&scope, &keys, now).await?;
    let columns: BTreeMap<i32, Points> = ids
        .into_iter()
        .zip(write.series().values().cloned())
        .collect();
    let (first_at, last_at) = write.extent();
    let count =
        |count: usize| i32::try_from(count).map_err(|error| Error::internal("counting", error));
    let receipt = Receipt {
        seq,
        points: count(write.count())?,
        series: count(columns.len())?,
        replayed: false,
        at: now,
    };
    scope
        .insert(ActiveModel {
            tenant_id: Set(scope.tenant().id),
            seq: Set(seq),
            key: Set(key.map(|key| key.as_str().to_owned())),
            body_hash: Set(body_hash.to_vec()),
            points: Set(receipt.points),
            series: Set(receipt.series),
            created_at: Set(now),
            first_at: Set(first_at),
            last_at: Set(last_at),
            payload: Set(encode_batch(&columns).map_err(Error::bad_input)?),
        })
        .await?;
    scope.commit().await?;
    Ok(receipt)
}

async fn written_before<R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
    key: &IdempotencyKey,
    body_hash: &[u8],
    now: i64,
) -> Result<Option<Receipt>> {
    let Some(batch) = scope
        .find::<Entity>()
        .filter(Column::Key.eq(key.as_str()))
        .one()
        .await?
    else {
        return Ok(None);
    };
    if now - batch.created_at >= KEY_LIFETIME {
        scope
            .update::<Entity>()
            .filter(Column::Seq.eq(batch.seq))
            .set(Column::Key, Expr::value(None::<String>))
            .all()
            .await?;
        return Ok(None);
    }
    if batch.body_hash != body_hash {
        return Err(Error::Conflict(
            "this idempotency key was used within 24 hours for other points: use a new key for a new write".into(),
        ));
    }
    Ok(Some(Receipt {
        seq: batch.seq,
        points: batch.points,
        series: batch.series,
        replayed: true,
        at: batch.created_at,
    }))
}

/// The points of a series within a half-open range of times, the last write winning, out of what the request may read.
///
/// # Errors
/// [`Error::TooCostly`] when that is less; [`Error::Internal`] with the database's words, or when what is stored is damaged.
pub async fn read<R: Role>(
    scope: &TenantScope<R>,
    series_id: i32,
    range: Range<i64>,
    budget: &Budget,
) -> Result<Points> {
    let mut runs = Vec::new();
    let (mut after, mut limit, mut points) = (0, FIRST_PAGE, 0);
    let mut heavy = None;
    loop {
        let overlapping = Condition::all()
            .add(Column::LastAt.gte(range.start))
            .add(Column::FirstAt.lt(range.end))
            .add(Column::Seq.gt(after));
        let page = scope
            .find::<Entity>()
            .filter(overlapping)
            .order_by_asc(Column::Seq)
            .limit(limit as u64)
            .all()
            .await?;
        after = page.last().map_or(after, |batch| batch.seq);
        let last = page.len() < limit;
        let bytes: usize = page.iter().map(|batch| batch.payload.len()).sum();
        limit = (PAGE_BYTES / (bytes / page.len().max(1)).max(1)).clamp(1, PAGE);
        let (budget, range) = (budget.clone(), range.clone());
        let page = decoding(move || runs_of(&page, series_id, &range, &budget)).await?;
        points += page.iter().map(|run| run.points.len()).sum::<usize>();
        runs.extend(page);
        if points > HEAVY && heavy.is_none() {
            heavy = HEAVY_READS.acquire().await.ok();
        }
        if last {
            break;
        }
    }
    let merged = decoding(move || Ok(merge(runs, range))).await;
    drop(heavy);
    merged
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
pub async fn decoding<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::internal("working on points", error)))
}

/// The tenant's latest time that any batch holds, in µs since 1970 UTC.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn last_at<R: Role>(scope: &TenantScope<R>) -> Result<Option<i64>> {
    // A batch's time may be of a series that the asker is not to see.
    if scope.series().is_some() {
        return Ok(None);
    }
    let latest = scope
        .find::<Entity>()
        .order_by_desc(Column::LastAt)
        .limit(1)
        .one()
        .await?;
    Ok(latest.map(|batch| batch.last_at))
}

/// The latest point of each of these series, as time (µs since 1970 UTC) and value; none of a series
/// without points.
///
/// # Errors
/// [`Error::Internal`] with the database's words, or when what is stored is damaged.
pub async fn latest<R: Role>(
    scope: &TenantScope<R>,
    series_ids: &[i32],
) -> Result<BTreeMap<i32, (i64, f64)>> {
    let mut best: BTreeMap<i32, (i64, i64, f64)> = BTreeMap::new();
    let mut before: Option<(i64, i64)> = None;
    let mut page = 16;
    loop {
        let mut batches = scope.find::<Entity>();
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
                && best.values().all(|(time, _, _)| *time > batch.last_at);
            if all_later {
                return Ok(pairs(best));
            }
            let opened = open(batch)?;
            for &id in series_ids {
                let Some(entry) = opened.entry(id) else {
                    continue;
                };
                let candidate = (entry.shape().last_at, batch.seq);
                let held = best.get(&id).map(|(time, seq, _)| (*time, *seq));
                if held.is_none_or(|held| held < candidate)
                    && let Some((time, value)) = entry.points().map_err(damaged)?.last()
                {
                    best.insert(id, (time, batch.seq, value));
                }
            }
        }
        match batches.last() {
            Some(batch) if batches.len() == page => before = Some((batch.last_at, batch.seq)),
            _ => return Ok(pairs(best)),
        }
        page = (page * 2).min(PAGE);
    }
}

fn pairs(best: BTreeMap<i32, (i64, i64, f64)>) -> BTreeMap<i32, (i64, f64)> {
    best.into_iter()
        .map(|(id, (time, _, value))| (id, (time, value)))
        .collect()
}

/// The place of the last commit in the tenant's order; 0 before the first.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn last_seq<R: Role>(scope: &TenantScope<R>) -> Result<i64> {
    let counter = scope.find::<tenant_counter::Entity>().one().await?;
    Ok(counter.ok_or(Error::NotFound("tenant"))?.last_seq)
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
