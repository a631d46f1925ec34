//! The latest points of many series in one pass, for one request.

use std::{collections::HashMap, sync::Arc};

use dataloader::{BatchFn, cached::Loader};

use crate::{
    error::{Error, Result},
    guard::{TenantScope, Viewer},
    point::store,
    request::now,
};

type Point = (i64, f64);
type Answer = Result<Option<Point>, Arc<Error>>;

/// Gathers what the series of one list ask for, and reads it in one pass. Made per request and
/// tenant, inside the scope.
#[derive(Clone)]
pub struct Latest(Loader<i32, Answer, Pass>);

struct Pass(Arc<TenantScope<Viewer>>);

impl BatchFn<i32, Answer> for Pass {
    async fn load(&mut self, ids: &[i32]) -> HashMap<i32, Answer> {
        match store::latest(&self.0, ids, now()).await {
            Ok(latest) => ids
                .iter()
                .map(|id| (*id, Ok(latest.get(id).copied())))
                .collect(),
            Err(error) => {
                let error = Arc::new(error);
                ids.iter().map(|id| (*id, Err(error.clone()))).collect()
            }
        }
    }
}

impl Latest {
    /// A loader for the tenant of `scope`.
    pub fn new(scope: Arc<TenantScope<Viewer>>) -> Self {
        Latest(Loader::new(Pass(scope)).with_max_batch_size(1_000))
    }

    /// The latest point of a series, as time (µs since 1970 UTC) and value.
    ///
    /// # Errors
    /// As [`store::latest`].
    pub async fn of(&self, series_id: i32) -> Result<Option<Point>> {
        let answer = self.0.try_load(series_id).await;
        answer
            .map_err(|error| Error::internal("reading the latest points", error))?
            .map_err(|error| Error::internal("reading the latest points", error))
    }
}
