//! Ingest tokens: the proof of machines, each for one tenant.
//!
//! A token is `sdl_`, 43 random characters of `0-9A-Za-z` (256 bits), and the CRC-32 of those 43 in
//! six more: the layout of GitHub's own tokens, by which secret scanners know one without asking.
//! <https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/>
//!
//! Invariant: a token is shown once, when it is made. The database knows its SHA-256 alone.

use jiff::Timestamp;
use rand::{Rng, distr::Alphanumeric};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::{
    error::{Error, Result},
    guard::{
        Admin, Pool, TenantScope, is_plain, system,
        table::{audit_event::Action, ingest_token},
    },
};

/// What every ingest token starts with.
pub const PREFIX: &str = "sdl_";

/// Random characters: 43 × log₂ 62 = 256 bits.
const RANDOM: usize = 43;
/// Most tokens that a tenant keeps.
pub const MOST_TOKENS: usize = 500;

/// Characters of the checksum: 62⁶ > 2³².
const CHECKSUM: usize = 6;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const GARBLED: Error = Error::Unauthenticated(
    "the ingest token is garbled: send it whole, as `sundial token create` printed it (sdl_ and 49 \
     letters and digits)",
);
const UNKNOWN: Error = Error::Unauthenticated(
    "the ingest token is unknown or revoked: ask an administrator of the tenant for a new one \
     (`sundial token create`)",
);
const EXPIRED: Error = Error::Unauthenticated(
    "the ingest token has expired: ask an administrator of the tenant for a new one \
     (`sundial token create`)",
);

/// What a token is for: 1 to 100 characters, none of them invisible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenName(String);

impl TryFrom<String> for TokenName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let name = text.trim();
        if !(1..=100).contains(&name.chars().count()) || !is_plain(name) {
            return Err(Error::bad_input(
                "a token's name must be 1 to 100 characters on one line, none of them invisible, such as `clock on web-1`",
            ));
        }
        Ok(TokenName(name.to_owned()))
    }
}

impl TokenName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Makes a token named `name` for the scope's tenant, refused from `expires_at` on (µs since 1970
/// UTC), and limited to the series that the patterns in `series` mean, if there are any. It counts
/// once the scope is committed. The number comes with it.
///
/// # Errors
/// [`Error::BadInput`] when `expires_at` is not after `now`, [`Error::Conflict`] when [`MOST_TOKENS`] others count.
pub async fn create_token(
    scope: &TenantScope<Admin>,
    name: &TokenName,
    series: Option<&[String]>,
    expires_at: Option<i64>,
    now: i64,
) -> Result<(i32, SecretString)> {
    let limit = series.map(|patterns| patterns.join("\n"));
    let (id, token) = make(scope, name, limit, expires_at, now).await?;
    let limit = series.map(|patterns| format!("limited to {}", patterns.join(", ")));
    let expiry = expires_at.map(|at| format!("refused from {} on", time(at)));
    let detail: Vec<String> = limit.into_iter().chain(expiry).collect();
    let (subject, detail) = (subject(id, name.as_str()), detail.join("\n"));
    scope
        .audit(Action::TokenCreated, &subject, &detail, now)
        .await?;
    Ok((id, token))
}

async fn make(
    scope: &TenantScope<Admin>,
    name: &TokenName,
    series: Option<String>,
    expires_at: Option<i64>,
    now: i64,
) -> Result<(i32, SecretString)> {
    if expires_at.is_some_and(|at| at <= now) {
        return Err(Error::bad_input(
            "the token would have expired already: choose a time to come",
        ));
    }
    let token = random();
    let id = scope
        .add_token(name.as_str(), hash(&token), series, expires_at, now)
        .await?;
    // After it is added, so that of two that come at once the second sees the first.
    let kept = scope.tokens().await?;
    if kept.len() > MOST_TOKENS {
        // What was done with it stays in the audit log.
        let over = kept.iter().find(|token| check(token, now).is_err());
        let over = over.ok_or_else(|| {
            Error::Conflict(format!(
                "this tenant has {MOST_TOKENS} ingest tokens that count: revoke one first"
            ))
        })?;
        scope.remove_token(over.id).await?;
    }
    tracing::info!(
        tenant = scope.tenant().slug,
        token.id = id,
        "made ingest token {id}"
    );
    Ok((id, token))
}

