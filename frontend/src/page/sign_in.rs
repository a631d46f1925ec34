//! The door: what Sundial asks of GitHub and why, and why the last attempt failed.

use yew::prelude::*;
use yew_router::prelude::*;

use crate::component::icon::{Icon, icon};
use crate::component::shell::Solo;
use crate::route;

mod dial;

/// Properties of [`SignIn`].
#[derive(PartialEq, Properties)]
pub struct SignInProps {
    /// True when a session has just ended.
    pub lost: bool,
}

/// See the module.
#[component]
pub fn SignIn(props: &SignInProps) -> Html {
    let location = use_location();
    let (path, query) = location.as_ref().map_or(("/", ""), |location| {
        (location.path(), location.query_str())
    });
    let back = js_sys::encode_uri_component(&route::return_to(path, query));
    let stopped = error_code(query).map(explain);
    html! {
        <Solo title="Sign in">
            <div class="door">
                <div>
                    <h1>{ "Watch time data as it arrives" }</h1>
                    <p class="lede">{ "Scheduled producers write; you see every point, and every one that is missing. Sign in to see the tenants open to you." }</p>
                    if let Some((what, next)) = stopped {
                        <div class="note bad" role="alert">
                            { icon(Icon::Warn) }
                            <p><b>{ what }</b>{ " " }{ next }</p>
                        </div>
                    } else if props.lost {
                        <div class="note late" role="alert">
                            { icon(Icon::Clock) }
                            <p><b>{ "Your session has ended." }</b>{ " Sign in again, and you come back to the same page." }</p>
                        </div>
                    }
                    <a class="btn solid" href={format!("/auth/login?return_to={back}")}>{ octocat() }{ "Sign in with GitHub" }</a>
                    <table class="flat stack c2 asks" role="table">
                        <caption class="sr">{ "What Sundial asks GitHub for" }</caption>
                        <thead role="rowgroup">
                            <tr role="row">
                                <th role="columnheader" scope="col">{ "Asks for" }</th>
                                <th role="columnheader" scope="col">{ "Gets" }</th>
                                <th role="columnheader" scope="col">{ "Why" }</th>
                            </tr>
                        </thead>
                        <tbody role="rowgroup">
                            { asks("read:user", "Your name, picture and account number", "To know that it is you") }
                            { asks("read:org", "Your organisations and teams", "To find the tenants open to you") }
                        </tbody>
                    </table>
                    <p class="t3 promise">{ "Never code, repositories or e-mail addresses. The GitHub token stays on the server; your browser holds a session cookie, and signing out ends it." }</p>
                </div>
                <div>{ dial::dial() }</div>
            </div>
        </Solo>
    }
}

fn asks(scope: &str, gets: &str, why: &str) -> Html {
    html! {
        <tr role="row">
            <th role="rowheader" scope="row"><code>{ scope }</code></th>
            <td role="cell" data-l="Gets">{ gets }</td>
            <td role="cell" data-l="Why">{ why }</td>
        </tr>
    }
}

/// The code that `/auth/callback` left in the address.
fn error_code(query: &str) -> Option<&str> {
    query
        .trim_start_matches('?')
        .split('&')
        .find_map(|pair| pair.strip_prefix("error="))
}

/// What happened, and what to do.
fn explain(code: &str) -> (&'static str, &'static str) {
    match code {
        "access_denied" => (
            "You said no on GitHub.",
            "Sundial has learnt nothing about you. Sign in again to allow it; the table below says what it reads.",
        ),
        "state_mismatch" => (
            "This sign-in did not begin in this browser.",
            "It may have begun in another window or long ago. Sign in from here.",
        ),
        "login_expired" => (
            "The sign-in took too long.",
            "It is good for a few minutes only. Sign in again.",
        ),
        "scope_missing" => (
            "GitHub did not let Sundial read your memberships.",
            "Without read:org it cannot tell which tenants are open to you. Sign in again, and leave it allowed.",
        ),
        "not_configured" => (
            "Sundial does not know its GitHub app.",
            "Only whoever runs this server can mend that: its client id and secret are missing, or GitHub refuses them.",
        ),
        "github_unavailable" => (
            "GitHub did not answer.",
            "Sundial cannot tell who you are without it. Try again in a minute; githubstatus.com says whether it is down.",
        ),
        _ => (
            "The sign-in did not succeed.",
            "Sign in again; if it fails once more, tell an administrator what the address of this page says.",
        ),
    }
}

fn octocat() -> Html {
    html! {
        <svg viewBox="0 0 16 16" width="18" height="18" fill="currentColor" aria-hidden="true"><path d="M8 0C3.58 0 0 3.58 0 8c0 3.54 2.29 6.53 5.47 7.59.4.07.55-.17.55-.38 0-.19-.01-.82-.01-1.49-2.01.37-2.53-.49-2.69-.94-.09-.23-.48-.94-.82-1.13-.28-.15-.68-.52-.01-.53.63-.01 1.08.58 1.23.82.72 1.21 1.87.87 2.33.66.07-.52.28-.87.51-1.07-1.78-.2-3.64-.89-3.64-3.95 0-.87.31-1.59.82-2.15-.08-.2-.36-1.02.08-2.12 0 0 .67-.21 2.2.82.64-.18 1.32-.27 2-.27s1.36.09 2 .27c1.53-1.04 2.2-.82 2.2-.82.44 1.1.16 1.92.08 2.12.51.56.82 1.27.82 2.15 0 3.07-1.87 3.75-3.65 3.95.29.25.54.73.54 1.48 0 1.07-.01 1.93-.01 2.2 0 .21.15.46.55.38A8.01 8.01 0 0 0 16 8c0-4.42-3.58-8-8-8Z"/></svg>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_read_from_the_address() {
        assert_eq!(error_code("?error=access_denied"), Some("access_denied"));
        assert_eq!(error_code("?a=b&error=x"), Some("x"));
        assert_eq!(error_code(""), None);
    }

    #[test]
    fn every_reason_has_words_and_a_next_step() {
        for code in [
            "access_denied",
            "state_mismatch",
            "login_expired",
            "scope_missing",
            "not_configured",
            "github_unavailable",
            "other",
        ] {
            let (what, next) = explain(code);
            assert!(what.ends_with('.') && next.ends_with('.'));
        }
    }
}
