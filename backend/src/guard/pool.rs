//! The database connection, private to the guard.

use std::{
    fs::{File, OpenOptions},
    path::Path,
    sync::Arc,
    time::Duration,
};

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, Statement, TransactionTrait,
    sqlx::{
        self,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};
use secrecy::{ExposeSecret, SecretString};
use sundial_migration::{Migrator, MigratorTrait};
use tokio::sync::Semaphore;

use crate::{
    error::{Error, Result},
    guard::{
        AtLeast, Editor, Principal, Role, Snapshot, TenantScope,
        scope::{ALONE, enter, named},
        share::{Long, Shares},
        transaction::{Access, Transaction},
        url,
    },
};

/// A connection that was given back so lately is not asked whether it is there.
const TRUSTED: Duration = Duration::from_secs(1);

/// The database. Cheap to clone; holds the only connection and hands out scopes, never itself.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
    /// The tenant that the deployment is pinned to, or 0.
    home: i32,
}

struct Inner {
    connection: DatabaseConnection,
    /// SQLite has one writer at a time: waiting here is fair, waiting for its lock is not.
    writer: Arc<Semaphore>,
    shares: Shares,
    long: Long,
}

/// The two databases that Sundial runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// One file, the embedded default.
    Sqlite,
    /// Production; row-level security is the second fence.
    Postgres,
}

/// What keeps other programs from changing the tables, for as long as it is held.
#[expect(dead_code, reason = "it is held to be dropped")]
enum Alone {
    Transaction(DatabaseTransaction),
    File(Option<File>),
}

