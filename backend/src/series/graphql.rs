//! Series in the API.

use std::{ops::Range, sync::Arc};

use async_graphql::{ComplexObject, Context, ID, Object, SimpleObject};

use crate::{
    chunk::{self, Points, TIMES, columns, downsample, extremes},
    error::{Error, Result},
    guard::{TenantScope, Viewer},
    point::{
        store::{Reader, working},
        together::Together,
    },
    request::{Budget, ContextExt, now},
    scalar::{Column, DateTime, Duration, Micros, TimeRange, cursor, first, seal},
    series::{
        SeriesKey,
        entity::Model,
        gap::{Gap, gaps},
        window::{WindowArguments, WindowFill, Windows},
    },
    tenant::graphql::PageInfo,
};

/// The most points in one page.
const MOST: usize = 1_000;
/// The most points in one answer of `samples`.
const MOST_SAMPLES: usize = 500_000;

/// A name, labels and a unit, and the points under them.
#[derive(Clone)]
pub struct Series {
    model: Model,
    key: SeriesKey,
    scope: Arc<TenantScope<Viewer>>,
    together: Together,
}

impl Series {
    /// The series of `model`, in the tenant of `scope`.
    ///
    /// # Errors
    /// [`Error::Internal`] when the stored key is none.
    pub fn new(model: Model, scope: Arc<TenantScope<Viewer>>, together: Together) -> Result<Self> {
        let key = model
            .key
            .parse()
            .map_err(|error| Error::internal("a stored series' key", error))?;
        Ok(Series {
            model,
            key,
            scope,
            together,
        })
    }

    async fn reader(&self, ctx: &Context<'_>, range: Range<i64>) -> Result<Reader<'_, Viewer>> {
        let (together, budget) = (Some(&self.together), ctx.budget()?);
        let reader =
            Reader::open(&self.scope, together, self.model.id, range, budget, now()).await?;
        if reader.is_fresh() {
            ctx.compactor()?.note(&self.scope);
        }
        Ok(reader)
    }

    /// What points were like over stretches of time.
    ///
    /// # Errors
    /// As [`Reader::open`], and [`Error::TooCostly`].
    pub async fn aggregate(
        &self,
        ctx: &Context<'_>,
        arguments: &WindowArguments,
        fill: WindowFill,
    ) -> Result<Windows> {
        let reader = self.reader(ctx, arguments.range.clone()).await?;
        // Eight columns, where points have two, and as much while they are added up.
        let budget = ctx.budget()?;
        budget.give(arguments.edges.cells())?;
        let cells = reader.cells(arguments.edges.clone()).await?;
        let windows = chunk::Windows::of(&cells, fill.into());
        budget.give(3 * windows.starts.len())?;
        Ok(windows.into())
    }
}

/// A name, labels and a unit within a tenant, and the points under them.
#[Object]
impl Series {
    /// Opaque, and the same for as long as the series exists.
    pub async fn id(&self) -> ID {
        ID(seal([
            "series",
            &self.scope.tenant().slug,
            &self.model.id.to_string(),
        ]))
    }

    /// Name and labels in canonical form: `clock.offset_seconds{producer="clock"}`.
    async fn key(&self) -> &str {
        &self.model.key
    }

    /// The key's name: `clock.offset_seconds`.
    async fn name(&self) -> &str {
        self.key.name()
    }

    /// The key's labels, in the order of their names.
    async fn labels(&self) -> Vec<Label> {
        self.key
            .labels()
            .map(|(name, value)| Label {
                name: name.into(),
                value: value.into(),
            })
            .collect()
    }

    /// What the values are measured in; null when nobody said.
    async fn unit(&self) -> Option<&str> {
        self.model.unit.as_deref()
    }

    /// Points in the order of time, in pages: for tables. `samples` costs a fraction of it.
    #[graphql(complexity = "5 + first.clamp(1, 1000) as usize * child_complexity.max(1)")]
    async fn points(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which stretch of time.")] range: TimeRange,
        #[graphql(desc = "How many, at most 1000.", default = 100)] first: i32,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<PointConnection> {
        let most = self::first(first, MOST)?;
        let mut range = range.micros()?;
        let after: Option<i64> = after.map(|text| cursor("point", &text)).transpose()?;
        if let Some(after) = after {
            // A time is a point's identity within its series: nothing is behind it at the same time.
            range.start = range.start.max(after.saturating_add(1)).min(range.end);
        }
        let points = self.reader(ctx, range).await?.points(most).await?;
        let edges: Vec<PointEdge> = points
            .iter()
            .take(most)
            .map(|(time, value)| PointEdge {
                node: Point {
                    time: DateTime(time),
                    value,
                },
                cursor: seal(["point", &time.to_string()]),
            })
            .collect();
        let page_info = PageInfo::of(
            edges.iter().map(|edge| &edge.cursor),
            after.is_some(),
            points.len() > edges.len(),
        );
        Ok(PointConnection { page_info, edges })
    }

