//! The chart's points as a table, newest first.

use std::rc::Rc;

use yew::prelude::*;

use crate::figure::{self, Scale};
use crate::time::{Civil, Micros, Window};
use crate::track::Track;

/// More rows than this are not read, only scrolled past.
const MOST: usize = 500;

/// Properties of [`PointTable`].
#[derive(PartialEq, Properties)]
pub struct PointTableProps {
    /// The track.
    pub track: Rc<Track>,
    /// The oldest time that is shown.
    pub from: Micros,
    /// Set when the marks are windows.
    pub window: Option<Window>,
    /// How values are written.
    pub scale: Scale,
    /// The key, for the caption.
    pub label: AttrValue,
    /// The reader's zone.
    pub zone: AttrValue,
}

/// See the module.
#[component]
pub fn PointTable(props: &PointTableProps) -> Html {
    let marks = props.track.between(props.from, Micros::MAX);
    let shown = marks.iter().rev().take(MOST);
    let caption = match props.window {
        Some(window) => format!(
            "{}, windows of {}, newest first",
            props.label, window.phrase
        ),
        None => format!("{}, every point, newest first", props.label),
    };
    let (scale, windowed) = (&props.scale, props.window.is_some());
    let head = |text: String, class: &'static str| {
        html! { <th role="columnheader" scope="col" {class}>{ text }</th> }
    };
    let unit = |name: &str| match scale.unit.as_str() {
        "" => name.to_owned(),
        unit => format!("{name}, {unit}"),
    };
    html! {
        <div class="table-wrap points" tabindex="0" role="region" aria-label="Points of the chart">
            <table class="tight flat" role="table">
                <caption class="sr">{ caption }</caption>
                <thead role="rowgroup">
                    <tr role="row">
                        { head(format!("{}, {}", if windowed { "Window from" } else { "Time" }, props.zone), "") }
                        if windowed {
                            { head("Points".to_owned(), "num") }
                            { head(unit("Min"), "num") }
                            { head(unit("Avg"), "num") }
                            { head(unit("Max"), "num") }
                        } else {
                            { head(unit("Value"), "num") }
                        }
                    </tr>
                </thead>
                <tbody role="rowgroup">
                    { for shown.map(|mark| {
                        let cell = |text: String| html! { <td role="cell" class="num">{ text }</td> };
                        html! {
                            <tr role="row" key={mark.at}>
                                <th role="rowheader" scope="row" class="nowrap">{ Civil::local(mark.at).full() }</th>
                                if windowed {
                                    { cell(figure::count(mark.count)) }
                                    { cell(scale.bare(mark.low)) }
                                    { cell(scale.bare(mark.value)) }
                                    { cell(scale.bare(mark.high)) }
                                } else {
                                    { cell(scale.bare(mark.value)) }
                                }
                            </tr>
                        }
                    }) }
                </tbody>
            </table>
            if marks.len() > MOST {
                <p class="t3">{ format!("The newest {MOST} of {}. Choose a shorter range to see the others.", figure::count(marks.len() as u64)) }</p>
            }
        </div>
    }
}
