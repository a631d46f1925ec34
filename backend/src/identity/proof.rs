//! What a request shows as proof of who is behind it.

use axum::http::{
    HeaderMap,
    header::{AUTHORIZATION, COOKIE},
};
use cookie::Cookie;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::identity::site::{PLAIN_COOKIE, SECURE_COOKIE};

/// What a request shows as proof. Debug shows no secret.
#[derive(Clone, Debug)]
pub enum Proof {
    /// Nothing: somebody who has not signed in.
    Nothing,
    /// The `Cookie` header of a browser that has a session cookie. Which of the two names counts is
    /// the site's to say: were the plain one read where the `__Host-` one is in use, a neighbouring
    /// host could plant it.
    Cookie(SecretString),
    /// The text after `Bearer`: an ingest token or a GitHub token.
    Bearer(SecretString),
}

impl Proof {
    /// The proof in a request's headers. An `Authorization` header wins over the cookie, and one that
    /// can't be read, or is not alone, is proof that does not count, not the absence of proof.
    pub fn of(headers: &HeaderMap) -> Proof {
        let mut all = headers.get_all(AUTHORIZATION).iter();
        if let Some(header) = all.next() {
            // Of two, whichever counted could be the wrong one.
            let only = Some(header).filter(|_| all.next().is_none());
            let bearer = only.and_then(|header| header.to_str().ok());
            let bearer = bearer.and_then(Proof::bearer);
            return bearer.unwrap_or_else(|| Proof::Bearer(SecretString::default()));
        }
        let text = cookies(headers);
        let ours = |name: &str| name == PLAIN_COOKIE || name == SECURE_COOKIE;
        if Cookie::split_parse(&text)
            .flatten()
            .any(|cookie| ours(cookie.name()))
        {
            Proof::Cookie(text.into())
        } else {
            Proof::Nothing
        }
    }

    /// The proof in `Bearer …`, as an `Authorization` header or `connection_init` carries it.
    pub fn bearer(text: &str) -> Option<Proof> {
        let (scheme, token) = text.trim().split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| Proof::Bearer(token.trim().into()))
    }

    /// SHA-256 of what was shown, if anything was: by it the same proof is known again, and not shown.
    pub fn fingerprint(&self) -> Option<[u8; 32]> {
        let (kind, text) = match self {
            Proof::Nothing => return None,
            Proof::Cookie(text) => ("cookie", text),
            Proof::Bearer(text) => ("bearer", text),
        };
        let hash = Sha256::new().chain_update(kind);
        Some(hash.chain_update(text.expose_secret()).finalize().into())
    }

    /// Whether a browser sent it by itself, so that the request must be proven to be of our own pages.
    pub fn is_cookie(&self) -> bool {
        matches!(self, Proof::Cookie(_))
    }
}

/// The request's cookies as one text. HTTP/2 may split them over several headers, and a neighbouring host may have
/// planted one that is no plain text: it is left out, and the others count.
pub(super) fn cookies(headers: &HeaderMap) -> String {
    let headers = headers.get_all(COOKIE).iter();
    let pairs = headers.flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
    let plain = pairs.filter_map(|pair| std::str::from_utf8(pair).ok());
    let plain: Vec<&str> = plain
        .map(str::trim)
        .filter(|pair| {
            pair.bytes()
                .all(|byte| byte.is_ascii_graphic() || byte == b' ')
        })
        .collect();
    plain.join("; ")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use secrecy::ExposeSecret;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn authorization_wins_over_the_cookie() {
        let proof = Proof::of(&headers(&[
            ("cookie", "sundial=abc"),
            ("authorization", "bearer sdl_1"),
        ]));
        assert!(matches!(proof, Proof::Bearer(text) if text.expose_secret() == "sdl_1"));
    }

    #[test]
    fn unreadable_authorization_is_proof_that_does_not_count() {
        for header in ["Basic YTpi", "sdl_1", "", "Bearer"] {
            let proof = Proof::of(&headers(&[("authorization", header)]));
            assert!(
                matches!(&proof, Proof::Bearer(text) if text.expose_secret().is_empty()),
                "{header}"
            );
        }
    }

    #[test]
    fn foreign_cookies_are_no_proof() {
        assert!(matches!(
            Proof::of(&headers(&[("cookie", "theme=dark")])),
            Proof::Nothing
        ));
        assert!(matches!(Proof::of(&headers(&[])), Proof::Nothing));
        let split = headers(&[("cookie", "theme=dark"), ("cookie", "__Host-sundial=abc")]);
        assert!(Proof::of(&split).is_cookie());
    }

    #[test]
    fn cookie_that_is_no_text_hides_no_other() {
        let mut headers = HeaderMap::new();
        let value = "city=Zürich; sundial=abc".as_bytes();
        headers.insert(COOKIE, HeaderValue::from_bytes(value).unwrap());
        headers.append(
            COOKIE,
            HeaderValue::from_bytes(b"x=\xff; theme=dark").unwrap(),
        );
        let proof = Proof::of(&headers);
        assert!(
            matches!(proof, Proof::Cookie(text) if text.expose_secret() == "sundial=abc; theme=dark")
        );
    }

    #[test]
    fn fingerprint_tells_proof_apart() {
        let prints = [
            Proof::Cookie("a".into()).fingerprint(),
            Proof::Bearer("a".into()).fingerprint(),
            Proof::Bearer("b".into()).fingerprint(),
        ];
        assert_eq!(Proof::Bearer("a".into()).fingerprint(), prints[1]);
        assert!(prints[0] != prints[1] && prints[1] != prints[2]);
        assert_eq!(Proof::Nothing.fingerprint(), None);
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", Proof::Bearer("sdl_secret".into()));
        assert!(!shown.contains("sdl_secret"), "{shown}");
    }
}
