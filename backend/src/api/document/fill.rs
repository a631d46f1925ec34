//! Fields that nobody has asked for, and nobody is told.

use std::collections::HashSet;

use async_graphql::{
    Name, Pos, Positioned,
    indexmap::IndexMap,
    parser::types::{
        DocumentOperations, ExecutableDocument, Field, OperationDefinition, OperationType,
        Selection, SelectionSet,
    },
};

use crate::api::types::{TYPES, named, root};

/// Their name.
pub const FILLER: &str = "__sundial";

/// Has something selected that cannot fail wherever the library would take an object for null, and could not tell it from
/// one that is: where all could be skipped, and where an object is asked for in several places, for of these it puts
/// together what it takes for objects. Asks for the type, too, wherever that depends on the object.
pub fn fill(document: &mut ExecutableDocument) {
    let mut repeated = HashSet::new();
    for (_, operation) in document.operations.iter() {
        let set = &operation.node.selection_set.node;
        find_repeated(&[set], document, &mut repeated);
    }
    for fragment in document.fragments.values_mut() {
        let fragment = &mut fragment.node;
        let of = &fragment.type_condition.node.on.node;
        fill_set(&mut fragment.selection_set, of, &repeated, false);
    }
    let operations: Vec<&mut OperationDefinition> = match &mut document.operations {
        DocumentOperations::Single(operation) => vec![&mut operation.node],
        DocumentOperations::Multiple(operations) => operations
            .values_mut()
            .map(|operation| &mut operation.node)
            .collect(),
    };
    for operation in operations {
        let of = root(operation.ty);
        if operation.ty == OperationType::Subscription {
            // It has one field, and no other.
            fill_items(&mut operation.selection_set.node.items, of, &repeated);
        } else {
            fill_set(&mut operation.selection_set, of, &repeated, false);
        }
    }
}

/// Finds the fields that are asked for in several places of one object, whose selections are `sets`, and within it. No
/// fragment contains itself.
fn find_repeated<'a>(
    sets: &[&'a SelectionSet],
    document: &'a ExecutableDocument,
    repeated: &mut HashSet<Pos>,
) {
    let mut asked: IndexMap<&Name, IndexMap<Pos, &SelectionSet>> = IndexMap::new();
    let mut rest: Vec<&Positioned<Selection>> = Vec::new();
    rest.extend(sets.iter().flat_map(|set| &set.items));
    while let Some(selection) = rest.pop() {
        match &selection.node {
            Selection::Field(field) => {
                let set = &field.node.selection_set.node;
                if !set.items.is_empty() {
                    let places = asked.entry(&field.node.response_key().node).or_default();
                    places.insert(field.pos, set);
                }
            }
            Selection::InlineFragment(inline) => {
                rest.extend(&inline.node.selection_set.node.items);
            }
            Selection::FragmentSpread(spread) => {
                let fragment = document.fragments.get(&spread.node.fragment_name.node);
                let items = fragment.map(|fragment| &fragment.node.selection_set.node.items);
                rest.extend(items.into_iter().flatten());
            }
        }
    }
    for places in asked.into_values() {
        if places.len() > 1 {
            repeated.extend(places.keys());
        }
        let sets: Vec<&SelectionSet> = places.into_values().collect();
        find_repeated(&sets, document, repeated);
    }
}

fn fill_set(
    set: &mut Positioned<SelectionSet>,
    of: &str,
    repeated: &HashSet<Pos>,
    is_repeated: bool,
) {
    let items = &mut set.node.items;
    fill_items(items, of, repeated);
    let is_sure = |item: &Positioned<Selection>| matches!(&item.node, Selection::Field(field) if field.node.directives.is_empty());
    let is_known = TYPES.objects(of).is_empty() && !is_repeated;
    if items.is_empty() || is_known && items.iter().any(is_sure) {
        return;
    }
    let at = |name| Positioned::new(Name::new(name), set.pos);
    let filler = Field {
        alias: Some(at(FILLER)),
        name: at("__typename"),
        arguments: Vec::new(),
        directives: Vec::new(),
        selection_set: Positioned::default(),
    };
    let filler = Selection::Field(Positioned::new(filler, set.pos));
    items.push(Positioned::new(filler, set.pos));
}

fn fill_items(items: &mut [Positioned<Selection>], of: &str, repeated: &HashSet<Pos>) {
    for item in items {
        match &mut item.node {
            Selection::Field(field) => {
                let is_repeated = repeated.contains(&field.pos);
                let field = &mut field.node;
                let ty = TYPES.field(of, &field.name.node);
                let of = ty.map_or("", |ty| named(ty));
                fill_set(&mut field.selection_set, of, repeated, is_repeated);
            }
            Selection::InlineFragment(inline) => {
                let inline = &mut inline.node;
                let condition = inline.type_condition.as_ref();
                let of = condition.map_or(of, |condition| &condition.node.on.node);
                fill_set(&mut inline.selection_set, of, repeated, false);
            }
            Selection::FragmentSpread(_) => {}
        }
    }
}
