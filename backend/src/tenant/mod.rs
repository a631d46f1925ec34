//! Tenants as the API shows them.

pub mod graphql;
