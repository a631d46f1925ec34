//! GraphQL over WebSocket: the subprotocol `graphql-transport-ws`
//! (<https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>), with its close codes.

use std::{collections::HashMap, time::Duration};

use async_graphql::{Request, Variables};
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures::{SinkExt, StreamExt, stream::SplitSink};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{Instant, interval, timeout, timeout_at},
};

use crate::{
    App,
    api::{
        document,
        limit::Address,
        schema::{finish, refusal},
    },
    error::Error,
    identity::Proof,
    request::Asker,
};

/// The subprotocol's name.
pub const PROTOCOL: &str = "graphql-transport-ws";

/// How long a client may take to introduce itself.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// A client that is silent is asked whether it is there this often, and given up after two of them.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// How long a client may take to end what the server has ended.
const FAREWELL: Duration = Duration::from_secs(2);
/// Most operations that run on one connection at a time.
const MOST_OPERATIONS: usize = 100;
/// Events that wait for a client to take them; behind them the operation itself waits.
const WAITING: usize = 4;

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

/// Serves one connection from `address` until either side ends it. `shown` is the proof that came with the upgrade.
pub async fn serve(app: App, socket: WebSocket, address: Address, shown: Proof) {
    metrics::gauge!("sundial_websocket_connections").increment(1.0);
    let (mut sink, mut stream) = socket.split();
    let mut connection = Connection::new(app, address, shown);
    let mut alive = interval(KEEP_ALIVE);
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
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break None,
                };
                match answer {
                    Ok(None) => {}
                    Ok(Some(answer)) => if !send(&mut sink, answer).await { break None },
                    Err(close) => break Some(close),
                }
            }
            Some((id, message)) = connection.outbox.recv() => {
                if connection.leaves(&id, &message) && !send(&mut sink, message).await {
                    break None;
                }
            }
            _ = timeout_at(introduced_by, std::future::pending::<()>()), if !introduced => {
                break Some(Close(4408, "Connection initialisation timeout"));
            }
            _ = alive.tick() => {
                silent += 1;
                if silent > 3 || sink.send(Message::Ping(Default::default())).await.is_err() {
                    break None;
                }
            }
            () = connection.app.stopping() => break Some(Close(1001, "Going away")),
        }
    };
    if let Some(Close(code, reason)) = close {
        let frame = CloseFrame {
            code,
            reason: Utf8Bytes::from_static(reason),
        };
        let sent = sink.send(Message::Close(Some(frame))).await;
        if let Err(error) = sent {
            tracing::debug!(%error, "the client was gone before it heard why");
        }
        // Closed with something unread, the connection would be reset, and the reason could be lost on its way.
        let farewell = async { while let Some(Ok(_)) = stream.next().await {} };
        drop(timeout(FAREWELL, farewell).await);
    }
    metrics::gauge!("sundial_websocket_connections").decrement(1.0);
}

async fn send(sink: &mut SplitSink<WebSocket, Message>, message: Value) -> bool {
    sink.send(Message::text(message.to_string())).await.is_ok()
}

struct Connection {
    app: App,
    address: Address,
    shown: Proof,
    /// Who it is, once introduced.
    asker: Option<Asker>,
    running: HashMap<String, AbortHandle>,
    // Dropped with the connection, and with it every operation.
    tasks: JoinSet<()>,
    inbox: mpsc::Sender<(String, Value)>,
    outbox: mpsc::Receiver<(String, Value)>,
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
            FromClient::Subscribe { id, payload } => self.subscribe(id, payload),
            FromClient::Complete { id } => {
                if let Some(operation) = self.running.remove(&id) {
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
        const FORBIDDEN: Close = Close(4403, "Forbidden");
        let given = payload.as_ref().and_then(|payload| {
            let by_name = |name| payload.get(name).and_then(Value::as_str);
            by_name("authorization").or_else(|| by_name("Authorization"))
        });
        let proof = match given {
            Some(text) => Proof::bearer(text).ok_or(FORBIDDEN)?,
            None => self.shown.clone(),
        };
        let identity = self.app.identity.clone();
        match self.app.limits.admit(identity, self.address, proof).await {
            Ok(asker) => self.asker = Some(asker),
            Err(Error::Unauthenticated(_)) => return Err(FORBIDDEN),
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

    fn subscribe(&mut self, id: String, operation: Operation) -> Result<Option<Value>, Close> {
        let Some(asker) = &self.asker else {
            return Err(Close(4401, "Unauthorized"));
        };
        if self.running.contains_key(&id) {
            return Err(Close(4409, "Subscriber already exists"));
        }
        let full = self.running.len() >= MOST_OPERATIONS;
        let refusal = match self.app.limits.operation(asker, self.address) {
            Err(error) => Some(error),
            Ok(()) => full.then(|| {
                Error::TooCostly(format!(
                    "{MOST_OPERATIONS} operations run on this connection: complete some, or open another"
                ))
            }),
        };
        if let Some(error) = refusal {
            return Ok(Some(refused(&id, &error)));
        }
        let mut request = Request::new(operation.query);
        request.operation_name = operation.operation_name;
        request.variables = operation.variables.unwrap_or_default();
        if let Err(error) = document::check(&mut request) {
            return Ok(Some(refused(&id, &error)));
        }
        let request = request.data(asker.clone())
            .data(self.app.pool.snapshot(asker.viewer()));
        let (inbox, schema, name) = (self.inbox.clone(), self.app.schema.clone(), id.clone());
        let task = self.tasks.spawn(async move {
            metrics::gauge!("sundial_operations_on_websockets").increment(1.0);
            let mut responses = schema.execute_stream(request);
            let mut closed = false;
            while let Some(response) = responses.next().await {
                let response = finish(response);
                // An error without a result ends the operation; one beside a result is part of it.
                let message = if crate::api::schema::is_request_error(&response) || ends(&response)
                {
                    closed = true;
                    json!({ "id": name, "type": "error", "payload": response.errors })
                } else {
                    json!({ "id": name, "type": "next", "payload": response })
                };
                if inbox.send((name.clone(), message)).await.is_err() || closed {
                    break;
                }
            }
            if !closed {
                let done = json!({ "id": name, "type": "complete" });
                // Nobody is there any more: nobody needs to know.
                drop(inbox.send((name, done)).await);
            }
            metrics::gauge!("sundial_operations_on_websockets").decrement(1.0);
        });
        self.running.insert(id, task);
        Ok(None)
    }

    /// Whether a message still concerns the client, which may have completed the operation meanwhile.
    fn leaves(&mut self, id: &str, message: &Value) -> bool {
        let known = self.running.contains_key(id);
        if message["type"] != "next" {
            self.running.remove(id);
        }
        known
    }
}

/// What ends the operation `id` before it has begun.
fn refused(id: &str, error: &Error) -> Value {
    json!({ "id": id, "type": "error", "payload": refusal(error).errors })
}

fn ends(response: &async_graphql::Response) -> bool {
    response.data == async_graphql::Value::Null && !response.errors.is_empty()
}
