//! People, by GitHub's numeric id, as a deployment knows them.

use sea_orm::entity::prelude::*;

/// One GitHub account that has signed in.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    /// The tenant that the deployment is pinned to, or 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub home_id: i32,
    /// GitHub's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// GitHub login when last seen.
    pub login: String,
    /// Name, or the login where GitHub has none.
    pub name: String,
    /// Where GitHub keeps the picture.
    pub avatar_url: Option<String>,
    /// Organisations when last seen, with commas between.
    pub organizations: String,
    /// Teams when last seen, as `organisation/team`, with commas between.
    pub teams: String,
    /// When GitHub was last asked about the person, µs since 1970 UTC.
    pub seen_at: i64,
}

/// None: rows are reached through a scope, and joins are not offered.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
