//! The audit log as the administrators of a tenant read it. The guard writes it, with the change that it tells of.

pub mod graphql;
pub mod store;
