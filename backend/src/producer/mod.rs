//! Producers: named senders with a schedule, and their runs, one a slot.
//!
//! What has begun is stored. What should have begun and has not is worked out from the schedule when somebody asks, so that
//! nothing has to watch the clock for every tenant.

pub mod entity;
pub mod graphql;
pub mod reach;
pub mod run;
pub mod schedule;
pub mod settings;
pub mod state;
pub mod store;
pub mod subscription;

pub use schedule::Schedule;
pub use settings::Settings;
pub use state::State;
