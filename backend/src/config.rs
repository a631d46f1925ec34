//! Every setting: flag > environment > file > default.
//!
//! Invariant: secrets are `SecretString`, so that no Debug, log or error shows them, and come from the environment or a
//! file of their own: a flag could be read by any process of the machine, so none is documented for them.

use std::{
    collections::HashSet,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::error::{Error, Result};

/// Where the data is.
#[derive(Args, Clone, Debug)]
pub struct DatabaseConfig {
    /// `sqlite:FILE` or `postgres://USER@HOST/NAME`
    #[arg(
        id = "database_url",
        long = "database-url",
        env = "SUNDIAL_DATABASE_URL",
        default_value = "sqlite:sundial.db",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub url: SecretString,
    /// Most connections to the database
    #[arg(
        long = "database-connections",
        env = "SUNDIAL_DATABASE_CONNECTIONS",
        default_value_t = 16,
        value_parser = clap::value_parser!(u32).range(2..=1000),
        value_name = "NUMBER"
    )]
    pub connections: u32,
}

/// The GitHub that people sign in with.
#[derive(Args, Clone, Debug)]
pub struct GithubConfig {
    /// GitHub's web address; of an Enterprise Server `https://HOST`
    #[arg(
        id = "github_url",
        long = "github-url",
        env = "SUNDIAL_GITHUB_URL",
        default_value = "https://github.com",
        value_name = "URL"
    )]
    pub url: Url,
    /// GitHub's API address; of an Enterprise Server `https://HOST/api/v3`
    #[arg(
        long = "github-api-url",
        env = "SUNDIAL_GITHUB_API_URL",
        default_value = "https://api.github.com",
        value_name = "URL"
    )]
    pub api_url: Url,
    /// Client id of the OAuth app; without one nobody can sign in, and only ingest tokens count
    #[arg(
        long = "github-client-id",
        env = "SUNDIAL_GITHUB_CLIENT_ID",
        value_name = "ID"
    )]
    pub client_id: Option<String>,
    /// Client secret of the OAuth app (environment only)
    #[arg(
        long = "github-client-secret",
        env = "SUNDIAL_GITHUB_CLIENT_SECRET",
        hide = true,
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub client_secret: Option<SecretString>,
    /// File that holds the client secret of the OAuth app
    #[arg(
        long = "github-client-secret-file",
        env = "SUNDIAL_GITHUB_CLIENT_SECRET_FILE",
        value_name = "FILE"
    )]
    pub client_secret_file: Option<PathBuf>,
    /// Secret of GitHub's webhook at /webhooks/github (environment only); without one there is no such route
    #[arg(
        long = "github-webhook-secret",
        env = "SUNDIAL_GITHUB_WEBHOOK_SECRET",
        hide = true,
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub webhook_secret: Option<SecretString>,
    /// File that holds the secret of GitHub's webhook
    #[arg(
        long = "github-webhook-secret-file",
        env = "SUNDIAL_GITHUB_WEBHOOK_SECRET_FILE",
        value_name = "FILE"
    )]
    pub webhook_secret_file: Option<PathBuf>,
}

/// How much one asker may ask for; 0 for no limit.
///
/// A producer asks once or twice a slot, a page once a view: some ten a second at worst. 100 leaves room for scripts and
/// for those that catch up, and keeps one token from more than a small part of what the server can do. One address may
/// be an office of browsers, each of which asks little before it is signed in. And a person mistypes a few times, a
/// producer with an old token asks every 10 s; who fails more often than that guesses.
#[derive(Args, Clone, Copy, Debug)]
pub struct LimitConfig {
    /// Operations a second of one person or token; ten seconds' worth at once, 0 for no limit
    #[arg(
        long = "operations-per-principal",
        env = "SUNDIAL_OPERATIONS_PER_PRINCIPAL",
        default_value_t = 100,
        value_name = "NUMBER"
    )]
    pub principal: u32,
    /// Operations a second without proof, steps of sign-ins and new WebSockets of one address; ten seconds' worth at once, 0 for no limit
    #[arg(
        long = "operations-per-address",
        env = "SUNDIAL_OPERATIONS_PER_ADDRESS",
        default_value_t = 20,
        value_name = "NUMBER"
    )]
    pub address: u32,
    /// Tokens, sessions and sign-ins a minute that do not count, of one address; three minutes' worth at once, 0 for no limit
    #[arg(
        long = "failures-per-address",
        env = "SUNDIAL_FAILURES_PER_ADDRESS",
        default_value_t = 10,
        value_name = "NUMBER"
    )]
    pub failures: u32,
    /// Proxies in front that each add whom they hear from to X-Forwarded-For or Forwarded; without any, neither is believed
    #[arg(
        long = "trusted-proxies",
        env = "SUNDIAL_TRUSTED_PROXIES",
        default_value_t = 0,
        value_parser = clap::value_parser!(u8).range(0..=16),
        value_name = "NUMBER"
    )]
    pub trusted_proxies: u8,
}

