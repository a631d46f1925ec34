//! `sundial import`: points from files of other programs.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    command::{counted, open_existing, operated, ready, say},
    config::DatabaseConfig,
    error::{Error, Result},
    guard::{Pool, Wake},
    point::{
        import::{Header, Parsed, Precision, is_no_point, line_protocol, ndjson},
        store::{
            ingest::{Job, Known, ingest},
            usage,
        },
        write::{Column, IdempotencyKey, Write},
    },
    request::{DAY, now},
};

/// Points written at a time.
const POINTS: usize = 100_000;
/// Series written at a time.
const SERIES: usize = 5_000;
/// How much longer than just now a point must be kept to be written, in µs.
const MARGIN: i64 = 60_000_000;
/// Longest line, in bytes.
const LINE: u64 = 1 << 20;
/// Refused lines that are told.
const TOLD: usize = 100;

/// Write points from a file to a tenant.
#[derive(Args, Debug)]
#[command(after_help = "Formats (by the file's name):
  csv      .csv: series,time,value in the header, in any order; or time and a column for each series
  ndjson   .ndjson, .jsonl: {\"series\":\"room.temperature\",\"time\":\"2026-11-24T13:00:00Z\",\"value\":21.5} a line
  influx   .lp, .influx: line protocol: room,name=a temperature=21.5,value=1 1795525200000000000
           becomes room.temperature{name=\"a\"} and room{name=\"a\"}; what a name may not hold becomes _

Times are RFC 3339 with an offset, or whole numbers; finer than a microsecond is cut off. A line that can't be taken is
told with its number (the header's is 1) and the reason, and the others are written. Run again within 24 hours, the
command writes nothing twice, also not what was overwritten or deleted since, unless --again is given; --from-line spares
it the lines that are written.

Examples:
  sundial import --tenant mcce-g1-prod history.csv
  influx_inspect export -database home -out /dev/stdout |
      sundial import --tenant mcce-g1-prod --format influx -
  gunzip -c history.csv.gz | sundial import --tenant mcce-g1-prod --format csv -
  sundial import --tenant mcce-g1-prod --format ndjson --precision ms \\
      --from-line 200001 points.ndjson")]
pub struct Import {
    /// The file; - for standard input
    file: PathBuf,
    /// The tenant's name
    #[arg(long, env = "SUNDIAL_TENANT", value_name = "SLUG")]
    tenant: String,
    /// What the file holds [default: by its name]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// What times count that are whole numbers [default: ns of line protocol, us elsewhere]
    #[arg(long, value_enum)]
    precision: Option<Precision>,
    /// Pass over the lines before this one, the header excepted
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    from_line: u64,
    /// Write as well what this command has written before, over whatever is there now
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    database: DatabaseConfig,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    Ndjson,
    Influx,
}

/// Runs the command.
///
/// # Errors
/// [`Error::BadInput`] when there is no such tenant or file, or lines were refused; and what the database says.
pub async fn run(command: Import) -> Result<()> {
    let format = command.format.or_else(|| Format::of(&command.file));
    let format = format.ok_or_else(|| {
        Error::bad_input(
            "the file's name does not tell what it holds: give --format csv, ndjson or influx",
        )
    })?;
    let usual = if format == Format::Influx {
        Precision::Ns
    } else {
        Precision::Us
    };
    let precision = command.precision.unwrap_or(usual);
    let (reader, length) = open(&command.file)?;
    let pool = ready(open_existing(&command.database).await?).await?;
    let kept = usage(&operated(&pool, &command.tenant).await?)
        .await?
        .retention;
    let begun = Arc::new(AtomicU64::new(command.from_line));
    let mut importing = Importing {
        pool: pool.clone(),
        tenant: command.tenant,
        kept,
        again: command.again,
        known: Known::default(),
        waiting: BTreeMap::new(),
        points: 0,
        written: 0,
        before: 0,
        begun: begun.clone(),
        refused: 0,
        bar: bar(length),
    };
    let mut reader = BufReader::new(reader);
    if reader
        .fill_buf()
        .is_ok_and(|begin| begin.starts_with(b"\x1f\x8b"))
    {
        return Err(Error::bad_input(
            "the file is compressed: give it by `gunzip -c FILE | sundial import … --format csv -`",
        ));
    }
    let lines = Lines { reader, number: 0 };
    let asked = tokio::spawn(end_when_asked(begun));
    importing
        .all(lines, format, precision, command.from_line)
        .await?;
    asked.abort();
    importing.bar.finish_and_clear();
    pool.close().await;
    let written = counted(importing.written, "point");
    if importing.before == 0 {
        say(format_args!("{written} written"))?;
    } else {
        let before = counted(importing.before, "point");
        say(format_args!(
            "{written} written; {before} had been written before (--again writes them over what is there now)"
        ))?;
    }
    match importing.refused {
        0 => Ok(()),
        refused => Err(Error::bad_input(format!(
            "{} refused, for the reasons above; the rest is written",
            if refused == 1 {
                "1 line was".to_owned()
            } else {
                format!("{refused} lines were")
            }
        ))),
    }
}

/// Says on Ctrl-C how to go on. What is being written then is written or not, and not twice by the next run.
async fn end_when_asked(begun: Arc<AtomicU64>) {
    if tokio::signal::ctrl_c().await.is_ok() {
        let line = begun.load(Ordering::Relaxed);
        eprintln!(
            "\nstopped: what stands before line {line} is written; go on with --from-line {line}"
        );
        std::process::exit(130);
    }
}

impl Format {
    fn of(file: &Path) -> Option<Self> {
        match file.extension()?.to_str()? {
            "csv" => Some(Format::Csv),
            "ndjson" | "jsonl" => Some(Format::Ndjson),
            "lp" | "influx" => Some(Format::Influx),
            _ => None,
        }
    }
}

fn open(file: &Path) -> Result<(Box<dyn Read + Send>, Option<u64>)> {
    if file == Path::new("-") {
        return Ok((Box::new(io::stdin()), None));
    }
    let opened = File::open(file);
    let opened =
        opened.map_err(|error| Error::bad_input(format!("{}: {error}", file.display())))?;
    let length = opened.metadata().ok().map(|known| known.len());
    Ok((Box::new(opened), length))
}

fn bar(length: Option<u64>) -> ProgressBar {
    let (bar, style) = match length {
        Some(length) => (
            ProgressBar::new(length),
            "{bar:40} {bytes} of {total_bytes}, {eta} left, {msg}",
        ),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes}, {msg}"),
    };
    if !io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar
}

/// Lines of text, counted from 1.
struct Lines {
    reader: BufReader<Box<dyn Read + Send>>,
    number: u64,
}

impl Lines {
    fn next(&mut self) -> Result<Option<String>> {
        let mut bytes = Vec::new();
        let mut one = (&mut self.reader).take(LINE);
        let read = one.read_until(b'\n', &mut bytes);
        read.map_err(|error| Error::bad_input(format!("the file can't be read: {error}")))?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        if bytes.len() as u64 == LINE {
            return Err(Error::bad_input(format!(
                "line {} is longer than {LINE} bytes: this is no such file",
                self.number
            )));
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

struct Importing {
    pool: Pool,
    tenant: String,
    known: Known,
    waiting: BTreeMap<String, Column>,
    points: usize,
    /// How long the tenant keeps points, in µs.
    kept: Option<i64>,
    again: bool,
    written: u64,
    /// Points that were written by an earlier run.
    before: u64,
    /// The first line that is not written.
    begun: Arc<AtomicU64>,
    refused: u64,
    bar: ProgressBar,
}

impl Importing {
    async fn all(
        &mut self,
        mut lines: Lines,
        format: Format,
        precision: Precision,
        from: u64,
    ) -> Result<()> {
        let header = match format {
            Format::Csv => {
                let first = lines.next()?.unwrap_or_default();
                self.bar.inc(first.len() as u64);
                let cells = cells(first.trim_start_matches('\u{feff}'));
                let names: Vec<&str> = cells.iter().map(String::as_str).collect();
                let header = Header::parse(&names);
                Some(header.map_err(|error| Error::bad_input(format!("line 1: {error}")))?)
            }
            Format::Ndjson | Format::Influx => None,
        };
        while let Some(line) = lines.next()? {
            self.bar.inc(line.len() as u64);
            let text = line.trim();
            let no_point = text.is_empty() || (format == Format::Influx && is_no_point(text));
            if lines.number < from || no_point {
                continue;
            }
            let parsed = match (&header, format) {
                (Some(header), _) => {
                    let cells = cells(text);
                    let record: Vec<&str> = cells.iter().map(String::as_str).collect();
                    header.rows(&record, precision)
                }
                (None, Format::Influx) => line_protocol(text, precision),
                (None, _) => ndjson(text, precision),
            };
            self.take(lines.number, parsed);
            if self.points >= POINTS || self.waiting.len() >= SERIES {
                self.write(lines.number).await?;
            }
        }
        self.write(lines.number).await
    }

    fn take(&mut self, number: u64, parsed: Parsed) {
        let parsed = parsed.and_then(|line| {
            line.rows
                .iter()
                .try_for_each(|row| self.is_kept(row.time))?;
            Ok(line)
        });
        match parsed {
            Ok(line) => {
                self.points += line.rows.len();
                for row in line.rows {
                    let column = self.waiting.entry(row.series);
                    let column = column.or_insert_with_key(|series| Column {
                        series: series.clone(),
                        times: Vec::new(),
                        values: Vec::new(),
                    });
                    column.times.push(row.time);
                    column.values.push(row.value);
                }
                if let Some(reason) = line.left_out {
                    self.refuse(
                        number,
                        &format!("{reason}; the rest of the line is written"),
                    );
                }
            }
            Err(reason) => self.refuse(number, &reason),
        }
    }

    fn is_kept(&self, time: i64) -> Result<(), String> {
        if !crate::chunk::TIMES.contains(&time) {
            return Err(format!("the time {time} µs is not from 1970 up to 2200"));
        }
        match self.kept {
            // What is about to leave would be refused together with all that is written at once.
            Some(kept) if time < now() - kept + MARGIN => Err(format!(
                "the tenant keeps points for {} days, and this one is older",
                kept / DAY
            )),
            _ => Ok(()),
        }
    }

    fn refuse(&mut self, number: u64, reason: &str) {
        self.refused += 1;
        let told = usize::try_from(self.refused).unwrap_or(usize::MAX);
        if told <= TOLD {
            self.bar.suspend(|| eprintln!("line {number}: {reason}"));
        } else if told == TOLD + 1 {
            self.bar
                .suspend(|| eprintln!("more lines are refused, which are only counted"));
        }
    }

    /// Writes what waits, up to the line `number`.
    async fn write(&mut self, number: u64) -> Result<()> {
        let columns: Vec<Column> = std::mem::take(&mut self.waiting).into_values().collect();
        self.points = 0;
        for columns in columns.chunks(SERIES) {
            let done = self.ingest(columns).await;
            let (points, replayed) = done.map_err(|error| {
                let begun = self.begun.load(Ordering::Relaxed);
                let on = format!(
                    "{error}; what stands before line {begun} is written: mend it, and go on with --from-line {begun}"
                );
                match error {
                    Error::Internal(_) => Error::Internal(on),
                    _ => Error::BadInput(on),
                }
            })?;
            let count = if replayed {
                &mut self.before
            } else {
                &mut self.written
            };
            *count += points;
            let bar = counted(self.written + self.before, "point");
            self.bar.set_message(bar);
        }
        self.begun.store(number + 1, Ordering::Relaxed);
        Ok(())
    }

    /// How many points these are, and whether they had been written before.
    async fn ingest(&self, columns: &[Column]) -> Result<(u64, bool)> {
        let write = Write::try_from(columns)?;
        let points = write.count() as u64;
        // The same points again are the same write.
        let hash: String = write
            .hash()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let key = IdempotencyKey::try_from(format!("import/{hash}"))?;
        let key = (!self.again).then_some(key);
        let scope = operated(&self.pool, &self.tenant).await?;
        let wake = Wake {
            server: 0,
            tenant_id: scope.tenant().id,
        };
        let job = Job::prepare(&scope, write, key, &self.known).await?;
        let mut replayed = false;
        for receipt in ingest(scope, vec![job], &self.known, now()).await? {
            replayed |= receipt?.replayed;
        }
        self.pool.wake(&[wake]).await?;
        Ok((points, replayed))
    }
}

/// The cells of a record on one line (RFC 4180).
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut chars = line.trim_end_matches(['\r', '\n']).chars().peekable();
    let mut quoted = false;
    while let Some(char) = chars.next() {
        let Some(cell) = cells.last_mut() else {
            break;
        };
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted || cell.trim().is_empty() => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            other => cell.push(other),
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_cut_by_the_rules() {
        assert_eq!(cells("a,b,\r\n"), ["a", "b", ""]);
        assert_eq!(
            cells(r#""room{name=""a, \""b\""""}",1,2"#),
            [r#"room{name="a, \"b\""}"#, "1", "2"]
        );
        assert_eq!(cells(""), [""]);
    }
}
