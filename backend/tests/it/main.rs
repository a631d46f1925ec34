//! The whole server, over HTTP and WebSocket, on SQLite and on PostgreSQL.
//!
//! ```text
//! app         a server of its own for each test, and who may ask it
//! database    a database of its own for each test
//! socket      a client of graphql-transport-ws
//! read write  points go in and come out
//! refusal     input that can't be taken
//! stranger    who may see what
//! http        what the door lets through
//! live        subscriptions
//! fence       each fence with the other one taken away
//! durability  the program itself, killed
//! ```
#![expect(
    clippy::unwrap_used,
    reason = "what a test needs is there, or the test fails"
)]

/// Runs each of these tests on a fresh SQLite and on a fresh PostgreSQL.
macro_rules! on_both {
    ($($test:ident,)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test($crate::app::TestApp::start($crate::database::Kind::Sqlite).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test($crate::app::TestApp::start($crate::database::Kind::Postgres).await).await;
            })*
        }
    };
}

mod app;
mod database;
mod durability;
mod fence;
mod http;
mod live;
mod read;
mod refusal;
mod socket;
mod stranger;
mod write;
