//! Sealing: what leaves the server, or lies in the database, readable only with a key.

use chacha20poly1305::{
    AeadInPlace, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use sha2::Sha256;

use crate::error::{Error, Result};

/// Bytes of the random nonce in front of what is sealed: with 192 bits none ever comes twice.
const NONCE: usize = 24;

/// A key for one purpose.
pub(super) struct Key(XChaCha20Poly1305);

impl Key {
    /// The key for `purpose` that `secret`, of 128 random bits or more, gives by HKDF-SHA256 (RFC 5869).
    pub(super) fn derive(secret: &[u8], purpose: &str) -> Result<Self> {
        let mut key = chacha20poly1305::Key::default();
        Hkdf::<Sha256>::new(None, secret)
            .expand(purpose.as_bytes(), &mut key)
            .map_err(|error| Error::internal("deriving a key", error))?;
        Ok(Key(XChaCha20Poly1305::new(&key)))
    }

    /// `plain`, sealed; it opens only together with the same `bound_to`.
    pub(super) fn seal(&self, plain: &[u8], bound_to: &[u8]) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE] = rand::random();
        let mut sealed = nonce.to_vec();
        let mut text = plain.to_vec();
        self.0
            .encrypt_in_place(XNonce::from_slice(&nonce), bound_to, &mut text)
            .map_err(|error| Error::internal("sealing", error))?;
        sealed.append(&mut text);
        Ok(sealed)
    }

    /// What was sealed, or nothing when it was not by this key, not for `bound_to`, or is altered.
    pub(super) fn open(&self, sealed: &[u8], bound_to: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_at_checked(NONCE)?;
        let payload = Payload {
            msg: text,
            aad: bound_to,
        };
        self.0.decrypt(XNonce::from_slice(nonce), payload).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_whole_and_for_what_it_was_sealed() {
        let key = Key::derive(b"a secret", "test").unwrap();
        let sealed = key.seal(b"gho_1", b"session 1").unwrap();
        assert_eq!(key.open(&sealed, b"session 1").unwrap(), b"gho_1");
        assert!(key.open(&sealed, b"session 2").is_none());
        let other = Key::derive(b"a secret", "another purpose").unwrap();
        assert!(other.open(&sealed, b"session 1").is_none());
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(key.open(&altered, b"session 1").is_none(), "byte {at}");
            assert!(
                key.open(&sealed[..at], b"session 1").is_none(),
                "cut at {at}"
            );
        }
    }

    #[test]
    fn same_text_never_looks_the_same() {
        let key = Key::derive(b"a secret", "test").unwrap();
        assert_ne!(key.seal(b"x", b"").unwrap(), key.seal(b"x", b"").unwrap());
    }
}
