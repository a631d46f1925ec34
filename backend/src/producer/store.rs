//! Producers and their runs, found and changed.
//!
//! Each change begins with the tenant's counter, whose lock it holds until it is committed: changes are numbered in the
//! order of their commits, and whoever has seen one has seen all before it.

use std::collections::HashMap;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, IntoActiveModel,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    error::{Error, Result},
    guard::{
        AtLeast, Editor, Role, TenantScope,
        table::{audit_event::Action, tenant_counter},
    },
    producer::{
        entity::{Column, Entity, Model, run},
        reach::{self, Reach},
        settings::{Outcome, ProducerName, Settings, USUAL_GRACE, words},
    },
};

/// Most producers of a tenant.
pub const MOST_PRODUCERS: usize = 500;
/// Runs that are kept of a producer.
pub const KEPT: u64 = 1_000;
/// After so many changes of a producer's runs, those that are too many go.
const OFTEN: i64 = 64;

/// The producers that the scope reaches, by name.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn all<R: Role>(scope: &TenantScope<R>) -> Result<Vec<Model>> {
    let reach = Reach::of(scope);
    let mut producers = scope.find::<Entity>().all().await?;
    producers.retain(|producer| reach.includes(&producer.name));
    // Here and not by the database, which may sort by a language: a cursor must mean the same everywhere.
    producers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(producers)
}

/// The producer numbered `id`, if there is one that the scope reaches.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn find<R: Role>(scope: &TenantScope<R>, id: i32) -> Result<Option<Model>> {
    let found = scope.find::<Entity>().filter(Column::Id.eq(id)).one();
    let reach = Reach::of(scope);
    Ok(found
        .await?
        .filter(|producer| reach.includes(&producer.name)))
}

async fn by_name<R: Role>(scope: &TenantScope<R>, name: &str) -> Result<Option<Model>> {
    let producers = scope.find::<Entity>();
    producers.filter(Column::Name.eq(name)).one().await
}

/// Up to `most` runs of a producer with slots in `slots`, the newest slot first.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn runs<R: Role>(
    scope: &TenantScope<R>,
    producer: &Model,
    slots: &std::ops::Range<i64>,
    most: usize,
) -> Result<Vec<run::Model>> {
    scope
        .find::<run::Entity>()
        .filter(run::Column::ProducerId.eq(producer.id))
        .filter(run::Column::Slot.gte(slots.start))
        .filter(run::Column::Slot.lt(slots.end))
        .order_by_desc(run::Column::Slot)
        .limit(most as u64)
        .all()
        .await
}

/// The run of a producer at `slot`, if it has begun.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn run_at<R: Role>(
    scope: &TenantScope<R>,
    producer_id: i32,
    slot: i64,
) -> Result<Option<run::Model>> {
    scope
        .find::<run::Entity>()
        .filter(run::Column::ProducerId.eq(producer_id))
        .filter(run::Column::Slot.eq(slot))
        .one()
        .await
}

/// The runs whose latest changes have these places, by place.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn by_seq<R: Role>(
    scope: &TenantScope<R>,
    seqs: &[i64],
) -> Result<HashMap<i64, run::Model>> {
    let runs = scope
        .find::<run::Entity>()
        .filter(run::Column::Seq.is_in(seqs.iter().copied()));
    let runs = runs.all().await?.into_iter();
    Ok(runs.map(|run| (run.seq, run)).collect())
}

/// The place of the latest change to the tenant's producers and runs.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn last_change<R: Role>(scope: &TenantScope<R>) -> Result<i64> {
    let counter = scope.find::<tenant_counter::Entity>().one().await?;
    Ok(counter.map_or(0, |counter| counter.last_run))
}

/// Up to `most` runs that have changed behind the place `seq`, by the place of their latest change.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn changed_behind<R: Role>(
    scope: &TenantScope<R>,
    seq: i64,
    most: usize,
) -> Result<Vec<run::Model>> {
    scope
        .find::<run::Entity>()
        .filter(run::Column::Seq.gt(seq))
        .order_by_asc(run::Column::Seq)
        .limit(most as u64)
        .all()
        .await
}

/// Of these slots of producers, those at which a run has begun.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn begun<R: Role>(
    scope: &TenantScope<R>,
    slots: &[(i32, i64)],
) -> Result<Vec<(i32, i64)>> {
    if slots.is_empty() {
        return Ok(Vec::new());
    }
    // More than is asked for where producers have different slots, of which there are few.
    let runs = scope
        .find::<run::Entity>()
        .filter(run::Column::ProducerId.is_in(slots.iter().map(|(producer, _)| *producer)))
        .filter(run::Column::Slot.is_in(slots.iter().map(|(_, slot)| *slot)));
    let runs = runs.all().await?.into_iter();
    Ok(runs.map(|run| (run.producer_id, run.slot)).collect())
}

