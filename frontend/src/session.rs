//! Who is reading, and how the browser's clock stands to the server's.

use std::rc::Rc;

use yew::prelude::*;

use crate::api::operation::{Start, Tenants, start, tenants};
use crate::api::{self, Failure};
use crate::time::{self, Micros};

/// The one other origin that the page's policy allows, for pictures alone.
const PICTURES: &str = "https://avatars.githubusercontent.com/";

/// A person, as GitHub describes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Viewer {
    /// The GitHub login.
    pub login: String,
    /// The name, which may be empty.
    pub name: String,
    /// The picture's address, where the page's policy lets it be loaded.
    pub avatar: Option<String>,
    /// The organisations that GitHub lists for them, to Sundial.
    pub organizations: Vec<String>,
}

impl Viewer {
    /// The name, or the login where there is none.
    pub fn display_name(&self) -> &str {
        if self.name.is_empty() {
            &self.login
        } else {
            &self.name
        }
    }
}

/// A session: what every page of a signed-in reader is given.
#[derive(Clone, PartialEq)]
pub struct Session {
    /// Who is reading.
    pub viewer: Rc<Viewer>,
    /// Server minus browser.
    pub skew: Micros,
    /// To be called when the server no longer knows the session.
    pub lost: Callback<()>,
}

impl Session {
    /// What the server's clock shows.
    pub fn now(&self) -> Micros {
        time::browser_now() + self.skew
    }
}

/// What the server says first.
#[derive(Clone, Debug, PartialEq)]
pub struct Greeting {
    /// The reader; none when nobody is signed in.
    pub viewer: Option<Viewer>,
    /// Server minus browser.
    pub skew: Micros,
}

/// Asks who is reading, and what time it is there.
pub async fn greet() -> Result<Greeting, Failure> {
    let asked = time::browser_now();
    let answer = match api::ask::<Start>(start::Variables {}).await {
        // Some refuse to say that nobody is there.
        Err(Failure::SignedOut) => {
            return Ok(Greeting {
                viewer: None,
                skew: 0,
            });
        }
        answer => answer?,
    };
    let answered = time::browser_now();
    let skew = time::parse(&answer.server_time)
        .map_or(0, |server| server - (asked + (answered - asked) / 2));
    let viewer = answer.viewer.map(|viewer| Viewer {
        login: viewer.login,
        name: viewer.name,
        avatar: viewer
            .avatar_url
            .filter(|address| address.starts_with(PICTURES)),
        organizations: viewer.organizations,
    });
    Ok(Greeting { viewer, skew })
}

/// A tenant as lists show it.
#[derive(Clone, Debug, PartialEq)]
pub struct TenantLine {
    /// Its slug.
    pub slug: String,
    /// Its name in words.
    pub name: String,
    /// What it forms a pair in.
    pub group: String,
    /// True for PROD.
    pub prod: bool,
    /// The reader's role: `VIEWER`, `EDITOR`, `ADMIN`.
    pub role: &'static str,
    /// When its newest point was written for.
    pub last_at: Option<Micros>,
}

/// Reads all tenants that are open to the reader.
pub async fn read_tenants() -> Result<Vec<TenantLine>, Failure> {
    let (mut lines, mut after) = (Vec::new(), None);
    loop {
        let page = api::ask::<Tenants>(tenants::Variables { after })
            .await?
            .tenants;
        lines.extend(page.nodes.into_iter().map(|tenant| TenantLine {
            prod: tenant.environment == tenants::Environment::PROD,
            role: match tenant.role {
                tenants::Role::ADMIN => "ADMIN",
                tenants::Role::EDITOR => "EDITOR",
                tenants::Role::VIEWER | tenants::Role::Other(_) => "VIEWER",
            },
            last_at: tenant.last_point_at.as_deref().and_then(time::parse),
            slug: tenant.slug,
            name: tenant.name,
            group: tenant.group,
        }));
        after = page.page_info.end_cursor;
        if !page.page_info.has_next_page || after.is_none() {
            return Ok(lines);
        }
    }
}
