//! Whom a deployment knows, by the organisations that they belong to.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::{
    error::Result,
    guard::{
        Admin, Memberships, TenantScope, filter,
        table::{account, audit_event::ActorKind},
        transaction::{Fence, Key},
    },
};

/// Somebody who has signed in, with the memberships that GitHub last told of.
#[derive(Clone, Debug)]
pub struct Member {
    /// GitHub's numeric id.
    pub account_id: i64,
    /// GitHub login.
    pub login: String,
    /// Active memberships when last seen, as far as they were asked for.
    pub memberships: Memberships,
}

impl TenantScope<Admin> {
    /// People who have signed in to this deployment and belonged to one of `organizations` when they were last seen, by
    /// login. What they are in other organisations is not told.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] with the database's words.
    pub async fn known_members(&self, organizations: &[String]) -> Result<Vec<Member>> {
        // Whoever holds the database changes the rules of two deployments: that of all tenants, and that of this one alone.
        let homes = match self.actor().kind {
            ActorKind::Operator => vec![0, self.tenant().id],
            ActorKind::Person | ActorKind::IngestToken => vec![self.home()],
        };
        let mut accounts = Vec::new();
        for home in homes {
            let key = Key::Organizations(organizations.to_vec());
            let open = self.fenced(&Fence::both(home, key)).await?;
            let own =
                account::Entity::find().filter(filter::only(account::Column::HomeId.eq(home)));
            accounts.extend(own.all(&*open).await?);
        }
        // Of what two deployments know, the later stays.
        accounts.sort_by_key(|account| account.seen_at);
        let known: BTreeMap<i64, Member> = accounts
            .into_iter()
            .map(|account| (account.id, Member::from(account)))
            .collect();
        let mut members: Vec<Member> = known.into_values().collect();
        for member in &mut members {
            member.memberships.narrow(organizations);
        }
        members.retain(|member| !member.memberships.organizations.is_empty());
        members.sort_by(|one, other| one.login.cmp(&other.login));
        Ok(members)
    }
}

impl From<account::Model> for Member {
    fn from(account: account::Model) -> Self {
        let words = |list: &str| -> Vec<String> {
            let named = list.split(',').filter(|word| !word.is_empty());
            named.map(String::from).collect()
        };
        let teams = words(&account.teams);
        let teams = teams.iter().filter_map(|team| team.split_once('/'));
        Member {
            account_id: account.id,
            login: account.login,
            memberships: Memberships {
                organizations: words(&account.organizations),
                teams: teams
                    .map(|(organization, team)| (organization.to_owned(), team.to_owned()))
                    .collect(),
            },
        }
    }
}

impl Memberships {
    fn narrow(&mut self, organizations: &[String]) {
        let known = |organization: &String| organizations.contains(organization);
        self.organizations.retain(known);
        self.teams.retain(|(organization, _)| known(organization));
    }

    /// Organisations as an account's row keeps them.
    pub(crate) fn organizations_text(&self) -> String {
        self.organizations.join(",")
    }

    /// Teams as an account's row keeps them.
    pub(crate) fn teams_text(&self) -> String {
        let teams = self.teams.iter();
        let teams: Vec<String> = teams
            .map(|(organization, team)| format!("{organization}/{team}"))
            .collect();
        teams.join(",")
    }
}
