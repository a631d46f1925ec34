//! Access rules of a tenant.

use sea_orm::{ActiveValue::Set, sea_query::Expr};

use crate::{
    access::{change::Change, rule::Rules},
    error::Result,
    guard::{
        Admin, Member, Person, TenantScope,
        table::{access_rule, audit_event::Action, tenant_counter},
    },
};

/// Who wants other rules, which tells whose gains and losses may be named.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// Somebody: they are told of people of their own organisations, and of those that the present rules name.
    Person(&'a Person),
    /// Whoever holds the database: of all people that the old and the new rules mean.
    Operator,
}

/// The tenant's access rules, by organisation and team.
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

/// What it would change to make the tenant's rules `rules`. Nothing is written, and until the scope ends nobody else
/// changes the rules.
///
/// # Errors
/// [`crate::Error::Internal`] with the database's words.
pub async fn plan(scope: &TenantScope<Admin>, rules: &Rules, by: By<'_>) -> Result<Change> {
    hold(scope).await?;
    let before = access_rules(scope).await?;
    let named = |rules: &[access_rule::Model]| -> Vec<String> {
        rules.iter().map(|rule| rule.organization.clone()).collect()
    };
    let mut in_sight = named(&before);
    in_sight.extend(match by {
        By::Person(person) => person.memberships.organizations.clone(),
        By::Operator => named(rules.rows()),
    });
    in_sight.sort();
    in_sight.dedup();
    let mut members = scope.known_members(&in_sight).await?;
    if let By::Person(person) = by {
        // Known better than by what was last noted, or not noted at all.
        members.retain(|member| member.account_id != person.account_id);
        members.push(Member {
            account_id: person.account_id,
            login: person.login.clone(),
            memberships: person.memberships.clone(),
        });
    }
    members.sort_by(|a, b| a.login.cmp(&b.login));
    Ok(Change::of(&before, rules.rows(), &members))
}

/// Two changes at once could leave a mixture of both: the tenant's row of counters, which every entry of the audit log
/// locks anyway, lets in one after the other.
async fn hold(scope: &TenantScope<Admin>) -> Result<()> {
    let same = Expr::col(tenant_counter::Column::LastEvent);
    let counters = scope.update::<tenant_counter::Entity>();
    counters
        .set(tenant_counter::Column::LastEvent, same)
        .all()
        .await?;
    Ok(())
}

/// Makes the tenant's access rules `rules` and no others. What that changes goes to the audit log; nothing: it stays
/// as it is.
///
/// # Errors
/// [`crate::Error::Internal`] with the database's words.
pub async fn set_access_rules(
    scope: &TenantScope<Admin>,
    rules: &[access_rule::Model],
    now: i64,
) -> Result<()> {
    let before = access_rules(scope).await?;
    let changes = Change::of(&before, rules, &[]).rule_lines();
    if changes.is_empty() {
        return Ok(());
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
        .await
}
