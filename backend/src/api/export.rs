//! `/export/TENANT.csv` and `/export/TENANT.ndjson`: points as a file, as they are read, however many there are.

use std::{fmt::Write, io, ops::Range, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::Response,
};
use jiff::Timestamp as Instant;
use tokio::sync::mpsc;

use crate::{
    App,
    api::{
        http::{refuse, refused},
        limit::Address,
    },
    chunk::{Points, TIMES},
    error::{Error, Result},
    guard::{TenantScope, Viewer},
    identity::Proof,
    point::store::{Reader, read::Piece},
    request::{Asker, Budget, now},
    scalar::instant,
    series::{self, SeriesMatch},
    tenant::graphql::parse_match,
};

/// Series listed at a time.
const SERIES: usize = 500;
/// Chunks that are made text at a time: some MiB.
const CHUNKS: usize = 8;
/// Pieces that wait for a client to take them.
const WAITING: usize = 2;
/// Longest time that a client may take for one.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    /// `series,time,value`, by RFC 4180.
    Csv,
    /// `{"series":…,"time":…,"value":…}`, one a line.
    Ndjson,
}

/// What is to be exported.
struct Wanted {
    slug: String,
    format: Format,
    /// All series without any.
    series: Vec<SeriesMatch>,
    range: Range<i64>,
}

/// Answers a request for a file.
pub async fn answer(
    State(app): State<App>,
    Path(file): Path<String>,
    request: Request,
) -> Response {
    let address = app.limits.address(&request);
    let (parts, _) = request.into_parts();
    match open(&app, &file, address, &parts).await {
        Ok((wanted, scope)) => {
            let (kind, name) = match wanted.format {
                Format::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
                Format::Ndjson => ("application/x-ndjson", "ndjson"),
            };
            let name = format!("attachment; filename=\"{}.{name}\"", wanted.slug);
            let (sender, receiver) = mpsc::channel(WAITING);
            tokio::spawn(send(scope, wanted, sender));
            let pieces = futures::stream::unfold(receiver, async |mut receiver| {
                Some((receiver.recv().await?, receiver))
            });
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
) -> Result<(Wanted, TenantScope<Viewer>), Refused> {
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
    let wanted = Wanted::parse(file, parts.uri.query().unwrap_or_default())
        .map_err(|error| (StatusCode::BAD_REQUEST, error))?;
    let scope = app.pool.look(principal, &wanted.slug).await;
    let scope = scope.map_err(|error| match error {
        Error::NotFound(_) => (StatusCode::NOT_FOUND, error),
        other => refused(other),
    })?;
    Ok((wanted, scope))
}

impl Wanted {
    fn parse(file: &str, query: &str) -> Result<Self> {
        let known = [(".csv", Format::Csv), (".ndjson", Format::Ndjson)];
        let named = known
            .into_iter()
            .find_map(|(end, format)| Some((file.strip_suffix(end)?, format)));
        let (slug, format) = named.ok_or_else(|| {
            Error::bad_input(
                "name a file such as /export/mcce-g1-prod.csv or /export/mcce-g1-prod.ndjson",
            )
        })?;
        let mut wanted = Wanted {
            slug: slug.to_owned(),
            format,
            series: Vec::new(),
            range: TIMES,
        };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "series" => wanted.series.push(parse_match(&value)?),
                "from" => wanted.range.start = time(&name, &value)?,
                "to" => wanted.range.end = time(&name, &value)?,
                _ => {
                    return Err(Error::bad_input(
                        "give `series` (a key or a pattern, several times if wished), `from` and `to`, and nothing else",
                    ));
                }
            }
        }
        if wanted.range.start > wanted.range.end {
            return Err(Error::bad_input(
                "the range ends before it begins: swap `from` and `to`",
            ));
        }
        Ok(wanted)
    }

    fn means(&self, series: &series::entity::Model) -> bool {
        let meant = |matching| series::store::is_meant(matching, series);
        self.series.is_empty() || self.series.iter().any(meant)
    }
}

/// RFC 3339 text, or whole µs since 1970 UTC.
fn time(name: &str, text: &str) -> Result<i64> {
    let micros = text.parse().ok().or_else(|| instant(text));
    micros.ok_or_else(|| {
        Error::bad_input(format!(
            "`{name}` is no time: write it as 2026-11-24T13:32:08Z, or as whole microseconds since 1970 UTC"
        ))
    })
}

type Pieces = mpsc::Sender<io::Result<Bytes>>;

/// Sends the file in pieces, each once the client has taken those before. When something fails, the connection breaks off,
/// or half a file would look like a whole one.
async fn send(scope: TenantScope<Viewer>, wanted: Wanted, pieces: Pieces) {
    if let Err(error) = send_all(&scope, &wanted, &pieces).await {
        tracing::warn!(%error, tenant = wanted.slug, "an export broke off");
        // The client may be gone as well.
        let _ = pieces
            .send(Err(io::Error::other("the export broke off")))
            .await;
    }
}

async fn send_all(scope: &TenantScope<Viewer>, wanted: &Wanted, pieces: &Pieces) -> Result<()> {
    if wanted.format == Format::Csv {
        give(pieces, "series,time,value\r\n".into()).await?;
    }
    let mut after = None;
    loop {
        let page = series::store::list(scope, None, after, SERIES).await?;
        let last = page.len() < SERIES;
        after = page.last().map(|series| series.key.clone());
        for series in page.iter().filter(|series| wanted.means(series)) {
            let range = wanted.range.clone();
            let reader = Reader::open(scope, series.id, range, &Budget::endless(), now()).await?;
            let mut reader = reader.by(CHUNKS);
            let before = before(wanted.format, &series.key)?;
            let lines = move |points: Points| lines(&before, &points);
            while let Some(made) = reader.next(|_| false, lines.clone()).await? {
                for piece in made {
                    if let Piece::Read(lines) = piece {
                        give(pieces, lines).await?;
                    }
                }
            }
        }
        if last {
            return Ok(());
        }
    }
}

async fn give(pieces: &Pieces, text: String) -> Result<()> {
    let given = pieces.send_timeout(Ok(text.into()), PATIENCE).await;
    given.map_err(|error| Error::internal("sending an export", error))
}

/// What stands in each line of a series: before the time, between time and value, and behind it.
fn before(format: Format, key: &str) -> Result<[String; 3]> {
    Ok(match format {
        Format::Csv => [
            format!("\"{}\",", key.replace('"', "\"\"")),
            ",".into(),
            "\r\n".into(),
        ],
        Format::Ndjson => {
            let key = serde_json::to_string(key)
                .map_err(|error| Error::internal("writing a key", error))?;
            [
                format!("{{\"series\":{key},\"time\":\""),
                "\",\"value\":".into(),
                "}\n".into(),
            ]
        }
    })
}

fn lines([before, between, behind]: &[String; 3], points: &Points) -> String {
    let mut text = String::with_capacity(points.len() * (before.len() + 48));
    for (time, value) in points.iter() {
        let time = Instant::from_microsecond(time).unwrap_or_default();
        // The shortest digits that give the same number back.
        let _ = write!(text, "{before}{time}{between}{value:?}{behind}");
    }
    text
}
