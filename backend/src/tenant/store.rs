//! Access rules of a tenant.

use std::collections::BTreeSet;

use sea_orm::ActiveValue::Set;

use crate::{
    error::Result,
    guard::{
        Admin, TenantScope,
        table::{access_rule, audit_event::Action},
    },
};

/// Makes the tenant's access rules `rules` and no others, and tells what that changes, a line each.
///
/// # Errors
/// [`crate::Error::Internal`] with the database's words.
pub async fn set_access_rules(
    scope: &TenantScope<Admin>,
    rules: &[access_rule::Model],
    now: i64,
) -> Result<Vec<String>> {
    let before: BTreeSet<String> = access_rules(scope).await?.iter().map(describe).collect();
    let after: BTreeSet<String> = rules.iter().map(describe).collect();
    let lost = before.difference(&after).map(|rule| format!("- {rule}"));
    let gained = after.difference(&before).map(|rule| format!("+ {rule}"));
    let changes: Vec<String> = lost.chain(gained).collect();
    if changes.is_empty() {
        return Ok(changes);
    }
    scope.delete::<access_rule::Entity>().all().await?;
    let rows = rules.iter().map(|rule| access_rule::ActiveModel {
        tenant_id: Set(scope.tenant().id),
        organization: Set(rule.organization.clone()),
        team: Set(rule.team.clone()),
        role: Set(rule.role),
    });
    scope.insert_many(rows).await?;
    let detail = changes.join("\n");
    scope
        .audit(Action::AccessRulesSet, "access rules", &detail, now)
        .await?;
    Ok(changes)
}

fn describe(rule: &access_rule::Model) -> String {
    match rule.team.as_str() {
        "" => format!("every member of {}: {:?}", rule.organization, rule.role),
        team => format!("team {}/{team}: {:?}", rule.organization, rule.role),
    }
}

/// The tenant's access rules.
///
/// # Errors
/// [`crate::Error::Internal`] with the database's words.
pub async fn access_rules(scope: &TenantScope<Admin>) -> Result<Vec<access_rule::Model>> {
    scope
        .find::<access_rule::Entity>()
        .order_by_asc(access_rule::Column::Organization)
        .order_by_asc(access_rule::Column::Team)
        .all()
        .await
}
