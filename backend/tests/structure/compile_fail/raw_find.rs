//! A query of SeaORM's own finds no connection in a scope.

use sea_orm::EntityTrait;
use sundial::{
    guard::{TenantScope, Viewer},
    series::entity::Entity,
};

fn all_tenants_series(scope: &TenantScope<Viewer>) {
    let _rows = Entity::find().all(scope);
}

fn main() {}
