//! Points: written in batches, read merged.

pub mod aside;
pub mod compactor;
pub mod entity;
pub mod export;
pub mod feed;
pub mod graphql;
pub mod import;
pub mod latest;
pub mod store;
pub mod subscription;
pub mod together;
pub mod write;
pub mod writer;
