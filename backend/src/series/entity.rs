//! The table of series.

use sea_orm::entity::prelude::*;

use crate::guard::TenantOwned;

/// One series.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "series")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: i32,
    /// Its number within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// Name and labels in canonical form, unique within the tenant.
    pub key: String,
    /// What its values are measured in.
    pub unit: Option<String>,
    /// µs since 1970 UTC.
    pub created_at: i64,
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
