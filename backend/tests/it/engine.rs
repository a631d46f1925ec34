//! Whatever is written, in whatever order, and however it has been compacted: reads answer as a map of points would.
//!
//! `SUNDIAL_TEST_CASES` says how many histories to draw, in place of [`CASES`].

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::atomic::{AtomicU32, Ordering},
};

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};
use tokio::runtime;

use crate::{
    app::{INGEST, PROD, TestApp, batch, columns},
    database::Kind,
};

/// Histories on SQLite, and half as many on PostgreSQL.
const CASES: u32 = 60;

/// 2026-03-28 12:00 UTC: clocks in Vienna change within a day.
const BASE: i64 = 1_774_699_200_000_000;
const SECOND: i64 = 1_000_000;

/// What happens to a tenant.
#[derive(Clone, Debug)]
enum Step {
    /// Points of one series: `count` of them from `start` on, in seconds from [`BASE`], every `step` ms.
    Write {
        series: usize,
        start: i64,
        step: i64,
        count: i64,
        value: i32,
    },
    Compact,
    /// Points of one series, in seconds from [`BASE`].
    Delete {
        series: usize,
        range: Range<i64>,
    },
    Read {
        series: usize,
        range: Range<i64>,
        every: &'static str,
        zone: &'static str,
        fill: &'static str,
        most: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    // Most are neighbours of what is there; some are large enough to be cut.
    let span = prop_oneof![
        3 => (0..7_200_i64, select(vec![1_000_i64, 500, 60_000]), 1..90_i64),
        2 => (-100_000..200_000_i64, select(vec![1_000_i64, 977, 3_600_000]), 1..400_i64),
        1 => (-20_000..20_000_i64, select(vec![1_000_i64, 10_000, 1_313]), 8_000..40_000_i64),
    ];
    let write = (0..3_usize, span, -500..500_i32).prop_map(|(series, span, value)| Step::Write {
        series,
        start: span.0,
        step: span.1,
        count: span.2,
        value,
    });
    let range = prop_oneof![
        2 => (-30_000..30_000_i64, 1..40_000_i64),
        1 => Just((-200_000, 900_000)),
        1 => (0..7_200_i64, 1..100_i64),
    ];
    let read = (
        0..3_usize,
        range.clone(),
        select(vec!["1m", "7m", "1h", "5h", "1d", "1w", "1mo"]),
        select(vec!["UTC", "Europe/Vienna", "Asia/Kathmandu"]),
        select(vec!["NONE", "NULL", "PREVIOUS", "LINEAR"]),
        select(vec![4_i64, 40, 1_000, 100_000]),
    );
    let read = read.prop_map(|(series, range, every, zone, fill, most)| Step::Read {
        series,
        range: range.0..range.0 + range.1,
        every,
        zone,
        fill,
        most,
    });
    let delete = (0..3_usize, range).prop_map(|(series, range)| Step::Delete {
        series,
        range: range.0..range.0 + range.1,
    });
    prop_oneof![8 => write, 4 => Just(Step::Compact), 1 => delete, 6 => read]
}

type Points = BTreeMap<i64, f64>;

/// The points of one history's series.
#[derive(Default)]
struct Model([Points; 3]);

#[cfg(not(feature = "filterless"))]
mod fenced {
    use super::*;

    #[test]
    fn reads_answer_as_a_map_would_on_sqlite() {
        reads_answer_as_a_map_would(Kind::Sqlite, cases());
    }

    #[test]
    fn reads_answer_as_a_map_would_on_postgres() {
        reads_answer_as_a_map_would(Kind::Postgres, cases() / 2);
    }
}

fn cases() -> u32 {
    let said = std::env::var("SUNDIAL_TEST_CASES");
    said.map_or(CASES, |said| said.parse().unwrap())
}

fn reads_answer_as_a_map_would(kind: Kind, cases: u32) {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let app = runtime.block_on(TestApp::start(kind));
    // Each history has series of its own.
    let histories = AtomicU32::new(0);
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let drawn = runner.run(&vec(step(), 1..24), |steps| {
        let history = histories.fetch_add(1, Ordering::Relaxed);
        runtime.block_on(live(&app, history, &steps))
    });
    drawn.unwrap_or_else(|error| panic!("{error}"));
}

fn key(history: u32, series: usize) -> String {
    format!(r#"engine{{history="{history}",series="{series}"}}"#)
}

async fn live(app: &TestApp, history: u32, steps: &[Step]) -> Result<(), TestCaseError> {
    let admin = &app.person("admin");
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Write {
                series,
                start,
                step,
                count,
                value,
            } => {
                let point = |place: i64| {
                    let time = BASE + start * SECOND + place * step * 1_000;
                    (time, f64::from(*value) + (place % 97) as f64 / 10.0)
                };
                let points: Vec<(i64, f64)> = (0..*count).map(point).collect();
                model.0[*series].extend(points.iter().copied());
                let batches = [batch(&key(history, *series), &points)];
                let variables = json!({ "tenant": PROD, "batches": batches });
                let data = app.data(&app.prod, INGEST, variables).await;
                prop_assert_eq!(&data["ingest"]["points"], *count);
            }
            Step::Compact => {
                app.compact(PROD).await;
            }
            Step::Delete { series, range } => {
                let range = BASE + range.start * SECOND..BASE + range.end * SECOND;
                let points = &mut model.0[*series];
                let before = points.len();
                let delete = async |dry: bool| {
                    let variables = json!({
                        "tenant": PROD, "series": [key(history, *series)], "dry": dry,
                        "range": { "from": range.start, "to": range.end },
                    });
                    app.ask(admin, DELETE, variables).await
                };
                let told = delete(true).await;
                let done = delete(false).await;
                prop_assert_eq!(&told, &done);
                points.retain(|time, _| !range.contains(time));
                let gone = before - points.len();
                let deleted = &done["data"]["deletePoints"];
                prop_assert_eq!(&deleted["points"], gone);
                prop_assert_eq!(&deleted["series"], usize::from(gone > 0));
                prop_assert_eq!(&delete(true).await["data"]["deletePoints"]["points"], 0);
            }
            Step::Read { series, .. } => {
                check(app, history, *series, &model.0[*series], step).await?;
            }
        }
    }
    Ok(())
}

