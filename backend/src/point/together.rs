//! What the series of one list read, read together: a statement for all of them instead of some for each. Made per
//! request and tenant, inside the scope.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    ops::Range,
    sync::Arc,
};

use dataloader::{BatchFn, non_cached::Loader};
use tokio::sync::{Mutex, OnceCell};

use crate::{
    error::{Error, Result},
    guard::{TenantScope, Viewer, table::tenant_counter},
    point::{
        entity::{
            Model,
            chunk::{Body, Head},
        },
        latest::Latest,
        store::{
            pending,
            read::{Stretch, Wanted, bodies, heads},
        },
    },
};

/// Stretches whose chunks are looked for in one statement, and series whose chunks are read in one.
const MOST: usize = 100;

/// Ranges whose batches are kept.
const RANGES: usize = 16;

/// Gathers what is read at the same time. Cheap to clone.
#[derive(Clone)]
pub struct Together(Arc<Inner>);

struct Inner {
    scope: Arc<TenantScope<Viewer>>,
    latest: Latest,
    counter: OnceCell<tenant_counter::Model>,
    /// Batches that are not compacted, by the range that they overlap; none where they are too many to be kept.
    pending: Mutex<HashMap<Range<i64>, Option<Batches>>>,
    heads: Loader<Stretch, Answer<Vec<Head>>, Pass>,
    bodies: Loader<Wanted, Answer<Vec<Arc<Body>>>, Pass>,
}

type Batches = Arc<Vec<Model>>;
type Answer<T> = Result<Arc<T>, Arc<Error>>;

struct Pass(Arc<TenantScope<Viewer>>);

impl BatchFn<Stretch, Answer<Vec<Head>>> for Pass {
    async fn load(&mut self, stretches: &[Stretch]) -> HashMap<Stretch, Answer<Vec<Head>>> {
        let found = heads(&self.0, stretches).await;
        let found = found.map(|found| by_series(found, |head| head.series_id));
        answers(stretches, found, |stretch, found| {
            let found = found.get(&stretch.series_id);
            stretch.own(found.map_or(&[], Vec::as_slice))
        })
    }
}

impl BatchFn<Wanted, Answer<Vec<Arc<Body>>>> for Pass {
    async fn load(&mut self, wanted: &[Wanted]) -> HashMap<Wanted, Answer<Vec<Arc<Body>>>> {
        let found = bodies(&self.0, wanted).await;
        let found =
            found.map(|found| by_series(found.into_iter().map(Arc::new), |body| body.series_id));
        answers(wanted, found, |(series_id, starts), found| {
            let found = found.get(series_id).into_iter().flatten();
            let own = found.filter(|body| starts.contains(&body.first_at));
            own.cloned().collect()
        })
    }
}

fn by_series<T>(
    found: impl IntoIterator<Item = T>,
    series: impl Fn(&T) -> i32,
) -> BTreeMap<i32, Vec<T>> {
    let mut by_series: BTreeMap<i32, Vec<T>> = BTreeMap::new();
    for one in found {
        by_series.entry(series(&one)).or_default().push(one);
    }
    by_series
}

/// Of what was found, what each key has asked for.
fn answers<K: Clone + Eq + Hash, F, T>(
    keys: &[K],
    found: Result<F>,
    own: impl Fn(&K, &F) -> T,
) -> HashMap<K, Answer<T>> {
    let found = found.map_err(Arc::new);
    let answer = |key: &K| match &found {
        Ok(found) => Ok(Arc::new(own(key, found))),
        Err(error) => Err(error.clone()),
    };
    keys.iter().map(|key| (key.clone(), answer(key))).collect()
}

impl Together {
    /// For the tenant of `scope`.
    pub fn new(scope: Arc<TenantScope<Viewer>>) -> Self {
        Together(Arc::new(Inner {
            latest: Latest::new(scope.clone()),
            counter: OnceCell::new(),
            pending: Mutex::default(),
            heads: Loader::new(Pass(scope.clone())).with_max_batch_size(MOST),
            bodies: Loader::new(Pass(scope.clone())).with_max_batch_size(MOST),
            scope,
        }))
    }

    /// The latest points.
    pub fn latest(&self) -> &Latest {
        &self.0.latest
    }

    /// The tenant's numbers.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words.
    pub async fn counter(&self) -> Result<&tenant_counter::Model> {
        let counter = || pending::counter(&self.0.scope);
        self.0.counter.get_or_try_init(counter).await
    }

    /// All batches from behind `compacted` on that overlap `range`, if they are few.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words.
    pub async fn pending(&self, range: &Range<i64>, compacted: i64) -> Result<Option<Batches>> {
        // Others wait for what is being read.
        let mut known = self.0.pending.lock().await;
        if let Some(batches) = known.get(range) {
            return Ok(batches.clone());
        }
        if known.len() >= RANGES {
            return Ok(None);
        }
        let batches = pending::few(&self.0.scope, range, compacted).await?;
        let batches = batches.map(Arc::new);
        known.insert(range.clone(), batches.clone());
        Ok(batches)
    }

    /// As [`heads`], of one stretch.
    ///
    /// # Errors
    /// As there.
    pub async fn heads(&self, stretch: Stretch) -> Result<Vec<Head>> {
        let found = self.0.heads.try_load(stretch).await;
        found
            .map_err(|error| Error::internal("looking for chunks", error))?
            .map(|heads| heads.to_vec())
            .map_err(|error| (*error).clone())
    }

    /// As [`bodies`], of one series.
    ///
    /// # Errors
    /// As there.
    pub async fn bodies(&self, series_id: i32, wanted: Vec<i64>) -> Result<Vec<Arc<Body>>> {
        let found = self.0.bodies.try_load((series_id, wanted)).await;
        found
            .map_err(|error| Error::internal("reading chunks", error))?
            .map(|bodies| bodies.to_vec())
            .map_err(|error| (*error).clone())
    }
}
