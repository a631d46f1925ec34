//! Requests whose clients go away half-way: a pool of 2 connections, 50 tenants, 10,000 requests, most of them dropped at
//! one of their awaits. What was acknowledged is there, once, in its own tenant; nothing else is anywhere.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use sea_orm::DatabaseConnection;
use sundial::{
    config::GithubConfig,
    guard::{Editor, Pool, Principal, Viewer, table::tenant::Environment},
    identity::{Identity, Proof},
    point::{
        store::{
            Reader,
            ingest::{Job, Known, ingest},
        },
        write::{Column, Write},
    },
    request::Budget,
    series,
};
use tokio::task::JoinSet;

use crate::{
    app::found,
    database::{self, Database, Kind, connect},
};

const CONNECTIONS: u32 = 2;
const TENANTS: usize = 50;
const REQUESTS: usize = 10_000;
const CLIENTS: usize = 16;

/// A future that is dropped, half-way, at its `left`th await.
struct Dropped<F> {
    future: Pin<Box<F>>,
    left: usize,
}

impl<F: Future> Future for Dropped<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.future.as_mut().poll(context).map(Some)
    }
}

/// A tenant, and who may write to it.
struct Home {
    slug: String,
    principal: Arc<Principal>,
}

async fn homes(database: &Database, pool: &Pool) -> Vec<Home> {
    let github = GithubConfig {
        url: "https://github.com".parse().unwrap(),
        api_url: "https://api.github.com".parse().unwrap(),
        client_id: None,
        client_secret: None,
        client_secret_file: None,
        webhook_secret: None,
        webhook_secret_file: None,
    };
    let url = "http://127.0.0.1".parse().unwrap();
    let identity = Identity::new(&github, url, pool.clone()).unwrap();
    let mut homes = Vec::new();
    let owner = Pool::open(&database.owner.clone().into(), 2).await.unwrap();
    for number in 0..TENANTS {
        let slug = format!("tenant-{number}");
        let token = found(&owner, &slug, Environment::Test, Vec::new()).await;
        let principal = identity.authenticate(&Proof::Bearer(token.into())).await;
        let principal = principal.unwrap().unwrap();
        homes.push(Home { slug, principal });
    }
    owner.close().await;
    homes
}

/// One point, whose value names its tenant and whose time is its own.
fn point(home: usize, time: i64) -> Write {
    let column = Column {
        series: "a".into(),
        times: vec![time],
        values: vec![home as f64],
    };
    Write::try_from(&[column][..]).unwrap()
}

async fn write(pool: &Pool, homes: &[Home], home: usize, time: i64) -> sundial::Result<()> {
    let scope = pool
        .enter::<Editor>(&homes[home].principal, &homes[home].slug)
        .await?;
    let known = Known::default();
    let job = Job::prepare(&scope, point(home, time), None, &known).await?;
    let receipts = ingest(scope, vec![job], &known, time).await?;
    assert!(
        receipts
            .iter()
            .all(|receipt| matches!(receipt, Ok(receipt) if receipt.points == 1))
    );
    Ok(())
}

async fn read(pool: &Pool, homes: &[Home], home: usize) -> sundial::Result<Vec<(i64, f64)>> {
    let scope = pool
        .look::<Viewer>(&homes[home].principal, &homes[home].slug)
        .await?;
    let Some(series) = series::store::list(&scope, None, None, 1).await?.pop() else {
        return Ok(Vec::new());
    };
    let reader = Reader::open(&scope, None, series.id, 0..i64::MAX, &Budget::default(), 0).await?;
    let points = reader.points(usize::MAX).await?;
    Ok(points.iter().collect())
}

