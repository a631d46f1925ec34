//! From the spool to the server, in order: each run until the server has it or has refused it for good.

use std::io;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use graphql_client::GraphQLQuery;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tracing::{debug, error, info, warn};

use crate::client::{Client, Failure, Kind, Receipt};
use crate::operation::{Ingest, ingest};
use crate::series::Sample;
use crate::spool::Spool;
use crate::stop::Stop;

/// How often to look again where a person has to change something first.
const SETTING_PAUSE: Duration = Duration::from_secs(10);

/// The request that writes a slot's samples. The key comes from producer, slot and tenant alone, so that a repeated run
/// of a slot cannot count twice.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn request(
    tenant: &str,
    name: &str,
    slot: Timestamp,
    samples: &[Sample],
) -> serde_json::Result<Vec<u8>> {
    let batch = |sample: &Sample| ingest::SeriesBatch {
        series: sample.series.to_string(),
        times: vec![slot.as_microsecond()],
        values: vec![sample.value],
    };
    serde_json::to_vec(&Ingest::build_query(ingest::Variables {
        tenant: tenant.into(),
        batches: samples.iter().map(batch).collect(),
        idempotency_key: Some(key(tenant, name, slot)),
    }))
}

/// 32 hexadecimal digits. Each part has its length in front, so that no two triples read the same.
fn key(tenant: &str, name: &str, slot: Timestamp) -> String {
    let slot = slot.as_microsecond().to_string();
    let mut hash = Sha256::new();
    for part in [name, &slot, tenant] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What became of the oldest waiting run.
enum Outcome {
    /// The server has it; with the receipt, if it has it from this request.
    Stored(Option<Receipt>),
    /// It was dropped, as the server never will take it.
    Refused,
    /// It waits on.
    Waits(Failure),
}

/// Delivers one run, and takes it out of the spool unless it waits on.
async fn deliver(
    client: &Client,
    spool: &Spool,
    slot: Timestamp,
    request: Vec<u8>,
) -> io::Result<Outcome> {
    let outcome = match client.ingest(request).await {
        Ok(receipt) => Outcome::Stored(Some(receipt)),
        Err(failure) => match failure.kind {
            Kind::Passing(_) | Kind::Setting => return Ok(Outcome::Waits(failure)),
            Kind::Taken => {
                warn!(%slot, "the server has this slot already, with other values: {failure}");
                Outcome::Stored(None)
            }
            Kind::Refused => {
                error!(%slot, "not delivered: {failure}");
                Outcome::Refused
            }
        },
    };
    spool.remove(slot)?;
    Ok(outcome)
}

/// Growing pauses with some chance in them, so that many producers do not come back at once.
fn pauses() -> ExponentialBackoff {
    let growing = ExponentialBuilder::default()
        .with_jitter()
        .without_max_times();
    growing
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5))
        .build()
}

/// Delivers what waits and what comes, until a stop is wished. A delivery on its way may end first.
///
/// # Errors
/// When the spool cannot be read or written.
pub async fn keep_delivering(
    client: &Client,
    spool: &Spool,
    added: &Notify,
    stop: &Stop,
) -> io::Result<()> {
    let mut pause = pauses();
    // Said once a cause, however long it lasts.
    let mut trouble: Option<String> = None;
    let mut delivered = false;
    while !stop.is_wished() {
        let Some((slot, request)) = spool.first()? else {
            tokio::select! {
                () = added.notified() => continue,
                () = stop.wished() => break,
            }
        };
        let outcome = tokio::select! {
            outcome = deliver(client, spool, slot, request) => outcome?,
            () = stop.overdue() => break,
        };
        let wait = match outcome {
            Outcome::Stored(receipt) => {
                let points = receipt.as_ref().map(|receipt| receipt.points);
                let replayed = receipt.as_ref().is_some_and(|receipt| receipt.replayed);
                debug!(%slot, points, replayed, "delivered");
                if let Some(was) = trouble.take() {
                    info!(waiting = spool.len(), "delivering again, after: {was}");
                } else if !delivered {
                    info!(%slot, points, "delivered the first run");
                }
                delivered = true;
                pause = pauses();
                continue;
            }
            Outcome::Refused => continue,
            Outcome::Waits(failure) => {
                if trouble.as_ref() != Some(&failure.cause) {
                    warn!(
                        waiting = spool.len(),
                        "cannot deliver: {failure}; runs wait in the spool"
                    );
                }
                let wait = wait(&failure, &mut pause);
                trouble = Some(failure.cause);
                wait
            }
        };
        tokio::select! {
            () = sleep(wait) => {}
            () = stop.wished() => {}
        }
    }
    Ok(())
}

