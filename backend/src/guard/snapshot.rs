//! One consistent view of the database for all that one request reads.

use std::sync::Arc;

use crate::{
    error::Result,
    guard::{Principal, TenantScope, Viewer, scope::enter_shared, transaction::Transaction},
};

/// A read-only transaction that a request's resolvers share, whatever tenants they ask for.
#[derive(Clone)]
pub struct Snapshot(pub(in crate::guard) Arc<Transaction>);

impl Snapshot {
    pub(in crate::guard) fn new(transaction: Transaction) -> Self {
        Snapshot(Arc::new(transaction))
    }

    /// Opens the tenant named `slug` for reading.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] for a tenant that is absent or not the principal's.
    pub async fn enter(&self, principal: &Principal, slug: &str) -> Result<TenantScope<Viewer>> {
        enter_shared(self.0.clone(), principal, slug).await
    }
}
