//! How old something is. It ticks by itself, so that the page around it need not.

use yew::prelude::*;

use crate::hook::use_tick;
use crate::time::{self, Micros};

/// Properties of [`Age`].
#[derive(PartialEq, Properties)]
pub struct AgeProps {
    /// When it was.
    pub at: Micros,
    /// Server minus browser.
    pub skew: Micros,
    /// The moment that the picture stands at, while paused.
    #[prop_or_default]
    pub frozen: Option<Micros>,
    /// True for the length alone: "8 s" and not "8 s ago".
    #[prop_or_default]
    pub bare: bool,
}

/// "8 s ago".
#[component]
pub fn Age(props: &AgeProps) -> Html {
    use_tick(1_000);
    let age = props
        .frozen
        .unwrap_or_else(|| time::browser_now() + props.skew)
        - props.at;
    let text = if props.bare {
        time::length(age)
    } else {
        time::ago(age)
    };
    html! { { text } }
}

/// Properties of [`ServerClock`].
#[derive(PartialEq, Properties)]
pub struct ServerClockProps {
    /// Server minus browser.
    pub skew: Micros,
}

/// The server's time of day, in UTC.
#[component]
pub fn ServerClock(props: &ServerClockProps) -> Html {
    use_tick(1_000);
    html! { { format!("{} UTC", time::utc_clock(time::browser_now() + props.skew)) } }
}
