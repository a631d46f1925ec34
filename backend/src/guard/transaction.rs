//! A database transaction that begins when it is first needed and is bound to what may be seen in it.

use std::{ops::Deref, sync::Arc};

use sea_orm::{
    ColumnTrait, Condition, ConnAcquireErr, ConnectionTrait, DatabaseTransaction, DbErr,
    QueryResult, RuntimeErr, SqliteTransactionMode, TransactionOptions, TransactionTrait, sqlx,
};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard, OwnedSemaphorePermit};

use crate::{
    error::{Error, Result},
    guard::{Backend, Pool, Principal, filter, share::Sharer},
};

/// How a snapshot begins on PostgreSQL, which a statement of its own would cost a round trip.
const SNAPSHOT: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; ";
/// The database gives up what a query has asked for that nobody waits for any more. SQLite does so by itself.
const STATEMENT_TIME: &str = "SET LOCAL statement_timeout = '30s'; ";

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
pub(super) struct Fence {
    /// The rows of this tenant; of none without.
    tenant: Option<i32>,
    key: Key,
}

/// What is in hand besides a tenant, which opens single rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Key {
    /// Nothing.
    #[default]
    None,
    /// The name of a tenant: that tenant's row.
    Slug(String),
    /// Numbers of tenants that a rule has let the asker into: their rows, to read.
    Tenants(Vec<i32>),
    /// Organisations: the access rules that name one, to read, and their known members of the transaction's tenant.
    Organizations(Vec<String>),
    /// The hash of an ingest token: its row, to read.
    Token(Vec<u8>),
    /// The hash of a session: its row.
    Session(Vec<u8>),
    /// GitHub's id of a person: the account and its sessions.
    Account(i64),
    /// Sessions that have ended.
    Ended,
    /// Entries of the audit log from before this time (µs since 1970 UTC): to delete, where the role may.
    Past(i64),
}

