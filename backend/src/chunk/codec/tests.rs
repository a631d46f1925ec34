use proptest::prelude::*;

use super::super::column::tests::points;
use super::*;

fn columns(batch: &Batch<'_>) -> Result<BTreeMap<i32, Points>, Damaged> {
    batch
        .entries()
        .iter()
        .map(|entry| Ok((entry.series_id(), entry.points()?)))
        .collect()
}

fn read(payload: &[u8]) -> Result<BTreeMap<i32, Points>, Damaged> {
    columns(&Batch::open(payload)?)
}

/// Makes the checksum right again, as one who forges would.
fn reseal(payload: &mut [u8]) {
    if payload.len() >= FRAME {
        seal(payload);
    }
}

fn some(count: i32) -> BTreeMap<i32, Points> {
    let points = |id: i32| {
        Points::sort_last_wins(
            vec![1_790_000_000_000_000 + i64::from(id)],
            vec![f64::from(id) / 3.0],
        )
        .unwrap()
    };
    (1..=count).map(|id| (id, points(id))).collect()
}

#[test]
fn only_wanted_series_are_decoded() {
    let payload = encode_batch(&some(300)).unwrap();
    let batch = Batch::open(&payload).unwrap();
    assert_eq!(batch.entries().len(), 300);
    let entry = batch.entry(7).unwrap();
    assert_eq!(
        entry.shape(),
        Shape {
            count: 1,
            first_at: 1_790_000_000_000_007,
            last_at: 1_790_000_000_000_007
        }
    );
    assert!(entry.overlaps(&(1_790_000_000_000_007..1_790_000_000_000_008)));
    assert!(!entry.overlaps(&(0..1_790_000_000_000_007)));
    assert!(!entry.overlaps(&(1_790_000_000_000_008..i64::MAX)));
    assert_eq!(entry.points().unwrap(), some(7)[&7]);
    assert!(batch.entry(301).is_none());
}

#[test]
fn damaged_chunks_are_refused() {
    let thirds: Vec<f64> = (0..300).map(|third| f64::from(third) / 3.0).collect();
    let points =
        Points::sort_last_wins((0..300).map(|time| time * time).collect(), thirds).unwrap();
    let shape = Shape::of(&points).unwrap();
    let payload = encode_chunk(&points);
    assert_eq!(decode_chunk(&payload, shape), Ok(points));
    for bit in 0..payload.len() * 8 {
        let mut flipped = payload.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(decode_chunk(&flipped, shape).is_err());
    }
    for length in 0..payload.len() {
        assert!(decode_chunk(&payload[..length], shape).is_err());
    }
    let longer = [&payload[..], &[0]].concat();
    assert!(decode_chunk(&longer, shape).is_err());
    let other = Shape {
        last_at: 299 * 299 + 1,
        ..shape
    };
    assert!(decode_chunk(&payload, other).is_err());
}

#[test]
fn small_batches_stay_small() {
    assert!(encode_batch(&some(300)).unwrap().len() < 300 * 15 + 20);
    let thrice = |id: i32| {
        let times = (0..3)
            .map(|slot| 1_790_000_000_000_000 + slot * 1_000_000)
            .collect();
        (
            id,
            Points::sort_last_wins(times, vec![0.1, 0.2, 0.3]).unwrap(),
        )
    };
    assert!(
        encode_batch::<Points>(&(1..=3).map(thrice).collect())
            .unwrap()
            .len()
            <= 120
    );
}

#[test]
fn empty_batches_and_series_are_possible() {
    assert_eq!(
        read(&encode_batch(&BTreeMap::<i32, Points>::new()).unwrap()),
        Ok(BTreeMap::new())
    );
    let empty: BTreeMap<i32, Points> = [(3, Points::default())].into_iter().collect();
    assert_eq!(read(&encode_batch(&empty).unwrap()), Ok(BTreeMap::new()));
}

#[test]
fn all_ids_and_times_fit() {
    let ends =
        Points::sort_last_wins(vec![0, super::super::TIMES.end - 1], vec![-0.0, f64::MAX]).unwrap();
    let series: BTreeMap<i32, Points> = [i32::MIN, -1, 0, 1, i32::MAX]
        .into_iter()
        .map(|id| (id, ends.clone()))
        .collect();
    assert_eq!(read(&encode_batch(&series).unwrap()), Ok(series));
}

#[test]
fn more_points_than_the_bound_are_refused() {
    let times: Vec<i64> = (0..MAX_POINTS as i64).collect();
    let full = Points::sort_last_wins(times, vec![1.5; MAX_POINTS]).unwrap();
    let mut series: BTreeMap<i32, Points> = [(1, full)].into_iter().collect();
    assert_eq!(read(&encode_batch(&series).unwrap()).as_ref(), Ok(&series));
    series.extend(some(1).into_values().map(|points| (2, points)));
    assert_eq!(
        encode_batch(&series),
        Err(TooManyPoints {
            points: MAX_POINTS + 1
        })
    );
}

#[test]
fn every_flipped_bit_is_noticed() {
    let payload = encode_batch(&some(3)).unwrap();
    for bit in 0..payload.len() * 8 {
        let mut flipped = payload.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Batch::open(&flipped).is_err());
    }
    for length in 0..payload.len() {
        assert!(Batch::open(&payload[..length]).is_err());
    }
    assert!(Batch::open(&[&payload[..], &[0]].concat()).is_err());
}

