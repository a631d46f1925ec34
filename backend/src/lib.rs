//! Sundial, a self-hosted, multi-tenant time-data service.
pub mod config;
pub mod error;
pub mod guard;
pub mod identity;
pub use error::{Error, Result};