    /// Points in two columns of equal length, in the order of time: for charts and machines.
    #[graphql(complexity = 10)]
    async fn samples(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which stretch of time.")] range: TimeRange,
        #[graphql(
            desc = "At most this many points, at least 4, chosen so that a line through them looks like the line through all: of each of maxPoints / 4 equal stretches, from the first point in the range to the last, its first, last, least and greatest point (M4)."
        )]
        max_points: Option<i32>,
    ) -> Result<Samples> {
        let reader = self.reader(ctx, range.micros()?).await?;
        let points = match max_points {
            Some(most) => {
                let most = usize::try_from(most).unwrap_or(0).min(MOST_SAMPLES);
                thinned(reader, most, ctx.budget()?).await?
            }
            None => {
                let points = reader.points(MOST_SAMPLES).await?;
                if points.len() > MOST_SAMPLES {
                    return Err(Error::TooCostly(format!(
                        "the range holds more than the {MOST_SAMPLES} points of one answer: ask for a shorter range, \
                         or for fewer points by `maxPoints`"
                    )));
                }
                points
            }
        };
        ctx.budget()?.give(points.len())?;
        let (times, values) = points.into_parts();
        Ok(Samples {
            times: times.into_iter().map(Micros).collect(),
            values: Column(values),
        })
    }

    /// What points were like over stretches of time, in columns of equal length, by ascending start.
    #[graphql(complexity = 10)]
    async fn windows(
        &self,
        ctx: &Context<'_>,
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
        #[graphql(
            desc = "What becomes of windows without points.",
            default_with = "WindowFill::None"
        )]
        fill: WindowFill,
    ) -> Result<Windows> {
        self.aggregate(ctx, &WindowArguments::new(range, every, &time_zone)?, fill)
            .await
    }

    /// Stretches without points that are longer than a duration, in order of time, at most 1,000. What lies ahead is none.
    #[graphql(complexity = "10 + first.clamp(1, 1000) as usize * child_complexity.max(1)")]
    async fn gaps(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Which stretch of time. A gap can reach from its start to the first point, and from the last point to its end."
        )]
        range: TimeRange,
        #[graphql(
            desc = "How far apart neighbouring points may be; calendar units count with their mean length."
        )]
        longer_than: Duration,
        #[graphql(desc = "How many, at most 1000.", default = 100)] first: i32,
    ) -> Result<Vec<Gap>> {
        let most = self::first(first, MOST)?;
        let range = range.micros()?;
        let start = range.start.clamp(TIMES.start, TIMES.end);
        let range = start..range.end.min(now()).max(start);
        let reader = self.reader(ctx, range.clone()).await?;
        gaps(reader, range, longer_than.0.about(), most).await
    }

    /// The point with the latest time; null while there is none.
    #[graphql(complexity = 2)]
    async fn latest(&self) -> Result<Option<Point>> {
        let latest = self.together.latest().of(self.model.id).await?;
        Ok(latest.map(|(time, value)| Point {
            time: DateTime(time),
            value,
        }))
    }
}

/// At most `most` points that draw the same line as all of them.
async fn thinned(mut reader: Reader<'_, Viewer>, most: usize, budget: &Budget) -> Result<Points> {
    let refused = |error| Error::bad_input(format!("`maxPoints`: {error}"));
    let survey = reader.survey().await?;
    budget.give(most / 4)?;
    let edges = columns(&survey.stretch, most).map_err(refused)?;
    if survey.points.start > most {
        return Ok(extremes(&reader.cells(edges).await?));
    }
    let points = reader.points(survey.points.end).await?;
    working(move || downsample(points, most).map_err(refused)).await
}

/// A label of a series.
#[derive(SimpleObject)]
pub struct Label {
    /// Its name: `producer`.
    name: String,
    /// Its value: `clock`.
    value: String,
}

/// A time and a value. Within a series there is one point at a time; the last write wins.
#[derive(SimpleObject, Clone, Copy)]
pub struct Point {
    /// When.
    time: DateTime,
    /// What was measured.
    value: f64,
}

/// Points in two columns of equal length.
#[derive(SimpleObject)]
pub struct Samples {
    /// Ascending.
    times: Column<Micros>,
    /// The value at each time.
    values: Column<f64>,
}

/// A page of series.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct SeriesConnection {
    /// Where the page stands.
    page_info: PageInfo,
    /// The series with their cursors.
    edges: Vec<SeriesEdge>,
}

/// A series in a list.
#[derive(SimpleObject)]
pub struct SeriesEdge {
    /// The series.
    pub node: Series,
    /// Its place in the list.
    pub cursor: String,
}

impl SeriesConnection {
    /// A page of `edges`, and whether there is something before and behind it.
    pub fn new(edges: Vec<SeriesEdge>, before: bool, behind: bool) -> Self {
        let page_info = PageInfo::of(edges.iter().map(|edge| &edge.cursor), before, behind);
        SeriesConnection { page_info, edges }
    }
}

#[ComplexObject]
impl SeriesConnection {
    /// The series alone.
    async fn nodes(&self) -> Vec<&Series> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }
}

/// A page of points.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct PointConnection {
    /// Where the page stands.
    page_info: PageInfo,
    /// The points with their cursors.
    edges: Vec<PointEdge>,
}

/// A point in a list.
#[derive(SimpleObject)]
pub struct PointEdge {
    /// The point.
    node: Point,
    /// Its place in the list.
    cursor: String,
}

#[ComplexObject]
impl PointConnection {
    /// The points alone.
    async fn nodes(&self) -> Vec<Point> {
        self.edges.iter().map(|edge| edge.node).collect()
    }
}
