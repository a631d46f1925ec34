//! A client of `graphql-transport-ws`.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::Instant};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use url::Url;

const PATIENCE: Duration = Duration::from_secs(30);
/// Where a tenant's events begin: `event`, 0.
pub const START: &str = "ZXZlbnQKMA";

const POINTS_ADDED: &str = "subscription ($tenant: String!, $series: [String!]!, $after: String) {
    pointsAdded(tenant: $tenant, series: $series, after: $after) { cursor lagged series { series times values } }
}";

/// One connection. Dropping it cuts it.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// A connection to `endpoint` that has not introduced itself.
    pub async fn open(endpoint: &Url) -> Self {
        Socket::with(endpoint, &[]).await
    }

    /// A connection of the browser that has `cookie`, from the site's own page.
    pub async fn by_cookie(endpoint: &Url, cookie: &str) -> Self {
        let mut socket = Socket::of_browser(endpoint, cookie).await;
        socket.send(json!({ "type": "connection_init" })).await;
        assert_eq!(socket.next().await, json!({ "type": "connection_ack" }));
        socket
    }

    /// The same, and it has not introduced itself.
    pub async fn of_browser(endpoint: &Url, cookie: &str) -> Self {
        let headers = [("cookie", cookie), ("sec-fetch-site", "same-origin")];
        Socket::with(endpoint, &headers).await
    }

    async fn with(endpoint: &Url, headers: &[(&'static str, &str)]) -> Self {
        let mut url = endpoint.clone();
        url.set_scheme("ws").unwrap();
        let mut request = url.as_str().into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let protocol = "graphql-transport-ws".parse().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        let (stream, response) = connect_async(request).await.unwrap();
        assert_eq!(
            response.headers()["sec-websocket-protocol"],
            "graphql-transport-ws"
        );
        Socket(stream)
    }

    /// A connection of whoever has `token`.
    pub async fn introduced(endpoint: &Url, token: &str) -> Self {
        let mut socket = Socket::open(endpoint).await;
        socket.init(token).await;
        assert_eq!(socket.next().await, json!({ "type": "connection_ack" }));
        socket
    }

    pub async fn init(&mut self, token: &str) {
        let payload = json!({ "authorization": format!("Bearer {token}") });
        self.send(json!({ "type": "connection_init", "payload": payload }))
            .await;
    }

    pub async fn send(&mut self, message: Value) {
        self.send_raw(Message::text(message.to_string())).await;
    }

    pub async fn send_raw(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    /// Follows new points of `series` as the operation `id`.
    pub async fn follow(&mut self, id: &str, tenant: &str, series: &[&str], after: Value) {
        let variables = json!({ "tenant": tenant, "series": series, "after": after });
        let payload = json!({ "query": POINTS_ADDED, "variables": variables });
        self.send(json!({ "id": id, "type": "subscribe", "payload": payload }))
            .await;
    }

    /// The next message of the subprotocol.
    pub async fn next(&mut self) -> Value {
        match self.frame().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("not a message: {other:?}"),
        }
    }

    /// The next event's cursor, and its points by series.
    pub async fn event(&mut self) -> (Value, Vec<Added>) {
        let message = self.next().await;
        assert_eq!(message["type"], "next", "{message}");
        let added = &message["payload"]["data"]["pointsAdded"];
        let series = added["series"].as_array().unwrap();
        let one = |series: &Value| {
            let key = series["series"].as_str().unwrap().to_owned();
            (key, crate::app::columns(series))
        };
        (added["cursor"].clone(), series.iter().map(one).collect())
    }

    /// The code by which the server ends the connection.
    pub async fn close_code(&mut self) -> u16 {
        match self.frame().await {
            Message::Close(Some(frame)) => frame.code.into(),
            other => panic!("not an end: {other:?}"),
        }
    }

    /// The last message before the server ends the connection, if there is one, and the code by which it does.
    pub async fn end(&mut self) -> (Option<Value>, u16) {
        let mut last = None;
        loop {
            match self.frame().await {
                Message::Text(text) => last = Some(serde_json::from_str(&text).unwrap()),
                Message::Close(Some(frame)) => return (last, frame.code.into()),
                other => panic!("not an end: {other:?}"),
            }
        }
    }

    /// The code by which the server ends the connection, behind operations that it may have ended for the same reason.
    pub async fn ended(&mut self) -> u16 {
        loop {
            match self.frame().await {
                Message::Close(Some(frame)) => return frame.code.into(),
                Message::Text(text) => {
                    let end: Value = serde_json::from_str(&text).unwrap();
                    let code = &end["payload"][0]["extensions"]["code"];
                    assert_eq!((&end["type"], code), (&json!("error"), &json!("FORBIDDEN")));
                }
                other => panic!("not an end: {other:?}"),
            }
        }
    }

    /// Whether nothing comes for `time`.
    pub async fn is_silent(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.next()).await.is_err()
    }

    async fn frame(&mut self) -> Message {
        // Pings do not make it longer.
        let end = Instant::now() + PATIENCE;
        loop {
            let frame = tokio::time::timeout_at(end, self.0.next()).await;
            match frame.unwrap_or_else(|_| panic!("nothing came")) {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return message,
                end => panic!("cut without a word: {end:?}"),
            }
        }
    }
}

/// A series' key and its new points.
pub type Added = (String, Vec<(i64, f64)>);
