//! Signed in, and nothing to see: how far Sundial got, where it stopped, and what to do.

use yew::prelude::*;

use crate::component::code::Code;
use crate::component::icon::{Icon, Step, icon};
use crate::component::link::Go;
use crate::component::menu::SignOut;
use crate::component::shell::Solo;
use crate::component::steps::line;
use crate::component::why::AskWhy;
use crate::figure;
use crate::route::Route;
use crate::session::Session;

/// Properties of [`NoTenant`].
#[derive(PartialEq, Properties)]
pub struct NoTenantProps {
    /// Who is reading.
    pub session: Session,
    /// Looks again.
    pub again: Callback<()>,
}

/// See the module.
#[component]
pub fn NoTenant(props: &NoTenantProps) -> Html {
    let viewer = &props.session.viewer;
    let none_listed = viewer.organizations.is_empty();
    let stopped_at = if none_listed { "second" } else { "third" };
    let aside = html! {
        <>
            <Go to={Route::Account} class="t2 login"><span class="hide-s">{ "Signed in as " }</span><b>{ &viewer.login }</b></Go>
            <SignOut class="btn"/>
        </>
    };
    html! {
        <Solo title="No tenant yet" {aside}>
            <div class="answer">
                <div>
                    <h1>{ "No tenant is open to you yet" }</h1>
                    <p class="lede">{ format!("You are signed in. Sundial looked for a tenant through your GitHub organisations, and the {stopped_at} of four steps stopped it.") }</p>
                </div>
                <div class="two">
                    <section aria-labelledby="steps">
                        <h2 id="steps" class="sr">{ "The four steps" }</h2>
                        <ol class="steps">
                            { line(Step::Passed, "GitHub says who you are", html! { <p>{ "You are " }<b>{ &viewer.login }</b>{ "." }</p> }) }
                            { listed_step(props, none_listed) }
                            { rule_step(props, none_listed) }
                            { line(Step::Ahead, "The rule gives you a role", Html::default()) }
                        </ol>
                    </section>
                    <div class="aside">
                        <section class="part" aria-labelledby="ask">
                            <div class="cap"><h2 id="ask">{ "If you know the tenant" }</h2></div>
                            <AskWhy/>
                        </section>
                        { other_reasons() }
                    </div>
                </div>
            </div>
        </Solo>
    }
}

fn listed_step(props: &NoTenantProps, none_listed: bool) -> Html {
    const TITLE: &str = "GitHub tells Sundial your organisations";
    if none_listed {
        let body = html! {
            <>
                <p>{ "GitHub lists no organisation for you. That need not mean that you are in none: it leaves out those that Sundial may not see." }</p>
                <div class="fix">
                    <p><b>{ "What to do." }</b>{ " Sign out, sign in again, and leave " }<code>{ "read:org" }</code>{ " allowed. If the list stays empty, ask an owner of your organisation to approve Sundial; it takes them a minute, once for everybody." }</p>
                    { actions(props) }
                    <Code caption="Message for an owner of your organisation" text={approval_message()}/>
                </div>
            </>
        };
        return line(Step::Stopped, TITLE, body);
    }
    let names = &props.session.viewer.organizations;
    let body = html! {
        <p>
            { format!("GitHub lists {} for you: ", figure::counted(names.len() as u64, "organisation")) }
            <b>{ names.join(", ") }</b>{ "." }
        </p>
    };
    line(Step::Passed, TITLE, body)
}

fn rule_step(props: &NoTenantProps, none_listed: bool) -> Html {
    const TITLE: &str = "A rule of a tenant names your organisation or team";
    if none_listed {
        return line(Step::Ahead, TITLE, Html::default());
    }
    let viewer = &props.session.viewer;
    let message = format!(
        "Please open a Sundial tenant to me.\nMy GitHub login is {}; GitHub lists me in {}.\nAn access rule of the tenant must name one of these, or a team in it that I belong to.",
        viewer.login,
        viewer.organizations.join(", "),
    );
    let body = html! {
        <>
            <p>{ "No tenant has a rule for any of them, or for a team of yours in them." }</p>
            <div class="fix">
                <p><b>{ "What to do." }</b>{ " Ask an administrator of the tenant for a rule. Sundial sees it within 5 minutes." }</p>
                { actions(props) }
                <Code caption="Message for an administrator" text={message}/>
            </div>
        </>
    };
    line(Step::Stopped, TITLE, body)
}

fn actions(props: &NoTenantProps) -> Html {
    html! {
        <div class="row">
            <button type="button" class="btn solid" onclick={props.again.reform(|_| ())}>{ icon(Icon::Refresh) }{ "Check again" }</button>
        </div>
    }
}

fn approval_message() -> String {
    "Please approve the OAuth app “Sundial” for our organisation:\nSettings → Third-party access → OAuth app policy.\nIt asks for read:user and read:org. It reads memberships, no code.".to_owned()
}

fn other_reasons() -> Html {
    let reason = |seen: &str, then: Html| {
        html! {
            <tr role="row"><th role="rowheader" scope="row">{ seen }</th><td role="cell" class="full bare">{ then }</td></tr>
        }
    };
    html! {
        <section class="part" aria-labelledby="other">
            <div class="cap"><h2 id="other">{ "If that is not it" }</h2></div>
            <table class="flat stack" role="table">
                <caption class="sr">{ "Other reasons and what to do" }</caption>
                <thead role="rowgroup">
                    <tr role="row"><th role="columnheader" scope="col">{ "If you see" }</th><th role="columnheader" scope="col">{ "Then" }</th></tr>
                </thead>
                <tbody role="rowgroup">
                    { reason("An organisation is missing", html! { { "It restricts third-party apps and has not approved Sundial. An owner of it can." } }) }
                    { reason("It uses single sign-on", html! { { "Open its single sign-on once in this browser, then sign out and in again." } }) }
                    { reason("Your team is missing", html! { { "Membership is pending. Accept the invitation on GitHub; Sundial sees it within 5 minutes." } }) }
                    { reason("Everything looks right", html! { { "The tenant may not exist. Sundial gives the same answer for a tenant that is not there and one that is not yours." } }) }
                </tbody>
            </table>
        </section>
    }
}
