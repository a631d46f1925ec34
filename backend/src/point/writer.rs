//! Writes that arrive together share a commit.
//!
//! While one transaction of a tenant waits for the disk, calls that come in gather, and the next one writes them all. A
//! call that comes alone is written at once, so that nobody waits for company.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::{
    error::{Error, Result},
    guard::{AtLeast, Editor, Pool, TenantScope, system::Keeper},
    live::Live,
    point::{
        compactor::Compactor,
        store::ingest::{Job, Known, Receipt, ingest},
        write::{IdempotencyKey, Write},
    },
    request::now,
};

/// Most calls in one transaction.
const CALLS: usize = 64;
/// Points in one transaction, unless a single call holds more.
const POINTS: usize = 1_000_000;

/// Writes points, and tells who is to know. Cheap to clone.
#[derive(Clone)]
pub struct Writer(Arc<Inner>);

struct Inner {
    pool: Pool,
    live: Live,
    compactor: Compactor,
    known: Known,
    /// Calls that wait, by tenant. A tenant is there while a task of its own writes.
    queues: Mutex<HashMap<i32, VecDeque<Call>>>,
}

struct Call {
    job: Job,
    answer: oneshot::Sender<Result<Receipt>>,
}

impl Writer {
    /// Writes to the tenants of `pool`.
    pub fn new(pool: Pool, live: Live, compactor: Compactor) -> Self {
        Writer(Arc::new(Inner {
            pool,
            live,
            compactor,
            known: Known::default(),
            queues: Mutex::default(),
        }))
    }

    /// Writes one call's points to the tenant that `scope` has just entered, and makes them last. All of it or nothing,
    /// also when whoever asked goes away.
    ///
    /// # Errors
    /// [`Error::Conflict`] when `key` has been used in the last 24 h for something else, [`Error::Forbidden`] when the
    /// ingest token is limited to other series.
    pub async fn write<R: AtLeast<Editor>>(
        &self,
        scope: TenantScope<R>,
        write: Write,
        key: Option<IdempotencyKey>,
    ) -> Result<Receipt> {
        let job = Job::prepare(&scope, write, key, &self.0.known).await?;
        let keeper = Keeper::of(&self.0.pool, &scope);
        let tenant_id = scope.tenant().id;
        // Gives its connection back.
        drop(scope);
        let (answer, answered) = oneshot::channel();
        let call = Call { job, answer };
        let alone = {
            let mut queues = self.queues();
            let alone = !queues.contains_key(&tenant_id);
            queues.entry(tenant_id).or_default().push_back(call);
            alone
        };
        if alone {
            tokio::spawn(self.clone().drain(tenant_id, keeper));
        }
        answered
            .await
            .unwrap_or_else(|_| Err(Error::Internal("a write was not answered".into())))
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<i32, VecDeque<Call>>> {
        self.0.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what waits for a tenant until nothing does.
    async fn drain(self, tenant_id: i32, keeper: Keeper) {
        let mut ended = Ended(&self, Some(tenant_id));
        while let Some(calls) = self.next(tenant_id) {
            let (jobs, answers): (Vec<Job>, Vec<_>) = calls
                .into_iter()
                .map(|call| (call.job, call.answer))
                .unzip();
            let points = jobs.iter().map(Job::points).sum();
            let written = ingest(keeper.enter(), jobs, &self.0.known, now()).await;
            self.0.live.announce(tenant_id);
            let kept = || keeper.clone();
            self.0.compactor.wait(tenant_id, kept, points);
            match written {
                Ok(receipts) => {
                    for (answer, receipt) in answers.into_iter().zip(receipts) {
                        // Who has gone away has no use for it.
                        let _ = answer.send(receipt);
                    }
                }
                Err(error) => {
                    for answer in answers {
                        let _ = answer.send(Err(error.clone()));
                    }
                }
            }
        }
        // Forgotten already, and perhaps begun anew.
        ended.1 = None;
    }

    /// The calls of a tenant's next transaction; when there are none, the tenant is forgotten.
    fn next(&self, tenant_id: i32) -> Option<Vec<Call>> {
        let mut queues = self.queues();
        let queue = queues.get_mut(&tenant_id)?;
        let (mut points, mut ready) = (0, true);
        let fit = queue.iter().take(CALLS).take_while(|call| {
            let first = points == 0;
            points += call.job.points();
            // One that may make series goes alone: if it is refused, so are they.
            ready &= call.job.is_ready();
            first || (ready && points <= POINTS)
        });
        let fit = fit.count();
        if fit == 0 {
            queues.remove(&tenant_id);
            return None;
        }
        Some(queue.drain(..fit).collect())
    }
}

/// Forgets a tenant whose task panicked: those who wait are told, and the next call begins anew.
struct Ended<'a>(&'a Writer, Option<i32>);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        if let Some(tenant_id) = self.1 {
            self.0.queues().remove(&tenant_id);
        }
    }
}
