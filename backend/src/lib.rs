//! Sundial, a self-hosted, multi-tenant time-data service.
pub mod chunk;
pub mod config;
pub mod error;
pub mod guard;
pub mod identity;
pub mod live;
pub mod point;
pub mod request;
pub mod scalar;
pub mod series;
pub mod tenant;
pub use error::{Error, Result};
