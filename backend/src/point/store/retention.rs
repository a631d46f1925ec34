//! How long points are kept.

use std::{
    fmt::{Display, Formatter},
    ops::Range,
};

use sea_orm::{ColumnTrait, Condition, sea_query::Expr};

use crate::{
    chunk::TIMES,
    error::{Error, Result},
    guard::{
        Admin, AtLeast, Editor, TenantScope,
        table::{audit_event::Action, tenant_counter},
    },
    point::{
        entity::chunk::{Column, Entity, Head},
        store::{
            compact::{Change, advance},
            delete::{Deleted, delete},
            pending::counter,
        },
    },
    request::DAY,
    series,
};

/// Chunks deleted in one transaction.
const CHUNKS: u64 = 5_000;

/// How many days at most points are kept for, unless for good.
const MOST_DAYS: i32 = 36_500;

/// How long points are kept, by their time: some days of 24 hours, or for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention(Option<i32>);

impl TryFrom<Option<i32>> for Retention {
    type Error = Error;

    fn try_from(days: Option<i32>) -> Result<Self> {
        if days.is_some_and(|days| !(1..=MOST_DAYS).contains(&days)) {
            return Err(Error::bad_input(format!(
                "points are kept for 1 to {MOST_DAYS} days, or with null for good"
            )));
        }
        Ok(Retention(days))
    }
}

impl Display for Retention {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(days) => write!(f, "for {days} days"),
            None => f.write_str("for good"),
        }
    }
}

impl Retention {
    /// In µs; none for good.
    pub fn micros(self) -> Option<i64> {
        self.0.map(|days| i64::from(days) * DAY)
    }
}

/// Keeps the tenant's points for that long, and deletes what is older; lasting once the scope is committed.
///
/// # Errors
/// As [`delete`].
pub async fn set_retention(
    scope: &TenantScope<Admin>,
    retention: Retention,
    now: i64,
) -> Result<Deleted> {
    // Before the counter's row, as everybody who takes both: or two would wait for each other.
    scope.alone().await?;
    let micros = Expr::value(retention.micros());
    let counters = scope.update::<tenant_counter::Entity>();
    let counters = counters.set(tenant_counter::Column::Retention, micros);
    counters.all().await?;
    let past = past(&counter(scope).await?, now);
    let deleted = match past.is_empty() {
        true => Deleted::default(),
        false => delete(scope, &series::store::ids(scope).await?, past).await?,
    };
    let detail = format!(
        "{retention}; {} points, {} bytes, of {} series deleted",
        deleted.points, deleted.bytes, deleted.series
    );
    scope
        .audit(Action::RetentionSet, "retention", &detail, now)
        .await?;
    Ok(deleted)
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
