//! A button for what cannot be undone: it asks first.

use web_sys::HtmlDialogElement;
use yew::prelude::*;

/// Properties of [`Confirm`].
#[derive(PartialEq, Properties)]
pub struct ConfirmProps {
    /// What the button says, and the one that confirms.
    pub verb: AttrValue,
    /// What readers of the page's tree are told of the button instead.
    #[prop_or_default]
    pub label: Option<AttrValue>,
    /// The button's classes.
    pub class: Classes,
    /// The question.
    pub title: AttrValue,
    /// What is lost.
    pub loss: AttrValue,
    /// What the button that changes nothing says.
    pub keep: AttrValue,
    /// Does it.
    pub act: Callback<()>,
}

/// See the module. The browser closes the dialog by Esc, keeps the focus in it, and gives it back to the button.
#[component]
pub fn Confirm(props: &ConfirmProps) -> Html {
    let dialog = use_node_ref();
    let open = {
        let dialog = dialog.clone();
        move |_: MouseEvent| {
            if let Some(dialog) = dialog.cast::<HtmlDialogElement>() {
                // It fails for a dialog that is open already.
                dialog.show_modal().ok();
            }
        }
    };
    let close = {
        let dialog = dialog.clone();
        Callback::from(move |_: MouseEvent| {
            if let Some(dialog) = dialog.cast::<HtmlDialogElement>() {
                dialog.close();
            }
        })
    };
    let act = {
        let (act, close) = (props.act.clone(), close.clone());
        move |event| {
            close.emit(event);
            act.emit(());
        }
    };
    html! {
        <>
            <button type="button" class={props.class.clone()} aria-haspopup="dialog" aria-label={props.label.clone()} onclick={open}>
                { &props.verb }
            </button>
            <dialog class="dialog" ref={dialog} aria-label={props.title.clone()}>
                <div><h2>{ &props.title }</h2><p>{ &props.loss }</p></div>
                <footer>
                    <button type="button" class="btn" onclick={close}>{ &props.keep }</button>
                    <button type="button" class="btn bad" onclick={act}>{ &props.verb }</button>
                </footer>
            </dialog>
        </>
    }
}
