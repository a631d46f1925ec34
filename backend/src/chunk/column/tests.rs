use proptest::prelude::*;

use super::*;

fn encoded(points: &Points) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_column(points, &mut bytes);
    bytes
}

fn comes_back(points: &Points) {
    let shape = Shape::of(points).unwrap();
    let read = decode_column(&encoded(points), shape).unwrap();
    assert_eq!(read.times(), points.times());
    let bits = |points: &Points| {
        points
            .values()
            .iter()
            .map(|value| value.to_bits())
            .collect::<Vec<_>>()
    };
    assert_eq!(bits(&read), bits(points));
}

/// Any finite number, the odd ones often.
pub(in super::super) fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>()
            .prop_map(f64::from_bits)
            .prop_filter("finite", |value| value.is_finite()),
        (-100_000_i32..100_000).prop_map(|hundredths| f64::from(hundredths) / 100.0),
        prop::sample::select(vec![
            0.0,
            -0.0,
            f64::MIN,
            f64::MAX,
            f64::MIN_POSITIVE,
            5e-324,
            -5e-324,
            f64::EPSILON,
            1.0
        ]),
    ]
}

/// Up to `most` points whose times are regular, jittered or anywhere.
pub(in super::super) fn points(most: usize) -> impl Strategy<Value = Points> {
    let values = prop_oneof![
        prop::collection::vec(finite(), 1..most),
        prop::collection::vec(
            (-9_000_i32..9_000).prop_map(|hundredths| f64::from(hundredths) / 100.0),
            1..most
        ),
        (finite(), 1..most).prop_map(|(value, count)| vec![value; count]),
        (any::<i32>(), 1..most)
            .prop_map(|(start, count)| (0..count).map(|i| f64::from(start) + i as f64).collect()),
    ];
    let times = prop_oneof![
        Just(vec![(1_790_000_000_000_000, 1_000_000, 0)]),
        prop::collection::vec(
            (Just(1_790_000_000_000_000), Just(1_000_000), 0..20_000_i64),
            most
        ),
        prop::collection::vec((super::super::TIMES, Just(0), Just(0)), most),
        prop::collection::vec((Just(7_258_118_399_000_000), Just(1), Just(0)), most),
    ];
    (times, values).prop_map(|(times, values)| {
        let time = |index: usize| {
            let (start, step, jitter) = times[index % times.len()];
            start + step * index as i64 + jitter
        };
        Points::sort_last_wins((0..values.len()).map(time).collect(), values).unwrap()
    })
}

#[test]
fn every_kind_of_number_comes_back_bit_by_bit() {
    let odd = [
        0.0,
        -0.0,
        5e-324,
        -5e-324,
        f64::MIN_POSITIVE,
        f64::MAX,
        f64::MIN,
        0.1,
        1e-310,
        -1e-310,
    ];
    for count in [1, 2, 3, 63, 64, 65, 255, 256, 257, 3_600] {
        for from in 0..odd.len() {
            let values: Vec<f64> = (0..count)
                .map(|index| odd[(from + index * index) % odd.len()])
                .collect();
            for step in [1, 7, 1_000_000] {
                let times = (0..count as i64)
                    .map(|index| index * step + index % 2 * (step / 2))
                    .collect();
                comes_back(&Points::sort_last_wins(times, values.clone()).unwrap());
            }
            let hundredths = (0..count)
                .map(|index| {
                    if index % 5 == 0 {
                        -0.0
                    } else {
                        index as f64 / 100.0
                    }
                })
                .collect();
            comes_back(&Points::sort_last_wins((0..count as i64).collect(), hundredths).unwrap());
        }
    }
}

#[test]
fn regular_times_cost_nothing() {
    let thirds = vec![1.0 / 3.0, 2.0 / 3.0, 4.0 / 3.0];
    let points = Points::sort_last_wins(vec![10, 20, 30], thirds).unwrap();
    assert_eq!(encoded(&points).len(), 1 + 3 * 8);
}

#[test]
fn decimal_values_cost_what_their_digits_do() {
    let few = Points::sort_last_wins(vec![10, 20, 30], vec![21.5, 21.4, -0.1]).unwrap();
    // The tag, one decimal, 215, -1, -215.
    assert_eq!(encoded(&few).len(), 1 + 1 + 2 + 1 + 2);
    comes_back(&few);
    let walk = |index: i64| (index * index % 17 - index % 5) as f64 / 10.0;
    let many = Points::sort_last_wins(
        (0..4_096).map(|index| index * 1_000_000).collect(),
        (0..4_096).map(walk).collect(),
    );
    let many = many.unwrap();
    assert!(encoded(&many).len() < 3_200, "{}", encoded(&many).len());
    comes_back(&many);
    // One of them is none: all of them are stored otherwise.
    for odd in [-0.0, 1.0 / 3.0, 5e-324, f64::MAX, 9_007_199_254_740_993.0] {
        let mut values = many.values().to_vec();
        values[77] = odd;
        comes_back(&Points::sort_last_wins(many.times().to_vec(), values).unwrap());
    }
}

