//! `sundial serve`: both ports, until a signal.

use std::{net::SocketAddr, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::{net::TcpListener, signal, sync::watch};

use crate::{
    App,
    api::{
        health,
        limit::{Allowance, Allowances, Limits},
        listen,
    },
    command::open,
    config::{LimitConfig, ServeConfig},
    error::{Error, Result},
    guard::system,
    identity::Identity,
};

/// How long running requests may take once the server stops.
const GRACE: Duration = Duration::from_secs(10);
/// Upper bounds of the histogram of requests, in seconds.
const SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// Runs the server until it is told to stop by SIGINT or SIGTERM.
///
/// # Errors
/// When it can't start: the database, a port, or a setting; in words that say what to do.
pub async fn run(config: ServeConfig) -> Result<()> {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, "panicked: {}", told_of(panic.payload()));
    }));
    let metrics = record_metrics()?;
    let public = bind(config.listen, "--listen").await?;
    let management = bind(config.management_listen, "--management-listen").await?;
    let mut pool = open(&config.database).await?;
    if let Some(slug) = config.tenant() {
        pool = pool.pinned_to(slug).await.map_err(|error| match error {
            Error::NotFound(_) => Error::bad_input(format!(
                "there is no tenant {slug} to serve (--tenant): make it with `sundial apply`"
            )),
            other => other,
        })?;
    }
    let faults = system::fence_faults(&pool).await?;
    if !faults.is_empty() {
        return Err(Error::Conflict(format!(
            "the second fence is not in force, so nothing is served:\n- {}",
            faults.join("\n- ")
        )));
    }
    let public_url = config.public_url();
    let identity = Identity::new(&config.github, public_url.clone(), pool.clone())?;
    let (stop, stopping) = watch::channel(false);
    let app = App::new(pool.clone(), identity, limits(&config.limits), stopping)
        .allowing(&config.allowed_origins);

    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        listen = %config.listen,
        management = %config.management_listen,
        "serving {public_url}"
    );
    // Answers to the end, so that whoever watches sees the server leave.
    health::serve(management, pool.clone(), metrics)?;
    let (waiting, compactor) = (app.clone(), app.compactor.clone());
    let exchange = app.live.clone().exchange(pool.clone());
    // Behind a proxy all connections are the proxy's.
    let most = match config.limits.trusted_proxies {
        0 => listen::CONNECTIONS,
        _ => usize::MAX,
    };
    let serving = tokio::spawn(async move {
        let stop = async move { waiting.stopping().await };
        listen::serve(public, crate::app(app), most, stop).await;
    });

    let beside = [tokio::spawn(compactor.run()), tokio::spawn(exchange)];

    told_to_stop().await;
    tracing::info!(
        "stopping: no new requests, {} s for those that run",
        GRACE.as_secs()
    );
    stop.send_replace(true);
    for task in beside {
        task.abort();
    }
    match tokio::time::timeout(GRACE, serving).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "the public port failed"),
        Err(_) => tracing::warn!("some requests took too long and were cut off"),
    }
    pool.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// What may be told of a panic: words that stand in the program. Those made while it runs can hold what it works on, and
/// a piece of a token among it; the place tells enough.
fn told_of(payload: &dyn std::any::Any) -> &'static str {
    payload
        .downcast_ref::<&'static str>()
        .unwrap_or(&"(the words are left out, for they may hold data)")
}

fn limits(config: &LimitConfig) -> Limits {
    let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
    let allowances = Allowances {
        principal: Allowance::of(config.principal, second, 10),
        address: Allowance::of(config.address, second, 10),
        failures: Allowance::of(config.failures, minute, 3),
    };
    Limits::new(allowances, config.trusted_proxies.into())
}

async fn bind(address: SocketAddr, option: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Error::bad_input(format!(
            "{address} can't be listened on ({error}): choose another by {option}"
        ))
    })
}

fn record_metrics() -> Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| Error::internal("starting the metrics", error))
}

async fn told_to_stop() {
    let interrupt = async {
        if let Err(error) = signal::ctrl_c().await {
            tracing::error!(%error, "SIGINT can't be heard");
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            Err(error) => {
                tracing::error!(%error, "SIGTERM can't be heard");
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_in_a_panic_is_not_told() {
        let caught = |panic: fn()| std::panic::catch_unwind(panic).unwrap_err();
        assert_eq!(told_of(&*caught(|| panic!("fixed words"))), "fixed words");
        let secret = caught(|| drop("sdl_ä"[..5].to_owned()));
        assert!(secret.downcast_ref::<String>().unwrap().contains("sdl_"));
        assert!(!told_of(&*secret).contains("sdl_"));
    }
}
