//! Whom a deployment knows, by the organisations that they belong to.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::{
    error::Result,
    guard::{
        Admin, Memberships, TenantScope, filter,
        table::account,
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
        let home = self.home();
        let open = self
            .fenced(&Fence::both(
                home,
                Key::Organizations(organizations.to_vec()),
            ))
            .await?;
        let accounts = account::Entity::find()
            .filter(filter::only(account::Column::HomeId.eq(home)))
            .order_by_asc(account::Column::Login)
            .all(&*open)
            .await?;
        let members = accounts.into_iter().map(|account| {
            let mut member = Member::from(account);
            member.memberships.narrow(organizations);
            member
        });
        let shares = |member: &Member| !member.memberships.organizations.is_empty();
        Ok(members.filter(shares).collect())
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
