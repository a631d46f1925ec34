//! Sessions of browsers. They belong to an account and to no tenant.

use sea_orm::entity::prelude::*;

/// One signed-in browser.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    /// SHA-256 of the cookie's secret.
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: Vec<u8>,
    /// GitHub's id of the person.
    pub account_id: i64,
    /// The person's GitHub token, sealed by a key that only the cookie's secret gives.
    pub github_token: Vec<u8>,
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
