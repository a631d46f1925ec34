//! Points as text, a line each, piece by piece.

use std::{fmt::Write, ops::Range, time::Duration};

use jiff::Timestamp;
use tokio::sync::mpsc::Sender;

use crate::{
    chunk::{Points, TIMES},
    error::{Error, Result},
    guard::{Role, TenantScope},
    point::store::{Reader, read::Piece},
    request::Budget,
    series::{self, SeriesMatch},
};

/// Series listed at a time.
const SERIES: usize = 500;
/// Chunks that are made text at a time: some MiB.
const CHUNKS: usize = 8;

/// Longest time until a piece is taken.
const PATIENCE: Duration = Duration::from_secs(60);

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
    /// As [`Reader::open`], and [`Error::Internal`] when nobody takes a piece for a minute.
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
                let reader = Reader::open(scope, series.id, range, &Budget::endless(), now).await?;
                let mut reader = reader.by(CHUNKS);
                let around = around(self.format, &series.key)?;
                let lines = move |points: Points| lines(&around, &points);
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

fn lines([before, between, behind]: &[String; 3], points: &Points) -> String {
    let mut text = String::with_capacity(points.len() * (before.len() + 48));
    for (time, value) in points.iter() {
        let time = Timestamp::from_microsecond(time).unwrap_or_default();
        // The shortest digits that give the same number back.
        let _ = write!(text, "{before}{time}{between}{value:?}{behind}");
    }
    text
}
