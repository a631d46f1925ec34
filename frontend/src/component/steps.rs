//! Steps in order, up to where one got.

use yew::prelude::*;

use super::icon::{Step, step};

/// One of the steps, for an `ol.steps`.
pub fn line(reached: Step, title: &str, body: Html) -> Html {
    let (class, outcome) = match reached {
        Step::Passed => ("ok", "Passed"),
        Step::Stopped => ("bad", "Stopped here"),
        Step::Ahead => ("todo", "Not reached"),
    };
    html! {
        <li class={classes!("step", class)}>
            { step(reached) }
            <div><h3>{ title }<small>{ outcome }</small></h3>{ body }</div>
        </li>
    }
}
