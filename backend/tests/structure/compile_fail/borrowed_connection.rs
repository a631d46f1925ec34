//! The connection stays in the guard.

use sundial::guard::Pool;

fn connection(pool: &Pool) {
    let _connection = pool.connection();
    let _field = &pool.inner;
}

fn main() {}
