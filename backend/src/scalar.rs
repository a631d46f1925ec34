//! The API's scalars, its opaque ids and its cursors.

use std::borrow::Cow;

use async_graphql::{
    ContextSelectionSet, Description, InputValueError, InputValueResult, Name, OutputType,
    Positioned, Scalar, ScalarType, ServerError, ServerResult, Value, indexmap::IndexMap,
    parser::types::Field, registry::Registry,
};
use async_graphql_value::RAW_VALUE_TOKEN;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp as Instant;
use serde::Serialize;

use crate::{
    chunk::Every,
    error::{Error, Result},
};

/// An instant, as RFC 3339 text in UTC with up to six decimals: `2026-11-24T13:32:08.250Z`.
#[derive(Clone, Copy, Debug, Description, PartialEq, Eq)]
pub struct DateTime(pub i64);

/// An instant that goes in: RFC 3339 text with an offset (`2026-11-24T14:32:08+01:00`), or whole
/// microseconds since 1970 UTC as an integer. Finer digits are cut off.
#[derive(Clone, Copy, Debug, Description, PartialEq, Eq)]
pub struct Timestamp(pub i64);

/// Whole microseconds since 1970-01-01 00:00 UTC, as an integer of up to 53 bits.
#[derive(Clone, Copy, Debug, Description, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Micros(pub i64);

/// A list of scalars that goes out as JSON in one piece: an object for each of a million numbers would cost three times
/// as much as the numbers.
pub struct Column<T>(pub Vec<T>);

impl<T> FromIterator<T> for Column<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Column(items.into_iter().collect())
    }
}

impl<T: OutputType + Serialize> OutputType for Column<T> {
    fn type_name() -> Cow<'static, str> {
        <Vec<T> as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<T> as OutputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Vec<T> as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        _: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let text = serde_json::to_string(&self.0)
            .map_err(|error| ServerError::new(error.to_string(), Some(field.pos)))?;
        let raw = [(Name::new(RAW_VALUE_TOKEN), Value::String(text))];
        Ok(Value::Object(IndexMap::from(raw)))
    }
}

/// A whole number of up to 53 bits, as an integer.
#[derive(Clone, Copy, Debug, Description, PartialEq, Eq)]
pub struct Count(pub i64);

/// How long a window is: `500ms`, `30s`, `5m`, `1h` are fixed and aligned to 1970 UTC; `1d`, `1w`
/// (from Monday) and `1mo` follow the calendar of the time zone.
#[derive(Clone, Copy, Debug, Description, PartialEq, Eq)]
pub struct Duration(pub Every);

#[Scalar(
    name = "DateTime",
    use_type_description,
    specified_by_url = "https://scalars.graphql.org/andimarek/date-time"
)]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        Timestamp::parse(value)
            .map(|time| DateTime(time.0))
            .map_err(InputValueError::propagate)
    }

    fn to_value(&self) -> Value {
        match Instant::from_microsecond(self.0) {
            Ok(instant) => Value::String(instant.to_string()),
            Err(_) => Value::Null,
        }
    }
}

#[Scalar(
    name = "Timestamp",
    use_type_description,
    specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339"
)]
impl ScalarType for Timestamp {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::Number(ref number) => match number.as_i64() {
                Some(micros) => Ok(Timestamp(micros)),
                None => Err(InputValueError::custom(
                    "give whole microseconds since 1970 UTC, or RFC 3339 text such as 2026-11-24T13:32:08Z",
                )),
            },
            Value::String(ref text) => match instant(text) {
                Some(micros) => Ok(Timestamp(micros)),
                None => Err(InputValueError::custom(format!(
                    "`{}` is no RFC 3339 time with an offset: write it as 2026-11-24T13:32:08Z, or as whole \
                     microseconds since 1970 UTC",
                    text.chars().take(40).collect::<String>()
                ))),
            },
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        DateTime(self.0).to_value()
    }
}

#[Scalar(
    name = "Micros",
    use_type_description,
    specified_by_url = "https://en.wikipedia.org/wiki/Unix_time"
)]
impl ScalarType for Micros {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => match number.as_i64() {
                Some(micros) => Ok(Micros(micros)),
                None => Err(InputValueError::expected_type(value)),
            },
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

#[Scalar(
    name = "Count",
    use_type_description,
    specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259#section-6"
)]
impl ScalarType for Count {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) if number.is_i64() => {
                Ok(Count(number.as_i64().unwrap_or_default()))
            }
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

#[Scalar(
    name = "Duration",
    use_type_description,
    specified_by_url = "https://prometheus.io/docs/prometheus/latest/querying/basics/#float-literals-and-time-durations"
)]
impl ScalarType for Duration {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(ref text) => match text.parse::<Every>() {
                Ok(every) => Ok(Duration(every)),
                Err(error) => Err(InputValueError::custom(error)),
            },
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// The instant that RFC 3339 text names, in µs since 1970 UTC, finer digits cut off: whatever ISO 8601 or its later
/// extensions allow besides (signs before the year, a space, a zone in brackets, an hour alone) is none.
pub fn instant(text: &str) -> Option<i64> {
    // 2026-11-24T13:32:08, then decimals, then Z or ±hh:mm.
    let (date, rest) = text.split_at_checked("2026-11-24T13:32:08".len())?;
    let shape = date.bytes().enumerate().all(|(place, byte)| match place {
        4 | 7 => byte == b'-',
        10 => matches!(byte, b'T' | b't'),
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    });
    let rest = match rest.strip_prefix('.') {
        Some(decimals) => {
            let offset = decimals.trim_start_matches(|digit: char| digit.is_ascii_digit());
            (offset.len() < decimals.len()).then_some(offset)?
        }
        None => rest,
    };
    let zone = match rest.as_bytes() {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h, i, b':', m, n] => [h, i, m, n].iter().all(|digit| digit.is_ascii_digit()),
        _ => false,
    };
    if !shape || !zone {
        return None;
    }
    let nanos = text.parse::<Instant>().ok()?.as_nanosecond();
    // Towards the past on both sides of 1970: what was before it stays before it.
    i64::try_from(nanos.div_euclid(1_000)).ok()
}

