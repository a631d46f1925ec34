//! uPlot, as far as the chart needs it: what it is told once, and what it is given at every step.

mod paint;

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Float64Array, Function, JSON, Object, Reflect};
use serde_json::json;
use wasm_bindgen::prelude::*;
use web_sys::{CanvasRenderingContext2d, HtmlElement};

use self::paint::{Ink, pin, rectangle, shade};
use crate::figure::Scale;
use crate::time::{Civil, Micros, SECOND};
use crate::track::Mark;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = uPlot)]
    type Uplot;
    #[wasm_bindgen(constructor, js_class = "uPlot", catch)]
    fn new(options: &JsValue, data: &JsValue, host: &HtmlElement) -> Result<Uplot, JsValue>;
    #[wasm_bindgen(method, js_name = setData)]
    fn set_data(this: &Uplot, data: &JsValue, reset_scales: bool);
    #[wasm_bindgen(method, js_name = setScale)]
    fn set_scale(this: &Uplot, key: &str, limits: &JsValue);
    #[wasm_bindgen(method, js_name = setSize)]
    fn set_size(this: &Uplot, size: &JsValue);
    #[wasm_bindgen(method)]
    fn destroy(this: &Uplot);
    /// In CSS pixels of the plot, or in those of the canvas when `canvas` is true.
    #[wasm_bindgen(method, js_name = valToPos)]
    fn val_to_pos(this: &Uplot, value: f64, scale: &str, canvas: bool) -> f64;
    #[wasm_bindgen(method, getter)]
    fn ctx(this: &Uplot) -> CanvasRenderingContext2d;
    #[wasm_bindgen(method, getter)]
    fn bbox(this: &Uplot) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn cursor(this: &Uplot) -> JsValue;
}

/// What stands on the chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// The marks, oldest first.
    pub marks: Vec<Mark>,
    /// Where points are missing.
    pub gaps: Vec<(Micros, Micros)>,
    /// The left edge.
    pub from: Micros,
    /// The right edge.
    pub to: Micros,
    /// True when the right edge is now, and marked so.
    pub live: bool,
    /// How values are written.
    pub scale: Scale,
}

/// What the reader points at: the mark, and where it is in the host, in CSS pixels from its left edge.
pub type Pointed = Option<(Mark, f64)>;

/// What does not change while a plot lives.
pub struct Style {
    /// True for TEST: a dashed line.
    pub dashed: bool,
    /// True for windows: a band from the smallest to the largest value.
    pub band: bool,
}

struct Shared {
    picture: Picture,
    /// One for each row of data; none where the line is broken.
    rows: Vec<Option<Mark>>,
    ink: Ink,
}

/// A plot inside an element. Dropping it takes it out again.
pub struct Plot {
    uplot: Uplot,
    shared: Rc<RefCell<Shared>>,
    _closures: Vec<JsValue>,
}

impl Plot {
    /// Draws into `host`. None when uPlot was not loaded.
    pub fn new(
        host: &HtmlElement,
        style: &Style,
        picture: Picture,
        point: impl Fn(Pointed) + 'static,
    ) -> Option<Self> {
        let ink = Ink::read()?;
        let options = options(host, style);
        let (data, rows) = columns(&picture, style.band);
        let shared = Rc::new(RefCell::new(Shared { picture, rows, ink }));
        let closures = hook_in(&options, &shared, point)?;
        let uplot = Uplot::new(&options, &data, host).ok()?;
        let plot = Self {
            uplot,
            shared,
            _closures: closures,
        };
        plot.show_range();
        Some(plot)
    }

    /// Puts another picture in place of the one before, in the colours that hold now.
    pub fn draw(&self, picture: Picture, style: &Style) {
        let Some(ink) = Ink::read() else {
            return;
        };
        {
            let shared = self.shared.borrow();
            if shared.picture == picture && shared.ink == ink {
                return;
            }
        }
        let (data, rows) = columns(&picture, style.band);
        *self.shared.borrow_mut() = Shared { picture, rows, ink };
        self.uplot.set_data(&data, false);
        self.show_range();
    }

    /// Fits the plot into its host again.
    pub fn fit(&self, host: &HtmlElement) {
        self.uplot.set_size(&size(host));
    }

    fn show_range(&self) {
        let (from, to) = {
            let shared = self.shared.borrow();
            (shared.picture.from, shared.picture.to)
        };
        self.uplot.set_scale(
            "x",
            &object(&json!({ "min": seconds(from), "max": seconds(to) })),
        );
    }
}