const DELETE: &str = "mutation ($tenant: String!, $series: [String!]!, $range: TimeRange!, $dry: Boolean!) {
    deletePoints(tenant: $tenant, series: $series, range: $range, dryRun: $dry) { points bytes series } }";

const READ: &str = r#"query ($tenant: String!, $match: String, $range: TimeRange!, $every: Duration!, $zone: String!,
    $fill: WindowFill!, $most: Int!, $first: Int!) {
    tenant(slug: $tenant) { series(match: $match, first: 1) { nodes {
        all: samples(range: { from: 0, to: 7258118400000000 }) { times values }
        samples(range: $range) { times values }
        fewer: samples(range: $range, maxPoints: $most) { times values }
        windows(range: $range, every: $every, timeZone: $zone, fill: $fill) {
            starts count min max sum avg first last
        }
        points(range: $range, first: $first) { nodes { time value } pageInfo { hasNextPage } }
        latest { time value }
        gaps(range: $range, longerThan: "7m", first: 300) { from to }
    } } } }"#;

/// Asks for all that can be asked of a series, and compares.
async fn check(
    app: &TestApp,
    history: u32,
    series: usize,
    points: &Points,
    step: &Step,
) -> Result<(), TestCaseError> {
    let Step::Read {
        range,
        every,
        zone,
        fill,
        most,
        ..
    } = step
    else {
        return Ok(());
    };
    let range = BASE + range.start * SECOND..BASE + range.end * SECOND;
    let every = match *every {
        // Of longer ranges there would be too many windows.
        "1m" if range.end - range.start > 500_000 * SECOND => "1h",
        other => other,
    };
    let variables = json!({
        "tenant": PROD, "match": key(history, series), "range": { "from": range.start, "to": range.end },
        "every": every, "zone": zone, "fill": fill, "most": most, "first": 100,
    });
    let data = app.data(&app.prod, READ, variables).await;
    let nodes = data["tenant"]["series"]["nodes"].as_array().unwrap();
    let Some(node) = nodes.first() else {
        prop_assert!(points.is_empty());
        return Ok(());
    };
    let all: Vec<(i64, f64)> = points.iter().map(|(time, value)| (*time, *value)).collect();
    prop_assert_eq!(&columns(&node["all"]), &all);
    let within: Vec<(i64, f64)> = all
        .iter()
        .copied()
        .filter(|(time, _)| range.contains(time))
        .collect();
    prop_assert_eq!(&columns(&node["samples"]), &within);
    thinned(&columns(&node["fewer"]), &within, *most)?;
    let page = node["points"]["nodes"].as_array().unwrap();
    let page: Vec<(i64, f64)> = page.iter().map(point).collect();
    prop_assert_eq!(page.as_slice(), &within[..within.len().min(100)]);
    let more = node["points"]["pageInfo"]["hasNextPage"].as_bool();
    prop_assert_eq!(more, Some(within.len() > 100));
    let latest = Some(&node["latest"]).filter(|latest| !latest.is_null());
    prop_assert_eq!(latest.map(point), all.last().copied());
    gaps(&node["gaps"], &within, &range)?;
    windows(&node["windows"], &within, &range, every, zone, fill)
}

fn gaps(answer: &Value, points: &[(i64, f64)], range: &Range<i64>) -> Result<(), TestCaseError> {
    let mut edges = vec![range.start];
    edges.extend(points.iter().map(|(time, _)| *time));
    edges.push(range.end);
    let wide = edges
        .windows(2)
        .filter(|pair| pair[1] - pair[0] > 7 * 60 * SECOND);
    let wanted: Vec<(i64, i64)> = wide.map(|pair| (pair[0], pair[1])).take(300).collect();
    let time = |time: &Value| {
        time.as_str()
            .unwrap()
            .parse::<Timestamp>()
            .unwrap()
            .as_microsecond()
    };
    let given = answer.as_array().unwrap().iter();
    let given: Vec<(i64, i64)> = given
        .map(|gap| (time(&gap["from"]), time(&gap["to"])))
        .collect();
    prop_assert_eq!(given, wanted);
    Ok(())
}

