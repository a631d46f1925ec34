//! Reads a tenant and its series.

use std::rc::Rc;

use crate::api::operation::{Recent, Tenant as TenantQuery, recent, tenant as query};
use crate::api::{Failure, ask};
use crate::component::series::Row;
use crate::feed::{RECENT, RECENT_WINDOW};
use crate::time::{self, Micros};
use crate::track::Mark;

/// More series than this are not listed; they are still on the API.
const MOST: usize = 500;

/// A tenant, as its page knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenant {
    /// True for PROD.
    pub prod: bool,
    /// The reader's role: `VIEWER`, `EDITOR`, `ADMIN`.
    pub role: &'static str,
    /// Its series, in the server's order.
    pub series: Rc<Vec<Row>>,
    /// Their newest points, by key.
    pub latest: Vec<(String, Option<(Micros, f64)>)>,
    /// False when there are more series than are listed.
    pub complete: bool,
}

/// Reads a tenant; none when there is none of this slug, or it is not open to the reader.
pub async fn tenant(slug: String) -> Result<Option<Rc<Tenant>>, Failure> {
    let (mut series, mut latest, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let variables = query::Variables {
            slug: slug.clone(),
            after,
        };
        let Some(tenant) = ask::<TenantQuery>(variables).await?.tenant else {
            return Ok(None);
        };
        let page = tenant.series.page_info;
        for node in tenant.series.nodes {
            let point = node
                .latest
                .and_then(|point| Some((time::parse(&point.time)?, point.value)));
            latest.push((node.key.clone(), point));
            series.push(Row {
                id: node.id,
                key: node.key,
                unit: node.unit,
            });
        }
        after = page.end_cursor;
        let more = page.has_next_page && after.is_some();
        if !more || series.len() >= MOST {
            return Ok(Some(Rc::new(Tenant {
                prod: tenant.environment == query::Environment::PROD,
                role: match tenant.role {
                    query::Role::ADMIN => "ADMIN",
                    query::Role::EDITOR => "EDITOR",
                    query::Role::VIEWER | query::Role::Other(_) => "VIEWER",
                },
                series: Rc::new(series),
                latest,
                complete: !more,
            })));
        }
    }
}

/// Reads the last minutes before `now` of a tenant's first series. Empty when that fails: the lines are decoration, and
/// fill up by themselves as points come.
pub async fn recent(slug: String, now: Micros) -> Vec<(String, Vec<Mark>)> {
    let range = recent::TimeRange {
        from: RECENT_WINDOW.start(now - RECENT),
        to: RECENT_WINDOW.start(now) + RECENT_WINDOW.micros,
    };
    let every = RECENT_WINDOW.every.to_owned();
    let answer = ask::<Recent>(recent::Variables { slug, range, every }).await;
    let nodes = answer
        .ok()
        .and_then(|answer| answer.tenant)
        .map(|tenant| tenant.series.nodes);
    let line = |windows: recent::RecentTenantSeriesNodesWindows| {
        let marks = windows.starts.into_iter().zip(windows.last);
        marks
            .filter_map(|(at, last)| Some(Mark::point(at, last?)))
            .collect()
    };
    nodes
        .unwrap_or_default()
        .into_iter()
        .map(|node| (node.key, line(node.windows)))
        .collect()
}