async fn dropped_requests_lose_and_misplace_nothing(kind: Kind) {
    let database = Database::create(kind).await;
    let pool = Pool::open(&database.url.clone().into(), CONNECTIONS)
        .await
        .unwrap();
    let homes = Arc::new(homes(&database, &pool).await);
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (pool, homes) = (pool.clone(), homes.clone());
        clients.spawn(async move {
            let mut random = StdRng::seed_from_u64(client as u64);
            let mut acknowledged = Vec::new();
            for number in 0..REQUESTS / CLIENTS {
                let home = random.random_range(0..TENANTS);
                let time = (number * CLIENTS + client) as i64;
                // A whole request takes some 20 awaits: every fourth is let through to its end.
                let left = match random.random_range(0..4) {
                    0 => usize::MAX,
                    _ => random.random_range(0..20),
                };
                if random.random_bool(0.5) {
                    let future = Box::pin(write(&pool, &homes, home, time));
                    match (Dropped { future, left }).await {
                        Some(Ok(())) => acknowledged.push((home, time)),
                        Some(Err(error)) => panic!("refused: {error}"),
                        None => {}
                    }
                } else {
                    let future = Box::pin(read(&pool, &homes, home));
                    if let Some(seen) = (Dropped { future, left }).await {
                        let seen = seen.unwrap();
                        let own = seen.iter().all(|(_, value)| *value == home as f64);
                        assert!(own, "tenant {home} sees {seen:?}");
                    }
                }
            }
            acknowledged
        });
    }
    let mut acknowledged: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    while let Some(client) = clients.join_next().await {
        for (home, time) in client.unwrap() {
            acknowledged.entry(home).or_default().push(time);
        }
    }
    let count: usize = acknowledged.values().map(Vec::len).sum();
    assert!(count > REQUESTS / 10, "only {count} writes went through");
    for home in 0..TENANTS {
        let seen = read(&pool, &homes, home).await.unwrap();
        assert!(seen.iter().all(|(_, value)| *value == home as f64));
        let times: Vec<i64> = seen.iter().map(|(time, _)| *time).collect();
        assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
        for time in acknowledged.remove(&home).unwrap_or_default() {
            assert!(times.contains(&time), "tenant {home} lost {time}");
        }
    }
    pool.close().await;
    // And to a connection that has never been in the pool, so that nothing is seen from inside of a transaction.
    let pool = Pool::open(&database.url.clone().into(), CONNECTIONS)
        .await
        .unwrap();
    let rows: Vec<i64> = database.read("SELECT count(*) FROM batch").await;
    let mut seen = 0;
    for home in 0..TENANTS {
        seen += read(&pool, &homes, home).await.unwrap().len();
    }
    assert_eq!(rows, [seen as i64]);
    assert!(
        seen >= count,
        "{seen} of {count} acknowledged points are there"
    );
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    dropped_requests_lose_and_misplace_nothing(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    dropped_requests_lose_and_misplace_nothing(Kind::Postgres).await;
}

/// A transaction that stays open on a connection of the pool would swallow what is next sent on it.
#[tokio::test]
async fn request_dropped_at_any_await_leaves_no_transaction_open() {
    let database = Database::create(Kind::Postgres).await;
    let pool = Pool::open(&database.url.clone().into(), CONNECTIONS)
        .await
        .unwrap();
    let homes = homes(&database, &pool).await;
    let observer = connect(&database.superuser).await;
    // Where the awaits lie depends on how fast the database answers: each place is tried several times.
    for left in (0..12).cycle().take(240) {
        let reads = Box::pin(read(&pool, &homes, 0));
        (Dropped {
            future: reads,
            left,
        })
        .await;
        wait_until_idle(&observer, left).await;
    }
    pool.close().await;
}

async fn wait_until_idle(observer: &DatabaseConnection, left: usize) {
    let open = "SELECT query FROM pg_stat_activity WHERE datname = current_database() \
        AND state LIKE 'idle in transaction%'";
    let soon = Instant::now() + Duration::from_secs(5);
    loop {
        let queries: Vec<String> = database::read(observer, open).await;
        if queries.is_empty() {
            return;
        }
        assert!(
            Instant::now() < soon,
            "dropped at await {left}, and still open after {queries:?}"
        );
    }
}
