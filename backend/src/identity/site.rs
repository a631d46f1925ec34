//! The site's own address: what is of our own pages, where a browser may be sent, and its cookies.

use axum::http::{
    HeaderMap,
    header::{HOST, ORIGIN},
};
use cookie::{Cookie, SameSite, time::Duration};
use url::{Host, Position, Url};

use crate::error::{Error, Result};

/// Name of the session cookie. A browser takes a `__Host-` cookie only over TLS and from this very host.
pub(super) const SECURE_COOKIE: &str = "__Host-sundial";
/// Its name on a loopback address, where there is no TLS and no neighbouring host.
pub(super) const PLAIN_COOKIE: &str = "sundial";

/// Longest path to return to after sign-in, in bytes, as it is sent: the login cookie, which holds it sealed, must stay
/// below the 4,096 that browsers keep.
const RETURN_TO: usize = 1_000;

/// Most cookies of one name that are looked at: there should be one.
const MOST_COOKIES: usize = 8;

/// The address that people type.
pub(super) struct Site {
    url: Url,
    secure: bool,
}

/// The cookies that are set.
#[derive(Clone, Copy)]
pub(super) enum CookieKind {
    /// The session's secret.
    Session,
    /// The sign-in that is under way.
    Login,
}

/// Several cookies of one name: none of them counts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ambiguous;

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl Site {
    /// The site at `url`.
    ///
    /// # Errors
    /// [`Error::BadInput`] for anything but `https://HOST` and `http://` on a loopback address.
    pub(super) fn new(url: Url) -> Result<Self> {
        let secure = match url.scheme() {
            "https" => true,
            "http" if is_loopback(&url) => false,
            _ => {
                return Err(Error::bad_input(format!(
                    "the public URL {url} would send sign-ins over the network in clear: set --public-url \
                     (SUNDIAL_PUBLIC_URL) to an https:// address; http:// is for localhost alone"
                )));
            }
        };
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !bare {
            return Err(Error::bad_input(
                "the public URL must be a host alone, such as https://sundial.example.org: cookies are \
                 bound to it, and Sundial is served from its root",
            ));
        }
        Ok(Site { url, secure })
    }

    /// Where GitHub sends browsers back to.
    pub(super) fn callback(&self) -> Result<Url> {
        let url = self.url.join("/auth/callback");
        url.map_err(|error| Error::internal("the callback's address", error))
    }

    /// Whether a request's headers prove that it comes from the site's own pages.
    ///
    /// Browsers add `Sec-Fetch-Site` (Fetch Metadata), and before that `Origin`; pages can forge
    /// neither. Without both nothing is proven.
    pub(super) fn is_same_origin(&self, headers: &HeaderMap) -> bool {
        match headers.get("sec-fetch-site") {
            Some(site) => site == "same-origin" || site == "none",
            None => headers
                .get(ORIGIN)
                .is_some_and(|origin| *origin == *self.url.origin().ascii_serialization()),
        }
    }

    /// Whether a browser says that another site's page leads here. One that says nothing is taken to come by itself; and
    /// on a machine of one's own its two names, localhost and 127.0.0.1, lead to each other.
    pub(super) fn is_foreign(&self, headers: &HeaderMap) -> bool {
        let site = headers.get("sec-fetch-site");
        self.secure && site.is_some_and(|site| site != "same-origin" && site != "none")
    }

    /// `wanted`, if it is a path of this site that a sign-in may end at; `/` otherwise.
    pub(super) fn return_to(&self, wanted: &str) -> String {
        let own = |text: &str| text.starts_with('/') && !text.starts_with("//");
        let plain = wanted.len() <= RETURN_TO
            && own(wanted)
            && !wanted.contains(|c: char| c == '\\' || c.is_control());
        // Looked at once more as a browser will read it: `/.//evil.example` becomes `//evil.example`.
        let read = self.url.join(wanted).ok().filter(|url| {
            plain && url.origin() == self.url.origin() && own(&url[Position::BeforePath..])
        });
        match read {
            // Returning into the sign-in would go round for ever.
            Some(url)
                if !url.path().starts_with("/auth/")
                    && url[Position::BeforePath..].len() <= RETURN_TO =>
            {
                url[Position::BeforePath..].to_owned()
            }
            _ => "/".to_owned(),
        }
    }

    /// Where a sign-in must begin instead, when it was begun under another name of this machine:
    /// `localhost` and `127.0.0.1` share no cookies, and GitHub sends the browser back to one of them.
    pub(super) fn own_login(&self, headers: &HeaderMap, return_to: &str) -> Option<Url> {
        let asked = headers.get(HOST)?.to_str().ok()?;
        let other = Url::parse(&format!("http://{asked}")).ok()?;
        if self.secure || !is_loopback(&other) || other.host() == self.url.host() {
            return None;
        }
        let mut login = self.url.join("/auth/login").ok()?;
        login.query_pairs_mut().append_pair("return_to", return_to);
        Some(login)
    }

    fn name(&self, kind: CookieKind) -> &'static str {
        match (kind, self.secure) {
            (CookieKind::Session, true) => SECURE_COOKIE,
            (CookieKind::Session, false) => PLAIN_COOKIE,
            (CookieKind::Login, true) => "__Host-sundial-login",
            (CookieKind::Login, false) => "sundial-login",
        }
    }

    /// The values of the cookies of `kind` in a `Cookie` header, the first [`MOST_COOKIES`] of them.
    pub(super) fn cookies<'a>(
        &self,
        kind: CookieKind,
        header: &'a str,
    ) -> impl Iterator<Item = &'a str> + use<'a> {
        let name = self.name(kind);
        let pairs = header
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='));
        pairs
            .filter(move |(known, _)| *known == name)
            .map(|(_, value)| value)
            .take(MOST_COOKIES)
    }

    /// The value of the cookie of `kind` in a `Cookie` header.
    ///
    /// # Errors
    /// [`Ambiguous`] when there are several. A site sets one, so that another was planted, for a longer path say, and
    /// whichever counted could be that one.
    pub(super) fn cookie<'a>(
        &self,
        kind: CookieKind,
        header: &'a str,
    ) -> Result<Option<&'a str>, Ambiguous> {
        let mut values = self.cookies(kind, header);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Ambiguous),
            (value, None) => Ok(value),
        }
    }

    /// A `Set-Cookie` header that keeps `value`, of cookie characters, for `seconds`.
    pub(super) fn set_cookie(&self, kind: CookieKind, value: &str, seconds: i64) -> String {
        // Lax, so that the cookie comes along when GitHub sends the browser back.
        Cookie::build((self.name(kind), value))
            .path("/")
            .http_only(true)
            .secure(self.secure)
            .same_site(SameSite::Lax)
            .max_age(Duration::seconds(seconds))
            .to_string()
    }

    /// A `Set-Cookie` header that takes the cookie of `kind` away.
    pub(super) fn clear_cookie(&self, kind: CookieKind) -> String {
        self.set_cookie(kind, "", 0)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn site(url: &str) -> Result<Site> {
        Site::new(Url::parse(url).unwrap())
    }

    #[test]
    fn clear_text_is_for_loopback_alone() {
        for good in [
            "https://sundial.example.org",
            "http://localhost:8080",
            "http://127.0.0.1:8080/",
            "http://[::1]:8080",
        ] {
            assert!(site(good).is_ok(), "{good}");
        }
        for bad in [
            "http://sundial.example.org",
            "http://localhost.example.org",
            "http://10.0.0.1",
            "https://example.org/sundial",
            "https://example.org/?a=b",
            "https://name@example.org",
            "ftp://localhost",
        ] {
            assert!(matches!(site(bad), Err(Error::BadInput(_))), "{bad}");
        }
    }

    #[test]
    fn return_to_stays_on_the_site() {
        let site = site("https://sundial.example.org").unwrap();
        for good in ["/", "/t/mcce-g1-prod?range=1h#x", "/authors", "/a//b"] {
            assert_eq!(site.return_to(good), good);
        }
        assert_eq!(site.return_to("/ä b"), "/%C3%A4%20b");
        let long = format!("/{}", "a".repeat(1_000));
        for bad in [
            "",
            "t",
            "//evil.example",
            "/\\evil.example",
            "/a\\b",
            "/\t/evil.example",
            "/\n",
            "\t//evil.example",
            "/.//evil.example",
            "/a/..//evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/auth/login?return_to=/auth/login",
            "/a/../auth/logout",
            &long,
            &format!("/{}", "ä".repeat(499)),
        ] {
            assert_eq!(site.return_to(bad), "/", "{bad:?}");
        }
        assert_eq!(site.return_to(&long[..1_000]), long[..1_000]);
    }

    #[test]
    fn only_a_browser_on_the_site_is_of_the_same_origin() {
        let site = site("https://sundial.example.org").unwrap();
        let proven = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            site.is_same_origin(&headers)
        };
        assert!(proven(&[("sec-fetch-site", "same-origin")]));
        assert!(proven(&[("sec-fetch-site", "none")]));
        assert!(proven(&[("origin", "https://sundial.example.org")]));
        assert!(!proven(&[]));
        assert!(!proven(&[("origin", "null")]));
        assert!(!proven(&[("origin", "https://evil.example")]));
        assert!(!proven(&[("origin", "http://sundial.example.org")]));
        assert!(!proven(&[(
            "origin",
            "https://sundial.example.org.evil.example"
        )]));
        assert!(!proven(&[("sec-fetch-site", "same-site")]));
        assert!(!proven(&[
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://sundial.example.org")
        ]));
    }

    #[test]
    fn cookies_are_bound_to_the_host() {
        let secure = site("https://sundial.example.org").unwrap();
        let set = secure.set_cookie(CookieKind::Session, "abc", 60);
        assert_eq!(
            set,
            "__Host-sundial=abc; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60"
        );
        // A neighbouring host could plant the plain name.
        let read = |header| secure.cookie(CookieKind::Session, header);
        assert_eq!(read("sundial=planted"), Ok(None));
        let both = "a=b; sundial=planted; __Host-sundial=abc";
        assert_eq!(read(both), Ok(Some("abc")));
        assert_eq!(
            read("__host-sundial=a; __Host-sundial =b; x__Host-sundial=c"),
            Ok(None)
        );
        // A site sets one: of two, one was planted, and nobody can tell which.
        for planted in ["other", "abc", ""] {
            for twice in [
                format!("__Host-sundial={planted}; __Host-sundial=abc"),
                format!("__Host-sundial=abc; a=b;__Host-sundial={planted}"),
            ] {
                let read = secure.cookie(CookieKind::Session, &twice);
                assert_eq!(read, Err(Ambiguous), "{twice}");
            }
        }
        let local = site("http://localhost:8080").unwrap();
        let set = local.set_cookie(CookieKind::Session, "abc", 60);
        assert_eq!(
            set,
            "sundial=abc; HttpOnly; SameSite=Lax; Path=/; Max-Age=60"
        );
    }

    #[test]
    fn sign_in_begins_at_the_site_s_own_name_of_this_machine() {
        let begun = |url, host: &str| {
            let headers = HeaderMap::from_iter([(HOST, host.parse().unwrap())]);
            let login = site(url).unwrap().own_login(&headers, "/t/a?b");
            login.map(String::from)
        };
        let local = "http://127.0.0.1:8080";
        let own = "http://127.0.0.1:8080/auth/login?return_to=%2Ft%2Fa%3Fb";
        assert_eq!(begun(local, "localhost:8080").as_deref(), Some(own));
        assert_eq!(begun(local, "[::1]:8080").as_deref(), Some(own));
        assert_eq!(begun(local, "127.0.0.1:8080"), None);
        // Whatever name a proxy gives the server is the proxy's affair.
        assert_eq!(begun(local, "backend:8080"), None);
        assert_eq!(begun("https://sundial.example.org", "localhost:8080"), None);
    }
}
