//! One tenant: what it holds, its series, and the live chart of one of them.

mod chart;
mod read;
mod view;

use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;
use yew_router::prelude::*;

use crate::api::Failure;
use crate::component::live::{Banner, Live, LiveProps};
use crate::component::series::Row;
use crate::component::shell::{Place, Shell};
use crate::feed::{self, Act, Chosen, Feed};
use crate::hook::{use_chart, use_live, use_remote, use_tick};
use crate::page::not_found::{NotFound, What};
use crate::route::{Route, View};
use crate::session::{self, Session};
use read::Tenant;
use view::{Body, Seen};

/// Properties of [`TenantPage`].
#[derive(PartialEq, Properties)]
pub struct TenantPageProps {
    /// Its slug.
    pub slug: AttrValue,
    /// Who is reading.
    pub session: Session,
}

/// See the module.
#[component]
pub fn TenantPage(props: &TenantPageProps) -> Html {
    use_tick(1_000);
    let session = &props.session;
    let tenants = use_remote((), |()| session::read_tenants());
    let tenant = use_remote(props.slug.clone(), |slug| read::tenant(slug.to_string()));
    let feed = use_reducer(Feed::default);
    let ended = use_state_eq(|| None::<Failure>);
    let (view, set_view) = use_view(&props.slug);
    let nudge = {
        let ended = ended.setter();
        let on_end = Callback::from(move |failure| ended.set(Some(failure)));
        use_live(&props.slug, session.skew, feed.dispatcher(), on_end)
    };
    let chosen = choose(tenant.data.as_deref(), &view);
    let reread = use_chart(&feed, chosen, session.skew);
    use_listing(&feed, tenant.data.clone(), &tenant.again);
    use_recent(&feed, &props.slug, session);

    let failure = ended.as_ref().or(tenant.failure.as_ref());
    {
        let lost = session.lost.clone();
        use_effect_with(failure == Some(&Failure::SignedOut), move |signed_out| {
            if *signed_out {
                lost.emit(());
            }
        });
    }
    // A tenant that was open and is not any more is like one that never was.
    if failure.is_some_and(Failure::is_not_found) || tenant.data.as_deref() == Some(&None) {
        return html! { <NotFound what={What::Tenant(props.slug.clone())} session={session.clone()}/> };
    }
    let live = live_props(&feed, session, nudge);
    let known = tenant.data.as_deref().and_then(Option::as_ref);
    let place = Place {
        slug: props.slug.clone(),
        prod: known.map(|tenant| tenant.prod),
    };
    let seen = Seen {
        slug: props.slug.clone(),
        tenant: known.cloned(),
        failure: tenant.failure.clone(),
        view,
        set_view,
        again: tenant.again.clone(),
        reread,
        pause: pause(&feed, session),
        stale: live.stale,
    };
    html! {
        <Shell title="Overview" session={session.clone()} {place} tenants={tenants.data.clone().unwrap_or_default()}
            live={html! { <><Live ..live.clone()/>{ view::pause_button(&seen, &feed, "wide") }</> }}
            banner={html! { <Banner ..live.clone()/> }}>
            <Body {seen} feed={(*feed).clone()} session={session.clone()}/>
        </Shell>
    }
}

/// The series that the address names, or the first.
fn choose(tenant: Option<&Option<Rc<Tenant>>>, view: &View) -> Option<Chosen> {
    let series = &tenant?.as_ref()?.series;
    let row: &Row = match &view.series {
        Some(key) => series.iter().find(|row| row.key == *key)?,
        None => series.first()?,
    };
    Some(Chosen {
        id: row.id.clone(),
        key: row.key.clone(),
        span: view.span(),
    })
}

/// What the address says, and what changes it.
#[hook]
fn use_view(slug: &AttrValue) -> (View, Callback<View>) {
    let (location, navigator) = (use_location(), use_navigator());
    let view = location
        .and_then(|location| location.query::<View>().ok())
        .unwrap_or_default();
    let set = {
        let (route, shown) = (
            Route::Tenant {
                slug: slug.to_string(),
            },
            view.clone(),
        );
        // Pushed, so that Back undoes it.
        Callback::from(move |view: View| {
            if view != shown
                && let Some(navigator) = &navigator
                && navigator.push_with_query(&route, &view).is_err()
            {
                // Three short texts can always be written into an address; without them the page still has its path.
                navigator.push(&route);
            }
        })
    };
    (view, set)
}

/// Tells the feed which series there are, and reads the list again when points of another one come or may have been
/// missed.
#[hook]
fn use_listing(
    feed: &UseReducerHandle<Feed>,
    tenant: Option<Rc<Option<Rc<Tenant>>>>,
    again: &Callback<()>,
) {
    {
        let feed = feed.dispatcher();
        use_effect_with(tenant, move |tenant| {
            if let Some(tenant) = tenant.as_deref().and_then(Option::as_ref) {
                feed.dispatch(Act::Listed(tenant.latest.clone()));
            }
        });
    }
    let again = again.clone();
    use_effect_with((feed.strangers, feed.epoch), move |since| {
        if *since != (0, 0) {
            again.emit(());
        }
    });
}

/// Reads the last minutes of the series when the page is opened, and when points may have been missed.
#[hook]
fn use_recent(feed: &UseReducerHandle<Feed>, slug: &AttrValue, session: &Session) {
    let (dispatcher, session) = (feed.dispatcher(), session.clone());
    use_effect_with((slug.clone(), feed.epoch), move |(slug, _)| {
        let slug = slug.to_string();
        spawn_local(async move {
            dispatcher.dispatch(Act::Recent(read::recent(slug, session.now()).await));
        });
    });
}

/// What the bar and the banner are told.
fn live_props(feed: &UseReducerHandle<Feed>, session: &Session, nudge: Callback<()>) -> LiveProps {
    let last_at = feed.last_at();
    let track = feed.track();
    let marks = track.as_ref().map_or(&[][..], |track| track.marks());
    let resume = {
        let feed = feed.dispatcher();
        Callback::from(move |()| feed.dispatch(Act::Resume))
    };
    LiveProps {
        connection: feed.connection,
        last_at,
        stale: last_at.is_some_and(|at| feed::is_stale(at, session.now(), marks)),
        pause: feed.pause.clone(),
        skew: session.skew,
        nudge,
        resume,
    }
}

/// Stops the picture, or lets it go on.
fn pause(feed: &UseReducerHandle<Feed>, session: &Session) -> Callback<()> {
    let (feed, is_paused, session) = (feed.dispatcher(), feed.pause.is_some(), session.clone());
    Callback::from(move |()| {
        feed.dispatch(if is_paused {
            Act::Resume
        } else {
            Act::Pause(session.now())
        })
    })
}
