//! The list of a tenant's series: key, newest value, age. Choosing one puts it on the chart.

use std::rc::Rc;

use yew::prelude::*;

use super::age::Age;
use super::icon::{Icon, icon};
use super::spark::spark;
use crate::feed::{Newest, Recent};
use crate::figure::{self, Scale};
use crate::time::{self, Micros};

/// From this many on, the list can be searched.
const SEARCHED_FROM: usize = 9;

/// A series as the list shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The opaque id.
    pub id: String,
    /// The key.
    pub key: String,
    /// The unit, if one was set.
    pub unit: Option<String>,
}

/// A key with its labels set back.
pub fn series_name(key: &str) -> Html {
    let (name, labels) = figure::split_key(key);
    html! {
        <>
            <span class="series">{ name }</span>
            if !labels.is_empty() {
                <small class="series">{ labels }</small>
            }
        </>
    }
}

/// Properties of [`SeriesList`].
#[derive(PartialEq, Properties)]
pub struct SeriesListProps {
    /// The series, in the server's order.
    pub rows: Rc<Vec<Row>>,
    /// The newest point of each.
    pub newest: Rc<Newest>,
    /// Their last minutes.
    pub recent: Rc<Recent>,
    /// The key on the chart.
    pub chosen: Option<AttrValue>,
    /// The moment that the picture stands at, while paused.
    pub frozen: Option<Micros>,
    /// Server minus browser.
    pub skew: Micros,
    /// Called with a key.
    pub choose: Callback<String>,
}

/// See the module.
#[component]
pub fn SeriesList(props: &SeriesListProps) -> Html {
    let sought = use_state_eq(String::new);
    let oninput = {
        let sought = sought.setter();
        Callback::from(move |event: InputEvent| {
            if let Some(input) = event.target_dyn_into::<web_sys::HtmlInputElement>() {
                sought.set(input.value());
            }
        })
    };
    let rows = props
        .rows
        .iter()
        .filter(|row| row.key.contains(sought.trim()));
    let rows: Vec<Html> = rows.map(|row| series_row(props, row)).collect();
    let none = rows.is_empty();
    html! {
        <>
            if props.rows.len() >= SEARCHED_FROM {
                <div class="search">
                    { icon(Icon::Search) }
                    <input class="input mono" type="search" aria-label="Search series by name and label"
                        placeholder={format!("Search {} series", props.rows.len())}
                        value={(*sought).clone()} {oninput}/>
                </div>
            }
            <table class="tight snug" role="table">
                <caption class="sr">{ "Series and their newest points" }</caption>
                <thead role="rowgroup">
                    <tr role="row">
                        <th role="columnheader" scope="col">{ "Series" }</th>
                        <th role="columnheader" scope="col" class="hide-s">{ "5 minutes" }</th>
                        <th role="columnheader" scope="col" class="num">{ "Last value" }</th>
                        <th role="columnheader" scope="col" class="num">{ "Age" }</th>
                    </tr>
                </thead>
                <tbody role="rowgroup">{ rows }</tbody>
            </table>
            if none {
                <p class="t3">{ "No series has that in its name or labels." }</p>
            }
        </>
    }
}

fn series_row(props: &SeriesListProps, row: &Row) -> Html {
    let point = props.newest.get(&row.key);
    let value =
        point.map(|(_, value)| Scale::new(&row.key, row.unit.as_deref(), *value).full(*value));
    let now = props
        .frozen
        .unwrap_or_else(|| time::browser_now() + props.skew);
    let on = props.chosen.as_deref() == Some(row.key.as_str());
    let onclick = {
        let key = row.key.clone();
        props.choose.reform(move |_: MouseEvent| key.clone())
    };
    html! {
        <tr role="row" key={row.key.clone()} class={classes!(on.then_some("on"))}>
            <th role="rowheader" scope="row">
                <button type="button" class="choose" aria-pressed={on.to_string()} {onclick}>
                    { series_name(&row.key) }
                </button>
            </th>
            <td role="cell" class="hide-s">{ spark(props.recent.get(&row.key), now) }</td>
            <td role="cell" class="num">{ value.unwrap_or_else(|| "none".to_owned()) }</td>
            <td role="cell" class="num">
                if let Some((at, _)) = point {
                    <Age at={*at} skew={props.skew} frozen={props.frozen} bare={true}/>
                } else {
                    { "none" }
                }
            </td>
        </tr>
    }
}
