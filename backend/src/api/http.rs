//! GraphQL over HTTP: the specification of that name, and what keeps other sites and oversized requests out.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_graphql::{
    Positioned, Request, Response as Reply, Variables,
    parser::types::{ExecutableDocument, OperationType, Selection},
};
use axum::{
    body::{Body, BodyDataStream, to_bytes},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::StreamExt;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    App,
    api::{
        columns::Given,
        document, events,
        limit::{Address, with_retry_after},
        schema::{execute, finish, is_request_error, refusal, to_json},
    },
    error::{Error, Result},
    identity::Proof,
    request::{Asker, Budget},
};

/// Most bytes of a request that writes points.
const INGEST_BYTES: usize = 8 << 20;
/// Most bytes of any other request.
const BYTES: usize = 1 << 20;
/// Requests larger than others may be that are read and worked on at the same time.
const LARGE: usize = 16;
/// Most bytes of a request whose proof does not count, which can only ask why.
const EXPLAIN_BYTES: usize = 16 << 10;
/// Longest time that a request may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);
/// Most bytes that are read to be thrown away, so that a client hears the answer rather than a broken pipe.
const DRAINED_BYTES: usize = 64 << 20;
/// Longest time that this takes.
const DRAINED_FOR: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Params {
    query: Option<String>,
    operation_name: Option<String>,
    #[serde(default)]
    variables: Given,
    #[serde(default)]
    extensions: Option<HashMap<String, serde_json::Value>>,
}

/// The kinds of answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Media {
    /// `application/graphql-response+json`: the status tells whether anything ran.
    Response,
    /// `application/json`: 200 for whatever could be read.
    Json,
    /// `text/event-stream`: results as they come.
    Events,
}

/// Answers a request from `address` to `/graphql` that is no upgrade.
pub async fn answer(app: &App, address: Address, parts: Parts, body: Body) -> Response {
    let Some(media) = Media::accepted(&parts.headers) else {
        return refuse(
            StatusCode::NOT_ACCEPTABLE,
            &Error::bad_input(
                "Accept must allow application/graphql-response+json, application/json or text/event-stream",
            ),
        );
    };
    let mut body = body.into_data_stream();
    match handle(app, address, media, &parts, &mut body).await {
        Ok(response) => response,
        Err((status, error)) => {
            drain(&mut body).await;
            with_retry_after(media.respond(status, refusal(&error)), &error)
        }
    }
}

/// The answer that tells `error` to a client that could not say what it reads.
pub fn refuse(status: StatusCode, error: &Error) -> Response {
    with_retry_after(Media::Json.respond(status, refusal(error)), error)
}

type Refused = (StatusCode, Error);

