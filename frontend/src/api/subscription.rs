//! One GraphQL subscription over `graphql-transport-ws`, on a socket of its own.

use std::time::Duration;

use futures::future::{Either, select};
use futures::{SinkExt, StreamExt};
use gloo_net::websocket::futures::WebSocket;
use gloo_net::websocket::{Message, WebSocketError};
use gloo_timers::future::sleep;
use graphql_client::GraphQLQuery;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Failure, GRAPHQL};

/// After this long without a word, the server is asked whether it is there; after as long again, it is not.
const QUIET: Duration = Duration::from_secs(10);
/// The protocol's only identifier that is needed: the socket carries one subscription.
const ID: &str = "1";

/// What is heard while a subscription lives.
pub enum Event<D> {
    /// The server has accepted the connection and been given the subscription.
    Open,
    /// The next piece of data.
    Next(D),
}

/// Why a subscription ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// The connection was cut, or never made: try again.
    Cut,
    /// The server has no more to say: access has ended, or it shuts down.
    Done,
    /// The server refused it.
    Failed(Failure),
}

#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    payload: Value,
}

/// Subscribes, and calls `hear` with what comes until it ends. Dropping the future closes the socket.
pub async fn subscribe<Q: GraphQLQuery>(
    variables: Q::Variables,
    mut hear: impl FnMut(Event<Q::ResponseData>),
) -> End {
    let Some(url) = socket_url() else {
        return End::Cut;
    };
    let Ok(socket) = WebSocket::open_with_protocol(&url, "graphql-transport-ws") else {
        return End::Cut;
    };
    let mut body =
        Some(json!({ "id": ID, "type": "subscribe", "payload": Q::build_query(variables) }));
    let (mut write, mut read) = socket.split();
    let mut send = async |frame: Value| write.send(Message::Text(frame.to_string())).await.is_ok();

    // A socket that does not open within the quiet time is given up like one that falls silent. Whatever is heard before
    // the first word is said means that it never opened.
    let opening = select(
        read.next(),
        Box::pin(send(json!({ "type": "connection_init" }))),
    );
    match select(opening, sleep(QUIET)).await {
        Either::Left((Either::Right((true, _)), _)) => {}
        _ => return End::Cut,
    }
    let mut asked = false;
    loop {
        let text = match select(read.next(), sleep(QUIET)).await {
            Either::Left((Some(Ok(Message::Text(text))), _)) => text,
            Either::Left((Some(Ok(Message::Bytes(_))), _)) => continue,
            Either::Left((Some(Err(WebSocketError::ConnectionClose(close))), _)) => {
                return end_of_close(close.code);
            }
            // The close event that follows tells more.
            Either::Left((Some(Err(_)), _)) => continue,
            Either::Left((None, _)) => return End::Cut,
            Either::Right(_) if asked => return End::Cut,
            Either::Right(_) => {
                asked = true;
                if !send(json!({ "type": "ping" })).await {
                    return End::Cut;
                }
                continue;
            }
        };
        asked = false;
        let Ok(frame) = serde_json::from_str::<Frame>(&text) else {
            return End::Cut;
        };
        match frame.kind.as_str() {
            "connection_ack" => {
                if let Some(body) = body.take() {
                    if !send(body).await {
                        return End::Cut;
                    }
                    hear(Event::Open);
                }
            }
            "ping" if !send(json!({ "type": "pong" })).await => return End::Cut,
            "next" => match next_data(frame.payload) {
                Ok(data) => hear(Event::Next(data)),
                Err(end) => return end,
            },
            "error" => return End::Failed(first_error(frame.payload)),
            "complete" => return End::Done,
            _ => {}
        }
    }
}

fn next_data<D: for<'de> Deserialize<'de>>(payload: Value) -> Result<D, End> {
    let answer: graphql_client::Response<D> =
        serde_json::from_value(payload).map_err(|_| End::Cut)?;
    let first = answer.errors.and_then(|errors| errors.into_iter().next());
    match (first, answer.data) {
        (Some(error), _) => Err(End::Failed(Failure::from_error(error))),
        (None, Some(data)) => Ok(data),
        (None, None) => Err(End::Cut),
    }
}

fn first_error(payload: Value) -> Failure {
    serde_json::from_value::<Vec<graphql_client::Error>>(payload)
        .ok()
        .and_then(|errors| errors.into_iter().next())
        .map_or(Failure::Unreachable, Failure::from_error)
}

/// The protocol's close codes: 4401 and 4403 are about who is asking, all others about the connection.
fn end_of_close(code: u16) -> End {
    match code {
        4401 | 4403 => End::Failed(Failure::SignedOut),
        _ => End::Cut,
    }
}

/// The socket's address on the page's own origin.
fn socket_url() -> Option<String> {
    let location = web_sys::window()?.location();
    let scheme = if location.protocol().ok()? == "https:" {
        "wss"
    } else {
        "ws"
    };
    Some(format!("{scheme}://{}{GRAPHQL}", location.host().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_missing_session_ends_for_good() {
        assert_eq!(end_of_close(4401), End::Failed(Failure::SignedOut));
        assert_eq!(end_of_close(1001), End::Cut);
        assert_eq!(end_of_close(1006), End::Cut);
    }

    #[test]
    fn an_error_frame_keeps_its_code() {
        let payload = json!([{ "message": "No.", "extensions": { "code": "NOT_FOUND" } }]);
        assert!(first_error(payload).is_not_found());
    }
}
