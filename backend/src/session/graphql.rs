//! Sessions in the API.

use async_graphql::{Context, ID, Object, SimpleObject};

use crate::{
    error::{Error, Result},
    identity::OwnSession,
    request::{Asker, ContextExt},
    scalar::{DateTime, seal, unseal},
};

/// A browser in which you have signed in.
#[derive(SimpleObject)]
pub struct Session {
    /// Opaque: names the session to `endSession`, and opens nothing.
    id: ID,
    /// When you signed in.
    created_at: DateTime,
    /// Its last request, to the minute.
    used_at: DateTime,
    /// When it ends if no further request comes: 7 days after the last one, and 30 days after the sign-in at the latest.
    expires_at: DateTime,
    /// What the browser called itself when you signed in, cut to 200 bytes; anybody can call a browser anything.
    user_agent: String,
    /// Whether it is the one that asks.
    current: bool,
}

impl From<OwnSession> for Session {
    fn from(own: OwnSession) -> Self {
        Session {
            id: ID(seal(["session", &own.id])),
            created_at: DateTime(own.created_at),
            used_at: DateTime(own.used_at),
            expires_at: DateTime(own.expires_at),
            user_agent: own.user_agent,
            current: own.current,
        }
    }
}

/// The asker's sessions, the latest sign-in first; a machine has none.
///
/// # Errors
/// [`Error::Unauthenticated`] when nobody is signed in.
pub async fn own(ctx: &Context<'_>) -> Result<Vec<Session>> {
    let asker: &Asker = ctx.asker()?;
    let Some(person) = asker.principal()?.as_person() else {
        return Ok(Vec::new());
    };
    let sessions = asker
        .identity()
        .sessions(ctx.snapshot()?, person, asker.proof());
    Ok(sessions.await?.into_iter().map(Session::from).collect())
}

/// What can be done to one's sessions.
#[derive(Default)]
pub struct SessionMutation;

#[Object]
impl SessionMutation {
    /// Ends one of your sessions, and gives its id. Its next request is refused, and its subscriptions end within 5 seconds.
    async fn end_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As `Viewer.sessions` gives it.")] id: ID,
    ) -> Result<ID> {
        let asker = ctx.asker()?;
        let person = asker.person()?;
        let [_, name] = unseal("session", &id).ok_or(Error::NotFound("session"))?;
        asker.identity().end_session(person, &name).await?;
        Ok(id)
    }

    /// Signs you out everywhere: ends all your sessions as `endSession` does, and tells how many those were. GitHub tokens
    /// that you sent without a browser are GitHub's to revoke.
    async fn end_sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Leave out the session that asks. One who asks by a GitHub token has none.",
            default = false
        )]
        keep_current: bool,
    ) -> Result<i32> {
        let asker = ctx.asker()?;
        let person = asker.person()?;
        let ended = asker
            .identity()
            .end_sessions(person, asker.proof(), keep_current);
        i32::try_from(ended.await?).map_err(|error| Error::internal("counting sessions", error))
    }
}
