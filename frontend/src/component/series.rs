//! The list of a tenant's series: key, newest value, age. Choosing one puts it on the chart.

mod key;

use std::collections::HashSet;
use std::rc::Rc;

use yew::prelude::*;

use self::key::{Entry, bucket, folded, labels, shared};
use super::age::Age;
use super::icon::{Icon, icon};
use super::spark::spark;
use crate::feed::{Newest, Recent};
use crate::figure::{self, Scale};
use crate::time::{self, Micros};

pub use self::key::breakable;

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
    let (open, turn) = use_open(props.chosen.as_deref());
    let same = shared(&props.rows);
    let words = sought.trim();
    let rows: Vec<Html> = if words.is_empty() {
        let entries = folded(&props.rows).into_iter();
        entries
            .flat_map(|entry| match entry {
                Entry::One(row) => vec![series_row(props, row, name(&row.key, &same))],
                Entry::Histogram(key, buckets) => {
                    let is_open = open.contains(&key);
                    let mut rows = vec![histogram_row(&key, &same, buckets.len(), is_open, &turn)];
                    if is_open {
                        rows.extend(buckets.iter().map(|row| series_row(props, row, bound(row))));
                    }
                    rows
                }
            })
            .collect()
    } else {
        let found = props.rows.iter().filter(|row| row.key.contains(words));
        found
            .map(|row| series_row(props, row, name(&row.key, &same)))
            .collect()
    };
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
            if !same.is_empty() {
                <p class="t3">{ "All have " }<span class="series">{ breakable(&same.join(",")) }</span></p>
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

/// The histograms whose buckets are shown, and what opens and closes one. That of the chosen series opens by itself.
#[hook]
fn use_open(chosen: Option<&str>) -> (UseStateHandle<HashSet<String>>, Callback<String>) {
    let open = use_state_eq(HashSet::new);
    {
        let open = open.clone();
        use_effect_with(
            chosen.and_then(bucket).map(|(_, histogram)| histogram),
            move |chosen| {
                if let Some(chosen) = chosen {
                    let mut more = (*open).clone();
                    more.insert(chosen.clone());
                    open.set(more);
                }
            },
        );
    }
    let turn = {
        let open = open.clone();
        Callback::from(move |key: String| {
            let mut turned = (*open).clone();
            if !turned.remove(&key) {
                turned.insert(key);
            }
            open.set(turned);
        })
    };
    (open, turn)
}

/// A name, and under it the labels that not all series have.
fn name(key: &str, same: &[&str]) -> Html {
    let mut own = labels(key);
    own.retain(|label| !same.contains(label));
    html! {
        <>
            <span class="series">{ breakable(figure::split_key(key).0) }</span>
            if !own.is_empty() {
                <small class="series">{ breakable(&own.join(",")) }</small>
            }
        </>
    }
}

/// What tells a bucket from the others of its histogram.
fn bound(row: &Row) -> Html {
    let labels = labels(&row.key);
    let bound = labels.into_iter().find(|label| label.starts_with("le="));
    html! { <span class="series bound">{ bound.unwrap_or_default().to_owned() }</span> }
}

fn histogram_row(
    key: &str,
    same: &[&str],
    buckets: usize,
    open: bool,
    turn: &Callback<String>,
) -> Html {
    let onclick = {
        let key = key.to_owned();
        turn.reform(move |_: MouseEvent| key.clone())
    };
    html! {
        <tr role="row" key={key.to_owned()} class="fold">
            <th role="rowheader" scope="row">
                <button type="button" class="choose" aria-expanded={open.to_string()} {onclick}>{ name(key, same) }</button>
            </th>
            <td role="cell" class="hide-s"></td>
            <td role="cell" class="num t3">{ figure::counted(buckets as u64, "bucket") }</td>
            <td role="cell" class="num">{ icon(Icon::Down) }</td>
        </tr>
    }
}

fn series_row(props: &SeriesListProps, row: &Row, name: Html) -> Html {
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
                <button type="button" class="choose" aria-pressed={on.to_string()} {onclick}>{ name }</button>
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