/// A transaction on a connection of its own, taken when first needed.
///
/// All of a request's reads share one: a request never holds a connection while it waits for another.
pub(super) struct Transaction {
    pool: Pool,
    access: Access,
    sharer: Option<Sharer>,
    is_long: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: Option<DatabaseTransaction>,
    /// What is in force for sure: nothing before the first, and while one is being set, for who waits for that can go away.
    fence: Option<Fence>,
    /// Whether what comes before the first fence is in force.
    is_opened: bool,
    // Dropped after the transaction: fields drop in order.
    writer: Option<OwnedSemaphorePermit>,
    share: Option<OwnedSemaphorePermit>,
    long: Option<[OwnedSemaphorePermit; 2]>,
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
            sharer: None,
            is_long: false,
            state: Mutex::default(),
        }
    }

    /// The same, on a connection of the share of `principal`.
    pub(super) fn shared_by(self, principal: &Principal) -> Self {
        Transaction {
            sharer: Some(principal.into()),
            ..self
        }
    }

    /// The same, when it may be held for long.
    pub(super) fn long(self) -> Self {
        Transaction {
            is_long: true,
            ..self
        }
    }

    /// The transaction with `fence` in force, begun if it was not.
    pub(super) async fn fenced(&self, fence: &Fence) -> Result<Fenced<'_>> {
        let mut state = self.state.lock().await;
        if state.open.is_none() {
            if let Some(sharer) = self.sharer.filter(|_| self.is_long) {
                state.long = Some(self.pool.long().take(sharer).await?);
            }
            if let (Some(sharer), Some(shares)) = (self.sharer, self.pool.shares()) {
                state.share = Some(shares.take(sharer).await?);
            }
            if self.access == Access::Write && self.pool.backend() == Backend::Sqlite {
                let permit = self.pool.writer().acquire_owned().await;
                state.writer =
                    Some(permit.map_err(|error| Error::internal("waiting to write", error))?);
            }
            state.open = Some(self.begin().await?);
            (state.fence, state.is_opened) = (None, false);
        }
        let is_in_force =
            |state: &State| state.fence.as_ref().is_some_and(|known| known.holds(fence));
        if !is_in_force(&state) {
            state.fence = None;
            if self.pool.backend() == Backend::Postgres
                && let Some(transaction) = &state.open
            {
                // What was not answered may be said again: nothing has been read before it was.
                let opening = match state.is_opened {
                    true => String::new(),
                    false => self.opening(),
                };
                let statement = opening + &fence.statement();
                transaction.execute_unprepared(&statement).await?;
                state.is_opened = true;
            }
            state.fence = Some(fence.clone());
        }
        MutexGuard::try_map(state, |state| state.open.as_mut())
            .map(Fenced)
            .map_err(|_| Error::Internal("a transaction ended while it was in use".into()))
    }

    /// What comes before the first fence.
    fn opening(&self) -> String {
        match (self.access, self.is_long) {
            (Access::Read, false) => format!("{SNAPSHOT}{STATEMENT_TIME}"),
            (Access::Read, true) => SNAPSHOT.into(),
            (Access::Write, _) => String::new(),
        }
    }

    async fn begin(&self) -> Result<DatabaseTransaction> {
        let connection = self.pool.connection().clone();
        let options = TransactionOptions {
            // A transaction that reads first and writes later could fail for a writer between.
            sqlite_transaction_mode: (self.pool.backend() == Backend::Sqlite
                && self.access == Access::Write)
                .then_some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        // A `begin()` that was dropped half-way (client gone, timeout) would hand back a connection that is still
        // inside a transaction: later writes on it would be acknowledged and lost. So nobody can drop it; and of a whole
        // transaction that nobody takes, the library knows that it is to be rolled back.
        let begun = tokio::spawn(async move { connection.begin_with_options(options).await });
        let begun = begun.await;
        Ok(begun.map_err(|error| Error::internal("beginning a transaction", error))??)
    }

    /// That it may write.
    pub(super) fn check_writes(&self) -> Result<()> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(Error::Internal("a snapshot takes no write".into())),
        }
    }

    /// The tenant that the deployment is pinned to, or 0 where it serves all of them.
    pub(super) fn home(&self) -> i32 {
        self.pool.home()
    }

    /// That `column` is the tenant that the deployment is pinned to, if it is pinned.
    pub(super) fn pinned(&self, column: impl ColumnTrait) -> Condition {
        match self.home() {
            0 => Condition::all(),
            home => filter::only(column.eq(home)),
        }
    }

    /// Makes all that was written last. Nothing was begun: nothing to do.
    pub(super) async fn commit(&self) -> Result<()> {
        let mut state = self.state.lock().await;
        if let Some(transaction) = state.open.take() {
            transaction.commit().await?;
        }
        (state.writer, state.share) = (None, None);
        Ok(())
    }
}

impl Fence {
    /// The rows of the tenant numbered `id`.
    pub(super) fn tenant(id: i32) -> Self {
        Fence {
            tenant: Some(id),
            key: Key::None,
        }
    }

    /// Of no tenant, what `key` opens.
    pub(super) fn key(key: Key) -> Self {
        Fence { tenant: None, key }
    }

    /// Whether whoever is within this fence is within `other` too: nothing is open there that is not here.
    fn holds(&self, other: &Fence) -> bool {
        self.tenant == other.tenant && (other.key == Key::None || self.key == other.key)
    }

    /// The rows of the tenant numbered `id`, and what `key` opens.
    pub(super) fn both(id: i32, key: Key) -> Self {
        Fence {
            tenant: Some(id),
            key,
        }
    }