async fn handle(
    app: &App,
    address: Address,
    media: Media,
    parts: &Parts,
    body: &mut BodyDataStream,
) -> Result<Response, Refused> {
    let (method, headers) = (&parts.method, &parts.headers);
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        // What could be inflated, was, and says so no longer.
        return Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Error::bad_input("Content-Encoding may be gzip or br, or is left out"),
        ));
    }
    match *method {
        Method::POST => check_content_type(headers)?,
        // Of the second, only the headers are sent.
        Method::GET | Method::HEAD => {}
        _ => {
            return Err((
                StatusCode::METHOD_NOT_ALLOWED,
                Error::bad_input("use POST, or GET for queries"),
            ));
        }
    }

    // Who asks and how often comes first: reading what was sent is the dear part.
    let proof = Proof::of(headers);
    if proof.is_cookie() && !app.identity.is_same_origin(headers) {
        return Err((
            StatusCode::FORBIDDEN,
            Error::Forbidden(
                "a request with a cookie must come from Sundial's own pages; programs send `Authorization: Bearer` instead"
                    .into(),
            ),
        ));
    }
    let reads = method != Method::POST;
    let may_keep = reads && media != Media::Events && !proof.is_cookie();
    let asker = admit(app, address, proof).await.map_err(refused)?;
    // Whose proof does not count is told that, and not what else is amiss.
    let instead = |other: Refused| asker.refusal().cloned().map_or(other, refused);
    // Kept until the answer is there.
    let large;
    let (params, bytes) = if reads {
        let query = parts.uri.query().unwrap_or_default();
        large = None;
        (parse_query_string(query).map_err(instead)?, 0)
    } else {
        let most = match (asker.refusal(), asker.viewer()) {
            (Some(_), _) => EXPLAIN_BYTES,
            (None, Some(_)) => INGEST_BYTES,
            (None, None) => BYTES,
        };
        let arriving = read(body, most, declared(headers), &app.large);
        let arrived = tokio::time::timeout(ARRIVAL, arriving).await;
        let (bytes, permit) = arrived
            .unwrap_or_else(|_| Err(too_slow()))
            .map_err(instead)?;
        large = permit;
        (parse(&bytes).map_err(instead)?, bytes.len())
    };

    let mut request = Request::new(params.query.unwrap_or_default());
    let name = params.operation_name;
    request.variables = params.variables.variables;
    request.operation_name.clone_from(&name);
    let checked = app.documents.check(&mut request);
    if let Some(refusal) = asker.refusal() {
        if !matches!(&checked, Ok(Some(document)) if only_explains(document)) {
            return Err(refused(refusal.clone()));
        }
        // GitHub is asked for it.
        app.limits.operation(&asker, address).map_err(refused)?;
    }
    let document = match checked {
        Ok(document) => document,
        Err(error) => return Ok(media.answer(refusal(&error))),
    };
    let operation = match &document {
        Some(document) => operation(document, name.as_deref(), bytes)
            .map_err(|error| (StatusCode::PAYLOAD_TOO_LARGE, error))?,
        // The execution tells what is wrong with it, and where.
        None => OperationType::Query,
    };
    match operation {
        OperationType::Mutation if reads => {
            return Err((
                StatusCode::METHOD_NOT_ALLOWED,
                Error::bad_input("mutations need POST"),
            ));
        }
        OperationType::Subscription if media != Media::Events || method == Method::HEAD => {
            return Err((
                StatusCode::BAD_REQUEST,
                Error::bad_input(
                    "subscriptions need a WebSocket: connect to this address by graphql-transport-ws, or ask for events \
                     with Accept: text/event-stream",
                ),
            ));
        }
        _ => {}
    }
    let request = request
        .data(app.pool.snapshot(asker.viewer()))
        .data(asker)
        .data(Budget::default())
        .data(params.variables.aside);
    if operation == OperationType::Subscription {
        return Ok(events::follow(app, request, document));
    }
    let asked = params.extensions.unwrap_or_default();
    let schema = match asked.get("cost") {
        Some(serde_json::Value::Bool(true)) => &app.explaining,
        _ => &app.schema,
    };
    let response = execute(schema.clone(), request, operation, document).await;
    drop(large);
    let revalidates = may_keep && response.errors.is_empty();
    let answer = media.answer(finish(response));
    Ok(match revalidates {
        true => revalidated(headers, answer).await,
        false => answer,
    })
}

/// An answer that its asker may keep, for as long as this server, which executes the query each time, finds it to be the
/// same: then it is not sent again. Nobody else is given it, and browsers keep nothing that was asked by a cookie.
async fn revalidated(asked: &HeaderMap, answer: Response) -> Response {
    if answer.status() != StatusCode::OK {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    // It is all there already.
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let hash: [u8; 32] = Sha256::digest(&body).into();
    let tag = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(&hash[..16]));
    let known = asked.get_all(header::IF_NONE_MATCH).iter();
    let known = known.filter_map(|tags| tags.to_str().ok());
    // Compared weakly: RFC 9110, section 13.1.2.
    let strong = tag.trim_start_matches("W/");
    let is_known = known.flat_map(|tags| tags.split(',')).any(|known| {
        let known = known.trim();
        known == "*" || known.trim_start_matches("W/") == strong
    });
    let headers = &mut parts.headers;
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    headers.append(
        header::VARY,
        HeaderValue::from_static("accept, authorization, cookie"),
    );
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    if is_known {
        parts.status = StatusCode::NOT_MODIFIED;
        return parts.into_response();
    }
    Response::from_parts(parts, Body::from(body))
}

/// Why a request is not let in.
pub fn refused(error: Error) -> (StatusCode, Error) {
    let status = match error {
        Error::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        Error::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::GithubUnavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, error)
}

