//! Ingest tokens as the administrators of a tenant see and make them.

pub mod graphql;