#[test]
fn forged_directories_are_refused() {
    let forged = |numbers: &[u64], columns: &[u8]| {
        let mut payload = vec![0; FRAME];
        for &number in numbers {
            put(&mut payload, number);
        }
        payload.extend_from_slice(columns);
        reseal(&mut payload);
        read(&payload)
    };
    let column = [0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert!(forged(&[1, 5, 1, 1, 0, 0, 9], &column).is_ok());
    let refused = [
        // How many series, then the columns' lengths.
        (
            vec![u64::MAX, 5, 1, 1, 0, 0, 9],
            "more series than bytes for them",
        ),
        (vec![2, 5, 1, 1, 0, 0, 9], "more series than bytes for them"),
        (vec![1, 5, 1, 1, 0, 0, 10], "cut short"),
        (vec![1, 5, 1, 1, 0, 0, u64::MAX], "cut short"),
        (vec![1, 5, 1, 1, 0, 0, 8], "more bytes than columns"),
        // Ids and counts.
        (
            vec![1, 5, 1 << 32, 1, 0, 0, 9],
            "a series id is out of bounds",
        ),
        (
            vec![1, 5, 1, 0, 0, 0, 9],
            "a column has no points or too many",
        ),
        (
            vec![1, 5, 1, u64::MAX, 0, 0, 9],
            "a column has no points or too many",
        ),
        (vec![1, 5, 1, 2, 0, 0, 9], "times are not those announced"),
        (
            vec![1, 5, 1, 2, 0, 1, 9],
            "values are cut short or too long",
        ),
        // Times.
        (vec![1, u64::MAX, 1, 1, 0, 0, 9], "a time is out of bounds"),
        (
            vec![1, 7_258_118_399_999_999, 1, 1, 7_258_118_399_999_999, 0, 9],
            "points are out of order or out of bounds",
        ),
        (vec![1, 5, 1, 1, 0, 1, 9], "times are not those announced"),
    ];
    for (numbers, problem) in refused {
        assert_eq!(
            forged(&numbers, &column),
            Err(Damaged(problem)),
            "{numbers:?}"
        );
    }
    let twice = [[0; 9], [0; 9]].concat();
    assert!(forged(&[2, 5, 1, 1, 0, 0, 9, 1, 1, 0, 0, 9], &twice).is_ok());
    assert_eq!(
        forged(&[2, 5, 1, 1, 0, 0, 9, 0, 1, 0, 0, 9], &twice),
        Err(Damaged("a series occurs twice"))
    );
}

/// What was written once must be readable for ever: a change here needs another version.
#[test]
fn payloads_of_version_1_stay_readable() {
    let payload = "\
        01b45bdeb20380c097d1edff9603010200c0843d11010301ab021d05400098ec038a0100000000000000d03f00000000\
        0000e0bf010302a902000000000000f03f000000000000004000000000000008402227040110010100f3010000000000\
        400100e025dafe5b0680cff33ccff33ccff33ccff33ccff33c0f04010313610380170000000000000030e00800000000\
        0000001200e81f0000000000408008000400000000000000000000000000000800000000800000000000009965f50010\
        fc5305c0877f37131101000000f8ff5755555501804a2595541200";
    let bytes: Vec<u8> = (0..payload.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&payload[at..at + 2], 16).unwrap())
        .collect();
    let read = read(&bytes).unwrap();
    let start = 1_790_000_000_000_000;
    assert_eq!(
        read[&1].iter().collect::<Vec<_>>(),
        [(start, 0.25), (start + 1_000_000, -0.5)]
    );
    assert_eq!(read[&2].times(), [start + 1, start + 3, start + 300]);
    assert!(
        read[&7]
            .iter()
            .eq((0..64).map(|i| (start + 1_000 * i + i % 3, i as f64 / 4.0)))
    );
    assert_eq!(read.len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn batches_come_back_bit_by_bit(series in prop::collection::btree_map(any::<i32>(), points(100), 0..12)) {
        let bits = |series: &BTreeMap<i32, Points>| -> Vec<_> {
            let bits = |id: i32| move |(time, value): (i64, f64)| (id, time, value.to_bits());
            series.iter().flat_map(|(&id, points)| points.iter().map(bits(id))).collect()
        };
        let read = read(&encode_batch(&series).unwrap()).unwrap();
        prop_assert_eq!(bits(&read), bits(&series));
    }

    #[test]
    fn forged_batches_never_panic(
        series in prop::collection::btree_map(any::<i32>(), points(100), 0..4),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let payload = encode_batch(&series).unwrap();
        let mut forged = payload.clone();
        for (place, byte) in damage {
            let place = place.index(forged.len());
            forged[place] = byte;
        }
        reseal(&mut forged);
        if let Ok(read) = read(&forged) {
            prop_assert!(read.values().map(Points::len).sum::<usize>() <= MAX_POINTS);
        }
        let mut short = payload[..cut.index(payload.len())].to_vec();
        reseal(&mut short);
        prop_assert!(read(&short).is_err());
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = bytes;
        prop_assert!(read(&bytes).is_err());
        reseal(&mut bytes);
        let _ = read(&bytes);
    }
}
