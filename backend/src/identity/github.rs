//! What GitHub's API says of a token and its owner.
//!
//! Invariant: nothing is believed that GitHub did not answer in full; what can't be asked is a
//! [`Fault::Unavailable`], never a "no".

mod answer;
mod page;
mod pause;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::http::{
    StatusCode,
    header::{HeaderValue, IF_NONE_MATCH},
};
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use url::Url;

use crate::{
    error::{Error, Result},
    guard::Memberships,
    identity::{
        github::{
            answer::{Refusal, parse, read, send},
            page::{Page, Pages},
            pause::Pauses,
        },
        now,
    },
};

pub(super) use crate::identity::github::answer::{Fault, bytes};

/// For one request to GitHub, from the first byte out to the last one in.
const TIMEOUT: Duration = Duration::from_secs(10);
/// For all pages of all that is asked of one person.
const TIMEOUT_OF_ALL: Duration = Duration::from_secs(20);
/// Most pages of one list, of 100 entries each.
const PAGES: usize = 50;

/// SHA-256 of a token: the memory of the process holds no token longer than a request.
pub(super) type TokenHash = [u8; 32];

/// What the process knows a token by.
pub(super) fn hash(token: &SecretString) -> TokenHash {
    Sha256::digest(token.expose_secret()).into()
}

/// Most tokens whose owner has used up GitHub's patience, at once.
const TOKENS: u64 = 10_000;

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
    /// Ids of organisations that are left out until the person has signed on with them.
    pub(super) sign_on: BTreeSet<i64>,
}

/// What GitHub says of a person and one organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Membership {
    /// A member.
    Active,
    /// Invited, and has not accepted.
    Pending,
    /// No member, or there is no such organisation.
    Absent,
    /// Not told until the person has signed on with it, at this address if GitHub names one.
    SignOn(Option<Url>),
    /// Not told to our app, which the organisation has not approved.
    Unapproved,
    /// Not told, for a reason of the organisation's own: its list of addresses, say.
    Refused,
}

/// An organisation as GitHub lists it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Organization {
    pub(super) id: i64,
    pub(super) login: String,
}

/// GitHub's API, as our OAuth app sees it.
pub(super) struct Github {
    http: Client,
    api: Url,
    client_id: String,
    client_secret: SecretString,
    pages: Pages,
    /// The app's own pause: of token checks.
    app_pause: Pauses<()>,
    token_pauses: Pauses<TokenHash>,
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
struct Listed {
    state: String,
    organization: Organization,
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
            pages: Pages::new(),
            app_pause: Pauses::new(1),
            token_pauses: Pauses::new(TOKENS),
        })
    }

    /// What GitHub says of `token`. `GET /user` would answer any app's token; this tells whose it is:
    /// <https://docs.github.com/en/rest/apps/oauth-applications#check-a-token>
    pub(super) async fn standing(&self, token: &SecretString) -> Result<Standing, Fault> {
        self.app_pause.check(&())?;
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
                return Err(Fault::unavailable(
                    "it refuses the client id and secret that Sundial is set up with",
                ));
            }
            _ => {
                let refusal = Refusal::of(response, now() / 1_000_000).await;
                if let Some(wait) = refusal.wait {
                    self.app_pause.begin((), wait);
                }
                return Err(refusal.fault("/applications"));
            }
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
                self.list::<Listed>(token, &["user", "memberships", "orgs"], "active"),
                self.list::<Team>(token, &["user", "teams"], ""),
            )
        };
        let (user, memberships, teams) = in_time(all).await?;
        Ok(Profile {
            id: user.id,
            name: user
                .name
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| user.login.clone()),
            login: user.login,
            avatar_url: user.avatar_url.filter(|url| !url.is_empty()),
            memberships: active(memberships.entries, teams.entries),
            sign_on: &memberships.sign_on | &teams.sign_on,
        })
    }

    /// What GitHub says of the owner of `token` and `organization`, and the organisations that the
    /// account named `login` shows to everybody: the same requests whether or not there is such an
    /// organisation.
    pub(super) async fn membership(
        &self,
        token: &SecretString,
        login: &str,
        organization: &str,
    ) -> Result<(Membership, Vec<Organization>), Fault> {
        let path = ["users", login, "orgs"];
        let all = async {
            tokio::try_join!(
                self.membership_in(token, organization),
                self.list::<Organization>(token, &path, ""),
            )
        };
        let (membership, shown) = in_time(all).await?;
        Ok((membership, shown.entries))
    }

    async fn membership_in(
        &self,
        token: &SecretString,
        organization: &str,
    ) -> Result<Membership, Fault> {
        let url = self.url(&["user", "memberships", "orgs", organization])?;
        let refusal = match self.ask(token, &url).await? {
            Answer::Page(page) => {
                let listed: Listed = read(&page.body)?;
                return Ok(match listed.state.as_str() {
                    "active" => Membership::Active,
                    "pending" => Membership::Pending,
                    _ => Membership::Absent,
                });
            }
            Answer::Refusal(refusal) => refusal,
        };
        match refusal.status {
            StatusCode::NOT_FOUND => Ok(Membership::Absent),
            StatusCode::FORBIDDEN => Ok(match &refusal.sso {
                Some(sso) => Membership::SignOn(required_at(sso)),
                None if refusal.message.contains("OAuth App access restrictions") => {
                    Membership::Unapproved
                }
                None => Membership::Refused,
            }),
            _ => Err(refusal.fault("/user/memberships/orgs/…")),
        }
    }

    async fn user(&self, token: &SecretString) -> Result<User, Fault> {
        read(&self.page(token, &self.url(&["user"])?).await?.body)
    }

    /// All pages of a list. Those beyond the bound are left out: that can only take access away.
    async fn list<T: DeserializeOwned>(
        &self,
        token: &SecretString,
        path: &[&str],
        state: &str,
    ) -> Result<List<T>, Fault> {
        let mut url = self.url(path)?;
        url.query_pairs_mut().append_pair("per_page", "100");
        if !state.is_empty() {
            url.query_pairs_mut().append_pair("state", state);
        }
        let mut list = List {
            entries: Vec::new(),
            sign_on: BTreeSet::new(),
        };
        for _ in 0..PAGES {
            let page = self.page(token, &url).await?;
            list.entries.extend(read::<Vec<T>>(&page.body)?);
            list.sign_on
                .extend(page.sso.as_deref().into_iter().flat_map(left_out));
            match &page.next {
                Some(next) => url = next.clone(),
                None => return Ok(list),
            }
        }
        tracing::warn!(
            path = url.path(),
            "GitHub lists more than {PAGES} pages; the rest is not read"
        );
        Ok(list)
    }

    /// What every token of a sign-in can read.
    async fn page(&self, token: &SecretString, url: &Url) -> Result<Arc<Page>, Fault> {
        match self.ask(token, url).await? {
            Answer::Page(page) => Ok(page),
            Answer::Refusal(refusal) if refusal.status == StatusCode::FORBIDDEN => {
                Err(Fault::Narrow)
            }
            Answer::Refusal(refusal) => Err(refusal.fault(url.path())),
        }
    }

    /// Asks with a person's token, unless GitHub wants to be left alone by it, and only for what has
    /// changed since it last answered.
    async fn ask(&self, token: &SecretString, url: &Url) -> Result<Answer, Fault> {
        let hash = hash(token);
        self.token_pauses.check(&hash)?;
        let known = self.pages.find(hash, url);
        let mut request = self
            .http
            .get(url.clone())
            .bearer_auth(token.expose_secret());
        let etag = known.as_ref().and_then(|page| page.etag.clone());
        if let Some(etag) = etag {
            request = request.header::<_, HeaderValue>(IF_NONE_MATCH, etag);
        }
        let response = send(request).await?;
        match (response.status(), known) {
            (StatusCode::OK, _) => {
                let page = Arc::new(Page::of(response, url, &self.api).await?);
                self.pages.keep(hash, url, &page);
                Ok(Answer::Page(page))
            }
            (StatusCode::NOT_MODIFIED, Some(page)) => Ok(Answer::Page(page)),
            (StatusCode::UNAUTHORIZED, _) => Err(Fault::Foreign),
            _ => {
                let refusal = Refusal::of(response, now() / 1_000_000).await;
                match refusal.wait {
                    Some(wait) => {
                        self.token_pauses.begin(hash, wait);
                        Err(refusal.fault(url.path()))
                    }
                    None => Ok(Answer::Refusal(refusal)),
                }
            }
        }
    }

    fn url(&self, path: &[&str]) -> Result<Url, Fault> {
        below(&self.api, path).map_err(|error| Fault::unavailable(error.to_string()))
    }
}

