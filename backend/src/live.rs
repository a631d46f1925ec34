//! Who is told of new points: a wake-up to the subscribers of the tenant, never the data; in this process, and by the
//! database in the other servers.
//!
//! A subscriber reads what is new by itself, behind its own place in the tenant's order of commits, so that a wake-up
//! that is lost or comes twice costs nothing but time. Where none can be heard (SQLite, a pooler that hands out
//! connections by the transaction), subscribers look more often.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Notify, watch};

use crate::{
    error::Result,
    guard::{Pool, Wake},
};

/// Wake-ups for other servers leave at most this often.
const PAUSE: Duration = Duration::from_millis(50);
/// A server says this often that it is there, and hears that of itself, or else hears nothing.
const BEAT: Duration = Duration::from_secs(5);
/// A server that has not heard itself for so long is deaf.
const DEAF: Duration = Duration::from_secs(12);
/// How long it waits before it listens again.
const AGAIN: Duration = Duration::from_secs(1);
/// A subscriber looks this often whether or not it is woken: where wake-ups are heard, and where they are not.
const SELDOM: Duration = Duration::from_secs(30);
const OFTEN: Duration = Duration::from_secs(2);

/// Wakes subscribers by tenant. Cheap to clone.
#[derive(Clone, Default)]
pub struct Live(Arc<Inner>);

#[derive(Default)]
struct Inner {
    tenants: Mutex<HashMap<i32, watch::Sender<()>>>,
    /// What other servers are to be told.
    untold: Mutex<HashSet<i32>>,
    told: Notify,
    /// When this server has heard itself.
    heard: Mutex<Option<Instant>>,
}

/// One watcher of one tenant. The last one takes what is kept for the tenant along.
pub struct Watch {
    live: Live,
    tenant_id: i32,
    changes: watch::Receiver<()>,
}

impl Live {
    /// Wakes whoever watches the tenant, wherever.
    pub fn announce(&self, tenant_id: i32) {
        self.wake(tenant_id);
        locked(&self.0.untold).insert(tenant_id);
        self.0.told.notify_one();
    }

    /// Tells of points of the tenant that are written from now on. The tenant exists and is open to whoever watches:
    /// what is kept for made-up ones would fill the memory.
    pub fn watch(&self, tenant_id: i32) -> Watch {
        let mut tenants = self.tenants();
        let sender = tenants
            .entry(tenant_id)
            .or_insert_with(|| watch::Sender::new(()));
        Watch {
            live: self.clone(),
            tenant_id,
            changes: sender.subscribe(),
        }
    }

    /// Tells the other servers of the database, and hears them, for as long as it runs.
    pub async fn exchange(self, pool: Pool) {
        let server = rand::random();
        tokio::join!(self.tell(&pool, server), self.hear(&pool, server));
    }

    async fn tell(&self, pool: &Pool, server: u32) {
        loop {
            let more = tokio::time::timeout(BEAT, self.0.told.notified()).await;
            let mut tenants = std::mem::take(&mut *locked(&self.0.untold));
            if more.is_err() || !self.is_heard() {
                tenants.insert(0);
            }
            let wakes = tenants
                .into_iter()
                .map(|tenant_id| Wake { server, tenant_id });
            let wakes: Vec<Wake> = wakes.collect();
            if let Err(error) = pool.wake(&wakes).await {
                tracing::warn!(%error, "other servers were not told of new points; they look for them every 2 s");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn hear(&self, pool: &Pool, server: u32) {
        loop {
            if let Err(error) = self.hear_on(pool, server).await {
                tracing::warn!(%error, "wake-ups of other servers are not heard");
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn hear_on(&self, pool: &Pool, server: u32) -> Result<()> {
        let Some(mut wakes) = pool.wakes().await? else {
            // One server, and nobody to hear.
            return std::future::pending().await;
        };
        loop {
            match wakes.next().await? {
                Some(wake) if wake.server == server => {
                    *locked(&self.0.heard) = Some(Instant::now());
                }
                Some(wake) => self.wake(wake.tenant_id),
                // Some may be lost.
                None => self
                    .tenants()
                    .values()
                    .for_each(|sender| sender.send_replace(())),
            }
        }
    }

    fn is_heard(&self) -> bool {
        let heard = *locked(&self.0.heard);
        heard.is_some_and(|heard| heard.elapsed() < DEAF)
    }

    fn wake(&self, tenant_id: i32) {
        if let Some(sender) = self.tenants().get(&tenant_id) {
            sender.send_replace(());
        }
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<i32, watch::Sender<()>>> {
        locked(&self.0.tenants)
    }
}

fn locked<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// Ends once there may be something new since it ended last, or since the watch began; now and then without that.
    pub async fn changed(&mut self) {
        let patience = if self.live.is_heard() { SELDOM } else { OFTEN };
        // The sender is kept for as long as anybody watches.
        drop(tokio::time::timeout(patience, self.changes.changed()).await);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut tenants = self.live.tenants();
        let last = |sender: &watch::Sender<()>| sender.receiver_count() <= 1;
        if tenants.get(&self.tenant_id).is_some_and(last) {
            tenants.remove(&self.tenant_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn watchers_are_woken_and_leave_nothing_behind() {
        let live = Live::default();
        live.announce(1);
        assert!(live.tenants().is_empty());
        let (mut one, mut other) = (live.watch(1), live.watch(1));
        assert!(one.changed().now_or_never().is_none());
        live.announce(2);
        assert!(one.changed().now_or_never().is_none());
        live.announce(1);
        assert!(one.changed().now_or_never().is_some());
        assert!(other.changed().now_or_never().is_some());
        drop(one);
        live.announce(1);
        assert!(other.changed().now_or_never().is_some());
        drop(other);
        assert!(live.tenants().is_empty());
    }
}
