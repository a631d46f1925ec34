//! Health and metrics, on a port of their own that no ingress exposes.

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Handle},
};

use crate::{
    error::{Error, Result},
    guard::{Pool, system},
};

/// Answers on `listener` for as long as the process lives, in a thread of its own: whatever keeps the server busy,
/// whoever watches it is answered.
///
/// # Errors
/// [`Error::Internal`] when the thread can't be started.
pub fn serve(listener: TcpListener, pool: Pool, metrics: PrometheusHandle) -> Result<()> {
    let starting = |error| Error::internal("starting the management port", error);
    let listener = listener.into_std().map_err(starting)?;
    let router = router(pool, metrics);
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(starting)?;
    let serving = async move { axum::serve(TcpListener::from_std(listener)?, router).await };
    std::thread::Builder::new()
        .name("management".into())
        .spawn(move || {
            if let Err(error) = runtime.block_on(serving) {
                tracing::error!(%error, "the management port failed");
            }
        })
        .map_err(starting)?;
    Ok(())
}

/// `/livez` (the process answers), `/readyz` (so does the database) and `/metrics`.
fn router(pool: Pool, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready).with_state((pool, Handle::current())))
        .route("/metrics", get(async move || page(&metrics)))
}

async fn ready(State((pool, server)): State<(Pool, Handle)>) -> impl IntoResponse {
    // Where the server's own connections are made: they belong to the runtime that made them.
    let answer = server.spawn(async move { system::ping(&pool).await }).await;
    match answer.unwrap_or_else(|error| Err(Error::internal("asking the database", error))) {
        Ok(()) => (StatusCode::OK, "ok\n"),
        Err(error) => {
            tracing::warn!("not ready: {error}");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer\n",
            )
        }
    }
}

fn page(metrics: &PrometheusHandle) -> impl IntoResponse + use<> {
    measure_process();
    metrics.run_upkeep();
    (
        [("content-type", "text/plain; version=0.0.4; charset=utf-8")],
        metrics.render(),
    )
}

/// Memory and processor time of this process, where the system tells (Linux).
fn measure_process() {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else {
        return;
    };
    // The name in parentheses may hold spaces; the fields are counted behind it (proc(5)).
    let Some((_, fields)) = stat.rsplit_once(')') else {
        return;
    };
    let field = |number: usize| {
        fields
            .split_whitespace()
            .nth(number - 3)?
            .parse::<f64>()
            .ok()
    };
    if let (Some(user), Some(system)) = (field(14), field(15)) {
        // USER_HZ is 100 on every architecture that Linux exposes it on.
        metrics::gauge!("process_cpu_seconds_total").set((user + system) / 100.0);
    }
    if let Ok(status) = std::fs::read_to_string("/proc/self/status")
        && let Some(line) = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))
        && let Some(kibibytes) = line
            .split_whitespace()
            .next()
            .and_then(|text| text.parse::<f64>().ok())
    {
        metrics::gauge!("process_resident_memory_bytes").set(kibibytes * 1024.0);
    }
}
