//! The browsers that the reader is signed in with, and how to end that.

use super::browser;
use crate::api::operation::{
    EndSession, EndSessions, Sessions, end_session, end_sessions, sessions,
};
use crate::api::{self, Failure};
use crate::time::{self, Micros};

/// A browser in which the reader is signed in.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedIn {
    /// What the API knows it by.
    pub id: String,
    /// It in words: "Firefox on Windows".
    pub browser: String,
    /// What it calls itself.
    pub user_agent: String,
    /// When that was.
    pub since: Option<Micros>,
    /// Its last request, to the minute.
    pub used: Option<Micros>,
    /// When it ends if no other request comes.
    pub ends: Option<Micros>,
    /// True for the one that asks.
    pub current: bool,
}

/// All of them: the one that asks first, then the latest sign-in.
pub async fn read() -> Result<Vec<SignedIn>, Failure> {
    let viewer = api::ask::<Sessions>(sessions::Variables {}).await?.viewer;
    let sessions = viewer.ok_or(Failure::SignedOut)?.sessions;
    let all = sessions.into_iter().map(|session| SignedIn {
        browser: browser::name(&session.user_agent),
        since: time::parse(&session.created_at),
        used: time::parse(&session.used_at),
        ends: time::parse(&session.expires_at),
        id: session.id,
        user_agent: session.user_agent,
        current: session.current,
    });
    let (mut all, others): (Vec<_>, Vec<_>) = all.partition(|session: &SignedIn| session.current);
    all.extend(others);
    Ok(all)
}

/// What can be ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// One of them.
    One(SignedIn),
    /// All but the one that asks.
    Others,
    /// All.
    All,
}

impl Act {
    /// True when the reader is signed out by it.
    pub fn leaves(&self) -> bool {
        match self {
            Self::One(session) => session.current,
            Self::Others => false,
            Self::All => true,
        }
    }

    /// Ends them, and says so.
    pub async fn run(&self) -> Result<String, Failure> {
        match self {
            // This also takes the cookie from the browser.
            Self::One(session) if session.current => {
                api::sign_out().await?;
                Ok("You are signed out.".to_owned())
            }
            Self::One(session) => {
                let variables = end_session::Variables {
                    id: session.id.clone(),
                };
                match api::ask::<EndSession>(variables).await {
                    // One that has ended meanwhile is what was wanted.
                    Err(failure) if !failure.is_not_found() => Err(failure),
                    _ => Ok(format!("{} is signed out.", session.browser)),
                }
            }
            Self::Others | Self::All => {
                let keep_current = *self == Self::Others;
                let ended = api::ask::<EndSessions>(end_sessions::Variables { keep_current })
                    .await?
                    .end_sessions;
                Ok(match ended {
                    1 => "1 browser is signed out.".to_owned(),
                    ended => format!("{ended} browsers are signed out."),
                })
            }
        }
    }
}
