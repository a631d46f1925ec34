//! Who is reading, and the browsers that they are signed in with.

use gloo_timers::callback::Interval;
use wasm_bindgen_futures::spawn_local;
use web_sys::HtmlElement;
use yew::prelude::*;

use crate::api::Failure;
use crate::component::confirm::Confirm;
use crate::component::menu::leave;
use crate::component::note::FailureNote;
use crate::component::shell::Shell;
use crate::figure;
use crate::hook::use_remote;
use crate::session::Session;
use crate::time::{self, Civil, MINUTE, Micros};

mod browser;
mod read;

use read::{Act, SignedIn};

/// How often the list is read again, in milliseconds.
const EVERY: u32 = 30_000;
/// The last use is known to the minute, and noted at most once in one: what is younger is the present.
const NOW: Micros = 2 * MINUTE;
const KEEP: &str = "Stay signed in";

/// Properties of [`AccountPage`].
#[derive(PartialEq, Properties)]
pub struct AccountPageProps {
    /// Who is reading.
    pub session: Session,
}

/// What came of the last act.
#[derive(Clone, PartialEq)]
enum Outcome {
    Done(String),
    Failed(Act, Failure),
}

/// See the module.
#[component]
pub fn AccountPage(props: &AccountPageProps) -> Html {
    let session = &props.session;
    let list = use_remote((), |()| read::read());
    let outcome = use_state_eq(|| None::<Outcome>);
    let heading = use_node_ref();
    {
        let again = list.again.clone();
        use_effect_with((), move |()| {
            let interval = Interval::new(EVERY, move || again.emit(()));
            move || drop(interval)
        });
    }
    {
        let lost = session.lost.clone();
        use_effect_with(list.failure.clone(), move |failure| {
            if *failure == Some(Failure::SignedOut) {
                lost.emit(());
            }
        });
    }
    let act = {
        let (again, lost) = (list.again.clone(), session.lost.clone());
        let (outcome, heading) = (outcome.setter(), heading.clone());
        Callback::from(move |act: Act| {
            let (again, lost) = (again.clone(), lost.clone());
            let (outcome, heading) = (outcome.clone(), heading.clone());
            spawn_local(async move {
                match act.run().await {
                    // Nothing of it stays in memory. Where the browser does not load it anew, there is no session either.
                    Ok(_) if act.leaves() => {
                        if !leave() {
                            lost.emit(());
                        }
                    }
                    Ok(done) => {
                        outcome.set(Some(Outcome::Done(done)));
                        again.emit(());
                        // The button goes with its row, and the focus with it.
                        if let Some(heading) = heading.cast::<HtmlElement>() {
                            heading.focus().ok();
                        }
                    }
                    Err(Failure::SignedOut) => lost.emit(()),
                    Err(failure) => outcome.set(Some(Outcome::Failed(act, failure))),
                }
            });
        })
    };
    let body = match (&list.data, &list.failure) {
        (Some(all), _) => table(all, &act, session.now()),
        (None, Some(_)) => Html::default(),
        (None, None) => html! {
            <div class="shape wait" aria-busy="true">
                <p class="sr" role="status">{ "Loading your browsers" }</p>
                <span class="skel"></span><span class="skel block"></span>
            </div>
        },
    };
    let others = list.data.as_ref().is_some_and(|all| all.len() > 1);
    html! {
        <Shell title="Account" session={session.clone()}>
            <header class="head"><div><h1>{ "Account" }</h1><p>{ sentence(list.data.as_ref().map(|all| all.len())) }</p></div></header>
            { who(session) }
            <section class="part" aria-labelledby="browsers">
                <div class="cap">
                    <h2 id="browsers" tabindex="-1" ref={heading}>{ "Browsers" }</h2>
                    <p role="status" class="push">
                        if let Some(Outcome::Done(done)) = &*outcome { { done } }
                    </p>
                </div>
                if let Some(failure) = &list.failure {
                    <FailureNote what={if list.data.is_some() { "This list is not the newest." } else { "Your browsers could not be loaded." }}
                        failure={failure.clone()} again={list.again.clone()}/>
                }
                if let Some(Outcome::Failed(failed, failure)) = &*outcome {
                    <FailureNote what="Nobody was signed out." failure={failure.clone()} again={retry(&act, failed)}/>
                }
                { body }
                if list.data.is_some() {
                    <div class="row ends">
                        if others {
                            <button type="button" class="btn" onclick={act.reform(|_: MouseEvent| Act::Others)}>{ "Sign out everywhere else" }</button>
                        }
                        <Confirm verb="Sign out everywhere" class="btn bad-quiet" title="Sign out everywhere?" keep={KEEP}
                            loss="Every browser in this list is signed out, this one too. You sign in with GitHub to come back."
                            act={act.reform(|()| Act::All)}/>
                    </div>
                }
            </section>
        </Shell>
    }
}