/// Who asks. Whether a request whose proof does not count asks for nothing but the reason is seen when it is read.
async fn admit(app: &App, address: Address, proof: Proof) -> Result<Asker> {
    let identity = || app.identity.clone();
    match app.limits.admit(identity(), address, proof.clone()).await {
        Err(error @ Error::Unauthenticated(_)) => Ok(Asker::refused(identity(), proof, error)),
        Err(error) => Err(error),
        Ok(asker) => {
            app.limits.operation(&asker, address)?;
            Ok(asker)
        }
    }
}

/// Whether all that a document can ask is why a tenant is not open: what those may ask whose proof does not count.
fn only_explains(document: &ExecutableDocument) -> bool {
    let explains = |selection: &Positioned<Selection>| match &selection.node {
        Selection::Field(field) => {
            ["explainAccess", "__typename"].contains(&field.node.name.node.as_str())
        }
        // A fragment could hold anything.
        Selection::FragmentSpread(_) | Selection::InlineFragment(_) => false,
    };
    document.operations.iter().all(|(_, operation)| {
        operation.node.ty == OperationType::Query
            && operation.node.selection_set.node.items.iter().all(explains)
    })
}

/// The kind of the operation, if the request is not larger than that kind may be.
fn operation(
    document: &ExecutableDocument,
    name: Option<&str>,
    bytes: usize,
) -> Result<OperationType> {
    let kind = document::kind(document, name);
    let ingests = document.operations.iter().flat_map(|(_, operation)| &operation.node.selection_set.node.items).any(
        |selection| matches!(&selection.node, Selection::Field(field) if field.node.name.node == "ingest"),
    );
    if bytes > BYTES && !(kind == OperationType::Mutation && ingests) {
        return Err(Error::bad_input(format!(
            "the request is larger than {BYTES} bytes, which only `ingest` may be"
        )));
    }
    Ok(kind)
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Refused> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut parts = kind.split(';').map(|part| part.trim().to_ascii_lowercase());
    let json = parts.next().as_deref() == Some("application/json");
    let utf8 = parts
        .filter_map(|part| part.strip_prefix("charset=").map(String::from))
        .all(|charset| charset.trim_matches('"') == "utf-8");
    if json && utf8 {
        Ok(())
    } else {
        Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Error::bad_input("send JSON in UTF-8, with Content-Type: application/json"),
        ))
    }
}

/// How many bytes the client says that it sends.
fn declared(headers: &HeaderMap) -> usize {
    let length = headers.get(header::CONTENT_LENGTH);
    length
        .and_then(|length| length.to_str().ok()?.parse().ok())
        .unwrap_or(0)
}

/// A place among the large requests, for as long as it is held.
type Place = Option<OwnedSemaphorePermit>;

/// Reads a request of up to `most` bytes, of which the client says that there are `declared`.
async fn read(
    body: &mut BodyDataStream,
    most: usize,
    declared: usize,
    large: &Arc<Semaphore>,
) -> Result<(Vec<u8>, Place), Refused> {
    let too_large = || {
        let words = match most {
            INGEST_BYTES => format!("{INGEST_BYTES} bytes: send points in several calls"),
            _ => format!("{most} bytes, which takes `Authorization: Bearer`"),
        };
        (
            StatusCode::PAYLOAD_TOO_LARGE,
            Error::bad_input(format!("the request is larger than {words}")),
        )
    };
    if declared > most {
        return Err(too_large());
    }
    let mut place = match declared {
        0..=BYTES => None,
        _ => Some(place_of(large)?),
    };
    let mut bytes = Vec::with_capacity(declared.min(BYTES));
    while let Some(part) = body.next().await {
        let part = part.map_err(|_| {
            (
                StatusCode::BAD_REQUEST,
                Error::bad_input("the request broke off, or is not what its Content-Encoding says"),
            )
        })?;
        if bytes.len() + part.len() > most {
            return Err(too_large());
        }
        if bytes.len() + part.len() > BYTES && place.is_none() {
            place = Some(place_of(large)?);
        }
        bytes.extend_from_slice(&part);
    }
    Ok((bytes, place))
}

fn place_of(large: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Refused> {
    large.clone().try_acquire_owned().map_err(|_| {
        (
            StatusCode::TOO_MANY_REQUESTS,
            Error::RateLimited { retry_after: 1 },
        )
    })
}

fn too_slow() -> Refused {
    (
        StatusCode::REQUEST_TIMEOUT,
        Error::bad_input(format!(
            "the request did not arrive within {} s: send points in several calls",
            ARRIVAL.as_secs()
        )),
    )
}

/// Room for the large requests of a server.
pub fn room() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(LARGE))
}

