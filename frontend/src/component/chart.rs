//! The live chart of one series.

use std::cell::RefCell;
use std::rc::Rc;

use web_sys::HtmlElement;
use yew::prelude::*;

use super::plot::{Picture, Plot, Pointed, Style, Watch};
use crate::figure::{self, Scale};
use crate::hook::use_tick;
use crate::time::{self, Civil, Micros, Span};
use crate::track::{self, Mark, Track};

/// Properties of [`Chart`]. Key it by series and span: another of these is another chart.
#[derive(PartialEq, Properties)]
pub struct ChartProps {
    /// The track.
    pub track: Rc<Track>,
    /// The range.
    pub span: Span,
    /// The moment that the picture stands at, while paused.
    pub frozen: Option<Micros>,
    /// Server minus browser.
    pub skew: Micros,
    /// How values are written.
    pub scale: Scale,
    /// True for TEST: a dashed line.
    pub dashed: bool,
    /// The key.
    pub label: AttrValue,
    /// The reader's zone.
    pub zone: AttrValue,
}

/// See the module.
#[component]
pub fn Chart(props: &ChartProps) -> Html {
    use_tick(1_000);
    let host = use_node_ref();
    let plot = use_mut_ref(|| None::<Plot>);
    let pointed = use_state_eq(|| None::<(Mark, f64)>);
    let style = Style {
        dashed: props.dashed,
        band: props.span.window().is_some(),
    };
    let picture = picture(props);
    let said = describe(props, &picture);

    {
        let (host, plot) = (host.clone(), Rc::clone(&plot));
        use_effect_with((), move |()| {
            let watch = host.cast::<HtmlElement>().and_then(|element| {
                let (element_too, plot) = (element.clone(), Rc::clone(&plot));
                Watch::new(&element, move || {
                    if let Some(plot) = plot.borrow().as_ref() {
                        plot.fit(&element_too);
                    }
                })
            });
            move || drop(watch)
        });
    }
    {
        let (host, plot, point) = (host.clone(), Rc::clone(&plot), pointed.setter());
        use_effect(move || draw(&host, &plot, &style, picture, point));
    }
    {
        let plot = Rc::clone(&plot);
        use_effect_with((), move |()| move || drop(plot.borrow_mut().take()));
    }

    html! {
        <div class="chart">
            <span class="unit" aria-hidden="true">{ props.scale.unit.clone() }</span>
            <div class="uhost" ref={host} role="img" aria-label={said}></div>
            if let Some((mark, x)) = *pointed {
                <Tip {mark} {x} props={TipProps::of(props)}/>
            }
        </div>
    }
}

fn draw(
    host: &NodeRef,
    plot: &RefCell<Option<Plot>>,
    style: &Style,
    picture: Picture,
    point: UseStateSetter<Pointed>,
) {
    let mut plot = plot.borrow_mut();
    match plot.as_ref() {
        Some(plot) => plot.draw(picture, style),
        None => {
            if let Some(element) = host.cast::<HtmlElement>() {
                *plot = Plot::new(&element, style, picture, move |pointed| point.set(pointed));
            }
        }
    }
}

fn picture(props: &ChartProps) -> Picture {
    let to = props
        .frozen
        .unwrap_or_else(|| time::browser_now() + props.skew);
    let from = to - props.span.micros();
    // One mark to the left of the edge, so that the line begins at it.
    let all = props.track.between(Micros::MIN, to + time::SECOND);
    let first = all.partition_point(|mark| mark.at < from).saturating_sub(1);
    let marks = all[first..].to_vec();
    // A window that is not over yet stands at its start: up to its end nothing is missing.
    let known = props.span.window().map_or(to, |window| to - window.micros);
    Picture {
        gaps: track::gaps(&marks, known),
        marks,
        from,
        to,
        live: props.frozen.is_none(),
        scale: props.scale.clone(),
    }
}

fn describe(props: &ChartProps, picture: &Picture) -> String {
    let marks: Vec<Mark> = picture
        .marks
        .iter()
        .filter(|mark| mark.at >= picture.from)
        .copied()
        .collect();
    let Some(summary) = track::summary(&marks) else {
        return format!("{}: no points in {}.", props.label, props.span.phrase());
    };
    let gaps = match picture.gaps.len() {
        0 => "no gap".to_owned(),
        count => figure::counted(count as u64, "gap"),
    };
    format!(
        "{} over {}: {}, between {} and {}, {gaps}.",
        props.label,
        props.span.phrase(),
        figure::counted(summary.count, "point"),
        props.scale.full(summary.min),
        props.scale.full(summary.max),
    )
}

#[derive(Clone, PartialEq)]
struct TipProps {
    scale: Scale,
    span: Span,
    zone: AttrValue,
}

impl TipProps {
    fn of(props: &ChartProps) -> Self {
        Self {
            scale: props.scale.clone(),
            span: props.span,
            zone: props.zone.clone(),
        }
    }
}

#[derive(PartialEq, Properties)]
struct TipAt {
    mark: Mark,
    x: f64,
    props: TipProps,
}

/// What the reader points at, beside the pointer.
#[component]
fn Tip(at: &TipAt) -> Html {
    let node = use_node_ref();
    {
        let (node, x) = (node.clone(), at.x);
        use_effect(move || {
            if let Some(tip) = node.cast::<HtmlElement>() {
                place(&tip, x);
            }
        });
    }
    let (mark, scale) = (at.mark, &at.props.scale);
    let row =
        |name: &str, value: f64| html! { <><dt>{ name }</dt><dd>{ scale.full(value) }</dd></> };
    let window = at.props.span.window();
    html! {
        <div class="tip" ref={node} aria-hidden="true">
            <p><b>{ Civil::local(mark.at).full() }</b>{ " " }<span class="z">{ &at.props.zone }</span></p>
            if let Some(window) = window {
                <p class="z">{ format!("{} in {}", figure::counted(mark.count, "point"), window.phrase) }</p>
            }
            <dl>
                if window.is_some() {
                    { row("max", mark.high) }
                    { row("avg", mark.value) }
                    { row("min", mark.low) }
                } else {
                    { row("value", mark.value) }
                }
            </dl>
        </div>
    }
}

/// Right of the point, or left of it where there is no room. Set through the style object: the page's policy allows no
/// style attribute.
fn place(tip: &HtmlElement, x: f64) {
    const AWAY: f64 = 12.0;
    let room = tip
        .parent_element()
        .map_or(0, |parent| parent.client_width());
    let width = f64::from(tip.offset_width());
    let left = if x + AWAY + width > f64::from(room) {
        x - AWAY - width
    } else {
        x + AWAY
    };
    // The value is a length, which the browser takes.
    tip.style()
        .set_property("left", &format!("{}px", left.max(0.0)))
        .ok();
}
