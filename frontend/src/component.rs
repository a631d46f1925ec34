//! The parts that pages are made of. Classes and markup are the design's; `style/app.css` draws them.

pub mod age;
pub mod chart;
pub mod code;
pub mod confirm;
pub mod icon;
pub mod link;
pub mod live;
pub mod menu;
pub mod note;
mod plot;
pub mod readout;
pub mod series;
pub mod shell;
pub mod spark;
pub mod steps;
pub mod table;
pub mod why;
