//! `/export/TENANT.csv` and `/export/TENANT.ndjson`: points as a file, as they are read, however many there are.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{Path, Request, State, rejection::PathRejection},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::Response,
};
use futures::StreamExt;
use tokio::sync::mpsc;

use crate::{
    App,
    api::{
        http::{refuse, refused},
        limit::Address,
    },
    error::{Error, Result},
    guard::{TenantScope, Viewer},
    identity::Proof,
    point::export::{Export, Format},
    request::{Asker, now},
    scalar::instant,
    tenant::graphql::parse_match,
};

/// Pieces that wait for a client to take them.
const WAITING: usize = 2;
/// Most of `series`.
const MATCHES: usize = 200;
/// How often it is asked whether the asker may still read.
const CHECK: Duration = Duration::from_secs(5);
/// Longest time that a file takes: it holds a connection of the database.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Answers a request for a file.
pub async fn answer(
    State(app): State<App>,
    file: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let file = file.map_or_else(|_| String::new(), |Path(file)| file);
    let address = app.limits.address(&request);
    let (parts, _) = request.into_parts();
    match open(&app, &file, address, &parts).await {
        Ok((export, scope, asker)) => {
            let (kind, name) = match export.format {
                Format::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
                Format::Ndjson => ("application/x-ndjson", "ndjson"),
            };
            let name = format!("attachment; filename=\"{}.{name}\"", scope.tenant().slug);
            let (sender, receiver) = mpsc::channel(WAITING);
            tokio::spawn(send(app, asker, scope, export, sender));
            // Fused, for compression asks on after the end.
            let pieces = futures::stream::unfold(receiver, async |mut receiver| {
                Some((receiver.recv().await?, receiver))
            })
            .fuse();
            let mut response = Response::new(Body::from_stream(pieces));
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            if let Ok(name) = HeaderValue::try_from(name) {
                headers.insert(header::CONTENT_DISPOSITION, name);
            }
            response
        }
        Err((status, error)) => refuse(status, &error),
    }
}

type Refused = (StatusCode, Error);

async fn open(
    app: &App,
    file: &str,
    address: Address,
    parts: &Parts,
) -> Result<(Export, TenantScope<Viewer>, Asker), Refused> {
    let proof = Proof::of(&parts.headers);
    if proof.is_cookie() && !app.identity.is_same_origin(&parts.headers) {
        return Err((
            StatusCode::FORBIDDEN,
            Error::Forbidden(
                "open it from Sundial's own pages, or send `Authorization: Bearer`".into(),
            ),
        ));
    }
    let asker = app.limits.admit(app.identity.clone(), address, proof).await;
    let asker: Asker = asker.map_err(refused)?;
    app.limits.operation(&asker, address).map_err(refused)?;
    let principal = asker.principal().map_err(refused)?;
    let parsed = parse(file, parts.uri.query().unwrap_or_default());
    let (slug, export) = parsed.map_err(|error| (StatusCode::BAD_REQUEST, error))?;
    let scope = app.pool.look_long(principal, &slug).await;
    let scope = scope.map_err(|error| match error {
        Error::NotFound(_) => (StatusCode::NOT_FOUND, error),
        other => refused(other),
    })?;
    Ok((export, scope, asker))
}

/// The tenant whose points a file holds, and which of them.
fn parse(file: &str, query: &str) -> Result<(String, Export)> {
    let known = [(".csv", Format::Csv), (".ndjson", Format::Ndjson)];
    let named = known
        .into_iter()
        .find_map(|(end, format)| Some((file.strip_suffix(end)?, format)));
    let (slug, format) = named.ok_or_else(|| {
        Error::bad_input(
            "name a file such as /export/mcce-g1-prod.csv or /export/mcce-g1-prod.ndjson",
        )
    })?;
    let mut export = Export::of(format);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "series" => export.series.push(parse_match(&value)?),
            "from" => export.range.start = time(&name, &value)?,
            "to" => export.range.end = time(&name, &value)?,
            _ => {
                return Err(Error::bad_input(
                    "give `series` (a key or a pattern, several times if wished), `from` and `to`, and nothing else",
                ));
            }
        }
    }
    if export.series.len() > MATCHES {
        return Err(Error::bad_input(format!(
            "`series` is there more than {MATCHES} times: give patterns, or ask for several files"
        )));
    }
    if export.range.start > export.range.end {
        return Err(Error::bad_input(
            "the range ends before it begins: swap `from` and `to`",
        ));
    }
    Ok((slug.to_owned(), export))
}

/// RFC 3339 text, or whole µs since 1970 UTC.
fn time(name: &str, text: &str) -> Result<i64> {
    let micros = text.parse().ok().or_else(|| instant(text));
    micros.ok_or_else(|| {
        let plus = if text.contains(' ') {
            " (and `+` in an address as %2B)"
        } else {
            ""
        };
        Error::bad_input(format!(
            "`{name}` is no time: write it as 2026-11-24T13:32:08Z{plus}, or as whole microseconds since 1970 UTC"
        ))
    })
}

/// Sends the file in pieces, each once the client has taken those before. When something fails, the connection breaks off,
/// or half a file would look like a whole one.
async fn send(
    app: App,
    asker: Asker,
    scope: TenantScope<Viewer>,
    export: Export,
    pieces: mpsc::Sender<Result<String>>,
) {
    let slug = scope.tenant().slug.clone();
    let written = tokio::time::timeout(LONGEST, export.write(&scope, now(), &pieces));
    let done = tokio::select! {
        written = written => written.unwrap_or_else(|_| {
            Err(Error::TooCostly("the file took longer than an hour: ask for shorter ranges".into()))
        }),
        refused = until_refused(&app, asker, &slug) => Err(refused),
        // The client is gone.
        () = pieces.closed() => return,
    };
    // A client that takes nothing is not to hold a connection of the database.
    drop(scope);
    if let Err(error) = done {
        tracing::warn!(%error, tenant = slug, "an export broke off");
        let _ = pieces.send(Err(error)).await;
    }
}

/// Waits until the asker may read the tenant no more. What can't be found out now is asked again later.
async fn until_refused(app: &App, mut asker: Asker, slug: &str) -> Error {
    loop {
        tokio::time::sleep(CHECK).await;
        let checked = async {
            asker = asker.again().await?;
            app.pool.look::<Viewer>(asker.principal()?, slug).await
        };
        if let Err(refused) = checked.await
            && let Error::Unauthenticated(_) | Error::Forbidden(_) | Error::NotFound(_) = refused
        {
            return refused;
        }
    }
}
