//! What GitHub says of a person, for whoever wonders why a tenant is not open.
//!
//! Invariant: it knows no tenant and no rule, and asks GitHub the same number of questions whether or
//! not there is such an organisation: neither the answer's cost nor its time tells.

use std::{collections::BTreeSet, sync::Arc};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{
    error::{Error, Result},
    guard::Principal,
    identity::{
        Identity, Proof,
        github::{Fault, Membership, Organization, below},
        ingest_token, is_github_token, now, session,
    },
};

/// Where a person signs in anew, below the public URL.
const SIGN_IN: &str = "/auth/login";
/// No account of GitHub's can have this name: it stands for no organisation.
const NONE: &str = "-";

/// What GitHub says of the token that a request was made with.
#[derive(Clone, Debug)]
pub enum Facts {
    /// It is of another app, or was revoked.
    NotOurs {
        /// Where a new one is had: a path below the public URL.
        sign_in: &'static str,
    },
    /// It may not read memberships: the scope `read:org` is missing.
    ScopeMissing {
        /// Where a new one is had: a path below the public URL.
        sign_in: &'static str,
    },
    /// It counts, and its owner is known.
    Person(Box<PersonFacts>),
}

/// What GitHub says of the owner of a token that counts.
#[derive(Clone, Debug)]
pub struct PersonFacts {
    /// The person, with the memberships that GitHub shows.
    pub principal: Arc<Principal>,
    /// What the person is in the organisation asked about; absent when none was.
    pub membership: MembershipFact,
    /// Organisations that keep their members from Sundial until the person has signed on with them.
    pub sign_on: Vec<Hidden>,
    /// Organisations that the person belongs to for all to see, and that keep that from Sundial: they
    /// have not approved the app. There may be others, of which GitHub shows nobody anything.
    pub unapproved: Vec<Hidden>,
    /// Where the person sees which organisations have approved the app, and asks for it.
    pub app: Url,
}

/// An organisation that keeps its members from Sundial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// Login, in lower case, where GitHub tells.
    pub organization: Option<String>,
    /// Where the person mends it, at GitHub.
    pub link: Url,
}

/// What a person is in an organisation, as GitHub tells Sundial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MembershipFact {
    /// A member.
    Active,
    /// Invited, and has not accepted yet.
    Invited {
        /// Where the invitation is.
        link: Url,
    },
    /// Not told before the person has signed on with the organisation.
    SignOnNeeded {
        /// Where that is done.
        link: Url,
    },
    /// Not told, because the organisation has not approved the app.
    AppUnapproved {
        /// Where approval is asked for.
        link: Url,
    },
    /// Not told, for another reason of the organisation's: its list of addresses, say.
    Refused,
    /// No member, or there is no such organisation.
    Absent,
}

/// GitHub's pages on which people act.
pub(super) struct Links {
    web: Url,
    /// What the person lets our app do, and where approval of an organisation is asked for.
    app: Url,
}

impl Links {
    pub(super) fn new(web: &Url, client_id: &str) -> Result<Self> {
        let app = ["settings", "connections", "applications", client_id];
        Ok(Links {
            app: below(web, &app)?,
            web: web.clone(),
        })
    }

    fn of(&self, organization: &str, page: &str) -> Result<Url> {
        below(&self.web, &["orgs", organization, page])
    }

    /// Where a person signs on: where GitHub says, if that is one of its own pages.
    fn sign_on(&self, organization: &str, said: Option<Url>) -> Result<Url> {
        match said.filter(|url| url.origin() == self.web.origin()) {
            Some(url) => Ok(url),
            None => self.of(organization, "sso"),
        }
    }
}

