//! Access rules of a tenant.

use sea_orm::ActiveValue::Set;

use crate::{
    error::Result,
    guard::{Admin, TenantScope, table::access_rule},
};

/// Makes the tenant's access rules `rules` and no others.
///
/// # Errors
/// [`crate::Error::Internal`] with the database's words.
pub async fn set_access_rules(
    scope: &TenantScope<Admin>,
    rules: impl IntoIterator<Item = access_rule::Model>,
) -> Result<()> {
    scope.delete::<access_rule::Entity>().all().await?;
    let rows = rules.into_iter().map(|rule| access_rule::ActiveModel {
        tenant_id: Set(rule.tenant_id),
        organization: Set(rule.organization),
        team: Set(rule.team),
        role: Set(rule.role),
    });
    scope.insert_many(rows).await
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
