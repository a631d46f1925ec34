//! Why a tenant is not open to the reader: what was checked, where it stopped, and what to do.
//!
//! Invariant: it says no more than the server does, which says of a tenant that the reader has nothing to do with what it
//! says of one that does not exist.

use web_sys::HtmlInputElement;
use yew::prelude::*;
use yew_router::prelude::*;

use super::code::Code;
use super::icon::{Icon, Step, icon};
use super::note::FailureNote;
use super::steps::line;
use crate::api::operation::{ExplainAccess, explain_access};
use crate::api::{self, Failure};
use crate::hook::use_remote;
use crate::route::Route;
use crate::session::{Session, Viewer};
use crate::time::{self, Civil, Micros};

use explain_access::{AccessCheck as Check, ExplainAccessExplainAccessSteps as Checked};

/// What is checked, in the server's order.
const CHECKS: [(Check, &str); 7] = [
    (Check::TOKEN, "Sign-in"),
    (Check::SCOPE, "Leave to read your organisations"),
    (Check::ORGANIZATION_APPROVAL, "Your organisation’s approval"),
    (Check::SINGLE_SIGN_ON, "Your organisation’s single sign-on"),
    (Check::MEMBERSHIP, "Membership of an organisation"),
    (Check::RULE, "A rule for your organisation"),
    (Check::TEAM, "A team that the rule names"),
];

/// Where people sign in.
const SIGN_IN: &str = "/auth/login";

/// An explanation, and the server's time when it was asked for.
#[derive(Clone, PartialEq)]
struct Answer {
    granted: bool,
    steps: Vec<Checked>,
    at: Micros,
}

async fn explain(slug: String) -> Result<Answer, Failure> {
    let answer = api::ask::<ExplainAccess>(explain_access::Variables { tenant: slug })
        .await?
        .explain_access;
    Ok(Answer {
        granted: answer.granted,
        steps: answer.steps,
        at: time::browser_now(),
    })
}

/// Properties of [`Why`].
#[derive(PartialEq, Properties)]
pub struct WhyProps {
    /// The tenant's slug.
    pub slug: AttrValue,
    /// Who is reading.
    pub session: Session,
}

/// See the module.
#[component]
pub fn Why(props: &WhyProps) -> Html {
    let answer = use_remote(props.slug.clone(), |slug| explain(slug.to_string()));
    let again = answer.again.reform(|_: MouseEvent| ());
    let failure = answer.failure.as_ref().map(|failure| {
        html! {
            <FailureNote what="What keeps the tenant from you could not be looked up." failure={failure.clone()} again={answer.again.clone()}/>
        }
    });
    let Some(known) = &answer.data else {
        return failure.unwrap_or_else(|| {
            html! {
                <div class="shape wait" aria-busy="true">
                    <p class="sr" role="status">{ "Asking GitHub" }</p>
                    <span class="skel tall"></span><span class="skel"></span><span class="skel block"></span>
                </div>
            }
        });
    };
    html! {
        <section aria-labelledby="why">
            <h2 id="why" class="sr">{ "What was checked" }</h2>
            { for failure }
            <ol class="steps">
                { for CHECKS.iter().map(|(check, title)| {
                    match known.steps.iter().find(|step| step.check == *check) {
                        Some(found) => checked(title, found, props),
                        None if known.granted => Html::default(),
                        None => line(Step::Ahead, title, Html::default()),
                    }
                }) }
            </ol>
            <div class="row">
                if known.granted {
                    // Loaded anew: what the page knows of this tenant is that it is not open.
                    <a class="btn solid" href={tenant(&props.slug)}>{ "Open the tenant" }</a>
                } else {
                    <button type="button" class="btn solid" onclick={again}>{ icon(Icon::Refresh) }{ "Check again" }</button>
                }
                <span class="t3" role="status">{ format!("GitHub was asked at {}.", Civil::local(known.at).clock()) }</span>
            </div>
        </section>
    }
}

fn checked(title: &str, found: &Checked, props: &WhyProps) -> Html {
    let words = html! { <p>{ &found.words }</p> };
    if found.ok {
        return line(Step::Passed, title, words);
    }
    let message = (found.check == Check::RULE).then(|| request(&props.slug, &props.session.viewer));
    let body = html! {
        <>
            { words }
            <div class="fix">
                if let Some(action) = &found.action {
                    <p><b>{ "What to do." }</b>{ " " }
                        if let Some(url) = &found.url {
                            <a href={link(url, &props.slug)}>{ action }</a>
                        } else {
                            { action }
                        }
                        { "." }
                    </p>
                }
                if let Some(text) = message {
                    <Code caption="Message for an administrator" {text}/>
                }
            </div>
        </>
    };
    line(Step::Stopped, title, body)
}

/// The tenant's address.
fn tenant(slug: &str) -> String {
    let slug = slug.to_owned();
    Route::Tenant { slug }.to_path()
}

/// Where to do what helps. Signing in leads back to the tenant.
fn link(url: &str, slug: &str) -> String {
    if url == SIGN_IN {
        let back = js_sys::encode_uri_component(&tenant(slug));
        return format!("{url}?return_to={back}");
    }
    url.to_owned()
}

fn request(slug: &str, viewer: &Viewer) -> String {
    format!(
        "Please open the Sundial tenant {slug} to me.\nMy GitHub login is {}; GitHub lists me in {}.\nAn access rule of the \
         tenant must name one of these, or a team in it that I belong to.",
        viewer.login,
        viewer.organizations.join(", "),
    )
}

/// Properties of [`AskWhy`].
#[derive(PartialEq, Properties)]
pub struct AskWhyProps {
    /// What stands in the field at first.
    #[prop_or_default]
    pub slug: AttrValue,
}

/// Asks for a tenant by its name. It leads to the tenant's address, which is the tenant where that is open, and where it
/// is not, the reason.
#[component]
pub fn AskWhy(props: &AskWhyProps) -> Html {
    let navigator = use_navigator();
    let field = use_node_ref();
    let onsubmit = {
        let field = field.clone();
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let typed = field.cast::<HtmlInputElement>().map(|field| field.value());
            let slug = typed.unwrap_or_default().trim().to_ascii_lowercase();
            if let Some(navigator) = navigator.as_ref().filter(|_| !slug.is_empty()) {
                navigator.push(&Route::Tenant { slug });
            }
        })
    };
    html! {
        <form class="field" {onsubmit}>
            <label for="tenant">{ "Name of the tenant, as in its address" }</label>
            <div class="row">
                <input class="input mono" id="tenant" ref={field} value={props.slug.clone()} required=true maxlength="63"
                    autocomplete="off" autocapitalize="none" spellcheck="false" placeholder="mcce-g1-prod"/>
                <button type="submit" class="btn">{ "Show why" }</button>
            </div>
        </form>
    }
}
