//! HTML: plain, light and dark, without scripts.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use crate::oauth::Parameters;
use crate::state::Account;

const STYLE: &str = "
:root{color-scheme:light dark;--bg:light-dark(#fff,#161714);--text:light-dark(#1b1c19,#ecece6);--soft:light-dark(#4d4f48,#b4b6ac);
--line:light-dark(#cfcfc8,#3d3f38);--edge:light-dark(#85867d,#7d7f75);--hover:light-dark(#f0f0ec,#24261f)}
*{box-sizing:border-box}
body{margin:0;min-height:100dvh;display:grid;place-items:center;padding:24px;background:var(--bg);color:var(--text);
font:16px/1.5 system-ui,sans-serif}
main{width:min(100%,26rem)}
h1{font-size:1.375rem;line-height:1.25;margin:0 0 8px}
p{margin:0 0 16px;color:var(--soft)}
ul{margin:0 0 24px;padding:0;list-style:none;border-top:1px solid var(--line)}
li{padding:8px 0;border-bottom:1px solid var(--line)}
code{font:.9em ui-monospace,monospace}
button,input{font:inherit;color:inherit;width:100%;min-height:44px;padding:6px 14px;margin:0 0 8px;background:none;
border:1px solid var(--edge);border-radius:5px}
button{display:flex;gap:8px;align-items:center;text-align:left;cursor:pointer}
button:hover{background:var(--hover)}
button small{color:var(--soft);margin-left:auto;text-align:right}
button.cancel{justify-content:center;border-color:var(--line);margin-top:8px}
label{display:block;margin:0 0 4px}
:focus-visible{outline:2px solid var(--text);outline-offset:2px}
footer{margin-top:24px;font-size:.8125rem;color:var(--soft)}";

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{title} · GitHub stand-in</title><link rel=\"icon\" \
         href=\"data:,\"><style>{STYLE}</style></head><body><main>{body}<footer>This is a stand-in for GitHub, on this \
         machine. No account of yours is involved.</footer></main></body></html>"
    )
}

pub fn message(status: StatusCode, title: &str, text: &str) -> Response {
    (
        status,
        Html(page(title, &format!("<h1>{title}</h1><p>{text}</p>"))),
    )
        .into_response()
}

pub fn not_found() -> Response {
    message(
        StatusCode::NOT_FOUND,
        "Not found",
        "There is no such page, or no app with this client id.",
    )
}

/// The page on which a person chooses who to be, and sees what the app asks for.
pub fn authorize(parameters: &Parameters, accounts: &[Account]) -> String {
    let hidden: String = parameters
        .iter()
        .filter(|(name, _)| *name != "login")
        .map(|(name, value)| {
            format!(
                "<input type=\"hidden\" name=\"{}\" value=\"{}\">",
                escape(name),
                escape(value)
            )
        })
        .collect();
    let scopes = parameters
        .get("scope")
        .map(String::as_str)
        .unwrap_or_default();
    let asked: String = scopes
        .split([' ', ','])
        .filter(|scope| !scope.is_empty())
        .map(|scope| format!("<li><code>{}</code> {}</li>", escape(scope), meaning(scope)))
        .collect();
    let asked = if asked.is_empty() {
        "<li>Your public profile</li>".into()
    } else {
        asked
    };
    let suggested = parameters
        .get("login")
        .map(String::as_str)
        .unwrap_or_default();
    let body = format!(
        "<h1>Authorise Sundial?</h1><p>It asks for:</p><ul>{asked}</ul><p>Continue as:</p>\
         <form method=\"post\" action=\"/login/oauth/authorize\">{hidden}{}\
         <button class=\"cancel\" name=\"cancel\" value=\"1\">Cancel</button></form>",
        choices(accounts, suggested)
    );
    page("Authorise Sundial", &body)
}

/// The page on which a person types a device's code.
pub fn device(code: &str, accounts: &[Account]) -> String {
    let body = format!(
        "<h1>Connect a device</h1><p>Type the code that your device shows. If you did not ask for one, close this \
         page.</p><form method=\"post\" action=\"/login/device\"><label for=\"code\">Code</label><input id=\"code\" \
         name=\"user_code\" value=\"{}\" placeholder=\"WDJB-MJHT\" autocomplete=\"off\" required><p>Continue as:</p>{}\
         <button class=\"cancel\" name=\"cancel\" value=\"1\">Cancel</button></form>",
        escape(code),
        choices(accounts, "")
    );
    page("Connect a device", &body)
}

fn choices(accounts: &[Account], suggested: &str) -> String {
    let mut accounts: Vec<&Account> = accounts.iter().collect();
    accounts.sort_by_key(|account| account.login != suggested);
    accounts
        .iter()
        .map(|account| {
            let teams: Vec<_> = account.teams.iter().map(|team| format!("{}/{}", team.organization, team.slug)).collect();
            let organizations: Vec<_> = account.memberships.iter().map(|held| held.organization.clone()).collect();
            let member = [teams, organizations].into_iter().find(|names| !names.is_empty());
            let member = member.map_or("member of nothing".into(), |names| format!("member of {}", names.join(", ")));
            let focus = if account.login == suggested { " autofocus" } else { "" };
            let login = escape(&account.login);
            format!("<button name=\"login\" value=\"{login}\"{focus}><b>{login}</b><small>{}</small></button>", escape(&member))
        })
        .collect()
}

fn meaning(scope: &str) -> &'static str {
    match scope {
        "read:user" | "user" => "your name, picture and account number",
        "read:org" => "your organisations and teams",
        "repo" => "your repositories",
        _ => "",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