/// A half-open stretch of time, `[from, to)`.
#[derive(async_graphql::InputObject, Clone, Copy, Debug)]
pub struct TimeRange {
    /// The first instant within.
    pub from: Timestamp,
    /// The first instant behind.
    pub to: Timestamp,
}

impl TimeRange {
    /// The range in µs since 1970 UTC.
    ///
    /// # Errors
    /// [`Error::BadInput`] when it ends before it begins.
    pub fn micros(self) -> Result<std::ops::Range<i64>> {
        if self.from.0 > self.to.0 {
            return Err(Error::bad_input(
                "the range ends before it begins: swap `from` and `to`",
            ));
        }
        Ok(self.from.0..self.to.0)
    }
}

/// An opaque text for `parts`, which contain no `\n`; [`unseal`] gives them back.
pub fn seal<const N: usize>(parts: [&str; N]) -> String {
    URL_SAFE_NO_PAD.encode(parts.join("\n"))
}

/// The parts of an opaque text, if it is one with that many that begins with `kind`. None of ours holds a control
/// character, which PostgreSQL would not take either.
pub fn unseal<const N: usize>(kind: &str, text: &str) -> Option<[String; N]> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let parts: Vec<String> = text.split('\n').map(String::from).collect();
    if parts.iter().any(|part| part.contains(char::is_control)) {
        return None;
    }
    let parts: [String; N] = parts.try_into().ok()?;
    (parts.first().map(String::as_str) == Some(kind)).then_some(parts)
}

/// What a cursor of `kind` stands for.
///
/// # Errors
/// [`Error::BadInput`] when it is none.
pub fn cursor<T: std::str::FromStr>(kind: &str, text: &str) -> Result<T> {
    unseal::<2>(kind, text)
        .and_then(|[_, place]| place.parse().ok())
        .ok_or_else(|| {
            Error::bad_input(
                "`after` is no cursor of this list: pass one that this list gave, or leave it out",
            )
        })
}

/// The number of items to give, of at most `most`.
///
/// # Errors
/// [`Error::BadInput`] outside of `0..=most`.
pub fn first(asked: i32, most: usize) -> Result<usize> {
    usize::try_from(asked)
        .ok()
        .filter(|first| *first <= most)
        .ok_or_else(|| {
            Error::bad_input(format!(
                "`first` is {asked}: ask for 0 to {most} and page on with `after`"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_in_as_text_or_micros_and_come_out_as_text() {
        let text = |text: &str| Timestamp::parse(Value::String(text.into())).map(|time| time.0);
        assert_eq!(text("1970-01-01T00:00:01Z").ok(), Some(1_000_000));
        assert_eq!(text("1970-01-01T01:00:01.5+01:00").ok(), Some(1_500_000));
        assert!(text("1970-01-01T00:00:01").is_err());
        assert!(text("yesterday").is_err());
        assert_eq!(text("1969-12-31T23:59:59.999999999Z").ok(), Some(-1));
        assert_eq!(text("1970-01-01t00:00:01.0000019z").ok(), Some(1_000_001));
        assert_eq!(text("1969-12-31T22:00:01-02:00").ok(), Some(1_000_000));
        for odd in [
            "2026-11-24 13:32:08Z",
            "2026-11-24T13:32:08Z[Europe/Vienna]",
            "+002026-11-24T13:32:08Z",
            "20261124T133208Z",
            "2026-11-24T13:32Z",
            "2026-11-24T13:32:08.Z",
            "2026-11-24T13:32:08,5Z",
            "2026-11-24T13:32:08+01",
            "2026-11-24T13:32:08+01:00:00",
            "2026-13-24T13:32:08Z",
            "2026-11-24T13:32:0\u{fc}Z",
            "",
        ] {
            assert!(text(odd).is_err(), "{odd}");
        }
        assert_eq!(
            Timestamp::parse(Value::from(7)).map(|time| time.0).ok(),
            Some(7)
        );
        assert!(Timestamp::parse(Value::from(7.5)).is_err());
        assert_eq!(
            DateTime(1_500_000).to_value(),
            Value::from("1970-01-01T00:00:01.5Z")
        );
    }

    #[test]
    fn cursors_of_another_list_are_refused() {
        let text = seal(["point", "17"]);
        assert_eq!(cursor::<i64>("point", &text).ok(), Some(17));
        assert!(cursor::<i64>("series", &text).is_err());
        assert!(cursor::<i64>("point", "@@").is_err());
        assert!(cursor::<i64>("point", &seal(["point", "x"])).is_err());
        assert!(cursor::<String>("series", &seal(["series", "a\0b"])).is_err());
    }

    #[test]
    fn first_is_bounded() {
        assert_eq!(first(0, 10).ok(), Some(0));
        assert!(first(-1, 10).is_err());
        assert!(first(11, 10).is_err());
    }
}
