//! Writing points in the API.

use std::borrow::Cow;

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, ScalarType, SimpleObject};

use crate::{
    access::graphql::requires,
    chunk::TIMES,
    error::{Error, Result},
    guard::{Admin, Editor, table::audit_event::Action},
    point::{
        aside::Aside,
        store::{
            delete::{Deleted, delete},
            retention::{Retention, set_retention},
        },
        write::{Column, IdempotencyKey, Write},
    },
    request::{ContextExt, now},
    scalar::{Count, DateTime, TimeRange, Timestamp, seal},
    series::{self, SeriesMatch},
    tenant::graphql::{Role, parse_match},
};

/// New points of one series, in two columns of equal length.
#[derive(InputObject)]
pub struct SeriesBatch {
    /// Name and labels: `clock.offset_seconds{producer="clock"}`. Made on first use.
    series: String,
    /// When, from 1970 up to and without 2200, in any order. Of points at the same time the last one wins.
    times: Vec<Timestamp>,
    /// The finite value at each time.
    values: Vec<f64>,
}

/// What a write has done. Once given, the points are on disk.
#[derive(SimpleObject)]
pub struct Receipt {
    /// Opaque name of the write.
    id: ID,
    /// How many points it wrote.
    points: i32,
    /// To how many series.
    series: i32,
    /// Whether the same idempotency key had written it before; then nothing was written now.
    replayed: bool,
    /// When it was written.
    at: DateTime,
}

/// What is deleted, or would be.
#[derive(SimpleObject)]
pub struct DeletedPoints {
    /// How many points.
    points: Count,
    /// By how many bytes what is stored becomes smaller.
    bytes: Count,
    /// Of how many series.
    series: i32,
}

impl From<Deleted> for DeletedPoints {
    fn from(deleted: Deleted) -> Self {
        DeletedPoints {
            points: Count(deleted.points),
            bytes: Count(deleted.bytes),
            series: i32::try_from(deleted.series).unwrap_or(i32::MAX),
        }
    }
}

/// Most texts that name series to be deleted from.
const MATCHES: usize = 200;
/// What can be done with points.
#[derive(Default)]
pub struct PointMutation;

#[Object]
impl PointMutation {
    // Each is a transaction that waits for the disk: some twenty in one request.
    /// Writes points, all of them or none. An ingest token of the tenant has the role that it needs.
    #[graphql(
        complexity = "1_000 + child_complexity",
        directive = requires::apply(Role::Editor)
    )]
    async fn ingest(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's slug.")] tenant: String,
        #[graphql(desc = "At most 10,000 batches and 1,000,000 points.")] batches: Vec<SeriesBatch>,
        #[graphql(
            desc = "A name for this write, kept for 24 hours: the same key with the same points again gives the first receipt and writes nothing, with other points it is a CONFLICT."
        )]
        idempotency_key: Option<String>,
    ) -> Result<Receipt> {
        // Who may not write learns nothing about the input.
        ctx.asker()?.principal()?;
        let write = Write::try_from(&*columns(ctx.data_opt(), batches))?;
        let key = idempotency_key.map(IdempotencyKey::try_from).transpose()?;
        let scope = ctx.writing::<Editor>(&tenant).await?;
        let slug = scope.tenant().slug.clone();
        let receipt = ctx.writer()?.write(scope, write, key).await?;
        Ok(Receipt {
            id: ID(seal(["receipt", &slug, &receipt.seq.to_string()])),
            points: receipt.points,
            series: receipt.series,
            replayed: receipt.replayed,
            at: DateTime(receipt.at),
        })
    }

    /// Deletes the points that series have within a stretch of time, as far as they are written by now, for good. Who
    /// follows can't go on behind what was written before.
    #[graphql(complexity = "1_000 + child_complexity", directive = requires::apply(Role::Admin))]
    async fn delete_points(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's slug.")] tenant: String,
        #[graphql(
            desc = "Keys of series, or patterns with `*`: `clock.*`, `*` for all; 1 to 200 of them."
        )]
        series: Vec<String>,
        #[graphql(desc = "Which stretch of time.")] range: TimeRange,
        #[graphql(desc = "Only tell what would be deleted.", default = false)] dry_run: bool,
    ) -> Result<DeletedPoints> {
        ctx.asker()?.principal()?;
        let range = range.micros()?;
        if series.is_empty() || series.len() > MATCHES {
            return Err(Error::bad_input(format!(
                "`series` holds {} texts: name 1 to {MATCHES} series, or all of them by \"*\"",
                series.len()
            )));
        }
        let parsed = series.iter().map(|text| parse_match(text));
        let matches: Vec<SeriesMatch> = parsed.collect::<Result<_>>()?;
        let scope = ctx.writing::<Admin>(&tenant).await?;
        let ids = series::store::meant(&scope, &matches).await?;
        let deleted = delete(&scope, &ids, range.clone()).await?;
        if !dry_run {
            let time = |at: i64| {
                DateTime(at.clamp(TIMES.start, TIMES.end))
                    .to_value()
                    .to_string()
            };
            let detail = format!(
                "{} points, {} bytes, of {} series; from {} to {}",
                deleted.points,
                deleted.bytes,
                deleted.series,
                time(range.start),
                time(range.end)
            );
            let subject = format!("series {}", series.join(" "));
            scope
                .audit(Action::PointsDeleted, &subject, &detail, now())
                .await?;
            scope.commit().await?;
        }
        Ok(deleted.into())
    }

    /// Says how long points are kept, by their time, and deletes what is older.
    #[graphql(complexity = "1_000 + child_complexity", directive = requires::apply(Role::Admin))]
    async fn set_retention(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's slug.")] tenant: String,
        #[graphql(desc = "1 to 36,500 days of 24 hours; null for good. It must be given.")]
        days: MaybeUndefined<i32>,
        #[graphql(desc = "Only tell what would be deleted.", default = false)] dry_run: bool,
    ) -> Result<DeletedPoints> {
        ctx.asker()?.principal()?;
        let days = match days {
            MaybeUndefined::Value(days) => Some(days),
            MaybeUndefined::Null => None,
            MaybeUndefined::Undefined => {
                return Err(Error::bad_input(
                    "say for how many `days` points are kept, or `days: null` for good",
                ));
            }
        };
        let retention = Retention::try_from(days)?;
        let scope = ctx.writing::<Admin>(&tenant).await?;
        let deleted = set_retention(&scope, retention, now()).await?;
        if !dry_run {
            scope.commit().await?;
        }
        Ok(deleted.into())
    }
}

/// The columns of `batches`, or those that they stand for.
fn columns(aside: Option<&Aside>, batches: Vec<SeriesBatch>) -> Cow<'_, [Column]> {
    if let ([batch], Some(aside)) = (&batches[..], aside)
        && let Some(columns) = aside.columns(&batch.series)
    {
        return Cow::Borrowed(columns);
    }
    let column = |batch: SeriesBatch| Column {
        series: batch.series,
        times: batch.times.into_iter().map(|time| time.0).collect(),
        values: batch.values,
    };
    batches.into_iter().map(column).collect()
}
