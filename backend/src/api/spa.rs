//! The page and GraphiQL: built files, embedded in release builds, compressed beforehand.

use std::borrow::Cow;

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

#[derive(RustEmbed)]
#[folder = "../frontend/dist"]
#[allow_missing = true]
struct Built;

/// What the page may do: its own code, no other origin, nothing inline.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
    img-src 'self' data: https://avatars.githubusercontent.com; connect-src 'self'; font-src 'self'; \
    manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// What GraphiQL may do: its editor writes styles and starts workers.
const GRAPHIQL_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; font-src 'self' data:; worker-src 'self' blob:; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The file that a path names, or the page for paths that its router knows.
pub async fn serve(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if ["livez", "readyz", "metrics"].contains(&path) {
        return (
            StatusCode::NOT_FOUND,
            "Health and metrics are on the management port: see --management-listen.\n",
        )
            .into_response();
    }
    let (file, policy) = match path {
        "graphiql" | "graphiql/" => ("graphiql/index.html", GRAPHIQL_POLICY),
        _ if path.starts_with("graphiql/") => (path, GRAPHIQL_POLICY),
        "" => ("index.html", PAGE_POLICY),
        // Only files have a dot in their last part.
        _ if path
            .rsplit('/')
            .next()
            .is_some_and(|last| last.contains('.'))
            && !path.starts_with("t/") =>
        {
            (path, PAGE_POLICY)
        }
        _ => ("index.html", PAGE_POLICY),
    };
    let mut response = send(file, &headers);
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(policy),
    );
    response
}

fn send(file: &str, headers: &HeaderMap) -> Response {
    if [".br", ".gz"].iter().any(|end| file.ends_with(end)) {
        return not_found();
    }
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let takes = |name: &str| {
        accepted.split(',').any(|part| {
            let mut part = part.split(';').map(str::trim);
            part.next() == Some(name) && part.next() != Some("q=0")
        })
    };
    let encoded = [("br", ".br"), ("gzip", ".gz")]
        .into_iter()
        .filter(|(name, _)| takes(name))
        .find_map(|(name, end)| Some((Built::get(&format!("{file}{end}"))?, Some(name))));
    let Some((built, encoding)) = encoded.or_else(|| Some((Built::get(file)?, None))) else {
        return if matches!(file, "index.html" | "graphiql/index.html") {
            not_built()
        } else {
            not_found()
        };
    };
    let page = file.ends_with(".html") || file == "config.json";
    let tag = format!("\"{}\"", hex(&Sha256::digest(&built.data)[..12]));
    let cache = if page {
        "no-cache"
    } else {
        "public, max-age=31536000, immutable"
    };
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    let mut response = if known == Some(tag.as_str()) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match built.data {
            Cow::Borrowed(bytes) => bytes.into_response(),
            Cow::Owned(bytes) => bytes.into_response(),
        }
    };
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, content_type(file));
    set(header::CACHE_CONTROL, cache);
    set(header::ETAG, &tag);
    set(header::VARY, "Accept-Encoding");
    if let Some(encoding) = encoding {
        set(header::CONTENT_ENCODING, encoding);
    }
    response
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn content_type(file: &str) -> &'static str {
    match file.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "json" | "map" => "application/json",
        "ttf" => "font/ttf",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "There is nothing here.\n").into_response()
}

fn not_built() -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "This server was built without its page: run `make page`, and build it again.\n",
    )
        .into_response()
}
