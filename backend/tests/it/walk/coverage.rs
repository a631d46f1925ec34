//! What the schema has, as the server tells it, and what a document asks for.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::{
    parse_query,
    types::{DocumentOperations, ExecutableDocument, OperationType, Selection, SelectionSet},
};
use serde_json::{Value, json};

use crate::app::TestApp;

const INTROSPECTION: &str = "{ __schema { types { kind name
    fields(includeDeprecated: true) { name type { ...type } args { name type { ...type } } }
    inputFields { name type { ...type } } } } }
    fragment type on __Type { kind name ofType { kind name ofType { kind name ofType { kind name
    ofType { kind name } } } } }";

/// The fields of each type, and the places that take text.
pub struct Schema {
    /// By type and field, of which type it is.
    fields: BTreeMap<String, BTreeMap<String, String>>,
    texts: BTreeSet<String>,
}

impl Schema {
    /// As the server describes it to anybody.
    pub async fn of(app: &TestApp) -> Self {
        let data = app.data("", INTROSPECTION, json!({})).await;
        let mut schema = Schema {
            fields: BTreeMap::new(),
            texts: BTreeSet::new(),
        };
        for one in list(&data["__schema"]["types"]) {
            let name = text(&one["name"]);
            if name.starts_with("__") {
                continue;
            }
            for input in list(&one["inputFields"]) {
                schema.note_text(format!("{name}.{}", text(&input["name"])), input);
            }
            for field in list(&one["fields"]) {
                let fields = schema.fields.entry(name.to_owned()).or_default();
                fields.insert(text(&field["name"]).to_owned(), named(&field["type"]));
                for argument in list(&field["args"]) {
                    let place = (text(&field["name"]), text(&argument["name"]));
                    schema.note_text(format!("{name}.{}({})", place.0, place.1), argument);
                }
            }
        }
        schema
    }

    fn note_text(&mut self, place: String, input: &Value) {
        // Numbers, times, choices and inputs of such name nothing.
        if ["ID", "String"].contains(&named(&input["type"]).as_str()) {
            self.texts.insert(place);
        }
    }

    /// Every field, as `Type.field`.
    pub fn fields(&self) -> BTreeSet<String> {
        let of = |(name, fields): (&String, &BTreeMap<String, String>)| {
            let place = |field: &String| format!("{name}.{field}");
            fields.keys().map(place).collect::<Vec<_>>()
        };
        self.fields.iter().flat_map(of).collect()
    }

    /// Every place that takes text, and so could name what is another's: `Type.field(argument)` or `Input.field`.
    pub fn texts(&self) -> &BTreeSet<String> {
        &self.texts
    }

    /// The fields that `document` asks for, as `Type.field`.
    pub fn asked(&self, document: &str) -> BTreeSet<String> {
        let parsed = parse_query(document).unwrap_or_else(|error| panic!("{error}: {document}"));
        let mut asked = BTreeSet::new();
        let DocumentOperations::Single(operation) = &parsed.operations else {
            panic!("not one operation: {document}");
        };
        let root = match operation.node.ty {
            OperationType::Query => "Query",
            OperationType::Mutation => "Mutation",
            OperationType::Subscription => "Subscription",
        };
        let selected = &operation.node.selection_set.node;
        self.gather(&parsed, selected, root, &mut asked);
        asked
    }

    fn gather(
        &self,
        document: &ExecutableDocument,
        selected: &SelectionSet,
        of: &str,
        asked: &mut BTreeSet<String>,
    ) {
        for selection in &selected.items {
            match &selection.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    let field = &field.node.selection_set.node;
                    let inner = self.fields.get(of).and_then(|fields| fields.get(name));
                    let inner = inner.unwrap_or_else(|| panic!("there is no {of}.{name}"));
                    asked.insert(format!("{of}.{name}"));
                    self.gather(document, field, inner, asked);
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let on = condition.map_or(of, |on| on.node.on.node.as_str());
                    self.gather(document, &fragment.node.selection_set.node, on, asked);
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = &document.fragments[&spread.node.fragment_name.node].node;
                    let on = fragment.type_condition.node.on.node.as_str();
                    self.gather(document, &fragment.selection_set.node, on, asked);
                }
            }
        }
    }
}

/// The name of a type without its lists.
fn named(wrapped: &Value) -> String {
    let mut inner = wrapped;
    while !inner["ofType"].is_null() {
        inner = &inner["ofType"];
    }
    text(&inner["name"]).to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
