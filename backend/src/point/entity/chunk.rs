//! The table of chunks: one row for some thousands of points of one series.

use sea_orm::entity::prelude::*;

use crate::guard::TenantOwned;

/// Compacted points of one series. Chunks of a series never overlap.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "chunk")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: i32,
    /// The series.
    #[sea_orm(primary_key, auto_increment = false)]
    pub series_id: i32,
    /// The first point's time, in µs since 1970 UTC.
    #[sea_orm(primary_key, auto_increment = false)]
    pub first_at: i64,
    /// The last point's time, in µs since 1970 UTC.
    pub last_at: i64,
    /// How many points there are.
    pub points: i32,
    /// The first point's value.
    pub first: f64,
    /// The last point's value.
    pub last: f64,
    /// The least value.
    pub min: f64,
    /// When that was first, in µs since 1970 UTC.
    pub min_at: i64,
    /// The greatest value.
    pub max: f64,
    /// When that was first, in µs since 1970 UTC.
    pub max_at: i64,
    /// All values together, rounded; none where adding them up leaves the range of `f64`, or where a value above is -0.0,
    /// which not every database keeps: then the points tell.
    pub sum: Option<f64>,
    /// What rounding took from the sum.
    pub sum_rest: Option<f64>,
    /// The longest time between neighbouring points, in µs.
    pub widest: i64,
    /// The payload's length.
    pub bytes: i32,
    /// The points, as [`crate::chunk::encode_chunk`] writes them.
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

/// What is known of a chunk without its payload.
#[expect(missing_docs, reason = "the fields are those of `Model`")]
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub struct Head {
    pub series_id: i32,
    pub first_at: i64,
    pub last_at: i64,
    pub points: i32,
    pub first: f64,
    pub last: f64,
    pub min: f64,
    pub min_at: i64,
    pub max: f64,
    pub max_at: i64,
    pub sum: Option<f64>,
    pub sum_rest: Option<f64>,
    pub widest: i64,
    pub bytes: i32,
}

/// A chunk's payload, and which one it is of.
#[expect(missing_docs, reason = "the fields are those of `Model`")]
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub struct Body {
    pub series_id: i32,
    pub first_at: i64,
    pub last_at: i64,
    pub points: i32,
    pub payload: Vec<u8>,
}
