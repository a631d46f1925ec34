//! What holds of the whole backend by its structure: its floors, its contract, the fence's types, its settings.
#![expect(
    clippy::unwrap_used,
    reason = "what a test reads of the repository is there, or the test fails"
)]

mod compile_fail;
mod contract;
mod floors;
mod owned;
mod readme;
mod role;
mod security;
mod source;
