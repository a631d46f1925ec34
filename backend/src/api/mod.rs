//! The doors: GraphQL over HTTP and WebSocket, the page, GraphiQL, health.
//!
//! Invariant: nothing here reads a tenant's row. What a door lets through, resolvers and the guard decide.

pub mod columns;
pub mod document;
pub mod events;
pub mod export;
pub mod health;
pub mod http;
pub mod limit;
pub mod listen;
pub mod order;
pub mod schema;
pub mod socket;
pub mod spa;
pub mod types;
