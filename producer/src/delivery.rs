//! From the spool to the server, in order: each run until the server has it or has refused it for good.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tracing::{debug, error, info, warn};

use crate::client::{Client, Failure, Kind, Receipt};
use crate::report::Reporter;
use crate::seldom::Seldom;
use crate::spool::Spool;
use crate::stop::Stop;

/// How often to look again where a person has to change something first.
const SETTING_PAUSE: Duration = Duration::from_secs(10);

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
    reporter: &Reporter<'_>,
    spool: &Spool,
    slot: Timestamp,
    request: Vec<u8>,
) -> Outcome {
    let outcome = match client.ingest(request).await {
        Ok(receipt) => {
            reporter.succeeded(slot, receipt.points);
            Outcome::Stored(Some(receipt))
        }
        Err(failure) => match failure.kind {
            Kind::Passing(_) | Kind::Setting => return Outcome::Waits(failure),
            Kind::Taken => {
                warn!(%slot, "the server has this slot already, with other values: {failure}");
                Outcome::Stored(None)
            }
            Kind::Refused => {
                error!(%slot, "not delivered: {failure}");
                reporter.failed(slot, &failure.cause);
                Outcome::Refused
            }
            Kind::Strange => {
                error!(%slot, "not delivered: {failure}");
                spool.set_aside(slot, "is no run");
                return Outcome::Refused;
            }
        },
    };
    spool.remove(slot);
    outcome
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
pub async fn keep_delivering(
    client: &Client,
    reporter: &Reporter<'_>,
    spool: &Spool,
    added: &Notify,
    stop: &Stop,
) {
    let mut pause = pauses();
    // Said once a cause, however long it lasts.
    let mut trouble: Option<String> = None;
    let mut unread: BTreeMap<io::ErrorKind, Seldom> = BTreeMap::new();
    let mut delivered = false;
    while !stop.is_wished() {
        let (slot, request) = match spool.first() {
            Ok(Some(first)) => first,
            Ok(None) => tokio::select! {
                () = added.notified() => continue,
                () = stop.wished() => break,
            },
            Err(error) => {
                if unread.entry(error.kind()).or_default().count(1).is_some() {
                    let waiting = spool.len();
                    warn!(
                        waiting,
                        "cannot read the spool: {error}; runs wait in it, and it is read again and again"
                    );
                }
                tokio::select! {
                    () = sleep(SETTING_PAUSE) => continue,
                    () = stop.wished() => break,
                }
            }
        };
        let outcome = tokio::select! {
            outcome = deliver(client, reporter, spool, slot, request) => outcome,
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
    reporter: &Reporter<'_>,
    spool: &Spool,
    last: Timestamp,
    deadline: Instant,
    stop: &Stop,
) -> Result<(), Undelivered> {
    let mut pause = pauses();
    let mut stored = false;
    while let Some((slot, request)) = spool.first()? {
        let outcome = tokio::select! {
            outcome = deliver(client, reporter, spool, slot, request) => outcome,
            () = stop.overdue() => return Err(Undelivered::Stopped(Fate::of(spool, last))),
        };
        match outcome {
            Outcome::Stored(receipt) => {
                stored |= slot == last;
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
                    return Err(Undelivered::Waits(failure, Fate::of(spool, last)));
                }
                warn!(%slot, "{failure}; trying again");
                tokio::select! {
                    () = sleep(wait) => {}
                    () = stop.wished() => {}
                }
            }
        }
        if stop.is_wished() && spool.len() > 0 {
            return Err(Undelivered::Stopped(Fate::of(spool, last)));
        }
    }
    if stored {
        Ok(())
    } else {
        Err(Undelivered::Gone)
    }
}

/// Why a slot's run was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// It waits on.
    #[error("not delivered: {0}; {1}")]
    Waits(Failure, Fate),
    /// The server never will take it; why was said when it refused.
    #[error("the server refused the run")]
    Refused,
    /// A stop was wished first.
    #[error("stopped before all was delivered; {0}")]
    Stopped(Fate),
    /// It is not in the spool any more, for a reason that was said.
    #[error("the run is gone from the spool")]
    Gone,
    /// The spool failed.
    #[error("spool: {0}")]
    Spool(#[from] io::Error),
}

/// What becomes of a run that this process does not deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is in the spool.
    Kept,
    /// It is in memory only.
    Lost,
}

impl Fate {
    fn of(spool: &Spool, slot: Timestamp) -> Self {
        // What could not be written a moment ago may be now.
        spool.close();
        if spool.keeps(slot) {
            Self::Kept
        } else {
            Self::Lost
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kept => "the run waits in the spool for the next one",
            Self::Lost => "the run is lost, as the spool cannot be written; make room for it",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
