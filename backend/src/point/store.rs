//! Points: written as batches, compacted to chunks, read back merged.

pub mod compact;
pub mod delete;
pub mod ingest;
pub mod pending;
pub mod read;
pub mod retention;

use std::{collections::BTreeMap, ops::RangeInclusive};

use sea_orm::ColumnTrait;

pub use compact::compact;
pub use pending::{damaged, open, since, working};
pub use read::Reader;

use crate::{
    error::{Error, Result},
    guard::{Role, Scoped, TenantScope},
    point::{
        entity::{
            Column, Entity, chunk,
            chunk::{Body, Head},
        },
        store::pending::{counter, update_latest},
    },
};

/// Series looked up in one statement.
const SERIES: usize = 200;

/// The tenant's latest time that anything is stored for, in µs since 1970 UTC.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn last_at<R: Role>(scope: &TenantScope<R>, now: i64) -> Result<Option<i64>> {
    // It may be of a series that the asker is not to see.
    if scope.series().is_some() {
        return Ok(None);
    }
    let counter = counter(scope).await?;
    let batches = scope
        .find::<Entity>()
        .filter(Column::Seq.gt(counter.compacted_seq));
    let batch = batches.order_by_desc(Column::LastAt).limit(1).one().await?;
    let chunks = scope.find::<chunk::Entity>();
    let chunks = chunks.order_by_desc(chunk::Column::LastAt).limit(1);
    let chunk = chunks.all_as::<Head>().await?.pop();
    let batch = batch.map(|batch| batch.last_at);
    let last = Ord::max(batch, chunk.map(|chunk| chunk.last_at));
    Ok(last.filter(|last| *last >= counter.kept_since(now)))
}

/// The latest point of each of these series, as time (µs since 1970 UTC) and value; none of a series
/// without points.
///
/// # Errors
/// [`Error::Internal`] with the database's words, or when what is stored is damaged.
pub async fn latest<R: Role>(
    scope: &TenantScope<R>,
    series_ids: &[i32],
    now: i64,
) -> Result<BTreeMap<i32, (i64, f64)>> {
    let counter = counter(scope).await?;
    let mut best = BTreeMap::new();
    for ids in series_ids.chunks(SERIES) {
        let last = |id: &i32| {
            let chunks = scope.find::<chunk::Entity>();
            let chunks = chunks.filter(chunk::Column::SeriesId.eq(*id));
            chunks.order_by_desc(chunk::Column::FirstAt).limit(1)
        };
        let mut heads: Vec<Head> = Scoped::all_of(ids.iter().map(last).collect()).await?;
        // SQLite keeps no sign of a zero.
        for head in &mut heads {
            if head.last == 0.0 && head.sum.is_none() {
                head.last = last_of(scope, head).await?;
            }
        }
        best.extend(
            heads
                .into_iter()
                .map(|head| (head.series_id, (head.last_at, head.last))),
        );
    }
    update_latest(scope, series_ids, counter.compacted_seq, &mut best).await?;
    best.retain(|_, (time, _)| *time >= counter.kept_since(now));
    Ok(best)
}

/// The last value of a chunk.
async fn last_of<R: Role>(scope: &TenantScope<R>, head: &Head) -> Result<f64> {
    let bodies = scope.find::<chunk::Entity>();
    let bodies = bodies
        .filter(chunk::Column::SeriesId.eq(head.series_id))
        .filter(chunk::Column::FirstAt.eq(head.first_at))
        .limit(1);
    let body = bodies.all_as::<Body>().await?.pop();
    let points = body.as_ref().map(read::decode).transpose()?;
    let last = points.and_then(|points| points.last());
    last.map(|(_, value)| value)
        .ok_or_else(|| Error::Internal("a chunk is not there".into()))
}

/// What a tenant stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// How many points; one that was written twice may count twice until it is compacted.
    pub points: i64,
    /// Bytes of the payloads that hold them, without what the database adds.
    pub bytes: i64,
    /// Batches that wait to be compacted.
    pub waiting: i64,
    /// How long points are kept, by their time, in µs; for good without.
    pub retention: Option<i64>,
}

/// What the tenant stores, whatever the asker may see of it.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn usage<R: Role>(scope: &TenantScope<R>) -> Result<Usage> {
    let counter = counter(scope).await?;
    Ok(Usage {
        points: counter.points,
        bytes: counter.bytes,
        waiting: counter.last_seq - counter.compacted_seq,
        retention: counter.retention,
    })
}

/// Behind which places in the tenant's order of commits subscribers can go on; the last one is that of the last commit, 0
/// before the first.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn places<R: Role>(scope: &TenantScope<R>) -> Result<RangeInclusive<i64>> {
    let counter = counter(scope).await?;
    Ok(counter.forgotten_seq..=counter.last_seq)
}