impl Drop for Plot {
    fn drop(&mut self) {
        self.uplot.destroy();
    }
}

fn options(host: &HtmlElement, style: &Style) -> JsValue {
    let font = "11px system-ui, sans-serif";
    let axis = |space: u32, size: u32| {
        json!({
            "font": font, "space": space, "size": size, "gap": 6,
            "grid": { "width": 1 }, "ticks": { "show": false },
        })
    };
    let mut line = json!({ "width": 1.25, "spanGaps": false, "points": { "show": true, "size": 4, "width": 0 } });
    if style.dashed {
        // Long dashes: where points are dense, the line turns more often than short ones repeat, and dissolves.
        line["dash"] = json!([12, 3]);
    }
    let edge = json!({ "stroke": "transparent", "width": 0, "spanGaps": false, "points": { "show": false } });
    let mut series = vec![json!({}), line];
    let mut bands = Vec::new();
    if style.band {
        series.extend([edge.clone(), edge]);
        bands.push(json!({ "series": [3, 2] }));
    }
    object(&json!({
        "width": host.client_width(), "height": host.client_height(), "padding": [20, 26, 0, 0],
        "legend": { "show": false },
        "cursor": { "y": false, "drag": { "x": false, "y": false }, "points": { "size": 7 } },
        "scales": { "x": { "time": true, "auto": false } },
        "axes": [axis(72, 26), axis(40, 56)],
        "series": series, "bands": bands, "hooks": {},
    }))
}

/// Puts our functions into the options; they live as long as what is returned.
fn hook_in(
    options: &JsValue,
    shared: &Rc<RefCell<Shared>>,
    point: impl Fn(Pointed) + 'static,
) -> Option<Vec<JsValue>> {
    let on_plot = |act: fn(&Uplot, &Shared)| {
        let shared = Rc::clone(shared);
        Closure::<dyn Fn(Uplot)>::new(move |uplot| act(&uplot, &shared.borrow())).into_js_value()
    };
    let paint = |pick: fn(&Ink) -> &str| {
        let shared = Rc::clone(shared);
        Closure::<dyn Fn() -> String>::new(move || pick(&shared.borrow().ink).to_owned())
            .into_js_value()
    };
    let moved = {
        let shared = Rc::clone(shared);
        Closure::<dyn Fn(Uplot)>::new(move |uplot: Uplot| point(pointed(&uplot, &shared.borrow())))
            .into_js_value()
    };
    let times = Closure::<dyn Fn(JsValue, Vec<f64>) -> Array>::new(|_, splits: Vec<f64>| {
        time_labels(&splits)
    })
    .into_js_value();
    let values = {
        let shared = Rc::clone(shared);
        Closure::<dyn Fn(JsValue, Vec<f64>) -> Array>::new(move |_, splits: Vec<f64>| {
            texts(shared.borrow().picture.scale.ticks(&splits))
        })
        .into_js_value()
    };
    // A point between two gaps is on no line, and is drawn as a dot.
    let lonely = {
        let shared = Rc::clone(shared);
        Closure::<dyn Fn() -> Array>::new(move || lonely(&shared.borrow().rows)).into_js_value()
    };
    let places: [(&[&str], JsValue); 13] = [
        (&["hooks", "drawClear"], Array::of1(&on_plot(shade)).into()),
        (&["hooks", "draw"], Array::of1(&on_plot(pin)).into()),
        (&["hooks", "setCursor"], Array::of1(&moved).into()),
        (&["axes", "0", "values"], times),
        (&["axes", "1", "values"], values),
        (&["axes", "0", "stroke"], paint(|ink| &ink.axis)),
        (&["axes", "1", "stroke"], paint(|ink| &ink.axis)),
        (&["axes", "0", "grid", "stroke"], paint(|ink| &ink.grid)),
        (&["axes", "1", "grid", "stroke"], paint(|ink| &ink.grid)),
        (&["series", "1", "stroke"], paint(|ink| &ink.line)),
        (&["series", "1", "points", "fill"], paint(|ink| &ink.line)),
        (&["series", "1", "points", "filter"], lonely),
        (&["bands", "0", "fill"], paint(|ink| &ink.band)),
    ];
    let mut kept = Vec::with_capacity(places.len());
    for (path, function) in places {
        // There is no band where every point is drawn.
        if put(options, path, &function).is_some() || path[0] == "bands" {
            kept.push(function);
        } else {
            return None;
        }
    }
    Some(kept)
}