fn sentence(browsers: Option<usize>) -> String {
    match browsers {
        None | Some(0) => "You are signed in with GitHub.".to_owned(),
        Some(1) => "You are signed in with GitHub, in this browser alone.".to_owned(),
        Some(several) => format!("You are signed in with GitHub, in {several} browsers."),
    }
}

fn retry(act: &Callback<Act>, failed: &Act) -> Callback<()> {
    let failed = failed.clone();
    act.reform(move |()| failed.clone())
}

fn who(session: &Session) -> Html {
    let viewer = &session.viewer;
    let organizations = viewer.organizations.len() as u64;
    html! {
        <dl class="readout">
            <div><dt>{ "Name" }</dt><dd>{ viewer.display_name() }</dd><dd>{ "as GitHub has it" }</dd></div>
            <div><dt>{ "GitHub login" }</dt><dd class="mono">{ &viewer.login }</dd><dd>{ "renaming it there changes nothing here" }</dd></div>
            <div>
                <dt>{ "Organisations" }</dt>
                <dd>{ figure::count(organizations) }</dd>
                <dd>{ if organizations == 0 { "GitHub shows Sundial none".to_owned() } else { viewer.organizations.join(", ") } }</dd>
            </div>
        </dl>
    }
}

fn table(all: &[SignedIn], act: &Callback<Act>, now: Micros) -> Html {
    if all.is_empty() {
        return html! { <div class="empty"><p>{ "No browser is signed in." }</p></div> };
    }
    html! {
        <table class="flat stack c2" role="table">
            <caption class="sr">{ format!("Browsers that you are signed in with; times are of {}", time::zone(now)) }</caption>
            <thead role="rowgroup">
                <tr role="row">
                    <th role="columnheader" scope="col">{ "Browser" }</th>
                    <th role="columnheader" scope="col">{ "Signed in" }</th>
                    <th role="columnheader" scope="col">{ "Last used" }</th>
                    <th role="columnheader" scope="col">{ "Ends, unless used" }</th>
                    <th role="columnheader" scope="col"><span class="sr">{ "Action" }</span></th>
                </tr>
            </thead>
            <tbody role="rowgroup">{ for all.iter().map(|one| row(one, act, now)) }</tbody>
        </table>
    }
}

fn row(one: &SignedIn, act: &Callback<Act>, now: Micros) -> Html {
    let used = match one.used {
        Some(at) if now - at >= NOW => time::ago(now - at),
        _ => "now".to_owned(),
    };
    let label = format!("Sign out {}, signed in {}", one.browser, moment(one.since));
    let end = {
        let one = one.clone();
        act.reform(move |()| Act::One(one.clone()))
    };
    html! {
        <tr role="row" key={one.id.clone()}>
            <th role="rowheader" scope="row" title={one.user_agent.clone()}>
                { &one.browser }if one.current { <small>{ "This browser" }</small> }
            </th>
            <td role="cell" data-l="Signed in">{ moment(one.since) }</td>
            <td role="cell" data-l="Last used">{ used }</td>
            <td role="cell" data-l="Ends, unless used">{ moment(one.ends) }</td>
            <td role="cell" class="full bare last">
                if one.current {
                    <Confirm verb="Sign out" {label} class="btn small" title="Sign out here?" keep={KEEP}
                        loss="This is the browser that you are reading in. You sign in with GitHub to come back." act={end}/>
                } else {
                    <button type="button" class="btn small" aria-label={label} onclick={end.reform(|_: MouseEvent| ())}>{ "Sign out" }</button>
                }
            </td>
        </tr>
    }
}

/// "24 Nov 2026, 14:32".
fn moment(at: Option<Micros>) -> String {
    at.map(Civil::local)
        .map(|civil| format!("{}, {}", civil.date(), civil.short_clock()))
        .unwrap_or_default()
}
