//! What opens under the bar: the tenants one can switch to, and the account.
//!
//! Buttons and lists are apart, since the lists stand outside the bar: in PROD the bar has colours of its own.

use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use super::icon::{Icon, icon};
use super::link::Go;
use super::shell::{Place, badge};
use crate::api;
use crate::route::Route;
use crate::session::{Session, TenantLine};

/// Opens the tenants that one can switch to.
pub fn switch_button(place: &Place) -> Html {
    html! {
        <button type="button" class="switch" popovertarget="switch">
            <span class="sr">{ "Tenant " }</span>{ for place.prod.map(badge) }
            <span class="mono">{ &place.slug }</span>{ icon(Icon::Down) }
        </button>
    }
}

/// The tenants that one can switch to. The key closes it when one has.
pub fn switch_list(place: &Place, tenants: &Rc<Vec<TenantLine>>) -> Html {
    html! {
        <div class="pop at-switch" id="switch" key={place.slug.to_string()} popover="auto" role="dialog" aria-label="Switch tenant">
            <ul class="list">
                { for tenants.iter().map(|tenant| {
                    let here = tenant.slug.as_str() == place.slug.as_str();
                    html! {
                        <li key={tenant.slug.clone()}>
                            <Go to={Route::Tenant { slug: tenant.slug.clone() }} class="opt" current={here}>
                                { badge(tenant.prod) }<span class="mono">{ tenant.slug.clone() }</span>
                                <span class="push t3">{ if here { "here" } else { tenant.role } }</span>
                            </Go>
                        </li>
                    }
                }) }
            </ul>
            <div class="list"><Go to={Route::Tenants} class="opt">{ "All tenants" }</Go></div>
        </div>
    }
}

/// Opens the account.
pub fn account_button(session: &Session) -> Html {
    let name = session.viewer.display_name().to_owned();
    let initials = initials(&name);
    html! {
        <button type="button" class="who" popovertarget="account" title={name.clone()}
            aria-label={format!("{initials}, account of {name}")}>{ initials.clone() }</button>
    }
}

/// Who is signed in, and the way out. `here` is true on the account's own page, which needs no link to itself.
pub fn account_card(session: &Session, here: bool) -> Html {
    let viewer = &session.viewer;
    html! {
        <div class="pop at-account" id="account" popover="auto" role="dialog" aria-label="Account">
            <div class="who-is">
                if let Some(picture) = &viewer.avatar {
                    <img src={picture.clone()} alt="" width="32" height="32" loading="lazy"/>
                }
                <p><b>{ viewer.display_name() }</b><br/><span class="t3">{ "Signed in as " }{ &viewer.login }</span></p>
            </div>
            <div class="list">
                if !here { <Go to={Route::Account} class="opt">{ "Account and browsers" }</Go> }
                <SignOut class="opt"/>
            </div>
        </div>
    }
}

/// Properties of [`SignOut`].
#[derive(PartialEq, Properties)]
pub struct SignOutProps {
    /// Classes of the button.
    pub class: Classes,
}

/// Ends the session, and loads the page anew so that nothing of it stays in memory.
#[component]
pub fn SignOut(props: &SignOutProps) -> Html {
    let failed = use_state_eq(|| false);
    let onclick = {
        let failed = failed.setter();
        Callback::from(move |_: MouseEvent| {
            let failed = failed.clone();
            spawn_local(async move {
                failed.set(api::sign_out().await.is_err() || !leave());
            });
        })
    };
    html! {
        <>
            <button type="button" class={props.class.clone()} {onclick}>{ "Sign out" }</button>
            if *failed {
                <span class="t3" role="alert">{ "The server did not answer: you are still signed in." }</span>
            }
        </>
    }
}

/// Loads the page anew, at its start, for a reader whose session has ended. False when the browser does not.
pub fn leave() -> bool {
    web_sys::window().is_some_and(|window| window.location().set_href("/").is_ok())
}

fn initials(name: &str) -> String {
    let letters: String = name
        .split([' ', '-', '_'])
        .filter_map(|word| word.chars().next())
        .take(2)
        .collect();
    letters.to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_come_from_names_and_from_logins() {
        assert_eq!(initials("Anna Huber"), "AH");
        assert_eq!(initials("jonas-reiter"), "JR");
        assert_eq!(initials("admin"), "A");
    }
}
