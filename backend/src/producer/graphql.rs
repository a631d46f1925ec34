//! Producers in the API.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{ComplexObject, Context, ID, Object, OneofObject, SimpleObject};
use dataloader::{BatchFn, cached::Loader};

use crate::{
    access::graphql::requires,
    chunk::Every,
    error::{Error, Result},
    guard::{Admin, Editor, Pool, TenantScope, Viewer},
    live::Live,
    point::store::working,
    producer::{
        entity::{Model, run},
        run::{Run, RunConnection, page as page_of_runs},
        settings::{self, Outcome, ProducerName, Settings},
        store,
    },
    request::{ContextExt, now},
    scalar::{DateTime, Duration, TimeRange, Timestamp, cursor, first, seal, unseal},
    tenant::graphql::{PageInfo, Role},
};

/// The most producers in one page.
const MOST: usize = 500;

/// A named sender with a schedule.
pub struct Producer {
    tenant: String,
    model: Model,
    /// None where it was just changed: what else is asked then looks by itself, and lets go again, since the next mutation
    /// of the request waits for a connection to write.
    within: Option<(Arc<TenantScope<Viewer>>, LastRuns)>,
}

impl Producer {
    /// A producer in the tenant of `scope`.
    pub fn new(model: Model, scope: &Arc<TenantScope<Viewer>>, last: &LastRuns) -> Self {
        Producer {
            tenant: scope.tenant().slug.clone(),
            model,
            within: Some((scope.clone(), last.clone())),
        }
    }

    fn apart<R: crate::guard::Role>(scope: &TenantScope<R>, model: Model) -> Self {
        Producer {
            tenant: scope.tenant().slug.clone(),
            model,
            within: None,
        }
    }
}

/// A named sender with a schedule: at each of its slots a run is expected.
#[Object]
impl Producer {
    /// Opaque, and the same for as long as the producer exists.
    pub async fn id(&self) -> ID {
        let number = self.model.id.to_string();
        ID(seal(["producer", &self.tenant, &number]))
    }

    /// What it is called, once in the tenant: `clock`.
    async fn name(&self) -> &str {
        &self.model.name
    }

    /// When its runs are due, as a cron expression.
    async fn schedule(&self) -> &str {
        &self.model.schedule
    }

    /// Whose clocks the schedule means: `Europe/Vienna`.
    async fn time_zone(&self) -> &str {
        &self.model.time_zone
    }

    /// How long after its slot a run that has not begun is LATE; after twice that it is MISSED.
    async fn grace(&self) -> Result<Duration> {
        let grace = Every::fixed(self.model.grace);
        let grace = grace.ok_or_else(|| Error::Internal("a stored grace is none".into()))?;
        Ok(Duration(grace))
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.model.created_at)
    }

    /// The next slot; null when no more comes.
    #[graphql(complexity = 5)]
    async fn next_slot(&self) -> Result<Option<DateTime>> {
        Ok(self.model.due()?.next(now()).map(DateTime))
    }

    /// The run that has begun or ended last, whatever its slot; null while none has.
    #[graphql(complexity = "2 + child_complexity")]
    async fn last_run(&self, ctx: &Context<'_>) -> Result<Option<Run>> {
        let Some(seq) = self.model.last_run else {
            return Ok(None);
        };
        let run = match &self.within {
            Some((_, last)) => last.of(seq).await?,
            None => store::by_seq(&look(ctx, &self.tenant).await?, &[seq])
                .await?
                .remove(&seq),
        };
        Ok(run.map(|run| Run::begun(&self.tenant, &self.model, run)))
    }

    /// Its runs by slot, the newest first: the last 1,000 that have begun, and the slots since then that are LATE or MISSED.
    #[graphql(complexity = "10 + first.clamp(1, 500) as usize * child_complexity.max(1)")]
    async fn runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which slots.")] range: TimeRange,
        #[graphql(desc = "How many, at most 500.", default = 50)] first: i32,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<RunConnection> {
        if let Some((scope, _)) = &self.within {
            return page_of_runs(scope, Some(&self.model), range, first, after, now()).await;
        }
        let scope = look(ctx, &self.tenant).await?;
        // It may just have been deleted.
        let model = store::find(&scope, self.model.id).await?;
        page_of_runs(&scope, model.as_ref(), range, first, after, now()).await
    }
}

/// The tenant named `slug`, in a view of its own.
async fn look(ctx: &Context<'_>, slug: &str) -> Result<TenantScope<Viewer>> {
    let pool = ctx.data::<Pool>();
    let pool = pool.map_err(|error| Error::internal("the pool", error.message))?;
    pool.look(ctx.asker()?.principal()?, slug).await
}

