//! Sessions of browsers: a random secret in the cookie, its SHA-256 in the database.
//!
//! Invariant: the database alone opens neither a session (a hash is no secret) nor a GitHub account
//! (the token is sealed by a key that only the cookie's secret gives).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::{Digest, Sha256};

use crate::{
    error::{Error, Result},
    guard::{
        Person, Pool, Principal, Snapshot, system,
        table::{account, session},
    },
    identity::{Identity, MINUTE, Proof, now, seal::Key},
};

/// A session ends this long after its last request, µs.
pub(super) const IDLE: i64 = 7 * 24 * 60 * MINUTE;
/// A session ends this long after its sign-in whatever happens, µs.
pub(super) const LIFE: i64 = 30 * 24 * 60 * MINUTE;

/// Most sessions of one person: the longest ago signed in ends when another begins. GitHub keeps as many tokens of a person
/// for an app, and revokes the oldest for an eleventh:
/// <https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps#creating-multiple-tokens-for-oauth-apps>
pub const MOST_SESSIONS: usize = 10;

/// Most bytes that are kept of what a browser calls itself.
const USER_AGENT: usize = 200;

const PURPOSE: &str = "sundial: GitHub token of a session";
const ID_PURPOSE: &str = "sundial: id of a session";
const ENDED: Error =
    Error::Unauthenticated("your session is unknown or has ended: sign in again at /auth/login");

/// What a session cookie holds: 256 random bits.
pub(super) struct Secret(SecretSlice<u8>);

/// A session that counts.
pub(super) struct Session {
    /// SHA-256 of its secret.
    pub(super) hash: Vec<u8>,
    /// GitHub's id of the person.
    pub(super) account_id: i64,
    /// The person's GitHub token.
    pub(super) github_token: SecretString,
    /// Last request, to the minute, µs since 1970 UTC.
    pub(super) used_at: i64,
}

/// A session as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnSession {
    /// Names it among the sessions of its owner, and opens nothing.
    pub id: String,
    /// Sign-in, µs since 1970 UTC.
    pub created_at: i64,
    /// Last request, to the minute, µs since 1970 UTC.
    pub used_at: i64,
    /// When it ends if no further request comes, µs since 1970 UTC.
    pub expires_at: i64,
    /// What the browser called itself at sign-in.
    pub user_agent: String,
    /// Whether it is the one that asks.
    pub current: bool,
}

impl Secret {
    /// A new one.
    pub(super) fn random() -> Self {
        let bytes: [u8; 32] = rand::random();
        Secret(bytes.to_vec().into())
    }

    /// The one in a cookie's value.
    pub(super) fn of_cookie(value: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(value).ok()?;
        (bytes.len() == 32).then(|| Secret(bytes.into()))
    }

    /// The cookie's value.
    pub(super) fn cookie(&self) -> SecretString {
        BASE64_URL_SAFE_NO_PAD.encode(self.0.expose_secret()).into()
    }

    /// What the database knows of it.
    pub(super) fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.0.expose_secret()).to_vec()
    }

    fn key(&self) -> Result<Key> {
        Key::derive(self.0.expose_secret(), PURPOSE)
    }
}

impl Session {
    /// Whether `principal`, whose the GitHub token is, is also whose the session is.
    ///
    /// # Errors
    /// [`Error::Internal`] when it is not.
    pub(super) fn check_owner(&self, principal: &Principal) -> Result<()> {
        let owner = principal.as_person().map(|person| person.account_id);
        if owner == Some(self.account_id) {
            Ok(())
        } else {
            Err(Error::Internal(
                "a session's GitHub token is of another account".into(),
            ))
        }
    }
}

/// Begins a session of `person` at `now` and gives the cookie's secret.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub(super) async fn begin(
    pool: &Pool,
    person: &Person,
    github_token: &SecretString,
    user_agent: &str,
    now: i64,
) -> Result<Secret> {
    let secret = Secret::random();
    let hash = secret.hash();
    let token = github_token.expose_secret().as_bytes();
    let row = session::Model {
        home_id: 0,
        user_agent: user_agent[..user_agent.floor_char_boundary(USER_AGENT)].to_owned(),
        github_token: secret.key()?.seal(token, &hash)?,
        hash,
        account_id: person.account_id,
        created_at: now,
        used_at: now,
        expires_at: now + LIFE,
    };
    system::begin_session(pool, account(person, now), row).await?;
    let known = system::sessions_of(&pool.snapshot(None), person.account_id).await?;
    let over: Vec<Vec<u8>> = known
        .into_iter()
        .skip(MOST_SESSIONS)
        .map(|row| row.hash)
        .collect();
    if !over.is_empty() {
        system::end_sessions(pool, person.account_id, over).await?;
    }
    Ok(secret)
}

/// What is kept of a person whom GitHub told of at `now`.
pub(super) fn account(person: &Person, now: i64) -> account::Model {
    account::Model {
        home_id: 0,
        id: person.account_id,
        login: person.login.clone(),
        name: person.name.clone(),
        avatar_url: person.avatar_url.clone(),
        organizations: person.memberships.organizations_text(),
        teams: person.memberships.teams_text(),
        seen_at: now,
    }
}

