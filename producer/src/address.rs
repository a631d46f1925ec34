//! Addresses of servers. They may carry a password, which nothing here shows.

use std::ffi::OsStr;
use std::fmt;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command};
use url::Url;

/// An address that HTTP can reach.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// The address as it is asked for, its password included.
    pub fn secret_url(&self) -> &Url {
        &self.0
    }

    /// An address below this one.
    pub fn join(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
        Self(url)
    }
}

impl TryFrom<&str> for Address {
    type Error = &'static str;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        Url::parse(text)
            .ok()
            .filter(|url| ["http", "https"].contains(&url.scheme()))
            .map(Self)
            .ok_or(
                "write an address that begins with http:// or https://, such as https://sundial.example.org",
            )
    }
}

impl fmt::Display for Address {
    /// The address without name and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.0.clone();
        // Refused only for addresses that can carry none.
        let _ = url.set_password(None).and_then(|()| url.set_username(""));
        url.fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads an [`Address`]. An error does not repeat what was written, as clap's own parsers do.
#[derive(Debug, Clone)]
pub struct AddressParser;

impl TypedValueParser for AddressParser {
    type Value = Address;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Address, clap::Error> {
        Address::try_from(value.to_str().unwrap_or_default()).map_err(|step| {
            let name = argument.map(ToString::to_string).unwrap_or_default();
            let words = format!("{name} is no address of a server; {step}\n");
            clap::Error::raw(ErrorKind::ValueValidation, words).with_cmd(command)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_asked_with_and_never_shown() {
        let address = Address::try_from("https://me:hidden@example.org/below/").unwrap();
        let below = address.join("graphql");
        assert_eq!(below.to_string(), "https://example.org/below/graphql");
        assert_eq!(format!("{below:?}"), below.to_string());
        assert_eq!(below.secret_url().password(), Some("hidden"));
    }
}
