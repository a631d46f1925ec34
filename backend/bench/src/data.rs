//! Points, and how each service takes them.

use std::fmt::{Display, Write};

use clap::ValueEnum;
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::Arguments;

/// What a service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A GraphQL mutation with columns.
    Sundial,
    /// PostGraphile's mutation for a function that takes columns.
    Postgraphile,
    /// InfluxDB's line protocol, times in ns.
    Influx,
    /// The same, times in ms.
    InfluxMillis,
    /// `\copy` into rows, for psql.
    Copy,
    /// `INSERT … SELECT unnest(…)` into rows, for psql.
    Unnest,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Gauge {
    /// One decimal, at exact seconds.
    Exact,
    /// Two decimals, up to 5 ms off, in µs.
    Jitter,
    /// The same, in whole ms.
    JitterMillis,
}

struct Point {
    micros: i64,
    /// Whole numbers of the last decimal.
    digits: i32,
}

/// All points of a request: those of series 0, then those of series 1, and so on.
struct Request<'a> {
    arguments: &'a Arguments,
    series: Vec<Vec<Point>>,
}

/// The bodies of all requests, made before the clock starts: a point a second and series.
pub fn bodies(arguments: &Arguments) -> Vec<Vec<u8>> {
    let mut random = StdRng::seed_from_u64(1);
    let mut walk: Vec<i32> = vec![2000; arguments.series];
    let per_series = arguments.points as i64;
    (0..arguments.requests as i64)
        .map(|request| {
            let start = arguments.start + request * per_series;
            let mut point = |digits: &mut i32, second: i64| {
                let jitter = match arguments.gauge {
                    Gauge::Exact => 0,
                    Gauge::Jitter => random.random_range(-5_000..=5_000),
                    Gauge::JitterMillis => random.random_range(-5..=5) * 1_000,
                };
                *digits += random.random_range(-3..=3);
                Point {
                    micros: second * 1_000_000 + jitter,
                    digits: *digits,
                }
            };
            let series = walk
                .iter_mut()
                .map(|digits| {
                    (start..start + per_series)
                        .map(|second| point(digits, second))
                        .collect()
                })
                .collect();
            Request { arguments, series }.body().into_bytes()
        })
        .collect()
}

impl Request<'_> {
    fn body(&self) -> String {
        match self.arguments.kind {
            Kind::Sundial => self.sundial(),
            Kind::Postgraphile => self.postgraphile(),
            Kind::Influx => self.lines(|micros| micros * 1_000),
            Kind::InfluxMillis => self.lines(|micros| (micros + 500).div_euclid(1_000)),
            Kind::Copy => self.copy(),
            Kind::Unnest => self.unnest(),
        }
    }

    fn value(&self, digits: i32) -> f64 {
        match self.arguments.gauge {
            Gauge::Exact => f64::from(digits) / 10.0,
            Gauge::Jitter | Gauge::JitterMillis => f64::from(digits) / 100.0,
        }
    }

    fn points(&self) -> impl Iterator<Item = (usize, i64, f64)> {
        let numbered = self.series.iter().enumerate();
        numbered.flat_map(move |(series, points)| {
            points
                .iter()
                .map(move |point| (series, point.micros, self.value(point.digits)))
        })
    }

    fn sundial(&self) -> String {
        let batches = self.series.iter().enumerate().map(|(series, points)| {
            format!(
                r#"{{"series":"{}{{host=\"h{series}\"}}","times":[{}],"values":[{}]}}"#,
                self.arguments.name,
                list(points.iter().map(|point| point.micros)),
                list(points.iter().map(|point| self.value(point.digits)))
            )
        });
        let query = "mutation($t:String!,$b:[SeriesBatch!]!){ingest(tenant:$t,batches:$b){points}}";
        format!(
            r#"{{"query":"{query}","variables":{{"t":"bench","b":[{}]}}}}"#,
            list(batches)
        )
    }

    fn postgraphile(&self) -> String {
        let query = "mutation($s:[Int!]!,$t:[BigInt!]!,$v:[Float!]!){ingest(input:{series:$s,times:$t,vals:$v}){result}}";
        format!(
            r#"{{"query":"{query}","variables":{{"s":[{}],"t":[{}],"v":[{}]}}}}"#,
            list(self.points().map(|(series, ..)| series)),
            list(self.points().map(|(_, micros, _)| format!(r#""{micros}""#))),
            list(self.points().map(|(.., value)| value))
        )
    }

    fn lines(&self, time: impl Fn(i64) -> i64) -> String {
        let mut lines = String::new();
        for (series, micros, value) in self.points() {
            let (name, time) = (&self.arguments.name, time(micros));
            let _ = writeln!(lines, "{name},host=h{series} value={value} {time}");
        }
        lines
    }

    fn copy(&self) -> String {
        let mut rows = format!("\\copy {} from stdin\n", self.arguments.name);
        for (series, micros, value) in self.points() {
            let _ = writeln!(rows, "1\t{series}\t{micros}\t{value}");
        }
        rows.push_str("\\.\n");
        rows
    }

    fn unnest(&self) -> String {
        format!(
            "INSERT INTO {} SELECT 1, * FROM unnest('{{{}}}'::int[], '{{{}}}'::bigint[], '{{{}}}'::float8[]);\n",
            self.arguments.name,
            list(self.points().map(|(series, ..)| series)),
            list(self.points().map(|(_, micros, _)| micros)),
            list(self.points().map(|(.., value)| value))
        )
    }
}

/// Separated by commas.
fn list(items: impl Iterator<Item = impl Display>) -> String {
    let mut list = String::new();
    for (place, item) in items.enumerate() {
        let comma = if place == 0 { "" } else { "," };
        let _ = write!(list, "{comma}{item}");
    }
    list
}
