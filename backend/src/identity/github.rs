//! What GitHub's API says of a token and its owner.
//!
//! Invariant: nothing is believed that GitHub did not answer in full; what can't be asked is a
//! [`Fault::Unavailable`], never a "no".

mod answer;

use std::time::Duration;

use axum::http::StatusCode;
use reqwest::{Client, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use crate::{
    error::{Error, Result},
    guard::Memberships,
    identity::github::answer::{is_limited, next_page, parse, send, unavailable},
};

pub(super) use crate::identity::github::answer::{Fault, bytes};

/// For one request to GitHub, from the first byte out to the last one in.
const TIMEOUT: Duration = Duration::from_secs(10);
/// For all pages of all that is asked of one person.
const TIMEOUT_OF_ALL: Duration = Duration::from_secs(20);
/// Most pages of one list, of 100 entries each.
const PAGES: usize = 50;

/// Scopes that each let an app read memberships.
const READ_ORG: [&str; 3] = ["read:org", "write:org", "admin:org"];

/// What GitHub says of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Issued to our app, for the account of this id.
    Ours(i64),
    /// Issued to our app, and memberships can't be read with it.
    Narrow,
    /// Of another app, of no app, revoked, or never issued.
    Foreign,
}

/// What GitHub says of a person.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    /// GitHub's numeric id.
    pub(super) id: i64,
    /// Login, as the person writes it.
    pub(super) login: String,
    /// Name, or the login where GitHub has none.
    pub(super) name: String,
    /// Where GitHub keeps the picture.
    pub(super) avatar_url: Option<String>,
    /// Active memberships, in lower case.
    pub(super) memberships: Memberships,
}

/// GitHub's API, as our OAuth app sees it.
pub(super) struct Github {
    http: Client,
    api: Url,
    client_id: String,
    client_secret: SecretString,
}

/// An HTTP client for GitHub: no redirect is followed, for what is sent is secret.
///
/// # Errors
/// [`Error::Internal`] when the machine has no usable TLS.
pub(super) fn client() -> Result<Client> {
    Client::builder()
        .user_agent(concat!("sundial/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .connect_timeout(TIMEOUT)
        .build()
        .map_err(|error| Error::internal("the HTTP client", error))
}

/// `base` and `path` below it.
///
/// # Errors
/// [`Error::BadInput`] when `base` is no http address.
pub(super) fn below(base: &Url, path: &[&str]) -> Result<Url> {
    let mut url = base.clone();
    match url.path_segments_mut() {
        Ok(mut segments) if ["http", "https"].contains(&base.scheme()) => {
            segments.pop_if_empty().extend(path);
        }
        _ => {
            return Err(Error::bad_input(format!(
                "GitHub's address {base} must start with https:// (--github-url, --github-api-url)"
            )));
        }
    }
    Ok(url)
}

#[derive(Deserialize)]
struct Authorization {
    app: App,
    scopes: Option<Vec<String>>,
    user: Option<Owner>,
}

#[derive(Deserialize)]
struct App {
    client_id: String,
}

#[derive(Deserialize)]
struct Owner {
    id: i64,
}

#[derive(Deserialize)]
struct User {
    id: i64,
    login: String,
    name: Option<String>,
    avatar_url: Option<String>,
}

#[derive(Deserialize)]
struct Membership {
    state: String,
    organization: Organization,
}

#[derive(Deserialize)]
struct Organization {
    login: String,
}

#[derive(Deserialize)]
struct Team {
    slug: String,
    organization: Organization,
}

impl Github {
    pub(super) fn new(
        http: Client,
        api: &Url,
        client_id: String,
        client_secret: SecretString,
    ) -> Result<Self> {
        below(api, &[])?;
        Ok(Github {
            http,
            api: api.clone(),
            client_id,
            client_secret,
        })
    }

    /// What GitHub says of `token`. `GET /user` would answer any app's token; this tells whose it is:
    /// <https://docs.github.com/en/rest/apps/oauth-applications#check-a-token>
    pub(super) async fn standing(&self, token: &SecretString) -> Result<Standing, Fault> {
        let url = self.url(&["applications", &self.client_id, "token"])?;
        let body = serde_json::json!({ "access_token": token.expose_secret() });
        let request = self
            .http
            .post(url)
            .basic_auth(&self.client_id, Some(self.client_secret.expose_secret()))
            .json(&body);
        let response = send(request).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => {
                return Ok(Standing::Foreign);
            }
            StatusCode::UNAUTHORIZED => {
                tracing::error!(
                    "GitHub refuses the OAuth app's client id and secret; nobody can be checked"
                );
                return Err(Fault::Unavailable(
                    "it refuses the client id and secret that Sundial is set up with".into(),
                ));
            }
            _ => return Err(unavailable(&response)),
        }
        let said: Authorization = parse(response).await?;
        Ok(match said.user {
            Some(owner) if said.app.client_id == self.client_id => {
                let scopes = said.scopes.unwrap_or_default();
                if scopes
                    .iter()
                    .any(|scope| READ_ORG.contains(&scope.as_str()))
                {
                    Standing::Ours(owner.id)
                } else {
                    Standing::Narrow
                }
            }
            _ => Standing::Foreign,
        })
    }

    /// What GitHub says of the owner of `token`.
    pub(super) async fn profile(&self, token: &SecretString) -> Result<Profile, Fault> {
        let all = async {
            tokio::try_join!(
                self.user(token),
                self.pages::<Membership>(token, &["user", "memberships", "orgs"], "active"),
                self.pages::<Team>(token, &["user", "teams"], ""),
            )
        };
        let (user, memberships, teams) = tokio::time::timeout(TIMEOUT_OF_ALL, all)
            .await
            .map_err(|_| Fault::Unavailable("it answers too slowly".into()))??;
        Ok(Profile {
            id: user.id,
            name: user
                .name
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| user.login.clone()),
            login: user.login,
            avatar_url: user.avatar_url.filter(|url| !url.is_empty()),
            memberships: active(memberships, teams),
        })
    }

    async fn user(&self, token: &SecretString) -> Result<User, Fault> {
        parse(self.read(self.url(&["user"])?, token).await?).await
    }

    /// All pages of a list. Those beyond the bound are left out: that can only take access away.
    async fn pages<T: DeserializeOwned>(
        &self,
        token: &SecretString,
        path: &[&str],
        state: &str,
    ) -> Result<Vec<T>, Fault> {
        let mut url = self.url(path)?;
        url.query_pairs_mut().append_pair("per_page", "100");
        if !state.is_empty() {
            url.query_pairs_mut().append_pair("state", state);
        }
        let mut entries = Vec::new();
        for _ in 0..PAGES {
            let response = self.read(url.clone(), token).await?;
            let next = next_page(response.headers(), &url)?;
            entries.extend(parse::<Vec<T>>(response).await?);
            match next {
                Some(next) => url = next,
                None => return Ok(entries),
            }
        }
        tracing::warn!(
            path = url.path(),
            "GitHub lists more than {PAGES} pages; the rest is not read"
        );
        Ok(entries)
    }

    async fn read(&self, url: Url, token: &SecretString) -> Result<Response, Fault> {
        let response = send(self.http.get(url).bearer_auth(token.expose_secret())).await?;
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::UNAUTHORIZED => Err(Fault::Foreign),
            StatusCode::FORBIDDEN if !is_limited(response.headers()) => Err(Fault::Narrow),
            _ => Err(unavailable(&response)),
        }
    }

    fn url(&self, path: &[&str]) -> Result<Url, Fault> {
        below(&self.api, path).map_err(|error| Fault::Unavailable(error.to_string()))
    }
}

