//! What is around every page: the bar that says where one is, the navigation, the footer.

use std::rc::Rc;

use yew::prelude::*;
use yew_router::prelude::*;

use super::age::ServerClock;
use super::icon::{Icon, icon, mark};
use super::link::Go;
use super::menu::{account_button, account_card, switch_button, switch_list};
use crate::hook::{Theme, use_theme};
use crate::route::Route;
use crate::session::{Session, TenantLine};
use crate::time;

/// The tenant that a page is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Its slug.
    pub slug: AttrValue,
    /// Its environment: true for PROD. None until the tenant was read.
    pub prod: Option<bool>,
}

impl Place {
    fn env(&self) -> Option<&'static str> {
        self.prod.map(|prod| if prod { "prod" } else { "test" })
    }
}

/// The badge that names an environment: solid for PROD, dashed for TEST.
pub fn badge(prod: bool) -> Html {
    if prod {
        html! { <span class="env env-prod">{ "PROD" }</span> }
    } else {
        html! { <span class="env env-test">{ "TEST" }</span> }
    }
}

/// Properties of [`Shell`].
#[derive(PartialEq, Properties)]
pub struct ShellProps {
    /// The page's name, for the tab.
    pub title: AttrValue,
    /// Who is reading.
    pub session: Session,
    /// The tenant, on its pages.
    #[prop_or_default]
    pub place: Option<Place>,
    /// What one can switch to.
    #[prop_or_default]
    pub tenants: Rc<Vec<TenantLine>>,
    /// The connection and what stops it, in the bar.
    #[prop_or_default]
    pub live: Html,
    /// One line under the bar.
    #[prop_or_default]
    pub banner: Html,
    /// The page.
    pub children: Html,
}

/// A page with the bar.
#[component]
pub fn Shell(props: &ShellProps) -> Html {
    let (theme, turn, is_dark) = use_theme();
    let at_account = use_route::<Route>() == Some(Route::Account);
    let mut tab = vec![props.title.to_string()];
    if let Some(place) = &props.place {
        tab.push(place.slug.to_string());
        tab.extend(place.env().map(str::to_uppercase));
    }
    tab.push("Sundial".to_owned());
    let tab = tab.join(" · ");
    let prod = props
        .place
        .as_ref()
        .is_some_and(|place| place.prod == Some(true));
    use_effect_with((tab, prod, is_dark), |(tab, prod, _)| dress(tab, *prod));

    let turn_theme = turn.reform(|_: MouseEvent| ());
    html! {
        <div class={classes!("shell", props.place.is_none().then_some("wide-open"))}
            data-env={props.place.as_ref().and_then(Place::env)}>
            <a class="skip" href="#main">{ "Skip to content" }</a>
            <header class="bar">
                <Go to={Route::Tenants} class="brand" label="Sundial, all tenants">{ mark() }<span>{ "Sundial" }</span></Go>
                if let Some(place) = &props.place {
                    { switch_button(place) }
                }
                if props.place.is_some() { { props.live.clone() } } else { <span class="push"></span> }
                <button type="button" class="btn icon bare wide" onclick={turn_theme.clone()}
                    aria-label={format!("Theme: {}. Change it", theme.name())} title="Change theme">{ icon(Icon::Theme) }</button>
                { account_button(&props.session) }
            </header>
            { account_card(&props.session, at_account) }
            if let Some(place) = &props.place {
                { switch_list(place, &props.tenants) }
                <Side place={place.clone()} session={props.session.clone()}/>
            }
            <div class="under" role="region" aria-label="Connection">{ props.banner.clone() }</div>
            <main class="main" id="main" tabindex="-1">
                { props.children.clone() }
                <Foot {theme} turn={turn_theme} slug={props.place.as_ref().map(|place| place.slug.clone())}/>
            </main>
            if let Some(place) = &props.place {
                <nav class="tabs" aria-label="Pages, short">
                    <ul>{ pages(place) }</ul>
                </nav>
            }
        </div>
    }
}

