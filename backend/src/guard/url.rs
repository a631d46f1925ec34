//! The database's URL, looked at before the driver does: what the driver says of a faulty one repeats it, password and all.

use url::Url;

use crate::error::{Error, Result};

/// The parameters that the driver knows, besides `options[…]`. It tells of others with their values.
const PARAMETERS: [&str; 17] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
];

/// The URL as the driver takes it.
///
/// # Errors
/// [`Error::BadInput`] in words that repeat nothing but a parameter's name.
pub(in crate::guard) fn check(url: &str) -> Result<String> {
    // SeaORM knows PostgreSQL by the shorter of its two customary schemes alone.
    let url = match url.strip_prefix("postgresql:") {
        Some(rest) => format!("postgres:{rest}"),
        None => url.to_owned(),
    };
    let faulty = |why: &dyn std::fmt::Display| {
        Error::bad_input(format!(
            "the database URL can't be read ({why}): write `postgres://USER:PASSWORD@HOST:PORT/NAME`, with %-codes for \
             what is no letter or digit in the password, or `sqlite:FILE`"
        ))
    };
    if !url.starts_with("postgres:") {
        return match url.starts_with("sqlite:") {
            true => Ok(url),
            false => Err(faulty(&"it begins with neither")),
        };
    }
    let parsed = Url::parse(&url).map_err(|error| faulty(&error))?;
    if parsed.cannot_be_a_base() {
        return Err(faulty(&"// is missing"));
    }
    for (name, value) in parsed.query_pairs() {
        if !PARAMETERS.contains(&name.as_ref()) && !name.starts_with("options") {
            return Err(faulty(&format_args!("there is no parameter `{name}`")));
        }
        let is_number = || value.parse::<u16>().is_ok();
        if matches!(name.as_ref(), "port" | "statement-cache-capacity") && !is_number() {
            return Err(faulty(&format_args!("`{name}` is no number")));
        }
        let modes = [
            "disable",
            "allow",
            "prefer",
            "require",
            "verify-ca",
            "verify-full",
        ];
        // The driver says what is wrong with it, and not with which.
        let is_file = ["cert", "-cert", "key", "-key", "-ca"]
            .iter()
            .any(|end| name.ends_with(end));
        let is_text = value.trim_start().starts_with("-----BEGIN");
        if name.starts_with("ssl")
            && is_file
            && !is_text
            && let Err(error) = std::fs::metadata(value.as_ref())
        {
            return Err(Error::bad_input(format!(
                "the file {value} of the database URL's `{name}`: {error}"
            )));
        }
        if matches!(name.as_ref(), "sslmode" | "ssl-mode") && !modes.contains(&value.as_ref()) {
            let modes = modes.join(", ");
            return Err(faulty(&format_args!("`{name}` must be one of {modes}")));
        }
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customary_urls_are_taken() {
        for (url, taken) in [
            ("sqlite:sundial.db", "sqlite:sundial.db"),
            ("sqlite::memory:", "sqlite::memory:"),
            ("postgresql://a:b@db/c", "postgres://a:b@db/c"),
            (
                "postgres:///c?host=/run/postgresql&options[search_path]=x&sslmode=verify-full",
                "postgres:///c?host=/run/postgresql&options[search_path]=x&sslmode=verify-full",
            ),
        ] {
            assert_eq!(check(url).unwrap(), taken);
        }
    }

    #[test]
    fn file_that_is_not_there_is_named() {
        for name in ["sslrootcert", "ssl-ca", "sslkey"] {
            let words = check(&format!("postgres://a:secret@db/c?{name}=/no/ca.pem"));
            let words = words.unwrap_err().to_string();
            assert!(
                words.starts_with(&format!(
                    "the file /no/ca.pem of the database URL's `{name}`: "
                )),
                "{words}"
            );
        }
        let there = concat!(
            "postgres://db/c?sslrootcert=",
            env!("CARGO_MANIFEST_DIR"),
            "/Cargo.toml"
        );
        assert!(check(there).is_ok());
    }

    #[test]
    fn faulty_urls_are_refused_and_not_repeated() {
        for url in [
            "secret",
            "mysql://a:secret@db/c",
            "postgres:a:secret@db/c",
            "postgres://a:secret@db:x/c",
            "postgres://a:sec/ret@db:1/c",
            "postgres://a:secret@db/c?pasword=secret",
            "postgres://a@db/c?sslmode=secret",
            "postgres://a@db/c?port=secret",
        ] {
            let words = check(url).unwrap_err().to_string();
            assert!(
                !words.contains("secret") && words.contains("the database URL"),
                "{words}"
            );
        }
    }
}
