//! Answers as the specification wants them, which the library answers otherwise: fields in the order of the question, so
//! that the same question has the same answer to the byte
//! (<https://spec.graphql.org/September2025/#sec-Serialized-Map-Ordering>), and null in the place of what failed, or of what
//! holds it where that may not be null (<https://spec.graphql.org/September2025/#sec-Handling-Execution-Errors>). The
//! library answers fields as they are ready, and leaves out what failed.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name, PathSegment, Positioned, Response, Value, Variables,
    indexmap::IndexMap,
    parser::types::{
        BaseType, Directive, ExecutableDocument, OperationDefinition, Selection, SelectionSet,
        Type, TypeCondition,
    },
};
use async_graphql_value::Value as AstValue;

use crate::api::{
    document::FILLER,
    types::{TYPES, named, root},
};

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

/// What is asked of the operation of this name. The document has been checked: no fragment contains itself.
pub struct Order<'a>(Asked<'a>);

impl<'a> Order<'a> {
    /// Of an operation of `document`.
    pub fn of(document: &'a ExecutableDocument, name: Option<&str>, chosen: &Chosen) -> Self {
        let mut operations = document.operations.iter();
        let asked = |(operation, _): &(Option<&Name>, &Positioned<OperationDefinition>)| {
            name.is_none() || operation.map(Name::as_str) == name
        };
        Order(
            operations
                .find(asked)
                .map_or_else(Asked::default, |(_, operation)| {
                    let mut asked = Asked::new(root(operation.node.ty));
                    asked.add(&operation.node.selection_set.node, document, chosen);
                    asked
                }),
        )
    }

    /// Puts what failed and the order right.
    pub fn apply(&self, response: &mut Response) {
        // What was refused before anything ran has no paths.
        let failed = Failed::of(response);
        if !failed.0.is_empty()
            && !self
                .0
                .completes(None, &mut response.data, &mut String::new(), &failed)
        {
            response.data = Value::Null;
        }
        self.0.sort(&mut response.data);
    }
}

/// Where something failed within: a path as text, without its last part.
struct Failed(HashSet<String>);

impl Failed {
    fn of(response: &Response) -> Self {
        let mut failed = HashSet::new();
        for error in &response.errors {
            let mut place = String::new();
            for part in &error.path {
                if !failed.contains(&place) {
                    failed.insert(place.clone());
                }
                match part {
                    PathSegment::Field(name) => push(&mut place, name),
                    PathSegment::Index(index) => push(&mut place, index),
                }
            }
        }
        Failed(failed)
    }
}

fn push(place: &mut String, part: impl std::fmt::Display) {
    use std::fmt::Write;
    // Into a text nothing fails to be written.
    let _ = write!(place, "/{part}");
}

/// What is asked of a value: nothing of one without fields.
#[derive(Default)]
struct Asked<'a> {
    /// By the types that the value can turn out to be: one, but behind an interface.
    kinds: Vec<Kind<'a>>,
    /// Whether there can be a field that nobody has asked for.
    is_filled: bool,
}

/// What is asked of an object of one type.
struct Kind<'a> {
    name: &'a str,
    fields: IndexMap<&'a Name, Field<'a>>,
}

struct Field<'a> {
    /// None of what is not the contract's own: of the schema itself.
    ty: Option<&'a Type>,
    asked: Asked<'a>,
}

impl<'a> Asked<'a> {
    /// Nothing yet, of a value of this type.
    fn new(ty: &'a str) -> Self {
        let kind = |name| Kind {
            name,
            fields: IndexMap::new(),
        };
        let objects = TYPES.objects(ty);
        let kinds = match objects {
            [] => vec![kind(ty)],
            objects => objects.iter().map(|object| kind(object)).collect(),
        };
        Asked {
            kinds,
            is_filled: false,
        }
    }

    fn add(&mut self, set: &'a SelectionSet, document: &'a ExecutableDocument, chosen: &Chosen) {
        let is_filled = &mut self.is_filled;
        for kind in &mut self.kinds {
            kind.add(set, document, chosen, is_filled);
        }
    }

