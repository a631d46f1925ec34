//! A sign-in under way: what the browser takes to GitHub and must bring back.
//!
//! Invariant: kept nowhere but in the browser's own pre-login cookie, sealed, so that any replica can
//! finish what another began, and a restart breaks none.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use subtle::ConstantTimeEq;

use crate::{
    error::Result,
    identity::{MINUTE, github::Fault, seal::Key},
};

/// A sign-in must come back this soon, µs. A code of GitHub's lives as long.
pub(super) const LIFE: i64 = 10 * MINUTE;
/// The cookie outlives the sign-in, so that one too late is told from one never begun, seconds.
pub(super) const COOKIE_LIFE: i64 = 60 * 60;

/// The purpose of the key that seals the cookie, made from the client secret that all replicas share.
pub(super) const PURPOSE: &str = "sundial: sign-in under way";

/// Why a sign-in ends at `/signin?error=…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The person said no.
    Denied,
    /// It was not begun in this browser, or is over already.
    Mismatch,
    /// It took too long.
    Expired,
    /// The person left out a scope, without which no membership can be read.
    ScopeMissing,
    /// GitHub can't be asked.
    Unavailable,
    /// There is no OAuth app, or GitHub refuses it: the operator's to mend.
    NotConfigured,
}

impl Stop {
    /// The code in the address.
    pub(super) fn code(self) -> &'static str {
        match self {
            Stop::Denied => "access_denied",
            Stop::Mismatch => "state_mismatch",
            Stop::Expired => "login_expired",
            Stop::ScopeMissing => "scope_missing",
            Stop::Unavailable => "github_unavailable",
            Stop::NotConfigured => "not_configured",
        }
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Narrow => Stop::ScopeMissing,
            // A token that GitHub has just issued and does not know: its parts disagree for now.
            Fault::Foreign | Fault::Unavailable { .. } => Stop::Unavailable,
        }
    }
}

/// What the pre-login cookie holds.
#[derive(Deserialize, Serialize)]
pub(super) struct Login {
    #[serde(serialize_with = "exposed")]
    pub(super) state: SecretString,
    #[serde(serialize_with = "exposed")]
    pub(super) verifier: SecretString,
    pub(super) return_to: String,
    /// µs since 1970 UTC.
    pub(super) begun_at: i64,
}

/// In the clear: what is written is sealed next.
fn exposed<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

impl Login {
    /// The cookie's value.
    pub(super) fn seal(&self, key: &Key) -> Result<String> {
        let text = serde_json::to_vec(self);
        let text =
            text.map_err(|error| crate::Error::internal("writing the login cookie", error))?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode(key.seal(&text, b"")?))
    }

    /// The sign-in of a cookie's value that GitHub's `state` belongs to, at `now`.
    ///
    /// # Errors
    /// [`Stop::Mismatch`] when it is forged or another's, [`Stop::Expired`].
    pub(super) fn open(key: &Key, value: &str, state: &str, now: i64) -> Result<Self, Stop> {
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(value).ok();
        let text = sealed.and_then(|sealed| key.open(&sealed, b""));
        let login = text.and_then(|text| serde_json::from_slice::<Login>(&text).ok());
        let login = login.ok_or(Stop::Mismatch)?;
        if !bool::from(
            login
                .state
                .expose_secret()
                .as_bytes()
                .ct_eq(state.as_bytes()),
        ) {
            return Err(Stop::Mismatch);
        }
        if now >= login.begun_at + LIFE {
            return Err(Stop::Expired);
        }
        Ok(login)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_ten_minutes_and_an_hour() {
        assert_eq!((LIFE, COOKIE_LIFE), (600_000_000, 3_600));
    }

    #[test]
    fn comes_back_whole_in_time_and_with_its_state() {
        let key = Key::derive(b"client secret", PURPOSE).unwrap();
        let login = Login {
            state: "s".into(),
            verifier: "v".into(),
            return_to: "/t".into(),
            begun_at: 5,
        };
        let value = login.seal(&key).unwrap();
        let open = |value: &str, state, now| Login::open(&key, value, state, now);
        assert_eq!(open(&value, "s", 6).ok().unwrap().return_to, "/t");
        assert_eq!(open(&value, "t", 6).err(), Some(Stop::Mismatch));
        assert_eq!(open(&value, "", 6).err(), Some(Stop::Mismatch));
        assert_eq!(open("forged", "s", 6).err(), Some(Stop::Mismatch));
        assert_eq!(open("", "s", 6).err(), Some(Stop::Mismatch));
        assert!(open(&value, "s", 4 + LIFE).is_ok());
        assert_eq!(open(&value, "s", 5 + LIFE).err(), Some(Stop::Expired));
        let other = Key::derive(b"another secret", PURPOSE).unwrap();
        assert_eq!(
            Login::open(&other, &value, "s", 6).err(),
            Some(Stop::Mismatch)
        );
    }
}
