//! Only the identity mints principals.

use sundial::guard::{Memberships, Person, Principal};

fn nobody() -> Principal {
    Principal::person(Person {
        account_id: 1,
        login: "nobody".into(),
        name: "Nobody".into(),
        avatar_url: None,
        memberships: Memberships::default(),
    })
}

fn main() {}
