//! The tables that the guard itself reads to decide who may enter, and the mark of a tenant's table.

pub mod access_rule;
pub mod account;
pub mod audit_event;
pub mod ingest_token;
pub mod session;
pub mod tenant;
pub mod tenant_counter;

use sea_orm::EntityTrait;

/// An entity whose rows each belong to one tenant.
///
/// Only such an entity can be reached through a [`TenantScope`](crate::guard::TenantScope).
pub trait TenantOwned: EntityTrait {
    /// The column that names the tenant.
    fn tenant_column() -> Self::Column;
}