    /// One round trip that sets what this fence says and takes back what an earlier one said.
    ///
    /// As a statement, since `set_config()` does not reach the workers of Citus. The values are
    /// digits, hexadecimal, or names of an alphabet in which nothing needs quoting.
    fn statement(&self) -> String {
        let tenant = self.tenant.map(|id| id.to_string()).unwrap_or_default();
        let key = match &self.key {
            Key::None => String::new(),
            Key::Slug(slug) => format!("slug:{}", plain([slug])),
            Key::Tenants(ids) => ids
                .iter()
                .fold("tenants:".into(), |list, id| format!("{list},{id}")),
            Key::Organizations(logins) => format!("organizations:,{}", plain(logins)),
            Key::Token(hash) => format!("token:{}", hex(hash)),
            Key::Session(hash) => format!("session:{}", hex(hash)),
            Key::Account(id) => format!("account:{id}"),
            Key::Ended => "ended:".into(),
            Key::Past(before) => format!("past:{before}"),
        };
        format!("SET LOCAL app.tenant = '{tenant}'; SET LOCAL app.key = '{key}'")
    }
}

/// What one statement reads on PostgreSQL within `fence`, if it reads a row: all of it one message and its answer.
pub(super) async fn once(pool: &Pool, fence: &Fence, select: &str) -> Result<Option<QueryResult>> {
    let all = format!("BEGIN READ ONLY; {}; {select}; COMMIT", fence.statement());
    let connections = pool.connection().get_postgres_connection_pool().clone();
    // As beginning a transaction: nobody can drop it half-way.
    let found = tokio::spawn(async move {
        let mut connection = connections.acquire().await?;
        let found = sqlx::raw_sql(sqlx::AssertSqlSafe(all)).fetch_optional(&mut *connection);
        let found = found.await;
        if found.is_err() {
            // It may be inside of what failed.
            connection.close_on_drop();
        }
        found
    });
    let found = found
        .await
        .map_err(|error| Error::internal("asking the database once", error))?;
    let found = found.map_err(|error| match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        other => DbErr::Query(RuntimeErr::SqlxError(Arc::new(other))),
    })?;
    Ok(found.map(QueryResult::from))
}

/// Those of `names` that are plain, with commas between. Others name nothing in the database.
fn plain<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let is_plain = |name: &&String| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    let names: Vec<&str> = names
        .into_iter()
        .filter(is_plain)
        .map(String::as_str)
        .collect();
    names.join(",")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fence_takes_nothing_that_needs_quoting() {
        let logins = ["mcce", "o'; DROP TABLE tenant; --", "a,b", "ok-2", ""].map(String::from);
        let of = |key| Fence::key(key).statement();
        let statement = of(Key::Organizations(logins.to_vec()));
        assert!(
            statement.ends_with("app.key = 'organizations:,mcce,ok-2'"),
            "{statement}"
        );
        assert!(of(Key::Slug("a' OR true".into())).ends_with("app.key = 'slug:'"));
        assert!(of(Key::Slug("a-prod".into())).ends_with("app.key = 'slug:a-prod'"));
        assert!(of(Key::Token(vec![0, 255])).ends_with("app.key = 'token:00ff'"));
        assert!(of(Key::Session(vec![1])).ends_with("app.key = 'session:01'"));
        assert!(of(Key::Tenants(vec![7, 8])).ends_with("app.key = 'tenants:,7,8'"));
        assert!(of(Key::Account(-5)).ends_with("app.key = 'account:-5'"));
        assert!(of(Key::Ended).ends_with("app.key = 'ended:'"));
        assert!(of(Key::Past(5)).ends_with("app.key = 'past:5'"));
    }

    #[test]
    fn each_fence_takes_back_what_another_said() {
        assert_eq!(
            Fence::default().statement(),
            "SET LOCAL app.tenant = ''; SET LOCAL app.key = ''"
        );
        assert_eq!(
            Fence::tenant(3).statement(),
            "SET LOCAL app.tenant = '3'; SET LOCAL app.key = ''"
        );
        assert_eq!(
            Fence::both(0, Key::Account(9)).statement(),
            "SET LOCAL app.tenant = '0'; SET LOCAL app.key = 'account:9'"
        );
    }
}
