//! How the page stands to the server: two words in the bar, and a banner when something needs saying.

use yew::prelude::*;

use super::icon::{Icon, icon};
use crate::feed::{Connection, Pause};
use crate::figure;
use crate::hook::use_tick;
use crate::time::{self, Civil, Micros, SECOND};

/// Properties of [`Live`] and [`Banner`].
#[derive(Clone, PartialEq, Properties)]
pub struct LiveProps {
    /// The connection.
    pub connection: Connection,
    /// When the newest point was written for.
    pub last_at: Option<Micros>,
    /// True when points are overdue.
    pub stale: bool,
    /// Set while paused.
    pub pause: Option<Pause>,
    /// Server minus browser.
    pub skew: Micros,
    /// Tries to connect at once.
    pub nudge: Callback<()>,
    /// Lets the picture go on.
    pub resume: Callback<()>,
}

enum Standing<'a> {
    Opening,
    Live,
    Stale(Micros),
    Retrying { since: Micros, at: Micros },
    Offline(Micros),
    Paused(&'a Pause),
}

impl LiveProps {
    /// The worst of what is the case; what the reader did comes after what the network did.
    fn standing(&self) -> Standing<'_> {
        match (self.connection, &self.pause) {
            (Connection::Retrying { since, at }, _) => Standing::Retrying { since, at },
            (Connection::Offline { since }, _) => Standing::Offline(since),
            (_, Some(pause)) => Standing::Paused(pause),
            (Connection::Opening, None) => Standing::Opening,
            (Connection::Live, None) => match self.last_at {
                Some(last_at) if self.stale => Standing::Stale(last_at),
                _ => Standing::Live,
            },
        }
    }
}

/// The dot, the word and the age in the bar.
#[component]
pub fn Live(props: &LiveProps) -> Html {
    use_tick(1_000);
    let now = time::browser_now() + props.skew;
    let (class, word, detail) = match props.standing() {
        Standing::Opening => ("stale", "Connecting", String::new()),
        Standing::Live => (
            "",
            "Live",
            props
                .last_at
                .map(|at| time::ago(now - at))
                .unwrap_or_default(),
        ),
        Standing::Stale(at) => ("stale", "Stale", time::ago(now - at)),
        Standing::Retrying { since, .. } => ("stale", "Reconnecting", time::ago(now - since)),
        Standing::Offline(since) => (
            "off",
            "Offline",
            format!("since {}", Civil::local(since).clock()),
        ),
        Standing::Paused(pause) => (
            "paused",
            "Paused",
            format!("{} waiting", figure::count(pause.waiting)),
        ),
    };
    html! {
        <>
            <span class={classes!("live", class)}>
                <span class="dot"></span><b>{ word }</b><span class="t2">{ detail }</span>
            </span>
            // Told when the word changes, never as the age ticks.
            <span class="sr" role="status">{ word }</span>
        </>
    }
}

/// One line under the bar: what is the case, what happens next, and what one can do.
#[component]
pub fn Banner(props: &LiveProps) -> Html {
    use_tick(1_000);
    let now = time::browser_now() + props.skew;
    let shown = props.last_at.map(|at| {
        format!(
            "Points shown are from {} and before.",
            Civil::local(at).clock()
        )
    });
    match props.standing() {
        Standing::Opening | Standing::Live => Html::default(),
        // A cut that heals at once is not worth a line that comes and goes.
        Standing::Retrying { since, .. } if now - since < SECOND => Html::default(),
        Standing::Retrying { at, .. } => {
            let again = match (at - now + SECOND / 2) / SECOND {
                seconds @ 1.. => format!("Trying again in {seconds} s."),
                _ => "Trying again.".to_owned(),
            };
            html! {
                <div class="banner late">
                    { icon(Icon::Refresh) }
                    <p><b>{ "Reconnecting." }</b>{ " " }{ shown }{ " " }{ again }</p>
                    <button type="button" class="btn small" onclick={props.nudge.reform(|_| ())}>{ "Try now" }</button>
                </div>
            }
        }
        Standing::Stale(at) => html! {
            <div class="banner late">
                { icon(Icon::Clock) }
                <p><b>{ format!("Stale: nothing new for {}.", time::length(now - at)) }</b>
                    { " The connection is fine; the producers have stopped sending." }</p>
            </div>
        },
        Standing::Offline(_) => html! {
            <div class="banner bad">
                { icon(Icon::Off) }
                <p><b>{ "You are offline." }</b>{ " " }{ shown }{ " Nothing is lost on the server." }</p>
            </div>
        },
        Standing::Paused(pause) => html! {
            <div class="banner mute">
                { icon(Icon::Pause) }
                <p><b>{ "Paused by you" }</b>
                    { format!(" at {}. {} waiting.", Civil::local(pause.at).clock(), are_points(pause.waiting)) }</p>
                <button type="button" class="btn small" onclick={props.resume.reform(|_| ())}>
                    { icon(Icon::Play) }{ "Resume" }
                </button>
            </div>
        },
    }
}

fn are_points(count: u64) -> String {
    let verb = if count == 1 { "is" } else { "are" };
    format!("{} {verb}", figure::counted(count, "point"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn props(connection: Connection) -> LiveProps {
        LiveProps {
            connection,
            last_at: Some(1),
            stale: true,
            pause: None,
            skew: 0,
            nudge: Callback::noop(),
            resume: Callback::noop(),
        }
    }

    #[test]
    fn a_cut_connection_comes_before_stale_points() {
        let standing = props(Connection::Retrying { since: 1, at: 2 });
        assert!(matches!(standing.standing(), Standing::Retrying { .. }));
        assert!(matches!(
            props(Connection::Live).standing(),
            Standing::Stale(1)
        ));
    }
}
