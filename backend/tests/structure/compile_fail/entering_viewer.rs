//! A scope that writes is entered with a role that may.

use sundial::guard::{Pool, Principal, Viewer};

fn enter(pool: &Pool, principal: &Principal) {
    let _scope = pool.enter::<Viewer>(principal, "mcce-g1-prod");
}

fn main() {}
