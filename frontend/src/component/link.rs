//! Links inside the page. They are real links: they can be copied, and opened elsewhere.

use gloo_timers::callback::Timeout;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;
use yew::prelude::*;
use yew_router::prelude::*;

use crate::route::Route;

/// Properties of [`Go`].
#[derive(PartialEq, Properties)]
pub struct GoProps {
    /// Where to.
    pub to: Route,
    /// Classes.
    #[prop_or_default]
    pub class: Classes,
    /// True for the page one is on.
    #[prop_or_default]
    pub current: bool,
    /// What readers of the page's tree are told instead of the content.
    #[prop_or_default]
    pub label: Option<AttrValue>,
    /// The content.
    pub children: Html,
}

/// A link to another page of ours, without loading it anew.
#[component]
pub fn Go(props: &GoProps) -> Html {
    let navigator = use_navigator();
    let onclick = {
        let to = props.to.clone();
        Callback::from(move |event: MouseEvent| {
            let elsewhere =
                event.meta_key() || event.ctrl_key() || event.shift_key() || event.alt_key();
            if let Some(navigator) = navigator.as_ref().filter(|_| !elsewhere) {
                event.prevent_default();
                navigator.push(&to);
                // Once the other page is there.
                Timeout::new(0, enter).forget();
            }
        })
    };
    html! {
        <a href={props.to.to_path()} class={props.class.clone()} {onclick}
            aria-current={props.current.then_some("page")} aria-label={props.label.clone()}>
            { props.children.clone() }
        </a>
    }
}

/// The link is gone with its page, and the focus with it: who reads by keyboard goes on where the other page begins.
fn enter() {
    let main = web_sys::window().and_then(|window| window.document()?.get_element_by_id("main"));
    if let Some(main) = main.and_then(|main| main.dyn_into::<HtmlElement>().ok()) {
        // Without the focus the page can be read all the same.
        main.focus().ok();
    }
}