#[test]
fn jitter_about_a_line_costs_what_it_spreads_over() {
    // 21 places that a time can be at: log2(21) = 4.4 bits, where steps would take half a bit more, as the difference of two.
    let jittered = |unit: i64| {
        let mut state = 1_u64;
        let time = |index: i64| {
            // Xorshift (Marsaglia 2003): evenly spread, without a pattern.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (1_000 * index + (state % 21).cast_signed()) * unit
        };
        let times: Vec<i64> = (1..=4_096).map(time).collect();
        let points = Points::sort_last_wins(times, vec![1.0; 4_096]).unwrap();
        comes_back(&points);
        encoded(&points).len()
    };
    for unit in [1, 1_000, 1_000_000] {
        let bytes = jittered(unit);
        assert!(bytes < 2_600, "{bytes} of unit {unit}");
    }
}

#[test]
fn a_forged_shape_is_refused() {
    let irregular: Vec<i64> = (0..500).map(|index| 1_000 * index + index % 7).collect();
    let points = Points::sort_last_wins(
        irregular,
        (0..500).map(|index| f64::from(index) / 8.0).collect(),
    )
    .unwrap();
    let bytes = encoded(&points);
    let shape = Shape::of(&points).unwrap();
    for forged in [
        Shape { count: 0, ..shape },
        Shape {
            count: 499,
            ..shape
        },
        Shape {
            count: 501,
            ..shape
        },
        Shape {
            count: MAX_POINTS,
            ..shape
        },
        Shape {
            count: MAX_POINTS + 1,
            ..shape
        },
        Shape {
            count: usize::MAX,
            ..shape
        },
        Shape {
            first_at: 1,
            ..shape
        },
        Shape {
            first_at: i64::MIN,
            ..shape
        },
        Shape {
            last_at: i64::MAX,
            ..shape
        },
        Shape {
            last_at: shape.first_at,
            ..shape
        },
    ] {
        assert!(decode_column(&bytes, forged).is_err(), "{forged:?}");
    }
    assert!(decode_column(&[], shape).is_err());
    assert!(decode_column(&[&bytes[..], &[0]].concat(), shape).is_err());
    // Regular times have no bytes, so that the shape alone says what they are.
    let one = Shape {
        count: 1,
        first_at: -1,
        last_at: -1,
    };
    assert!(decode_column(&[0, 0, 0, 0, 0, 0, 0, 0, 0], one).is_err());
    assert!(
        decode_column(
            &[0, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f],
            Shape {
                first_at: 1,
                last_at: 1,
                ..one
            }
        )
        .is_err()
    );
}

#[test]
fn a_forged_unit_or_scale_is_refused() {
    let shape = Shape {
        count: 1,
        first_at: 0,
        last_at: 0,
    };
    assert!(decode_column(&[4 << 4, 9, 2], shape).is_ok());
    assert!(decode_column(&[4 << 4, 10, 2], shape).is_err());
    assert!(decode_column(&[3, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0], shape).is_err());
}

proptest! {
    #[test]
    fn columns_come_back_bit_by_bit(points in points(400)) {
        comes_back(&points);
    }

    #[test]
    fn damaged_columns_never_panic(
        points in points(300),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let shape = Shape::of(&points).unwrap();
        let bytes = encoded(&points);
        let mut mutated = bytes.clone();
        for (place, byte) in damage {
            let place = place.index(mutated.len());
            mutated[place] = byte;
        }
        // Without a checksum, other points may come out, but only such as could have been written.
        if let Ok(read) = decode_column(&mutated, shape) {
            prop_assert_eq!(read.len(), shape.count);
            prop_assert!(read.times().is_sorted() && read.values().iter().all(|value| value.is_finite()));
        }
        prop_assert!(decode_column(&bytes[..cut.index(bytes.len())], shape).is_err());
    }

    #[test]
    fn random_columns_never_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
        tag in any::<u8>(),
        count in 0_usize..2_000,
    ) {
        if let Some(first) = bytes.first_mut() {
            *first = tag;
        }
        let _ = decode_column(&bytes, Shape { count, first_at: 0, last_at: count as i64 - 1 });
    }
}
