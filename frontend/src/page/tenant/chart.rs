//! The part of a tenant's page with the chart of one series, or the table of its points.

use yew::prelude::*;

use super::read::Tenant;
use super::view::{BodyProps, Seen, frozen};
use crate::component::age::Age;
use crate::component::chart::Chart;
use crate::component::icon::{Icon, icon};
use crate::component::note::FailureNote;
use crate::component::series::{Row, breakable};
use crate::component::table::PointTable;
use crate::feed::{Chosen, Feed};
use crate::figure::{self, Scale};
use crate::route::View;
use crate::time::{self, Civil, Micros, Span};
use crate::track::{self, Mark};

/// What the chart shows, in figures.
pub struct Shown {
    /// The range.
    pub span: Span,
    from: Micros,
    /// What the points in it come to.
    pub summary: Option<track::Summary>,
    /// Where points are missing in it.
    pub gaps: Vec<(Micros, Micros)>,
}

impl Shown {
    /// What the feed has of what was chosen, up to `now`.
    pub fn of(chosen: &Chosen, feed: &Feed, now: Micros) -> Self {
        let from = now - chosen.span.micros();
        let track = feed.track();
        let marks: &[Mark] = track
            .as_ref()
            .map_or(&[], |track| track.between(from, Micros::MAX));
        let known = chosen
            .span
            .window()
            .map_or(now, |window| now - window.micros);
        Self {
            span: chosen.span,
            from,
            summary: track::summary(marks),
            gaps: track::gaps(marks, known),
        }
    }

    /// For how long points are missing, in words.
    pub fn missing(&self) -> String {
        if self.gaps.is_empty() {
            return "no point is missing".to_owned();
        }
        let missing = self.gaps.iter().map(|(from, to)| to - from).sum();
        format!("{} without points", time::length(missing))
    }

    fn scale(&self, row: &Row) -> Scale {
        let size = self
            .summary
            .map_or(0.0, |summary| summary.min.abs().max(summary.max.abs()));
        Scale::new(&row.key, row.unit.as_deref(), size)
    }
}

/// See the module.
pub fn chart_part(props: &BodyProps, tenant: &Tenant) -> Html {
    let BodyProps {
        seen,
        feed,
        session,
    } = props;
    let row = feed
        .chart
        .as_ref()
        .and_then(|chart| tenant.series.iter().find(|row| row.id == chart.chosen.id));
    let (Some(chart), Some(row)) = (&feed.chart, row) else {
        return no_such_series(seen);
    };
    let shown = Shown::of(
        &chart.chosen,
        feed,
        frozen(feed).unwrap_or_else(|| session.now()),
    );
    let (scale, zone) = (shown.scale(row), time::zone(session.now()));
    let body = match (feed.track(), &chart.failure) {
        (None, Some(_)) => Html::default(),
        (None, None) => html! {
            <div class="shape wait" aria-busy="true"><p class="sr" role="status">{ "Loading the chart" }</p><span class="skel plot-shape"></span></div>
        },
        (Some(_), _) if shown.summary.is_none() => nothing_in_range(props, row, &shown),
        (Some(track), _) if seen.view.is_table() => html! {
            <PointTable {track} from={shown.from} window={shown.span.window()} scale={scale.clone()} label={row.key.clone()} zone={zone.clone()}/>
        },
        // Another series or another range is another chart.
        (Some(track), _) => html! {
            <Chart key={format!("{} {}", row.id, shown.span.slug())} {track} span={shown.span}
                frozen={frozen(feed)} skew={session.skew} scale={scale.clone()} dashed={!tenant.prod} label={row.key.clone()} zone={zone.clone()}/>
        },
    };
    html! {
        <section class="part" aria-labelledby="chart">
            <div class="cap">
                <h2 id="chart" class="series">{ breakable(&row.key) }</h2>
                <div class="push">{ views(seen) }</div>
            </div>
            if let Some(failure) = &chart.failure {
                <FailureNote what="The chart could not be loaded." failure={failure.clone()} again={seen.reread.clone()}/>
            }
            { body }
            { legend(row, &shown, &scale, &zone, tenant.prod) }
        </section>
    }
}

fn views(seen: &Seen) -> Html {
    let is_table = seen.view.is_table();
    let option = |name: &'static str, drawing: Icon, table: bool| {
        let onchange = {
            let view = View {
                view: table.then(|| "table".to_owned()),
                ..seen.view.clone()
            };
            seen.set_view.reform(move |_: Event| view.clone())
        };
        html! { <label><input type="radio" name="view" checked={table == is_table} {onchange}/>{ icon(drawing) }{ name }</label> }
    };
    html! {
        <fieldset class="seg">
            <legend class="sr">{ "View" }</legend>
            { option("Chart", Icon::Chart, false) }
            { option("Table", Icon::Table, true) }
        </fieldset>
    }
}

fn legend(row: &Row, shown: &Shown, scale: &Scale, zone: &str, prod: bool) -> Html {
    let Some(summary) = shown.summary else {
        return Html::default();
    };
    let item = |name: &str, value: String| html! { <span>{ name }{ " " }<b>{ value }</b></span> };
    let windows = shown.span.window().map(|window| html! { <span>{ format!("windows of {}, average and range", window.phrase) }</span> });
    html! {
        <p class="legend">
            <span><i class={classes!("key", (!prod).then_some("dash"))}></i><span class="series">{ breakable(figure::split_key(&row.key).0) }</span></span>
            { item("last", scale.full(summary.last)) }
            { item("min", scale.full(summary.min)) }
            { item("max", scale.full(summary.max)) }
            { item("avg", scale.full(summary.avg)) }
            { windows }
            <span class="push">
                if !shown.gaps.is_empty() {
                    <i class="hatch-key"></i>{ "no points · " }
                }
                { zone }
            </span>
        </p>
    }
}

fn nothing_in_range(props: &BodyProps, row: &Row, shown: &Shown) -> Html {
    let newest = props.feed.newest().get(&row.key).copied();
    let widest = {
        let view = View {
            range: Some(Span::Day.slug().to_owned()),
            ..props.seen.view.clone()
        };
        props
            .seen
            .set_view
            .reform(move |_: MouseEvent| view.clone())
    };
    html! {
        <div class="empty">
            <h3>{ format!("No points in {}", shown.span.phrase()) }</h3>
            <p>
                if let Some((at, _)) = newest {
                    { "The newest point of this series came " }<Age {at} skew={props.session.skew}/>{ ", at " }{ Civil::local(at).full() }{ "." }
                } else {
                    { "This series has no point yet. The first one appears here as it is written." }
                }
            </p>
            if shown.span != Span::Day {
                <button type="button" class="btn" onclick={widest}>{ "Show the last 24 hours" }</button>
            }
        </div>
    }
}

fn no_such_series(seen: &Seen) -> Html {
    let first = {
        let view = View {
            series: None,
            ..seen.view.clone()
        };
        seen.set_view.reform(move |_: MouseEvent| view.clone())
    };
    html! {
        <section class="part" aria-labelledby="chart">
            <div class="cap"><h2 id="chart">{ "No such series" }</h2></div>
            <div class="empty">
                <p>{ "The address names a series that this tenant does not have. Choose one from the list." }</p>
                <button type="button" class="btn" onclick={first}>{ "Show the first series" }</button>
            </div>
        </section>
    }
}
