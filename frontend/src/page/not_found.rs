//! What is not there. A tenant that is not open to the reader gets the same page as one that does not exist, to the letter.

use yew::prelude::*;

use crate::component::link::Go;
use crate::component::shell::Shell;
use crate::route::Route;
use crate::session::Session;

/// What was looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// An address.
    Page,
    /// A tenant.
    Tenant,
}

/// Properties of [`NotFound`].
#[derive(PartialEq, Properties)]
pub struct NotFoundProps {
    /// What was looked for.
    pub what: What,
    /// Who is reading.
    pub session: Session,
}

/// See the module.
#[component]
pub fn NotFound(props: &NotFoundProps) -> Html {
    let (title, why) = match props.what {
        What::Page => (
            "No such page",
            "The address names no page of Sundial. It may be mistyped, or the page has moved.",
        ),
        What::Tenant => (
            "No such tenant",
            "A tenant of this name does not exist, or it is not open to you. Sundial gives the same answer to both. If it \
             should be open to you, ask its administrator for a rule that names your GitHub organisation or team.",
        ),
    };
    html! {
        <Shell {title} session={props.session.clone()}>
            <header class="head"><div><h1>{ title }</h1><p>{ why }</p></div></header>
            <p class="row">
                <Go to={Route::Tenants} class="btn solid">{ "Show my tenants" }</Go>
                <span class="t2">{ "You are signed in as " }<b>{ &props.session.viewer.login }</b>{ "." }</span>
            </p>
        </Shell>
    }
}