fn wait(failure: &Failure, pause: &mut ExponentialBackoff) -> Duration {
    match failure.kind {
        Kind::Passing(after) => after
            .unwrap_or_default()
            .max(pause.next().unwrap_or(SETTING_PAUSE)),
        _ => SETTING_PAUSE,
    }
}

/// Delivers all that waits, up to and with `last`, trying again until `deadline`.
///
/// # Errors
/// The failure that kept `last` in the spool, or made it go for good.
pub async fn deliver_all(
    client: &Client,
    spool: &Spool,
    last: Timestamp,
    deadline: Instant,
    stop: &Stop,
) -> Result<(), Undelivered> {
    let mut pause = pauses();
    while let Some((slot, request)) = spool.first()? {
        let outcome = tokio::select! {
            outcome = deliver(client, spool, slot, request) => outcome?,
            () = stop.overdue() => return Err(Undelivered::Stopped),
        };
        match outcome {
            Outcome::Stored(receipt) => {
                if let Some(Receipt {
                    points,
                    series,
                    replayed,
                }) = receipt
                {
                    info!(%slot, points, series, replayed, "delivered");
                }
            }
            Outcome::Refused if slot == last => return Err(Undelivered::Refused),
            Outcome::Refused => {}
            Outcome::Waits(failure) => {
                let wait = wait(&failure, &mut pause);
                if failure.kind == Kind::Setting || Instant::now() + wait > deadline {
                    return Err(Undelivered::Waits(failure));
                }
                warn!(%slot, "{failure}; trying again");
                tokio::select! {
                    () = sleep(wait) => {}
                    () = stop.wished() => {}
                }
            }
        }
        if stop.is_wished() && spool.len() > 0 {
            return Err(Undelivered::Stopped);
        }
    }
    Ok(())
}

/// Why a slot's run was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// It waits in the spool.
    #[error("not delivered: {0}; the run waits in the spool for the next one")]
    Waits(Failure),
    /// The server never will take it; why was said when it refused.
    #[error("the server refused the run")]
    Refused,
    /// A stop was wished first.
    #[error("stopped before the run was delivered; it waits in the spool for the next one")]
    Stopped,
    /// The spool failed.
    #[error("spool: {0}")]
    Spool(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_of_producer_slot_and_tenant() {
        let slot: Timestamp = "2026-05-01T10:00:00Z".parse().unwrap();
        let later = slot + Duration::from_secs(1);
        let first = key("prod", "clock", slot);
        assert_eq!(first.len(), 32);
        assert_eq!(first, key("prod", "clock", slot));
        for other in [
            key("test", "clock", slot),
            key("prod", "clock2", slot),
            key("prod", "clock", later),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn a_server_that_names_a_time_is_not_asked_before_it() {
        let failure = |kind| Failure {
            kind,
            cause: String::new(),
        };
        let asked = Duration::from_secs(7);
        assert_eq!(
            wait(&failure(Kind::Passing(Some(asked))), &mut pauses()),
            asked
        );
        assert!(wait(&failure(Kind::Passing(None)), &mut pauses()) < Duration::from_secs(1));
    }
}
