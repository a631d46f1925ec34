//! Who is told of new points: a wake-up to this process' subscribers of the tenant, never the data.
//!
//! A subscriber reads what is new by itself, behind its own place in the tenant's order of commits, so that a wake-up
//! that is lost or comes twice costs nothing but time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// Wakes subscribers by tenant. Cheap to clone.
#[derive(Clone, Default)]
pub struct Live(Arc<Mutex<HashMap<String, watch::Sender<()>>>>);

/// One watcher of one tenant. The last one takes what is kept for the tenant along.
pub struct Watch {
    live: Live,
    slug: String,
    changes: watch::Receiver<()>,
}

impl Live {
    /// Wakes whoever watches the tenant named `slug`.
    pub fn announce(&self, slug: &str) {
        if let Some(sender) = self.tenants().get(slug) {
            sender.send_replace(());
        }
    }

    /// Tells of points of the tenant named `slug` that are written from now on. The tenant exists and is open to whoever
    /// watches: what is kept for made-up names would fill the memory.
    pub fn watch(&self, slug: &str) -> Watch {
        let mut tenants = self.tenants();
        let sender = tenants
            .entry(slug.to_owned())
            .or_insert_with(|| watch::Sender::new(()));
        Watch {
            live: self.clone(),
            slug: slug.to_owned(),
            changes: sender.subscribe(),
        }
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Ends once there may be something new since it ended last, or since the watch began.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            // The sender is kept for as long as anybody watches.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut tenants = self.live.tenants();
        let last = |sender: &watch::Sender<()>| sender.receiver_count() <= 1;
        if tenants.get(&self.slug).is_some_and(last) {
            tenants.remove(&self.slug);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn watchers_are_woken_and_leave_nothing_behind() {
        let live = Live::default();
        live.announce("a");
        assert!(live.tenants().is_empty());
        let (mut one, mut other) = (live.watch("a"), live.watch("a"));
        assert!(one.changed().now_or_never().is_none());
        live.announce("b");
        assert!(one.changed().now_or_never().is_none());
        live.announce("a");
        assert!(one.changed().now_or_never().is_some());
        assert!(other.changed().now_or_never().is_some());
        drop(one);
        live.announce("a");
        assert!(other.changed().now_or_never().is_some());
        drop(other);
        assert!(live.tenants().is_empty());
    }
}
