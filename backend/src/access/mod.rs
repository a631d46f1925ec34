//! Who may enter a tenant: its access rules, what a change of them does to whom, and why somebody may not.
//!
//! ```text
//! rule.rs     rules as people give them, checked
//! change.rs   what other rules change, and who gains and loses by it (pure)
//! explain.rs  why a tenant is open to somebody, or why not (pure)
//! store.rs    the rules of a tenant, read and set
//! ```
//!
//! Invariant: nobody is told of a person or a rule that names no organisation of their own, unless they administer a
//! tenant whose rules name it.

pub mod change;
pub mod explain;
pub mod graphql;
pub mod rule;
pub mod store;
