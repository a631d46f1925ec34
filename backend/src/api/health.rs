//! Health and metrics, on a port of their own that no ingress exposes.

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::{guard::Pool, guard::system};

/// `/livez` (the process answers), `/readyz` (so does the database) and `/metrics`.
pub fn router(pool: Pool, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready).with_state(pool))
        .route("/metrics", get(async move || page(&metrics)))
}

async fn ready(State(pool): State<Pool>) -> impl IntoResponse {
    match system::ping(&pool).await {
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
