//! Roles are visible in the schema: what needs more than VIEWER says so, and what says so needs it.

use std::collections::BTreeSet;

use async_graphql::parser::{
    parse_schema,
    types::{TypeKind, TypeSystemDefinition},
};

use crate::source::sources;

/// Fields of the API that carry `@requires`, and those of `Mutation` that name a tenant, in the API's names.
fn fields() -> (BTreeSet<String>, BTreeSet<String>) {
    let document = parse_schema(sundial::api::schema::sdl()).unwrap();
    let (mut requiring, mut mutations) = (BTreeSet::new(), BTreeSet::new());
    for definition in document.definitions {
        let TypeSystemDefinition::Type(ty) = definition else {
            continue;
        };
        let TypeKind::Object(object) = &ty.node.kind else {
            continue;
        };
        for field in &object.fields {
            let name = field.node.name.node.to_string();
            let directives = &field.node.directives;
            if directives.iter().any(|of| of.node.name.node == "requires") {
                requiring.insert(name.clone());
            }
            if ty.node.name.node == "Mutation" {
                mutations.insert(name);
            }
        }
    }
    (requiring, mutations)
}

/// Mutations of what belongs to a person and to no tenant, so that no role in one is needed.
const PERSONAL: &[&str] = &["endSession", "endSessions"];

#[test]
fn every_mutation_tells_the_role_that_it_needs() {
    let (requiring, mutations) = fields();
    assert!(mutations.contains("ingest"), "the mutations were not found");
    let silent: Vec<_> = mutations.difference(&requiring).collect();
    assert_eq!(silent, PERSONAL, "without @requires(role:)");
}

#[test]
fn resolvers_enter_with_the_role_that_they_tell() {
    let mut told = BTreeSet::new();
    let mut faults = Vec::new();
    for source in sources() {
        if !source.path.ends_with("graphql.rs") {
            continue;
        }
        // Where a function or a method of a type ends, since all sources are formatted.
        let text = source.text.replace("\n    }\n", "\n}\n");
        for method in text.split("\n}\n") {
            let Some((before, after)) = method.split_once("async fn ") else {
                continue;
            };
            let name: String = { after.chars() }
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            for role in ["Editor", "Admin"] {
                let tells = before.contains(&format!("requires::apply(Role::{role})"));
                let needs = ["writing", "at_least"]
                    .iter()
                    .any(|enter| after.contains(&format!("{enter}::<{role}>(")));
                if tells != needs {
                    faults.push(format!("{}: {name}: {role}", source.path));
                }
                if tells {
                    told.insert(camel(&name));
                }
            }
        }
    }
    assert!(
        faults.is_empty(),
        "enters without @requires, or tells it without entering: {}",
        faults.join(", ")
    );
    assert_eq!(told, fields().0);
}

/// A method's name as the API has it.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| {
        let (head, tail) = part.split_at(1);
        name + &head.to_uppercase() + tail
    })
}