/// In lower case, as access rules are: GitHub's names differ by more than case. A team counts with an
/// active membership in its organisation.
fn active(memberships: Vec<Membership>, teams: Vec<Team>) -> Memberships {
    let organizations: Vec<String> = memberships
        .into_iter()
        .filter(|membership| membership.state == "active")
        .map(|membership| membership.organization.login.to_lowercase())
        .collect();
    let teams = teams
        .into_iter()
        .map(|team| {
            (
                team.organization.login.to_lowercase(),
                team.slug.to_lowercase(),
            )
        })
        .filter(|(organization, _)| organizations.contains(organization))
        .collect();
    Memberships {
        organizations,
        teams,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_keeps_its_path_and_gains_no_slash() {
        for base in ["https://ghe.example/api/v3", "https://ghe.example/api/v3/"] {
            let url = below(&Url::parse(base).unwrap(), &["user", "teams"]).unwrap();
            assert_eq!(url.as_str(), "https://ghe.example/api/v3/user/teams");
        }
        assert!(below(&Url::parse("mailto:a@b").unwrap(), &[]).is_err());
        assert!(below(&Url::parse("file:///etc").unwrap(), &[]).is_err());
    }

    #[test]
    fn membership_counts_when_active_and_in_lower_case() {
        let membership = |login: &str, state: &str| Membership {
            state: state.into(),
            organization: Organization {
                login: login.into(),
            },
        };
        let team = |login: &str, slug: &str| Team {
            slug: slug.into(),
            organization: Organization {
                login: login.into(),
            },
        };
        let read = active(
            vec![
                membership("MCCE", "active"),
                membership("invited", "pending"),
            ],
            vec![team("MCCE", "G1-Admins"), team("invited", "ops")],
        );
        assert_eq!(read.organizations, ["mcce"]);
        assert_eq!(read.teams, [("mcce".to_owned(), "g1-admins".to_owned())]);
    }
}