/// Gathers which latest runs the producers of one list ask for, and reads them in one statement.
#[derive(Clone)]
pub struct LastRuns(Loader<i64, Answer, Pass>);

type Answer = Result<Option<run::Model>, Arc<Error>>;

struct Pass(Arc<TenantScope<Viewer>>);

impl BatchFn<i64, Answer> for Pass {
    async fn load(&mut self, seqs: &[i64]) -> HashMap<i64, Answer> {
        let answers: Vec<(i64, Answer)> = match store::by_seq(&self.0, seqs).await {
            Ok(mut runs) => {
                let of = |seq: &i64| (*seq, Ok(runs.remove(seq)));
                seqs.iter().map(of).collect()
            }
            Err(error) => {
                let error = Arc::new(error);
                seqs.iter().map(|seq| (*seq, Err(error.clone()))).collect()
            }
        };
        answers.into_iter().collect()
    }
}

impl LastRuns {
    /// A loader for the tenant of `scope`.
    pub fn new(scope: Arc<TenantScope<Viewer>>) -> Self {
        LastRuns(Loader::new(Pass(scope)).with_max_batch_size(MOST))
    }

    async fn of(&self, seq: i64) -> Result<Option<run::Model>> {
        let answer = self.0.try_load(seq).await;
        answer
            .map_err(|error| Error::internal("reading the latest runs", error))?
            .map_err(|error| Error::internal("reading the latest runs", error))
    }
}

/// A page of producers.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct ProducerConnection {
    /// Where the page stands.
    page_info: PageInfo,
    /// The producers with their cursors.
    edges: Vec<ProducerEdge>,
}

#[ComplexObject]
impl ProducerConnection {
    /// The producers alone.
    async fn nodes(&self) -> Vec<&Producer> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }
}

/// A producer in a list.
#[derive(SimpleObject)]
pub struct ProducerEdge {
    /// The producer.
    node: Producer,
    /// Its place in the list.
    cursor: String,
}

/// A page of the tenant's producers, by name.
///
/// # Errors
/// [`Error::BadInput`] for a number or a cursor that can't be taken.
pub async fn page(
    scope: &Arc<TenantScope<Viewer>>,
    asked: i32,
    after: Option<String>,
) -> Result<ProducerConnection> {
    let most = first(asked, MOST)?;
    let after: Option<String> = after.map(|text| cursor("producer", &text)).transpose()?;
    let mut rows = store::all(scope).await?;
    if let Some(after) = &after {
        rows.retain(|row| row.name > *after);
    }
    let more = rows.len() > most;
    rows.truncate(most);
    let last = LastRuns::new(scope.clone());
    let edges = rows.into_iter().map(|row| ProducerEdge {
        cursor: seal(["producer", &row.name]),
        node: Producer::new(row, scope, &last),
    });
    let edges: Vec<ProducerEdge> = edges.collect();
    let cursors = edges.iter().map(|edge| &edge.cursor);
    let page_info = PageInfo::of(cursors, after.is_some(), more);
    Ok(ProducerConnection { page_info, edges })
}

/// How a run has ended.
#[derive(OneofObject)]
pub enum RunOutcome {
    /// It has succeeded, and written so many points.
    Points(i32),
    /// It has failed: why, in at most 1,000 characters. Characters that do not show are left out.
    Error(String),
}

impl TryFrom<RunOutcome> for Outcome {
    type Error = Error;

    fn try_from(given: RunOutcome) -> Result<Self> {
        match given {
            RunOutcome::Points(points) => Outcome::points(points),
            RunOutcome::Error(words) => Outcome::error(&words),
        }
    }
}

/// Wakes who follows the runs of a tenant.
fn announce(ctx: &Context<'_>, tenant_id: i32) -> Result<()> {
    let live = ctx.data::<Live>();
    let live = live.map_err(|error| Error::internal("who is told", error.message))?;
    live.announce(tenant_id);
    Ok(())
}

/// What can be done with producers and their runs.
#[derive(Default)]
pub struct ProducerMutation;

