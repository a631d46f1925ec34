//! Points: written as batches, compacted to chunks, read back merged.

pub mod compact;
mod pending;
pub mod read;

use std::{collections::BTreeMap, ops::RangeInclusive};

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait,
    sea_query::{Expr, ExprTrait},
};

pub use compact::compact;
pub use pending::{damaged, open, since, working};
pub use read::Reader;

use crate::{
    chunk::{Points, encode_batch},
    error::{Error, Result},
    guard::{AtLeast, Editor, Role, Scoped, TenantScope, table::tenant_counter},
    point::{
        entity::{ActiveModel, Column, Entity, chunk, chunk::Head},
        store::pending::{counter, update_latest},
        write::{IdempotencyKey, Write},
    },
    series,
};

/// How long an idempotency key is kept, in µs.
pub const KEY_LIFETIME: i64 = 24 * 60 * 60 * 1_000_000;

/// Series looked up in one statement.
const SERIES: usize = 200;

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
    use tenant_counter::Column::{Bytes, LastSeq, Points as Count};
    series::store::check_reach(&scope, write.series().keys())?;
    let keys: Vec<String> = write.series().keys().cloned().collect();
    let ids = series::store::find_or_make(&scope, &keys, now).await?;
    let columns: BTreeMap<i32, Points> = ids
        .into_iter()
        .zip(write.series().values().cloned())
        .collect();
    let (body_hash, series) = (write.hash(), columns.len());
    let payload = working(move || encode_batch(&columns).map_err(Error::bad_input)).await?;

    // Holds the tenant's counter until the commit: `seq` rises in the order of commits, and of two
    // calls with the same key the second sees the first.
    let size =
        |count: usize| i64::try_from(count).map_err(|error| Error::internal("counting", error));
    let counter = scope
        .update::<tenant_counter::Entity>()
        .set(LastSeq, Expr::col(LastSeq).add(1))
        .set(Count, Expr::col(Count).add(size(write.count())?))
        .set(Bytes, Expr::col(Bytes).add(size(payload.len())?))
        .all()
        .await?;
    let seq = counter.first().ok_or(Error::NotFound("tenant"))?.last_seq;
    if let Some(key) = key
        && let Some(receipt) = written_before(&scope, key, &body_hash, now).await?
    {
        return Ok(receipt);
    }
    let (first_at, last_at) = write.extent();
    let count =
        |count: usize| i32::try_from(count).map_err(|error| Error::internal("counting", error));
    let receipt = Receipt {
        seq,
        points: count(write.count())?,
        series: count(series)?,
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
            payload: Set(payload),
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

/// The tenant's latest time that anything is stored for, in µs since 1970 UTC.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn last_at<R: Role>(scope: &TenantScope<R>) -> Result<Option<i64>> {
    // It may be of a series that the asker is not to see.
    if scope.series().is_some() {
        return Ok(None);
    }
    let compacted = counter(scope).await?.compacted_seq;
    let batches = scope.find::<Entity>().filter(Column::Seq.gt(compacted));
    let batch = batches.order_by_desc(Column::LastAt).limit(1).one().await?;
    let chunks = scope.find::<chunk::Entity>();
    let chunks = chunks.order_by_desc(chunk::Column::LastAt).limit(1);
    let chunk = chunks.all_as::<Head>().await?.pop();
    let batch = batch.map(|batch| batch.last_at);
    Ok(Ord::max(batch, chunk.map(|chunk| chunk.last_at)))
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
    let compacted = counter(scope).await?.compacted_seq;
    let mut best = BTreeMap::new();
    for ids in series_ids.chunks(SERIES) {
        let last = |id: &i32| {
            let chunks = scope.find::<chunk::Entity>();
            let chunks = chunks.filter(chunk::Column::SeriesId.eq(*id));
            chunks.order_by_desc(chunk::Column::FirstAt).limit(1)
        };
        let heads: Vec<Head> = Scoped::all_of(ids.iter().map(last).collect()).await?;
        best.extend(
            heads
                .into_iter()
                .map(|head| (head.series_id, (head.last_at, head.last))),
        );
    }
    update_latest(scope, series_ids, compacted, &mut best).await?;
    Ok(best)
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
