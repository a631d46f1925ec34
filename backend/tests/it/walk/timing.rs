//! That the time of an answer does not tell a foreign tenant from an absent one.
//!
//! The method: what a request costs is, by far, what it asks of the database, so that two answers are in one class of
//! timing when they ask it the same things the same number of times. A proxy before PostgreSQL counts the statements of
//! each request, which no other load on the machine changes, where a clock would make the test a lottery. One asker sends
//! [`ROUNDS`] requests for each of the two tenants, by turns, so that whatever warms up or grows does so for both alike.
//! Then each request has cost what the first did. Medians of the clock are printed (`--nocapture`) for people to look at.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
};
use url::Url;

use super::{
    FIELDS, Open,
    world::{Asker, World},
};
use crate::{
    app::{ABSENT, FOREIGN, TestApp},
    database::{Database, Kind},
};

const ROUNDS: usize = 200;

/// The names of the statements' kinds, one by one, that have gone to the database.
#[derive(Clone, Default)]
struct Counter(Arc<Mutex<usize>>, Arc<AtomicBool>);