/// Settings of `sundial serve`.
#[derive(Args, Clone, Debug)]
pub struct ServeConfig {
    /// Address of the page, the API and the sign-in
    #[arg(
        long,
        env = "SUNDIAL_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,
    /// Address of /livez, /readyz and /metrics, which no ingress exposes
    #[arg(
        long,
        env = "SUNDIAL_MANAGEMENT_LISTEN",
        default_value = "127.0.0.1:8081",
        value_name = "ADDRESS"
    )]
    pub management_listen: SocketAddr,
    /// Address that people type; sign-in returns there [default: http:// and the listen address]
    #[arg(long, env = "SUNDIAL_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<Url>,
    /// Other sites whose pages may ask with a token of their own, with commas between: https://app.example.org [default: none]
    #[arg(
        long,
        env = "SUNDIAL_ALLOWED_ORIGINS",
        value_delimiter = ',',
        value_parser = origin,
        value_name = "ORIGIN"
    )]
    pub allowed_origins: Vec<String>,
    /// The only tenant of this deployment; its database role is bound to it (`sundial migrate up`) [default: all tenants]
    #[arg(long, env = "SUNDIAL_TENANT", value_name = "SLUG")]
    pub tenant: Option<String>,
    /// Log lines: `auto` is pretty on a terminal and JSON elsewhere
    #[arg(
        long,
        env = "SUNDIAL_LOG_FORMAT",
        default_value = "auto",
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,
    /// Where the data is.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// The GitHub that people sign in with.
    #[command(flatten)]
    pub github: GithubConfig,
    /// How much one asker may ask for.
    #[command(flatten)]
    pub limits: LimitConfig,
}

/// An origin as browsers send it: a scheme, a host, and a port where it is not the scheme's own.
fn origin(text: &str) -> Result<String, String> {
    let url = Url::parse(text).ok();
    let url = url.filter(|url| url.has_host() && !text.contains('*'));
    let origin = url.map(|url| url.origin().ascii_serialization());
    match origin {
        Some(origin) if origin == text => Ok(origin),
        Some(origin) => Err(format!("write it as browsers do: {origin}")),
        None => Err("give a scheme and a host, such as https://app.example.org".into()),
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Pretty,
    /// For machines: one object a line.
    Json,
}

impl ServeConfig {
    /// The tenant that the deployment is pinned to, if it is. Deployments pass what is not set as an empty text.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref().filter(|slug| !slug.is_empty())
    }

    /// The address that people type, without a slash at its end.
    pub fn public_url(&self) -> Url {
        let fallback = || Url::parse(&format!("http://{}", self.listen));
        match &self.public_url {
            Some(url) => url.clone(),
            None => fallback().unwrap_or_else(|_| self.github.url.clone()),
        }
    }
}

impl GithubConfig {
    /// The OAuth app's id and secret, if sign-in is set up.
    ///
    /// # Errors
    /// [`Error::BadInput`] when one is there without the other, or the secret's file can't be read.
    pub fn credentials(&self) -> Result<Option<(String, SecretString)>> {
        let secret = secret(
            "the client secret",
            self.client_secret.as_ref(),
            self.client_secret_file.as_deref(),
        )?;
        match (self.client_id.as_ref().filter(|id| !id.is_empty()), secret) {
            (Some(id), Some(secret)) => Ok(Some((id.clone(), secret))),
            (None, None) => Ok(None),
            (Some(_), None) => Err(Error::bad_input(
                "there is a GitHub client id and no secret: set SUNDIAL_GITHUB_CLIENT_SECRET or --github-client-secret-file",
            )),
            (None, Some(_)) => Err(Error::bad_input(
                "there is a GitHub client secret and no id: set SUNDIAL_GITHUB_CLIENT_ID",
            )),
        }
    }

    /// The secret by which GitHub signs what it tells of by webhook, if it does.
    ///
    /// # Errors
    /// [`Error::BadInput`] when the secret's file can't be read.
    pub fn webhook_secret(&self) -> Result<Option<SecretString>> {
        secret(
            "the webhook secret",
            self.webhook_secret.as_ref(),
            self.webhook_secret_file.as_deref(),
        )
    }
}

