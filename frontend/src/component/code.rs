//! Text that is made to be copied.

use std::time::Duration;

use gloo_timers::future::sleep;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use yew::prelude::*;

use super::icon::{Icon, icon};

/// Properties of [`Code`].
#[derive(PartialEq, Properties)]
pub struct CodeProps {
    /// What is copied.
    pub text: AttrValue,
    /// What it is.
    #[prop_or_default]
    pub caption: Option<AttrValue>,
}

/// A block of text with a button that copies it.
#[component]
pub fn Code(props: &CodeProps) -> Html {
    let copied = use_state_eq(|| false);
    let copy = {
        let (text, copied) = (props.text.clone(), copied.setter());
        Callback::from(move |_: MouseEvent| {
            let (text, copied) = (text.clone(), copied.clone());
            spawn_local(async move {
                let Some(window) = web_sys::window() else {
                    return;
                };
                let promise = window.navigator().clipboard().write_text(&text);
                if JsFuture::from(promise).await.is_ok() {
                    copied.set(true);
                    sleep(Duration::from_secs(2)).await;
                    copied.set(false);
                }
            });
        })
    };
    html! {
        <figure class="code">
            if let Some(caption) = &props.caption {
                <figcaption>{ caption }</figcaption>
            }
            <pre>{ &props.text }</pre>
            <button type="button" class="btn small" onclick={copy}>
                { icon(Icon::Copy) }
                { if *copied { "Copied" } else { "Copy" } }
            </button>
            // Not inside the button: what a status says is no part of a button's name.
            <span class="sr" role="status">{ if *copied { "Copied" } else { "" } }</span>
        </figure>
    }
}
