//! Series, found and made.

use std::collections::BTreeMap;

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    error::{Error, Result},
    guard::{AtLeast, Editor, Role, TenantScope, table::tenant_counter},
    series::{
        SeriesKey, SeriesMatch,
        entity::{Column, Entity, Model},
    },
};

/// Keys asked for in one statement: well under SQLite's bound on variables.
const KEYS: usize = 5_000;
/// Rows written in one statement, of five variables each.
const ROWS: usize = 5_000;
/// Rows read in one statement while matching.
const PAGE: usize = 1_000;

/// The series that a scope may see and write: all of the tenant's, or those that its ingest token is limited to.
struct Reach(Option<Vec<SeriesMatch>>);

impl Reach {
    fn of<R: Role>(scope: &TenantScope<R>) -> Self {
        let parse = |patterns: &[String]| {
            let patterns = patterns.iter().map(|pattern| pattern.parse().ok());
            patterns.flatten().collect()
        };
        Reach(scope.series().map(parse))
    }

    fn includes(&self, series: &Model) -> bool {
        self.holds(&series.key)
    }

    fn holds(&self, key: &str) -> bool {
        let meant = |pattern: &SeriesMatch| {
            let key = key.parse();
            key.is_ok_and(|key: SeriesKey| pattern.matches(&key))
        };
        self.0
            .as_ref()
            .is_none_or(|patterns| patterns.iter().any(meant))
    }
}

/// That the scope may write to all of the series with these keys.
///
/// # Errors
/// [`Error::Forbidden`] with the first that its ingest token may not write to.
pub fn check_reach<'a, R: Role>(
    scope: &TenantScope<R>,
    keys: impl IntoIterator<Item = &'a String>,
) -> Result<()> {
    let reach = Reach::of(scope);
    match keys.into_iter().find(|key| !reach.holds(key)) {
        None => Ok(()),
        Some(key) => Err(Error::Forbidden(format!(
            "this ingest token may not write to `{key}`: it is limited to {}",
            scope.series().unwrap_or_default().join(", ")
        ))),
    }
}

/// The series numbered `id`, if there is one.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn find<R: Role>(scope: &TenantScope<R>, id: i32) -> Result<Option<Model>> {
    let found = scope.find::<Entity>().filter(Column::Id.eq(id)).one();
    let reach = Reach::of(scope);
    Ok(found.await?.filter(|series| reach.includes(series)))
}

/// The series of this key, if there is one.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn by_key<R: Role>(scope: &TenantScope<R>, key: &SeriesKey) -> Result<Option<Model>> {
    let found = scope
        .find::<Entity>()
        .filter(Column::Key.eq(key.to_string()));
    let reach = Reach::of(scope);
    Ok(found.one().await?.filter(|series| reach.includes(series)))
}

/// Up to `most` series that `matching` means, by key, from behind the key `after`.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn list<R: Role>(
    scope: &TenantScope<R>,
    matching: Option<&SeriesMatch>,
    mut after: Option<String>,
    most: usize,
) -> Result<Vec<Model>> {
    let reach = Reach::of(scope);
    // Where all count, no more are read than are wanted.
    let page_size = match (matching, &reach.0) {
        (None, None) => most.min(PAGE),
        _ => PAGE,
    };
    let mut found = Vec::new();
    while found.len() < most {
        let mut page = scope
            .find::<Entity>()
            .order_by_asc(Column::Key)
            .limit(page_size as u64);
        if let Some(after) = &after {
            page = page.filter(Column::Key.gt(after));
        }
        let page = page.all().await?;
        let last = page.len() < page_size;
        after = page.last().map(|series| series.key.clone()).or(after);
        for series in page {
            let meant = matching.is_none_or(|matching| is_meant(matching, &series));
            if meant && reach.includes(&series) {
                found.push(series);
            }
        }
        if last {
            break;
        }
    }
    found.truncate(most);
    Ok(found)
}

/// Whether `matching` means this series.
pub fn is_meant(matching: &SeriesMatch, series: &Model) -> bool {
    series
        .key
        .parse()
        .is_ok_and(|key: SeriesKey| matching.matches(&key))
}

/// The series with these numbers, by number.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn by_id<R: Role>(
    scope: &TenantScope<R>,
    ids: impl IntoIterator<Item = i32>,
) -> Result<BTreeMap<i32, Model>> {
    let reach = Reach::of(scope);
    let ids: Vec<i32> = ids.into_iter().collect();
    let mut found = BTreeMap::new();
    for ids in ids.chunks(KEYS) {
        let rows = scope
            .find::<Entity>()
            .filter(Column::Id.is_in(ids.iter().copied()))
            .all()
            .await?;
        let open = rows.into_iter().filter(|series| reach.includes(series));
        found.extend(open.map(|series| (series.id, series)));
    }
    Ok(found)
}

