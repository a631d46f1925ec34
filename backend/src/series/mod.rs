//! Series: a name, labels and a unit within a tenant.

pub mod entity;
pub mod graphql;
pub mod key;
pub mod limit;
pub mod store;

pub use key::{InvalidKey, SeriesKey, SeriesMatch};
