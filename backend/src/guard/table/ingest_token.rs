//! Ingest tokens: machines of one tenant.

use sea_orm::entity::prelude::*;

use super::TenantOwned;

/// One ingest token.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ingest_token")]
pub struct Model {
    /// The tenant that it opens.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: i32,
    /// Its number within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// What it was made for. Names may repeat: a token is rotated by a second one of its name.
    pub name: String,
    /// SHA-256 of the token, which is shown once and kept nowhere.
    pub hash: Vec<u8>,
    /// µs since 1970 UTC.
    pub created_at: i64,
    /// From then on refused, µs since 1970 UTC.
    pub expires_at: Option<i64>,
    /// Refused since then, µs since 1970 UTC.
    pub revoked_at: Option<i64>,
    /// Last request, to the minute, µs since 1970 UTC.
    pub used_at: Option<i64>,
    /// Patterns of the series that it is limited to, one a line; all series without.
    pub series: Option<String>,
}

/// None: rows are reached through a scope, and joins are not offered.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TenantOwned for Entity {
    fn tenant_column() -> Column {
        Column::TenantId
    }
}
