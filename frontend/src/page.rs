//! The pages.

pub mod account;
pub mod no_tenant;
pub mod not_found;
pub mod sign_in;
pub mod tenant;
pub mod tenants;
