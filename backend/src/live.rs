//! Who is told of new points: a wake-up to this process' subscribers of the tenant, never the data.
//!
//! A subscriber reads what is new by itself, behind its own place in the tenant's order of commits, so that a wake-up
//! that is lost or comes twice costs nothing but time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;

/// Wakes subscribers by tenant. Cheap to clone.
#[derive(Clone, Default)]
pub struct Live(Arc<Mutex<HashMap<String, watch::Sender<()>>>>);

impl Live {
    /// Wakes whoever watches the tenant named `slug`.
    pub fn announce(&self, slug: &str) {
        let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody watches any more: the sender goes, so that tenants do not pile up.
        if let Some(sender) = tenants.get(slug)
            && sender.send(()).is_err()
        {
            tenants.remove(slug);
        }
    }

    /// Changes whenever points of the tenant named `slug` are written from now on.
    pub fn watch(&self, slug: &str) -> watch::Receiver<()> {
        let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tenants
            .entry(slug.to_owned())
            .or_insert_with(|| watch::Sender::new(()))
            .subscribe()
    }
}
