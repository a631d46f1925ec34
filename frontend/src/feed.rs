//! What a tenant's page knows, as a state that events change: the connection, the newest values, the chart's track.
//!
//! Invariant: nothing here outlives its tenant. The page is made anew for every slug, and this with it.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use yew::Reducible;

use crate::api::Failure;
use crate::time::{MINUTE, Micros, SECOND, Span, Window};
use crate::track::{self, Mark, Track};

/// How much of the past the list of series draws.
pub const RECENT: Micros = 5 * MINUTE;
/// One mark of what the list draws stands for this long.
pub const RECENT_WINDOW: Window = Window {
    every: "5s",
    micros: 5 * SECOND,
    phrase: "5 s",
};

/// How the page stands to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connection {
    /// The first connection is being made.
    #[default]
    Opening,
    /// Points come as they are written.
    Live,
    /// The connection was cut at `since`, and is tried again at `at`.
    Retrying {
        /// When it was cut.
        since: Micros,
        /// When it is tried again.
        at: Micros,
    },
    /// The browser has had no network since then.
    Offline {
        /// When it was cut.
        since: Micros,
    },
}

/// The series and range that the chart shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The series' opaque id.
    pub id: String,
    /// Its key.
    pub key: String,
    /// The range.
    pub span: Span,
}

/// The chart's state.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What it shows.
    pub chosen: Chosen,
    /// Its marks.
    pub track: Rc<Track>,
    /// False until the first answer is in.
    pub loaded: bool,
    /// Why the last answer failed.
    pub failure: Option<Failure>,
    /// The oldest point that came since windows were last read; they are the server's to compute.
    pub dirty: Option<Micros>,
}

/// New points of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// The series' key.
    pub key: String,
    /// Time and value, in order of time.
    pub points: Vec<(Micros, f64)>,
}

/// The newest point of each series, by key.
pub type Newest = HashMap<String, (Micros, f64)>;

/// The last minutes of each series, by key, as the list draws them.
pub type Recent = HashMap<String, Track>;

/// What the reader keeps on the screen while points go on coming.
#[derive(Clone, Debug, PartialEq)]
pub struct Pause {
    /// When it began.
    pub at: Micros,
    /// How many points have come since.
    pub waiting: u64,
    newest: Rc<Newest>,
    recent: Rc<Recent>,
    track: Option<Rc<Track>>,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Feed {
    /// The connection.
    pub connection: Connection,
    /// The chart, once a series is chosen.
    pub chart: Option<Chart>,
    /// Set while paused.
    pub pause: Option<Pause>,
    /// Grows whenever what was read before may have a hole, so that it must be read again.
    pub epoch: u32,
    /// Grows with every series that is new to the page.
    pub strangers: u32,
    newest: Rc<Newest>,
    recent: Rc<Recent>,
    known: HashSet<String>,
    seam: bool,
}

/// What can happen.
pub enum Act {
    /// The subscription stands; `resumed` when it goes on from a cursor, and so without a hole.
    Opened {
        /// True when it goes on from a cursor.
        resumed: bool,
    },
    /// The connection changed for the worse.
    Lost(Connection),
    /// Points came; `now` is when.
    Added {
        /// What came.
        arrivals: Vec<Arrival>,
        /// When it came.
        now: Micros,
    },
    /// The list of series was read, with the newest point of each.
    Listed(Vec<(String, Option<(Micros, f64)>)>),
    /// The last minutes of series were read.
    Recent(Vec<(String, Vec<Mark>)>),
    /// The reader chose a series or a range.
    Choose(Option<Chosen>),
    /// Marks were read for what was chosen.
    Loaded(Chosen, Vec<Mark>),
    /// They could not be read.
    LoadFailed(Chosen, Failure),
    /// The windows from the oldest changed point on are being read.
    Cleaning,
    /// The reader stops the picture.
    Pause(Micros),
    /// The reader lets it go on.
    Resume,
}

impl Feed {
    /// The newest points as they are to be shown.
    pub fn newest(&self) -> Rc<Newest> {
        Rc::clone(
            self.pause
                .as_ref()
                .map_or(&self.newest, |pause| &pause.newest),
        )
    }

    /// The last minutes as they are to be shown.
    pub fn recent(&self) -> Rc<Recent> {
        Rc::clone(
            self.pause
                .as_ref()
                .map_or(&self.recent, |pause| &pause.recent),
        )
    }

    /// The track as it is to be shown; none before the first answer is in.
    pub fn track(&self) -> Option<Rc<Track>> {
        match &self.pause {
            Some(Pause {
                track: Some(track), ..
            }) => Some(Rc::clone(track)),
            _ => self
                .chart
                .as_ref()
                .filter(|chart| chart.loaded)
                .map(|chart| Rc::clone(&chart.track)),
        }
    }

    /// When the newest point of all was written for.
    pub fn last_at(&self) -> Option<Micros> {
        self.newest().values().map(|(at, _)| *at).max()
    }

