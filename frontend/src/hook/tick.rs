//! Time that passes.

use gloo_timers::callback::Interval;
use yew::prelude::*;

/// Draws the component again every `millis`, for what changes by itself: ages and clocks.
#[hook]
pub fn use_tick(millis: u32) {
    let update = use_force_update();
    use_effect_with(millis, move |millis| {
        let interval = Interval::new(*millis, move || update.force_update());
        move || drop(interval)
    });
}
