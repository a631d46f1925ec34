//! How much a document asks for once its fragments and variables are written out wherever they are used.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned, Variables,
    parser::types::{Directive, ExecutableDocument, OperationType, Selection, SelectionSet},
};
use async_graphql_value::{ConstValue, Value};

use super::{NESTING, fill::FILLER, kind, too_deep};
use crate::{
    api::schema::COMPLEXITY,
    error::{Error, Result},
};

/// Most fields that are given names of their own: each is asked for once more.
pub const ALIASES: usize = 200;
/// Most characters of such a name: each error below it repeats it.
const ALIAS: usize = 200;
/// Most times that the schema is asked about itself, whose answers are long.
pub const INTROSPECTIONS: usize = 4;

/// Most that variables weigh where they are used ([`weight`]): of a document that only reads.
const VALUES: usize = 4 << 20;
/// The same, of one that writes: some 250,000 points outside of columns that were put aside.
const WRITTEN: usize = 16 << 20;

/// How much there is in each variable.
pub struct Weights(HashMap<Name, usize>);

impl Weights {
    /// Of these.
    pub fn of(variables: &Variables) -> Self {
        let weights = variables.iter();
        Weights(
            weights
                .map(|(name, value)| (name.clone(), weight(value)))
                .collect(),
        )
    }

    /// Of the variables in a value.
    fn within(&self, value: &Value) -> usize {
        match value {
            Value::Variable(name) => self.0.get(name).copied().unwrap_or(0),
            Value::List(items) => items.iter().map(|item| self.within(item)).sum(),
            Value::Object(fields) => fields.values().map(|field| self.within(field)).sum(),
            _ => 0,
        }
    }

    fn of_arguments(&self, arguments: &[(Positioned<Name>, Positioned<Value>)]) -> usize {
        let values = arguments.iter();
        values.map(|(_, value)| self.within(&value.node)).sum()
    }

    fn of_directives(&self, directives: &[Positioned<Directive>]) -> usize {
        let directives = directives.iter();
        directives
            .map(|directive| self.of_arguments(&directive.node.arguments))
            .sum()
    }
}

/// About the bytes of its text.
fn weight(value: &ConstValue) -> usize {
    let inner = match value {
        ConstValue::String(text) => text.len(),
        ConstValue::List(items) => items.iter().map(weight).sum(),
        ConstValue::Object(fields) => {
            let fields = fields.iter();
            fields.map(|(name, value)| name.len() + weight(value)).sum()
        }
        _ => 0,
    };
    16 + inner
}

/// Selections, and how many levels of them are within one another.
#[derive(Clone, Copy, Default)]
struct Extent {
    selections: usize,
    levels: usize,
    /// What its variables weigh.
    values: usize,
    aliases: usize,
    /// Characters of the longest.
    alias: usize,
    introspections: usize,
}

impl Extent {
    /// Takes in what is spread at `level`.
    fn add(&mut self, inner: Extent, level: usize) {
        self.selections = self.selections.saturating_add(inner.selections);
        self.values = self.values.saturating_add(inner.values);
        self.aliases = self.aliases.saturating_add(inner.aliases);
        self.alias = self.alias.max(inner.alias);
        self.introspections = self.introspections.saturating_add(inner.introspections);
        self.levels = self.levels.max(level + inner.levels);
    }
}

/// What a selection set holds by itself, and the fragments that it spreads, each with the level it does so at.
struct Own<'a> {
    extent: Extent,
    spreads: Vec<(&'a Name, usize)>,
}

impl<'a> Own<'a> {
    fn of(set: &'a Positioned<SelectionSet>, weights: &Weights) -> Self {
        let mut own = Own {
            extent: Extent::default(),
            spreads: Vec::new(),
        };
        own.add(set, 1, weights);
        own
    }

