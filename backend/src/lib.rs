//! Sundial, a self-hosted, multi-tenant time-data service.
//!
//! ```text
//! main      arguments
//! command   a file each: serve, migrate, apply, token, schema, check
//! api       the doors: GraphQL over HTTP and WebSocket, the page, health
//! access tenant series point producer token audit session   the features
//! live request scalar   what they share
//! identity  who is behind a request
//! chunk     time data as compressed columns (pure)
//! guard     the fence: owns the only database connection
//! config error
//! ```
//!
//! Invariants, each held by a test: imports go down this list only; no connection leaves the guard;
//! every table of a tenant is reached through a scope; the committed schema is the schema.

pub mod access;
pub mod api;
pub mod audit;
pub mod chunk;
pub mod command;
pub mod config;
pub mod error;
pub mod guard;
pub mod identity;
pub mod live;
pub mod point;
pub mod producer;
pub mod request;
pub mod scalar;
pub mod series;
pub mod session;
pub mod tenant;
pub mod token;

use axum::{
    Router,
    body::Body,
    extract::{
        FromRequestParts, Request, State, WebSocketUpgrade,
        connect_info::IntoMakeServiceWithConnectInfo,
    },
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::sync::{Semaphore, watch};
use tower::util::option_layer;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::CompressionLayer,
    cors::{AllowOrigin, CorsLayer},
    decompression::RequestDecompressionLayer,
};

pub use error::{Error, Result};

use crate::{
    api::{
        document::Documents,
        export, http,
        limit::{self, Address, Limits},
        schema::Api,
        socket, spa,
    },
    guard::Pool,
    identity::{Identity, Proof},
    live::Live,
    point::compactor::Compactor,
};

/// What the doors share. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The API.
    pub schema: Api,
    /// The same, which tells the cost besides.
    explaining: Api,
    /// Who may be behind a request.
    pub identity: Identity,
    /// The database.
    pub pool: Pool,
    /// How much one asker may ask for.
    pub limits: Limits,
    /// What keeps the store in order; it does so while [`Compactor::run`] runs.
    pub compactor: Compactor,
    /// Who is told of new points, in other servers too while [`Live::exchange`] runs.
    pub live: Live,
    /// What was asked lately.
    documents: Documents,
    /// Other sites whose pages may ask.
    origins: Vec<HeaderValue>,
    /// Room for large requests.
    large: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

impl App {
    /// The application on `pool`, with people by `identity`, within `limits`. It tells its connections to go once `stop`
    /// is true.
    pub fn new(
        pool: Pool,
        identity: Identity,
        limits: Limits,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let compactor = Compactor::new(pool.clone());
        let live = Live::default();
        let [schema, explaining] = api::schema::schemas(&pool, &live, &compactor);
        App {
            schema,
            explaining,
            identity,
            pool,
            limits,
            compactor,
            live,
            documents: Documents::default(),
            origins: Vec::new(),
            large: http::room(),
            stop,
        }
    }

    /// The same, for pages of these origins too. They show tokens: their cookies do not count.
    pub fn allowing(self, origins: &[String]) -> Self {
        let origins = origins.iter().filter_map(|origin| origin.parse().ok());
        App {
            origins: origins.collect(),
            ..self
        }
    }

    /// Ends when the server begins to stop.
    pub async fn stopping(&self) {
        let mut stop = self.stop.clone();
        // Without a sender nobody stops it.
        if stop.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Everything that the public port answers, to clients whose addresses are known.
pub fn app(app: App) -> IntoMakeServiceWithConnectInfo<Router, SocketAddr> {
    let limited = middleware::from_fn_with_state(app.limits.clone(), limit::sign_in);
    let sign_in = app.identity.router().layer(limited);
    let graphql = Router::new()
        .route("/graphql", any(graphql))
        .route("/export/{*file}", get(export::answer))
        .layer(RequestDecompressionLayer::new().pass_through_unaccepted(true))
        .layer(middleware::map_request(encoding))
        .layer(CompressionLayer::new())
        .layer(option_layer(other_sites(&app.origins)))
        .with_state(app);
    Router::new()
        .merge(graphql)
        .merge(sign_in)
        .fallback(get(spa::serve))
        .layer(middleware::from_fn(observe))
        .layer(middleware::from_fn(harden))
        .layer(CatchPanicLayer::custom(failed))
        .into_make_service_with_connect_info()
}

/// What pages of other origins may do: ask with proof in a header, where they are allowed to ask at all.
fn other_sites(origins: &[HeaderValue]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_NONE_MATCH,
        ])
        .expose_headers([header::RETRY_AFTER, header::ETAG])
        .max_age(Duration::from_secs(3600));
    Some(layer)
}

/// Codings mean the same in capitals (RFC 9110, section 8.4.1), which the layer that undoes them does not know.
async fn encoding(mut request: Request) -> Request {
    if let Some(coding) = request.headers_mut().get_mut(header::CONTENT_ENCODING)
        && let Ok(small) = HeaderValue::from_bytes(&coding.as_bytes().to_ascii_lowercase())
    {
        *coding = small;
    }
    request
}

async fn graphql(State(app): State<App>, request: Request) -> Response {
    let address = app.limits.address(&request);
    let (mut parts, body) = request.into_parts();
    let upgrades = parts.headers.contains_key(header::UPGRADE);
    if parts.method == Method::GET && upgrades {
        return match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            Ok(upgrade) => open_socket(app, upgrade, address, &parts.headers),
            Err(refused) => refused.into_response(),
        };
    }
    http::answer(&app, address, parts, body).await
}

fn open_socket(
    app: App,
    upgrade: WebSocketUpgrade,
    address: Address,
    headers: &axum::http::HeaderMap,
) -> Response {
    if let Err(error) = app.limits.arrival(address) {
        return http::refuse(StatusCode::TOO_MANY_REQUESTS, &error);
    }
    let proof = Proof::of(headers);
    // A browser sends the cookie along whichever site opens the connection.
    if proof.is_cookie() && !app.identity.is_same_origin(headers) {
        return (
            StatusCode::FORBIDDEN,
            "A connection with a cookie must come from Sundial's own pages.\n",
        )
            .into_response();
    }
    let upgrade = upgrade
        .protocols([socket::PROTOCOL])
        .read_buffer_size(4096)
        .max_message_size(1 << 20);
    if upgrade.selected_protocol().is_none() {
        return (
            StatusCode::BAD_REQUEST,
            "Ask for the subprotocol graphql-transport-ws.\n",
        )
            .into_response();
    }
    upgrade.on_upgrade(move |socket| socket::serve(app, socket, address, proof))
}

/// What a client hears when the server failed in a way that was not foreseen. The log has been told where.
fn failed(_: Box<dyn std::any::Any + Send>) -> Response {
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// Counts and times requests, by route and status alone.
async fn observe(request: Request<Body>, next: Next) -> Response {
    let route = match request.uri().path() {
        "/graphql" => "/graphql",
        path if path.starts_with("/auth/") => "/auth",
        path if path.starts_with("/export/") => "/export",
        _ => "page",
    };
    let start = std::time::Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::counter!("sundial_http_requests_total", "route" => route, "status" => status)
        .increment(1);
    metrics::histogram!("sundial_http_request_seconds", "route" => route).record(start.elapsed());
    response
}

/// Headers that every response has.
async fn harden(request: Request<Body>, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        // A route may ask for more.
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}