#[Object]
impl ProducerMutation {
    // Each is a transaction that waits for the disk: some twenty in one request.
    /// Makes a producer, or changes the one of this name; the same again changes nothing. Runs are expected
    /// from when it is made, and anew from when its schedule or zone changes. A tenant has at most 500.
    #[graphql(complexity = "1_000 + child_complexity", directive = requires::apply(Role::Editor))]
    async fn set_producer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's slug.")] tenant: String,
        #[graphql(
            desc = "What it is called, in 1 to 100 characters: `clock`. A token that is limited to some series reaches the producers that its patterns name by the label `producer`."
        )]
        name: String,
        #[graphql(
            desc = "When its runs are due: a cron expression of five fields (minute hour day month weekday), of six with seconds first, or of seven with the year last."
        )]
        schedule: String,
        #[graphql(
            desc = "Whose clocks the schedule means: `Europe/Vienna`.",
            default = "UTC"
        )]
        time_zone: String,
        #[graphql(
            desc = "How long after its slot a run that has not begun is LATE, 1s to 7d; after twice that it is MISSED. A day has 24 hours here. Left out: as it was, and 1m of a new producer."
        )]
        grace: Option<Duration>,
    ) -> Result<Producer> {
        ctx.asker()?.principal()?;
        // Before the tenant is entered: what never comes due takes a while to find out, and others wait to write.
        let grace = grace.map(|grace| grace.0);
        let settings = working(move || Settings::new(name, &schedule, &time_zone, grace, now()));
        let settings = settings.await?;
        let scope = ctx.writing::<Editor>(&tenant).await?;
        let (model, changed) = store::set(&scope, &settings, now()).await?;
        let producer = Producer::apart(&scope, model);
        if changed {
            let tenant_id = scope.tenant().id;
            scope.commit().await?;
            announce(ctx, tenant_id)?;
        }
        Ok(producer)
    }

    /// Deletes a producer, with its runs, and gives it as it was. Its points stay.
    #[graphql(complexity = "1_000 + child_complexity", directive = requires::apply(Role::Admin))]
    async fn delete_producer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's slug.")] tenant: String,
        #[graphql(desc = "The producer's.")] id: ID,
    ) -> Result<Producer> {
        let scope = ctx.writing::<Admin>(&tenant).await?;
        let number = unseal("producer", &id)
            .filter(|[_, tenant, _]| *tenant == scope.tenant().slug)
            .and_then(|[_, _, number]| number.parse().ok())
            .ok_or(Error::NotFound("producer"))?;
        let model = store::delete(&scope, number, now()).await?;
        let producer = Producer::apart(&scope, model);
        let tenant_id = scope.tenant().id;
        scope.commit().await?;
        announce(ctx, tenant_id)?;
        Ok(producer)
    }

    /// Says that a producer's run has begun. One that was there for the slot begins anew.
    #[graphql(complexity = "1_000 + child_complexity", directive = requires::apply(Role::Editor))]
    async fn start_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's slug.")] tenant: String,
        #[graphql(desc = "The producer's name.")] producer: String,
        #[graphql(
            desc = "What it is due for: a slot of the schedule, or any other time up to 5 minutes from now."
        )]
        slot: Timestamp,
    ) -> Result<Run> {
        let scope = ctx.writing::<Editor>(&tenant).await?;
        let (name, now) = (ProducerName::asked(producer)?, now());
        let slot = settings::slot(slot.0, now)?;
        let (producer, run) = store::start(&scope, &name, slot, now).await?;
        let run = Run::begun(&scope.tenant().slug, &producer, run);
        let tenant_id = scope.tenant().id;
        scope.commit().await?;
        announce(ctx, tenant_id)?;
        Ok(run)
    }

    /// Says that a producer's run has ended, and how. The same again changes nothing.
    #[graphql(complexity = "1_000 + child_complexity", directive = requires::apply(Role::Editor))]
    async fn finish_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's slug.")] tenant: String,
        #[graphql(desc = "The producer's name.")] producer: String,
        #[graphql(desc = "What it was due for, as for `startRun`.")] slot: Timestamp,
        #[graphql(
            desc = "When it began, for a run that did not say so by `startRun`. Left out: now."
        )]
        started_at: Option<Timestamp>,
        #[graphql(desc = "How it has ended.")] outcome: RunOutcome,
    ) -> Result<Run> {
        let scope = ctx.writing::<Editor>(&tenant).await?;
        let (name, now) = (ProducerName::asked(producer)?, now());
        let slot = settings::slot(slot.0, now)?;
        let started = started_at
            .map(|at| settings::started(at.0, now))
            .transpose()?;
        let outcome = outcome.try_into()?;
        let ended = store::finish(&scope, &name, slot, started, outcome, now).await?;
        let (producer, run, changed) = ended;
        let run = Run::begun(&scope.tenant().slug, &producer, run);
        if changed {
            let tenant_id = scope.tenant().id;
            scope.commit().await?;
            announce(ctx, tenant_id)?;
        }
        Ok(run)
    }
}
