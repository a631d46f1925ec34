//! `backend/schema.graphql` is the API, described to the last value, and no list in it is endless.

use std::collections::BTreeMap;

use async_graphql::{
    Positioned,
    parser::{
        parse_schema,
        types::{
            BaseType, FieldDefinition, InputValueDefinition, Type, TypeDefinition, TypeKind,
            TypeSystemDefinition,
        },
    },
};

use crate::source::read;

/// Lists outside of connections, and what bounds each.
const BOUNDED: &[(&str, &str)] = &[
    (
        "AccessChange.changes",
        "at most 200 rules before and 200 after",
    ),
    ("AccessChange.gains", "at most 1,000"),
    ("AccessChange.loses", "at most 1,000"),
    ("AccessChange.rules", "at most 200"),
    (
        "AccessExplanation.steps",
        "at most one of each of seven checks",
    ),
    (
        "Comparison.difference",
        "as many as windows, of which there are at most 10,000",
    ),
    ("IngestToken.series", "at most 50, refused when it is made"),
    ("Mutation.createToken(series)", "at most 50, refused above"),
    (
        "Mutation.deletePoints(series)",
        "at most 200, refused above",
    ),
    ("Mutation.ingest(batches)", "at most 10,000, refused above"),
    (
        "Mutation.setAccessRules(rules)",
        "at most 200, refused above",
    ),
    (
        "PointsAdded.series",
        "at most 500 calls of `ingest` an event, of at most 10,000 each",
    ),
    (
        "Query.nodes",
        "as many as ids, of which there are at most 100",
    ),
    ("Query.nodes(ids)", "at most 100, refused above"),
    (
        "RunsChanged.runs",
        "at most 100, the rest in further events",
    ),
    ("Samples.times", "at most 500,000, refused above"),
    ("Samples.values", "as many as times"),
    ("Series.gaps", "at most 1,000, by `first`"),
    ("Series.labels", "at most 32, refused when a series is made"),
    (
        "SeriesBatch.times",
        "at most 1,000,000 in one call, refused above",
    ),
    ("SeriesBatch.values", "as many as times"),
    (
        "SeriesPoints.times",
        "at most 500 calls of `ingest` an event, of at most 1,000,000 each",
    ),
    ("SeriesPoints.values", "as many as times"),
    (
        "Subscription.pointsAdded(series)",
        "at most 200, refused above",
    ),
    (
        "Subscription.runChanged(producers)",
        "at most 200, refused above",
    ),
    ("Tenant.accessRules", "at most 200"),
    ("Tenant.tokens", "at most 500, kept so when one is made"),
    (
        "Viewer.organizations",
        "50 pages of 100, as many as are read from GitHub",
    ),
    ("Viewer.sessions", "at most 100, kept so when one begins"),
    ("Windows.avg", "as many as starts"),
    ("Windows.count", "as many as starts"),
    ("Windows.first", "as many as starts"),
    ("Windows.last", "as many as starts"),
    ("Windows.max", "as many as starts"),
    ("Windows.min", "as many as starts"),
    ("Windows.starts", "at most 10,000, refused above"),
    ("Windows.sum", "as many as starts"),
];

#[test]
fn committed_schema_is_the_schema() {
    assert!(
        read("backend/schema.graphql") == sundial::api::schema::sdl(),
        "backend/schema.graphql is stale: run `cargo run -p sundial -- schema > backend/schema.graphql` and look at what changed",
    );
}

/// The types of the API.
fn types() -> Vec<TypeDefinition> {
    let document = parse_schema(sundial::api::schema::sdl()).unwrap();
    let definitions = document.definitions.into_iter();
    let types: Vec<TypeDefinition> = definitions
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(ty) => Some(ty.node),
            _ => None,
        })
        .collect();
    assert!(types.len() > 10, "the types were not found");
    types
}

fn fields(ty: &TypeDefinition) -> &[Positioned<FieldDefinition>] {
    match &ty.kind {
        TypeKind::Object(object) => &object.fields,
        TypeKind::Interface(interface) => &interface.fields,
        _ => &[],
    }
}

/// Fields of inputs as `Input.field` and arguments as `Type.field(argument)`.
fn inputs(ty: &TypeDefinition) -> Vec<(String, &InputValueDefinition)> {
    let mut inputs = Vec::new();
    if let TypeKind::InputObject(input) = &ty.kind {
        for field in &input.fields {
            inputs.push((
                format!("{}.{}", ty.name.node, field.node.name.node),
                &field.node,
            ));
        }
    }
    for field in fields(ty) {
        for argument in &field.node.arguments {
            let name = &argument.node.name.node;
            inputs.push((
                format!("{}.{}({name})", ty.name.node, field.node.name.node),
                &argument.node,
            ));
        }
    }
    inputs
}

#[test]
fn everything_is_described() {
    let mut bare = Vec::new();
    let mut check = |name: String, description: &Option<Positioned<String>>| {
        if description
            .as_ref()
            .is_none_or(|words| words.node.trim().is_empty())
        {
            bare.push(name);
        }
    };
    for ty in &types() {
        check(ty.name.node.to_string(), &ty.description);
        for field in fields(ty) {
            check(
                format!("{}.{}", ty.name.node, field.node.name.node),
                &field.node.description,
            );
        }
        for (name, input) in inputs(ty) {
            check(name, &input.description);
        }
        if let TypeKind::Enum(values) = &ty.kind {
            for value in &values.values {
                check(
                    format!("{}.{}", ty.name.node, value.node.value.node),
                    &value.node.description,
                );
            }
        }
    }
    assert!(
        bare.is_empty(),
        "without a description: {}",
        bare.join(", ")
    );
}

fn is_list(ty: &Type) -> bool {
    matches!(ty.base, BaseType::List(_))
}

#[test]
fn every_list_is_bounded() {
    let types = types();
    let mut lists = Vec::new();
    for ty in &types {
        // A connection's lists are as long as the field that gives it lets them be, which is looked at below.
        if !ty.name.node.ends_with("Connection") {
            let outputs = fields(ty)
                .iter()
                .filter(|field| is_list(&field.node.ty.node));
            lists.extend(outputs.map(|field| format!("{}.{}", ty.name.node, field.node.name.node)));
        }
        let inputs = inputs(ty)
            .into_iter()
            .filter(|(_, input)| is_list(&input.ty.node));
        lists.extend(inputs.map(|(name, _)| name));
    }
    lists.sort();
    let known: BTreeMap<&str, &str> = BOUNDED.iter().copied().collect();
    let endless: Vec<&String> = lists
        .iter()
        .filter(|name| !known.contains_key(name.as_str()))
        .collect();
    assert!(
        endless.is_empty(),
        "lists that nothing is known to bound: {endless:?}; make each a connection, or say what bounds it in BOUNDED"
    );
    let gone: Vec<&&str> = known
        .keys()
        .filter(|name| !lists.iter().any(|list| list == **name))
        .collect();
    assert!(
        gone.is_empty(),
        "BOUNDED names lists that are no more: {gone:?}"
    );
}

#[test]
fn every_connection_takes_first_and_after() {
    for ty in &types() {
        for field in fields(ty) {
            let BaseType::Named(given) = &field.node.ty.node.base else {
                continue;
            };
            if !given.ends_with("Connection") {
                continue;
            }
            let has = |name: &str| {
                field
                    .node
                    .arguments
                    .iter()
                    .find(|argument| argument.node.name.node == name)
            };
            let first = has("first").is_some_and(|first| first.node.default_value.is_some());
            assert!(
                first && has("after").is_some(),
                "{}.{}",
                ty.name.node,
                field.node.name.node
            );
        }
    }
}
