//! Answers in the order of the question. The library answers fields as they are ready; the specification wants them as they
//! were asked for (<https://spec.graphql.org/September2025/#sec-Serialized-Map-Ordering>), and the same question is to have
//! the same answer to the byte. Of fields that depend on the type, those of all types are in one order.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned, Value, Variables,
    indexmap::IndexMap,
    parser::types::{
        Directive, ExecutableDocument, FragmentDefinition, OperationDefinition, Selection,
        SelectionSet,
    },
};
use async_graphql_value::Value as AstValue;

use crate::api::document::FILLER;

/// The variables that are true or false: those that say what is skipped.
#[derive(Clone, Default)]
pub struct Chosen(HashMap<Name, bool>);

impl Chosen {
    /// Among these.
    pub fn of(variables: &Variables) -> Self {
        let chosen = variables.iter().filter_map(|(name, value)| match value {
            Value::Boolean(value) => Some((name.clone(), *value)),
            _ => None,
        });
        Chosen(chosen.collect())
    }

    fn with_defaults(&self, operation: &OperationDefinition) -> Self {
        let mut chosen = self.clone();
        for variable in &operation.variable_definitions {
            let variable = &variable.node;
            if let Some(Value::Boolean(value)) = variable.default_value() {
                let name = variable.name.node.clone();
                chosen.0.entry(name).or_insert(*value);
            }
        }
        chosen
    }

    fn leaves_out(&self, directives: &[Positioned<Directive>]) -> bool {
        directives.iter().any(|directive| {
            let skipping = directive.node.name.node == "skip";
            let including = directive.node.name.node == "include";
            let condition = directive.node.get_argument("if");
            let holds = condition.and_then(|condition| match &condition.node {
                AstValue::Boolean(value) => Some(*value),
                AstValue::Variable(name) => self.0.get(name).copied(),
                _ => None,
            });
            (skipping && holds == Some(true)) || (including && holds == Some(false))
        })
    }
}

/// The fields of an answer by name, in order, each with those within it.
#[derive(Default)]
pub struct Order<'a> {
    fields: IndexMap<&'a Name, Order<'a>>,
    /// Whether there can be one that nobody has asked for.
    is_filled: bool,
}

impl<'a> Order<'a> {
    /// The order of the answer to the operation of this name. The document has been checked: no fragment contains itself.
    pub fn of(document: &'a ExecutableDocument, name: Option<&str>, chosen: &Chosen) -> Self {
        let mut order = Order::default();
        let mut operations = document.operations.iter();
        let asked = |(operation, _): &(Option<&Name>, &Positioned<OperationDefinition>)| {
            name.is_none() || operation.map(Name::as_str) == name
        };
        if let Some((_, operation)) = operations.find(asked) {
            let chosen = chosen.with_defaults(&operation.node);
            order.add(&operation.node.selection_set.node, document, &chosen);
        }
        order
    }

    fn add(&mut self, set: &'a SelectionSet, document: &'a ExecutableDocument, chosen: &Chosen) {
        for selection in &set.items {
            if chosen.leaves_out(selection.node.directives()) {
                continue;
            }
            match &selection.node {
                Selection::Field(field) if field.node.response_key().node == FILLER => {
                    self.is_filled = true;
                }
                Selection::Field(field) => {
                    let inner = self
                        .fields
                        .entry(&field.node.response_key().node)
                        .or_default();
                    inner.add(&field.node.selection_set.node, document, chosen);
                }
                Selection::InlineFragment(inline) => {
                    self.add(&inline.node.selection_set.node, document, chosen);
                }
                Selection::FragmentSpread(spread) => {
                    let fragment: Option<&Positioned<FragmentDefinition>> =
                        document.fragments.get(&spread.node.fragment_name.node);
                    if let Some(fragment) = fragment {
                        self.add(&fragment.node.selection_set.node, document, chosen);
                    }
                }
            }
        }
    }

    /// Puts the fields of `answer` in order, and leaves out what nobody has asked for.
    pub fn apply(&self, answer: &mut Value) {
        // What holds no fields of ours is a value.
        if self.fields.is_empty() && !self.is_filled {
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
        let chosen = Chosen::of(&Variables::from_json(serde_json::json!({ "no": false })));
        let query = "query other { z } query asked($no: Boolean!, $yes: Boolean! = true) {
            d @skip(if: $yes) a @include(if: $no) b { y ...f } a: c ... { d } b { u } } fragment f on T { x y }";
        let document = parse_query(query).expect("parses");
        let mut answer = value!({
            "d": 1, "a": [2], "b": [{ "u": 3, "x": { "q": 4, "p": 5 }, "y": 6 }, null],
        });
        Order::of(&document, Some("asked"), &chosen).apply(&mut answer);
        assert_eq!(
            answer.to_string(),
            "{b: [{y: 6, x: {q: 4, p: 5}, u: 3}, null], a: [2], d: 1}"
        );
    }
}
