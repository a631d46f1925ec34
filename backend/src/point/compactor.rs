//! Compaction beside the requests: of the tenants that are written to or read, when enough waits or has waited long enough.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::{
    error::Result,
    guard::{Pool, Role, TenantScope, system::Keeper},
    point::store::compact,
    request::now,
};

/// Points are compacted when they have waited for so long, which bounds how many batches a read opens.
const WAIT: Duration = Duration::from_secs(30);
/// Or when there are so many of a tenant.
const ENOUGH: usize = 250_000;
/// With so many, compaction goes on without a pause.
const TOO_MANY: usize = 4_000_000;
/// The pause is at most this long.
const PAUSE: Duration = Duration::from_secs(2);

/// Knows which tenants have points to be compacted. Cheap to clone.
#[derive(Clone)]
pub struct Compactor(Arc<Inner>);

struct Inner {
    pool: Pool,
    waiting: Mutex<HashMap<i32, Waiting>>,
    enough: Notify,
}

/// A tenant with points to be compacted.
struct Waiting {
    keeper: Keeper,
    since: Instant,
    points: usize,
}

impl Compactor {
    /// For the tenants of `pool`.
    pub fn new(pool: Pool) -> Self {
        Compactor(Arc::new(Inner {
            pool,
            waiting: Mutex::default(),
            enough: Notify::new(),
        }))
    }

    /// Notes that the scope's tenant has points that are read and not compacted yet.
    pub fn note<R: Role>(&self, scope: &TenantScope<R>) {
        let keeper = || Keeper::of(&self.0.pool, scope);
        self.wait(scope.tenant().id, keeper, 0);
    }

    /// Notes that `points` points of a tenant have been written.
    pub(super) fn wait(&self, tenant_id: i32, keeper: impl FnOnce() -> Keeper, points: usize) {
        let mut waiting = self.waiting();
        let waiting = waiting.entry(tenant_id).or_insert_with(|| Waiting {
            keeper: keeper(),
            since: Instant::now(),
            points: 0,
        });
        waiting.points = waiting.points.saturating_add(points);
        if waiting.points >= ENOUGH {
            self.0.enough.notify_one();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<i32, Waiting>> {
        self.0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Compacts, until it is dropped. What it was about to do then is not done, or done whole.
    pub async fn run(self) {
        loop {
            drop(tokio::time::timeout(Duration::from_secs(1), self.0.enough.notified()).await);
            let lag = self
                .waiting()
                .values()
                .map(|waiting| waiting.since.elapsed())
                .max();
            metrics::gauge!("sundial_compaction_lag_seconds")
                .set(lag.unwrap_or_default().as_secs_f64());
            while let Some((tenant_id, waiting)) = self.due() {
                let keeper = waiting.keeper.clone();
                if let Err(error) = self.compact(waiting).await {
                    tracing::warn!(%error, tenant = keeper.slug(), "points were not compacted; tried again soon");
                    self.wait(tenant_id, || keeper, 0);
                }
            }
        }
    }

    /// The tenant that has waited longest of those that have waited long enough, or that has too much.
    fn due(&self) -> Option<(i32, Waiting)> {
        let mut all = self.waiting();
        let due = |waiting: &Waiting| waiting.since.elapsed() >= WAIT || waiting.points >= ENOUGH;
        let (id, _) = all
            .iter()
            .filter(|(_, waiting)| due(waiting))
            .min_by_key(|(_, waiting)| waiting.since)?;
        let id = *id;
        all.remove_entry(&id)
    }

    async fn compact(&self, waiting: Waiting) -> Result<()> {
        let mut left = waiting.points;
        loop {
            let start = Instant::now();
            let done = compact(waiting.keeper.enter(), now()).await?;
            let took = start.elapsed();
            let points = usize::try_from(done.points).unwrap_or(0);
            metrics::histogram!("sundial_compaction_seconds").record(took);
            metrics::counter!("sundial_compacted_points_total").increment(points as u64);
            left = left.saturating_sub(points);
            if left < TOO_MANY {
                // Half of the time belongs to those who ask.
                tokio::time::sleep(took.min(PAUSE)).await;
            }
            if !done.more {
                return Ok(());
            }
        }
    }
}
