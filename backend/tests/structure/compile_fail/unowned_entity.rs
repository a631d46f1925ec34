//! A scope reaches no table that is not its tenant's, and accounts are no tenant's.
//!
//! Asked in two steps, since the compiler would list every owned entity if one asked for accounts in the scope.

use sea_orm::EntityTrait;
use sundial::guard::{TenantOwned, TenantScope, Viewer, table::account};

fn any<E: EntityTrait>(scope: &TenantScope<Viewer>) {
    let _rows = scope.find::<E>();
}

fn accounts() {
    let _column = account::Entity::tenant_column();
}

fn main() {}