    fn add(&mut self, arrivals: Vec<Arrival>, now: Micros) {
        if self.seam {
            // What was written between reading the history and the start of the subscription is in neither.
            self.seam = false;
            self.epoch += 1;
        }
        if let Some(pause) = &mut self.pause {
            pause.waiting += arrivals
                .iter()
                .map(|arrival| arrival.points.len() as u64)
                .sum::<u64>();
        }
        let newest = Rc::make_mut(&mut self.newest);
        let recent = Rc::make_mut(&mut self.recent);
        for Arrival { key, points } in arrivals {
            if !self.known.contains(&key) {
                self.known.insert(key.clone());
                self.strangers += 1;
            }
            if let Some(&(at, value)) = points.last() {
                keep_newest(newest, &key, (at, value));
            }
            // In order of time, so that the last point of a window is what stays of it.
            let marks = points
                .iter()
                .map(|&(at, value)| Mark::point(RECENT_WINDOW.start(at), value));
            let line = recent.entry(key.clone()).or_default();
            line.merge(marks);
            line.trim(now - RECENT);
            if let Some(chart) = &mut self.chart
                && chart.chosen.key == key
            {
                chart.add(&points, now);
            }
        }
    }
}

impl Chart {
    fn new(chosen: Chosen) -> Self {
        Self {
            chosen,
            track: Rc::default(),
            loaded: false,
            failure: None,
            dirty: None,
        }
    }

    fn add(&mut self, points: &[(Micros, f64)], now: Micros) {
        let from = now - self.chosen.span.micros();
        let points = points.iter().filter(|(at, _)| *at >= from);
        if self.chosen.span.window().is_some() {
            let oldest = points.map(|(at, _)| *at).chain(self.dirty).min();
            self.dirty = oldest;
        } else {
            let track = Rc::make_mut(&mut self.track);
            track.merge(points.map(|&(at, value)| Mark::point(at, value)));
            // A little more than is shown, so that the line begins at the edge.
            track.trim(from - self.chosen.span.micros() / 20);
        }
    }
}

fn keep_newest(newest: &mut Newest, key: &str, point: (Micros, f64)) {
    match newest.get_mut(key) {
        // The same time again is a later write, and wins.
        Some(known) if known.0 <= point.0 => *known = point,
        Some(_) => {}
        None => {
            newest.insert(key.to_owned(), point);
        }
    }
}

impl Reducible for Feed {
    type Action = Act;

    fn reduce(self: Rc<Self>, act: Act) -> Rc<Self> {
        let mut next = Rc::unwrap_or_clone(self);
        match act {
            Act::Opened { resumed } => {
                next.connection = Connection::Live;
                // What could not be read while the server was away is still missing.
                let failed = next
                    .chart
                    .as_ref()
                    .is_some_and(|chart| chart.failure.is_some());
                if !resumed || failed {
                    next.epoch += 1;
                }
                next.seam |= !resumed;
            }
            Act::Lost(connection) => next.connection = connection,
            Act::Added { arrivals, now } => next.add(arrivals, now),
            Act::Listed(series) => {
                let newest = Rc::make_mut(&mut next.newest);
                for (key, latest) in series {
                    if let Some(point) = latest {
                        keep_newest(newest, &key, point);
                    }
                    next.known.insert(key);
                }
            }
            Act::Recent(series) => {
                let recent = Rc::make_mut(&mut next.recent);
                for (key, marks) in series {
                    let line = recent.entry(key).or_default();
                    // What came live meanwhile is newer than what was read.
                    let live = std::mem::take(line);
                    line.merge(marks);
                    line.merge(live.marks().iter().copied());
                }
            }
            Act::Choose(chosen) => {
                if next.chart.as_ref().map(|chart| &chart.chosen) != chosen.as_ref() {
                    next.chart = chosen.map(Chart::new);
                    if let Some(pause) = &mut next.pause {
                        pause.track = None;
                    }
                }
            }
            Act::Loaded(chosen, marks) => {
                if let Some(chart) = next.chart.as_mut().filter(|chart| chart.chosen == chosen) {
                    Rc::make_mut(&mut chart.track).merge(marks);
                    chart.loaded = true;
                    chart.failure = None;
                }
            }
            Act::LoadFailed(chosen, failure) => {
                if let Some(chart) = next.chart.as_mut().filter(|chart| chart.chosen == chosen) {
                    chart.failure = Some(failure);
                }
            }
            Act::Cleaning => {
                if let Some(chart) = &mut next.chart {
                    chart.dirty = None;
                }
            }
            Act::Pause(at) => {
                next.pause = Some(Pause {
                    at,
                    waiting: 0,
                    newest: Rc::clone(&next.newest),
                    recent: Rc::clone(&next.recent),
                    track: next.track(),
                });
            }
            Act::Resume => next.pause = None,
        }
        Rc::new(next)
    }
}

/// True when points should have come long ago: nothing for ten seconds, or for twice as long as the series leaves
/// between two points.
pub fn is_stale(last_at: Micros, now: Micros, marks: &[Mark]) -> bool {
    const LEAST: Micros = 10 * SECOND;
    let Some(tolerance) = track::tolerance(marks) else {
        // Without a beat nothing is known to be due.
        return false;
    };
    now - last_at > track::overdue(tolerance).max(LEAST)
}

#[cfg(test)]
mod tests;
