//! Points in variables, read beside GraphQL: columns go from JSON to where they are written without a GraphQL value for
//! each number, which would cost most of the time that an `ingest` takes.
//!
//! A variable that is a list of `{ series, times, values }` is put aside, and one batch stands in its place that names it,
//! in a way in which no series can be named. What is not exactly of this form stays as it is, for GraphQL to say what is
//! wrong with it.

use std::{borrow::Cow, collections::HashMap, fmt, marker::PhantomData};

use async_graphql::{Name, Value, Variables, indexmap::IndexMap};
use serde::{
    Deserialize, Deserializer,
    de::{
        MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};

use crate::{
    point::{
        aside::{Aside, stand_in},
        write::Column,
    },
    scalar::instant,
};

/// The variables of a request.
#[derive(Default)]
pub struct Given {
    /// As GraphQL gets them.
    pub variables: Variables,
    /// What was put aside.
    pub aside: Aside,
}

impl From<Variables> for Given {
    fn from(variables: Variables) -> Self {
        Given {
            variables,
            aside: Aside::default(),
        }
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Given;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of variables")
            }

            fn visit_unit<E>(self) -> Result<Given, E> {
                Ok(Given::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Given, A::Error> {
                let mut given = Given::default();
                let mut aside = HashMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    let value = match map.next_value::<Form<Vec<Column>>>()? {
                        Form::Other(value) => value,
                        Form::Found(columns) => {
                            let value = stand_in(&name);
                            aside.insert(name.clone(), columns);
                            value
                        }
                    };
                    given.variables.insert(Name::new(name), value);
                }
                given.aside = Aside::new(aside);
                Ok(given)
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

/// A value that is looked at while it is read: what it is, unless it is of the form that is looked for.
trait Looked: Sized {
    fn value(value: Value) -> Self;

    fn integer(number: i64) -> Self {
        Self::value(number.into())
    }

    fn number(number: f64) -> Self {
        Self::value(number.into())
    }

    fn text(text: &str) -> Self {
        Self::value(text.into())
    }

    fn list<'de, A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(list)).map(Self::value)
    }

    fn object<'de, A: MapAccess<'de>>(object: A) -> Result<Self, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(object)).map(Self::value)
    }
}

struct Look<T>(PhantomData<T>);

impl<'de, T: Looked> Visitor<'de> for Look<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<T, E> {
        Ok(T::value(value.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<T, E> {
        Ok(T::integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<T, E> {
        Ok(i64::try_from(number).map_or_else(|_| T::value(number.into()), T::integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<T, E> {
        Ok(T::number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text))
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::value(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<T, A::Error> {
        T::object(object)
    }
}

/// What is looked for, or any other value.
enum Form<T> {
    Found(T),
    Other(Value),
}

impl<'de, T> Deserialize<'de> for Form<T>
where
    Form<T>: Looked,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look(PhantomData))
    }
}

/// What a list holds when all of it is of one form; as values when something is not. `back` makes a value of an item.
fn all_of<'de, T, A: SeqAccess<'de>>(
    mut list: A,
    back: impl Fn(T) -> Value,
) -> Result<Form<Vec<T>>, A::Error>
where
    Form<T>: Deserialize<'de>,
{
    let mut found = Vec::new();
    while let Some(item) = list.next_element()? {
        match item {
            Form::Found(item) => found.push(item),
            Form::Other(value) => {
                let mut values: Vec<Value> = found.into_iter().map(back).collect();
                values.push(value);
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                return Ok(Form::Other(Value::List(values)));
            }
        }
    }
    Ok(Form::Found(found))
}

/// A time, in µs since 1970 UTC.
struct Time(i64);

impl Looked for Form<Time> {
    fn value(value: Value) -> Self {
        Form::Other(value)
    }

    fn integer(number: i64) -> Self {
        Form::Found(Time(number))
    }

    fn text(text: &str) -> Self {
        instant(text).map_or_else(|| Form::Other(text.into()), |at| Form::Found(Time(at)))
    }
}

impl Looked for Form<f64> {
    fn value(value: Value) -> Self {
        Form::Other(value)
    }

    fn integer(number: i64) -> Self {
        Form::Found(number as f64)
    }

    fn number(number: f64) -> Self {
        Form::Found(number)
    }
}

impl Looked for Form<Vec<Time>> {
    fn value(value: Value) -> Self {
        Form::Other(value)
    }

    fn list<'de, A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        all_of(list, |time: Time| time.0.into())
    }
}

impl Looked for Form<Vec<f64>> {
    fn value(value: Value) -> Self {
        Form::Other(value)
    }

    fn list<'de, A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        all_of(list, Value::from)
    }
}

impl Looked for Form<Column> {
    fn value(value: Value) -> Self {
        Form::Other(value)
    }

    fn object<'de, A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let (mut series, mut times, mut values) = (None, None, None);
        // Fields of other names or forms.
        let mut others = IndexMap::new();
        while let Some(name) = object.next_key::<Cow<'de, str>>()? {
            match &*name {
                "series" if series.is_none() => match object.next_value()? {
                    Value::String(text) => series = Some(text),
                    other => drop(others.insert(Name::new(name), other)),
                },
                "times" if times.is_none() => match object.next_value()? {
                    Form::<Vec<Time>>::Found(found) => times = Some(found),
                    Form::Other(other) => drop(others.insert(Name::new(name), other)),
                },
                "values" if values.is_none() => match object.next_value()? {
                    Form::<Vec<f64>>::Found(found) => values = Some(found),
                    Form::Other(other) => drop(others.insert(Name::new(name), other)),
                },
                _ => drop(others.insert(Name::new(&*name), object.next_value()?)),
            }
        }
        let times = times.map(|times| times.into_iter().map(|time| time.0).collect());
        Ok(match (series, times, values) {
            (Some(series), Some(times), Some(values)) if others.is_empty() => Form::Found(Column {
                series,
                times,
                values,
            }),
            (series, times, values) => {
                let mut put = |name: &str, value: Option<Value>| {
                    if let Some(value) = value {
                        others.entry(Name::new(name)).or_insert(value);
                    }
                };
                put("series", series.map(Value::String));
                put("times", times.map(Value::from));
                put("values", values.map(Value::from));
                Form::Other(Value::Object(others))
            }
        })
    }
}

impl Looked for Form<Vec<Column>> {
    fn value(value: Value) -> Self {
        Form::Other(value)
    }

    fn list<'de, A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        let back = |column: Column| {
            let field = |name, value| (Name::new(name), value);
            let fields = [
                field("series", column.series.into()),
                field("times", column.times.into()),
                field("values", column.values.into()),
            ];
            Value::Object(fields.into_iter().collect())
        };
        Ok(match all_of(list, back)? {
            // It can be a list of anything.
            Form::Found(columns) if columns.is_empty() => Form::Other(Value::List(Vec::new())),
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Given {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn columns_are_put_aside() {
        let given = read(
            r#"{"t":"a","b":[{"series":"x","times":[1,"1970-01-01T00:00:02Z"],"values":[1,-2.5e3]},
                {"values":[],"series":"y","times":[]}]}"#,
        );
        let columns = given.aside.columns("\0b").unwrap();
        let [one, other] = columns else {
            panic!("{columns:?}");
        };
        assert_eq!(
            (&*one.series, &one.times[..], &one.values[..]),
            ("x", &[1, 2_000_000][..], &[1.0, -2500.0][..])
        );
        assert_eq!(
            (&*other.series, other.times.len(), other.values.len()),
            ("y", 0, 0)
        );
        let batches = given
            .variables
            .get("b")
            .cloned()
            .unwrap()
            .into_json()
            .unwrap();
        assert_eq!(
            batches,
            serde_json::json!([{ "series": "\0b", "times": [], "values": [] }])
        );
        assert!(given.aside.columns("\0t").is_none());
        assert!(given.aside.columns("b").is_none());
    }

    #[test]
    fn what_is_of_another_form_stays() {
        for text in [
            r#"{}"#,
            r#"{"b":[]}"#,
            r#"{"b":null}"#,
            r#"{"b":[1,true,"x",null,{"a":[]}]}"#,
            r#"{"b":[{"series":"x","times":[1],"values":[1.5,null]}]}"#,
            r#"{"b":[{"series":"x","times":[1,2.5],"values":[1.5]}]}"#,
            r#"{"b":[{"series":"x","times":["now"],"values":[1.5]}]}"#,
            r#"{"b":[{"series":"x","times":[18446744073709551615],"values":[1.5]}]}"#,
            r#"{"b":[{"series":"x","times":[1],"values":[1.5]},{"series":"y","times":[1]}]}"#,
            r#"{"b":[{"series":"x","times":[1],"values":[1.5],"unit":"s"}]}"#,
            r#"{"b":[{"series":1,"times":[1],"values":[1.5]}]}"#,
            r#"{"b":[{"series":"x","times":1,"values":"1"}]}"#,
            r#"{"b":{"series":"x","times":[1],"values":[1.5]}}"#,
        ] {
            let given = read(text);
            let stayed = serde_json::to_value(&given.variables).unwrap();
            let wanted: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(stayed, wanted);
            assert!(given.aside.columns("\0b").is_none(), "{text}");
        }
        assert!(serde_json::from_str::<Given>("[]").is_err());
        assert!(serde_json::from_str::<Given>("null").is_ok());
    }
}
