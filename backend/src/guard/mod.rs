//! The fence: the only owner of a database connection, and the only way to a tenant's rows.
//!
//! - [`Pool`] holds the connection privately. [`Pool::enter`] and [`Snapshot::enter`] look up the
//!   principal's role and give a [`TenantScope`], or *not found*, the same answer as for a tenant
//!   that does not exist.
//! - [`TenantScope`] puts `tenant_id` into every statement, and offers writes from [`Editor`] up.
//! - On PostgreSQL each transaction is bound to its tenant besides (`SET LOCAL app.tenant`), and
//!   row-level security holds alone should the filter ever be missing.
//! - A deployment that is pinned to a tenant has nothing of another: neither by its pool, nor by the
//!   database role that it logs in as.
//!
//! Invariant: no `DatabaseConnection` and no transaction leaves this module. Unscoped queries stand
//! in [`system`], each a named function with its reason.

mod audit;
mod filter;
mod member;
mod pool;
mod principal;
mod query;
mod role;
mod scope;
mod share;
mod snapshot;
pub mod system;
pub mod table;
mod token;
mod transaction;
mod url;
mod wake;

pub use member::Member;
pub use pool::{Backend, Pool};
pub use principal::{Memberships, Person, Principal, PrincipalKey, Token};
pub use query::Scoped;
pub use role::{Admin, AtLeast, Editor, Role, Viewer};
pub use scope::{ScopedDelete, ScopedUpdate, TenantScope, is_plain, is_slug};
pub use snapshot::Snapshot;
pub use table::TenantOwned;
pub use wake::{Wake, Wakes};
