//! Tenants as the API shows them, and who may enter.

pub mod graphql;
pub mod store;
