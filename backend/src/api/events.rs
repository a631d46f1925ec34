//! GraphQL over server-sent events, an operation a request: the "distinct connections" of
//! <https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md>.

use std::{convert::Infallible, sync::Arc, time::Duration};

use async_graphql::{Request, Response as Reply, parser::types::ExecutableDocument};
use axum::{
    http::{HeaderValue, header},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::{Stream, StreamExt, stream};

use crate::{
    App,
    api::{
        schema::{self, finish, to_json},
        socket::Counted,
    },
};

/// A client that hears nothing for so long is sent a comment, so that it, and whatever stands between, sees that all is
/// well.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Answers a subscription by its events as they come. When the server stops, they end without being complete: a client
/// then asks another.
pub fn follow(app: &App, request: Request, document: Option<Arc<ExecutableDocument>>) -> Response {
    let replies = schema::follow(&app.schema, request, document).map(finish);
    let app = app.clone();
    respond(replies, async move { app.stopping().await })
}

/// Answers with one result.
pub fn answer(reply: Reply) -> Response {
    respond(stream::iter([reply]), std::future::pending())
}

fn respond(
    replies: impl Stream<Item = Reply> + Send + 'static,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Response {
    let counted = Counted::new("sundial_event_streams");
    let complete = stream::iter([None]);
    let events = replies.map(Some).chain(complete).map(move |reply| {
        let _counted = &counted;
        event(reply)
    });
    let events = events.take_until(Box::pin(stop));
    let alive = KeepAlive::new().interval(KEEP_ALIVE);
    let mut response = Sse::new(events).keep_alive(alive).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would hold events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn event(reply: Option<Reply>) -> Result<Event, Infallible> {
    let Some(reply) = reply else {
        // Without data, browsers would not tell of it.
        return Ok(Event::default().event("complete").data("null"));
    };
    let text = to_json(reply).unwrap_or_else(|error| {
        tracing::error!(%error, "an event could not be written as JSON");
        Vec::new()
    });
    // JSON has no line breaks.
    let event = Event::default().event("next");
    Ok(event.data(String::from_utf8_lossy(&text)))
}
