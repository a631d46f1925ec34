//! Why a tenant is open to somebody, or why not: each check in order, up to the first that fails, and what to do.
//!
//! Invariant: it is told of no rule but those that name an organisation of the asker's, and of nothing else about the
//! tenant, not even whether there is one.

use url::Url;

use crate::{
    access::{change::listed, rule::whom},
    error::{Error, Result},
    guard::{
        Memberships,
        table::access_rule::{self, RoleName},
    },
    identity::{Facts, Hidden},
};

/// Where a person signs in: a path of this site.
const SIGN_IN: &str = "/auth/login";
const NOT_OURS: &str =
    "GitHub says that what you signed in with is not of Sundial's own sign-in, or was revoked.";

/// What is known of whoever asks.
#[derive(Clone, Debug)]
pub enum Standing {
    /// Nobody has signed in.
    Nobody,
    /// What was shown as proof does not count, for a reason in words.
    Refused(String),
    /// It is of a person, and does not let Sundial read organisations.
    Narrow,
    /// It is an ingest token, which has this role in the tenant.
    Machine(Option<RoleName>),
    /// It is of a person.
    Person(Seen),
}

/// What GitHub shows of a person.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// GitHub login.
    pub login: String,
    /// Active memberships.
    pub memberships: Memberships,
    /// Organisations of the person's that have not approved Sundial.
    pub unapproved: Vec<Hidden>,
    /// Organisations that the person has to sign on with first.
    pub sign_on: Vec<Hidden>,
    /// Where, at GitHub, the person sees which organisations have approved Sundial.
    pub app: Option<Url>,
}

/// What is checked before a tenant opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Who asks.
    Token,
    /// What the person lets Sundial read.
    Scope,
    /// What the organisation lets Sundial know.
    OrganizationApproval,
    /// The organisation's single sign-on.
    SingleSignOn,
    /// The person's organisations.
    Membership,
    /// The tenant's access rules.
    Rule,
    /// The person's teams.
    Team,
}

/// The checks, in order, up to the first that fails.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The role in the tenant, if it is open.
    pub role: Option<RoleName>,
    /// The checks.
    pub steps: Vec<Step>,
}

/// One check, and how it went.
#[derive(Clone, Debug)]
pub struct Step {
    /// What was checked.
    pub check: Check,
    /// What was found.
    pub words: String,
    /// What to do about it, if it failed.
    pub mend: Option<Mend>,
}

/// What to do about a check that failed.
#[derive(Clone, Debug)]
pub struct Mend {
    /// In words.
    pub action: String,
    /// Where: a path of this site, or an address at GitHub.
    pub url: Option<String>,
}

impl TryFrom<Facts> for Standing {
    type Error = Error;

    fn try_from(facts: Facts) -> Result<Self> {
        let person = match facts {
            Facts::NotOurs { .. } => return Ok(Standing::Refused(NOT_OURS.into())),
            Facts::ScopeMissing { .. } => return Ok(Standing::Narrow),
            Facts::Person(person) => person,
        };
        let known = person.principal.as_person();
        let known = known.ok_or_else(|| Error::Internal("GitHub tells of no person".into()))?;
        Ok(Standing::Person(Seen {
            login: known.login.clone(),
            memberships: known.memberships.clone(),
            unapproved: person.unapproved,
            sign_on: person.sign_on,
            app: Some(person.app),
        }))
    }
}

impl Standing {
    /// Every organisation that the asker is known to belong to, in lower case.
    pub fn organizations(&self) -> Vec<String> {
        let Standing::Person(seen) = self else {
            return Vec::new();
        };
        let hidden = seen.unapproved.iter().chain(&seen.sign_on);
        let hidden = hidden.filter_map(|hidden| hidden.organization.clone());
        let mut all = seen.memberships.organizations.clone();
        all.extend(hidden);
        all.sort();
        all.dedup();
        all
    }
}

/// Why a tenant is open to somebody of this `standing`, or why not. `rules` are those of the tenant that name one of
/// [`Standing::organizations`].
pub fn explain(standing: &Standing, rules: &[access_rule::Model]) -> Explanation {
    let mut steps = Steps(Vec::new());
    let role = match standing {
        Standing::Nobody => steps.fail(
            Check::Token,
            "You are not signed in.",
            "Sign in with GitHub",
            Some(SIGN_IN),
        ),
        Standing::Refused(words) => steps.fail(
            Check::Token,
            words,
            "Sign in with GitHub again, or use an ingest token that counts",
            Some(SIGN_IN),
        ),
        Standing::Narrow => {
            steps.pass(Check::Token, "You are signed in with GitHub.");
            steps.fail(
                Check::Scope,
                "GitHub does not let Sundial read your organisations: the scope `read:org` is missing.",
                "Sign in with GitHub again, and let Sundial read your organisations and teams",
                Some(SIGN_IN),
            )
        }
        Standing::Machine(Some(role)) => {
            let words = format!("The ingest token is one of this tenant: {role}.");
            steps.pass(Check::Token, &words);
            Some(*role)
        }
        Standing::Machine(None) => steps.fail(
            Check::Token,
            "An ingest token opens the tenant that it was made for, and no other.",
            "Use a token of the tenant, or sign in with GitHub",
            Some(SIGN_IN),
        ),
        Standing::Person(seen) => {
            let words = format!("You are signed in with GitHub as {}.", seen.login);
            steps.pass(Check::Token, &words);
            steps.pass(Check::Scope, "GitHub lets Sundial read your organisations.");
            steps.person(seen, standing.organizations(), rules)
        }
    };
    Explanation {
        role,
        steps: steps.0,
    }
}

