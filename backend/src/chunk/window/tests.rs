use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

use super::*;
use crate::chunk::Points;

fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_microsecond()
}

/// The windows of `points` within a range.
fn windows(
    points: &Points,
    range: Range<i64>,
    every: Every,
    zone: &TimeZone,
    fill: Fill,
) -> Result<Windows, TooManyWindows> {
    let mut within = points.clone();
    within.keep(points.places(&range));
    let edges = grid(&range, every, zone)?;
    let mut cells = Cells::new(edges.clone());
    for summary in edges.summarize(&within) {
        cells.append(&summary);
    }
    Ok(Windows::of(&cells, fill))
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn every(text: &str) -> Every {
    text.parse().unwrap()
}

fn points(pairs: &[(i64, f64)]) -> Points {
    let (times, values) = pairs.iter().copied().unzip();
    Points::sort_last_wins(times, values).unwrap()
}

/// Aggregates of second-long windows, from second 0 on.
fn seconds(pairs: &[(i64, f64)], range: Range<i64>, fill: Fill) -> Windows {
    let micros = |seconds: i64| seconds * 1_000_000;
    let pairs: Vec<_> = pairs
        .iter()
        .map(|&(time, value)| (time * 100_000, value))
        .collect();
    windows(
        &points(&pairs),
        micros(range.start)..micros(range.end),
        every("1s"),
        &TimeZone::UTC,
        fill,
    )
    .unwrap()
}

#[test]
fn windows_aggregate_what_lies_in_them() {
    let windows = seconds(
        &[(0, 3.0), (4, -1.0), (9, 2.0), (10, 5.0), (30, 7.0)],
        0..4,
        Fill::None,
    );
    assert_eq!(windows.starts, [0, 1_000_000, 3_000_000]);
    assert_eq!(windows.count, [3, 1, 1]);
    assert_eq!(windows.min, [Some(-1.0), Some(5.0), Some(7.0)]);
    assert_eq!(windows.max, [Some(3.0), Some(5.0), Some(7.0)]);
    assert_eq!(windows.sum, [Some(4.0), Some(5.0), Some(7.0)]);
    assert_eq!(windows.avg, [Some(4.0 / 3.0), Some(5.0), Some(7.0)]);
    assert_eq!(windows.first, [Some(3.0), Some(5.0), Some(7.0)]);
    assert_eq!(windows.last, [Some(2.0), Some(5.0), Some(7.0)]);
}

#[test]
fn windows_without_points_are_filled_as_asked() {
    let pairs = [(10, 1.0), (11, 2.0), (40, 7.0)];
    let filled = |fill| seconds(&pairs, 0..6, fill);
    assert_eq!(filled(Fill::None).count, [2, 1]);
    for fill in [Fill::Null, Fill::Previous, Fill::Linear] {
        assert_eq!(filled(fill).count, [0, 2, 0, 0, 1, 0]);
        assert_eq!(filled(fill).starts.len(), 6);
    }
    assert_eq!(
        filled(Fill::Null).sum,
        [None, Some(3.0), None, None, Some(7.0), None]
    );
    let previous = filled(Fill::Previous);
    assert_eq!(
        previous.sum,
        [None, Some(3.0), Some(3.0), Some(3.0), Some(7.0), Some(7.0)]
    );
    assert_eq!(
        previous.min,
        [None, Some(1.0), Some(1.0), Some(1.0), Some(7.0), Some(7.0)]
    );
    let linear = filled(Fill::Linear);
    assert_eq!(
        linear.min,
        [None, Some(1.0), Some(3.0), Some(5.0), Some(7.0), None]
    );
    assert_eq!(
        linear.max,
        [
            None,
            Some(2.0),
            Some(11.0 / 3.0),
            Some(16.0 / 3.0),
            Some(7.0),
            None
        ]
    );
    assert_eq!(seconds(&[], 0..3, Fill::Previous).last, [None, None, None]);
    assert_eq!(seconds(&[], 0..3, Fill::Linear).last, [None, None, None]);
}

#[test]
fn sums_beyond_f64_are_null_and_nothing_is_filled_from_them() {
    let pairs = [
        (0, f64::MAX),
        (1, f64::MAX),
        (10, 1.0),
        (30, f64::MIN),
        (31, f64::MIN),
        (50, -f64::MAX),
    ];
    let windows = seconds(&pairs, 0..6, Fill::Linear);
    assert_eq!(
        windows.sum,
        [None, Some(1.0), None, None, None, Some(-f64::MAX)]
    );
    assert_eq!(windows.avg, windows.sum);
    assert_eq!(windows.max[0], Some(f64::MAX));
    assert_eq!(seconds(&pairs, 0..6, Fill::Previous).sum[4], None);
    let finite = |column: &[Option<f64>]| column.iter().flatten().all(|value| value.is_finite());
    for column in [
        &windows.min,
        &windows.max,
        &windows.sum,
        &windows.avg,
        &windows.first,
        &windows.last,
    ] {
        assert!(finite(column));
    }
    let extremes = seconds(
        &[(0, f64::MAX), (30, -f64::MAX), (60, f64::MAX)],
        0..7,
        Fill::Linear,
    );
    assert!(
        extremes
            .avg
            .iter()
            .all(|value| value.is_some_and(f64::is_finite))
    );
}

#[test]
fn only_points_within_the_range_count() {
    let windows = |range| {
        windows(
            &points(&[(100, 1.0), (200, 2.0), (300, 3.0)]),
            range,
            every("1s"),
            &TimeZone::UTC,
            Fill::None,
        )
        .unwrap()
    };
    assert_eq!(
        (windows(200..300).starts, windows(200..300).sum),
        (vec![0], vec![Some(2.0)])
    );
    assert_eq!(windows(200..301).sum, [Some(5.0)]);
    assert!(windows(200..200).is_empty());
    assert!(windows(i64::MIN..0).is_empty());
    assert_eq!(windows(i64::MIN..1_000).sum, [Some(6.0)]);
    assert!(windows(TIMES.end..i64::MAX).is_empty());
    let last = Timestamp::from_microsecond(TIMES.end)
        .unwrap()
        .checked_sub(1.hours())
        .unwrap()
        .as_microsecond();
    assert!(windows(last..i64::MAX).is_empty());
}

#[test]
fn days_in_vienna_have_23_24_or_25_hours() {
    let vienna = zone("Europe/Vienna");
    // A point each quarter of an hour, over both changes of clocks.
    let counts = |from: &str, to: &str| {
        let times: Vec<i64> = (at(from)..at(to)).step_by(900_000_000).collect();
        let all = Points::sort_last_wins(times.clone(), vec![1.0; times.len()]).unwrap();
        windows(&all, at(from)..at(to), every("1d"), &vienna, Fill::Null).unwrap()
    };
    let spring = counts("2026-03-27T23:00:00Z", "2026-03-30T22:00:00Z");
    assert_eq!(spring.count, [24 * 4, 23 * 4, 24 * 4]);
    assert_eq!(
        spring.starts,
        [
            at("2026-03-27T23:00:00Z"),
            at("2026-03-28T23:00:00Z"),
            at("2026-03-29T22:00:00Z")
        ]
    );
    let autumn = counts("2026-10-23T22:00:00Z", "2026-10-26T23:00:00Z");
    assert_eq!(autumn.count, [24 * 4, 25 * 4, 24 * 4]);
    let months = windows(
        &Points::default(),
        at("2026-01-15T00:00:00Z")..at("2026-05-15T00:00:00Z"),
        every("1mo"),
        &vienna,
        Fill::Null,
    )
    .unwrap();
    assert_eq!(months.starts[0], at("2025-12-31T23:00:00Z"));
    assert_eq!(months.starts[4], at("2026-04-30T22:00:00Z"));
    assert_eq!(months.len(), 5);
}

#[test]
fn a_day_that_was_skipped_is_no_window() {
    // Samoa went from the 29th to the 31st of December 2011.
    let apia = zone("Pacific/Apia");
    let range = at("2011-12-28T10:00:00Z")..at("2012-01-02T10:00:00Z");
    let windows = windows(&Points::default(), range, every("1d"), &apia, Fill::Null).unwrap();
    let day = |start: &i64| {
        Timestamp::from_microsecond(*start)
            .unwrap()
            .to_zoned(apia.clone())
            .date()
            .to_string()
    };
    let days: Vec<String> = windows.starts.iter().map(day).collect();
    assert_eq!(
        days,
        [
            "2011-12-28",
            "2011-12-29",
            "2011-12-31",
            "2012-01-01",
            "2012-01-02"
        ]
    );
}

#[test]
fn too_many_windows_are_refused_with_a_length_that_works() {
    let all = Points::default();
    let refused = |text: &str, range: Range<i64>| {
        windows(&all, range, every(text), &zone("Europe/Vienna"), Fill::None)
    };
    let hour = 3_600_000_000;
    assert_eq!(refused("1s", 0..10_000_000_000).unwrap().len(), 0);
    assert_eq!(
        refused("1s", 0..10_000_000_001).unwrap_err().to_string(),
        "every 1s makes 10001 windows of this range and at most 10000 are given: ask for every 5s, or for a shorter range",
    );
    for text in ["1ms", "1s", "3m", "1h", "1d", "1w"] {
        for length in [hour, 24 * hour, 400 * 24 * hour, TIMES.end] {
            let range = TIMES.end - length..TIMES.end;
            if let Err(error) = refused(text, range.clone()) {
                assert!(refused(error.enough, range).is_ok(), "{error}");
            }
        }
    }
    assert!(refused("1d", TIMES).is_err());
    assert!(refused("1mo", TIMES).is_ok());
    assert!(refused("2760mo", TIMES).is_ok());
    assert!(
        windows(
            &all,
            i64::MIN..i64::MAX,
            every("1ms"),
            &TimeZone::UTC,
            Fill::Null
        )
        .is_err()
    );
}

/// The start of the window that a time is in, found by walking back from it day by day.
fn naive_start(time: i64, text: &str, zone: &TimeZone) -> i64 {
    let (count, unit) = text.split_at(text.find(|char: char| !char.is_ascii_digit()).unwrap());
    let count: i64 = count.parse().unwrap();
    let fixed = |micros: i64| time - time.rem_euclid(micros * count);
    let local = Timestamp::from_microsecond(time)
        .unwrap()
        .to_zoned(zone.clone())
        .date();
    // Where clocks go back over midnight, the next day has begun already.
    let mut day = local.tomorrow().unwrap();
    let days = |day: jiff::civil::Date, from: &str| {
        day.since(from.parse::<jiff::civil::Date>().unwrap())
            .unwrap()
            .get_days()
    };
    let begins = |day: jiff::civil::Date| match unit {
        "d" => i64::from(days(day, "1970-01-01")).rem_euclid(count) == 0,
        "w" => i64::from(days(day, "1969-12-29")).rem_euclid(7 * count) == 0,
        _ => {
            day.day() == 1
                && (i64::from(day.year() - 1970) * 12 + i64::from(day.month()) - 1)
                    .rem_euclid(count)
                    == 0
        }
    };
    match unit {
        "ms" => return fixed(1_000),
        "s" => return fixed(1_000_000),
        "m" => return fixed(60_000_000),
        "h" => return fixed(3_600_000_000),
        _ => {}
    }
    loop {
        let start = day
            .to_zoned(zone.clone())
            .unwrap()
            .timestamp()
            .as_microsecond();
        if begins(day) && start <= time {
            return start;
        }
        day = day.yesterday().unwrap();
    }
}

proptest! {
    #[test]
    fn windows_equal_a_naive_model(
        // Around changes of clocks, at midnight too, and around both ends of all times.
        base in prop::sample::select(vec![
            "1970-01-03T00:00:00Z", "2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2006-10-29T02:31:00Z",
            "2018-11-04T03:00:00Z", "2018-02-18T02:00:00Z", "2011-12-30T10:00:00Z", "2199-12-30T00:00:00Z",
        ]),
        name in prop::sample::select(vec![
            "UTC", "Europe/Vienna", "America/St_Johns", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kathmandu",
            "Australia/Lord_Howe",
        ]),
        text in prop::sample::select(vec![
            "1800000ms", "3600s", "7m", "1h", "5h", "1d", "2d", "5d", "1w", "2w", "1mo", "3mo", "12mo",
        ]),
        pairs in prop::collection::btree_map(-96_i64..96, -1e3..1e3_f64, 0..60),
        from in -100_i64..100,
        length in 0_i64..200,
    ) {
        let quarter = 900_000_000;
        let zone = zone(name);
        let base = at(base) + 60_000_000;
        let range = (base + from * quarter).max(0)..(base + (from + length) * quarter).min(TIMES.end);
        let pairs: Vec<(i64, f64)> = pairs
            .into_iter()
            .map(|(time, value)| (base + time * quarter + time, value))
            .filter(|(time, _)| TIMES.contains(time))
            .collect();
        let windows = |fill| windows(&points(&pairs), range.clone(), every(text), &zone, fill).unwrap();

        let mut model: Vec<(i64, Vec<f64>)> = Vec::new();
        for &(time, value) in pairs.iter().filter(|(time, _)| range.contains(time)) {
            let start = naive_start(time, text, &zone);
            match model.last_mut().filter(|(last, _)| *last == start) {
                Some((_, values)) => values.push(value),
                None => model.push((start, vec![value])),
            }
        }
        let none = windows(Fill::None);
        prop_assert_eq!(&none.starts, &model.iter().map(|(start, _)| *start).collect::<Vec<_>>());
        for (index, (_, values)) in model.iter().enumerate() {
            prop_assert_eq!(none.count[index] as usize, values.len());
            prop_assert_eq!(none.min[index], values.iter().copied().reduce(f64::min));
            prop_assert_eq!(none.max[index], values.iter().copied().reduce(f64::max));
            prop_assert!((none.sum[index].unwrap() - values.iter().sum::<f64>()).abs() < 1e-6);
            prop_assert!((none.avg[index].unwrap() - values.iter().sum::<f64>() / values.len() as f64).abs() < 1e-6);
            prop_assert_eq!((none.first[index], none.last[index]), (values.first().copied(), values.last().copied()));
        }

        // With all windows there: they begin where any time in them says, cover the range and leave no gap.
        let null = windows(Fill::Null);
        let mut expected = Vec::new();
        let mut time = range.end - 1;
        while time >= range.start {
            let start = naive_start(time, text, &zone);
            expected.push(start);
            time = start - 1;
        }
        expected.reverse();
        prop_assert_eq!(&null.starts, &expected);
        prop_assert_eq!(null.count.iter().sum::<u64>(), none.count.iter().sum::<u64>());
    }
}
