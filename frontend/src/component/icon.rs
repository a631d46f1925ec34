//! Line icons of 16 px and shapes of state. All are decoration: the word beside them says the same.

use yew::prelude::*;

/// A line icon.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// A curly pair: GraphiQL.
    Braces,
    /// A line in a corner: the chart.
    Chart,
    /// Two sheets: copy.
    Copy,
    /// An arrow down: what opens.
    Down,
    /// A grid of four: all tenants.
    Grid,
    /// A crossed-out wave: no network.
    Off,
    /// Bars: the overview.
    Overview,
    /// Two bars: pause.
    Pause,
    /// A triangle: resume.
    Play,
    /// Two arrows in a circle: try again.
    Refresh,
    /// A lens: search.
    Search,
    /// A grid: the table.
    Table,
    /// A half-filled circle: the theme.
    Theme,
    /// A clock: late.
    Clock,
    /// A triangle with a mark: something is wrong.
    Warn,
}

/// Draws an icon.
pub fn icon(icon: Icon) -> Html {
    let path = match icon {
        Icon::Braces => {
            "M6 2.5c-2 0-2 1-2 2.5s0 3-2 3c2 0 2 1.5 2 3s0 2.5 2 2.5M10 2.5c2 0 2 1 2 2.5s0 3 2 3c-2 0-2 1.5-2 3s0 2.5-2 2.5"
        }
        Icon::Chart => "M2 2v12h12M4.5 10.5l3-4 2.5 2 3.5-5",
        Icon::Copy => "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
        Icon::Down => "m4.5 6.5 3.5 3.5 3.5-3.5",
        Icon::Grid => "M2.5 2.5h4.5v4.5H2.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5H2.5zM9 9h4.5v4.5H9z",
        Icon::Off => {
            "M2 2l12 12M4.7 9.3a4.7 4.7 0 0 1 2-1.2M9.8 8.3c.6.2 1.1.6 1.5 1M2.2 6.6A8 8 0 0 1 5 4.9M8 4a8 8 0 0 1 5.8 2.6M8 12.2v.1"
        }
        Icon::Overview => "M2 13.5h12M3.5 11V7.5M6.5 11V4M9.5 11V6M12.5 11V2.5",
        Icon::Pause => "M5.5 3.5v9M10.5 3.5v9",
        Icon::Play => "M5 3.5v9l7-4.5z",
        Icon::Refresh => {
            "M13 5.5A5.5 5.5 0 0 0 3 6M3 2.75V6h3.25M3 10.5a5.5 5.5 0 0 0 10-.5M13 13.25V10H9.75"
        }
        Icon::Search => "M11.5 7a4.5 4.5 0 1 1-9 0 4.5 4.5 0 0 1 9 0ZM10.5 10.5l3.5 3.5",
        Icon::Table => "M2 3h12v10H2zM2 6.5h12M2 9.75h12M6.5 6.5V13",
        Icon::Theme => "M13.75 8a5.75 5.75 0 1 1-11.5 0 5.75 5.75 0 0 1 11.5 0ZM8 2.25v11.5",
        Icon::Clock => "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0ZM8 4.5V8l2.5 1.5",
        Icon::Warn => "M8 2.25 14.25 13.5H1.75zM8 6.5v3.25M8 11.6v.1",
    };
    let filled = (icon == Icon::Theme).then(|| {
        html! { <path d="M8 2.25v11.5A5.75 5.75 0 0 0 8 2.25Z" fill="currentColor"/> }
    });
    html! {
        <svg class="i" viewBox="0 0 16 16" aria-hidden="true"><path d={path}/>{ filled }</svg>
    }
}

/// The mark: the sun behind a gnomon.
pub fn mark() -> Html {
    html! {
        <svg viewBox="0 0 16 16" fill="currentColor" aria-hidden="true">
            <path d="M8 .8a7.2 7.2 0 0 1 6.6 10H11V3.6L4.6 10.8H1.4A7.2 7.2 0 0 1 8 .8Z"/>
            <rect x="1" y="12.4" width="14" height="1.8" rx=".9"/>
        </svg>
    }
}

/// How far a step got.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It passed.
    Passed,
    /// It stopped here.
    Stopped,
    /// It was not reached.
    Ahead,
}

/// The shape of a step: a disc, a square, a dashed ring.
pub fn step(step: Step) -> Html {
    const DISC: &str =
        "M7 0a7 7 0 1 0 0 14A7 7 0 0 0 7 0Zm3.7 5.2-4.4 4.6L3.4 7l1.1-1.1 1.8 1.7 3.3-3.5z";
    const SQUARE: &str = "M1.5 0h11A1.5 1.5 0 0 1 14 1.5v11a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 0 12.5v-11A1.5 1.5 0 0 1 1.5 0Zm3 3.4L3.4 4.5 5.9 7 3.4 9.5l1.1 1.1L7 8.1l2.5 2.5 1.1-1.1L8.1 7l2.5-2.5-1.1-1.1L7 5.9z";
    let shape = match step {
        Step::Ahead => html! {
            <circle cx="12" cy="12" r="8" fill="none" stroke="currentColor" stroke-width="1.5" stroke-dasharray="2.5 2.5"/>
        },
        reached => html! {
            <g transform="translate(3.5 3.5) scale(1.21)">
                <path fill="currentColor" fill-rule="evenodd" d={if reached == Step::Passed { DISC } else { SQUARE }}/>
            </g>
        },
    };
    html! { <svg viewBox="0 0 24 24" aria-hidden="true">{ shape }</svg> }
}