impl Identity {
    /// What GitHub says, asked anew, of whoever is behind `proof`, and of what that person is in
    /// `organization` (its login). What it says of memberships counts for the requests after this one too.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody is signed in or the session has ended, [`Error::BadInput`]
    /// for an ingest token, [`Error::GithubUnavailable`].
    pub async fn explain(&self, proof: &Proof, organization: Option<&str>) -> Result<Facts> {
        let (token, session) = self.github_token(proof).await?;
        let app = self.app()?;
        let owner = match app.people.owner_anew(&token).await {
            Ok(owner) => owner,
            Err(Fault::Foreign) => return Ok(Facts::NotOurs { sign_in: SIGN_IN }),
            Err(Fault::Narrow) => return Ok(Facts::ScopeMissing { sign_in: SIGN_IN }),
            Err(unavailable) => return Err(unavailable.into()),
        };
        if let Some(session) = session {
            session.check_owner(&owner.principal)?;
        }
        self.keep(&owner, now());
        let person = owner
            .principal
            .as_person()
            .ok_or_else(|| Error::Internal("a GitHub token is of no person".into()))?;
        let name = organization.filter(|name| is_login(name)).unwrap_or(NONE);
        let asked = app.people.github().membership(&token, &person.login, name);
        let (membership, shown) = match asked.await {
            Ok(asked) => asked,
            Err(Fault::Foreign) => return Ok(Facts::NotOurs { sign_in: SIGN_IN }),
            Err(Fault::Narrow) => return Ok(Facts::ScopeMissing { sign_in: SIGN_IN }),
            Err(unavailable) => return Err(unavailable.into()),
        };
        let held = &person.memberships.organizations;
        Ok(Facts::Person(Box::new(PersonFacts {
            app: app.links.app.clone(),
            membership: app.links.fact(name, membership)?,
            sign_on: app.links.sign_ons(&owner.sign_on, &shown)?,
            unapproved: app.links.unapproved(held, &owner.sign_on, &shown),
            principal: owner.principal,
        })))
    }

    /// The GitHub token of a proof, and the session that it is from.
    async fn github_token(
        &self,
        proof: &Proof,
    ) -> Result<(SecretString, Option<session::Session>)> {
        match proof {
            Proof::Cookie(cookies) => {
                if let Some(value) = self.session_cookie(cookies.expose_secret())? {
                    let session = session::find(&self.0.pool, value, now()).await?;
                    return Ok((session.github_token.clone(), Some(session)));
                }
            }
            Proof::Bearer(token) if is_github_token(token.expose_secret()) => {
                return Ok((token.clone(), None));
            }
            Proof::Bearer(token) if token.expose_secret().starts_with(ingest_token::PREFIX) => {
                return Err(Error::bad_input(
                    "an ingest token opens the tenant that it was made for and no other: only people \
                     can be told why a tenant is not open",
                ));
            }
            Proof::Nothing | Proof::Bearer(_) => {}
        }
        Err(Error::Unauthenticated(
            "sign in at /auth/login to be told why a tenant is not open",
        ))
    }
}

/// Whether `name` could be an organisation's login; another might be another question in an address.
fn is_login(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

impl Links {
    fn fact(&self, organization: &str, membership: Membership) -> Result<MembershipFact> {
        Ok(match membership {
            Membership::Active => MembershipFact::Active,
            Membership::Pending => MembershipFact::Invited {
                link: self.of(organization, "invitation")?,
            },
            Membership::SignOn(said) => MembershipFact::SignOnNeeded {
                link: self.sign_on(organization, said)?,
            },
            Membership::Unapproved => MembershipFact::AppUnapproved {
                link: self.app.clone(),
            },
            Membership::Refused => MembershipFact::Refused,
            Membership::Absent => MembershipFact::Absent,
        })
    }

    /// The organisations of these ids, by name where the person shows them to everybody.
    fn sign_ons(&self, ids: &BTreeSet<i64>, shown: &[Organization]) -> Result<Vec<Hidden>> {
        let hidden = |id: &i64| {
            let shown = shown.iter().find(|shown| shown.id == *id);
            let organization = shown.map(|shown| shown.login.to_lowercase());
            let link = match &organization {
                Some(organization) => self.of(organization, "sso")?,
                None => self.app.clone(),
            };
            Ok(Hidden { organization, link })
        };
        ids.iter().map(hidden).collect()
    }

    fn unapproved(
        &self,
        held: &[String],
        sign_on: &BTreeSet<i64>,
        shown: &[Organization],
    ) -> Vec<Hidden> {
        let hidden = shown
            .iter()
            .filter(|shown| !sign_on.contains(&shown.id))
            .map(|shown| shown.login.to_lowercase())
            .filter(|shown| !held.contains(shown));
        hidden
            .map(|organization| Hidden {
                organization: Some(organization),
                link: self.app.clone(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_on_elsewhere_is_no_link() {
        let links = Links::new(&"https://github.com".parse().unwrap(), "ours").unwrap();
        let own = "https://github.com/orgs/mcce/sso?authorization_request=A";
        let linked = |said: Option<&str>| {
            let said = said.map(|said| said.parse().unwrap());
            links.sign_on("mcce", said).unwrap().to_string()
        };
        assert_eq!(linked(Some(own)), own);
        for other in [
            None,
            Some("https://evil.example/orgs/mcce/sso"),
            Some("javascript:alert(1)"),
        ] {
            assert_eq!(linked(other), "https://github.com/orgs/mcce/sso");
        }
    }
}
