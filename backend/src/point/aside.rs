//! Points that come beside GraphQL: columns of variables, and the batch that stands for them.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Name, Value};

use crate::point::write::Column;

/// Columns of a request's variables that were put aside. Cheap to clone.
#[derive(Clone, Default)]
pub struct Aside(Arc<HashMap<String, Vec<Column>>>);

/// What no series begins with.
const MARK: char = '\0';

impl Aside {
    /// These columns, by variable.
    pub fn new(columns: HashMap<String, Vec<Column>>) -> Self {
        Aside(Arc::new(columns))
    }

    /// The columns that a batch stands for, which has this text in place of a series.
    pub fn columns(&self, series: &str) -> Option<&[Column]> {
        let columns = self.0.get(series.strip_prefix(MARK)?)?;
        Some(columns)
    }
}

/// The value of the variable `name` whose columns were put aside: one batch that stands for them.
pub fn stand_in(name: &str) -> Value {
    let field = |name: &str, value| (Name::new(name), value);
    let batch = [
        field("series", Value::String(format!("{MARK}{name}"))),
        field("times", Value::List(Vec::new())),
        field("values", Value::List(Vec::new())),
    ];
    Value::List(vec![Value::Object(batch.into_iter().collect())])
}
