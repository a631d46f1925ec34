//! Requests, some at the same time, each answered before the next.

use std::{
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Client, header};
use tokio::task::JoinSet;

use crate::{Arguments, data::Kind};

/// How fast it was.
pub struct Report {
    points: usize,
    requests: usize,
    took: Duration,
    latencies: Vec<Duration>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        let at = |share: f64| {
            let place = (self.latencies.len() as f64 * share) as usize;
            let latency = self.latencies.get(place).copied().unwrap_or_default();
            latency.as_secs_f64() * 1e3
        };
        write!(
            f,
            r#"{{"points_per_second":{:.0},"requests_per_second":{:.1},"seconds":{seconds:.2},"p50_ms":{:.2},"p99_ms":{:.2}}}"#,
            self.points as f64 / seconds,
            self.requests as f64 / seconds,
            at(0.5),
            at(0.99)
        )
    }
}

/// Sends all bodies.
pub async fn run(
    url: &str,
    arguments: &Arguments,
    bodies: Vec<Vec<u8>>,
) -> Result<Report, Box<dyn Error>> {
    let client = Client::builder().pool_max_idle_per_host(64).build()?;
    let requests = bodies.len();
    let bodies = Arc::new(bodies);
    let next = Arc::new(AtomicUsize::new(0));
    let mut senders = JoinSet::new();
    let start = Instant::now();
    for _ in 0..arguments.connections {
        let (client, bodies, next) = (client.clone(), bodies.clone(), next.clone());
        let (url, token, kind) = (url.to_owned(), arguments.token.clone(), arguments.kind);
        senders.spawn(async move {
            let mut latencies = Vec::new();
            while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut request = client.post(&url).body(body.clone());
                if matches!(kind, Kind::Sundial | Kind::Postgraphile) {
                    request = request.header(header::CONTENT_TYPE, "application/json");
                }
                if let Some(token) = &token {
                    request = request.bearer_auth(token);
                }
                let sent = Instant::now();
                let answer = request.send().await.map_err(|error| error.to_string())?;
                let status = answer.status();
                let text = answer.text().await.map_err(|error| error.to_string())?;
                if !status.is_success() || text.contains("\"errors\"") {
                    return Err(format!("{status}: {text}"));
                }
                latencies.push(sent.elapsed());
            }
            Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(sender) = senders.join_next().await {
        latencies.extend(sender??);
    }
    latencies.sort();
    Ok(Report {
        points: requests * arguments.series * arguments.points,
        requests,
        took: start.elapsed(),
        latencies,
    })
}
