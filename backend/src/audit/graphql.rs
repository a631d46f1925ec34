//! The audit log in the API.

use async_graphql::{ComplexObject, Enum, ID, InputObject, SimpleObject};

use crate::{
    audit::store::{self, Filter},
    error::{Error, Result},
    guard::{
        Admin, TenantScope,
        table::audit_event::{Action, ActorKind, Model},
    },
    scalar::{DateTime, Timestamp, cursor, first, seal},
    tenant::graphql::PageInfo,
};

/// The most events in one page.
const MOST: usize = 500;
/// Longest login or name that is looked for, in bytes.
const MOST_ACTOR: usize = 400;

/// What is done.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "Action")]
pub enum AuditAction {
    /// The tenant was made, or its name, group or environment changed.
    TenantSet,
    /// Access rules were changed.
    AccessRulesSet,
    /// An ingest token was made.
    TokenCreated,
    /// An ingest token got a successor.
    TokenRotated,
    /// An ingest token was revoked.
    TokenRevoked,
    /// Points were deleted.
    PointsDeleted,
    /// How long points are kept was changed.
    RetentionSet,
    /// A producer was made, or its schedule or grace changed.
    ProducerSet,
    /// A producer was deleted, with its runs.
    ProducerDeleted,
}

/// Who does things.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ActorKind")]
pub enum AuditActorKind {
    /// A person, by GitHub.
    Person,
    /// A machine, by an ingest token.
    IngestToken,
    /// Whoever holds the database, by the command line.
    Operator,
}

/// Which events are meant: those for which all that is stated holds.
#[derive(InputObject, Clone, Debug, Default)]
pub struct AuditFilter {
    /// What was done.
    action: Option<AuditAction>,
    /// Login or name of who did it, whole and as it was then.
    actor: Option<String>,
    /// Not before this.
    from: Option<Timestamp>,
    /// Before this.
    to: Option<Timestamp>,
}

impl TryFrom<AuditFilter> for Filter {
    type Error = Error;

    fn try_from(asked: AuditFilter) -> Result<Self> {
        let (from, to) = (asked.from.map(|at| at.0), asked.to.map(|at| at.0));
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            return Err(Error::bad_input(
                "the filter ends before it begins: swap `from` and `to`",
            ));
        }
        let unheard = |actor: &String| actor.len() > MOST_ACTOR || actor.contains('\0');
        if asked.actor.as_ref().is_some_and(unheard) {
            return Err(Error::bad_input(format!(
                "`actor` is no login and no token's name: give one whole, of at most {MOST_ACTOR} bytes"
            )));
        }
        Ok(Filter {
            action: asked.action.map(Action::from),
            actor: asked.actor,
            from,
            to,
        })
    }
}

/// Something that was done to the tenant. It stays as it is until its retention is over.
#[derive(SimpleObject)]
pub struct AuditEvent {
    /// Opaque, and the same for as long as the event is kept.
    id: ID,
    /// When.
    at: DateTime,
    /// What kind of asker did it.
    actor_kind: AuditActorKind,
    /// Login of the person or name of the token, as it was then; `operator` for the command line.
    actor: String,
    /// What was done.
    action: AuditAction,
    /// What it was done to, in words: `ingest token 3 (clock on web-1)`.
    subject: String,
    /// What changed, in words, a line each; empty where the action says it all. Never a secret.
    detail: String,
}

impl AuditEvent {
    fn new(tenant: &str, model: Model) -> Self {
        AuditEvent {
            id: ID(seal(["auditEvent", tenant, &model.id.to_string()])),
            at: DateTime(model.at),
            actor_kind: model.actor_kind.into(),
            actor: model.actor,
            action: model.action.into(),
            subject: model.subject,
            detail: model.detail,
        }
    }
}

/// A page of the audit log.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct AuditEventConnection {
    /// Where the page stands.
    page_info: PageInfo,
    /// The events with their cursors.
    edges: Vec<AuditEventEdge>,
}

#[ComplexObject]
impl AuditEventConnection {
    /// The events alone.
    async fn nodes(&self) -> Vec<&AuditEvent> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }
}

/// An event in a list.
#[derive(SimpleObject)]
pub struct AuditEventEdge {
    /// The event.
    node: AuditEvent,
    /// Its place in the list.
    cursor: String,
}

/// A page of the tenant's audit log, the newest first.
///
/// # Errors
/// [`Error::BadInput`] for a filter, a number or a cursor that can't be taken.
pub async fn page(
    scope: &TenantScope<Admin>,
    asked: i32,
    after: Option<String>,
    filter: Option<AuditFilter>,
) -> Result<AuditEventConnection> {
    let most = first(asked, MOST)?;
    let after: Option<i64> = after.map(|text| cursor("audit", &text)).transpose()?;
    let filter = filter.unwrap_or_default().try_into()?;
    let mut rows = store::list(scope, filter, after, most + 1).await?;
    let more = rows.len() > most;
    rows.truncate(most);
    let tenant = &scope.tenant().slug;
    let edges = rows.into_iter().map(|row| AuditEventEdge {
        cursor: seal(["audit", &row.id.to_string()]),
        node: AuditEvent::new(tenant, row),
    });
    let edges: Vec<AuditEventEdge> = edges.collect();
    let cursors = edges.iter().map(|edge| &edge.cursor);
    let page_info = PageInfo::of(cursors, after.is_some(), more);
    Ok(AuditEventConnection { page_info, edges })
}
