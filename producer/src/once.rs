//! `sundial-producer once`: one run, for a CronJob.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::cli::Once;
use crate::delivery::deliver_all;
use crate::report::Reporter;
use crate::request::request;
use crate::source::Source;
use crate::spool::{Bound, Spool};
use crate::stop::Stop;
use crate::{Failed, settle};

/// Runs for one slot, and delivers it with what waited before it.
///
/// # Errors
/// When the slot was not delivered.
pub async fn once(arguments: &Once, stop: &Stop) -> Result<(), Failed> {
    let options = &arguments.options;
    let now = Timestamp::now();
    let schedule = options.schedule(now)?;
    let latest = schedule.latest(arguments.slot.unwrap_or(now));
    let slot = match (arguments.slot, latest) {
        (Some(slot), latest) if latest != Some(slot) => {
            return Err(Failed::NoSlot { slot, latest });
        }
        (_, latest) => latest.ok_or(Failed::NoSlotYet)?,
    };
    let client = settle(options)?;
    let reporter = Reporter::new(&client, options);
    let source = Source::new(options)?;
    let spool = Spool::open(&options.spool(), &options.tenant, Bound::default())?;
    // A run that was measured and not delivered is delivered, never measured anew.
    if spool.holds(slot)? {
        info!(%slot, "the slot's run waits in the spool from before");
    } else {
        let measured = tokio::select! {
            measured = source.measure(&client, slot, None) => measured,
            () = stop.wished() => return Err(Failed::Stopped),
        };
        match measured.trouble {
            Some(trouble) if measured.samples.is_empty() => {
                reporter.failed(slot, &trouble.to_string());
                reporter.part(stop).await;
                return Err(Failed::Nothing(trouble));
            }
            Some(trouble) => warn!(%slot, "measured less than usual: {trouble}"),
            None => {}
        }
        let request = request(&options.tenant, options.name(), slot, &measured.samples)?;
        if let Err(error) = spool.add(slot, request) {
            warn!(%slot, "cannot write the spool: {error}; is the disk full? The run is sent directly");
        }
    }
    let patience = Duration::try_from(arguments.give_up_after).unwrap_or_default();
    let deadline = Instant::now() + patience;
    let delivered = deliver_all(&client, &reporter, &spool, slot, deadline, stop).await;
    reporter.part(stop).await;
    Ok(delivered?)
}
