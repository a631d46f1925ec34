//! Points over stretches of time in the API, and two series side by side.

use std::ops::Range;

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use jiff::tz::TimeZone;

use crate::{
    chunk::{self, Edges, Fill},
    error::{Error, Result},
    request::ContextExt,
    scalar::{Column, Duration, Micros, TimeRange},
    series::{self, SeriesKey, graphql::Series},
    tenant::graphql::Tenant,
};

/// Which windows are asked for, checked.
pub struct WindowArguments {
    /// The points that count, in µs since 1970 UTC.
    pub range: Range<i64>,
    /// Where windows begin and end.
    pub edges: Edges,
}

impl WindowArguments {
    /// Windows of the length `every` in a stretch of time, by the calendar of a zone.
    ///
    /// # Errors
    /// [`Error::BadInput`] when there is no such zone, the range is turned round, or there are too many windows.
    pub fn new(range: TimeRange, every: Duration, time_zone: &str) -> Result<Self> {
        let zone = TimeZone::get(time_zone).map_err(|_| {
            Error::bad_input(
                "`timeZone` is no name of the IANA database: write it as Europe/Vienna or UTC",
            )
        })?;
        let range = range.micros()?;
        let edges = chunk::grid(&range, every.0, &zone).map_err(Error::bad_input)?;
        Ok(WindowArguments { range, edges })
    }
}

/// What becomes of windows without points. Their count is 0 in any case.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "Fill")]
pub enum WindowFill {
    /// They are left out.
    None,
    /// They are there, with null in each column.
    Null,
    /// Each column repeats its value of the last window with points; null before the first such window.
    Previous,
    /// Each column lies on the straight line between the nearest windows with points on both sides; null outside of them.
    Linear,
}

/// Aggregates by window, in columns of equal length. `sum` and `avg` are null where they leave the range of a double.
#[derive(SimpleObject)]
pub struct Windows {
    /// When each window begins.
    pub starts: Column<Micros>,
    /// How many points lie in it.
    count: Column<i64>,
    /// Least value.
    min: Column<Option<f64>>,
    /// Greatest value.
    max: Column<Option<f64>>,
    /// All values together.
    sum: Column<Option<f64>>,
    /// The mean value.
    pub avg: Column<Option<f64>>,
    /// The earliest point's value.
    first: Column<Option<f64>>,
    /// The latest point's value.
    last: Column<Option<f64>>,
}

impl From<chunk::Windows> for Windows {
    fn from(windows: chunk::Windows) -> Self {
        Windows {
            starts: windows.starts.into_iter().map(Micros).collect(),
            count: windows.count.into_iter().map(u64::cast_signed).collect(),
            min: Column(windows.min),
            max: Column(windows.max),
            sum: Column(windows.sum),
            avg: Column(windows.avg),
            first: Column(windows.first),
            last: Column(windows.last),
        }
    }
}

/// A series of a tenant.
#[derive(InputObject)]
pub struct SeriesPlace {
    /// The tenant's slug.
    tenant: String,
    /// The series' key: `clock.offset_seconds{producer="clock"}`.
    series: String,
}

/// Two series over the same windows, those without points too.
#[derive(SimpleObject)]
pub struct Comparison {
    /// The first series.
    left: Windows,
    /// The second series.
    right: Windows,
    /// The second one's mean value less the first one's; null where one of them has none.
    difference: Column<Option<f64>>,
}

/// What can be asked of series of several tenants.
#[derive(Default)]
pub struct SeriesQuery;

#[Object]
impl SeriesQuery {
    /// Two series side by side, of one tenant or of two; null when one of them does not exist or is not open to you, which
    /// is the same answer.
    #[graphql(complexity = 25)]
    async fn compare(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first series.")] left: SeriesPlace,
        #[graphql(desc = "The second series.")] right: SeriesPlace,
        #[graphql(
            desc = "Which stretch of time. The first window may begin before it; only points within count."
        )]
        range: TimeRange,
        #[graphql(desc = "How long a window is; at most 10,000 windows.")] every: Duration,
        #[graphql(
            desc = "Whose calendar days, weeks and months follow: `Europe/Vienna`.",
            default = "UTC"
        )]
        time_zone: String,
    ) -> Result<Option<Comparison>> {
        ctx.asker()?.principal()?;
        let arguments = WindowArguments::new(range, every, &time_zone)?;
        let (left, right) = (find(ctx, left).await?, find(ctx, right).await?);
        let (Some(left), Some(right)) = (left, right) else {
            return Ok(None);
        };
        let left = left.aggregate(ctx, &arguments, WindowFill::Null).await?;
        let right = right.aggregate(ctx, &arguments, WindowFill::Null).await?;
        let both = left.avg.0.iter().zip(&right.avg.0);
        let difference = both.map(|(left, right)| {
            let difference = right.as_ref()? - left.as_ref()?;
            difference.is_finite().then_some(difference)
        });
        Ok(Some(Comparison {
            difference: difference.collect(),
            left,
            right,
        }))
    }
}

async fn find(ctx: &Context<'_>, place: SeriesPlace) -> Result<Option<Series>> {
    let key: SeriesKey = place
        .series
        .parse()
        .map_err(|error| Error::bad_input(format!("`series`: {error}")))?;
    let Some(scope) = ctx.scope(&place.tenant).await? else {
        return Ok(None);
    };
    let found = series::store::by_key(&scope, &key).await?;
    found
        .map(|model| Tenant::new(scope).series_of(model))
        .transpose()
}
