//! What every GraphQL request carries besides its text: who asks, and its view of the database.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use async_graphql::Context;

use crate::{
    error::{Error, Result},
    guard::{AtLeast, Editor, Person, Pool, Principal, Snapshot, TenantScope, Viewer},
    identity::{Facts, Identity, Proof},
    point::{compactor::Compactor, writer::Writer},
};

/// Who asks, and by which proof, so that a subscription can have it checked again while it lives.
#[derive(Clone)]
pub struct Asker {
    identity: Identity,
    proof: Proof,
    principal: Option<Arc<Principal>>,
    /// Why the proof does not count, if that is to be told rather than refused.
    refusal: Option<Error>,
}

impl Asker {
    /// Checks `proof`.
    ///
    /// # Errors
    /// As [`Identity::authenticate`].
    pub async fn check(identity: Identity, proof: Proof) -> Result<Self> {
        let principal = identity.authenticate(&proof).await?;
        Ok(Asker {
            identity,
            proof,
            principal,
            refusal: None,
        })
    }

    /// Somebody whose `proof` does not count, for the reason in `refusal`: they may be told why, and nothing else.
    pub fn refused(identity: Identity, proof: Proof, refusal: Error) -> Self {
        Asker {
            identity,
            proof,
            principal: None,
            refusal: Some(refusal),
        }
    }

    /// Why the proof does not count, if it was let through for this to be told.
    pub fn refusal(&self) -> Option<&Error> {
        self.refusal.as_ref()
    }

    /// What GitHub says, asked anew, of a person who asks.
    ///
    /// # Errors
    /// As [`Identity::explain`].
    pub async fn facts(&self) -> Result<Facts> {
        self.identity.explain(&self.proof, None).await
    }

    /// The same asker, checked anew.
    ///
    /// # Errors
    /// As [`Identity::authenticate`].
    pub async fn again(&self) -> Result<Self> {
        Asker::check(self.identity.clone(), self.proof.clone()).await
    }

    /// Who asks, if anybody said.
    pub fn viewer(&self) -> Option<&Principal> {
        self.principal.as_deref()
    }

    /// Whoever checks proof.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What was shown as proof.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// The person who asks.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody said, [`Error::Forbidden`] when it is a machine.
    pub fn person(&self) -> Result<&Person> {
        let person = self.principal()?.as_person();
        person.ok_or_else(|| {
            Error::Forbidden("this is for people: an ingest token has no sign-in".into())
        })
    }

    /// Who asks.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody said, or the proof does not count.
    pub fn principal(&self) -> Result<&Principal> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        self.viewer().ok_or(Error::Unauthenticated(
            "this needs a sign-in: open /auth/login in a browser, or send `Authorization: Bearer` with a token",
        ))
    }
}

/// How many points one request may still have read, and given. The cost of a query does not know how many there are.
#[derive(Clone)]
pub struct Budget(Arc<Left>);

struct Left {
    read: AtomicUsize,
    given: AtomicUsize,
}

impl Default for Budget {
    fn default() -> Self {
        Budget(Arc::new(Left {
            read: AtomicUsize::new(READ),
            given: AtomicUsize::new(GIVEN),
        }))
    }
}

/// Points that one request may have read: a second of one core, and 300 MiB.
const READ: usize = 20_000_000;
/// Points that one request may be given: 100 MiB while they are written out.
const GIVEN: usize = 1_000_000;

impl Budget {
    /// For what is read piece by piece, and given as it is read.
    pub fn endless() -> Self {
        Budget(Arc::new(Left {
            read: AtomicUsize::new(usize::MAX),
            given: AtomicUsize::new(usize::MAX),
        }))
    }

    /// Takes `points` that are about to be read.
    ///
    /// # Errors
    /// [`Error::TooCostly`] when that is more than is left.
    pub fn read(&self, points: usize) -> Result<()> {
        take(&self.0.read, points, || {
            format!(
                "the request reads more than {READ} points, counting those written more than once: ask for shorter \
                 ranges, or in several requests"
            )
        })
    }

