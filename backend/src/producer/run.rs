//! Runs in the API.

use async_graphql::{ComplexObject, ID, Object, SimpleObject};

use crate::{
    error::Result,
    guard::{Role, TenantScope},
    producer::{
        State,
        entity::{Model, run},
        state::Merged,
        store,
    },
    scalar::{Count, DateTime, TimeRange, cursor, first, seal},
    tenant::graphql::PageInfo,
};

/// The most runs in one page.
const MOST: usize = 500;

/// What came of one slot of a producer.
pub struct Run {
    tenant: String,
    producer_id: i32,
    producer: String,
    slot: i64,
    state: State,
    begun: Option<run::Model>,
}

impl Run {
    /// A run that has begun.
    pub fn begun(tenant: &str, producer: &Model, run: run::Model) -> Self {
        Run {
            state: State::of(&run),
            begun: Some(run.clone()),
            ..Run::unmet(tenant, producer, run.slot, State::Running)
        }
    }

    /// A run that has not begun.
    pub fn unmet(tenant: &str, producer: &Model, slot: i64, state: State) -> Self {
        Run {
            tenant: tenant.to_owned(),
            producer_id: producer.id,
            producer: producer.name.clone(),
            slot,
            state,
            begun: None,
        }
    }
}

/// What came of one slot of a producer: of a time at which its schedule was due, or for which it has run all the same.
#[Object]
impl Run {
    /// Opaque, and the same whatever comes of the slot.
    pub async fn id(&self) -> ID {
        ID(seal([
            "run",
            &self.tenant,
            &self.producer_id.to_string(),
            &self.slot.to_string(),
        ]))
    }

    /// The producer's name.
    async fn producer(&self) -> &str {
        &self.producer
    }

    /// What it was due for. The time of the points that it writes, if their producer goes by that.
    async fn slot(&self) -> DateTime {
        DateTime(self.slot)
    }

    /// How it stands with it.
    async fn state(&self) -> State {
        self.state
    }

    /// When it began, for the last time if it was repeated; null for one that has not.
    async fn started_at(&self) -> Option<DateTime> {
        self.begun.as_ref().map(|run| DateTime(run.started_at))
    }

    /// When it ended; null for one that has not.
    async fn finished_at(&self) -> Option<DateTime> {
        self.begun.as_ref()?.finished_at.map(DateTime)
    }

    /// How many points it wrote, as it said itself; null unless it has succeeded.
    async fn points(&self) -> Option<Count> {
        self.begun.as_ref()?.points.map(Count)
    }

    /// Why it failed, in its own words; null unless it has.
    async fn error(&self) -> Option<&str> {
        self.begun.as_ref()?.error.as_deref()
    }
}

/// A page of runs.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct RunConnection {
    /// Where the page stands.
    page_info: PageInfo,
    /// The runs with their cursors.
    edges: Vec<RunEdge>,
}

#[ComplexObject]
impl RunConnection {
    /// The runs alone.
    async fn nodes(&self) -> Vec<&Run> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }
}

/// A run in a list.
#[derive(SimpleObject)]
pub struct RunEdge {
    /// The run.
    node: Run,
    /// Its place in the list.
    cursor: String,
}

/// A page of a producer's runs, the newest slot first; those that are late or missed at `now` are among them. None of a
/// producer that is gone.
///
/// # Errors
/// [`crate::Error::BadInput`] for a range, a number or a cursor that can't be taken.
pub async fn page<R: Role>(
    scope: &TenantScope<R>,
    producer: Option<&Model>,
    range: TimeRange,
    asked: i32,
    after: Option<String>,
    now: i64,
) -> Result<RunConnection> {
    let most = first(asked, MOST)?;
    let mut slots = range.micros()?;
    let after: Option<i64> = after.map(|text| cursor("run", &text)).transpose()?;
    if let Some(after) = after {
        slots.end = slots.end.min(after).max(slots.start);
    }
    let tenant = &scope.tenant().slug;
    let mut runs = Vec::new();
    if let Some(producer) = producer {
        let schedule = producer.due()?;
        let begun = store::runs(scope, producer, &slots, most + 1).await?;
        let expected = producer.expected(&schedule, &slots, now);
        let merged = Merged::new(begun, expected).take(most + 1);
        runs.extend(merged.filter_map(|(slot, run)| {
            match run {
                Some(run) => Some(Run::begun(tenant, producer, run)),
                None => State::unmet(slot, producer.grace, now)
                    .map(|state| Run::unmet(tenant, producer, slot, state)),
            }
        }));
    }
    let more = runs.len() > most;
    runs.truncate(most);
    let edges = runs.into_iter().map(|node| RunEdge {
        cursor: seal(["run", &node.slot.to_string()]),
        node,
    });
    let edges: Vec<RunEdge> = edges.collect();
    let cursors = edges.iter().map(|edge| &edge.cursor);
    let page_info = PageInfo::of(cursors, after.is_some(), more);
    Ok(RunConnection { page_info, edges })
}

/// The run of a producer at `slot`: one that has begun, or that is late or missed at `now`.
///
/// # Errors
/// [`crate::Error::Internal`] with the database's words.
pub async fn find<R: Role>(
    scope: &TenantScope<R>,
    producer_id: i32,
    slot: i64,
    now: i64,
) -> Result<Option<Run>> {
    let Some(producer) = store::find(scope, producer_id).await? else {
        return Ok(None);
    };
    let tenant = &scope.tenant().slug;
    if let Some(run) = store::run_at(scope, producer_id, slot).await? {
        return Ok(Some(Run::begun(tenant, &producer, run)));
    }
    let schedule = producer.due()?;
    let state = producer.expects(&schedule, slot, now);
    Ok(state.map(|state| Run::unmet(tenant, &producer, slot, state)))
}
