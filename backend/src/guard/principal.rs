//! Who is asking.
//!
//! Invariant: only `identity` makes a principal, after it has checked the proof.

use crate::guard::table::{access_rule, access_rule::RoleName};

/// Who is asking: a person by GitHub, or a machine by an ingest token.
#[derive(Clone, Debug)]
pub struct Principal(pub(in crate::guard) Kind);

#[derive(Clone, Debug)]
pub(in crate::guard) enum Kind {
    Person(Person),
    Token(Token),
}

/// A GitHub account and what GitHub says it belongs to.
#[derive(Clone, Debug)]
pub struct Person {
    /// GitHub's numeric id: logins can change hands.
    pub account_id: i64,
    /// GitHub login, to be shown.
    pub login: String,
    /// The person's name, or the login where GitHub has none.
    pub name: String,
    /// Where GitHub keeps the picture.
    pub avatar_url: Option<String>,
    /// Active memberships.
    pub memberships: Memberships,
}

/// Organisations and teams that a person is an active member of, in lower case.
#[derive(Clone, Debug, Default)]
pub struct Memberships {
    /// Logins of organisations.
    pub organizations: Vec<String>,
    /// Organisation and team slug.
    pub teams: Vec<(String, String)>,
}

/// An ingest token: opens one tenant, as `EDITOR`.
#[derive(Clone, Debug)]
pub struct Token {
    /// The tenant that it was made for.
    pub(crate) tenant_id: i32,
    /// Its number within the tenant.
    pub(crate) id: i32,
    /// The name it was given, to be shown.
    pub name: String,
    /// Patterns of the series that it is limited to; all series without.
    pub series: Option<Vec<String>>,
}

/// Tells principals apart, and nothing else of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PrincipalKey(Number);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Number {
    Account(i64),
    Token(i32, i32),
}

impl Principal {
    pub(crate) fn person(person: Person) -> Self {
        Principal(Kind::Person(person))
    }

    pub(crate) fn token(token: Token) -> Self {
        Principal(Kind::Token(token))
    }

    /// The same for each request of this principal, and for no other's: a person has one whatever the browser, a token
    /// one whatever it is renamed to.
    pub fn key(&self) -> PrincipalKey {
        PrincipalKey(match &self.0 {
            Kind::Person(person) => Number::Account(person.account_id),
            Kind::Token(token) => Number::Token(token.tenant_id, token.id),
        })
    }

    /// The person behind the request, if it is one.
    pub fn as_person(&self) -> Option<&Person> {
        match &self.0 {
            Kind::Person(person) => Some(person),
            Kind::Token(_) => None,
        }
    }

    /// The ingest token behind the request, if it is one.
    pub fn as_token(&self) -> Option<&Token> {
        match &self.0 {
            Kind::Token(token) => Some(token),
            Kind::Person(_) => None,
        }
    }
}

impl Memberships {
    /// The highest role that `rules` give to these memberships.
    ///
    /// A rule with a team counts only together with its organisation: a team's name alone opens
    /// nothing.
    pub fn role<'a>(
        &self,
        rules: impl IntoIterator<Item = &'a access_rule::Model>,
    ) -> Option<RoleName> {
        rules
            .into_iter()
            .filter(|rule| self.satisfy(rule))
            .map(|rule| rule.role)
            .max()
    }

    fn satisfy(&self, rule: &access_rule::Model) -> bool {
        if rule.team.is_empty() {
            self.organizations.contains(&rule.organization)
        } else {
            self.teams.iter().any(|(organization, team)| {
                *organization == rule.organization && *team == rule.team
            })
        }
    }
}

#[cfg(test)]
pub(in crate::guard) mod tests;