    /// Takes `points` that are about to be given.
    ///
    /// # Errors
    /// [`Error::TooCostly`] when that is more than is left.
    pub fn give(&self, points: usize) -> Result<()> {
        take(&self.0.given, points, || {
            format!(
                "the request asks for more than {GIVEN} points: ask for shorter ranges, for fewer points by `maxPoints`, \
                 or in several requests"
            )
        })
    }
}

fn take(left: &AtomicUsize, points: usize, words: impl FnOnce() -> String) -> Result<()> {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
        left.checked_sub(points)
    })
    .map(drop)
    .map_err(|_| Error::TooCostly(words()))
}

/// What resolvers take from their context.
pub trait ContextExt {
    /// What the request may still read and give.
    ///
    /// # Errors
    /// [`Error::Internal`] when the transport left it out.
    fn budget(&self) -> Result<&Budget>;

    /// Who asks.
    ///
    /// # Errors
    /// [`Error::Internal`] when the transport left it out.
    fn asker(&self) -> Result<&Asker>;

    /// The request's view of the database.
    ///
    /// # Errors
    /// [`Error::Internal`] when the transport left it out.
    fn snapshot(&self) -> Result<&Snapshot>;

    /// What writes points.
    ///
    /// # Errors
    /// [`Error::Internal`] when the schema was made without.
    fn writer(&self) -> Result<&Writer>;

    /// What keeps the store in order.
    ///
    /// # Errors
    /// [`Error::Internal`] when the schema was made without.
    fn compactor(&self) -> Result<&Compactor>;

    /// The tenant named `slug`, to read; `None` when it is absent or not open to the asker.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody is signed in.
    fn scope(&self, slug: &str)
    -> impl Future<Output = Result<Option<TenantScope<Viewer>>>> + Send;

    /// The tenant named `slug`, to write.
    ///
    /// # Errors
    /// As [`Pool::enter`], and [`Error::Unauthenticated`].
    fn writing<R: AtLeast<Editor>>(
        &self,
        slug: &str,
    ) -> impl Future<Output = Result<TenantScope<R>>> + Send;
}

impl ContextExt for Context<'_> {
    fn budget(&self) -> Result<&Budget> {
        self.data::<Budget>()
            .map_err(|error| Error::internal("the budget", error.message))
    }

    fn asker(&self) -> Result<&Asker> {
        self.data::<Asker>()
            .map_err(|error| Error::internal("the asker", error.message))
    }

    fn snapshot(&self) -> Result<&Snapshot> {
        self.data::<Snapshot>()
            .map_err(|error| Error::internal("the snapshot", error.message))
    }

    fn writer(&self) -> Result<&Writer> {
        self.data::<Writer>()
            .map_err(|error| Error::internal("the writer", error.message))
    }

    fn compactor(&self) -> Result<&Compactor> {
        self.data::<Compactor>()
            .map_err(|error| Error::internal("the compactor", error.message))
    }

    async fn scope(&self, slug: &str) -> Result<Option<TenantScope<Viewer>>> {
        match self
            .snapshot()?
            .enter(self.asker()?.principal()?, slug)
            .await
        {
            Ok(scope) => Ok(Some(scope)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn writing<R: AtLeast<Editor>>(&self, slug: &str) -> Result<TenantScope<R>> {
        let pool = self
            .data::<Pool>()
            .map_err(|error| Error::internal("the pool", error.message))?;
        pool.enter(self.asker()?.principal()?, slug).await
    }
}

/// 24 hours, in µs.
pub const DAY: i64 = 86_400_000_000;

/// Now, in µs since 1970 UTC. The only clock that resolvers read.
pub fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_is_one_for_the_whole_request() {
        let budget = Budget::default();
        let same = budget.clone();
        assert!(budget.read(READ - 1).is_ok());
        assert!(matches!(same.read(2), Err(Error::TooCostly(_))));
        // What was refused was not taken.
        assert!(same.read(1).is_ok());
        assert!(matches!(budget.read(1), Err(Error::TooCostly(_))));
        assert!(budget.give(GIVEN).is_ok());
        assert!(matches!(same.give(1), Err(Error::TooCostly(_))));
    }
}
