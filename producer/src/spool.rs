//! What is not delivered yet, on disk: one file a run, named after its slot, holding the request byte for byte as it
//! will be sent, so that sending it again is a replay. Runs leave in the order of their slots.
//!
//! Invariant: a run is written here before it is sent, and leaves only when the server has it, has refused it for
//! good, or the bound pushes it out.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tracing::warn;

/// How much a spool holds; beyond it the oldest run goes.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// Runs: the default is a day of one run each second.
    pub runs: usize,
    /// Bytes of all files together.
    pub bytes: u64,
}

impl Default for Bound {
    fn default() -> Self {
        Self {
            runs: 86_400,
            bytes: 128 << 20,
        }
    }
}

/// A directory of waiting runs, owned by this process alone.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    bound: Bound,
    /// Slot in microseconds → bytes in its file.
    waiting: Mutex<BTreeMap<i64, u64>>,
    /// Held open, for its lock.
    _lock: File,
}

/// Why a spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The directory cannot be read or written.
    #[error("spool {0}: {1}; name a directory that this user can write with --spool")]
    Io(PathBuf, io::Error),
    /// Another process owns it.
    #[error(
        "spool {0} is in use by another producer of the same name and tenant; end that one, or use another --name"
    )]
    Busy(PathBuf),
}

impl Spool {
    /// Opens a directory, making it if it is not there, and takes in what an earlier process left.
    ///
    /// # Errors
    /// When it cannot be written or another process holds it.
    pub fn open(directory: &Path, bound: Bound) -> Result<Self, Unusable> {
        let failed = |error| Unusable::Io(directory.into(), error);
        fs::create_dir_all(directory).map_err(failed)?;
        let lock = File::create(directory.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Unusable::Busy(directory.into())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let waiting = Mutex::new(take_stock(directory).map_err(failed)?);
        Ok(Self {
            directory: directory.into(),
            bound,
            waiting,
            _lock: lock,
        })
    }

    /// Adds a slot's request, and drops the oldest runs beyond the bound.
    ///
    /// # Errors
    /// When it cannot be written: then the run is not in the spool.
    pub fn add(&self, slot: Timestamp, request: &[u8]) -> io::Result<()> {
        let slot = slot.as_microsecond();
        let path = self.path(slot);
        let beside = path.with_extension("new");
        let mut file = File::create(&beside)?;
        file.write_all(request)?;
        file.sync_all()?;
        fs::rename(beside, path)?;
        let mut waiting = self.waiting();
        waiting.insert(slot, request.len() as u64);
        let mut dropped = 0_u64;
        while waiting.len() > 1
            && (waiting.len() > self.bound.runs || waiting.values().sum::<u64>() > self.bound.bytes)
        {
            let Some((oldest, _)) = waiting.pop_first() else {
                break;
            };
            fs::remove_file(self.path(oldest))?;
            dropped += 1;
        }
        if dropped > 0 {
            warn!(
                dropped,
                waiting = waiting.len(),
                "the spool is full: dropped the oldest of the waiting runs"
            );
        }
        Ok(())
    }

    /// The oldest waiting run: its slot and its request. What cannot be read as a request is dropped with a word.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn first(&self) -> io::Result<Option<(Timestamp, Vec<u8>)>> {
        loop {
            let Some(slot) = self.waiting().first_key_value().map(|(slot, _)| *slot) else {
                return Ok(None);
            };
            let request = fs::read(self.path(slot))?;
            let whole = serde_json::from_slice::<serde::de::IgnoredAny>(&request).is_ok();
            match Timestamp::from_microsecond(slot) {
                Ok(slot) if whole => return Ok(Some((slot, request))),
                _ => {
                    warn!(file = %self.path(slot).display(), "dropped a spool file that is no request");
                    self.discard(slot)?;
                }
            }
        }
    }

    /// Whether a slot's run waits here.
    pub fn holds(&self, slot: Timestamp) -> bool {
        self.waiting().contains_key(&slot.as_microsecond())
    }

    /// How many runs wait.
    pub fn len(&self) -> usize {
        self.waiting().len()
    }

