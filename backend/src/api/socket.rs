//! GraphQL over WebSocket: the subprotocol `graphql-transport-ws`
//! (<https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>), with its close codes.

use std::{collections::HashMap, time::Duration};

use async_graphql::{Request, Variables, parser::types::OperationType};
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures::{FutureExt, SinkExt, StreamExt, stream::SplitSink};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval, timeout, timeout_at},
};

use crate::{
    App,
    api::{
        document,
        limit::Address,
        schema::{execute, finish, follow, is_request_error, refusal},
    },
    error::Error,
    identity::Proof,
    request::{Asker, Budget},
};

/// The subprotocol's name.
pub const PROTOCOL: &str = "graphql-transport-ws";

/// How long a client may take to introduce itself.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// The proof of identity is checked again this often, and whenever an operation begins.
const CHECK: Duration = Duration::from_secs(5);
/// How long a client may take to read what it is sent.
const PATIENCE: Duration = Duration::from_secs(20);
/// A client that is silent is asked whether it is there this often, and given up after two of them.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// How long a client may take to end what the server has ended.
const FAREWELL: Duration = Duration::from_secs(2);
/// Most operations that run on one connection at a time.
const MOST_OPERATIONS: usize = 100;
/// Events that wait for a client to take them; behind them the operation itself waits.
const WAITING: usize = 1;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum FromClient {
    ConnectionInit { payload: Option<Value> },
    Ping { payload: Option<Value> },
    Pong {},
    Subscribe { id: String, payload: Operation },
    Complete { id: String },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Operation {
    query: String,
    operation_name: Option<String>,
    variables: Option<Variables>,
}

/// Why a connection ends, as the subprotocol numbers it.
struct Close(u16, &'static str);

const UNAUTHORIZED: Close = Close(4401, "Unauthorized");
/// The proof counted when the connection began.
const FORBIDDEN: Close = Close(4403, "Forbidden");

/// Counts for as long as it lives.
pub(super) struct Counted(&'static str);

impl Counted {
    pub(super) fn new(gauge: &'static str) -> Self {
        metrics::gauge!(gauge).increment(1.0);
        Counted(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!(self.0).decrement(1.0);
    }
}

/// Serves one connection from `address` until either side ends it. `shown` is the proof that came with the upgrade.
pub async fn serve(app: App, socket: WebSocket, address: Address, shown: Proof) {
    let _counted = Counted::new("sundial_websocket_connections");
    let (mut sink, mut stream) = socket.split();
    let mut connection = Connection::new(app, address, shown);
    let mut alive = interval(KEEP_ALIVE);
    let mut due = interval(CHECK);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silent = 0;
    let introduced_by = Instant::now() + INTRODUCTION;
    let close = loop {
        let introduced = connection.asker.is_some();
        tokio::select! {
            message = stream.next() => {
                silent = 0;
                let answer = match message {
                    Some(Ok(Message::Text(text))) => connection.take(&text).await,
                    Some(Ok(Message::Binary(_))) => Err(Close(4400, "Binary messages are not taken")),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
                    Some(Err(error)) => break fault(&error),
                    Some(Ok(Message::Close(_))) | None => break None,
                };
                match answer {
                    Ok(None) => {}
                    Ok(Some(answer)) => if !send(&mut sink, answer).await { break None },
                    Err(close) => break Some(close),
                }
            }
            Some(sent) = connection.outbox.recv() => {
                if connection.leaves(&sent) && !deliver(&mut sink, Message::text(sent.message)).await {
                    break None;
                }
            }
            _ = due.tick(), if introduced => {
                match connection.check_again().await {
                    Ok(Ok(())) => {}
                    // Until it can be checked, no operation begins, and those that run see to it themselves.
                    Ok(Err(error)) => tracing::warn!("a connection could not be checked again: {error}"),
                    Err(close) => break Some(close),
                }
            }
            _ = timeout_at(introduced_by, std::future::pending::<()>()), if !introduced => {
                break Some(Close(4408, "Connection initialisation timeout"));
            }
            _ = alive.tick() => {
                silent += 1;
                if silent > 3 || !deliver(&mut sink, Message::Ping(Default::default())).await {
                    break None;
                }
            }
            () = connection.app.stopping() => break Some(Close(1001, "Going away")),
        }
    };
    if let Some(Close(code, reason)) = close {
        if code == FORBIDDEN.0 {
            // What runs is told why it ends, which a closed connection alone would not say.
            let error = Error::Forbidden(
                "your access has ended: sign in again, or ask for a new token".into(),
            );
            for id in connection.running.keys() {
                let told = json!({ "id": id, "type": "error", "payload": refusal(&error).errors });
                if !send(&mut sink, told).await {
                    break;
                }
            }
        }
        let frame = CloseFrame {
            code,
            reason: Utf8Bytes::from_static(reason),
        };
        if !deliver(&mut sink, Message::Close(Some(frame))).await {
            tracing::debug!("the client was gone before it heard why");
        }
        // Closed with something unread, the connection would be reset, and the reason could be lost on its way.
        let farewell = async { while let Some(Ok(_)) = stream.next().await {} };
        drop(timeout(FAREWELL, farewell).await);
    }
}

async fn send(sink: &mut SplitSink<WebSocket, Message>, message: Value) -> bool {
    deliver(sink, Message::text(message.to_string())).await
}

/// Whether the client took it, in time.
async fn deliver(sink: &mut SplitSink<WebSocket, Message>, message: Message) -> bool {
    matches!(timeout(PATIENCE, sink.send(message)).await, Ok(Ok(())))
}

/// How the WebSocket's own standard numbers a message that can't be read; nothing when the connection is gone.
fn fault(error: &axum::Error) -> Option<Close> {
    let words = error.to_string();
    [
        ("too long", Close(1009, "Message too big")),
        ("UTF-8", Close(1007, "The message is no UTF-8")),
    ]
    .into_iter()
    .find_map(|(part, close)| words.contains(part).then_some(close))
}

/// What an operation sends.
struct Sent {
    id: String,
    /// Of the operations that have had this id, which one.
    number: u64,
    message: String,
    /// Whether nothing follows it.
    ends: bool,
}

struct Connection {
    app: App,
    address: Address,
    shown: Proof,
    /// Who it is, once introduced.
    asker: Option<Asker>,
    /// What runs, by id, with its number.
    running: HashMap<String, (u64, AbortHandle)>,
    /// How many operations have begun.
    begun: u64,
    // Dropped with the connection, and with it every operation.
    tasks: JoinSet<()>,
    inbox: mpsc::Sender<Sent>,
    outbox: mpsc::Receiver<Sent>,
}

impl Connection {
    fn new(app: App, address: Address, shown: Proof) -> Self {
        let (inbox, outbox) = mpsc::channel(WAITING);
        Connection {
            app,
            address,
            shown,
            asker: None,
            running: HashMap::new(),
            begun: 0,
            tasks: JoinSet::new(),
            inbox,
            outbox,
        }
    }

    /// What is to be answered to a message, if anything.
    async fn take(&mut self, text: &str) -> Result<Option<Value>, Close> {
        while self.tasks.try_join_next().is_some() {}
        let message = serde_json::from_str(text)
            .map_err(|_| Close(4400, "The message is none of graphql-transport-ws"))?;
        match message {
            FromClient::ConnectionInit { payload } => self.introduce(payload).await.map(Some),
            FromClient::Ping { payload } => Ok(Some(match payload {
                Some(payload) => json!({ "type": "pong", "payload": payload }),
                None => json!({ "type": "pong" }),
            })),
            FromClient::Pong {} => Ok(None),
            FromClient::Subscribe { id, payload } => self.subscribe(id, payload).await,
            FromClient::Complete { id } => {
                if let Some((_, operation)) = self.running.remove(&id) {
                    operation.abort();
                }
                Ok(None)
            }
        }
    }

    async fn introduce(&mut self, payload: Option<Value>) -> Result<Value, Close> {
        if self.asker.is_some() {
            return Err(Close(4429, "Too many initialisation requests"));
        }
        let given = payload.as_ref().and_then(|payload| {
            let by_name = |name| payload.get(name).and_then(Value::as_str);
            by_name("authorization").or_else(|| by_name("Authorization"))
        });
        let proof = match given {
            Some(text) => Proof::bearer(text).ok_or(UNAUTHORIZED)?,
            None => self.shown.clone(),
        };
        let identity = self.app.identity.clone();
        match self.app.limits.admit(identity, self.address, proof).await {
            Ok(asker) => self.asker = Some(asker),
            Err(Error::Unauthenticated(_)) => return Err(UNAUTHORIZED),
            Err(Error::GithubUnavailable { .. }) => {
                return Err(Close(1013, "GitHub can't be asked at the moment"));
            }
            Err(Error::RateLimited { .. }) => return Err(Close(1013, "Too many requests")),
            Err(error) => {
                tracing::error!("a connection was not introduced: {error}");
                return Err(Close(1011, "Internal error"));
            }
        }
        Ok(json!({ "type": "connection_ack" }))
    }

    /// Checks the proof anew: whoever is revoked or signed out is here no longer. The error within tells why it could not
    /// be checked.
    async fn check_again(&mut self) -> Result<Result<(), Error>, Close> {
        let asker = self.asker.as_ref().ok_or(UNAUTHORIZED)?;
        match asker.again().await {
            Ok(asker) => self.asker = Some(asker),
            Err(Error::Unauthenticated(_)) => return Err(FORBIDDEN),
            Err(error) => return Ok(Err(error)),
        }
        Ok(Ok(()))
    }

    /// Begins an operation; answers with why not.
    async fn subscribe(
        &mut self,
        id: String,
        operation: Operation,
    ) -> Result<Option<Value>, Close> {
        if self.asker.is_none() {
            return Err(UNAUTHORIZED);
        }
        if self.running.contains_key(&id) {
            return Err(Close(4409, "Subscriber already exists"));
        }
        let refused = |error: &Error| {
            Ok(Some(
                json!({ "id": id, "type": "error", "payload": refusal(error).errors }),
            ))
        };
        let checked = self.check_again().await?;
        let asker = self.asker.as_ref().ok_or(UNAUTHORIZED)?;
        let admitted = checked.and_then(|()| self.app.limits.operation(asker, self.address));
        if let Err(error) = admitted {
            return refused(&error);
        }
        if self.running.len() >= MOST_OPERATIONS {
            return refused(&Error::TooCostly(format!(
                "{MOST_OPERATIONS} operations run on this connection: complete some, or open another"
            )));
        }
        let mut request = Request::new(operation.query);
        request.variables = operation.variables.unwrap_or_default();
        let name = operation.operation_name;
        request.operation_name.clone_from(&name);
        let document = match self.app.documents.check(&mut request) {
            Ok(document) => document,
            Err(error) => return refused(&error),
        };
        let kind = document.as_ref().map_or(OperationType::Query, |document| {
            document::kind(document, name.as_deref())
        });
        let request = request
            .data(asker.clone())
            .data(self.app.pool.snapshot(asker.viewer()))
            .data(Budget::default());
        let schema = self.app.schema.clone();
        let mut responses = match kind {
            OperationType::Subscription => follow(&schema, request, document),
            _ => execute(schema, request, kind, document)
                .into_stream()
                .boxed(),
        };
        self.begun += 1;
        let (number, name, inbox) = (self.begun, id.clone(), self.inbox.clone());
        let task = self.tasks.spawn(async move {
            let _counted = Counted::new("sundial_operations_on_websockets");
            let quoted = Value::from(name.as_str()).to_string();
            // Results are made text once, and not taken apart for it. While one waits for its client, there is the text alone.
            let sent = |kind: &str, payload: Option<String>| {
                let payload = payload.map(|payload| format!(r#","payload":{payload}"#));
                let payload = payload.unwrap_or_default();
                Sent {
                    id: name.clone(),
                    number,
                    message: format!(r#"{{"id":{quoted},"type":"{kind}"{payload}}}"#),
                    ends: kind != "next",
                }
            };
            let next = |response| {
                let response = finish(response);
                // An error without a result ends the operation; one beside a result is part of it.
                if is_request_error(&response) || ends(&response) {
                    return sent("error", Some(json!(response.errors).to_string()));
                }
                match serde_json::to_string(&response) {
                    Ok(payload) => sent("next", Some(payload)),
                    Err(error) => {
                        tracing::error!(%error, "a result could not be written as JSON");
                        sent("complete", None)
                    }
                }
            };
            while let Some(response) = responses.next().await {
                let sent = next(response);
                let ends = sent.ends;
                if inbox.send(sent).await.is_err() || ends {
                    return;
                }
            }
            // Who has gone away is told nothing.
            drop(inbox.send(sent("complete", None)).await);
        });
        self.running.insert(id, (number, task));
        Ok(None)
    }

    /// Whether a message still concerns the client, which may have completed the operation meanwhile, and have begun
    /// another of the same id.
    fn leaves(&mut self, sent: &Sent) -> bool {
        let runs = self.running.get(&sent.id);
        let known = runs.is_some_and(|(number, _)| *number == sent.number);
        if known && sent.ends {
            self.running.remove(&sent.id);
        }
        known
    }
}

fn ends(response: &async_graphql::Response) -> bool {
    response.data == async_graphql::Value::Null && !response.errors.is_empty()
}
