//! `sundial-producer run`: keeps the schedule. Measuring and delivering go on side by side, so that a server that is slow
//! or away delays no slot; the spool is between them.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::cli::Options;
use crate::client::Client;
use crate::delivery::keep_delivering;
use crate::report::Reporter;
use crate::request::{Unwritable, request};
use crate::schedule::Schedule;
use crate::seldom::Seldom;
use crate::source::{Measured, Source};
use crate::spool::{Bound, Spool};
use crate::stop::Stop;
use crate::{Failed, settle};

/// The longest sleep: after it the clock is looked at again, for somebody may have set it, or the machine slept.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Keeps the schedule until a stop is wished.
///
/// # Errors
/// When it cannot begin.
pub async fn run(options: &Options, stop: &Stop) -> Result<(), Failed> {
    let schedule = options.schedule(Timestamp::now())?;
    let client = settle(options)?;
    let source = Source::new(options)?;
    let spool = Spool::open(&options.spool(), &options.tenant, Bound::default())?;
    let first = schedule.next(Timestamp::now()).ok_or(Failed::NoSlotYet)?;
    let (tenant, name, waiting) = (&options.tenant, options.name(), spool.len());
    info!(tenant, name, schedule = options.schedule, %first, waiting, "keeping the schedule");

    let added = Notify::new();
    let reporter = Reporter::new(&client, options);
    let measure = keep_measuring(
        options, &schedule, &source, &client, &spool, &added, &reporter, first, stop,
    );
    // Neither ends before the stop, whatever fails: an error is said, and the next slot comes.
    tokio::join!(
        measure,
        keep_delivering(&client, &reporter, &spool, &added, stop),
        reporter.keep_telling(stop),
    );
    let lost = spool.close();
    if lost > 0 {
        warn!(
            lost,
            "runs were lost that neither the spool nor the server took"
        );
    }
    reporter.part(stop).await;
    info!(waiting = spool.len() - lost, "stopped");
    Ok(())
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of a run, each used as it is"
)]
async fn keep_measuring(
    options: &Options,
    schedule: &Schedule,
    source: &Source,
    client: &Client,
    spool: &Spool,
    added: &Notify,
    reporter: &Reporter<'_>,
    first: Timestamp,
    stop: &Stop,
) {
    let mut slot = first;
    let mut told = Told::default();
    loop {
        let measured = tokio::select! {
            measured = async {
                reach(slot).await;
                source.measure(client, slot, schedule.next(slot)).await
            } => measured,
            () = stop.wished() => return,
        };
        told.trouble(slot, &measured);
        if measured.samples.is_empty() {
            let why = measured.trouble.map(|trouble| trouble.to_string());
            reporter.failed(slot, why.as_deref().unwrap_or("nothing was measured"));
        } else {
            match request(&options.tenant, options.name(), slot, &measured.samples) {
                Ok(request) => {
                    told.written(slot, spool.add(slot, request));
                    added.notify_one();
                }
                Err(error) => told.unusable(slot, &error),
            }
        }
        // A schedule that names years may be over.
        let Some(following) = schedule.follow(slot, Timestamp::now()) else {
            info!("the schedule is over");
            stop.wished().await;
            return;
        };
        told.skipped(following.slot, following.skipped);
        slot = following.slot;
    }
}

/// Sleeps until the clock shows an instant.
async fn reach(slot: Timestamp) {
    while let Ok(left) = Duration::try_from(slot.duration_since(Timestamp::now())) {
        if left.is_zero() {
            return;
        }
        sleep(left.min(LONGEST_SLEEP)).await;
    }
}

/// Says what goes wrong, once for as long as it lasts or once a minute: a run may come each second.
#[derive(Default)]
struct Told {
    trouble: Option<String>,
    failing: bool,
    unwritten: Seldom,
    unusable: Seldom,
    skipped: Seldom,
}

impl Told {
    fn trouble(&mut self, slot: Timestamp, measured: &Measured) {
        let trouble = measured.trouble.as_ref().map(ToString::to_string);
        match (&self.trouble, &trouble) {
            (None, Some(now)) => warn!(%slot, "cannot measure all: {now}"),
            (Some(was), None) => info!(%slot, "measuring all again, after: {was}"),
            _ => {}
        }
        self.trouble = trouble;
    }

    fn written(&mut self, slot: Timestamp, written: io::Result<()>) {
        let was = std::mem::replace(&mut self.failing, written.is_err());
        match written {
            Ok(()) if was => info!(%slot, "writing the spool again"),
            Ok(()) => {}
            Err(error) => {
                if let Some(runs) = self.unwritten.count(1) {
                    warn!(%slot, runs, "cannot write the spool: {error}; is the disk full? Runs are sent directly, and lost if \
                        the server cannot be reached");
                }
            }
        }
    }

    fn unusable(&mut self, slot: Timestamp, error: &Unwritable) {
        if let Some(runs) = self.unusable.count(1) {
            warn!(%slot, runs, "runs are lost: {error}");
        }
    }

    fn skipped(&mut self, slot: Timestamp, skipped: u64) {
        if let Some(skipped) = self.skipped.count(skipped) {
            warn!(next = %slot, skipped, "slots were skipped: a run took longer than the schedule allows");
        }
    }
}