/// Sets what a path of keys leads to; none where the path breaks off.
fn put(options: &JsValue, path: &[&str], value: &JsValue) -> Option<()> {
    let (last, way) = path.split_last()?;
    let mut place = options.clone();
    for key in way {
        place = Reflect::get(&place, &JsValue::from_str(key))
            .ok()
            .filter(|next| next.is_object())?;
    }
    Reflect::set(&place, &JsValue::from_str(last), value)
        .ok()
        .map(|_| ())
}

/// uPlot's columns, with an empty row in every gap, and the mark of each row.
fn columns(picture: &Picture, band: bool) -> (JsValue, Vec<Option<Mark>>) {
    let mut rows: Vec<Option<Mark>> = Vec::with_capacity(picture.marks.len() + picture.gaps.len());
    let mut times: Vec<f64> = Vec::with_capacity(rows.capacity());
    let mut gaps = picture.gaps.iter().peekable();
    for mark in &picture.marks {
        if let Some(&(from, to)) = gaps.next_if(|(_, to)| *to <= mark.at) {
            rows.push(None);
            times.push(seconds(from + (to - from) / 2));
        }
        rows.push(Some(*mark));
        times.push(seconds(mark.at));
    }
    let column = |pick: fn(&Mark) -> f64| -> JsValue {
        rows.iter()
            .map(|row| row.as_ref().map_or(JsValue::NULL, |mark| pick(mark).into()))
            .collect::<Array>()
            .into()
    };
    let data = Array::of2(
        &Float64Array::from(times.as_slice()),
        &column(|mark| mark.value),
    );
    if band {
        data.push(&column(|mark| mark.low));
        data.push(&column(|mark| mark.high));
    }
    (data.into(), rows)
}

fn lonely(rows: &[Option<Mark>]) -> Array {
    let is_there = |index: Option<usize>| {
        index
            .and_then(|index| rows.get(index))
            .is_some_and(Option::is_some)
    };
    (0..rows.len())
        .filter(|&index| {
            rows[index].is_some() && !is_there(index.checked_sub(1)) && !is_there(Some(index + 1))
        })
        .map(|index| JsValue::from(index as f64))
        .collect()
}

fn pointed(uplot: &Uplot, shared: &Shared) -> Pointed {
    let index = number(&uplot.cursor(), "idx")?;
    let mark = (*shared.rows.get(index as usize)?)?;
    let [left, ..] = rectangle(uplot);
    let x = uplot.val_to_pos(seconds(mark.at), "x", false);
    Some((mark, left / ratio() + x))
}

fn time_labels(splits: &[f64]) -> Array {
    let under_a_minute = matches!(splits, [first, second, ..] if second - first < 60.0);
    texts(splits.iter().map(|split| {
        let civil = Civil::local((split * SECOND as f64) as Micros);
        if under_a_minute {
            civil.clock()
        } else {
            civil.tick()
        }
    }))
}

fn texts(texts: impl IntoIterator<Item = String>) -> Array {
    texts.into_iter().map(JsValue::from).collect()
}

fn size(host: &HtmlElement) -> JsValue {
    object(&json!({ "width": host.client_width(), "height": host.client_height() }))
}

fn object(value: &serde_json::Value) -> JsValue {
    // What was just written as JSON can be read as JSON.
    JSON::parse(&value.to_string()).unwrap_or_else(|_| Object::new().into())
}

fn number(object: &JsValue, key: &str) -> Option<f64> {
    Reflect::get(object, &key.into()).ok()?.as_f64()
}

fn ratio() -> f64 {
    web_sys::window().map_or(1.0, |window| window.device_pixel_ratio())
}

fn seconds(at: Micros) -> f64 {
    at as f64 / SECOND as f64
}

/// Calls `resized` whenever the element's size changes, until dropped.
pub struct Watch {
    observer: web_sys::ResizeObserver,
    _closure: Closure<dyn Fn()>,
}

impl Watch {
    /// Begins to watch. None where the browser cannot.
    pub fn new(element: &HtmlElement, resized: impl Fn() + 'static) -> Option<Self> {
        let closure = Closure::<dyn Fn()>::new(resized);
        let function: &Function = closure.as_ref().unchecked_ref();
        let observer = web_sys::ResizeObserver::new(function).ok()?;
        observer.observe(element);
        Some(Self {
            observer,
            _closure: closure,
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.observer.disconnect();
    }
}
