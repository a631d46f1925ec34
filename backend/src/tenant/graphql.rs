//! Tenants in the API.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Enum, ID, Interface, Object, SimpleObject};

use crate::error::Error;
use crate::point::together::Together;
use crate::{
    access::{
        self,
        graphql::{AccessRule, requires},
    },
    audit::graphql::{AuditEventConnection, AuditFilter, page},
    error::Result,
    guard::{
        Admin, TenantScope, Viewer, system,
        table::{access_rule::RoleName, tenant},
    },
    point,
    producer::{
        self,
        graphql::{LastRuns, Producer, ProducerConnection},
        run::Run,
    },
    request::{ContextExt, DAY, now},
    scalar::{Count, DateTime, cursor, first, seal, unseal},
    series::{
        self, SeriesMatch,
        graphql::{Series, SeriesConnection, SeriesEdge},
    },
    token::graphql::{IngestToken, all},
};

/// The most tenants or series in one page.
const MOST: usize = 500;
/// Ids in one question.
const MOST_IDS: usize = 100;

/// What a tenant is used for.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "tenant::Environment")]
pub enum Environment {
    /// In use by people.
    Prod,
    /// To try things.
    Test,
}

/// What one may do in a tenant; each includes those before it.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "RoleName", name = "Role")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Also writes points and series.
    Editor,
    /// Also manages access, tokens and retention.
    Admin,
}

/// Something with an id of its own.
#[derive(Interface)]
#[graphql(field(
    name = "id",
    ty = "ID",
    desc = "Opaque, and the same for as long as the thing exists."
))]
pub enum Node {
    /// A tenant.
    Tenant(Tenant),
    /// A series.
    Series(Series),
    /// A producer.
    Producer(Producer),
    /// A run of a producer.
    Run(Run),
}

/// The unit of isolation: everything but accounts and sessions belongs to one.
pub struct Tenant {
    scope: Arc<TenantScope<Viewer>>,
    together: Together,
}

impl Tenant {
    /// The tenant inside of `scope`.
    pub fn new(scope: TenantScope<Viewer>) -> Self {
        let scope = Arc::new(scope);
        Tenant {
            together: Together::new(scope.clone()),
            scope,
        }
    }

    /// A series of this tenant.
    ///
    /// # Errors
    /// As [`Series::new`].
    pub fn series_of(&self, model: series::entity::Model) -> Result<Series> {
        Series::new(model, self.scope.clone(), self.together.clone())
    }
}

/// The unit of isolation: everything but accounts and sessions belongs to one.
#[Object]
impl Tenant {
    /// Opaque, and the same for as long as the tenant exists.
    pub async fn id(&self) -> ID {
        ID(seal(["tenant", &self.scope.tenant().slug]))
    }

    /// The name in addresses and commands: `mcce-g1-prod`.
    async fn slug(&self) -> &str {
        &self.scope.tenant().slug
    }

    /// The name for people.
    async fn name(&self) -> &str {
        &self.scope.tenant().name
    }

    /// What belongs together: `mcce-g1`.
    async fn group(&self) -> &str {
        &self.scope.tenant().group
    }

    /// What it is used for.
    async fn environment(&self) -> Environment {
        self.scope.tenant().environment.into()
    }

    /// Your role here.
    async fn role(&self) -> Role {
        self.scope.role().into()
    }

