//! What stands on a tenant's page.

use std::rc::Rc;

use yew::prelude::*;

use super::chart::{Shown, chart_part};
use super::read::Tenant;
use crate::api::Failure;
use crate::component::age::Age;
use crate::component::code::Code;
use crate::component::icon::{Icon, icon};
use crate::component::note::FailureNote;
use crate::component::readout::Figure;
use crate::component::series::{SeriesList, breakable};
use crate::feed::Feed;
use crate::figure;
use crate::route::View;
use crate::session::Session;
use crate::time::{Civil, MINUTE, Micros, Span};

/// What the page has to show it with, beside the feed.
#[derive(Clone, PartialEq)]
pub struct Seen {
    /// The tenant's slug.
    pub slug: AttrValue,
    /// The tenant, once it was read.
    pub tenant: Option<Rc<Tenant>>,
    /// Why it could not be read.
    pub failure: Option<Failure>,
    /// What the address says.
    pub view: View,
    /// Changes the address.
    pub set_view: Callback<View>,
    /// Reads the tenant again.
    pub again: Callback<()>,
    /// Reads the chart's history again.
    pub reread: Callback<()>,
    /// Stops the picture, or lets it go on.
    pub pause: Callback<()>,
    /// True when points are overdue.
    pub stale: bool,
}

/// Properties of [`Body`].
#[derive(PartialEq, Properties)]
pub struct BodyProps {
    /// What there is to show.
    pub seen: Seen,
    /// What is live of it.
    pub feed: Feed,
    /// Who is reading.
    pub session: Session,
}

/// See the module.
#[component]
pub fn Body(props: &BodyProps) -> Html {
    let BodyProps {
        seen,
        feed,
        session,
    } = props;
    let Some(tenant) = &seen.tenant else {
        return match &seen.failure {
            Some(failure) => html! {
                <>
                    <header class="head"><div><h1>{ "Overview" }</h1></div></header>
                    <FailureNote what="The tenant could not be loaded." failure={failure.clone()} again={seen.again.clone()}/>
                </>
            },
            None => skeleton(),
        };
    };
    if tenant.series.is_empty() {
        return empty(&seen.slug);
    }
    html! {
        <>
            <header class="head">
                <div><h1>{ "Overview" }</h1><p>{ sentence(props, tenant) }</p></div>
                <div class="row">{ spans(seen) }{ pause_button(seen, feed, "only-s") }</div>
            </header>
            if let Some(failure) = &seen.failure {
                <FailureNote what="The list of series is not the newest." failure={failure.clone()} again={seen.again.clone()}/>
            }
            { readout(props, tenant) }
            <div class="two wide-left">
                { chart_part(props, tenant) }
                <section class="part" aria-labelledby="series">
                    <div class="cap"><h2 id="series">{ "Series" }</h2></div>
                    <SeriesList rows={Rc::clone(&tenant.series)} newest={feed.newest()} recent={feed.recent()} skew={session.skew} frozen={frozen(feed)}
                        chosen={feed.chart.as_ref().map(|chart| AttrValue::from(chart.chosen.key.clone()))} choose={choose(seen)}/>
                    if !tenant.complete {
                        <p class="t3">{ format!("The first {} series. GraphiQL reaches the others.", tenant.series.len()) }</p>
                    }
                </section>
            </div>
        </>
    }
}

/// The button that stops the picture and lets it go on.
pub fn pause_button(seen: &Seen, feed: &Feed, class: &'static str) -> Html {
    let (label, drawing) = match feed.pause {
        Some(_) => ("Resume live updates", Icon::Play),
        None => ("Pause live updates", Icon::Pause),
    };
    html! {
        <button type="button" class={classes!("btn", "icon", "bare", class)} onclick={seen.pause.reform(|_| ())}
            aria-label={label} title={label}>{ icon(drawing) }</button>
    }
}

/// The moment that the picture stands at, while paused.
pub fn frozen(feed: &Feed) -> Option<Micros> {
    feed.pause.as_ref().map(|pause| pause.at)
}

/// The state of the page in one sentence.
fn sentence(props: &BodyProps, tenant: &Tenant) -> Html {
    let series = match tenant.series.len() {
        1 => "1 series.".to_owned(),
        many => format!("{} series.", figure::count(many as u64)),
    };
    let Some(at) = props.feed.last_at() else {
        return html! { { format!("{series} None of them has a point.") } };
    };
    let state = if props.seen.stale {
        "Nothing new comes: the last point came "
    } else {
        "The last point came "
    };
    html! { <>{ series }{ " " }{ state }<Age {at} skew={props.session.skew} frozen={frozen(&props.feed)}/>{ "." }</> }
}