    fn add(&mut self, set: &'a Positioned<SelectionSet>, level: usize, weights: &Weights) {
        self.extent.levels = self.extent.levels.max(level);
        for selection in &set.node.items {
            let (directives, inner) = match &selection.node {
                // What is filled in was not asked for.
                Selection::Field(field) if field.node.response_key().node == FILLER => continue,
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    if let Some(alias) = &field.node.alias {
                        self.extent.aliases += 1;
                        self.extent.alias = self.extent.alias.max(alias.node.len());
                    }
                    let is_introspection = ["__schema", "__type"].contains(&name);
                    self.extent.introspections += usize::from(is_introspection);
                    self.extent.values += weights.of_arguments(&field.node.arguments);
                    (&field.node.directives, Some(&field.node.selection_set))
                }
                Selection::InlineFragment(inline) => {
                    (&inline.node.directives, Some(&inline.node.selection_set))
                }
                Selection::FragmentSpread(spread) => {
                    self.spreads.push((&spread.node.fragment_name.node, level));
                    (&spread.node.directives, None)
                }
            };
            self.extent.selections += 1;
            self.extent.values += weights.of_directives(directives);
            if let Some(inner) = inner.filter(|inner| !inner.node.items.is_empty()) {
                self.add(inner, level + 1, weights);
            }
        }
    }
}

struct Expansion<'a> {
    fragments: HashMap<&'a Name, Own<'a>>,
    /// What has been written out; `None` while it is being.
    known: HashMap<&'a Name, Option<Extent>>,
}

/// Checks what the document is with its fragments written out wherever they are spread, used or not: each is validated.
pub fn expand(document: &ExecutableDocument, weights: &Weights) -> Result<()> {
    let fragments = document.fragments.iter();
    let mut expansion = Expansion {
        fragments: fragments
            .map(|(name, fragment)| (name, Own::of(&fragment.node.selection_set, weights)))
            .collect(),
        known: HashMap::new(),
    };
    let mut whole = Extent::default();
    for name in document.fragments.keys() {
        whole.add(expansion.fragment(name, 0)?, 0);
    }
    for (_, operation) in document.operations.iter() {
        let own = Own::of(&operation.node.selection_set, weights);
        whole.add(expansion.extent(&own, 0)?, 0);
    }
    if whole.selections > COMPLEXITY {
        return Err(Error::TooCostly(format!(
            "the document asks for more than {COMPLEXITY} fields once its fragments are written out: ask for fewer, or \
             in several requests"
        )));
    }
    if whole.levels > NESTING {
        return Err(too_deep());
    }
    if whole.aliases > ALIASES {
        return Err(Error::TooCostly(format!(
            "the document has more than {ALIASES} aliases once its fragments are written out: ask in several requests"
        )));
    }
    if whole.alias > ALIAS {
        return Err(Error::bad_input(format!(
            "an alias is longer than {ALIAS} characters: choose a shorter one"
        )));
    }
    if whole.introspections > INTROSPECTIONS {
        return Err(Error::TooCostly(format!(
            "the document asks for `__schema` and `__type` more than {INTROSPECTIONS} times: ask in several requests"
        )));
    }
    let most = match kind(document, None) {
        OperationType::Mutation => WRITTEN,
        _ => VALUES,
    };
    if whole.values > most {
        return Err(Error::TooCostly(format!(
            "the variables are more than {} MiB where they are used: give points as one variable of the type \
             [SeriesBatch!]!, use a long value once, or ask in several requests",
            most >> 20
        )));
    }
    Ok(())
}

impl<'a> Expansion<'a> {
    fn extent(&mut self, own: &Own<'a>, spread: usize) -> Result<Extent> {
        let mut extent = own.extent;
        for (name, level) in &own.spreads {
            let inner = self.fragment(name, spread + 1)?;
            extent.add(inner, *level);
        }
        Ok(extent)
    }

    /// The extent of a fragment that is spread within so many others; nothing of one that is not there.
    fn fragment(&mut self, name: &'a Name, spread: usize) -> Result<Extent> {
        if spread > NESTING {
            return Err(too_deep());
        }
        match self.known.get(name) {
            Some(Some(extent)) => return Ok(*extent),
            Some(None) => {
                return Err(Error::bad_input(format!(
                    "the fragment `{}` contains itself: spread it where it does not",
                    name.chars().take(60).collect::<String>()
                )));
            }
            None => {}
        }
        let Some(own) = self.fragments.remove(name) else {
            return Ok(Extent::default());
        };
        self.known.insert(name, None);
        let extent = self.extent(&own, spread)?;
        self.known.insert(name, Some(extent));
        Ok(extent)
    }
}
