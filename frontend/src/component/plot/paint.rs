//! What is painted on the canvas beside uPlot's own lines: missing points and now, and the colours of all.

use super::{Shared, Uplot, number, ratio, seconds};

/// The colours, read anew for every picture: a canvas knows no custom properties, and the theme may have changed.
#[derive(PartialEq)]
pub struct Ink {
    /// The line, and the dots of points on none.
    pub line: String,
    /// The band from the smallest to the largest value.
    pub band: String,
    /// The grid.
    pub grid: String,
    /// The text of the axes.
    pub axis: String,
    shade: String,
    hatch: String,
    sun: String,
    sun_fill: String,
}

impl Ink {
    /// Reads them from the page. None where there is no page.
    pub fn read() -> Option<Self> {
        let window = web_sys::window()?;
        let root = window.document()?.document_element()?;
        let style = window.get_computed_style(&root).ok()??;
        let colour = |name: &str| {
            style
                .get_property_value(name)
                .map(|value| value.trim().to_owned())
                .ok()
        };
        let line = colour("--chart-1")?;
        Some(Self {
            // The same colour at 14 %.
            band: format!("{line}24"),
            line,
            grid: colour("--chart-grid")?,
            axis: colour("--chart-axis")?,
            shade: colour("--chart-shade")?,
            hatch: colour("--chart-hatch")?,
            sun: colour("--sun")?,
            sun_fill: colour("--sun-fill")?,
        })
    }
}

/// The plot's rectangle on the canvas: left, top, width, height.
pub fn rectangle(uplot: &Uplot) -> [f64; 4] {
    let bbox = uplot.bbox();
    ["left", "top", "width", "height"].map(|side| number(&bbox, side).unwrap_or_default())
}

/// Hatches what is missing, under the line.
pub fn shade(uplot: &Uplot, shared: &Shared) {
    let [left, top, width, height] = rectangle(uplot);
    let ctx = uplot.ctx();
    let step = 6.0 * ratio();
    for (from, to) in &shared.picture.gaps {
        let start = uplot.val_to_pos(seconds(*from), "x", true).max(left);
        let end = uplot.val_to_pos(seconds(*to), "x", true).min(left + width);
        if end <= start {
            continue;
        }
        ctx.save();
        ctx.begin_path();
        ctx.rect(start, top, end - start, height);
        ctx.clip();
        ctx.set_fill_style_str(&shared.ink.shade);
        ctx.fill_rect(start, top, end - start, height);
        ctx.begin_path();
        // Lines at 45°, on one grid for all gaps, so that they do not crawl as the chart moves on.
        let mut foot = (start / step).floor() * step;
        while foot < end + height {
            ctx.move_to(foot, top);
            ctx.line_to(foot - height, top + height);
            foot += step;
        }
        ctx.set_stroke_style_str(&shared.ink.hatch);
        ctx.set_line_width(ratio());
        ctx.stroke();
        ctx.restore();
    }
}

/// Marks now, over the line.
pub fn pin(uplot: &Uplot, shared: &Shared) {
    if !shared.picture.live {
        return;
    }
    let [left, top, width, height] = rectangle(uplot);
    let (ctx, unit, x) = (uplot.ctx(), ratio(), left + width);
    ctx.save();
    ctx.set_stroke_style_str(&shared.ink.sun);
    ctx.set_fill_style_str(&shared.ink.sun_fill);
    ctx.set_line_width(unit);
    ctx.begin_path();
    ctx.move_to(x, top - 5.0 * unit);
    ctx.line_to(x, top + height);
    ctx.stroke();
    ctx.begin_path();
    if ctx
        .arc(x, top - 5.0 * unit, 4.5 * unit, 0.0, std::f64::consts::TAU)
        .is_ok()
    {
        ctx.fill();
        ctx.stroke();
    }
    ctx.restore();
}
