//! The table of batches: one row a write.

pub mod chunk;

use sea_orm::entity::prelude::*;

use crate::guard::TenantOwned;

/// One write: the log, the receipt and the idempotency record in one.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "batch")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: i32,
    /// The place in the tenant's order of commits, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    /// The idempotency key, while it counts.
    pub key: Option<String>,
    /// SHA-256 of what was written.
    pub body_hash: Vec<u8>,
    /// How many points were written.
    pub points: i32,
    /// To how many series.
    pub series: i32,
    /// When, in µs since 1970 UTC.
    pub created_at: i64,
    /// The earliest point's time, in µs since 1970 UTC.
    pub first_at: i64,
    /// The latest point's time, in µs since 1970 UTC.
    pub last_at: i64,
    /// The points, as [`crate::chunk::encode_batch`] writes them; empty once they are in chunks and nobody can go on behind
    /// them.
    pub payload: Vec<u8>,
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
