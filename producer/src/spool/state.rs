//! What a spool knows of its runs.

use std::collections::BTreeMap;

use crate::request::LARGEST;
use crate::seldom::Seldom;

/// How many runs, and how many of their bytes, are held in memory where they cannot be written.
pub const UNWRITTEN_RUNS: usize = 60;
const UNWRITTEN_BYTES: usize = 2 * LARGEST;

/// Waiting runs, and what is to be said of others.
#[derive(Debug, Default)]
pub struct State {
    /// By slot, in microseconds.
    pub waiting: BTreeMap<i64, Run>,
    /// Runs that the bound pushed out.
    pub dropped: Seldom,
    /// Runs that were neither written nor delivered.
    pub lost: Seldom,
}

/// A waiting run.
#[derive(Debug)]
pub enum Run {
    /// Bytes in its file.
    Written(u64),
    /// The request.
    Unwritten(Vec<u8>),
}

impl State {
    /// Bytes of all files together.
    pub fn bytes(&self) -> u64 {
        let bytes = |run: &Run| match run {
            Run::Written(bytes) => *bytes,
            Run::Unwritten(_) => 0,
        };
        self.waiting.values().map(bytes).sum()
    }

    /// Slots and sizes of what is in memory only, the latest first.
    pub fn unwritten(&self) -> impl Iterator<Item = (i64, usize)> {
        let runs = self.waiting.iter().rev();
        runs.filter_map(|(slot, run)| match run {
            Run::Written(_) => None,
            Run::Unwritten(request) => Some((*slot, request.len())),
        })
    }

    /// Drops the oldest of what is in memory beyond what may be there, and tells how many.
    pub fn forget_unwritten(&mut self) -> u64 {
        let mut bytes = 0;
        let beyond = self.unwritten().enumerate().filter(|(index, (_, size))| {
            bytes += size;
            *index >= UNWRITTEN_RUNS || bytes > UNWRITTEN_BYTES
        });
        let slots: Vec<_> = beyond.map(|(_, (slot, _))| slot).collect();
        for slot in &slots {
            self.waiting.remove(slot);
        }
        slots.len() as u64
    }
}
