//! A database of its own for each test, and a way into it that goes past the server.

use sea_orm::{
    ConnectionTrait, Database as Connect, DatabaseConnection, DbBackend, Statement, TryGetable,
};
use sundial::guard::{Pool, system};
use tempfile::TempDir;
use url::Url;

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file in a folder of its own.
    Sqlite,
    /// The server that `SUNDIAL_TEST_POSTGRES` names.
    Postgres,
    /// The same, with row-level security lifted from all tables.
    Unfenced,
}

/// A database with all tables and no rows.
pub struct Database {
    /// As the server logs in: on PostgreSQL as a role that owns nothing.
    pub url: String,
    /// As the role that owns the tables.
    pub owner: String,
    /// As one whom no fence binds.
    pub superuser: String,
    _folder: Option<TempDir>,
}

impl Database {
    pub async fn create(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => Database::file().await,
            Kind::Postgres => Database::postgres().await,
            Kind::Unfenced => Database::unfenced().await,
        }
    }

    async fn file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("sundial.db").display());
        let pool = Pool::open(&url.clone().into(), 2).await.unwrap();
        pool.migrate_up().await.unwrap();
        pool.close().await;
        Database {
            owner: url.clone(),
            superuser: url.clone(),
            url,
            _folder: Some(folder),
        }
    }

    async fn unfenced() -> Self {
        let database = Database::postgres().await;
        let fenced = "SELECT relname::text FROM pg_class WHERE relrowsecurity";
        let tables: Vec<String> = database.read(fenced).await;
        assert!(tables.len() >= 9, "{tables:?}");
        for table in tables {
            let lift = format!(
                "ALTER TABLE {table} DISABLE ROW LEVEL SECURITY; ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY"
            );
            database.execute(&lift).await;
        }
        database
    }

    async fn postgres() -> Self {
        let server = std::env::var("SUNDIAL_TEST_POSTGRES").unwrap_or_else(|_| {
            panic!("this test needs PostgreSQL: run `make test`, or `tools/postgres cargo test`")
        });
        let name = format!("test_{:016x}", rand::random::<u64>());
        let url = |role: Option<&str>| {
            let mut url = Url::parse(&server).unwrap();
            url.set_path(&name);
            if let Some(role) = role {
                url.set_username(role).unwrap();
                url.set_password(Some("test")).unwrap();
            }
            url.to_string()
        };
        let (owner, application) = (format!("{name}_owner"), format!("{name}_app"));
        let connection = connect(&server).await;
        for sql in [
            format!("CREATE ROLE {owner} LOGIN PASSWORD 'test' NOSUPERUSER NOBYPASSRLS"),
            format!("CREATE ROLE {application} LOGIN PASSWORD 'test' NOSUPERUSER NOBYPASSRLS"),
            format!("CREATE DATABASE {name} OWNER {owner}"),
        ] {
            connection.execute_unprepared(&sql).await.unwrap();
        }
        connection.close().await.unwrap();
        let database = Database {
            url: url(Some(&application)),
            owner: url(Some(&owner)),
            superuser: url(None),
            _folder: None,
        };
        let pool = Pool::open(&database.owner.clone().into(), 2).await.unwrap();
        pool.migrate_up().await.unwrap();
        system::grant_application_role(&pool, &application)
            .await
            .unwrap();
        pool.close().await;
        database
    }

    /// Runs `sql` past every fence.
    pub async fn execute(&self, sql: &str) {
        let connection = connect(&self.superuser).await;
        connection.execute_unprepared(sql).await.unwrap();
        connection.close().await.unwrap();
    }

    /// The first column of what `sql` gives, past every fence.
    pub async fn read<T: TryGetable>(&self, sql: &str) -> Vec<T> {
        let connection = connect(&self.superuser).await;
        let rows = read(&connection, sql).await;
        connection.close().await.unwrap();
        rows
    }
}

/// A connection of one's own to `url`.
#[expect(
    clippy::disallowed_methods,
    reason = "a test of the fence stands beside it"
)]
pub async fn connect(url: &str) -> DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Connect::connect(options).await.unwrap()
}

/// The first column of what `sql` gives.
pub async fn read<T: TryGetable>(connection: &impl ConnectionTrait, sql: &str) -> Vec<T> {
    let backend: DbBackend = connection.get_database_backend();
    let rows = connection.query_all_raw(Statement::from_string(backend, sql));
    let rows = rows.await.unwrap();
    rows.iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}