/// A time as the audit log names it.
fn time(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map_or_else(|_| micros.to_string(), |time| time.to_string())
}

/// A token as the audit log names it.
fn subject(id: i32, name: &str) -> String {
    format!("ingest token {id} ({name})")
}

/// The scope's tenant's tokens, at most [`MOST_TOKENS`], the oldest first, those included that count no more.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn list_tokens(scope: &TenantScope<Admin>) -> Result<Vec<ingest_token::Model>> {
    scope.tokens().await
}

/// The token numbered `id`.
///
/// # Errors
/// [`Error::NotFound`] when the tenant has none of that number.
pub async fn find_token(scope: &TenantScope<Admin>, id: i32) -> Result<ingest_token::Model> {
    scope.token(id).await
}

/// The scope's tenant's token of this text, if it counts at `now`.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn known_token(
    scope: &TenantScope<Admin>,
    token: &SecretString,
    now: i64,
) -> Result<Option<ingest_token::Model>> {
    let hash = hash(token);
    let tokens = scope.tokens().await?.into_iter();
    let mut counting = tokens.filter(|row| check(row, now).is_ok());
    Ok(counting.find(|row| row.hash == hash))
}

/// Has the token numbered `id` refused from `now` on. Revoking twice is revoking once.
///
/// # Errors
/// [`Error::NotFound`] when the tenant has none of that number.
pub async fn revoke_token(scope: &TenantScope<Admin>, id: i32, now: i64) -> Result<()> {
    let token = scope.token(id).await?;
    if token.revoked_at.is_some() {
        return Ok(());
    }
    scope.revoke_token(id, now).await?;
    let subject = subject(id, &token.name);
    scope.audit(Action::TokenRevoked, &subject, "", now).await?;
    tracing::info!(
        tenant = scope.tenant().slug,
        token.id = id,
        "revoked ingest token {id}"
    );
    Ok(())
}

/// Makes a second token of the name and with the limits of the one numbered `id`, which counts for
/// another `overlap` µs, so that its users can be moved over in between. Without `expires_at` the second lives as long
/// as the first was made for.
///
/// # Errors
/// [`Error::NotFound`] when the tenant has none of that number, [`Error::Conflict`] when it counts no
/// more, [`Error::BadInput`] as [`create_token`].
pub async fn rotate_token(
    scope: &TenantScope<Admin>,
    id: i32,
    overlap: i64,
    expires_at: Option<i64>,
    now: i64,
) -> Result<(i32, SecretString)> {
    let old = scope.token(id).await?;
    if check(&old, now).is_err() {
        return Err(Error::Conflict(format!(
            "ingest token {id} counts no more, so there is nothing to rotate: make a new one"
        )));
    }
    let lifetime = old.expires_at.map(|at| at.saturating_sub(old.created_at));
    let expires_at = expires_at.or(lifetime.map(|lifetime| now.saturating_add(lifetime)));
    let name = TokenName(old.name);
    let (new, token) = make(scope, &name, old.series, expires_at, now).await?;
    let end = now.saturating_add(overlap.max(0));
    let end = old.expires_at.map_or(end, |at| at.min(end));
    scope.expire_token(id, end).await?;
    let successor = subject(new, name.as_str());
    let detail = format!("by {successor}; refused from {} on", time(end));
    let subject = subject(id, name.as_str());
    scope
        .audit(Action::TokenRotated, &subject, &detail, now)
        .await?;
    Ok((new, token))
}

