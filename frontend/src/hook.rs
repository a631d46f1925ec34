//! What components share: time that passes, answers that come, a subscription that lives, the theme.

mod chart;
mod live;
mod remote;
mod theme;
mod tick;

pub use chart::use_chart;
pub use live::use_live;
pub use remote::use_remote;
pub use theme::{Theme, use_theme};
pub use tick::use_tick;
