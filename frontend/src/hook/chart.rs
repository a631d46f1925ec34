//! Keeps the chart's track complete: its history when something else is chosen or a hole is possible, and its windows,
//! which are the server's to compute, as points come.

use gloo_timers::callback::Timeout;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use crate::api::operation::{Samples, Windows, samples, windows};
use crate::api::{Failure, ask};
use crate::feed::{Act, Chosen, Feed};
use crate::time::{self, MINUTE, Micros, Window};
use crate::track::Mark;

/// Windows are read again this long after the first point that changes them, in milliseconds.
const CLEAN_AFTER: u32 = 2_000;

/// See the module. Returns what reads the history again.
#[hook]
pub fn use_chart(
    feed: &UseReducerHandle<Feed>,
    chosen: Option<Chosen>,
    skew: Micros,
) -> Callback<()> {
    let round = use_state_eq(|| 0_u32);
    {
        let feed = feed.dispatcher();
        use_effect_with(chosen.clone(), move |chosen| {
            feed.dispatch(Act::Choose(chosen.clone()))
        });
    }
    {
        let dispatcher = feed.dispatcher();
        use_effect_with(
            (chosen.clone(), feed.epoch, *round),
            move |(chosen, _, _)| {
                if let Some(chosen) = chosen.clone() {
                    // A little more than is shown, so that the line begins at the edge.
                    let from = now(skew) - chosen.span.micros() - chosen.span.micros() / 20;
                    spawn_local(load(chosen, from, skew, dispatcher));
                }
            },
        );
    }
    {
        let dispatcher = feed.dispatcher();
        let dirty = feed
            .chart
            .as_ref()
            .filter(|chart| chart.loaded)
            .and_then(|chart| chart.dirty);
        // An older point than those before starts the wait anew, so that the reading begins early enough for all.
        use_effect_with((chosen, dirty), move |(chosen, dirty)| {
            let timeout = chosen.clone().zip(*dirty).map(|(chosen, dirty)| {
                Timeout::new(CLEAN_AFTER, move || {
                    dispatcher.dispatch(Act::Cleaning);
                    spawn_local(load(chosen, dirty, skew, dispatcher));
                })
            });
            move || drop(timeout)
        });
    }
    Callback::from(move |()| round.set(*round + 1))
}

async fn load(chosen: Chosen, from: Micros, skew: Micros, feed: UseReducerDispatcher<Feed>) {
    // Producers whose clock is ahead write into the near future.
    let to = now(skew) + MINUTE;
    let marks = match chosen.span.window() {
        None => read_samples(chosen.id.clone(), from, to).await,
        Some(window) => read_windows(chosen.id.clone(), window, from, to).await,
    };
    feed.dispatch(match marks {
        Ok(marks) => Act::Loaded(chosen, marks),
        Err(failure) => Act::LoadFailed(chosen, failure),
    });
}

async fn read_samples(series: String, from: Micros, to: Micros) -> Result<Vec<Mark>, Failure> {
    let range = samples::TimeRange { from, to };
    match ask::<Samples>(samples::Variables { series, range })
        .await?
        .node
    {
        Some(samples::SamplesNode::Series(series)) => {
            let points = series.samples.times.into_iter().zip(series.samples.values);
            Ok(points.map(|(at, value)| Mark::point(at, value)).collect())
        }
        _ => Err(gone()),
    }
}

async fn read_windows(
    series: String,
    window: Window,
    from: Micros,
    to: Micros,
) -> Result<Vec<Mark>, Failure> {
    // Whole windows only: what is read replaces what is there.
    let range = windows::TimeRange {
        from: window.start(from),
        to: window.start(to) + window.micros,
    };
    let variables = windows::Variables {
        series,
        range,
        every: window.every.to_owned(),
    };
    match ask::<Windows>(variables).await?.node {
        Some(windows::WindowsNode::Series(series)) => Ok(marks(series.windows)),
        _ => Err(gone()),
    }
}

/// The windows that hold points.
fn marks(windows: windows::WindowsNodeOnSeriesWindows) -> Vec<Mark> {
    let columns = windows
        .min
        .into_iter()
        .zip(windows.max)
        .zip(windows.avg.into_iter().zip(windows.last));
    let rows = windows.starts.into_iter().zip(windows.count).zip(columns);
    rows.filter_map(|((at, count), ((low, high), (avg, last)))| {
        Some(Mark {
            at,
            value: avg?,
            low: low?,
            high: high?,
            last: last?,
            count: u64::try_from(count).ok().filter(|count| *count > 0)?,
        })
    })
    .collect()
}

fn gone() -> Failure {
    Failure::Refused {
        code: "NOT_FOUND".to_owned(),
        message: "The series is not there.".to_owned(),
        trace: None,
    }
}

fn now(skew: Micros) -> Micros {
    time::browser_now() + skew
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_windows_are_no_marks() {
        let windows = windows::WindowsNodeOnSeriesWindows {
            starts: vec![0, 30],
            count: vec![0, 2],
            min: vec![None, Some(1.0)],
            max: vec![None, Some(3.0)],
            avg: vec![None, Some(2.0)],
            last: vec![None, Some(3.0)],
        };
        let marks = marks(windows);
        assert_eq!(
            marks,
            [Mark {
                at: 30,
                value: 2.0,
                low: 1.0,
                high: 3.0,
                last: 3.0,
                count: 2
            }]
        );
    }
}
