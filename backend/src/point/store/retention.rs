//! How long points are kept.

use std::ops::Range;

use sea_orm::{ColumnTrait, Condition, sea_query::Expr};

use crate::{
    chunk::TIMES,
    error::Result,
    guard::{Admin, AtLeast, Editor, TenantScope, table::tenant_counter},
    point::{
        entity::chunk::{Column, Entity, Head},
        store::{
            compact::{Change, advance},
            delete::{Deleted, delete},
            pending::counter,
        },
    },
    series,
};

/// Chunks deleted in one transaction.
const CHUNKS: u64 = 5_000;

/// Keeps the tenant's points for `retention` (µs, by their time; for good without), and deletes what is older; lasting
/// once the scope is committed.
///
/// # Errors
/// As [`delete`].
pub async fn set_retention(
    scope: &TenantScope<Admin>,
    retention: Option<i64>,
    now: i64,
) -> Result<Deleted> {
    // Before the counter's row, as everybody who takes both: or two would wait for each other.
    scope.alone().await?;
    let counters = scope.update::<tenant_counter::Entity>();
    let counters = counters.set(tenant_counter::Column::Retention, Expr::value(retention));
    counters.all().await?;
    let past = past(&counter(scope).await?, now);
    if past.is_empty() {
        return Ok(Deleted::default());
    }
    let all = series::store::ids(scope).await?;
    delete(scope, &all, past).await
}

fn past(counter: &tenant_counter::Model, now: i64) -> Range<i64> {
    TIMES.start..Ord::min(counter.kept_since(now), TIMES.end)
}

/// Deletes the tenant's oldest chunks, if all that they hold is past its retention. Nobody else changes chunks meanwhile.
///
/// # Errors
/// [`crate::Error::Internal`] with the database's words.
pub(super) async fn expire<R: AtLeast<Editor>>(scope: &TenantScope<R>, now: i64) -> Result<()> {
    let past = past(&counter(scope).await?, now);
    if past.is_empty() {
        return Ok(());
    }
    let oldest = scope
        .find::<Entity>()
        .filter(Column::LastAt.lt(past.end))
        .order_by_asc(Column::LastAt)
        .order_by_asc(Column::SeriesId)
        .limit(CHUNKS);
    let oldest: Vec<Head> = oldest.all_as().await?;
    let Some(last) = oldest.last() else {
        return Ok(());
    };
    // Chunks of one series never end at the same time.
    let up_to_last = Condition::any().add(Column::LastAt.lt(last.last_at)).add(
        Condition::all()
            .add(Column::LastAt.eq(last.last_at))
            .add(Column::SeriesId.lte(last.series_id)),
    );
    let mut change = Change::default();
    for head in &oldest {
        change.add(Change {
            points: -i64::from(head.points),
            bytes: -i64::from(head.bytes),
        });
    }
    let gone = scope.delete::<Entity>();
    gone.filter(up_to_last).all().await?;
    advance(scope, None, change).await
}
