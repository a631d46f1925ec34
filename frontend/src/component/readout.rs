//! Figures in one line.

use yew::prelude::*;

/// Properties of [`Figure`].
#[derive(PartialEq, Properties)]
pub struct FigureProps {
    /// What it is.
    pub label: AttrValue,
    /// The figure, with its unit in `small`.
    pub children: Html,
    /// One line of context.
    pub context: Html,
}

/// One figure of a read-out.
#[component]
pub fn Figure(props: &FigureProps) -> Html {
    html! {
        <div>
            <dt>{ &props.label }</dt>
            <dd>{ props.children.clone() }</dd>
            <dd>{ props.context.clone() }</dd>
        </div>
    }
}
