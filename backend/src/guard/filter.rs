//! The first fence: the conditions that narrow statements to one tenant's rows.

use sea_orm::{ColumnTrait, Condition, sea_query::IntoCondition};

use crate::guard::TenantOwned;

/// Only rows of the tenant numbered `id`.
pub(super) fn of_tenant<E: TenantOwned>(id: i32) -> Condition {
    only(E::tenant_column().eq(id))
}

/// `condition`, which is one of those that keep tenants apart.
///
/// The feature `filterless` leaves them out, so that tests see what PostgreSQL's row-level security holds alone. No
/// program is built with it.
pub(super) fn only(condition: impl IntoCondition) -> Condition {
    if cfg!(feature = "filterless") {
        Condition::all()
    } else {
        condition.into_condition()
    }
}
