//! Writing points in the API.

use std::borrow::Cow;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::{
    access::graphql::requires,
    error::Result,
    guard::Editor,
    point::{
        aside::Aside,
        write::{Column, IdempotencyKey, Write},
    },
    request::ContextExt,
    scalar::{DateTime, Timestamp, seal},
    tenant::graphql::Role,
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
