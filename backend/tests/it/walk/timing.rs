//! That the time of an answer does not tell a foreign tenant from an absent one.
//!
//! The method: what a request costs is, by far, what it asks of the database, so that two answers are in one class of
//! timing when they ask it as many things. A proxy before PostgreSQL counts the statements of each request, which no
//! other load on the machine changes, where a clock would make the test a lottery. Each asker sends [`ROUNDS`] requests
//! for each of the two tenants by turns, so that whatever warms up or grows does so for both alike. The medians must be
//! the same, and all but [`STRAY`] requests must cost the median: a use of a token is noted once a minute. Medians of the
//! clock are printed for people to look at (`-- --nocapture timing`).

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use url::Url;

use crate::{
    app::{ABSENT, FOREIGN, TestApp},
    database::Kind,
    walk::world::World,
};

const ROUNDS: usize = 200;
const STRAY: usize = 4;

const READ: &str = "query ($tenant: String!) { tenant(slug: $tenant) { id lastPointAt series { nodes { key } } } }";
const WRITE: &str = "mutation ($tenant: String!) { ingest(tenant: $tenant,
    batches: [{ series: \"common\", times: [1], values: [1] }]) { points } }";

#[tokio::test]
async fn foreign_and_absent_tenants_cost_the_same() {
    let world = World::new(TestApp::start(Kind::Postgres).await).await;
    let (url, statements) = count(&world.app.database.url).await;
    let server = world.app.replica_by(&url).await;
    world.fill(FOREIGN).await;
    for name in ["stranger", "administrator", "editor"] {
        let asker = world.asker(name);
        for document in [READ, WRITE] {
            let mut costs = [Vec::new(), Vec::new()];
            let mut times = [Vec::new(), Vec::new()];
            for round in 0..=ROUNDS {
                for (place, tenant) in [FOREIGN, ABSENT].into_iter().enumerate() {
                    let variables = json!({ "tenant": tenant });
                    let body = json!({ "query": document, "variables": variables }).to_string();
                    let request = world.app.http.post(server.url.clone()).body(body);
                    let request = request.header("content-type", "application/json");
                    let before = statements.load(Ordering::SeqCst);
                    let begun = Instant::now();
                    let response = request.bearer_auth(&asker.proof).send().await.unwrap();
                    response.text().await.unwrap();
                    // The first round asks GitHub who it is.
                    if round > 0 {
                        times[place].push(begun.elapsed());
                        costs[place].push(statements.load(Ordering::SeqCst) - before);
                    }
                }
            }
            let medians = times.map(median);
            let costs = costs.map(|costs| (median(costs.clone()), costs));
            println!(
                "{name}, {}: foreign {} statements, {:?}; absent {} statements, {:?}",
                document.split(' ').next().unwrap(),
                costs[0].0,
                medians[0],
                costs[1].0,
                medians[1],
            );
            assert_eq!(costs[0].0, costs[1].0, "{name}: {document}");
            assert!(costs[0].0 > 0, "nothing was counted");
            for (median, costs) in costs {
                let strays = costs.iter().filter(|cost| **cost != median).count();
                assert!(strays <= STRAY, "{name}: {document}: {costs:?}");
            }
        }
    }
}

fn median<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort();
    values[values.len() / 2]
}

/// A proxy before the database at `url`: where it is reached, and how many statements have gone through.
async fn count(url: &str) -> (String, Arc<AtomicUsize>) {
    let mut url = Url::parse(url).unwrap();
    let database = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(listener.local_addr().unwrap().port()))
        .unwrap();
    url.set_query(Some("sslmode=disable"));
    let statements = Arc::new(AtomicUsize::new(0));
    let counted = statements.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let database = TcpStream::connect(&database).await.unwrap();
            tokio::spawn(pass(client, database, counted.clone()));
        }
    });
    (url.to_string(), statements)
}

/// Passes on what either side says, until one is gone.
async fn pass(client: TcpStream, database: TcpStream, statements: Arc<AtomicUsize>) {
    client.set_nodelay(true).unwrap();
    database.set_nodelay(true).unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_database, mut to_database) = database.into_split();
    let back = tokio::spawn(async move {
        drop(tokio::io::copy(&mut from_database, &mut to_client).await);
    });
    // The first message has no type: a length that counts itself, and the rest.
    let mut is_typed = false;
    loop {
        let mut head = vec![0; if is_typed { 5 } else { 4 }];
        if from_client.read_exact(&mut head).await.is_err() {
            break;
        }
        let length = u32::from_be_bytes(head[head.len() - 4..].try_into().unwrap());
        let mut rest = vec![0; length as usize - 4];
        from_client.read_exact(&mut rest).await.unwrap();
        // `Bind` and `Query`. What ends the transaction follows the answer, and would count for the next request.
        let is_statement = is_typed && (head[0] == b'B' || head[0] == b'Q');
        if is_statement && !rest.starts_with(b"ROLLBACK") {
            statements.fetch_add(1, Ordering::SeqCst);
        }
        is_typed = true;
        head.append(&mut rest);
        if to_database.write_all(&head).await.is_err() {
            break;
        }
    }
    back.abort();
}
