//! Wake-ups between the servers of one PostgreSQL, by LISTEN and NOTIFY: which tenants were written to, and nothing else.
//! Every role of the database can hear them, so that a tenant is a number here.

use sea_orm::{
    ConnectionTrait, DbBackend, Statement,
    sqlx::postgres::{PgListener, PgPoolOptions},
};

use crate::{
    error::{Error, Result},
    guard::{Backend, Pool},
};

/// The name that all servers use.
const CHANNEL: &str = "sundial";

/// That a tenant was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// The number that the server gave itself; 0 of what is none.
    pub server: u32,
    /// The tenant's; 0 when the server only says that it is there.
    pub tenant_id: i32,
}

/// Hears wake-ups, on a connection of its own.
pub struct Wakes(PgListener);

impl Pool {
    /// Hears the wake-ups of all servers, this one's too, from now on; `None` where no server hears of another.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words.
    pub async fn wakes(&self) -> Result<Option<Wakes>> {
        if self.backend() == Backend::Sqlite {
            return Ok(None);
        }
        let failed = |error| Error::internal("listening to other servers", error);
        let pool = self.connection().get_postgres_connection_pool();
        let options = PgPoolOptions::new().max_connections(1);
        let own = options.connect_lazy_with((*pool.connect_options()).clone());
        let mut listener = PgListener::connect_with(&own).await.map_err(failed)?;
        listener.listen(CHANNEL).await.map_err(failed)?;
        Ok(Some(Wakes(listener)))
    }

    /// Tells all servers, with one statement.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words.
    pub async fn wake(&self, wakes: &[Wake]) -> Result<()> {
        if self.backend() == Backend::Sqlite || wakes.is_empty() {
            return Ok(());
        }
        // Numbers alone: nothing to be escaped.
        let calls: Vec<String> = wakes
            .iter()
            .map(|wake| {
                format!(
                    "pg_notify('{CHANNEL}', '{}.{}')",
                    wake.server, wake.tenant_id
                )
            })
            .collect();
        let statement = format!("SELECT {}", calls.join(", "));
        let statement = Statement::from_string(DbBackend::Postgres, statement);
        self.connection().execute_raw(statement).await?;
        Ok(())
    }
}

impl Wakes {
    /// The next wake-up; `None` when some may have been lost with the connection, which is made anew.
    ///
    /// # Errors
    /// [`Error::Internal`] when it can't be made.
    pub async fn next(&mut self) -> Result<Option<Wake>> {
        loop {
            let heard = self.0.try_recv().await;
            let heard =
                heard.map_err(|error| Error::internal("listening to other servers", error))?;
            let Some(heard) = heard else {
                return Ok(None);
            };
            // What other programs send is passed over.
            if let Some(wake) = parse(heard.payload()) {
                return Ok(Some(wake));
            }
        }
    }
}

fn parse(text: &str) -> Option<Wake> {
    let (server, tenant_id) = text.split_once('.')?;
    Some(Wake {
        server: server.parse().ok()?,
        tenant_id: tenant_id.parse().ok()?,
    })
}