enum Answer {
    Page(Arc<Page>),
    Refusal(Refusal),
}

struct List<T> {
    entries: Vec<T>,
    /// Ids of organisations that are left out until the person has signed on with them.
    sign_on: BTreeSet<i64>,
}

async fn in_time<T>(all: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    tokio::time::timeout(TIMEOUT_OF_ALL, all)
        .await
        .map_err(|_| Fault::unavailable("it answers too slowly"))?
}

/// The ids in `partial-results; organizations=21955855,20582480`.
/// <https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api#about-saml-single-sign-on>
fn left_out(sso: &str) -> impl Iterator<Item = i64> {
    let ids = sso
        .strip_prefix("partial-results")
        .and_then(|rest| rest.split_once("organizations="));
    let ids = ids.map_or("", |(_, ids)| ids);
    ids.split(',').filter_map(|id| id.trim().parse().ok())
}

/// The address in `required; url=https://github.com/orgs/ORG/sso?authorization_request=…`.
fn required_at(sso: &str) -> Option<Url> {
    let (_, url) = sso.strip_prefix("required")?.split_once("url=")?;
    Url::parse(url.trim()).ok()
}

/// In lower case, as access rules are: GitHub's names differ by more than case. A team counts with an
/// active membership in its organisation.
fn active(memberships: Vec<Listed>, teams: Vec<Team>) -> Memberships {
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
        let organization = |login: &str| Organization {
            id: 1,
            login: login.into(),
        };
        let membership = |login: &str, state: &str| Listed {
            state: state.into(),
            organization: organization(login),
        };
        let team = |login: &str, slug: &str| Team {
            slug: slug.into(),
            organization: organization(login),
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

    #[test]
    fn header_of_single_sign_on_is_read() {
        let ids = |sso| left_out(sso).collect::<Vec<_>>();
        assert_eq!(
            ids("partial-results; organizations=21955855,20582480"),
            [21_955_855, 20_582_480]
        );
        for none in [
            "",
            "partial-results",
            "required; url=https://github.com/orgs/a/sso?organizations=1",
        ] {
            assert!(ids(none).is_empty(), "{none}");
        }
        let url = "https://github.com/orgs/mcce/sso?authorization_request=AZSC";
        assert_eq!(
            required_at(&format!("required; url={url}"))
                .unwrap()
                .as_str(),
            url
        );
        assert!(required_at("partial-results; organizations=1").is_none());
        assert!(required_at("required; url=/orgs").is_none());
    }
}
