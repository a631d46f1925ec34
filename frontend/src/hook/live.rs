//! A tenant's points as they are written, over a connection that is made again whenever it is cut.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::future::{AbortHandle, abortable, select};
use gloo_timers::future::sleep;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use crate::api::operation::{PointsAdded, points_added};
use crate::api::{End, Event, Failure, subscribe};
use crate::feed::{Act, Arrival, Connection, Feed};
use crate::session::{Greeting, greet};
use crate::time::{Micros, SECOND};

/// Every series of the tenant.
const ALL: &str = "*";
const FIRST_WAIT: Duration = Duration::from_millis(400);
/// A connection that stood for this long was a good one.
const STEADY: Micros = 5 * SECOND;
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Subscribes to all points of the tenant for as long as the component lives. Returns what tries again at once.
///
/// `ended` is called when there is no point in trying: the session has ended, or the tenant is not open to the reader.
#[hook]
pub fn use_live(
    slug: &AttrValue,
    skew: Micros,
    feed: UseReducerDispatcher<Feed>,
    ended: Callback<Failure>,
) -> Callback<()> {
    let nudge = use_mut_ref(|| None::<UnboundedSender<()>>);
    {
        let nudge = Rc::clone(&nudge);
        use_effect_with(slug.clone(), move |slug| {
            let (sender, nudges) = unbounded();
            *nudge.borrow_mut() = Some(sender.clone());
            let online = on_online(sender);
            let (running, handle) = abortable(run(slug.to_string(), skew, feed, ended, nudges));
            spawn_local(async move {
                // An abort is how the component ends it.
                running.await.ok();
            });
            move || stop(&handle, online)
        });
    }
    use_callback((), move |(), ()| {
        if let Some(sender) = nudge.borrow().as_ref() {
            // Nobody listens while the connection stands, and then there is nothing to try.
            sender.unbounded_send(()).ok();
        }
    })
}

async fn run(
    slug: String,
    skew: Micros,
    feed: UseReducerDispatcher<Feed>,
    ended: Callback<Failure>,
    mut nudges: UnboundedReceiver<()>,
) {
    let cursor = RefCell::new(None::<String>);
    let mut attempt = 0;
    let mut cut_at = None;
    loop {
        let resumes = cursor.borrow().is_some();
        let variables = points_added::Variables {
            tenant: slug.clone(),
            series: vec![ALL.to_owned()],
            after: cursor.borrow().clone(),
        };
        let mut opened_at = None;
        let end = subscribe::<PointsAdded>(variables, |event| match event {
            Event::Open => {
                opened_at = Some(now(skew));
                feed.dispatch(Act::Opened { resumed: resumes });
            }
            Event::Next(data) => {
                let added = data.points_added;
                *cursor.borrow_mut() = Some(added.cursor);
                feed.dispatch(Act::Added {
                    arrivals: added.series.into_iter().map(arrival).collect(),
                    now: now(skew),
                });
            }
        })
        .await;
        match end {
            End::Failed(Failure::SignedOut) => return ended.emit(Failure::SignedOut),
            End::Failed(failure) if failure.is_not_found() => return ended.emit(failure),
            // A cursor that the server no longer takes: begin anew, and read the history again.
            End::Failed(Failure::Refused { .. }) if resumes => *cursor.borrow_mut() = None,
            End::Failed(_) | End::Cut | End::Done => {}
        }
        if let Some(opened_at) = opened_at {
            cut_at = None;
            // One that is cut as soon as it stands is not to be made again and again at once.
            if now(skew) - opened_at >= STEADY {
                attempt = 0;
            }
        } else if let Ok(Greeting { viewer: None, .. }) = greet().await {
            // A socket that is refused does not tell why; a session that has ended is a reason.
            return ended.emit(Failure::SignedOut);
        }
        let since = *cut_at.get_or_insert_with(|| now(skew));
        let wait = backoff(attempt, js_sys::Math::random());
        attempt += 1;
        feed.dispatch(Act::Lost(if is_online() {
            Connection::Retrying {
                since,
                at: now(skew) + wait.as_micros() as Micros,
            }
        } else {
            Connection::Offline { since }
        }));
        // What was pressed while the connection stood is not meant for now.
        while nudges.try_recv().is_ok() {}
        select(sleep(wait), nudges.next()).await;
    }
}

/// Doubles from the first wait to the longest, and takes up to a quarter off, so that pages do not come all at once.
fn backoff(attempt: u32, random: f64) -> Duration {
    let wait = FIRST_WAIT
        .saturating_mul(2_u32.saturating_pow(attempt))
        .min(LONGEST_WAIT);
    wait.mul_f64(1.0 - random.clamp(0.0, 1.0) / 4.0)
}

fn arrival(points: points_added::PointsAddedPointsAddedSeries) -> Arrival {
    Arrival {
        key: points.series,
        points: points.times.into_iter().zip(points.values).collect(),
    }
}

fn now(skew: Micros) -> Micros {
    crate::time::browser_now() + skew
}

fn is_online() -> bool {
    web_sys::window().is_none_or(|window| window.navigator().on_line())
}

/// Nudges when the browser finds its network again.
fn on_online(sender: UnboundedSender<()>) -> Closure<dyn Fn()> {
    let listener = Closure::<dyn Fn()>::new(move || {
        // The other end is gone only when the component is.
        sender.unbounded_send(()).ok();
    });
    if let Some(window) = web_sys::window() {
        window.set_ononline(Some(listener.as_ref().unchecked_ref()));
    }
    listener
}

fn stop(handle: &AbortHandle, online: Closure<dyn Fn()>) {
    handle.abort();
    if let Some(window) = web_sys::window() {
        window.set_ononline(None);
    }
    drop(online);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_quarter_of_a_minute() {
        assert_eq!(backoff(0, 0.0), FIRST_WAIT);
        assert_eq!(backoff(2, 0.0), FIRST_WAIT * 4);
        assert_eq!(backoff(40, 0.0), LONGEST_WAIT);
        assert_eq!(backoff(40, 1.0), LONGEST_WAIT * 3 / 4);
    }
}
