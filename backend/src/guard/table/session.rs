//! Sessions of browsers. They belong to an account of a deployment.

use sea_orm::entity::prelude::*;

/// One signed-in browser.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    /// The tenant that the deployment is pinned to, or 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub home_id: i32,
    /// SHA-256 of the cookie's secret.
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: Vec<u8>,
    /// GitHub's id of the person.
    pub account_id: i64,
    /// The person's GitHub token, sealed by a key that only the cookie's secret gives.
    pub github_token: Vec<u8>,
    /// What the browser called itself at sign-in, cut to 200 bytes.
    pub user_agent: String,
    /// µs since 1970 UTC.
    pub created_at: i64,
    /// Last request, to the minute, µs since 1970 UTC.
    pub used_at: i64,
    /// The end of its life whatever happens, µs since 1970 UTC.
    pub expires_at: i64,
}

/// None: rows are reached through a scope, and joins are not offered.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
