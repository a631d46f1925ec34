//! Lines of other programs' files as points: CSV, NDJSON and InfluxDB's line protocol.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Value, error::Category};

use crate::{scalar::instant, series::key::canonical};

/// A point of a series that a line holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The series' key.
    pub series: String,
    /// µs since 1970 UTC.
    pub time: i64,
    /// What was measured.
    pub value: f64,
}

/// What a line holds.
#[derive(Debug, Default, PartialEq)]
pub struct Line {
    /// The points.
    pub rows: Vec<Row>,
    /// Why some of the line is left out.
    pub left_out: Option<String>,
}

/// What a line holds, or why it can't be taken.
pub type Parsed = Result<Line, String>;

impl From<Vec<Row>> for Line {
    fn from(rows: Vec<Row>) -> Self {
        Line {
            rows,
            left_out: None,
        }
    }
}

/// What whole numbers of time count, in µs; ns are cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Precision {
    /// Nanoseconds.
    Ns,
    /// Microseconds.
    Us,
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
}

impl Precision {
    fn micros(self, number: i64) -> Option<i64> {
        match self {
            Precision::Ns => Some(number.div_euclid(1_000)),
            Precision::Us => Some(number),
            Precision::Ms => number.checked_mul(1_000),
            Precision::S => number.checked_mul(1_000_000),
        }
    }

    /// A time as text: a whole number in this unit, or RFC 3339, also with a space between date and time.
    fn parse(self, text: &str) -> Result<i64, String> {
        let number = text.parse().ok().and_then(|number| self.micros(number));
        let instant = || instant(&text.replacen(' ', "T", 1));
        number.or_else(instant).ok_or_else(|| {
            format!(
                "`{}` is no time: write it with an offset, as 2026-11-24T13:32:08Z, or as a whole number",
                shown(text)
            )
        })
    }
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

fn key(text: &str) -> Result<String, String> {
    canonical(text)
        .map(|key| key.into_owned())
        .map_err(|error| format!("`{}` names no series: {error}", shown(text)))
}

fn number(text: &str) -> Result<f64, String> {
    let value: Option<f64> = text.parse().ok();
    value
        .filter(|value| value.is_finite())
        .ok_or_else(|| format!("`{}` is no finite number", shown(text)))
}

/// The columns of a CSV file.
#[derive(Debug)]
pub struct Header {
    /// How many there are.
    width: usize,
    columns: Columns,
}

#[derive(Debug)]
enum Columns {
    /// `series`, `time` and `value`, at these places.
    Long([usize; 3]),
    /// A time at this place; each other column is a series of that key.
    Wide(usize, Vec<(usize, String)>),
}

impl Header {
    /// By the names of the columns.
    ///
    /// # Errors
    /// Which column is missing, is there twice, or names no series.
    pub fn parse(names: &[&str]) -> Result<Self, String> {
        let width = names.len();
        let place = |wanted: &str| names.iter().position(|name| name.trim() == wanted);
        let time = place("time").ok_or(
            "the header names no column `time`: give series,time,value, or time and a column for each series, between commas",
        )?;
        for (at, name) in names.iter().enumerate() {
            if place(name.trim()) != Some(at) {
                return Err(format!("the header names `{}` twice", shown(name.trim())));
            }
        }
        if let (Some(series), Some(value)) = (place("series"), place("value")) {
            let columns = Columns::Long([series, time, value]);
            return Ok(Header { width, columns });
        }
        let others = names.iter().enumerate().filter(|(place, _)| *place != time);
        let series = others.map(|(place, name)| Ok((place, key(name.trim())?)));
        let columns = Columns::Wide(time, series.collect::<Result<_, String>>()?);
        Ok(Header { width, columns })
    }

