//! How runs end, told to the server: whoever looks sees which slots have none. No run waits for it, and none fails by it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use graphql_client::GraphQLQuery;
use jiff::Timestamp;
use tracing::warn;

use crate::cli::Options;
use crate::client::Client;
use crate::operation::{
    Report,
    report::{self, RunOutcome},
};
use crate::seldom::Seldom;

/// Most characters of why a run has failed.
const WORDS: usize = 1_000;

/// The producer as the server knows it.
#[derive(Debug)]
pub struct Reporter<'a> {
    /// The server.
    pub client: &'a Client,
    options: &'a Options,
    /// Whether the server knows the schedule.
    is_known: AtomicBool,
    untold: Mutex<Seldom>,
}

impl<'a> Reporter<'a> {
    /// Of the producer that the options name.
    pub fn new(client: &'a Client, options: &'a Options) -> Self {
        Self {
            client,
            options,
            is_known: AtomicBool::new(false),
            untold: Mutex::default(),
        }
    }

    /// The server has a slot's points.
    pub async fn succeeded(&self, slot: Timestamp, points: i64) {
        self.tell(slot, RunOutcome::Points(points)).await;
    }

    /// A slot has no points, and why.
    pub async fn failed(&self, slot: Timestamp, why: &str) {
        let why = why.chars().take(WORDS).collect();
        self.tell(slot, RunOutcome::Error(why)).await;
    }

    async fn tell(&self, slot: Timestamp, outcome: RunOutcome) {
        let request = Report::build_query(report::Variables {
            tenant: self.options.tenant.clone(),
            name: self.options.name().into(),
            schedule: self.options.schedule.clone(),
            time_zone: self.options.time_zone.clone(),
            is_new: !self.is_known.load(Ordering::Relaxed),
            slot: slot.as_microsecond(),
            outcome,
        });
        let told = self.client.report(&request).await;
        // What somebody has deleted meanwhile is made again.
        self.is_known.store(told.is_ok(), Ordering::Relaxed);
        if let Err(failure) = told {
            let untold = self
                .untold
                .lock()
                .ok()
                .and_then(|mut untold| untold.count(1));
            if let Some(runs) = untold {
                warn!(%slot, runs, "cannot tell of runs: {failure}; their points are not concerned");
            }
        }
    }
}
