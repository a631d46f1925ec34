//! The whole server, over HTTP and WebSocket, on SQLite and on PostgreSQL.
//!
//! ```text
//! app         a server of its own for each test, and who may ask it
//! database    a database of its own for each test
//! socket      a client of graphql-transport-ws
//! browser     somebody who signs in, and has a cookie
//! read write  points go in and come out
//! refusal     input that can't be taken
//! stranger    who may see what
//! github      what GitHub takes back, and GitHub that can't be asked
//! http        what the door lets through
//! live        subscriptions
//! hostile     what is made to do harm
//! limit       how much one may ask for
//! access      who may enter, who is named by a change, and who is told why
//! session     sign-ins, listed and ended
//! token       ingest tokens, from making to refusal
//! run         producers and their runs
//! audit       who did what
//! isolation   tenants that are alike, and never mix
//! fence       row-level security by itself, and roles bound to a tenant
//! walk        the whole schema, asked by everybody
//! interference  whatever one tenant does, another one can't tell
//! leak        requests dropped half-way
//! keep        what is deleted, how long points are kept, and how much there is
//! export      points as files
//! import      files as points
//! engine      points however stored, against a map of them
//! plan        how the database finds what is asked often
//! durability  the program itself, killed
//! crash       programs killed while they write, read and compact
//! secret      the program itself, and all that it says
//! ```
#![expect(
    clippy::unwrap_used,
    reason = "what a test needs is there, or the test fails"
)]
#![cfg_attr(
    feature = "filterless",
    expect(
        dead_code,
        reason = "without the filter only the tests of isolation run"
    )
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

/// Runs each of these tests, which are about isolation, on a fresh SQLite, on a fresh PostgreSQL, and on one whose
/// row-level security is lifted: the guard's filter holds alone. Built with the feature `filterless`, on PostgreSQL
/// alone: its row-level security holds without the filter.
macro_rules! on_each_fence {
    ($($test:ident,)*) => {
        #[cfg(not(feature = "filterless"))]
        on_both! { $($test,)* }
        #[cfg(not(feature = "filterless"))]
        mod unfenced {
            $(#[tokio::test]
            async fn $test() {
                super::$test($crate::app::TestApp::start($crate::database::Kind::Unfenced).await).await;
            })*
        }
        #[cfg(feature = "filterless")]
        mod filterless {
            $(#[tokio::test]
            async fn $test() {
                super::$test($crate::app::TestApp::start($crate::database::Kind::Postgres).await).await;
            })*
        }
    };
}

mod access;
mod app;
mod audit;
mod browser;
#[cfg(not(feature = "filterless"))]
mod crash;
mod database;
mod durability;
mod engine;
mod export;
mod fence;
mod github;
mod hostile;
mod http;
#[cfg(not(feature = "filterless"))]
mod import;
mod interference;
mod isolation;
#[cfg(not(feature = "filterless"))]
mod keep;
mod leak;
mod limit;
mod live;
#[cfg(not(feature = "filterless"))]
mod migrate;
#[cfg(not(feature = "filterless"))]
mod plan;
mod read;
mod refusal;
mod run;
mod secret;
mod session;
mod socket;
mod stranger;
mod token;
mod walk;
mod write;