/// The numbers of all series that the scope may see.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn ids<R: Role>(scope: &TenantScope<R>) -> Result<Vec<i32>> {
    meant(scope, &[]).await
}

/// The numbers of the series that any of `matches` means; of all that the scope may see without any.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn meant<R: Role>(scope: &TenantScope<R>, matches: &[SeriesMatch]) -> Result<Vec<i32>> {
    let mut ids = Vec::new();
    let mut after = None;
    loop {
        let page = list(scope, None, after, PAGE).await?;
        let last = page.len() < PAGE;
        after = page.last().map(|series| series.key.clone());
        let wanted = page.iter().filter(|series| {
            matches.is_empty() || matches.iter().any(|matching| is_meant(matching, series))
        });
        ids.extend(wanted.map(|series| series.id));
        if last {
            return Ok(ids);
        }
    }
}

/// The numbers of those series with these keys that there are.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
async fn numbers<R: Role>(
    scope: &TenantScope<R>,
    keys: &[String],
) -> Result<BTreeMap<String, i32>> {
    let mut ids = BTreeMap::new();
    for keys in keys.chunks(KEYS) {
        let known = scope
            .find::<Entity>()
            .filter(Column::Key.is_in(keys))
            .all()
            .await?;
        ids.extend(known.into_iter().map(|series| (series.key, series.id)));
    }
    Ok(ids)
}

/// The numbers of the series with these keys, in the same order; those that are not there are made.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn find_or_make<R: AtLeast<Editor>>(
    scope: &TenantScope<R>,
    keys: &[String],
    now: i64,
) -> Result<Vec<i32>> {
    let mut ids = numbers(scope, keys).await?;
    if ids.len() < keys.len() {
        // Holds the tenant's counter: nobody else makes series meanwhile, and what others have made is seen.
        let counter = scope.update::<tenant_counter::Entity>();
        let last = Expr::col(tenant_counter::Column::LastSeries);
        counter
            .set(tenant_counter::Column::LastSeries, last)
            .all()
            .await?;
        ids = numbers(scope, keys).await?;
    }
    let new: Vec<&String> = keys.iter().filter(|key| !ids.contains_key(*key)).collect();
    if !new.is_empty() {
        let count =
            i32::try_from(new.len()).map_err(|error| Error::internal("counting series", error))?;
        let counter = scope
            .update::<tenant_counter::Entity>()
            .set(
                tenant_counter::Column::LastSeries,
                Expr::col(tenant_counter::Column::LastSeries).add(count),
            )
            .all()
            .await?;
        let last = counter
            .first()
            .ok_or(Error::NotFound("tenant"))?
            .last_series;
        let numbered: Vec<(i32, &String)> = (last - count + 1..).zip(new).collect();
        for rows in numbered.chunks(ROWS) {
            let rows = rows
                .iter()
                .map(|(id, key)| crate::series::entity::ActiveModel {
                    tenant_id: Set(scope.tenant().id),
                    id: Set(*id),
                    key: Set((*key).clone()),
                    unit: Set(unit_by_name(key).map(String::from)),
                    created_at: Set(now),
                });
            scope.insert_many(rows).await?;
        }
        ids.extend(numbered.into_iter().map(|(id, key)| (key.clone(), id)));
    }
    keys.iter()
        .map(|key| ids.get(key).copied().ok_or(Error::NotFound("series")))
        .collect()
}

/// The unit that a name ends with, by Prometheus' convention for names of metrics
/// (<https://prometheus.io/docs/practices/naming/#base-units>).
fn unit_by_name(key: &str) -> Option<&'static str> {
    let name = key.split('{').next()?;
    let name = name.strip_suffix("_total").unwrap_or(name);
    Some(match name.rsplit(['_', '.']).next()? {
        "seconds" => "s",
        "bytes" => "B",
        "celsius" => "°C",
        "meters" => "m",
        "grams" => "g",
        "joules" => "J",
        "watts" => "W",
        "volts" => "V",
        "amperes" => "A",
        "percent" => "%",
        "hertz" => "Hz",
        "ppm" => "ppm",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::unit_by_name;

    #[test]
    fn units_follow_names() {
        assert_eq!(
            unit_by_name("clock.offset_seconds{producer=\"clock\"}"),
            Some("s")
        );
        assert_eq!(unit_by_name("process_cpu_seconds_total"), Some("s"));
        assert_eq!(unit_by_name("a{b=\"x_seconds\"}"), None);
        assert_eq!(unit_by_name("queue_length"), None);
    }
}
