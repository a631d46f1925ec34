//! A horizontal sundial for Eisenstadt that shows the reader's own time of day.
//!
//! The angle of an hour line from noon is atan(sin φ · tan(15° · h)), h hours from noon at latitude φ: the rule for every
//! horizontal dial.

use yew::prelude::*;

use crate::hook::use_tick;
use crate::time::{self, Civil};

/// 47.84° north.
const LATITUDE: f64 = 47.84;
const CENTRE: (f64, f64) = (320.0, 330.0);
const RADIUS: f64 = 290.0;
/// The width of the drawing.
const WIDTH: f64 = 640.0;
/// The room that the time takes, and a numeral: half their widths and heights.
const TIME: (f64, f64) = (19.0, 7.0);
const NUMERAL: (f64, f64) = (9.0, 7.0);

/// Draws the dial.
pub fn dial() -> Html {
    html! { <Dial/> }
}

#[component]
fn Dial() -> Html {
    use_tick(60_000);
    let civil = Civil::local(time::browser_now());
    let clock = civil.short_clock();
    let hours = civil.hours();
    let is_day = (6.0..=18.0).contains(&hours);
    html! {
        <svg class="dial" viewBox="0 0 640 380" role="img" aria-label={said(is_day, &clock)}>
            <path class="plate" d="M30 330A290 290 0 0 1 610 330"/>
            <path class="plate" stroke-width="1.5" d="M8 330.5H632"/>
            { for (24..=72).map(line) }
            { for (7..=17).filter(|hour| !is_day || !covers(hours, *hour)).map(numeral) }
            if is_day { { shadow(hours, &clock) } }
            <path class="gno" d="M316.5 330L320 138L323.5 330Z"/>
        </svg>
    }
}

fn said(is_day: bool, clock: &str) -> String {
    if is_day {
        format!("A sundial for {LATITUDE} degrees north. Its shadow shows {clock}.")
    } else {
        format!("A sundial for {LATITUDE} degrees north. It is {clock}: no sun, no shadow.")
    }
}

/// The direction of an hour's line, in radians clockwise from noon.
fn angle(hours: f64) -> f64 {
    let from_noon = (hours - 12.0) * 15_f64.to_radians();
    // atan2 keeps 6 and 18 o'clock, where the tangent has no value.
    (LATITUDE.to_radians().sin() * from_noon.sin()).atan2(from_noon.cos())
}

fn at(hours: f64, radius: f64) -> (f64, f64) {
    let angle = angle(hours);
    (
        CENTRE.0 + radius * angle.sin(),
        CENTRE.1 - radius * angle.cos(),
    )
}

/// A quarter of an hour: full hours are long, halves shorter, quarters short.
fn line(quarter: i32) -> Html {
    let hours = f64::from(quarter) / 4.0;
    let (class, inner, width) = match quarter % 4 {
        0 => ("hh", 96.0, "1"),
        2 => ("h", 262.0, "0.75"),
        _ => ("h", 274.0, "0.75"),
    };
    let ((x1, y1), (x2, y2)) = (at(hours, inner), at(hours, RADIUS));
    html! { <path {class} stroke-width={width} d={format!("M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}")}/> }
}

fn numeral(hour: i32) -> Html {
    let (x, y) = numeral_at(hour);
    html! { <text x={format!("{x:.1}")} y={format!("{y:.1}")}>{ hour }</text> }
}

fn shadow(hours: f64, clock: &str) -> Html {
    let ((x, y), (side_x, side_y)) = (at(hours, RADIUS), at(hours, 235.0));
    let (text_x, text_y) = time_at(hours);
    html! {
        <>
            <path class="shadow" d={format!("M320 330L320 140L{side_x:.1} {side_y:.1}Z")}/>
            <path class="edge" d={format!("M320 330L{x:.1} {y:.1}")}/>
            <circle class="nowdot" cx={format!("{x:.1}")} cy={format!("{y:.1}")} r="7"/>
            <text class="nowtext" x={format!("{text_x:.1}")} y={format!("{text_y:.1}")}>{ clock }</text>
        </>
    }
}

fn numeral_at(hour: i32) -> (f64, f64) {
    at(f64::from(hour), RADIUS + 16.0)
}

/// Where the middle of the time stands: on the outer side of the shadow's end and above it, and never over the edge.
fn time_at(hours: f64) -> (f64, f64) {
    let (x, y) = at(hours, RADIUS);
    let aside = if hours < 12.0 { -1.0 } else { 1.0 };
    let x = x + aside * (14.0 + TIME.0);
    (x.clamp(TIME.0, WIDTH - TIME.0), y - 17.0)
}

/// True where the time would overprint a numeral.
fn covers(hours: f64, hour: i32) -> bool {
    let ((x, y), (numeral_x, numeral_y)) = (time_at(hours), numeral_at(hour));
    (x - numeral_x).abs() < TIME.0 + NUMERAL.0 && (y - numeral_y).abs() < TIME.1 + NUMERAL.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noon_points_up_and_six_points_sideways() {
        assert!(angle(12.0).abs() < 1e-9);
        assert!((angle(18.0) - std::f64::consts::FRAC_PI_2).abs() < 1e-9);
        assert!((angle(6.0) + std::f64::consts::FRAC_PI_2).abs() < 1e-9);
    }

    #[test]
    fn the_time_stays_on_the_plate_and_stands_alone() {
        for minute in 6 * 60..=18 * 60 {
            let hours = f64::from(minute) / 60.0;
            let (x, _) = time_at(hours);
            assert!((TIME.0..=WIDTH - TIME.0).contains(&x), "{hours}");
        }
        assert!(covers(17.25, 17) && covers(6.75, 7));
        assert!(!covers(12.0, 12) && !covers(17.25, 16));
    }

    #[test]
    fn the_afternoon_mirrors_the_morning() {
        assert!((angle(15.0) + angle(9.0)).abs() < 1e-9);
    }
}