/// Locks a file beside the one at `path`, and never that one: who closes a database's file in any way loses all of SQLite's
/// locks on it (<https://sqlite.org/howtocorrupt.html>, section 2.2).
fn lock(path: &Path) -> std::io::Result<Option<File>> {
    if is_in_memory(path) {
        return Ok(None);
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let beside = Path::new(&beside);
    make_private(beside);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(beside)?;
    file.lock()?;
    Ok(Some(file))
}

/// Makes the file at `path`, unless it is there, as one that nobody else on the machine can read. What SQLite puts beside
/// it gets the same rights. Where it can't be made, SQLite says why.
fn make_private(path: &Path) {
    #[cfg(unix)]
    if !is_in_memory(path) {
        use std::os::unix::fs::OpenOptionsExt;
        let mut options = OpenOptions::new();
        if let Err(error) = options.write(true).create_new(true).mode(0o600).open(path) {
            tracing::debug!(%error, "the file of the database was not made anew");
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// That the role may not change tables.
fn owners_alone(error: DbErr) -> Error {
    Error::unpermitted(
        error,
        "tables are made and changed by the database role that owns them: log in as that one",
    )
}

/// A database in memory has a name of this form and no file.
fn is_in_memory(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().starts_with(b"file:")
}

impl Pool {
    /// Opens `url`: `sqlite:path/to/file.db` (made if absent) or `postgres://…`, with up to
    /// `connections` connections.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database can't be reached, without the URL's password.
    pub async fn open(url: &SecretString, connections: u32) -> Result<Self> {
        let url = url::check(url.expose_secret())?;
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(10))
            .sqlx_logging(false)
            .record_stmt_in_spans(false)
            .map_sqlx_sqlite_opts(|options| {
                make_private(options.get_filename());
                options
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    // What is acknowledged is on disk.
                    .synchronous(SqliteSynchronous::Full)
                    .busy_timeout(Duration::from_secs(10))
            })
            // One that has just been in use is there.
            .test_before_acquire(false)
            .map_sqlx_postgres_pool_opts(|options| {
                options.before_acquire(|connection, meta| {
                    Box::pin(async move {
                        if meta.idle_for > TRUSTED {
                            sqlx::Connection::ping(connection).await?;
                        }
                        Ok(true)
                    })
                })
            })
            // What was left open half-way (client gone, timeout) ends with the connection's use; on PostgreSQL, each
            // transaction sees to that by itself.
            .map_sqlx_sqlite_pool_opts(|options| {
                options.after_release(|connection, _| {
                    Box::pin(async move {
                        // SQLite calls it an error when there is nothing to roll back: the usual case.
                        let nothing_open = sqlx::Executor::execute(connection, "ROLLBACK").await;
                        drop(nothing_open);
                        Ok(true)
                    })
                })
            });
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place that connects"
        )]
        let connection = Database::connect(options)
            .await
            .map_err(|error| Error::internal("the database can't be reached", error))?;
        Ok(Pool {
            inner: Arc::new(Inner {
                connection,
                writer: Arc::new(Semaphore::new(1)),
                shares: Shares::of(connections),
                long: Long::of(connections),
            }),
            home: 0,
        })
    }

    /// Whether there is something to open at `url`: of a server that is for it to tell, a file of SQLite's can be yet to be made.
    pub fn is_there(url: &SecretString) -> bool {
        let url = url.expose_secret();
        let file = url.starts_with("sqlite:").then(|| url.parse());
        let Some(Ok(file)) = file else { return true };
        let path = SqliteConnectOptions::get_filename(&file);
        is_in_memory(path) || path.exists()
    }

    /// The same pool, with nothing in it but the tenant named `slug`: for a deployment of one tenant.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such tenant.
    pub async fn pinned_to(self, slug: &str) -> Result<Self> {
        let tenant = named(&self.read(), slug).await?;
        let home = tenant.ok_or(Error::NotFound("tenant"))?.id;
        Ok(Pool { home, ..self })
    }

    /// Which database this is.
    pub fn backend(&self) -> Backend {
        match self.connection().get_database_backend() {
            DbBackend::Postgres => Backend::Postgres,
            _ => Backend::Sqlite,
        }
    }

    /// Opens the tenant named `slug` for writing, in a transaction of its own, which
    /// [`TenantScope::commit`] ends. Dropping the scope leaves everything as it was.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a tenant that is absent or not the principal's, [`Error::Forbidden`]
    /// when the principal's role is below `R`.
    pub async fn enter<R: AtLeast<Editor>>(
        &self,
        principal: &Principal,
        slug: &str,
    ) -> Result<TenantScope<R>> {
        enter(self.write().shared_by(principal), principal, slug).await
    }

    /// One consistent view of the database for everything that one request of `principal` reads.
    pub fn snapshot(&self, principal: Option<&Principal>) -> Snapshot {
        let transaction = self.read();
        Snapshot::new(match principal {
            Some(principal) => transaction.shared_by(principal),
            None => transaction,
        })
    }

    /// Opens the tenant named `slug` for reading, in a view of its own.
    ///
    /// # Errors
    /// As [`Pool::enter`].
    pub async fn look<R: Role>(&self, principal: &Principal, slug: &str) -> Result<TenantScope<R>> {
        enter(self.read().shared_by(principal), principal, slug).await
    }

    /// The same, for what is read for long: few at a time.
    ///
    /// # Errors
    /// As [`Pool::look`], and [`Error::RateLimited`] when there is no room in time.
    pub async fn look_long<R: Role>(
        &self,
        principal: &Principal,
        slug: &str,
    ) -> Result<TenantScope<R>> {
        enter(self.read().shared_by(principal).long(), principal, slug).await
    }

    /// Applies all changes to the tables that are still missing.
    ///
    /// # Errors
    /// [`Error::Forbidden`] when the role does not own the tables, [`Error::Internal`] with the database's words.
    pub async fn migrate_up(&self) -> Result<()> {
        let _alone = self.alone().await?;
        Migrator::up(self.connection(), None)
            .await
            .map_err(owners_alone)
    }

    /// Waits until no other program changes the tables, which two at once would each make.
    async fn alone(&self) -> Result<Alone> {
        if self.backend() == Backend::Postgres {
            let transaction = self.connection().begin().await?;
            let lock = format!("SELECT pg_advisory_xact_lock({ALONE}, 0)");
            transaction.execute_unprepared(&lock).await?;
            return Ok(Alone::Transaction(transaction));
        }
        let pool = self.connection().get_sqlite_connection_pool();
        let path = pool.connect_options().get_filename().to_owned();
        let locked = tokio::task::spawn_blocking(move || lock(&path)).await;
        let locked = locked.map_err(|error| Error::internal("waiting for a file", error))?;
        let file = locked
            .map_err(|error| Error::internal("locking the file beside the database", error))?;
        Ok(Alone::File(file))
    }

    /// Takes back the last `steps` changes, with the data in what they created.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words.
    pub async fn migrate_down(&self, steps: u32) -> Result<()> {
        let _alone = self.alone().await?;
        Migrator::down(self.connection(), Some(steps))
            .await
            .map_err(owners_alone)
    }

    /// The names of the changes in order, each with whether it is applied.
    pub async fn migrations(&self) -> Vec<(String, bool)> {
        // Asked directly: the migrator would make its table first, which the server's role may not.
        let backend = self.connection().get_database_backend();
        let statement = Statement::from_string(backend, "SELECT version FROM seaql_migrations");
        // No such table, or none that this role may read: nothing that could be relied on.
        let rows = self.connection().query_all_raw(statement).await;
        let rows = rows.unwrap_or_default();
        let applied: Vec<String> = rows
            .iter()
            .filter_map(|row| row.try_get_by_index(0).ok())
            .collect();
        Migrator::get_migration_files()
            .iter()
            .map(|migration| {
                (
                    migration.name().to_owned(),
                    applied.iter().any(|name| name == migration.name()),
                )
            })
            .collect()
    }

    /// Closes all connections, after those in use are given back.
    pub async fn close(&self) {
        if let Err(error) = self.connection().close_by_ref().await {
            tracing::warn!(%error, "the database was not closed in order");
        }
    }

    pub(in crate::guard) fn read(&self) -> Transaction {
        Transaction::new(self.clone(), Access::Read)
    }

    pub(in crate::guard) fn write(&self) -> Transaction {
        Transaction::new(self.clone(), Access::Write)
    }

    pub(in crate::guard) fn connection(&self) -> &DatabaseConnection {
        &self.inner.connection
    }

    pub(in crate::guard) fn writer(&self) -> Arc<Semaphore> {
        self.inner.writer.clone()
    }

    /// Whose connections are how many; where there is one tenant, nobody needs a share.
    pub(in crate::guard) fn shares(&self) -> Option<&Shares> {
        (self.home == 0).then_some(&self.inner.shares)
    }

    /// Room for what holds a connection long.
    pub(in crate::guard) fn long(&self) -> &Long {
        &self.inner.long
    }

    /// The tenant that the deployment is pinned to, or 0 where it serves all of them.
    pub(in crate::guard) fn home(&self) -> i32 {
        self.home
    }
}

#[cfg(test)]
mod tests;