    /// The points of a record; a cell of a series that is empty is none.
    pub fn rows(&self, record: &[&str], precision: Precision) -> Parsed {
        if record.len() != self.width {
            return Err(format!(
                "there are {} cells, and {} in the header (decimals are written with a point, text with commas in quotes)",
                record.len(),
                self.width
            ));
        }
        let cell = |place: usize| record.get(place).map_or("", |cell| cell.trim());
        match &self.columns {
            Columns::Long([series, time, value]) => Ok(Line::from(vec![Row {
                series: key(cell(*series))?,
                time: precision.parse(cell(*time))?,
                value: number(cell(*value))?,
            }])),
            Columns::Wide(time, series) => {
                let time = precision.parse(cell(*time))?;
                let mut rows = Vec::new();
                for (place, key) in series {
                    let text = cell(*place);
                    if !text.is_empty() {
                        rows.push(Row {
                            series: key.clone(),
                            time,
                            value: number(text)?,
                        });
                    }
                }
                Ok(rows.into())
            }
        }
    }
}

/// The point of a line `{"series":…,"time":…,"value":…}`.
pub fn ndjson(line: &str, precision: Precision) -> Parsed {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Point {
        series: String,
        time: Value,
        value: f64,
    }
    let point: Point = serde_json::from_str(line).map_err(|error| json_words(&error))?;
    let time = match point.time {
        Value::String(text) => precision.parse(&text)?,
        other => precision.parse(&other.to_string())?,
    };
    Ok(Line::from(vec![Row {
        series: key(&point.series)?,
        time,
        value: point.value,
    }]))
}

/// What is wrong with a line of JSON; its line's number there is always 1.
fn json_words(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let words = words.split(" at line ").next().unwrap_or_default();
    match error.classify() {
        Category::Data => format!("{words}: a line is `{{\"series\":…,\"time\":…,\"value\":…}}`"),
        _ => format!("this is no JSON: {words} at column {}", error.column()),
    }
}

/// The points of a line of InfluxDB's line protocol: `room,name=a temperature=21.5,count=3i 1465839830100400200`.
///
/// A field becomes the series `room.temperature{name="a"}`, the field `value` the series `room{name="a"}`. What a name may
/// not hold becomes `_`. Fields that are no numbers are left out.
/// (<https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/>)
pub fn line_protocol(line: &str, precision: Precision) -> Parsed {
    let parts = split(line, ' ');
    let (head, fields, time) = match &parts[..] {
        [head, fields, time] => (head, fields, time),
        [_, _] => {
            return Err("there is no time: a line is `measurement,tag=x field=1.5 TIME`".into());
        }
        _ => return Err("a line is `measurement,tag=x field=1.5 TIME`".into()),
    };
    let time = precision.parse(time)?;
    let mut tags = split(head, ',').into_iter();
    let measurement = plain(&unescaped(&tags.next().unwrap_or_default()));
    let mut labels = String::new();
    for tag in tags {
        let (name, value) = pair(&tag)?;
        let value = unescaped(&value).replace('\\', "\\\\").replace('"', "\\\"");
        let comma = if labels.is_empty() { "" } else { "," };
        let name = plain(&unescaped(&name)).replace(['.', ':'], "_");
        let _ = write!(labels, "{comma}{name}=\"{value}\"");
    }
    let mut line = Line::default();
    for field in split(fields, ',') {
        let (name, value) = pair(&field)?;
        let digits = value.strip_suffix(['i', 'u']).unwrap_or(&value);
        let value = match number(digits) {
            Ok(value) => value,
            Err(error) => {
                line.left_out = Some(format!("{error}: only numbers are stored"));
                continue;
            }
        };
        let name = match &*unescaped(&name) {
            "value" => measurement.clone(),
            other => format!("{measurement}.{}", plain(other)),
        };
        line.rows.push(Row {
            series: key(&format!("{name}{{{labels}}}"))?,
            time,
            value,
        });
    }
    match line.left_out {
        Some(reason) if line.rows.is_empty() => Err(reason),
        _ => Ok(line),
    }
}

/// Whether a line of line protocol is a comment, or a statement before an export's points.
pub fn is_no_point(line: &str) -> bool {
    let statement = line
        .get(..7)
        .is_some_and(|word| word.eq_ignore_ascii_case("create "));
    line.is_empty() || line.starts_with('#') || statement
}

/// `text` cut at each `at` that is neither escaped nor within quotes.
fn split(text: &str, at: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut escaped, mut quoted) = (false, false);
    for char in text.chars() {
        let cut = char == at && !escaped && !quoted;
        quoted ^= char == '"' && !escaped;
        escaped = char == '\\' && !escaped;
        match parts.last_mut() {
            Some(part) if !cut => part.push(char),
            _ => parts.push(String::new()),
        }
    }
    if at == ' ' {
        parts.retain(|part| !part.is_empty());
    }
    parts
}

fn pair(text: &str) -> Result<(String, String), String> {
    let mut parts = split(text, '=').into_iter();
    match (parts.next(), parts.next(), parts.next()) {
        (Some(name), Some(value), None) if !name.is_empty() && !value.is_empty() => {
            Ok((name, value))
        }
        _ => Err(format!("`{}` is not of the form name=value", shown(text))),
    }
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match chars.peek() {
            Some(',' | '=' | ' ' | '"' | '\\') if char == '\\' => plain.extend(chars.next()),
            _ => plain.push(char),
        }
    }
    plain
}

