//! What every GraphQL request carries besides its text: who asks, and its view of the database.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use async_graphql::Context;

use crate::{
    error::{Error, Result},
    guard::{AtLeast, Editor, Pool, Principal, Snapshot, TenantScope, Viewer},
    identity::{Identity, Proof},
};

/// Who asks, and by which proof, so that a subscription can have it checked again while it lives.
#[derive(Clone)]
pub struct Asker {
    identity: Identity,
    proof: Proof,
    principal: Option<Arc<Principal>>,
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
        })
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

    /// Who asks.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody said.
    pub fn principal(&self) -> Result<&Principal> {
        self.viewer().ok_or(Error::Unauthenticated(
            "this needs a sign-in: open /auth/login in a browser, or send `Authorization: Bearer` with a token",
        ))
    }
}

/// What resolvers take from their context.
pub trait ContextExt {
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
    fn asker(&self) -> Result<&Asker> {
        self.data::<Asker>()
            .map_err(|error| Error::internal("the asker", error.message))
    }

    fn snapshot(&self) -> Result<&Snapshot> {
        self.data::<Snapshot>()
            .map_err(|error| Error::internal("the snapshot", error.message))
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

/// Now, in µs since 1970 UTC. The only clock that resolvers read.
pub fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