/// The session whose cookie's value is `value`, if it counts at `now`.
///
/// # Errors
/// [`Error::Unauthenticated`] when it is forged, unknown or has ended: the same words.
pub(super) async fn find(pool: &Pool, value: &str, now: i64) -> Result<Session> {
    let secret = Secret::of_cookie(value).ok_or(ENDED)?;
    let row = system::session_by_hash(pool, &secret.hash()).await?;
    let row = row.filter(|row| counts(row, now)).ok_or(ENDED)?;
    let token = secret.key()?.open(&row.github_token, &row.hash);
    let token = token.and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(Session {
        hash: row.hash,
        account_id: row.account_id,
        github_token: token.ok_or(ENDED)?.into(),
        used_at: row.used_at,
    })
}

fn counts(row: &session::Model, now: i64) -> bool {
    now < end_of(row)
}

/// When a session ends if no further request comes.
fn end_of(row: &session::Model) -> i64 {
    row.expires_at.min(row.used_at.saturating_add(IDLE))
}

/// Names a session among those of its owner: not the hash, which is the database's to know.
fn id_of(hash: &[u8]) -> String {
    let digest = Sha256::new_with_prefix(ID_PURPOSE)
        .chain_update(hash)
        .finalize();
    BASE64_URL_SAFE_NO_PAD.encode(&digest[..16])
}

impl Identity {
    /// The sessions of `person` that count, at most [`MOST_SESSIONS`], the latest sign-in first. The current one is that
    /// of `proof`, if it is a cookie.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words.
    pub async fn sessions(
        &self,
        snapshot: &Snapshot,
        person: &Person,
        proof: &Proof,
    ) -> Result<Vec<OwnSession>> {
        let known = self.counting(snapshot, person, now()).await?;
        let current = self.session_in(proof);
        let shown = known.into_iter().map(|row| OwnSession {
            id: id_of(&row.hash),
            created_at: row.created_at,
            used_at: row.used_at,
            expires_at: end_of(&row),
            current: current.as_deref() == Some(row.hash.as_slice()),
            user_agent: row.user_agent,
        });
        Ok(shown.collect())
    }

    /// Ends the session of `person` that `id` names: refused from the next request on.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the person has none of that id.
    pub async fn end_session(&self, person: &Person, id: &str) -> Result<()> {
        let named = |hash: &[u8]| id_of(hash) == id;
        if self.end_where(person, named).await? == 0 {
            return Err(Error::NotFound("session"));
        }
        Ok(())
    }

    /// Ends all sessions of `person`, but that of `proof` if `keep_current`, and tells how many those were.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words.
    pub async fn end_sessions(
        &self,
        person: &Person,
        proof: &Proof,
        keep_current: bool,
    ) -> Result<u64> {
        let kept = self.session_in(proof).filter(|_| keep_current);
        self.end_where(person, |hash| kept.as_deref() != Some(hash))
            .await
    }

    async fn end_where(&self, person: &Person, wanted: impl Fn(&[u8]) -> bool) -> Result<u64> {
        let pool = &self.0.pool;
        let known = self.counting(&pool.snapshot(None), person, now()).await?;
        let hashes = known.into_iter().map(|row| row.hash);
        let hashes: Vec<Vec<u8>> = hashes.filter(|hash| wanted(hash)).collect();
        let ended = system::end_sessions(pool, person.account_id, hashes).await?;
        let id = person.account_id;
        tracing::info!(
            account.id = id,
            ended,
            "ended {ended} sessions of account {id}"
        );
        Ok(ended)
    }

    async fn counting(
        &self,
        snapshot: &Snapshot,
        person: &Person,
        now: i64,
    ) -> Result<Vec<session::Model>> {
        let mut known = system::sessions_of(snapshot, person.account_id).await?;
        known.retain(|row| counts(row, now));
        Ok(known)
    }

    /// The hash of the session that `proof` shows.
    fn session_in(&self, proof: &Proof) -> Option<Vec<u8>> {
        let Proof::Cookie(cookies) = proof else {
            return None;
        };
        let value = self.session_cookie(cookies.expose_secret()).ok()??;
        Some(Secret::of_cookie(value)?.hash())
    }
}

/// Ends the session whose cookie's value is `value`, and tells whose it was; none such: nothing to do.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub(super) async fn end(pool: &Pool, value: &str) -> Result<Option<i64>> {
    let Some(hash) = Secret::of_cookie(value).map(|secret| secret.hash()) else {
        return Ok(None);
    };
    let row = system::session_by_hash(pool, &hash).await?;
    let Some(row) = row else { return Ok(None) };
    system::end_sessions(pool, row.account_id, vec![hash]).await?;
    Ok(Some(row.account_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_those_of_the_documentation() {
        const DAY: i64 = 86_400_000_000;
        assert_eq!((IDLE, LIFE), (7 * DAY, 30 * DAY));
    }

    #[test]
    fn ends_idle_and_ends_anyway() {
        let row = |used_at| session::Model {
            home_id: 0,
            user_agent: String::new(),
            hash: vec![],
            account_id: 1,
            github_token: vec![],
            created_at: 0,
            used_at,
            expires_at: LIFE,
        };
        assert!(counts(&row(0), IDLE - 1));
        assert!(!counts(&row(0), IDLE));
        assert!(counts(&row(LIFE - 1), LIFE - 1));
        assert!(!counts(&row(LIFE - 1), LIFE));
    }

    #[test]
    fn cookie_is_read_back_and_nothing_else_is() {
        let secret = Secret::random();
        let read = Secret::of_cookie(secret.cookie().expose_secret()).unwrap();
        assert_eq!(read.hash(), secret.hash());
        for forged in ["", "abc", "=", &"A".repeat(44), &"ä".repeat(43)] {
            assert!(Secret::of_cookie(forged).is_none(), "{forged}");
        }
    }
}
