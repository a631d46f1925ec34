//! A database transaction that begins when it is first needed and is bound to what may be seen in it.

use std::ops::Deref;

use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseTransaction, IsolationLevel, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard, OwnedSemaphorePermit};

use crate::{
    error::{Error, Result},
    guard::{Backend, Pool},
};

/// What a transaction may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// One consistent snapshot.
    Read,
    /// Rolled back unless committed.
    Write,
}

/// What PostgreSQL's row-level security lets the transaction see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Fence {
    /// No tenant's rows at all.
    #[default]
    Closed,
    /// The rows of one tenant.
    Tenant(i32),
    /// The access rules that name one of these organisations, to read.
    Organizations(Vec<String>),
    /// The ingest token with this hash, to read.
    Token(Vec<u8>),
}

/// A transaction on a connection of its own, taken when first needed.
///
/// All of a request's reads share one: a request never holds a connection while it waits for another.
pub(super) struct Transaction {
    pool: Pool,
    access: Access,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: Option<DatabaseTransaction>,
    fence: Fence,
    // Dropped after the transaction: fields drop in order.
    writer: Option<OwnedSemaphorePermit>,
}

/// The transaction, bound and exclusively held for one statement or more.
pub(super) struct Fenced<'a>(MappedMutexGuard<'a, DatabaseTransaction>);

impl Deref for Fenced<'_> {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.0
    }
}

impl Transaction {
    pub(super) fn new(pool: Pool, access: Access) -> Self {
        Transaction {
            pool,
            access,
            state: Mutex::default(),
        }
    }

    /// The transaction with `fence` in force, begun if it was not.
    pub(super) async fn fenced(&self, fence: &Fence) -> Result<Fenced<'_>> {
        let mut state = self.state.lock().await;
        if state.open.is_none() {
            if self.access == Access::Write && self.pool.backend() == Backend::Sqlite {
                let permit = self.pool.writer().acquire_owned().await;
                state.writer =
                    Some(permit.map_err(|error| Error::internal("waiting to write", error))?);
            }
            state.open = Some(self.begin().await?);
            state.fence = Fence::Closed;
        }
        if state.fence != *fence {
            if self.pool.backend() == Backend::Postgres
                && let Some(transaction) = &state.open
            {
                transaction.execute_unprepared(&fence.statement()).await?;
            }
            state.fence = fence.clone();
        }
        MutexGuard::try_map(state, |state| state.open.as_mut())
            .map(Fenced)
            .map_err(|_| Error::Internal("a transaction ended while it was in use".into()))
    }

    async fn begin(&self) -> Result<DatabaseTransaction> {
        let connection = self.pool.connection();
        Ok(match (self.pool.backend(), self.access) {
            (Backend::Postgres, Access::Read) => {
                let isolation = Some(IsolationLevel::RepeatableRead);
                connection
                    .begin_with_config(isolation, Some(AccessMode::ReadOnly))
                    .await?
            }
            (Backend::Sqlite, Access::Write) => {
                let options = TransactionOptions {
                    // A transaction that reads first and writes later could fail for a writer between.
                    sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                    ..Default::default()
                };
                connection.begin_with_options(options).await?
            }
            _ => connection.begin().await?,
        })
    }

    /// Makes all that was written last. Nothing was begun: nothing to do.
    pub(super) async fn commit(&self) -> Result<()> {
        let mut state = self.state.lock().await;
        if let Some(transaction) = state.open.take() {
            transaction.commit().await?;
        }
        state.writer = None;
        Ok(())
    }
}

impl Fence {
    /// One round trip that sets what this fence says and takes back what an earlier one said.
    ///
    /// As a statement, since `set_config()` does not reach the workers of Citus. The values are
    /// digits, hexadecimal, or logins of GitHub's alphabet, so that nothing needs quoting.
    fn statement(&self) -> String {
        let (mut tenant, mut organizations, mut token) = Default::default();
        match self {
            Fence::Closed => {}
            Fence::Tenant(id) => tenant = id.to_string(),
            Fence::Organizations(logins) => organizations = plain_logins(logins),
            Fence::Token(hash) => token = hex(hash),
        }
        format!(
            "SET LOCAL app.tenant = '{tenant}'; SET LOCAL app.organizations = '{organizations}'; \
             SET LOCAL app.token = '{token}'"
        )
    }
}

fn plain_logins(logins: &[String]) -> String {
    let plain = |login: &&String| {
        !login.is_empty()
            && login
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    let plain: Vec<&str> = logins.iter().filter(plain).map(String::as_str).collect();
    plain.join(",")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fence_takes_nothing_that_needs_quoting() {
        let logins = ["mcce", "o'; DROP TABLE tenant; --", "a,b", "ok-2"].map(String::from);
        let statement = Fence::Organizations(logins.to_vec()).statement();
        assert!(
            statement.contains("app.organizations = 'mcce,ok-2'"),
            "{statement}"
        );
        assert!(Fence::Closed.statement().contains("app.tenant = ''"));
        assert!(
            Fence::Token(vec![0, 255])
                .statement()
                .contains("app.token = '00ff'")
        );
    }
}