struct Steps(Vec<Step>);

impl Steps {
    fn pass(&mut self, check: Check, words: &str) {
        self.0.push(Step {
            check,
            words: words.to_owned(),
            mend: None,
        });
    }

    fn fail(
        &mut self,
        check: Check,
        words: &str,
        action: &str,
        url: Option<&str>,
    ) -> Option<RoleName> {
        self.0.push(Step {
            check,
            words: words.to_owned(),
            mend: Some(Mend {
                action: action.to_owned(),
                url: url.map(String::from),
            }),
        });
        None
    }

    fn person(
        &mut self,
        seen: &Seen,
        organizations: Vec<String>,
        rules: &[access_rule::Model],
    ) -> Option<RoleName> {
        let held = seen.memberships.role(rules);
        let named = |hidden: &&Hidden| {
            let is_of = |rule: &access_rule::Model| {
                hidden.organization.as_ref() == Some(&rule.organization)
            };
            rules.iter().any(is_of)
        };
        // Who is in already has nothing to mend.
        let closed = held.is_none();
        if let Some(hidden) = seen.unapproved.iter().find(named).filter(|_| closed) {
            let organization = hidden.organization.as_deref().unwrap_or_default();
            return self.fail(
                Check::OrganizationApproval,
                &format!(
                    "{organization} has not approved Sundial, so GitHub does not tell Sundial that you belong to it."
                ),
                &format!("Ask an owner of {organization} to approve Sundial, under “Organization access”"),
                Some(hidden.link.as_str()),
            );
        }
        self.pass(
            Check::OrganizationApproval,
            "No organisation that you are seen to belong to keeps you from Sundial.",
        );
        // One without a name could be the one: nothing else is known that could be.
        let nameless = |hidden: &&Hidden| hidden.organization.is_none() && rules.is_empty();
        let sign_on = seen.sign_on.iter();
        if let Some(hidden) = { sign_on }
            .find(|hidden| named(hidden) || nameless(hidden))
            .filter(|_| closed)
        {
            let organization = hidden.organization.as_deref();
            let organization = organization.unwrap_or("an organisation of yours");
            return self.fail(
                Check::SingleSignOn,
                &format!(
                    "GitHub does not tell Sundial that you belong to {organization} before you have signed on with it."
                ),
                &format!("Sign on with {organization} at GitHub, then sign in here again"),
                Some(hidden.link.as_str()),
            );
        }
        self.pass(
            Check::SingleSignOn,
            "No organisation asks you to sign on first.",
        );
        if organizations.is_empty() {
            return self.fail(
                Check::Membership,
                "GitHub shows Sundial no organisation that you belong to. One that has not approved Sundial is not shown.",
                "Accept your organisation's invitation, or ask one of its owners to approve Sundial",
                seen.app.as_ref().map(Url::as_str),
            );
        }
        let yours = listed(&organizations);
        self.pass(Check::Membership, &format!("You belong to {yours}."));
        if rules.is_empty() {
            return self.fail(
                Check::Rule,
                &format!(
                    "No tenant of this name has an access rule for {yours}. Other organisations of yours, that have not \
                     approved Sundial, are not shown."
                ),
                "Check the tenant's name, ask its administrator for a rule for your organisation, or an owner of yours to \
                 approve Sundial",
                seen.app.as_ref().map(Url::as_str),
            );
        }
        let named: Vec<String> = rules.iter().map(|rule| rule.organization.clone()).collect();
        let mut named = named;
        named.dedup();
        self.pass(
            Check::Rule,
            &format!("The tenant has access rules for {}.", listed(&named)),
        );
        let Some(role) = held else {
            let teams: Vec<String> = rules.iter().map(described).collect();
            return self.fail(
                Check::Team,
                &format!("You are in none of the teams that it is open to: {}.", listed(&teams)),
                "Ask an owner of the organisation, or a maintainer of the team, to add you to one of them",
                None,
            );
        };
        let opens = rules
            .iter()
            .filter(|rule| rule.role == role && seen.memberships.role([*rule]).is_some());
        let opens: Vec<String> = opens.map(described).collect();
        self.pass(Check::Team, &format!("It is open to {}.", listed(&opens)));
        Some(role)
    }
}

fn described(rule: &access_rule::Model) -> String {
    format!("{} ({})", whom(&rule.organization, &rule.team), rule.role)
}
