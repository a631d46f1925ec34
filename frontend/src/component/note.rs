//! Failures, in the place of what failed: cause, next step, one action.

use yew::prelude::*;

use super::code::Code;
use super::icon::{Icon, icon};
use crate::api::Failure;

/// Properties of [`FailureNote`].
#[derive(PartialEq, Properties)]
pub struct FailureNoteProps {
    /// What could not be done: "The chart could not be loaded."
    pub what: AttrValue,
    /// Why.
    pub failure: Failure,
    /// Tries again.
    pub again: Callback<()>,
}

/// Says what failed, why, and what to do.
#[component]
pub fn FailureNote(props: &FailureNoteProps) -> Html {
    let onclick = props.again.reform(|_: MouseEvent| ());
    let lookup = match &props.failure {
        Failure::Refused {
            code,
            trace: Some(trace),
            ..
        } => Some(format!("{code}  trace {trace}")),
        _ => None,
    };
    html! {
        <div class="failure" role="alert">
            <div class="note bad">
                { icon(Icon::Warn) }
                <p><b>{ &props.what }</b>{ " " }{ props.failure.cause() }{ " " }{ props.failure.next_step() }</p>
                <button type="button" class="btn small" {onclick}>{ icon(Icon::Refresh) }{ "Try now" }</button>
            </div>
            if let Some(lookup) = lookup {
                <Code text={lookup}/>
            }
        </div>
    }
}