    /// Removes a slot's run, delivered or refused.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn remove(&self, slot: Timestamp) -> io::Result<()> {
        self.discard(slot.as_microsecond())
    }

    fn discard(&self, slot: i64) -> io::Result<()> {
        self.waiting().remove(&slot);
        match fs::remove_file(self.path(slot)) {
            // The bound pushed it out while it was on its way.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn path(&self, slot: i64) -> PathBuf {
        self.directory.join(format!("{slot:020}.json"))
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<i64, u64>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runs in a directory. Half-written files of a process that was killed go: their runs were never acknowledged.
fn take_stock(directory: &Path) -> io::Result<BTreeMap<i64, u64>> {
    let mut waiting = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        let slot = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse::<i64>().ok());
        match (
            slot,
            path.extension().and_then(|extension| extension.to_str()),
        ) {
            (Some(slot), Some("json")) => {
                waiting.insert(slot, entry.metadata()?.len());
            }
            (Some(_), Some("new")) => fs::remove_file(path)?,
            _ => {}
        }
    }
    Ok(waiting)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn drain(spool: &Spool) -> Vec<i64> {
        let mut slots = Vec::new();
        while let Some((slot, _)) = spool.first().unwrap() {
            spool.remove(slot).unwrap();
            slots.push(slot.as_second());
        }
        slots
    }

    #[test]
    fn runs_leave_in_the_order_of_their_slots_across_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::open(directory.path(), Bound::default()).unwrap();
        for second in [30, 10, 20] {
            spool.add(slot(second), b"{}").unwrap();
        }
        drop(spool);
        let spool = Spool::open(directory.path(), Bound::default()).unwrap();
        spool.add(slot(15), b"{}").unwrap();
        assert_eq!(spool.len(), 4);
        assert_eq!(drain(&spool), [10, 15, 20, 30]);
    }

    #[test]
    fn a_request_comes_back_byte_for_byte() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::open(directory.path(), Bound::default()).unwrap();
        let request = br#"{"variables": {"value": 0.1000000000000000055511151231257827}}"#;
        spool.add(slot(1), request).unwrap();
        assert_eq!(spool.first().unwrap().unwrap(), (slot(1), request.to_vec()));
    }

    #[test]
    fn the_bound_drops_the_oldest() {
        let directory = tempfile::tempdir().unwrap();
        for (bound, left) in [
            (
                Bound {
                    runs: 2,
                    bytes: 1000,
                },
                [3, 4],
            ),
            (Bound { runs: 99, bytes: 5 }, [3, 4]),
        ] {
            let spool = Spool::open(directory.path(), bound).unwrap();
            for second in 1..=4 {
                spool.add(slot(second), b"{}").unwrap();
            }
            assert_eq!(drain(&spool), left);
        }
    }

    #[test]
    fn what_a_crash_leaves_is_cleared_away() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(
            directory.path().join("00000000000001000000.new"),
            "{\"query\":",
        )
        .unwrap();
        fs::write(directory.path().join("00000000000002000000.json"), "").unwrap();
        fs::write(directory.path().join("notes.txt"), "mine").unwrap();
        let spool = Spool::open(directory.path(), Bound::default()).unwrap();
        spool.add(slot(3), b"{}").unwrap();
        assert_eq!(drain(&spool), [3]);
        let left: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left.len(), 2, "{left:?}");
        assert!(left.contains(&"notes.txt".into()) && left.contains(&"lock".into()));
    }

    #[test]
    fn a_spool_has_one_owner() {
        let directory = tempfile::tempdir().unwrap();
        let _owner = Spool::open(directory.path(), Bound::default()).unwrap();
        assert!(matches!(
            Spool::open(directory.path(), Bound::default()),
            Err(Unusable::Busy(_))
        ));
    }

    #[test]
    fn a_run_that_was_pushed_out_can_still_be_removed() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::open(
            directory.path(),
            Bound {
                runs: 1,
                bytes: 1000,
            },
        )
        .unwrap();
        spool.add(slot(1), b"{}").unwrap();
        spool.add(slot(2), b"{}").unwrap();
        spool.remove(slot(1)).unwrap();
        assert!(!spool.holds(slot(1)) && spool.holds(slot(2)));
    }
}