/// The links of a tenant, in the navigation and in the tabs of a small screen.
fn pages(place: &Place) -> Html {
    html! {
        <>
            <li><Go to={Route::Tenant { slug: place.slug.to_string() }} current={true}>{ icon(Icon::Overview) }{ "Overview" }</Go></li>
            <li><Go to={Route::Tenants}>{ icon(Icon::Grid) }{ "All tenants" }</Go></li>
            <li><a href={format!("/graphiql?tenant={}", place.slug)}>{ icon(Icon::Braces) }{ "GraphiQL" }</a></li>
        </>
    }
}

#[derive(PartialEq, Properties)]
struct SideProps {
    place: Place,
    session: Session,
}

#[component]
fn Side(props: &SideProps) -> Html {
    html! {
        <nav class="side" aria-label="Pages">
            <div>
                <ul>{ pages(&props.place) }</ul>
                <div class="foot">
                    <span>{ "Server clock" }</span>
                    <span class="t"><ServerClock skew={props.session.skew}/></span>
                    <span>{ time::skew_phrase(props.session.skew) }</span>
                </div>
            </div>
        </nav>
    }
}

#[derive(PartialEq, Properties)]
struct FootProps {
    theme: Theme,
    turn: Callback<MouseEvent>,
    slug: Option<AttrValue>,
}

#[component]
fn Foot(props: &FootProps) -> Html {
    let graphiql = match &props.slug {
        Some(slug) => format!("/graphiql?tenant={slug}"),
        None => "/graphiql".to_owned(),
    };
    html! {
        <footer class="foot-page">
            <span>{ concat!("Sundial ", env!("CARGO_PKG_VERSION")) }</span>
            <a href={graphiql}>{ "GraphiQL" }</a>
            <button type="button" class="btn small bare push" onclick={props.turn.clone()}>
                { "Theme: " }{ props.theme.name() }
            </button>
        </footer>
    }
}

/// Properties of [`Solo`].
#[derive(PartialEq, Properties)]
pub struct SoloProps {
    /// The page's name, for the tab.
    pub title: AttrValue,
    /// What stands in the header, before the theme.
    #[prop_or_default]
    pub aside: Html,
    /// The page.
    pub children: Html,
}

/// A page without the bar: for readers who are not in yet.
#[component]
pub fn Solo(props: &SoloProps) -> Html {
    let (theme, turn, is_dark) = use_theme();
    use_effect_with((props.title.clone(), is_dark), |(title, _)| {
        dress(&format!("{title} · Sundial"), false)
    });
    html! {
        <div class="solo">
            <a class="skip" href="#main">{ "Skip to content" }</a>
            <header>
                <a class="brand" href="/">{ mark() }<span>{ "Sundial" }</span></a>
                <span class="push"></span>
                { props.aside.clone() }
                <button type="button" class="btn icon bare" onclick={turn.reform(|_: MouseEvent| ())}
                    aria-label={format!("Theme: {}. Change it", theme.name())} title="Change theme">{ icon(Icon::Theme) }</button>
            </header>
            <main id="main" tabindex="-1">{ props.children.clone() }</main>
            <footer><span>{ concat!("Sundial ", env!("CARGO_PKG_VERSION")) }</span><a href="/graphiql">{ "GraphiQL" }</a></footer>
        </div>
    }
}

/// The tab's name, and the colour that the browser gives its own bar: red in PROD, and nowhere else.
fn dress(tab: &str, prod: bool) {
    let Some((window, document)) =
        web_sys::window().and_then(|window| Some((window.clone(), window.document()?)))
    else {
        return;
    };
    document.set_title(tab);
    let colour = document
        .document_element()
        .and_then(|root| window.get_computed_style(&root).ok().flatten())
        .and_then(|style| {
            style
                .get_property_value(if prod { "--prod-bar" } else { "--bg" })
                .ok()
        });
    let meta = document
        .query_selector("meta[name=theme-color]")
        .ok()
        .flatten();
    if let (Some(colour), Some(meta)) = (colour, meta) {
        // The attribute's name is a valid one.
        meta.set_attribute("content", colour.trim()).ok();
    }
}
