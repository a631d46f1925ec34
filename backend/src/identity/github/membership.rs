//! What GitHub says of organisations, teams, and who belongs to them.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use crate::{
    error::Result,
    guard::Memberships,
    identity::github::{
        Answer, Github,
        answer::{Fault, read},
        in_time,
    },
};

/// What GitHub says of a person and one organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::identity) enum Membership {
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
pub(in crate::identity) struct Organization {
    pub(in crate::identity) id: i64,
    pub(in crate::identity) login: String,
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
    /// What GitHub shows of the memberships of the owner of `token`, and the ids of the organisations
    /// that it leaves out until the person has signed on with them.
    pub(super) async fn memberships(
        &self,
        token: &SecretString,
    ) -> Result<(Memberships, BTreeSet<i64>), Fault> {
        let (organizations, teams) = tokio::try_join!(
            self.list::<Listed>(token, &["user", "memberships", "orgs"], "active"),
            self.list::<Team>(token, &["user", "teams"], ""),
        )?;
        let sign_on = organizations.sso.iter().chain(&teams.sso);
        let sign_on = sign_on.flat_map(|sso| left_out(sso)).collect();
        Ok((active(organizations.entries, teams.entries), sign_on))
    }

    /// What GitHub says of the owner of `token` and `organization`, and the organisations that the
    /// account named `login` shows to everybody: the same requests whether or not there is such an
    /// organisation.
    pub(in crate::identity) async fn membership(
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
