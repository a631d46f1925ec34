//! The audit log's writing end: an entry belongs to the change that it tells of, and is committed with it.

use sea_orm::{
    ActiveValue::Set,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    error::{Error, Result},
    guard::{
        AtLeast, Editor, TenantScope,
        table::{
            audit_event::{self, Action, ActorKind},
            tenant_counter,
        },
    },
};

/// Who acts in a scope, as the audit log names them.
#[derive(Clone, Debug)]
pub(in crate::guard) struct Actor {
    pub(in crate::guard) kind: ActorKind,
    pub(in crate::guard) id: i64,
    pub(in crate::guard) name: String,
}

impl Actor {
    /// Whoever holds the database, by the command line.
    pub(in crate::guard) fn operator() -> Self {
        Actor {
            kind: ActorKind::Operator,
            id: 0,
            name: "operator".into(),
        }
    }
}

impl<R: AtLeast<Editor>> TenantScope<R> {
    /// Adds to the audit log that `action` was done to `subject` at `now`, and what changed. Neither text may hold a
    /// secret.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words.
    pub async fn audit(&self, action: Action, subject: &str, detail: &str, now: i64) -> Result<()> {
        let next = Expr::col(tenant_counter::Column::LastEvent).add(1);
        let counters = self
            .update::<tenant_counter::Entity>()
            .set(tenant_counter::Column::LastEvent, next)
            .all()
            .await?;
        let counter = counters
            .first()
            .ok_or_else(|| Error::Internal("the tenant has no row of counters".into()))?;
        let actor = self.actor();
        self.insert(audit_event::ActiveModel {
            tenant_id: Set(self.tenant().id),
            id: Set(counter.last_event),
            at: Set(now),
            actor_kind: Set(actor.kind),
            actor_id: Set(actor.id),
            actor: Set(actor.name.clone()),
            action: Set(action),
            subject: Set(subject.to_owned()),
            detail: Set(detail.to_owned()),
        })
        .await
    }
}
