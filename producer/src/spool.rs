//! What is not delivered yet, on disk: one file a run, named after its slot, holding the request byte for byte as it
//! will be sent, so that sending it again is a replay. Runs leave in the order of their slots.
//!
//! Invariant: a run is written here before it is sent, and leaves only when the server has it, has refused it for
//! good, or the bound pushes it out. Where it cannot be written, the latest few are held in memory instead, so that a
//! server that can be reached gets them.

mod state;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tracing::{debug, warn};

use crate::request::{LARGEST, is_ingest};

use state::{Run, State};

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

/// A directory of one tenant's waiting runs, owned by this process alone.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    tenant: String,
    bound: Bound,
    state: Mutex<State>,
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
    /// Opens a tenant's directory, making it if it is not there, and takes in what an earlier process left.
    ///
    /// # Errors
    /// When it cannot be written or another process holds it.
    pub fn open(directory: &Path, tenant: &str, bound: Bound) -> Result<Self, Unusable> {
        let failed = |error| Unusable::Io(directory.into(), error);
        fs::create_dir_all(directory).map_err(failed)?;
        let lock = File::create(directory.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Unusable::Busy(directory.into())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let spool = Self {
            directory: directory.into(),
            tenant: tenant.into(),
            bound,
            state: Mutex::default(),
            _lock: lock,
        };
        spool.take_stock().map_err(failed)?;
        Ok(spool)
    }

    /// Takes in the runs in the directory. Half-written files of a process that was killed go: their runs were never
    /// acknowledged. What is no regular file, or has no slot's name, is not ours.
    fn take_stock(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let path = entry.path();
            let slot = path
                .file_stem()
                .and_then(|stem| stem.to_str()?.parse::<i64>().ok());
            let Some(slot) = slot.filter(|_| entry.file_type().is_ok_and(|kind| kind.is_file()))
            else {
                continue;
            };
            if path == self.path(slot) {
                let bytes = entry.metadata()?.len();
                self.state().waiting.insert(slot, Run::Written(bytes));
                // Now, or the bound would push out good runs for its sake.
                if bytes > LARGEST as u64 {
                    self.put_aside(slot, TOO_LARGE);
                }
            } else if path == self.path(slot).with_extension("new") {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Adds a slot's request, and drops the oldest runs beyond the bound.
    ///
    /// # Errors
    /// When it cannot be written: then the run is held in memory, and lost if more come before it is delivered.
    pub fn add(&self, slot: Timestamp, request: Vec<u8>) -> io::Result<()> {
        let slot = slot.as_microsecond();
        let written = self.write(slot, &request);
        let run = match &written {
            Ok(()) => Run::Written(request.len() as u64),
            Err(_) => Run::Unwritten(request),
        };
        self.state().waiting.insert(slot, run);
        if written.is_ok() {
            self.write_more();
        }
        self.hold_bounds();
        written
    }

    fn write(&self, slot: i64, request: &[u8]) -> io::Result<()> {
        let path = self.path(slot);
        let beside = path.with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&beside)?;
        let written = file
            .write_all(request)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&beside, path));
        if written.is_err() {
            // Half a file is of no use, and takes space that is short. That it cannot be removed changes nothing.
            let _ = fs::remove_file(beside);
        }
        written
    }

    /// Writes what could not be written before, for as long as that works.
    fn write_more(&self) {
        let mut state = self.state();
        for (slot, run) in &mut state.waiting {
            if let Run::Unwritten(request) = run {
                if self.write(*slot, request).is_err() {
                    return;
                }
                *run = Run::Written(request.len() as u64);
            }
        }
    }

    fn hold_bounds(&self) {
        let mut state = self.state();
        let state = &mut *state;
        let mut dropped = 0;
        while state.waiting.len() > 1
            && (state.waiting.len() > self.bound.runs || state.bytes() > self.bound.bytes)
        {
            let Some((oldest, _)) = state.waiting.pop_first() else {
                break;
            };
            // It is out of the count; what is left on the disk is met again at the next start.
            let _ = fs::remove_file(self.path(oldest));
            dropped += 1;
        }
        let waiting = state.waiting.len();
        if let Some(dropped) = state.dropped.count(dropped) {
            warn!(
                dropped,
                waiting, "the spool is full: dropped the oldest of the waiting runs"
            );
        }
        let lost = state.forget_unwritten();
        if let Some(lost) = state.lost.count(lost) {
            warn!(
                lost,
                "runs were lost: neither the spool could be written nor the server be reached"
            );
        }
    }

    /// The oldest waiting run: its slot and its request. What is no request is set aside with a word.
    ///
    /// # Errors
    /// When a file cannot be read, and that may pass.
    pub fn first(&self) -> io::Result<Option<(Timestamp, Vec<u8>)>> {
        loop {
            let first = self
                .state()
                .waiting
                .first_key_value()
                .map(|(slot, _)| *slot);
            let Some(slot) = first else {
                return Ok(None);
            };
            if let Some(request) = self.request(slot)? {
                match Timestamp::from_microsecond(slot) {
                    Ok(slot) => return Ok(Some((slot, request))),
                    Err(_) => self.put_aside(slot, "is of no time that there is"),
                }
            }
        }
    }

    /// A waiting run's request; none if what is there is none, which then waits no longer.
    fn request(&self, slot: i64) -> io::Result<Option<Vec<u8>>> {
        match self.state().waiting.get(&slot) {
            Some(Run::Unwritten(request)) => return Ok(Some(request.clone())),
            Some(Run::Written(_)) => {}
            None => return Ok(None),
        }
        match read(&self.path(slot)) {
            Ok(request) if request.len() > LARGEST => self.put_aside(slot, TOO_LARGE),
            Ok(request) if is_ingest(&self.tenant, &request) => return Ok(Some(request)),
            Ok(_) => self.put_aside(slot, "is damaged, or no run of this tenant"),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound => {
                    warn!(file = %self.path(slot).display(), "a waiting run is gone from the spool");
                    self.state().waiting.remove(&slot);
                }
                io::ErrorKind::PermissionDenied => {
                    self.put_aside(slot, "cannot be read by this user");
                }
                io::ErrorKind::InvalidInput => self.put_aside(slot, "is no file"),
                _ => return Err(error),
            },
        }
        Ok(None)
    }

    /// Takes a run out of those that wait, and keeps its file for a person to look at.
    pub fn set_aside(&self, slot: Timestamp, why: &str) {
        self.put_aside(slot.as_microsecond(), why);
    }

    fn put_aside(&self, slot: i64, why: &str) {
        self.state().waiting.remove(&slot);
        let path = self.path(slot);
        let aside = path.with_extension("refused");
        match fs::rename(&path, &aside) {
            Ok(()) => {
                warn!(file = %aside.display(), "set aside a spool file that {why}; look at it, then remove it");
            }
            Err(error) => {
                warn!(file = %path.display(), "passed over a spool file that {why}; it cannot be set aside: {error}");
            }
        }
    }

    /// Whether a slot's run waits here; with a look at it, for what is damaged does not count.
    ///
    /// # Errors
    /// When that cannot be told.
    pub fn holds(&self, slot: Timestamp) -> io::Result<bool> {
        Ok(self.request(slot.as_microsecond())?.is_some())
    }

    /// Whether a slot's run is on the disk, and so outlives this process.
    pub fn keeps(&self, slot: Timestamp) -> bool {
        let state = self.state();
        let run = state.waiting.get(&slot.as_microsecond());
        matches!(run, Some(Run::Written(_)))
    }

    /// How many runs wait.
    pub fn len(&self) -> usize {
        self.state().waiting.len()
    }

    /// Writes what could not be written before, and tells how many runs end with this process all the same.
    pub fn close(&self) -> usize {
        self.write_more();
        self.state().unwritten().count()
    }

    /// Removes a slot's run, delivered or refused.
    pub fn remove(&self, slot: Timestamp) {
        let slot = slot.as_microsecond();
        let run = self.state().waiting.remove(&slot);
        if let Some(Run::Written(_)) = run
            && let Err(error) = fs::remove_file(self.path(slot))
        {
            // It is met again at the next start, and sent again, which the server knows for a replay.
            debug!(file = %self.path(slot).display(), "a delivered run's file stays: {error}");
        }
    }

    fn path(&self, slot: i64) -> PathBuf {
        self.directory.join(format!("{slot:020}.json"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const TOO_LARGE: &str = "is larger than 8 MiB";

/// Reads a regular file, of a large one only so much that it shows as too large.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Before it is opened: opening a pipe would wait for its other end.
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut request = Vec::new();
    File::open(path)?
        .take(LARGEST as u64 + 1)
        .read_to_end(&mut request)?;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::state::UNWRITTEN_RUNS;
    use super::*;
    use crate::request::request;

    fn open(directory: &Path, bound: Bound) -> Spool {
        Spool::open(directory, "prod", bound).unwrap()
    }

    fn run(second: i64) -> Vec<u8> {
        request("prod", "clock", slot(second), &[]).unwrap()
    }

    fn slot(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn drain(spool: &Spool) -> Vec<i64> {
        let mut slots = Vec::new();
        while let Some((slot, _)) = spool.first().unwrap() {
            spool.remove(slot);
            slots.push(slot.as_second());
        }
        slots
    }

    #[test]
    fn runs_leave_in_the_order_of_their_slots_across_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let spool = open(directory.path(), Bound::default());
        for second in [30, 10, 20] {
            spool.add(slot(second), run(second)).unwrap();
        }
        drop(spool);
        let spool = open(directory.path(), Bound::default());
        spool.add(slot(15), run(15)).unwrap();
        assert_eq!(spool.len(), 4);
        assert_eq!(drain(&spool), [10, 15, 20, 30]);
    }

    #[test]
    fn a_request_comes_back_byte_for_byte() {
        let directory = tempfile::tempdir().unwrap();
        let spool = open(directory.path(), Bound::default());
        let request = String::from_utf8(run(1))
            .unwrap()
            .replace("[]", "[0.10000000000000000555111]");
        spool.add(slot(1), request.clone().into()).unwrap();
        assert_eq!(spool.first().unwrap().unwrap(), (slot(1), request.into()));
    }

    #[test]
    fn the_bound_drops_the_oldest() {
        let directory = tempfile::tempdir().unwrap();
        for (bound, left) in [
            (
                Bound {
                    runs: 2,
                    bytes: 9999,
                },
                [3, 4],
            ),
            (
                Bound {
                    runs: 99,
                    bytes: 2 * run(1).len() as u64 + 1,
                },
                [3, 4],
            ),
        ] {
            let spool = open(directory.path(), bound);
            for second in 1..=4 {
                spool.add(slot(second), run(second)).unwrap();
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
        fs::write(directory.path().join("notes.txt"), "mine").unwrap();
        let spool = open(directory.path(), Bound::default());
        spool.add(slot(3), run(3)).unwrap();
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
        let _owner = open(directory.path(), Bound::default());
        assert!(matches!(
            Spool::open(directory.path(), "prod", Bound::default()),
            Err(Unusable::Busy(_))
        ));
    }

    #[test]
    fn a_run_that_was_pushed_out_can_still_be_removed() {
        let directory = tempfile::tempdir().unwrap();
        let spool = open(
            directory.path(),
            Bound {
                runs: 1,
                bytes: 9999,
            },
        );
        spool.add(slot(1), run(1)).unwrap();
        spool.add(slot(2), run(2)).unwrap();
        spool.remove(slot(1));
        assert!(!spool.holds(slot(1)).unwrap() && spool.holds(slot(2)).unwrap());
    }

    #[test]
    fn what_cannot_be_written_is_held_in_memory_and_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spool");
        let spool = open(&path, Bound::default());
        spool.add(slot(0), run(0)).unwrap();
        fs::rename(&path, directory.path().join("away")).unwrap();
        for second in 1..=UNWRITTEN_RUNS as i64 + 5 {
            assert!(spool.add(slot(second), run(second)).is_err());
        }
        assert!(spool.keeps(slot(0)) && !spool.keeps(slot(7)));
        assert_eq!(spool.len(), UNWRITTEN_RUNS + 1);
        assert_eq!(spool.close(), UNWRITTEN_RUNS);

        // Once it can be written again, all of it is.
        fs::rename(directory.path().join("away"), &path).unwrap();
        spool.add(slot(99), run(99)).unwrap();
        assert!(spool.keeps(slot(7)) && spool.keeps(slot(99)));
        drop(spool);
        let expected: Vec<_> = [0].into_iter().chain(6..=65).chain([99]).collect();
        assert_eq!(drain(&open(&path, Bound::default())), expected);
    }
}
