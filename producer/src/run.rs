//! `sundial-producer run`: keeps the schedule. Measuring and delivering go on side by side, so that a server that is slow
//! or away delays no slot; the spool is between them.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::cli::Options;
use crate::client::Client;
use crate::delivery::{keep_delivering, request};
use crate::schedule::Schedule;
use crate::source::{Measured, Source};
use crate::spool::{Bound, Spool};
use crate::stop::Stop;
use crate::{Failed, settle};

/// The longest sleep: after it the clock is looked at again, for somebody may have set it, or the machine slept.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Keeps the schedule until a stop is wished.
///
/// # Errors
/// When it cannot begin, or the spool fails.
pub async fn run(options: &Options, stop: &Stop) -> Result<(), Failed> {
    let schedule = options.schedule(Timestamp::now())?;
    let client = settle(options)?;
    let source = Source::new(options)?;
    let spool = Spool::open(&options.spool(), Bound::default())?;
    let first = schedule.next(Timestamp::now()).ok_or(Failed::NoSlotYet)?;
    let (tenant, name, waiting) = (&options.tenant, options.name(), spool.len());
    info!(tenant, name, schedule = options.schedule, %first, waiting, "keeping the schedule");

    let added = Notify::new();
    let measure = keep_measuring(
        options, &schedule, &source, &client, &spool, &added, first, stop,
    );
    let (measured, delivered) =
        tokio::join!(measure, keep_delivering(&client, &spool, &added, stop));
    measured?;
    delivered?;
    info!(waiting = spool.len(), "stopped");
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
    first: Timestamp,
    stop: &Stop,
) -> Result<(), Failed> {
    let mut slot = first;
    let mut told = Told::default();
    loop {
        let measured = tokio::select! {
            measured = async {
                reach(slot).await;
                source.measure(client, slot, schedule.next(slot)).await
            } => measured,
            () = stop.wished() => return Ok(()),
        };
        told.trouble(slot, &measured);
        if !measured.samples.is_empty() {
            let request = request(&options.tenant, options.name(), slot, &measured.samples)?;
            match spool.add(slot, &request) {
                Ok(()) => added.notify_one(),
                Err(error) => told.unwritten(slot, &error),
            }
        }
        // A schedule that names years may be over.
        let Some(following) = schedule.follow(slot, Timestamp::now()) else {
            info!("the schedule is over");
            stop.wished().await;
            return Ok(());
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

/// Says what goes wrong, once for as long as it lasts: a run may come each second.
#[derive(Default)]
struct Told {
    trouble: Option<String>,
    unwritten: bool,
    skipped: u64,
    skipped_at: Option<Instant>,
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

    fn unwritten(&mut self, slot: Timestamp, error: &io::Error) {
        if !self.unwritten {
            warn!(%slot, "cannot write the spool, so that runs are lost: {error}; is the disk full?");
        }
        self.unwritten = true;
    }

    fn skipped(&mut self, slot: Timestamp, skipped: u64) {
        self.skipped += skipped;
        let due = self
            .skipped_at
            .is_none_or(|at| at.elapsed() >= Duration::from_secs(60));
        if self.skipped > 0 && due {
            warn!(next = %slot, skipped = self.skipped, "slots were skipped: a run took longer than the schedule allows");
            self.skipped = 0;
            self.skipped_at = Some(Instant::now());
        }
    }
}