fn point(node: &Value) -> (i64, f64) {
    let time: Timestamp = node["time"].as_str().unwrap().parse().unwrap();
    (time.as_microsecond(), node["value"].as_f64().unwrap())
}

/// At most `most` points, of which a line looks like that of all.
fn thinned(few: &[(i64, f64)], all: &[(i64, f64)], most: i64) -> Result<(), TestCaseError> {
    if all.len() as i64 <= most {
        prop_assert_eq!(few, all);
        return Ok(());
    }
    prop_assert!(few.len() as i64 <= most, "{} of {most}", few.len());
    prop_assert_eq!((few.first(), few.last()), (all.first(), all.last()));
    let extremes = |points: &[(i64, f64)]| {
        let values = points.iter().map(|(_, value)| *value);
        (values.clone().reduce(f64::min), values.reduce(f64::max))
    };
    prop_assert_eq!(extremes(few), extremes(all));
    let known: BTreeMap<i64, u64> = all
        .iter()
        .map(|(time, value)| (*time, value.to_bits()))
        .collect();
    for (time, value) in few {
        prop_assert_eq!(known.get(time), Some(&value.to_bits()));
    }
    Ok(())
}

type Aggregate = fn(&[f64]) -> f64;

/// When the window begins that `time` is in.
fn start(time: i64, every: &str, zone: &TimeZone) -> i64 {
    let day = Timestamp::from_microsecond(time)
        .unwrap()
        .to_zoned(zone.clone())
        .date();
    let day = match every {
        "1d" => day,
        "1w" => day - i64::from(day.weekday().to_monday_zero_offset()).days(),
        "1mo" => day.first_of_month(),
        _ => {
            let length = every.parse::<jiff::SignedDuration>().unwrap().as_micros() as i64;
            return time.div_euclid(length) * length;
        }
    };
    let midnight = day.to_zoned(zone.clone()).unwrap();
    midnight.timestamp().as_microsecond()
}

fn windows(
    answer: &Value,
    points: &[(i64, f64)],
    range: &Range<i64>,
    every: &str,
    zone: &str,
    fill: &str,
) -> Result<(), TestCaseError> {
    let zone = TimeZone::get(zone).unwrap();
    let mut held: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    if fill != "NONE" {
        let mut time = range.end - 1;
        while time >= range.start {
            let start = start(time, every, &zone);
            held.entry(start).or_default();
            time = start - 1;
        }
    }
    for (time, value) in points {
        let start = start(*time, every, &zone);
        held.entry(start).or_default().push(*value);
    }
    let integers = |name: &str| -> Vec<i64> {
        let list = answer[name].as_array().unwrap();
        list.iter().map(|number| number.as_i64().unwrap()).collect()
    };
    let starts: Vec<i64> = held.keys().copied().collect();
    prop_assert_eq!(&integers("starts"), &starts);
    let counts: Vec<i64> = held.values().map(|values| values.len() as i64).collect();
    prop_assert_eq!(&integers("count"), &counts);
    let columns: [(&str, Aggregate); 6] = [
        ("min", |values| {
            values.iter().copied().fold(f64::MAX, f64::min)
        }),
        ("max", |values| {
            values.iter().copied().fold(f64::MIN, f64::max)
        }),
        ("sum", |values| values.iter().sum()),
        ("avg", |values| {
            values.iter().sum::<f64>() / values.len() as f64
        }),
        ("first", |values| values[0]),
        ("last", |values| values[values.len() - 1]),
    ];
    for (name, aggregate) in columns {
        let known: BTreeMap<i64, f64> = held
            .iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(start, values)| (*start, aggregate(values)))
            .collect();
        let list = answer[name].as_array().unwrap();
        prop_assert_eq!(list.len(), starts.len());
        for (start, given) in starts.iter().zip(list) {
            let before = known.range(..=start).next_back();
            let after = known.range(start..).next();
            let wanted = match (fill, known.get(start)) {
                (_, Some(value)) => Some(*value),
                ("PREVIOUS", None) => before.map(|(_, value)| *value),
                ("LINEAR", None) => before.zip(after).map(|((from, low), (to, high))| {
                    low + (high - low) * (start - from) as f64 / (to - from) as f64
                }),
                (_, None) => None,
            };
            let near = match (given.as_f64(), wanted) {
                (Some(given), Some(wanted)) => {
                    (given - wanted).abs() <= 1e-9 * wanted.abs().max(1.0)
                }
                (None, None) => true,
                _ => false,
            };
            prop_assert!(near, "{name} from {start}: {given}, not {wanted:?}");
        }
    }
    Ok(())
}
