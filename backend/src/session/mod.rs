//! Sessions as their owners see and end them.

pub mod graphql;
