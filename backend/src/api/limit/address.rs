//! Where a request comes from.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header::FORWARDED};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A client's address, as far as limits tell clients apart: an IPv4 address, or the /64 of an IPv6 one, which is the
/// least that a network hands to a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address(IpAddr);

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from(network))
            }
            v4 => v4,
        })
    }
}

impl Address {
    /// The client behind `proxies` proxies, the nearest of which is `peer`.
    ///
    /// Each proxy adds whom it hears from at the end of the list in `X-Forwarded-For`, or of `Forwarded` (RFC 7239), so
    /// that only the last `proxies` entries can be believed: what stands before them, the client wrote. A list that is
    /// too short or can't be read says nothing, and neither do two headers that differ, one of which the proxies do not
    /// write: then it is the peer.
    pub(super) fn of(peer: IpAddr, headers: &HeaderMap, proxies: usize) -> Self {
        let Some(position) = proxies.checked_sub(1) else {
            return peer.into();
        };
        let told = |name: HeaderName| {
            let lines = headers.get_all(&name);
            let mut lines: Vec<_> = lines.iter().rev().map(|line| line.to_str()).collect();
            if lines.is_empty() {
                return None;
            }
            // From the right: an odd quotation mark that the client wrote changes nothing there.
            let mut entries = lines
                .drain(..)
                .flat_map(|line| line.unwrap_or("").rsplit(','));
            Some(entries.nth(position).and_then(|entry| match name {
                FORWARDED => forwarded_for(entry),
                _ => parse(entry.trim()),
            }))
        };
        let client = match (told(X_FORWARDED_FOR), told(FORWARDED)) {
            (Some(client), None) | (None, Some(client)) => client,
            (Some(one), Some(other)) if one == other => one,
            _ => None,
        };
        client.unwrap_or(peer).into()
    }
}

/// The address in one entry of `Forwarded`.
fn forwarded_for(entry: &str) -> Option<IpAddr> {
    let mut pairs = entry
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    parse(value.trim_matches('"'))
}

/// An address, with a port or without.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    bare.unwrap_or(text).parse().or_else(|_| with_port()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(proxies: usize, headers: &[(&'static str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        Address::of("10.0.0.1".parse().unwrap(), &map, proxies)
            .0
            .to_string()
    }

    #[test]
    fn without_proxies_no_header_counts() {
        let forged = [("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=1.1.1.1")];
        assert_eq!(of(0, &forged), "10.0.0.1");
    }

    #[test]
    fn each_proxy_adds_one_entry_and_the_client_any_number() {
        for (proxies, list, client) in [
            (1, "2.2.2.2", "2.2.2.2"),
            (1, "1.1.1.1, 2.2.2.2", "2.2.2.2"),
            (1, "1.1.1.1,\"2.2.2.2", "10.0.0.1"),
            (2, "1.1.1.1, 2.2.2.2, 10.0.0.2", "2.2.2.2"),
            // One that came round the outer proxy.
            (2, "2.2.2.2", "10.0.0.1"),
            (1, "2.2.2.2:4711", "2.2.2.2"),
            (1, "[2001:db8::1]:4711", "2001:db8::"),
            (1, "unknown", "10.0.0.1"),
            (1, "", "10.0.0.1"),
        ] {
            assert_eq!(of(proxies, &[("x-forwarded-for", list)]), client, "{list}");
        }
        let lines = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "2.2.2.2"),
        ];
        assert_eq!(of(1, &lines), "2.2.2.2");
        assert_eq!(of(2, &lines), "1.1.1.1");
    }

    #[test]
    fn standard_header_says_the_same() {
        for (list, client) in [
            ("for=2.2.2.2", "2.2.2.2"),
            ("for=1.1.1.1, For=\"2.2.2.2:80\";proto=https", "2.2.2.2"),
            ("for=\"1.1.1.1, by=10.0.0.2;for=2.2.2.2", "2.2.2.2"),
            ("for=\"[2001:db8::1]:4711\"", "2001:db8::"),
            ("for=_hidden", "10.0.0.1"),
            ("by=2.2.2.2", "10.0.0.1"),
        ] {
            assert_eq!(of(1, &[("forwarded", list)]), client, "{list}");
        }
    }

    #[test]
    fn two_headers_that_differ_say_nothing() {
        let headers = |other| [("x-forwarded-for", "2.2.2.2"), ("forwarded", other)];
        assert_eq!(of(1, &headers("for=2.2.2.2")), "2.2.2.2");
        assert_eq!(of(1, &headers("for=1.1.1.1")), "10.0.0.1");
        assert_eq!(of(1, &headers("")), "10.0.0.1");
    }

    #[test]
    fn network_of_an_ipv6_address_is_one_client() {
        let address = |text: &str| Address::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(
            address("2001:db8:0:1::1"),
            address("2001:db8:0:1:ffff:ffff:ffff:ffff")
        );
        assert_ne!(address("2001:db8:0:1::1"), address("2001:db8:0:2::1"));
        assert_eq!(address("::ffff:1.1.1.1"), address("1.1.1.1"));
        assert_ne!(address("1.1.1.1"), address("1.1.1.2"));
    }
}
