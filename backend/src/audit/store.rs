//! The audit log, read.

use sea_orm::ColumnTrait;

use crate::{
    error::Result,
    guard::{
        Admin, TenantScope,
        table::audit_event::{Action, Column, Entity, Model},
    },
};

/// Which events are meant: all of these, where they are given.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// What was done.
    pub action: Option<Action>,
    /// Login or name of who did it, as it was then.
    pub actor: Option<String>,
    /// Not before this, µs since 1970 UTC.
    pub from: Option<i64>,
    /// Before this, µs since 1970 UTC.
    pub to: Option<i64>,
}

/// Up to `most` events that `filter` means, the newest first, from behind the event numbered `after`.
///
/// # Errors
/// [`crate::Error::Internal`] with the database's words.
pub async fn list(
    scope: &TenantScope<Admin>,
    filter: Filter,
    after: Option<i64>,
    most: usize,
) -> Result<Vec<Model>> {
    // By number and not by time: numbers are given in the order of commits, without a tie, so that no page skips an event.
    let mut events = scope.find::<Entity>().order_by_desc(Column::Id);
    if let Some(after) = after {
        events = events.filter(Column::Id.lt(after));
    }
    if let Some(action) = filter.action {
        events = events.filter(Column::Action.eq(action));
    }
    if let Some(actor) = filter.actor {
        events = events.filter(Column::Actor.eq(actor));
    }
    if let Some(from) = filter.from {
        events = events.filter(Column::At.gte(from));
    }
    if let Some(to) = filter.to {
        events = events.filter(Column::At.lt(to));
    }
    events.limit(most as u64).all().await
}
