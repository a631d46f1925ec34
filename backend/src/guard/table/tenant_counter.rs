//! The numbers that a tenant hands out, each from its own row: nobody can tell another's activity from them.

use sea_orm::entity::prelude::*;

use super::TenantOwned;

/// The last number of each kind, and what is stored. The row's lock puts the tenant's writes in the order of `last_seq`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenant_counter")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: i32,
    /// Of batches.
    pub last_seq: i64,
    /// Of series.
    pub last_series: i32,
    /// Of ingest tokens.
    pub last_token: i32,
    /// Of audit events.
    pub last_event: i64,
    /// Of producers.
    pub last_producer: i32,
    /// Of changes to producers and their runs: whoever has seen this one has seen all of them.
    pub last_run: i64,
    /// The last batch whose points are in chunks; those of later ones are read from the batches.
    pub compacted_seq: i64,
    /// The last batch whose payload is gone; behind it, subscribers can go on.
    pub forgotten_seq: i64,
    /// How many points are stored; one that was written twice may count twice until it is compacted.
    pub points: i64,
    /// Bytes of the payloads that hold them.
    pub bytes: i64,
    /// How long points are kept, by their time, in µs; for good without.
    pub retention: Option<i64>,
}

impl Model {
    /// The earliest time at which points are kept, in µs since 1970 UTC.
    pub fn kept_since(&self, now: i64) -> i64 {
        self.retention
            .map_or(i64::MIN, |retention| now.saturating_sub(retention))
    }
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
