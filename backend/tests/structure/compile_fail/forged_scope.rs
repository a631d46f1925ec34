//! Only the guard makes a scope.
#![allow(unreachable_code)]

use sundial::guard::{Admin, TenantScope};

fn made() -> TenantScope<Admin> {
    TenantScope {
        tenant: todo!(),
        role: todo!(),
        who: todo!(),
        transaction: todo!(),
        at_least: todo!(),
    }
}

fn copied(scope: TenantScope<Admin>) -> TenantScope<Admin> {
    TenantScope { ..scope }
}

fn main() {}