/// The secret called `name`, given itself or by the file that holds it.
fn secret(
    name: &str,
    given: Option<&SecretString>,
    file: Option<&Path>,
) -> Result<Option<SecretString>> {
    let secret = match (given, file) {
        (Some(secret), _) => Some(secret.clone()),
        (None, Some(file)) => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                Error::bad_input(format!("{name}'s file {}: {error}", file.display()))
            })?;
            Some(SecretString::from(text.trim().to_owned()))
        }
        (None, None) => None,
    };
    // Deployments pass what is not set as an empty text.
    Ok(secret.filter(|secret| !secret.expose_secret().is_empty()))
}

/// The program's arguments, with what the file of `--config` says in place of defaults.
///
/// # Errors
/// [`Error::BadInput`] when that file can't be read or names an option that does not exist. Faults of
/// the command line itself, and `--help`, end the program here.
pub fn parse<C: clap::Parser>() -> Result<C> {
    let file =
        named_file(std::env::args_os().skip(1)).or_else(|| std::env::var_os("SUNDIAL_CONFIG"));
    let mut command = C::command();
    if let Some(file) = file {
        let file = PathBuf::from(file);
        let text = std::fs::read_to_string(&file)
            .map_err(|error| Error::bad_input(format!("the file {}: {error}", file.display())))?;
        let settings: toml::Table = toml::from_str(&text).map_err(|error| {
            // The error's own words show the line, and a secret may stand there.
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.unwrap_or_default().lines().count().max(1);
            Error::bad_input(format!(
                "the file {}: line {line}: {}",
                file.display(),
                error.message()
            ))
        })?;
        command = with_defaults(command, &settings, &file)?;
    }
    let matches = command.get_matches();
    C::from_arg_matches(&matches).map_err(Error::bad_input)
}

fn named_file(arguments: impl Iterator<Item = std::ffi::OsString>) -> Option<std::ffi::OsString> {
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        if text == "--config" {
            return arguments.next();
        }
        if let Some(file) = text.strip_prefix("--config=") {
            return Some(file.into());
        }
    }
    None
}

/// Every subcommand's options with the defaults that `settings` gives, by the options' long names.
fn with_defaults(
    command: clap::Command,
    settings: &toml::Table,
    file: &Path,
) -> Result<clap::Command> {
    let mut known = HashSet::new();
    let command = below(command, settings, &mut known);
    match settings.keys().find(|name| !known.contains(*name)) {
        Some(name) => Err(Error::bad_input(format!(
            "the file {}: there is no setting `{name}`; settings have the names of the options of `sundial serve --help`",
            file.display()
        ))),
        None => Ok(command),
    }
}

fn below(
    mut command: clap::Command,
    settings: &toml::Table,
    known: &mut HashSet<String>,
) -> clap::Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    for name in names {
        command = command.mut_subcommand(name, |sub| {
            let sub = sub.mut_args(|argument| {
                let long = argument.get_long().unwrap_or_default().to_owned();
                let value = match settings.get(&long) {
                    Some(toml::Value::String(text)) => text.clone(),
                    Some(value) => value.to_string(),
                    None => return argument,
                };
                known.insert(long);
                // What the environment's value is not shown for, this one is not either.
                let hidden = argument.is_hide_env_values_set();
                let argument = argument.required(false).default_value(value);
                argument.hide_default_value(hidden)
            });
            below(sub, settings, known)
        });
    }
    command
}

/// Every setting of the server as a table in Markdown, for the README.
pub fn table() -> String {
    let command = ServeConfig::augment_args(clap::Command::new("serve"));
    let mut rows = String::from("| option | environment | default | what |\n|---|---|---|---|\n");
    for argument in command.get_arguments() {
        let text = |value: Option<&std::ffi::OsStr>| {
            value.unwrap_or_default().to_string_lossy().into_owned()
        };
        let default = text(
            argument
                .get_default_values()
                .first()
                .map(|value| value.as_os_str()),
        );
        let code = |text: &str| {
            if text.is_empty() {
                String::new()
            } else {
                format!("`{text}`")
            }
        };
        let option = match argument.get_long() {
            Some(long) if !argument.is_hide_set() => code(&format!("--{long}")),
            _ => String::new(),
        };
        let help = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        rows += &format!(
            "| {option} | {} | {} | {help} |\n",
            code(&text(argument.get_env())),
            code(&default)
        );
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_as_browsers_send_them() {
        for good in ["https://app.example.org", "http://localhost:3000"] {
            assert_eq!(origin(good).as_deref(), Ok(good));
        }
        for bad in [
            "*",
            "null",
            "app.example.org",
            "https://app.example.org/",
            "https://APP.example.org",
            "https://a.org:443",
            "https://a.org/x",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }
}