/// Reads what is left of a refused request, and keeps nothing of it.
async fn drain(body: &mut BodyDataStream) {
    let mut left = DRAINED_BYTES;
    let all = async {
        while let Some(Ok(part)) = body.next().await {
            left = left.saturating_sub(part.len());
            if left == 0 {
                return;
            }
        }
    };
    drop(tokio::time::timeout(DRAINED_FOR, all).await);
}

fn parse(bytes: &[u8]) -> Result<Params, Refused> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') {
        return Err((
            StatusCode::BAD_REQUEST,
            Error::bad_input("requests in batches are not taken: send them one by one"),
        ));
    }
    let params: Params = serde_json::from_slice(bytes).map_err(|error| {
        (
            StatusCode::BAD_REQUEST,
            Error::bad_input(format!(
                "the request is no GraphQL request in JSON: {error}"
            )),
        )
    })?;
    require_query(params)
}

fn parse_query_string(text: &str) -> Result<Params, Refused> {
    let mut fields: HashMap<String, String> = url::form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect();
    let mut json = |name: &str| match fields.remove(name).filter(|text| !text.is_empty()) {
        Some(text) => serde_json::from_str::<Option<HashMap<String, serde_json::Value>>>(&text)
            .map_err(|error| {
                (
                    StatusCode::BAD_REQUEST,
                    Error::bad_input(format!("`{name}` is no JSON object: {error}")),
                )
            }),
        None => Ok(None),
    };
    let variables = json("variables")?.map(|map| Variables::from_json(serde_json::json!(map)));
    let variables = Given::from(variables.unwrap_or_default());
    let extensions = json("extensions")?;
    require_query(Params {
        query: fields.remove("query"),
        operation_name: fields
            .remove("operationName")
            .filter(|name| !name.is_empty()),
        variables,
        extensions,
    })
}

fn require_query(params: Params) -> Result<Params, Refused> {
    if params
        .query
        .as_deref()
        .is_none_or(|query| query.trim().is_empty())
    {
        return Err((
            StatusCode::BAD_REQUEST,
            Error::bad_input("`query` is missing: a GraphQL document as text"),
        ));
    }
    Ok(params)
}

impl Media {
    /// The kind that the client prefers; JSON for who does not say. `None` when it takes neither.
    fn accepted(headers: &HeaderMap) -> Option<Media> {
        let mut accept = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .peekable();
        if accept.peek().is_none() {
            return Some(Media::Json);
        }
        let mut best: Option<(f32, Media)> = None;
        for range in accept.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts
                .find_map(|part| part.strip_prefix("q=")?.parse().ok())
                .unwrap_or(1.0);
            let media = match kind.as_str() {
                "application/graphql-response+json" => Media::Response,
                "application/json" | "application/*" | "*/*" => Media::Json,
                "text/event-stream" => Media::Events,
                _ => continue,
            };
            if weight > 0.0 && best.is_none_or(|(held, _)| weight > held) {
                best = Some((weight, media));
            }
        }
        best.map(|(_, media)| media)
    }

    /// The answer to a request that was understood as one.
    fn answer(self, response: Reply) -> Response {
        if self == Media::Events {
            return events::answer(response);
        }
        let status = if is_request_error(&response) && self == Media::Response {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::OK
        };
        self.respond(status, response)
    }

    fn respond(self, status: StatusCode, response: Reply) -> Response {
        let kind = match self {
            Media::Response => "application/graphql-response+json; charset=utf-8",
            // Nothing came of the events that were asked for.
            Media::Json | Media::Events => "application/json; charset=utf-8",
        };
        match to_json(response) {
            Ok(body) => {
                let mut response = (status, body).into_response();
                let headers = response.headers_mut();
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
                match status {
                    StatusCode::UNAUTHORIZED => {
                        headers
                            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                    }
                    StatusCode::METHOD_NOT_ALLOWED => {
                        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
                    }
                    _ => {}
                }
                response
            }
            Err(error) => {
                tracing::error!(%error, "a response could not be written as JSON");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}
