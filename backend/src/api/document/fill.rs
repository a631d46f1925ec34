//! Fields that nobody has asked for, and nobody is told.

use async_graphql::{
    Name, Positioned,
    parser::types::{
        DocumentOperations, ExecutableDocument, Field, OperationDefinition, OperationType,
        Selection, SelectionSet,
    },
};

use crate::api::types::{TYPES, named, root};

/// Their name.
pub const FILLER: &str = "__sundial";

/// Has something selected wherever all could be skipped, for the library takes what has no field for null; and asks for the
/// type wherever that depends on the object.
pub fn fill(document: &mut ExecutableDocument) {
    for fragment in document.fragments.values_mut() {
        let fragment = &mut fragment.node;
        fill_set(
            &mut fragment.selection_set,
            &fragment.type_condition.node.on.node,
        );
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
            fill_items(&mut operation.selection_set.node.items, of);
        } else {
            fill_set(&mut operation.selection_set, of);
        }
    }
}

fn fill_set(set: &mut Positioned<SelectionSet>, of: &str) {
    let items = &mut set.node.items;
    fill_items(items, of);
    let is_sure = |item: &Positioned<Selection>| matches!(&item.node, Selection::Field(field) if field.node.directives.is_empty());
    let is_known = TYPES.objects(of).is_empty();
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

fn fill_items(items: &mut [Positioned<Selection>], of: &str) {
    for item in items {
        match &mut item.node {
            Selection::Field(field) => {
                let field = &mut field.node;
                let ty = TYPES.field(of, &field.name.node);
                fill_set(&mut field.selection_set, ty.map_or("", |ty| named(ty)));
            }
            Selection::InlineFragment(inline) => {
                let inline = &mut inline.node;
                let condition = inline.type_condition.as_ref();
                let of = condition.map_or(of, |condition| &condition.node.on.node);
                fill_set(&mut inline.selection_set, of);
            }
            Selection::FragmentSpread(_) => {}
        }
    }
}
