//! The database's tables, one change a file, up and down, on SQLite and PostgreSQL alike.
//!
//! Invariant: every table with a `tenant_id`, and `tenant` itself, has row-level security ENABLEd and FORCEd on PostgreSQL. Keys start with `tenant_id`. Times are `bigint` microseconds since 1970 UTC.

mod fence;
mod m20261124_000001_create_tenant;
mod m20261124_000002_create_account;
mod m20261124_000003_create_ingest_token;
mod m20261124_000004_create_series;
mod m20261124_000005_create_batch;
mod m20261124_000006_fence_account;
mod m20261124_000007_create_audit_event;
mod m20261124_000008_limit_ingest_token;
mod m20261126_000009_create_chunk;
mod m20261126_000010_count_points;
mod m20261126_000011_limit_tenant;
mod m20261126_000012_create_producer;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

/// The ordered list of changes.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261124_000001_create_tenant::Migration),
            Box::new(m20261124_000002_create_account::Migration),
            Box::new(m20261124_000003_create_ingest_token::Migration),
            Box::new(m20261124_000004_create_series::Migration),
            Box::new(m20261124_000005_create_batch::Migration),
            Box::new(m20261124_000006_fence_account::Migration),
            Box::new(m20261124_000007_create_audit_event::Migration),
            Box::new(m20261124_000008_limit_ingest_token::Migration),
            Box::new(m20261126_000009_create_chunk::Migration),
            Box::new(m20261126_000010_count_points::Migration),
            Box::new(m20261126_000011_limit_tenant::Migration),
            Box::new(m20261126_000012_create_producer::Migration),
        ]
    }
}