    /// What is asked of this object.
    fn kind(&self, object: &IndexMap<Name, Value>) -> Option<&Kind<'a>> {
        if let [one] = &self.kinds[..] {
            return Some(one);
        }
        let Some(Value::String(name)) = object.get(FILLER) else {
            return None;
        };
        self.kinds.iter().find(|kind| kind.name == name)
    }

    /// Puts null where something is missing and may be; false when it may not.
    fn completes(
        &self,
        ty: Option<&Type>,
        value: &mut Value,
        place: &mut String,
        failed: &Failed,
    ) -> bool {
        // Of an object nothing is left when all of it failed.
        if *value == Value::Null
            && !self.kinds.is_empty()
            && failed.0.contains(place.as_str())
            && !matches!(
                ty,
                Some(Type {
                    base: BaseType::List(_),
                    ..
                })
            )
        {
            *value = Value::Object(IndexMap::new());
        }
        let holds = match value {
            Value::Null => false,
            Value::List(items) => {
                let ty = ty.and_then(|ty| match &ty.base {
                    BaseType::List(item) => Some(&**item),
                    BaseType::Named(_) => None,
                });
                let mut items = items.iter_mut().enumerate();
                items.all(|(index, item)| {
                    within(place, index, |place| {
                        self.completes(ty, item, place, failed)
                    })
                })
            }
            Value::Object(object) => match self.kind(object) {
                Some(kind) => kind.completes(object, place, failed),
                None => true,
            },
            _ => true,
        };
        let may_be_null = ty.is_some_and(|ty| ty.nullable);
        if !holds && may_be_null {
            *value = Value::Null;
        }
        holds || may_be_null
    }

    /// Puts fields in order, and leaves out what nobody has asked for.
    fn sort(&self, value: &mut Value) {
        match value {
            Value::List(items) if !self.kinds.is_empty() => {
                items.iter_mut().for_each(|item| self.sort(item));
            }
            Value::Object(object) => {
                let Some(kind) = self.kind(object) else {
                    return;
                };
                if self.is_filled {
                    object.swap_remove(FILLER);
                }
                let place = |name: &Name| kind.fields.get_index_of(name);
                if !object.keys().is_sorted_by_key(place) {
                    object.sort_by_key(|name, _| place(name));
                }
                for (name, value) in object {
                    if let Some(field) = kind.fields.get(name) {
                        field.asked.sort(value);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Does something one step down from a place.
fn within<T>(
    place: &mut String,
    part: impl std::fmt::Display,
    act: impl FnOnce(&mut String) -> T,
) -> T {
    let length = place.len();
    push(place, part);
    let done = act(place);
    place.truncate(length);
    done
}

impl<'a> Kind<'a> {
    fn add(
        &mut self,
        set: &'a SelectionSet,
        document: &'a ExecutableDocument,
        chosen: &Chosen,
        is_filled: &mut bool,
    ) {
        for selection in &set.items {
            if chosen.leaves_out(selection.node.directives()) {
                continue;
            }
            match &selection.node {
                Selection::Field(field) if field.node.response_key().node == FILLER => {
                    *is_filled = true;
                }
                Selection::Field(field) => {
                    let field = &field.node;
                    let of = self.name;
                    let known = self
                        .fields
                        .entry(&field.response_key().node)
                        .or_insert_with(|| {
                            let ty = TYPES.field(of, &field.name.node);
                            let asked = match field.selection_set.node.items.is_empty() {
                                true => Asked::default(),
                                false => Asked::new(ty.map_or("", |ty| named(ty))),
                            };
                            Field { ty, asked }
                        });
                    known.asked.add(&field.selection_set.node, document, chosen);
                }
                Selection::InlineFragment(inline) => {
                    let inline = &inline.node;
                    self.add_if(
                        inline.type_condition.as_ref(),
                        &inline.selection_set.node,
                        document,
                        chosen,
                        is_filled,
                    );
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node)
                    {
                        let fragment = &fragment.node;
                        self.add_if(
                            Some(&fragment.type_condition),
                            &fragment.selection_set.node,
                            document,
                            chosen,
                            is_filled,
                        );
                    }
                }
            }
        }
    }

    fn add_if(
        &mut self,
        condition: Option<&Positioned<TypeCondition>>,
        set: &'a SelectionSet,
        document: &'a ExecutableDocument,
        chosen: &Chosen,
        is_filled: &mut bool,
    ) {
        if condition.is_none_or(|condition| TYPES.is(self.name, &condition.node.on.node)) {
            self.add(set, document, chosen, is_filled);
        }
    }

    fn completes(
        &self,
        object: &mut IndexMap<Name, Value>,
        place: &mut String,
        failed: &Failed,
    ) -> bool {
        self.fields.iter().all(|(name, field)| {
            // The schema itself is not the contract's, and does not fail.
            let Some(ty) = field.ty else {
                return true;
            };
            let value = object.entry((*name).clone()).or_insert(Value::Null);
            within(place, name, |place| {
                field.asked.completes(Some(ty), value, place, failed)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{ServerError, parser::parse_query, value};

    use super::*;

    fn applied(
        query: &str,
        variables: serde_json::Value,
        data: Value,
        failed: &[&[&str]],
    ) -> String {
        let document = parse_query(query).expect("parses");
        let mut response = Response::new(data);
        for path in failed {
            let mut error = ServerError::new("failed", None);
            let parts = path.iter().map(|part| match part.parse() {
                Ok(index) => PathSegment::Index(index),
                Err(_) => PathSegment::Field((*part).into()),
            });
            error.path = parts.collect();
            response.errors.push(error);
        }
        let chosen = Chosen::of(&Variables::from_json(variables));
        Order::of(&document, Some("asked"), &chosen).apply(&mut response);
        response.data.to_string()
    }

    #[test]
    fn fields_stand_as_they_were_asked_for() {
        let query = "query other { z } query asked($no: Boolean!, $yes: Boolean!) {
            d @skip(if: $yes) a @include(if: $no) b { y ...f } a: c ... { d } b { u } } fragment f on T { x y }";
        let data = value!({
            "d": 1, "a": [2], "b": [{ "u": 3, "x": { "q": 4, "p": 5 }, "y": 6 }, null],
        });
        assert_eq!(
            applied(
                query,
                serde_json::json!({ "no": false, "yes": true }),
                data,
                &[]
            ),
            "{b: [{y: 6, x: {q: 4, p: 5}, u: 3}, null], a: [2], d: 1}"
        );
    }

    #[test]
    fn fields_of_a_type_stand_as_they_were_asked_of_it() {
        let query = "query asked { nodes(ids: []) { ... on Tenant { slug id } id ... on Series { key name } __sundial: __typename } }";
        let data = value!({ "nodes": [
            { "__sundial": "Series", "name": 1, "key": 2, "id": 3 },
            { "__sundial": "Tenant", "id": 4, "slug": 5 },
        ] });
        assert_eq!(
            applied(query, serde_json::json!({}), data, &[]),
            "{nodes: [{id: 3, key: 2, name: 1}, {slug: 5, id: 4}]}"
        );
    }

    #[test]
    fn what_failed_is_null_where_it_may_be() {
        let query = "query asked { serverTime tenant(slug: \"a\") { slug series { nodes { key latest { time value } unit } } } \
            node(id: \"b\") { ... on Series { key } __sundial: __typename } __schema { types { name } } }";
        let data = |latest: Value, key: Value| {
            value!({
                "__schema": { "types": [] }, "serverTime": "now", "node": null,
                "tenant": { "slug": "a", "series": { "nodes": [{ "latest": latest, "key": key }] } },
            })
        };
        let latest = ["tenant", "series", "nodes", "0", "latest", "value"];
        let shown = |of: &str| {
            format!("{{serverTime: \"now\", tenant: {of}, node: null, __schema: {{types: []}}}}")
        };
        // A field, and the nearest above it that may be null; what was null stays so.
        for found in [value!({ "time": "now" }), Value::Null] {
            let of_series = "{key: \"k\", latest: null, unit: null}";
            assert_eq!(
                applied(
                    query,
                    serde_json::json!({}),
                    data(found, value!("k")),
                    &[&latest]
                ),
                shown(&format!(
                    "{{slug: \"a\", series: {{nodes: [{of_series}]}}}}"
                ))
            );
        }
        assert_eq!(
            applied(
                query,
                serde_json::json!({}),
                data(Value::Null, Value::Null),
                &[&["tenant", "series", "nodes", "0", "key"]]
            ),
            shown("null")
        );
        // Up to the answer as a whole.
        let bare = applied(
            "query asked { now: serverTime viewer { login } }",
            serde_json::json!({}),
            value!({ "viewer": null }),
            &[&["now"]],
        );
        assert_eq!(bare, "null");
        let all = applied(
            "query asked { viewer { login } }",
            serde_json::json!({}),
            Value::Null,
            &[&["viewer"]],
        );
        assert_eq!(all, "{viewer: null}");
        // Nothing ran.
        assert_eq!(
            applied(
                "query asked { viewer { login } }",
                serde_json::json!({}),
                Value::Null,
                &[]
            ),
            "null"
        );
    }
}