    /// Which GitHub organisations and teams it is open to, by organisation and team: at most 200. Null, with an error, to
    /// whoever is no administrator.
    #[graphql(
        directive = requires::apply(Role::Admin),
        complexity = "200 * child_complexity"
    )]
    async fn access_rules(&self) -> Result<Option<Vec<AccessRule>>> {
        let scope = self.scope.at_least::<Admin>()?;
        let rules = access::store::access_rules(&scope).await?;
        Ok(Some(rules.into_iter().map(AccessRule::from).collect()))
    }

    /// The latest time of any point here; null while there is none, and to a token that is limited to some series.
    #[graphql(complexity = 5)]
    async fn last_point_at(&self) -> Result<Option<DateTime>> {
        Ok(point::store::last_at(&self.scope, now())
            .await?
            .map(DateTime))
    }

    /// What is stored here; null to a token that is limited to some series.
    #[graphql(complexity = "2 + child_complexity")]
    async fn usage(&self) -> Result<Option<Usage>> {
        if self.scope.series().is_some() {
            return Ok(None);
        }
        let usage = point::store::usage(&self.scope).await?;
        Ok(Some(Usage {
            points: Count(usage.points),
            bytes: Count(usage.bytes),
            quota_points: self.scope.tenant().quota_points.map(Count),
            quota_bytes: self.scope.tenant().quota_bytes.map(Count),
            retention_days: usage
                .retention
                .map(|kept| i32::try_from(kept / DAY).unwrap_or(i32::MAX)),
        }))
    }

    /// Series in the order of their keys.
    #[graphql(complexity = "first.clamp(1, 500) as usize * child_complexity.max(1)")]
    async fn series(
        &self,
        #[graphql(
            desc = "Only series meant by this: `clock.*{producer=\"clock\"}`. `*` stands for any text; labels that are not named are free."
        )]
        r#match: Option<String>,
        #[graphql(desc = "How many, at most 500.", default = 50)] first: i32,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<SeriesConnection> {
        let most = self::first(first, MOST)?;
        let matching = r#match.map(|text| parse_match(&text)).transpose()?;
        let after: Option<String> = after.map(|text| cursor("series", &text)).transpose()?;
        let started = after.is_some();
        let mut rows = series::store::list(&self.scope, matching.as_ref(), after, most + 1).await?;
        let more = rows.len() > most;
        rows.truncate(most);
        let edges = rows.into_iter().map(|row| {
            let cursor = seal(["series", &row.key]);
            Ok(SeriesEdge {
                node: self.series_of(row)?,
                cursor,
            })
        });
        Ok(SeriesConnection::new(
            edges.collect::<Result<_>>()?,
            started,
            more,
        ))
    }

    /// Producers in the order of their names.
    #[graphql(complexity = "5 + first.clamp(1, 500) as usize * child_complexity.max(1)")]
    async fn producers(
        &self,
        #[graphql(desc = "How many, at most 500.", default = 50)] first: i32,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<ProducerConnection> {
        producer::graphql::page(&self.scope, first, after).await
    }

    /// Ingest tokens, at most 500, the oldest first, those included that count no more. Null, with an error, to
    /// whoever is no administrator.
    #[graphql(
        directive = requires::apply(Role::Admin),
        complexity = "5 + 500 * child_complexity.max(1)"
    )]
    async fn tokens(&self) -> Result<Option<Vec<IngestToken>>> {
        all(&self.scope.at_least::<Admin>()?).await.map(Some)
    }

    /// Who did what to the tenant, the newest first. Null, with an error, to whoever is no administrator.
    #[graphql(
        directive = requires::apply(Role::Admin),
        complexity = "5 + first.clamp(1, 500) as usize * child_complexity.max(1)"
    )]
    async fn audit_events(
        &self,
        #[graphql(desc = "How many, at most 500.", default = 50)] first: i32,
        #[graphql(desc = "Go on behind this cursor, with the same filter.")] after: Option<String>,
        #[graphql(desc = "Only these.")] filter: Option<AuditFilter>,
    ) -> Result<Option<AuditEventConnection>> {
        let scope = self.scope.at_least::<Admin>()?;
        page(&scope, first, after, filter).await.map(Some)
    }
}

/// What a tenant stores.
#[derive(SimpleObject)]
pub struct Usage {
    /// How many points; one that was written several times may count as often, for a minute or so.
    points: Count,
    /// Bytes that they take, compressed, without what the database adds.
    bytes: Count,
    /// How many points may be stored; null without a limit.
    quota_points: Option<Count>,
    /// How many bytes may be stored; null without a limit.
    quota_bytes: Option<Count>,
    /// How many days points are kept, by their time; null for good.
    retention_days: Option<i32>,
}

/// What is meant by a text that names series.
///
/// # Errors
/// [`Error::BadInput`] with the column and what was expected there.
pub fn parse_match(text: &str) -> Result<SeriesMatch> {
    text.parse().map_err(|error| {
        Error::bad_input(format!(
            "`{}` names no series: {error}",
            text.chars().take(60).collect::<String>()
        ))
    })
}

/// Where a page of a list stands.
#[derive(SimpleObject)]
pub struct PageInfo {
    /// Whether there is something before it.
    pub has_previous_page: bool,
    /// Whether there is something behind it.
    pub has_next_page: bool,
    /// The cursor of its first item.
    pub start_cursor: Option<String>,
    /// The cursor of its last item.
    pub end_cursor: Option<String>,
}

impl PageInfo {
    /// Of a page with these cursors.
    pub fn of<'a>(
        mut cursors: impl DoubleEndedIterator<Item = &'a String>,
        before: bool,
        behind: bool,
    ) -> Self {
        let start_cursor = cursors.next().cloned();
        PageInfo {
            has_previous_page: before,
            has_next_page: behind,
            end_cursor: cursors
                .next_back()
                .cloned()
                .or_else(|| start_cursor.clone()),
            start_cursor,
        }
    }
}

