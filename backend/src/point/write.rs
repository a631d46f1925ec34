//! One call's points, checked and in canonical order: what a store may write.

use sha2::{Digest, Sha256};

use crate::{
    chunk::{MAX_POINTS, Points},
    error::{Error, Result},
    series::key::canonical,
};

/// The most series that one call may write to.
pub const MAX_SERIES: usize = 10_000;

/// The points of one call, in order of the series' keys: at least one, and no series without any.
#[derive(Debug)]
pub struct Write(Vec<(String, Points)>);

/// What one series gets in a call, as it came in.
#[derive(Clone, Debug)]
pub struct Column {
    /// The series' key as text.
    pub series: String,
    /// µs since 1970 UTC.
    pub times: Vec<i64>,
    /// A value for each time.
    pub values: Vec<f64>,
}

impl TryFrom<&[Column]> for Write {
    type Error = Error;

    /// Columns of the same series are one after the other: of points at the same time, the last wins.
    fn try_from(columns: &[Column]) -> Result<Self> {
        if columns.is_empty() {
            return Err(Error::bad_input(
                "`batches` is empty: give at least one series with one point",
            ));
        }
        if columns.len() > MAX_SERIES {
            return Err(Error::bad_input(format!(
                "{} batches are more than the {MAX_SERIES} that one call may hold: send them in several calls",
                columns.len()
            )));
        }
        let mut keys = Vec::with_capacity(columns.len());
        let mut count = 0;
        for (place, column) in columns.iter().enumerate() {
            let at = |problem: &dyn std::fmt::Display| {
                Error::bad_input(format!("batches[{place}].{problem}"))
            };
            let key =
                canonical(&column.series).map_err(|error| at(&format_args!("series: {error}")))?;
            if column.times.len() != column.values.len() {
                return Err(at(&format_args!(
                    "times holds {} and values {}: give one value for each time",
                    column.times.len(),
                    column.values.len()
                )));
            }
            if column.times.is_empty() {
                return Err(at(
                    &"times is empty: leave the series out or give it a point",
                ));
            }
            count += column.times.len();
            if count > MAX_POINTS {
                return Err(Error::bad_input(format!(
                    "more than the {MAX_POINTS} points that one call may write: send them in several calls"
                )));
            }
            keys.push((key, place, column));
        }
        // Stable, so that columns of one series stay in order.
        keys.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        let mut series = Vec::with_capacity(keys.len());
        for same in keys.chunk_by(|(one, ..), (other, ..)| one == other) {
            let Some((key, place, _)) = same.first() else {
                continue;
            };
            let columns = || same.iter().map(|(_, _, column)| column);
            let times = columns().flat_map(|column| &column.times).copied();
            let values = columns().flat_map(|column| &column.values).copied();
            let points = Points::sort_last_wins(times.collect(), values.collect())
                .map_err(|error| Error::bad_input(format!("batches[{place}].{error}")))?;
            series.push((key.clone().into_owned(), points));
        }
        Ok(Write(series))
    }
}

impl Write {
    /// The keys, in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &String> {
        self.0.iter().map(|(key, _)| key)
    }

    /// The points of each series, in the order of the keys.
    pub fn points(&self) -> impl ExactSizeIterator<Item = &Points> {
        self.0.iter().map(|(_, points)| points)
    }

    /// How many points there are.
    pub fn count(&self) -> usize {
        self.points().map(Points::len).sum()
    }

    /// The earliest and the latest time, in µs since 1970 UTC.
    pub fn extent(&self) -> (i64, i64) {
        let first = self
            .points()
            .filter_map(Points::first)
            .map(|(time, _)| time)
            .min();
        let last = self
            .points()
            .filter_map(Points::last)
            .map(|(time, _)| time)
            .max();
        (first.unwrap_or_default(), last.unwrap_or_default())
    }

    /// SHA-256 of what is written, the same for every order in which it can be said.
    pub fn hash(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        for (key, points) in &self.0 {
            hasher.update((key.len() as u64).to_le_bytes());
            hasher.update(key);
            hasher.update((points.len() as u64).to_le_bytes());
            for (time, value) in points.iter() {
                hasher.update(time.to_le_bytes());
                hasher.update(value.to_bits().to_le_bytes());
            }
        }
        hasher.finalize().into()
    }
}

/// A client's name for a write, so that it can be repeated without effect: 1 to 200 characters, none
/// of control.
#[derive(Clone, Debug)]
pub struct IdempotencyKey(String);

impl TryFrom<String> for IdempotencyKey {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        if text.is_empty() || text.len() > 200 || text.chars().any(char::is_control) {
            return Err(Error::bad_input(
                "`idempotencyKey` must be 1 to 200 bytes without control characters: a UUID or a hash is best",
            ));
        }
        Ok(IdempotencyKey(text))
    }
}

impl IdempotencyKey {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(series: &str, times: &[i64], values: &[f64]) -> Column {
        Column {
            series: series.into(),
            times: times.into(),
            values: values.into(),
        }
    }

    fn refusal(columns: Vec<Column>) -> String {
        Write::try_from(&columns[..])
            .expect_err("refused")
            .to_string()
    }

    #[test]
    fn hash_depends_on_what_is_written_and_not_on_how_it_is_said() {
        let hash = |columns: Vec<Column>| Write::try_from(&columns[..]).expect("fits").hash();
        let one = hash(vec![
            column("b", &[1], &[1.0]),
            column("a", &[2, 1], &[2.0, 1.0]),
        ]);
        let other = hash(vec![
            column("a", &[1], &[9.0]),
            column("a", &[1, 2], &[1.0, 2.0]),
            column("b{}", &[1], &[1.0]),
        ]);
        assert_eq!(one, other);
        assert_ne!(
            one,
            hash(vec![
                column("b", &[1], &[1.0]),
                column("a", &[2, 1], &[2.0, -1.0])
            ])
        );
    }

    #[test]
    fn refusals_name_the_place() {
        assert!(refusal(vec![]).contains("`batches` is empty"));
        assert!(
            refusal(vec![column("a", &[1], &[1.0]), column("a b", &[1], &[1.0])])
                .starts_with("batches[1].series")
        );
        assert!(refusal(vec![column("a", &[1, 2], &[1.0])]).contains("times holds 2 and values 1"));
        assert!(refusal(vec![column("a", &[], &[])]).contains("batches[0].times is empty"));
        assert!(refusal(vec![column("a", &[1], &[f64::NAN])]).contains("batches[0].values[0]"));
        assert!(refusal(vec![column("a", &[-1], &[1.0])]).contains("batches[0].times[0]"));
        assert!(IdempotencyKey::try_from(String::new()).is_err());
        assert!(IdempotencyKey::try_from("a\nb".to_owned()).is_err());
    }
}