/// A name in which whatever a series' name may not hold is `_`.
fn plain(text: &str) -> String {
    let fits = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | ':');
    let name: String = text
        .chars()
        .map(|char| if fits(char) { char } else { '_' })
        .collect();
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if begins { name } else { format!("_{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(series: &str, time: i64, value: f64) -> Row {
        Row {
            series: series.into(),
            time,
            value,
        }
    }

    #[test]
    fn line_protocol_becomes_series() {
        let read = |line| line_protocol(line, Precision::Ns);
        assert_eq!(
            read(r#"room,name=a temperature=21.5,count=3i 1465839830100400200"#),
            Ok(Line::from(vec![
                row(r#"room.temperature{name="a"}"#, 1_465_839_830_100_400, 21.5),
                row(r#"room.count{name="a"}"#, 1_465_839_830_100_400, 3.0),
            ]))
        );
        assert_eq!(
            read(r#"my\ room,b=x\,\ y,a=1 value=-1e3 1000"#),
            Ok(Line::from(vec![row(r#"my_room{a="1",b="x, y"}"#, 1, -1e3)]))
        );
        assert_eq!(
            line_protocol("m value=1 2", Precision::S),
            Ok(Line::from(vec![row("m", 2_000_000, 1.0)]))
        );
        let part = read(r#"m a=1,on=true,text="x y" 1000"#).unwrap();
        assert_eq!(part.rows, [row("m.a", 1, 1.0)]);
        assert!(part.left_out.unwrap().contains("only numbers"));
        for (line, words) in [
            ("m value=1", "there is no time"),
            ("m", "a line is"),
            (r#"m text="a b,c=d" 1"#, "only numbers"),
            ("m on=true 1", "only numbers"),
            ("m value= 1", "name=value"),
            ("m,a value=1 1", "name=value"),
            ("m value=1 now", "is no time"),
        ] {
            let refused = read(line).unwrap_err();
            assert!(refused.contains(words), "{line}: {refused}");
        }
    }

    #[test]
    fn csv_is_long_or_wide() {
        let long = Header::parse(&["time", "value", "series"]).unwrap();
        let read = |header: &Header, record: &[&str]| header.rows(record, Precision::Us);
        assert_eq!(
            read(&long, &["5", "1.5", "a"]),
            Ok(Line::from(vec![row("a", 5, 1.5)]))
        );
        for record in [&["5", "1.5"][..], &["5", "1", "5", "a"]] {
            assert!(
                read(&long, record)
                    .unwrap_err()
                    .contains("and 3 in the header")
            );
        }
        assert_eq!(
            read(&long, &["1970-01-01 00:00:00.5+00:00", "1", "a"]),
            Ok(Line::from(vec![row("a", 500_000, 1.0)]))
        );
        assert!(
            read(&long, &["5", "NaN", "a"])
                .unwrap_err()
                .contains("no finite number")
        );
        assert!(
            read(&long, &["5", "1", "a b"])
                .unwrap_err()
                .contains("names no series")
        );
        let wide = Header::parse(&["time", "a", r#"b{x="1"}"#]).unwrap();
        assert_eq!(
            read(&wide, &["1970-01-01T00:00:01Z", "", " 2 "]),
            Ok(Line::from(vec![row(r#"b{x="1"}"#, 1_000_000, 2.0)]))
        );
        assert!(Header::parse(&["at", "a"]).unwrap_err().contains("`time`"));
        assert!(
            Header::parse(&["time", "a", " a"])
                .unwrap_err()
                .contains("`a` twice")
        );
        assert!(
            Header::parse(&["time", "a b"])
                .unwrap_err()
                .contains("names no series")
        );
    }

    #[test]
    fn ndjson_is_one_point_a_line() {
        let read = |line| ndjson(line, Precision::Us);
        assert_eq!(
            read(r#"{"series":"a","time":5,"value":1}"#),
            Ok(Line::from(vec![row("a", 5, 1.0)]))
        );
        assert_eq!(
            read(r#"{"value":-0.5,"time":"1970-01-01T00:00:01Z","series":"a"}"#),
            Ok(Line::from(vec![row("a", 1_000_000, -0.5)]))
        );
        for (line, words) in [
            (
                "{",
                "this is no JSON: EOF while parsing an object at column 1",
            ),
            ("nonsense", "this is no JSON: expected ident at column 2"),
            (
                r#"{"series":"a","time":5}"#,
                "missing field `value`: a line is `{",
            ),
            (
                r#"{"series":"a","time":5,"value":1,"unit":"s"}"#,
                "unknown field `unit`",
            ),
            (r#"{"series":"a","time":1.5,"value":1}"#, "`1.5` is no time"),
            (
                r#"{"series":"a","time":null,"value":1}"#,
                "`null` is no time",
            ),
        ] {
            let refused = read(line).unwrap_err();
            assert!(refused.contains(words), "{line}: {refused}");
        }
    }
}
