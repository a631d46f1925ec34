//! Series: a name, labels and a unit within a tenant.

pub mod entity;
pub mod gap;
pub mod graphql;
pub mod key;
pub mod limit;
pub mod store;
pub mod window;

pub use key::{InvalidKey, SeriesKey, SeriesMatch};
