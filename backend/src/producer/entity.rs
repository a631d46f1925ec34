//! The table of producers.

pub mod run;

use sea_orm::entity::prelude::*;

use crate::guard::TenantOwned;

/// A named sender with a schedule.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "producer")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: i32,
    /// Its number within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// Unique within the tenant.
    pub name: String,
    /// A cron expression.
    pub schedule: String,
    /// Whose clocks the expression means, by the IANA database.
    pub time_zone: String,
    /// How long after its slot a run is late, in µs; after twice that it is missed.
    pub grace: i64,
    /// Slots from then on are expected, in µs since 1970 UTC.
    pub since: i64,
    /// The place of its runs' latest change in the tenant's order of changes.
    pub last_run: Option<i64>,
    /// How often its runs have changed.
    pub changes: i64,
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
