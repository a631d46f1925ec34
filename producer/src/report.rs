//! How runs end, told to the server: whoever looks sees which slots have none. No run waits for it, and none fails by it:
//! what cannot be told in time is left out.

use std::time::Duration;

use graphql_client::GraphQLQuery;
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::cli::Options;
use crate::client::Client;
use crate::operation::{
    Report,
    report::{self, RunOutcome},
};
use crate::seldom::Seldom;
use crate::stop::Stop;

/// Most reports that wait to be told.
const WAITING: usize = 1_000;
/// How long a program that ends still tells.
const PARTING: Duration = Duration::from_secs(5);
/// Most characters of why a run has failed.
const WORDS: usize = 1_000;

/// A run's slot, and how it has ended.
type Ended = (Timestamp, RunOutcome);

/// The producer as the server knows it, and what it has not been told yet.
pub struct Reporter<'a> {
    client: &'a Client,
    options: &'a Options,
    ended: Sender<Ended>,
    untold: Mutex<Receiver<Ended>>,
}

impl<'a> Reporter<'a> {
    /// Of the producer that the options name.
    pub fn new(client: &'a Client, options: &'a Options) -> Self {
        let (ended, untold) = channel(WAITING);
        Self {
            client,
            options,
            ended,
            untold: Mutex::new(untold),
        }
    }

    /// The server has a slot's points.
    pub fn succeeded(&self, slot: Timestamp, points: i64) {
        self.add(slot, RunOutcome::Points(points));
    }

    /// A slot has no points, and why.
    pub fn failed(&self, slot: Timestamp, why: &str) {
        let why = why.chars().take(WORDS).collect();
        self.add(slot, RunOutcome::Error(why));
    }

    fn add(&self, slot: Timestamp, outcome: RunOutcome) {
        if self.ended.try_send((slot, outcome)).is_err() {
            debug!(%slot, "too many reports wait: this one is left out");
        }
    }

    /// Tells what there is to tell, until a stop is wished.
    pub async fn keep_telling(&self, stop: &Stop) {
        let mut untold = self.untold.lock().await;
        let mut teller = Teller::default();
        let telling = async {
            while let Some((slot, outcome)) = untold.recv().await {
                teller.tell(self, slot, outcome).await;
            }
        };
        tokio::select! {
            () = telling => {}
            () = stop.wished() => {}
        }
    }

    /// Tells what is left, for a short while.
    pub async fn part(&self, stop: &Stop) {
        let mut untold = self.untold.lock().await;
        let mut teller = Teller::default();
        let telling = timeout(PARTING, async {
            while let Ok((slot, outcome)) = untold.try_recv() {
                teller.tell(self, slot, outcome).await;
            }
        });
        tokio::select! {
            told = telling => if told.is_err() {
                warn!("cannot tell of runs: no answer in time; their points are not concerned");
            },
            () = stop.overdue() => {}
        }
    }
}

/// What is known of the telling.
#[derive(Default)]
struct Teller {
    /// Whether the server knows the schedule.
    is_known: bool,
    failed: Seldom,
}

impl Teller {
    async fn tell(&mut self, reporter: &Reporter<'_>, slot: Timestamp, outcome: RunOutcome) {
        let Reporter {
            client, options, ..
        } = reporter;
        let request = Report::build_query(report::Variables {
            tenant: options.tenant.clone(),
            name: options.name().into(),
            schedule: options.schedule.clone(),
            time_zone: options.time_zone.clone(),
            is_new: !self.is_known,
            slot: slot.as_microsecond(),
            outcome,
        });
        let told = client.report(&request).await;
        // What somebody has deleted meanwhile is made again.
        self.is_known = told.is_ok();
        if let Err(failure) = told
            && let Some(runs) = self.failed.count(1)
        {
            warn!(%slot, runs, "cannot tell of runs: {failure}; their points are not concerned");
        }
    }
}
