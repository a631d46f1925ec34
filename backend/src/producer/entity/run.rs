//! The table of runs.

use sea_orm::entity::prelude::*;

use crate::guard::TenantOwned;

/// What came of one slot of a producer.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "run")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: i32,
    /// The producer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub producer_id: i32,
    /// What it was due for, in µs since 1970 UTC.
    #[sea_orm(primary_key, auto_increment = false)]
    pub slot: i64,
    /// The place of its latest change in the tenant's order of changes, which is that of commits.
    pub seq: i64,
    /// µs since 1970 UTC.
    pub started_at: i64,
    /// µs since 1970 UTC; none while it runs.
    pub finished_at: Option<i64>,
    /// How many points it wrote, once it has succeeded.
    pub points: Option<i64>,
    /// Why it failed, once it has.
    pub error: Option<String>,
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
