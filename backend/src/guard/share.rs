//! Who may hold how many of the pool's connections at once, so that one tenant's machines, or one person, do not take
//! them from all others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    error::{Error, Result},
    guard::{Principal, principal::Kind},
};

/// How long one waits for a connection of one's own share.
const WAIT: Duration = Duration::from_secs(10);

/// Whose share a connection is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sharer {
    /// The ingest tokens of a tenant.
    Tenant(i32),
    /// A person.
    Account(i64),
}

impl From<&Principal> for Sharer {
    fn from(principal: &Principal) -> Self {
        match &principal.0 {
            Kind::Token(token) => Sharer::Tenant(token.tenant_id),
            Kind::Person(person) => Sharer::Account(person.account_id),
        }
    }
}

/// Room for what holds a connection long, whoever asks: all of it together has a share, and each of its askers one place,
/// so that the rest of their own share is left to them.
pub(super) struct Long {
    each: Shares,
    all: Arc<Semaphore>,
}

impl Long {
    /// In a quarter of `connections`, one at least.
    pub(super) fn of(connections: u32) -> Self {
        let Shares { most, used } = Shares::of(connections);
        Long {
            each: Shares { most: 1, used },
            all: Arc::new(Semaphore::new(most)),
        }
    }

    /// A place, once there is one.
    ///
    /// # Errors
    /// As [`Shares::take`].
    pub(super) async fn take(&self, sharer: Sharer) -> Result<[OwnedSemaphorePermit; 2]> {
        Ok([
            self.each.take(sharer).await?,
            in_time(self.all.clone()).await?,
        ])
    }
}

async fn in_time(places: Arc<Semaphore>) -> Result<OwnedSemaphorePermit> {
    match tokio::time::timeout(WAIT, places.acquire_owned()).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => Err(Error::RateLimited { retry_after: 1 }),
    }
}

/// The shares in use.
pub(super) struct Shares {
    most: usize,
    used: Mutex<HashMap<Sharer, Weak<Semaphore>>>,
}

impl Shares {
    /// Shares of a quarter of `connections`, one at least.
    pub(super) fn of(connections: u32) -> Self {
        Shares {
            most: usize::try_from(connections / 4).unwrap_or(1).max(1),
            used: Mutex::default(),
        }
    }

    /// A connection of the share of `sharer`, once there is one.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when there is none in time.
    pub(super) async fn take(&self, sharer: Sharer) -> Result<OwnedSemaphorePermit> {
        in_time(self.share(sharer)).await
    }

    fn share(&self, sharer: Sharer) -> Arc<Semaphore> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = used.get(&sharer).and_then(Weak::upgrade) {
            return share;
        }
        // Whoever comes anew sweeps out those who are gone.
        used.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Semaphore::new(self.most));
        used.insert(sharer, Arc::downgrade(&share));
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_share_never_costs_another() {
        let shares = Shares::of(8);
        let held = [
            shares.take(Sharer::Tenant(1)).await.unwrap(),
            shares.take(Sharer::Tenant(1)).await.unwrap(),
        ];
        let soon = Duration::from_millis(20);
        let third = async || tokio::time::timeout(soon, shares.take(Sharer::Tenant(1))).await;
        assert!(third().await.is_err());
        assert!(shares.take(Sharer::Tenant(2)).await.is_ok());
        // Nor does it grow because somebody came anew.
        assert!(third().await.is_err());
        assert!(shares.take(Sharer::Account(1)).await.is_ok());
        drop(held);
        assert!(shares.take(Sharer::Tenant(1)).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_long_leaves_room() {
        let long = Long::of(8);
        let soon = Duration::from_millis(20);
        let next = async |id| tokio::time::timeout(soon, long.take(Sharer::Account(id))).await;
        let first = next(1).await.unwrap().unwrap();
        assert!(next(1).await.is_err());
        let second = next(2).await.unwrap().unwrap();
        assert!(next(3).await.is_err());
        drop(second);
        assert!(next(3).await.is_ok());
        drop(first);
        assert!(next(1).await.is_ok());
    }

    #[tokio::test]
    async fn whoever_is_gone_is_forgotten() {
        let shares = Shares::of(1);
        for id in 0..100 {
            drop(shares.take(Sharer::Tenant(id)).await.unwrap());
        }
        assert_eq!(shares.used.lock().unwrap().len(), 1);
    }
}
