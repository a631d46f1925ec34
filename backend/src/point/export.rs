//! Points as text, a line each, piece by piece.

use std::{fmt::Write, ops::Range, sync::Arc, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use tokio::sync::mpsc::Sender;

use crate::{
    chunk::{Points, TIMES},
    error::{Error, Result},
    guard::{Role, TenantScope},
    point::store::{Reader, read::Piece, working},
    request::Budget,
    series::{self, SeriesMatch},
};

/// Series listed at a time.
const SERIES: usize = 500;
/// Chunks that are read at a time: some MiB.
const CHUNKS: usize = 8;
/// About the bytes of a piece of text.
const BYTES: usize = 1 << 20;
/// Pieces that are made at the same time.
const PIECES: usize = 2;

/// Longest time until a piece is taken.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `series,time,value`, by RFC 4180.
    Csv,
    /// `{"series":…,"time":…,"value":…}`.
    Ndjson,
}

/// What is to be exported.
pub struct Export {
    /// How a line is written.
    pub format: Format,
    /// Which series; all without any.
    pub series: Vec<SeriesMatch>,
    /// Half-open, in µs since 1970 UTC.
    pub range: Range<i64>,
}

impl Export {
    /// Of all series and times.
    pub fn of(format: Format) -> Self {
        Export {
            format,
            series: Vec::new(),
            range: TIMES,
        }
    }

    /// Gives the text in pieces, each once there is room for it: by series and time, as all was at one moment.
    ///
    /// # Errors
    /// As [`Reader::open`], and [`Error::Internal`] when nobody takes a piece in time.
    pub async fn write<R: Role>(
        &self,
        scope: &TenantScope<R>,
        now: i64,
        pieces: &Sender<Result<String>>,
    ) -> Result<()> {
        if self.format == Format::Csv {
            give(pieces, "series,time,value\r\n".into()).await?;
        }
        let mut after = None;
        loop {
            let page = series::store::list(scope, None, after, SERIES).await?;
            let last = page.len() < SERIES;
            after = page.last().map(|series| series.key.clone());
            for series in page.iter().filter(|series| self.means(series)) {
                let range = self.range.clone();
                let reader =
                    Reader::open(scope, None, series.id, range, &Budget::endless(), now).await?;
                let mut reader = reader.by(CHUNKS);
                let around = Arc::new(around(self.format, &series.key)?);
                while let Some(read) = reader.next(|_| false, |points| points).await? {
                    let read = read.into_iter().filter_map(|piece| match piece {
                        Piece::Read(points) => Some(points),
                        Piece::Summary(_) => None,
                    });
                    let parts = read.flat_map(|points| parts(points, width(&around)));
                    let made = stream::iter(parts).map(|part| {
                        let around = around.clone();
                        working(move || Ok(lines(&around, &part)))
                    });
                    let mut made = std::pin::pin!(made.buffered(PIECES));
                    while let Some(lines) = made.try_next().await? {
                        give(pieces, lines).await?;
                    }
                }
            }
            if last {
                return Ok(());
            }
        }
    }

    fn means(&self, series: &series::entity::Model) -> bool {
        let meant = |matching| series::store::is_meant(matching, series);
        self.series.is_empty() || self.series.iter().any(meant)
    }
}

async fn give(pieces: &Sender<Result<String>>, text: String) -> Result<()> {
    let given = pieces.send_timeout(Ok(text), PATIENCE).await;
    given.map_err(|error| Error::internal("sending an export", error))
}

/// What stands in each line of a series: before the time, between time and value, and behind it.
fn around(format: Format, key: &str) -> Result<[String; 3]> {
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

/// About the bytes of a line.
fn width(around: &[String; 3]) -> usize {
    around[0].len() + 48
}

/// The points in parts of which each makes a piece of text.
fn parts(points: Points, width: usize) -> impl Iterator<Item = Points> {
    let most = (BYTES / width).max(1);
    let starts = (0..points.len()).step_by(most);
    starts.map(move |start| points.slice(start..(start + most).min(points.len())))
}

fn lines(around: &[String; 3], points: &Points) -> String {
    let [before, between, behind] = around;
    let mut text = String::with_capacity(points.len() * width(around));
    for (time, value) in points.iter() {
        let time = Timestamp::from_microsecond(time).unwrap_or_default();
        // The shortest digits that give the same number back.
        let _ = write!(text, "{before}{time}{between}{value:?}{behind}");
    }
    text
}