/// Takes the next number of changes, and with it the right to change alone until the scope ends.
async fn next_change<R: AtLeast<Editor>>(scope: &TenantScope<R>) -> Result<i64> {
    let next = Expr::col(tenant_counter::Column::LastRun).add(1);
    let counters = scope
        .update::<tenant_counter::Entity>()
        .set(tenant_counter::Column::LastRun, next)
        .all()
        .await?;
    let counter = counters.first().ok_or(Error::NotFound("tenant"))?;
    Ok(counter.last_run)
}

/// Makes the producer that `settings` name, or changes it to them: then slots are expected from `now` on, where other ones
/// are due than before. Tells whether that changed anything; if not, the scope has nothing to commit.
///
/// # Errors
/// [`Error::Forbidden`] beyond the reach of an ingest token, [`Error::QuotaExceeded`] when there are [`MOST_PRODUCERS`]
/// others.
pub async fn set<R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
    settings: &Settings,
    now: i64,
) -> Result<(Model, bool)> {
    let name = settings.name.as_str();
    reach::check(scope, name)?;
    if let Some(before) = by_name(scope, name).await?
        && changes(&before, settings).is_empty()
    {
        return Ok((before, false));
    }
    next_change(scope).await?;
    // Again, for somebody else may have changed it up to now.
    let Some(before) = by_name(scope, name).await? else {
        return Ok((make(scope, settings, now).await?, true));
    };
    let changes = changes(&before, settings);
    if changes.is_empty() {
        return Ok((before, false));
    }
    let is_due_as_before = before.schedule == settings.schedule.expression()
        && before.time_zone == settings.schedule.zone();
    let changed = scope
        .update::<Entity>()
        .filter(Column::Id.eq(before.id))
        .set(Column::Schedule, settings.schedule.expression())
        .set(Column::TimeZone, settings.schedule.zone())
        .set(Column::Grace, settings.grace.unwrap_or(before.grace))
        .set(
            Column::Since,
            if is_due_as_before { before.since } else { now },
        )
        .all()
        .await?;
    let changed = changed
        .into_iter()
        .next()
        .ok_or(Error::NotFound("producer"))?;
    scope
        .audit(
            Action::ProducerSet,
            &subject(&changed),
            &changes.join("\n"),
            now,
        )
        .await?;
    Ok((changed, true))
}

/// What of a producer is not as it shall be, a line each.
fn changes(before: &Model, settings: &Settings) -> Vec<String> {
    let due = |schedule: &str, zone: &str| format!("{schedule} ({zone})");
    let grace = settings.grace.unwrap_or(before.grace);
    [
        (
            "schedule",
            due(settings.schedule.expression(), settings.schedule.zone()),
            due(&before.schedule, &before.time_zone),
        ),
        ("grace", words(grace), words(before.grace)),
    ]
    .into_iter()
    .filter(|(_, is, was)| is != was)
    .map(|(what, is, was)| format!("{what}: {is}, was {was}"))
    .collect()
}

async fn make<R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
    settings: &Settings,
    now: i64,
) -> Result<Model> {
    if scope.find::<Entity>().all().await?.len() >= MOST_PRODUCERS {
        return Err(Error::QuotaExceeded(format!(
            "the tenant has {MOST_PRODUCERS} producers, as many as it may: delete one that is not needed any more"
        )));
    }
    let next = Expr::col(tenant_counter::Column::LastProducer).add(1);
    let counters = scope
        .update::<tenant_counter::Entity>()
        .set(tenant_counter::Column::LastProducer, next)
        .all()
        .await?;
    let counter = counters.first().ok_or(Error::NotFound("tenant"))?;
    let made = Model {
        tenant_id: scope.tenant().id,
        id: counter.last_producer,
        name: settings.name.as_str().to_owned(),
        schedule: settings.schedule.expression().to_owned(),
        time_zone: settings.schedule.zone().to_owned(),
        grace: settings.grace.unwrap_or(USUAL_GRACE),
        since: now,
        last_run: None,
        changes: 0,
        created_at: now,
    };
    scope
        .insert(made.clone().into_active_model().reset_all())
        .await?;
    let detail = format!(
        "schedule: {} ({})\ngrace: {}",
        made.schedule,
        made.time_zone,
        words(made.grace)
    );
    scope
        .audit(Action::ProducerSet, &subject(&made), &detail, now)
        .await?;
    Ok(made)
}

fn subject(producer: &Model) -> String {
    format!("producer {} ({})", producer.id, producer.name)
}

