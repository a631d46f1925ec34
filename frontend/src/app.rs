//! The page as a whole: who is there decides what is shown.

use std::rc::Rc;

use yew::prelude::*;
use yew_router::prelude::*;

use crate::component::icon::mark;
use crate::component::note::FailureNote;
use crate::component::shell::Solo;
use crate::hook::use_remote;
use crate::page::account::AccountPage;
use crate::page::not_found::{NotFound, What};
use crate::page::sign_in::SignIn;
use crate::page::tenant::TenantPage;
use crate::page::tenants::TenantsPage;
use crate::route::Route;
use crate::session::{self, Session};

/// The root.
#[component]
pub fn App() -> Html {
    html! {
        <BrowserRouter><Gate/></BrowserRouter>
    }
}

/// Lets signed-in readers in, and shows all others the way.
#[component]
fn Gate() -> Html {
    let greeting = use_remote((), |()| session::greet());
    let lost = use_state_eq(|| false);
    let viewer = use_memo(greeting.data.clone(), |data| {
        data.as_ref()
            .and_then(|greeting| greeting.viewer.clone())
            .map(Rc::new)
    });
    let on_lost = {
        let lost = lost.setter();
        use_callback((), move |(), ()| lost.set(true))
    };
    match (&greeting.data, viewer.as_ref(), &greeting.failure) {
        (Some(greeting), Some(viewer), _) if !*lost => {
            let session = Session {
                viewer: Rc::clone(viewer),
                skew: greeting.skew,
                lost: on_lost,
            };
            html! { <Switch<Route> render={move |route| page(route, &session)}/> }
        }
        (Some(_), _, _) => html! { <SignIn lost={*lost}/> },
        (None, _, Some(failure)) => html! {
            <Solo title="Not reachable">
                <div class="answer">
                    <div><h1>{ "Sundial cannot be reached" }</h1></div>
                    <FailureNote what="The page could not begin." failure={failure.clone()} again={greeting.again.clone()}/>
                </div>
            </Solo>
        },
        // The same as index.html shows until this code runs, so that nothing moves.
        (None, _, None) => html! {
            <div class="shell wide-open" aria-busy="true">
                <header class="bar"><span class="brand">{ mark() }<span>{ "Sundial" }</span></span></header>
                <main class="main" id="main">
                    <h1 class="sr">{ "Sundial" }</h1>
                    <div class="shape" aria-hidden="true">
                        <span class="skel tall"></span><span class="skel"></span><span class="skel block"></span>
                    </div>
                </main>
            </div>
        },
    }
}

fn page(route: Route, session: &Session) -> Html {
    let session = session.clone();
    match route {
        Route::Tenants => html! { <TenantsPage {session}/> },
        // The key makes everything anew for another tenant, so that nothing of one is seen in the other.
        Route::Tenant { slug } => {
            html! { <TenantPage key={slug.clone()} slug={slug.clone()} {session}/> }
        }
        Route::Account => html! { <AccountPage {session}/> },
        // Already in: there is nothing to do at the door.
        Route::SignIn => html! { <Onward/> },
        Route::NotFound => html! { <NotFound what={What::Page} {session}/> },
    }
}

/// Goes on to the tenants in place of the present address: Back would lead to it again, and from it to the tenants.
#[component]
fn Onward() -> Html {
    let navigator = use_navigator();
    use_effect_with((), move |()| {
        if let Some(navigator) = navigator {
            navigator.replace(&Route::Tenants);
        }
    });
    Html::default()
}