/// A page of tenants.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct TenantConnection {
    /// Where the page stands.
    page_info: PageInfo,
    /// The tenants with their cursors.
    edges: Vec<TenantEdge>,
}

#[ComplexObject]
impl TenantConnection {
    /// The tenants alone.
    async fn nodes(&self) -> Vec<&Tenant> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }
}

/// A tenant in a list.
#[derive(SimpleObject)]
pub struct TenantEdge {
    /// The tenant.
    node: Tenant,
    /// Its place in the list.
    cursor: String,
}

/// What can be asked of tenants.
#[derive(Default)]
pub struct TenantQuery;

#[Object]
impl TenantQuery {
    /// The tenant of this name; null when it does not exist or is not open to you, which is the same answer.
    async fn tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Such as `mcce-g1-prod`.")] slug: String,
    ) -> Result<Option<Tenant>> {
        Ok(ctx.scope(&slug).await?.map(Tenant::new))
    }

    /// The tenants open to you, in the order of their names.
    #[graphql(complexity = "first.clamp(1, 500) as usize * child_complexity.max(1)")]
    async fn tenants(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, at most 500.", default = 50)] first: i32,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<TenantConnection> {
        let most = self::first(first, MOST)?;
        let after: Option<String> = after.map(|text| cursor("tenant", &text)).transpose()?;
        let started = after.is_some();
        let snapshot = ctx.snapshot()?;
        let principal = ctx.asker()?.principal()?;
        let mut open = system::open_tenants(snapshot, principal).await?;
        if let Some(after) = after {
            open.retain(|(tenant, _)| tenant.slug > after);
        }
        let more = open.len() > most;
        open.truncate(most);
        let edges: Vec<TenantEdge> = open
            .into_iter()
            .map(|open| TenantEdge {
                cursor: seal(["tenant", &open.0.slug]),
                node: Tenant::new(system::look_into(snapshot, principal, open)),
            })
            .collect();
        let page_info = PageInfo::of(edges.iter().map(|edge| &edge.cursor), started, more);
        Ok(TenantConnection { page_info, edges })
    }

    /// The thing with this id; null when it does not exist or is not open to you, which is the same answer.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As given by an `id` field.")] id: ID,
    ) -> Result<Option<Node>> {
        find(ctx, &id).await
    }

    /// The things with these ids, each as `node` would give it.
    #[graphql(complexity = "5 + 10 * ids.len() + ids.len() * child_complexity")]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most 100, as given by `id` fields.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        ctx.asker()?.principal()?;
        if ids.len() > MOST_IDS {
            return Err(Error::bad_input(format!(
                "`ids` holds {} ids: ask for at most {MOST_IDS} at a time",
                ids.len()
            )));
        }
        futures::future::try_join_all(ids.iter().map(|id| find(ctx, id))).await
    }
}

/// What has this id, if it is open to the asker.
async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    if let Some([_, slug]) = unseal("tenant", id) {
        return Ok(ctx
            .scope(&slug)
            .await?
            .map(|scope| Node::Tenant(Tenant::new(scope))));
    }
    if let Some([_, slug, number]) = unseal("series", id)
        && let Ok(number) = number.parse()
        && let Some(scope) = ctx.scope(&slug).await?
        && let Some(row) = series::store::find(&scope, number).await?
    {
        return Ok(Some(Node::Series(Tenant::new(scope).series_of(row)?)));
    }
    if let Some([_, slug, number]) = unseal("producer", id)
        && let Ok(number) = number.parse()
        && let Some(scope) = ctx.scope(&slug).await?
        && let Some(row) = producer::store::find(&scope, number).await?
    {
        let scope = Arc::new(scope);
        let last = LastRuns::new(scope.clone());
        return Ok(Some(Node::Producer(Producer::new(row, &scope, &last))));
    }
    if let Some([_, slug, number, slot]) = unseal("run", id)
        && let (Ok(number), Ok(slot)) = (number.parse(), slot.parse())
        && let Some(scope) = ctx.scope(&slug).await?
        && let Some(run) = producer::run::find(&scope, number, slot, now()).await?
    {
        return Ok(Some(Node::Run(run)));
    }
    // Nobody learns from the answer whether an id is well-formed.
    ctx.asker()?.principal()?;
    Ok(None)
}
