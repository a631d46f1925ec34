//! Answers in the order of the question. The library answers fields as they are ready; the specification wants them as they
//! were asked for (<https://spec.graphql.org/September2025/#sec-Serialized-Map-Ordering>), and the same question is to have
//! the same answer to the byte. Of fields that depend on the type, those of all types are in one order.

use async_graphql::{
    Name, Positioned, Value,
    indexmap::IndexMap,
    parser::types::{
        ExecutableDocument, FragmentDefinition, OperationDefinition, Selection, SelectionSet,
    },
};

use crate::api::document::FILLER;

/// The fields of an answer by name, in order, each with those within it.
#[derive(Default)]
pub struct Order<'a> {
    fields: IndexMap<&'a Name, Order<'a>>,
    /// Whether there can be one that nobody has asked for.
    is_filled: bool,
}

impl<'a> Order<'a> {
    /// The order of the answer to the operation of this name. The document has been checked: no fragment contains itself.
    pub fn of(document: &'a ExecutableDocument, name: Option<&str>) -> Self {
        let mut order = Order::default();
        let mut operations = document.operations.iter();
        let asked = |(operation, _): &(Option<&Name>, &Positioned<OperationDefinition>)| {
            name.is_none() || operation.map(Name::as_str) == name
        };
        if let Some((_, operation)) = operations.find(asked) {
            order.add(&operation.node.selection_set.node, document);
        }
        order
    }

    fn add(&mut self, set: &'a SelectionSet, document: &'a ExecutableDocument) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) if field.node.response_key().node == FILLER => {
                    self.is_filled = true;
                }
                Selection::Field(field) => {
                    let inner = self
                        .fields
                        .entry(&field.node.response_key().node)
                        .or_default();
                    inner.add(&field.node.selection_set.node, document);
                }
                Selection::InlineFragment(inline) => {
                    self.add(&inline.node.selection_set.node, document);
                }
                Selection::FragmentSpread(spread) => {
                    let fragment: Option<&Positioned<FragmentDefinition>> =
                        document.fragments.get(&spread.node.fragment_name.node);
                    if let Some(fragment) = fragment {
                        self.add(&fragment.node.selection_set.node, document);
                    }
                }
            }
        }
    }

    /// Puts the fields of `answer` in order, and leaves out what nobody has asked for.
    pub fn apply(&self, answer: &mut Value) {
        // What holds no fields of ours is a value.
        if self.fields.is_empty() {
            return;
        }
        match answer {
            Value::List(items) => items.iter_mut().for_each(|item| self.apply(item)),
            Value::Object(fields) => {
                if self.is_filled {
                    fields.retain(|name, _| name != FILLER);
                }
                let place = |name: &Name| self.fields.get_index_of(name);
                if !fields.keys().is_sorted_by_key(place) {
                    fields.sort_by_key(|name, _| place(name));
                }
                for (name, value) in fields {
                    if let Some(order) = self.fields.get(name) {
                        order.apply(value);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{parser::parse_query, value};

    use super::*;

    #[test]
    fn fields_stand_as_they_were_asked_for() {
        let query = "query other { z } query asked { b { y ...f } a: c ... { d } b { u } } fragment f on T { x y }";
        let document = parse_query(query).expect("parses");
        let mut answer = value!({
            "d": 1, "a": [2], "b": [{ "u": 3, "x": { "q": 4, "p": 5 }, "y": 6 }, null],
        });
        Order::of(&document, Some("asked")).apply(&mut answer);
        assert_eq!(
            answer.to_string(),
            "{b: [{y: 6, x: {q: 4, p: 5}, u: 3}, null], a: [2], d: 1}"
        );
    }
}