/// The token in hand, if it counts at `now`.
///
/// # Errors
/// [`Error::Unauthenticated`] with what to do: garbled (told without asking the database), unknown or
/// revoked (the same words), or expired.
pub(super) async fn find(
    pool: &Pool,
    token: &SecretString,
    now: i64,
) -> Result<ingest_token::Model> {
    if !is_whole(token.expose_secret()) {
        return Err(GARBLED);
    }
    // The database compares hashes, and a hash tells nothing of how near a guess came: how long the
    // look-up takes is worth nothing to who guesses.
    let row = system::token_by_hash(pool, &hash(token)).await?;
    let row = row.ok_or(UNKNOWN)?;
    check(&row, now)?;
    Ok(row)
}

fn check(row: &ingest_token::Model, now: i64) -> Result<()> {
    if row.revoked_at.is_some_and(|at| at <= now) {
        return Err(UNKNOWN);
    }
    if row.expires_at.is_some_and(|at| at <= now) {
        return Err(EXPIRED);
    }
    Ok(())
}

fn hash(token: &SecretString) -> Vec<u8> {
    Sha256::digest(token.expose_secret()).to_vec()
}

fn random() -> SecretString {
    let mut token = String::from(PREFIX);
    token.extend(
        rand::rng()
            .sample_iter(Alphanumeric)
            .take(RANDOM)
            .map(char::from),
    );
    let checksum = checksum(&token[PREFIX.len()..]);
    token.push_str(&checksum);
    token.into()
}

/// Whether `token` is as one is made: a slip of the keyboard, a cut end or something else is not.
fn is_whole(token: &str) -> bool {
    let Some(rest) = token.strip_prefix(PREFIX) else {
        return false;
    };
    if rest.len() != RANDOM + CHECKSUM || !rest.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return false;
    }
    let (random, sum) = rest.split_at(RANDOM);
    checksum(random) == sum
}

/// The CRC-32 of `text` in six digits to the base 62.
fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes()) as usize;
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[rest % DIGITS.len()];
        rest /= DIGITS.len();
    }
    digits.map(char::from).iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_recognised_and_no_slip_is() {
        let token = random();
        let token = token.expose_secret();
        assert_eq!(token.len(), 53);
        assert!(is_whole(token));
        for at in 0..token.len() {
            let mut altered = token.to_owned().into_bytes();
            altered[at] = if altered[at] == b'x' { b'y' } else { b'x' };
            assert!(!is_whole(std::str::from_utf8(&altered).unwrap()), "{at}");
            assert!(!is_whole(&token[..at]), "cut at {at}");
        }
        for garbled in [
            "",
            "sdl_",
            "sdl_ä",
            &format!("{token}x"),
            &format!(" {token}"),
        ] {
            assert!(!is_whole(garbled), "{garbled}");
        }
    }

    #[test]
    fn checksum_is_the_crc_of_zip_in_base_62() {
        // CRC-32/ISO-HDLC of "123456789" is 0xCBF43926 = 3,421,780,262.
        assert_eq!(checksum("123456789"), "3jZRME");
    }

    #[test]
    fn expires_to_the_microsecond() {
        let row = |expires_at, revoked_at| ingest_token::Model {
            tenant_id: 1,
            id: 1,
            name: "clock".into(),
            hash: vec![],
            created_at: 0,
            expires_at,
            revoked_at,
            used_at: None,
            series: None,
        };
        assert!(check(&row(None, None), i64::MAX).is_ok());
        assert!(check(&row(Some(10), None), 9).is_ok());
        assert!(check(&row(Some(10), None), 10).is_err());
        assert!(check(&row(None, Some(10)), 9).is_ok());
        assert!(check(&row(None, Some(10)), 10).is_err());
    }

    #[test]
    fn name_is_one_line() {
        assert_eq!(
            TokenName::try_from(" clock ".to_owned()).unwrap().as_str(),
            "clock"
        );
        for bad in ["", "  ", "a\nb", &"a".repeat(101)] {
            assert!(TokenName::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
