//! What is not there. A tenant that is not open to the reader is not told from one that does not exist, but for what the
//! server says to those whom the tenant's rules name: see [`Why`].

use yew::prelude::*;

use crate::component::link::Go;
use crate::component::shell::Shell;
use crate::component::why::{AskWhy, Why};
use crate::route::Route;
use crate::session::Session;

/// What was looked for.
#[derive(Clone, PartialEq, Eq)]
pub enum What {
    /// An address.
    Page,
    /// A tenant, by its slug.
    Tenant(AttrValue),
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
    let session = &props.session;
    let onward = html! {
        <p class="row">
            <Go to={Route::Tenants} class="btn">{ "Show my tenants" }</Go>
            <span class="t2">{ "You are signed in as " }<b>{ &session.viewer.login }</b>{ "." }</span>
        </p>
    };
    match &props.what {
        What::Page => html! {
            <Shell title="No such page" session={session.clone()}>
                <header class="head"><div><h1>{ "No such page" }</h1><p>{ "The address names no page of Sundial. It may be mistyped, or the page has moved." }</p></div></header>
                { onward }
            </Shell>
        },
        What::Tenant(slug) => html! {
            <Shell title="No such tenant" session={session.clone()}>
                <header class="head"><div><h1>{ "No such tenant is open to you" }</h1><p>{ "A tenant of this name does not exist, or it is not open to you. Sundial looked for it through your GitHub organisations, and says where that stopped." }</p></div></header>
                <div class="two">
                    <Why slug={slug.clone()} session={session.clone()}/>
                    <section class="part" aria-labelledby="another">
                        <div class="cap"><h2 id="another">{ "Another name" }</h2></div>
                        <AskWhy slug={slug.clone()}/>
                        { onward }
                    </section>
                </div>
            </Shell>
        },
    }
}
