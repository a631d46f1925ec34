//! Points deleted, by series and time.

use std::ops::Range;

use sea_orm::{ColumnTrait, Condition, sea_query::Expr};

use crate::{
    chunk::{Points, TIMES, compact::cut},
    error::Result,
    guard::{AtLeast, Editor, Scoped, TenantScope, table::tenant_counter},
    point::{
        entity::chunk::{Body, Column, Entity, Head},
        store::{
            compact::{Change, advance, compact_oldest, forget, insert, row},
            pending::{counter, working},
            read::decode,
        },
    },
};

/// Series looked up in one statement.
const SERIES: usize = 200;
/// Chunks decoded at a time.
const BODIES: usize = 64;

/// What is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// How many points.
    pub points: i64,
    /// By how many bytes the payloads are smaller that hold the rest. Cutting a chunk in two can take some more.
    pub bytes: i64,
    /// Of how many series.
    pub series: usize,
}

/// Deletes the points of these series within a half-open range of times, whenever they were written until now; lasting once
/// the scope is committed. Whoever writes meanwhile waits.
///
/// Subscribers can't go on behind what was written before it: they would be told of what is gone.
///
/// # Errors
/// [`crate::Error::Internal`] with the database's words, or when what is stored is damaged.
pub async fn delete<R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
    series_ids: &[i32],
    range: Range<i64>,
) -> Result<Deleted> {
    use tenant_counter::Column::LastSeq;
    scope.alone().await?;
    // Holds the tenant's counter: what is written until now is all there is.
    let counters = scope.update::<tenant_counter::Entity>();
    counters.set(LastSeq, Expr::col(LastSeq)).all().await?;
    while compact_oldest(scope).await?.more {}

    let mut deleted = Deleted::default();
    for ids in series_ids.chunks(SERIES) {
        delete_some(scope, ids, &range, &mut deleted).await?;
    }
    if deleted.points > 0 {
        let change = Change {
            points: -deleted.points,
            bytes: -deleted.bytes,
        };
        advance(scope, None, change).await?;
        let places = counter(scope).await?;
        forget(scope, places.forgotten_seq, places.last_seq).await?;
    }
    Ok(deleted)
}

async fn delete_some<R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
    ids: &[i32],
    range: &Range<i64>,
    deleted: &mut Deleted,
) -> Result<()> {
    let of = |id: &i32| scope.find::<Entity>().filter(Column::SeriesId.eq(*id));
    let selections = ids.iter().flat_map(|id| {
        let before = of(id).filter(Column::FirstAt.lt(range.start));
        let before = before.order_by_desc(Column::FirstAt).limit(1);
        let within = Condition::all()
            .add(Column::FirstAt.gte(range.start))
            .add(Column::FirstAt.lt(range.end));
        [before, of(id).filter(within)]
    });
    let mut heads: Vec<Head> = Scoped::all_of(selections.collect()).await?;
    heads.retain(|head| head.last_at >= range.start);
    heads.sort_by_key(|head| (head.series_id, head.first_at));
    let (within, border): (Vec<Head>, Vec<Head>) = heads
        .into_iter()
        .partition(|head| range.start <= head.first_at && head.last_at < range.end);
    let mut touched: Vec<i32> = within.iter().map(|head| head.series_id).collect();
    for head in &within {
        deleted.points += i64::from(head.points);
        deleted.bytes += i64::from(head.bytes);
    }
    if !within.is_empty() {
        let whole = Condition::all()
            .add(Column::SeriesId.is_in(ids.iter().copied()))
            .add(Column::FirstAt.gte(range.start))
            .add(Column::LastAt.lt(range.end));
        scope.delete::<Entity>().filter(whole).all().await?;
    }
    for heads in border.chunks(BODIES) {
        for (series_id, gone) in cut_border(scope, heads, range).await? {
            deleted.points -= gone.points;
            deleted.bytes -= gone.bytes;
            if gone.points < 0 {
                touched.push(series_id);
            }
        }
    }
    touched.sort_unstable();
    touched.dedup();
    deleted.series += touched.len();
    Ok(())
}

/// Cuts the range out of these chunks, and tells how the numbers change by series.
async fn cut_border<R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
    heads: &[Head],
    range: &Range<i64>,
) -> Result<Vec<(i32, Change)>> {
    let mut these = Condition::any();
    for head in heads {
        let own = Condition::all()
            .add(Column::SeriesId.eq(head.series_id))
            .add(Column::FirstAt.eq(head.first_at));
        these = these.add(own);
    }
    let bodies = scope.find::<Entity>().filter(these.clone());
    let bodies: Vec<Body> = bodies.all_as().await?;
    scope.delete::<Entity>().filter(these).all().await?;
    let (tenant_id, range) = (scope.tenant().id, range.clone());
    let (rows, changes) = working(move || {
        let (mut rows, mut changes) = (Vec::new(), Vec::new());
        for body in &bodies {
            let points = decode(body)?;
            let mut change = Change {
                points: -i64::from(body.points),
                bytes: -i64::try_from(body.payload.len()).unwrap_or(i64::MAX),
            };
            for rest in [TIMES.start..range.start, range.end..TIMES.end] {
                let rest: Points = points.slice(points.places(&rest));
                for part in cut(&rest) {
                    if let Some(row) = row(tenant_id, body.series_id, &part)? {
                        change.points += i64::from(row.points);
                        change.bytes += i64::from(row.bytes);
                        rows.push(row);
                    }
                }
            }
            changes.push((body.series_id, change));
        }
        Ok((rows, changes))
    })
    .await?;
    insert(scope, rows).await?;
    Ok(changes)
}
