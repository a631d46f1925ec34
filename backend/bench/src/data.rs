//! Points, and how each service takes them.

use std::fmt::Write;

use clap::ValueEnum;
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::Arguments;

/// What a service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A GraphQL mutation with columns.
    Sundial,
    /// InfluxDB's line protocol, times in ns.
    Influx,
    /// The same, times in ms.
    InfluxMillis,
}

/// The bodies of all requests, made before the clock starts: a gauge with one decimal, a point a second.
pub fn bodies(arguments: &Arguments) -> Vec<Vec<u8>> {
    let mut random = StdRng::seed_from_u64(1);
    let mut values: Vec<i32> = vec![200; arguments.series];
    let per_series = arguments.points as i64;
    (0..arguments.requests as i64)
        .map(|request| {
            let start = arguments.start + request * per_series;
            let mut gauge = |series: usize| {
                let value = &mut values[series];
                *value += random.random_range(-3..=3);
                f64::from(*value) / 10.0
            };
            let times = start..start + per_series;
            match arguments.kind {
                Kind::Sundial => columns(arguments, times, &mut gauge),
                Kind::Influx => lines(arguments.series, times, 1_000_000_000, &mut gauge),
                Kind::InfluxMillis => lines(arguments.series, times, 1_000, &mut gauge),
            }
        })
        .collect()
}

type Times = std::ops::Range<i64>;

fn columns(arguments: &Arguments, times: Times, gauge: &mut impl FnMut(usize) -> f64) -> Vec<u8> {
    let mut batches = String::new();
    for series in 0..arguments.series {
        let mut values = String::new();
        let mut stamps = String::new();
        for time in times.clone() {
            let _ = write!(stamps, "{time}000000,");
            let _ = write!(values, "{},", gauge(series));
        }
        let (stamps, values) = (stamps.trim_end_matches(','), values.trim_end_matches(','));
        let _ = write!(
            batches,
            r#"{{"series":"gauge{{host=\"h{series}\"}}","times":[{stamps}],"values":[{values}]}},"#
        );
    }
    let query = "mutation($t:String!,$b:[SeriesBatch!]!){ingest(tenant:$t,batches:$b){points}}";
    format!(
        r#"{{"query":"{query}","variables":{{"t":"{}","b":[{}]}}}}"#,
        arguments.tenant,
        batches.trim_end_matches(',')
    )
    .into_bytes()
}

fn lines(series: usize, times: Times, unit: i64, gauge: &mut impl FnMut(usize) -> f64) -> Vec<u8> {
    let mut lines = String::new();
    for series in 0..series {
        for time in times.clone() {
            let _ = writeln!(
                lines,
                "gauge,host=h{series} value={} {}",
                gauge(series),
                time * unit
            );
        }
    }
    lines.into_bytes()
}