fn spans(seen: &Seen) -> Html {
    let now = seen.view.span();
    html! {
        <fieldset class="seg">
            <legend class="sr">{ "Range" }</legend>
            { for Span::ALL.into_iter().map(|span| {
                let onchange = {
                    let view = View { range: Some(span.slug().to_owned()), ..seen.view.clone() };
                    seen.set_view.reform(move |_: Event| view.clone())
                };
                html! {
                    <label key={span.slug()}><input type="radio" name="range" checked={span == now} {onchange}/>{ span.label() }</label>
                }
            }) }
        </fieldset>
    }
}

fn choose(seen: &Seen) -> Callback<String> {
    let (view, set_view) = (seen.view.clone(), seen.set_view.clone());
    Callback::from(move |key| {
        set_view.emit(View {
            series: Some(key),
            ..view.clone()
        });
        show_chart();
    })
}

/// Where the list stands under the chart, what was chosen in it would be out of sight.
fn show_chart() {
    let heading =
        web_sys::window().and_then(|window| window.document()?.get_element_by_id("chart"));
    if let Some(heading) = heading {
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Nearest);
        heading.scroll_into_view_with_scroll_into_view_options(&options);
    }
}

fn readout(props: &BodyProps, tenant: &Tenant) -> Html {
    let BodyProps { feed, session, .. } = props;
    let now = frozen(feed).unwrap_or_else(|| session.now());
    let newest = feed.newest();
    let last = newest.iter().max_by_key(|(_, (at, _))| *at);
    let recent = newest.values().filter(|(at, _)| now - at < MINUTE).count();
    let shown = feed
        .chart
        .as_ref()
        .map(|chart| Shown::of(&chart.chosen, feed, now));
    html! {
        <dl class="readout">
            <Figure label="Last point" context={match last {
                Some((key, (at, _))) => html! { <>{ breakable(figure::split_key(key).0) }{ ", " }{ Civil::local(*at).clock() }</> },
                None => html! { { "nothing has come yet" } },
            }}>
                if let Some((_, (at, _))) = last {
                    <Age at={*at} skew={session.skew} frozen={frozen(feed)}/>
                } else {
                    { "none" }
                }
            </Figure>
            <Figure label="Series" context={html! { { format!("{recent} sent within a minute") } }}>
                { figure::count(tenant.series.len() as u64) }
            </Figure>
            if let Some(shown) = &shown {
                <Figure label="Points on the chart" context={html! { { shown.span.phrase() } }}>
                    { figure::count(shown.summary.map_or(0, |summary| summary.count)) }
                </Figure>
                <Figure label="Gaps" context={html! { { shown.missing() } }}>{ shown.gaps.len() }</Figure>
            }
            <Figure label="Your role" context={html! { { role_phrase(tenant.role) } }}>{ tenant.role }</Figure>
        </dl>
    }
}

fn role_phrase(role: &str) -> &'static str {
    match role {
        "ADMIN" => "reads, writes, manages",
        "EDITOR" => "reads and writes",
        _ => "reads",
    }
}

fn empty(slug: &str) -> Html {
    let origin = web_sys::window()
        .and_then(|window| window.location().origin().ok())
        .unwrap_or_default();
    let command = format!(
        "sundial-producer once \\\n  --url {origin} \\\n  --tenant {slug} \\\n  --token-file ~/{slug}.token"
    );
    html! {
        <>
            <header class="head"><div><h1>{ "Overview" }</h1><p>{ "No series yet. The first point makes one." }</p></div></header>
            <div class="empty">
                <h2>{ "No points yet" }</h2>
                <p>{ "This tenant is ready. Send the first point from any machine, and it appears here within a second." }</p>
                <Code text={command}/>
                <p><span class="live"><span class="dot"></span>{ "Listening" }</span></p>
            </div>
        </>
    }
}

fn skeleton() -> Html {
    html! {
        <div class="shape wait" aria-busy="true">
            <h1 class="sr">{ "Overview" }</h1>
            <p class="sr" role="status">{ "Loading the tenant" }</p>
            <span class="skel tall"></span><span class="skel"></span><span class="skel block"></span><span class="skel plot-shape"></span>
        </div>
    }
}
