//! A viewer writes nothing.

use sundial::{
    guard::{TenantScope, Viewer},
    series::entity::{ActiveModel, Entity},
};

async fn insert(scope: &TenantScope<Viewer>, row: ActiveModel) {
    let _inserted = scope.insert(row).await;
}

async fn update(scope: &TenantScope<Viewer>) {
    let _updated = scope.update::<Entity>();
}

async fn delete(scope: &TenantScope<Viewer>) {
    let _deleted = scope.delete::<Entity>();
}

async fn commit(scope: TenantScope<Viewer>) {
    let _committed = scope.commit().await;
}

fn main() {}