/// Deletes the producer numbered `id`, with its runs, and gives it as it was.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn delete<R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
    id: i32,
    now: i64,
) -> Result<Model> {
    next_change(scope).await?;
    let producer = find(scope, id).await?.ok_or(Error::NotFound("producer"))?;
    let of = run::Column::ProducerId.eq(id);
    let runs = scope.delete::<run::Entity>().filter(of).all().await?;
    scope
        .delete::<Entity>()
        .filter(Column::Id.eq(id))
        .all()
        .await?;
    let detail = format!("with {runs} runs");
    scope
        .audit(Action::ProducerDeleted, &subject(&producer), &detail, now)
        .await?;
    Ok(producer)
}

/// Begins the run of a producer at `slot`; one that was there begins anew.
///
/// # Errors
/// [`Error::Forbidden`] beyond the reach of an ingest token, [`Error::NotFound`] when there is no such producer.
pub async fn start<R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
    name: &ProducerName,
    slot: i64,
    now: i64,
) -> Result<(Model, run::Model)> {
    let (seq, producer, before) = change(scope, name, slot).await?;
    let run = run::Model {
        tenant_id: scope.tenant().id,
        producer_id: producer.id,
        slot,
        seq,
        started_at: now,
        finished_at: None,
        points: None,
        error: None,
    };
    write(scope, &run, before.is_some()).await?;
    Ok((producer, run))
}

/// Ends the run of a producer at `slot`; one that has not begun before has by this, at `started_at` or else at `now`.
/// Tells whether that changed anything; if not, the scope is to be left without a commit.
///
/// # Errors
/// As [`start`].
pub async fn finish<R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
    name: &ProducerName,
    slot: i64,
    started_at: Option<i64>,
    outcome: Outcome,
    now: i64,
) -> Result<(Model, run::Model, bool)> {
    let (seq, producer, before) = change(scope, name, slot).await?;
    let (points, error) = match outcome {
        Outcome::Points(points) => (Some(points), None),
        Outcome::Error(error) => (None, Some(error)),
    };
    if let Some(before) = &before
        && before.finished_at.is_some()
        && (before.points, &before.error) == (points, &error)
    {
        return Ok((producer, before.clone(), false));
    }
    let begun = before.as_ref().map(|before| before.started_at);
    let run = run::Model {
        tenant_id: scope.tenant().id,
        producer_id: producer.id,
        slot,
        seq,
        started_at: begun.or(started_at).unwrap_or(now),
        finished_at: Some(now),
        points,
        error,
    };
    write(scope, &run, before.is_some()).await?;
    Ok((producer, run, true))
}

/// The number of a change, the producer, and its run at `slot` so far.
async fn change<R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
    name: &ProducerName,
    slot: i64,
) -> Result<(i64, Model, Option<run::Model>)> {
    let name = name.as_str();
    reach::check(scope, name)?;
    let seq = next_change(scope).await?;
    let producer = by_name(scope, name).await?;
    let producer = producer.ok_or(Error::NotFound("producer"))?;
    let before = run_at(scope, producer.id, slot).await?;
    Ok((seq, producer, before))
}

async fn write<R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
    run: &run::Model,
    was_there: bool,
) -> Result<()> {
    if was_there {
        let rows = scope.update::<run::Entity>();
        rows.filter(run::Column::ProducerId.eq(run.producer_id))
            .filter(run::Column::Slot.eq(run.slot))
            .set(run::Column::Seq, run.seq)
            .set(run::Column::StartedAt, run.started_at)
            .set(run::Column::FinishedAt, run.finished_at)
            .set(run::Column::Points, run.points)
            .set(run::Column::Error, run.error.clone())
            .all()
            .await?;
    } else {
        scope
            .insert(run.clone().into_active_model().reset_all())
            .await?;
    }
    let producers = scope
        .update::<Entity>()
        .filter(Column::Id.eq(run.producer_id))
        .set(Column::LastRun, run.seq)
        .set(Column::Changes, Expr::col(Column::Changes).add(1))
        .all()
        .await?;
    match producers.first() {
        Some(producer) if producer.changes % OFTEN == 0 => forget(scope, producer).await,
        _ => Ok(()),
    }
}

/// Deletes all runs of a producer but the latest [`KEPT`].
async fn forget<R: AtLeast<Editor>>(scope: &TenantScope<R>, producer: &Model) -> Result<()> {
    let all = i64::MIN..i64::MAX;
    let kept = runs(scope, producer, &all, KEPT as usize).await?;
    let Some(oldest) = kept.last().filter(|_| kept.len() as u64 == KEPT) else {
        return Ok(());
    };
    let gone = scope
        .delete::<run::Entity>()
        .filter(run::Column::ProducerId.eq(producer.id))
        .filter(run::Column::Slot.lt(oldest.slot))
        .all()
        .await?;
    // What was forgotten was not missed.
    if gone > 0 && oldest.slot > producer.since {
        scope
            .update::<Entity>()
            .filter(Column::Id.eq(producer.id))
            .set(Column::Since, oldest.slot)
            .all()
            .await?;
    }
    Ok(())
}
