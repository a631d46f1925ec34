//! The fields that each type has, read from the contract.

use std::{collections::HashMap, sync::LazyLock};

use async_graphql::{
    Name, Positioned,
    parser::{
        parse_schema,
        types::{
            BaseType, FieldDefinition, ObjectType, OperationType, Type, TypeKind,
            TypeSystemDefinition,
        },
    },
};

use crate::api::schema::sdl;

/// The contract's types.
pub static TYPES: LazyLock<Types> = LazyLock::new(|| Types::of(&sdl()));

/// What has fields: objects and interfaces.
#[derive(Default)]
pub struct Types {
    fields: HashMap<Name, HashMap<Name, Type>>,
    /// Of each interface, what implements it.
    objects: HashMap<Name, Vec<Name>>,
}

impl Types {
    fn of(contract: &str) -> Self {
        let mut types = Types::default();
        let definitions = parse_schema(contract).map(|document| document.definitions);
        for definition in definitions.unwrap_or_default() {
            let TypeSystemDefinition::Type(definition) = definition else {
                continue;
            };
            let name = definition.node.name.node;
            match definition.node.kind {
                TypeKind::Object(ObjectType { implements, fields }) => {
                    for interface in implements {
                        let objects = types.objects.entry(interface.node).or_default();
                        objects.push(name.clone());
                    }
                    types.add(name, fields);
                }
                TypeKind::Interface(interface) => types.add(name, interface.fields),
                _ => {}
            }
        }
        types
    }

    fn add(&mut self, name: Name, fields: Vec<Positioned<FieldDefinition>>) {
        let fields = fields.into_iter().map(|field| field.node);
        let fields = fields.map(|field| (field.name.node, field.ty.node));
        self.fields.insert(name, fields.collect());
    }

    /// The type of a field, if it is the contract's own.
    pub fn field(&self, of: &str, name: &str) -> Option<&Type> {
        self.fields.get(of)?.get(name)
    }

    /// The objects that an interface can turn out to be; none of what is no interface.
    pub fn objects(&self, interface: &str) -> &[Name] {
        self.objects.get(interface).map_or(&[], Vec::as_slice)
    }

    /// Whether what is asked of `condition` is asked of an object of the type `of`, which may be unknown.
    pub fn is(&self, of: &str, condition: &str) -> bool {
        of == condition
            || self.objects(condition).iter().any(|object| object == of)
            || !self.fields.contains_key(of)
    }
}

/// The name of a type without its lists.
pub fn named(ty: &Type) -> &Name {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(item) => named(item),
    }
}

/// The type that an operation asks.
pub fn root(kind: OperationType) -> &'static str {
    match kind {
        OperationType::Query => "Query",
        OperationType::Mutation => "Mutation",
        OperationType::Subscription => "Subscription",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_of_the_contract() {
        let ty = |of, name| TYPES.field(of, name).map(ToString::to_string);
        assert_eq!(ty("Query", "nodes").as_deref(), Some("[Node]!"));
        assert_eq!(ty("Series", "key").as_deref(), Some("String!"));
        assert_eq!(ty("Series", "absent"), None);
        assert_eq!(TYPES.objects("Node").len(), 4);
        assert!(TYPES.is("Series", "Node") && TYPES.is("Series", "Series"));
        assert!(!TYPES.is("Series", "Tenant") && TYPES.is("__Type", "__Type"));
    }
}
