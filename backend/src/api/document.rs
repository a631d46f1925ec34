//! What a GraphQL document may be, found out before anything else is done with it: the library parses, validates and
//! executes by recursion, and a small document can ask all three for more than there is.
//!
//! Invariant: nothing is parsed that is nested deeper than [`NESTING`], and nothing validated whose fragments, written
//! out, are more than [`COMPLEXITY`] fields, or whose variables, written out, are more than [`VALUES`] or [`WRITTEN`]: the
//! library copies a variable wherever it is used.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use async_graphql::{
    Name, Positioned, Request, Variables,
    parser::{
        parse_query,
        types::{
            Directive, DocumentOperations, ExecutableDocument, Field, OperationDefinition,
            OperationType, Selection, SelectionSet,
        },
    },
};
use async_graphql_value::{ConstValue, Value};
use moka::sync::Cache;

use crate::{
    api::schema::COMPLEXITY,
    error::{Error, Result},
};

/// Most bytes of a document; what is longer are values, which go faster as variables.
const BYTES: usize = 256 << 10;
/// Most brackets of any kind that are open at once, and most levels of fields once fragments are written out.
const NESTING: usize = 64;

/// Most fields that are given names of their own: each is asked for once more.
const ALIASES: usize = 200;
/// Most times that the schema is asked about itself, whose answers are long.
const INTROSPECTIONS: usize = 4;

/// Most that variables weigh where they are used ([`weight`]): of a document that only reads.
const VALUES: usize = 4 << 20;
/// The same, of one that writes: some 250,000 points outside of columns that were put aside.
const WRITTEN: usize = 16 << 20;

/// Longest document that is kept.
const KEPT: usize = 16 << 10;
/// Bytes of all documents that are kept; parsed, they take some twenty times as many.
const ALL_KEPT: u64 = 1 << 20;

/// What was asked lately, parsed: clients ask the same again and again. Documents say nothing of who has asked them.
#[derive(Clone)]
pub struct Documents(Cache<String, Arc<ExecutableDocument>>);

impl Default for Documents {
    fn default() -> Self {
        let bytes =
            |text: &String, _: &Arc<_>| u32::try_from(text.len()).unwrap_or(u32::MAX).max(100);
        let cache = Cache::builder().max_capacity(ALL_KEPT).weigher(bytes);
        Documents(cache.build())
    }
}

impl Documents {
    /// The request's document, parsed, if it may be executed; `None` when it is none, of which the execution tells more.
    /// Variables that it does not declare are dropped, and those that are not given have their defaults: the library forgets
    /// these where something is skipped by them.
    ///
    /// # Errors
    /// [`Error::TooCostly`] when it is too long, too deep, or too much once its fragments and variables are written out;
    /// [`Error::BadInput`] when a fragment contains itself, a variable is missing, or a subscription has more than a field.
    pub fn check(&self, request: &mut Request) -> Result<Option<Arc<ExecutableDocument>>> {
        let Some(document) = self.parsed(&request.query)? else {
            return Ok(None);
        };
        expand(&document, &Weights::of(&request.variables))?;
        let operations = document.operations.iter();
        for (_, operation) in operations {
            check_subscription(&operation.node)?;
        }
        give_defaults(&document, request)?;
        let operations = document.operations.iter();
        let declared: HashSet<&Name> = operations
            .flat_map(|(_, operation)| &operation.node.variable_definitions)
            .map(|definition| &definition.node.name.node)
            .collect();
        request.variables.retain(|name, _| declared.contains(name));
        request.set_parsed_query((*document).clone());
        Ok(Some(document))
    }

    fn parsed(&self, text: &str) -> Result<Option<Arc<ExecutableDocument>>> {
        if let Some(document) = self.0.get(text) {
            return Ok(Some(document));
        }
        if text.len() > BYTES {
            return Err(Error::TooCostly(format!(
                "the document is longer than {BYTES} bytes: pass its values as `variables`, and ask for the rest in \
                 several requests"
            )));
        }
        if nesting(text) > NESTING {
            return Err(too_deep());
        }
        if text.contains(FILLER) {
            return Err(Error::bad_input(format!(
                "the name {FILLER} is the server's own: choose another"
            )));
        }
        let Ok(mut document) = parse_query(text) else {
            return Ok(None);
        };
        fill(&mut document);
        let document = Arc::new(document);
        if text.len() <= KEPT {
            self.0.insert(text.to_owned(), document.clone());
        }
        Ok(Some(document))
    }
}

/// A subscription is one field, which stands there: each more would be one more, and one in a fragment is none to the
/// library. It is not skipped either.
fn check_subscription(operation: &OperationDefinition) -> Result<()> {
    if operation.ty != OperationType::Subscription {
        return Ok(());
    }
    let is_plain = |item: &Positioned<Selection>| match &item.node {
        Selection::Field(field) => field.node.directives.is_empty(),
        Selection::FragmentSpread(_) | Selection::InlineFragment(_) => false,
    };
    match &operation.selection_set.node.items[..] {
        [one] if is_plain(one) => Ok(()),
        _ => Err(Error::bad_input(
            "a subscription is one field, without `@skip` and `@include` and not in a fragment: subscribe to each by itself",
        )),
    }
}

/// Puts the defaults of the operation's variables in the place of those that are not given.
fn give_defaults(document: &ExecutableDocument, request: &mut Request) -> Result<()> {
    let name = request.operation_name.as_deref();
    let mut operations = document.operations.iter();
    let asked = operations.find(|(operation, _)| {
        name.is_none_or(|name| operation.is_some_and(|operation| operation == name))
    });
    // Which one is meant, the execution asks.
    let Some((_, operation)) =
        asked.filter(|_| name.is_some() || document.operations.iter().count() == 1)
    else {
        return Ok(());
    };
    for variable in &operation.node.variable_definitions {
        let (name, variable) = (&variable.node.name.node, &variable.node);
        if request.variables.contains_key(name) {
            continue;
        }
        match &variable.default_value {
            Some(value) => {
                request.variables.insert(name.clone(), value.node.clone());
            }
            None if !variable.var_type.node.nullable => {
                return Err(Error::bad_input(format!(
                    "the variable `${name}` is missing: it is of the type {}, and has no default",
                    variable.var_type.node
                )));
            }
            None => {}
        }
    }
    Ok(())
}

/// The name of a field that nobody has asked for and nobody is told.
pub const FILLER: &str = "__sundial";

/// Has something selected wherever all could be skipped: the library takes what has no field for null.
fn fill(document: &mut ExecutableDocument) {
    let fragments = document.fragments.values_mut();
    fragments.for_each(|fragment| fill_set(&mut fragment.node.selection_set));
    let operations: Vec<&mut OperationDefinition> = match &mut document.operations {
        DocumentOperations::Single(operation) => vec![&mut operation.node],
        DocumentOperations::Multiple(operations) => operations
            .values_mut()
            .map(|operation| &mut operation.node)
            .collect(),
    };
    for operation in operations {
        if operation.ty == OperationType::Subscription {
            // It has one field, and no other.
            fill_items(&mut operation.selection_set.node.items);
        } else {
            fill_set(&mut operation.selection_set);
        }
    }
}

fn fill_set(set: &mut Positioned<SelectionSet>) {
    let items = &mut set.node.items;
    fill_items(items);
    let is_sure = |item: &Positioned<Selection>| matches!(&item.node, Selection::Field(field) if field.node.directives.is_empty());
    if items.is_empty() || items.iter().any(is_sure) {
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

fn fill_items(items: &mut [Positioned<Selection>]) {
    for item in items {
        match &mut item.node {
            Selection::Field(field) => fill_set(&mut field.node.selection_set),
            Selection::InlineFragment(inline) => fill_set(&mut inline.node.selection_set),
            Selection::FragmentSpread(_) => {}
        }
    }
}

/// How much there is in each variable.
struct Weights(HashMap<Name, usize>);

impl Weights {
    fn of(variables: &Variables) -> Self {
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

/// The kind of the operation of this name; while that is not settled, the kind with the strictest rules in the document.
pub fn kind(document: &ExecutableDocument, name: Option<&str>) -> OperationType {
    let named =
        |(operation, _): &(Option<&Name>, _)| name.is_some() && operation.map(Name::as_str) == name;
    if let Some((_, operation)) = document.operations.iter().find(named) {
        return operation.node.ty;
    }
    let holds = |kind| {
        let mut operations = document.operations.iter();
        operations.any(|(_, operation)| operation.node.ty == kind)
    };
    if holds(OperationType::Mutation) {
        OperationType::Mutation
    } else if holds(OperationType::Subscription) {
        OperationType::Subscription
    } else {
        OperationType::Query
    }
}

fn too_deep() -> Error {
    Error::TooCostly(format!(
        "the document is nested deeper than {NESTING} levels: ask for less within one another"
    ))
}

/// Most brackets that are open at once, outside of strings and comments.
fn nesting(text: &str) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    let mut rest = text.as_bytes();
    while let [byte, behind @ ..] = rest {
        rest = match byte {
            b'{' | b'[' | b'(' => {
                open += 1;
                most = most.max(open);
                behind
            }
            b'}' | b']' | b')' => {
                open = open.saturating_sub(1);
                behind
            }
            b'"' => match behind.strip_prefix(b"\"\"") {
                Some(block) => behind_block(block),
                None => behind_string(behind),
            },
            b'#' => behind_first(behind, |byte| matches!(byte, b'\n' | b'\r')),
            _ => behind,
        };
    }
    most
}

fn behind_first(text: &[u8], is_end: impl Fn(u8) -> bool) -> &[u8] {
    let end = text.iter().position(|byte| is_end(*byte));
    end.map_or(&[], |end| &text[end + 1..])
}

/// What follows a string whose opening quote is behind us. One that does not end in its line is no string: the parser
/// gets no further than it.
fn behind_string(mut text: &[u8]) -> &[u8] {
    loop {
        text = match text {
            [] | [b'\n' | b'\r', ..] => return &[],
            [b'"', behind @ ..] => return behind,
            [b'\\', _, behind @ ..] | [_, behind @ ..] => behind,
        }
    }
}

/// What follows a block string whose opening quotes are behind us.
fn behind_block(mut text: &[u8]) -> &[u8] {
    loop {
        text = match text {
            [] => return &[],
            [b'"', b'"', b'"', behind @ ..] => return behind,
            [b'\\', b'"', b'"', b'"', behind @ ..] | [_, behind @ ..] => behind,
        }
    }
}

/// Selections, and how many levels of them are within one another.
#[derive(Clone, Copy, Default)]
struct Extent {
    selections: usize,
    levels: usize,
    /// What its variables weigh.
    values: usize,
    aliases: usize,
    introspections: usize,
}

impl Extent {
    /// Takes in what is spread at `level`.
    fn add(&mut self, inner: Extent, level: usize) {
        self.selections = self.selections.saturating_add(inner.selections);
        self.values = self.values.saturating_add(inner.values);
        self.aliases = self.aliases.saturating_add(inner.aliases);
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
        self.extent.selections += set.node.items.len();
        for selection in &set.node.items {
            let (directives, inner) = match &selection.node {
                Selection::Field(field) => {
                    let alias = field.node.alias.as_ref();
                    let name = field.node.name.node.as_str();
                    let is_alias = alias.is_some_and(|alias| alias.node != FILLER);
                    self.extent.aliases += usize::from(is_alias);
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
fn expand(document: &ExecutableDocument, weights: &Weights) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    /// Whether a document that may be executed is one at all.
    fn checked(query: impl Into<String>) -> Result<bool> {
        let mut request = Request::new(query);
        let documents = Documents::default();
        let checked = documents.check(&mut request).map(|found| found.is_some());
        // What is known is refused like what is not.
        let mut again = Request::new(request.query.clone());
        let known = documents.check(&mut again).map(|found| found.is_some());
        assert_eq!(checked.is_ok(), known.is_ok());
        checked
    }

    fn is_costly(query: impl Into<String>) -> bool {
        matches!(checked(query), Err(Error::TooCostly(_)))
    }

    #[test]
    fn variables_count_wherever_they_are_used() {
        let long = serde_json::json!({ "x": vec![0; 100_000], "unused": 1 });
        let with = |query: &str| {
            let mut request = Request::new(query);
            request.variables = Variables::from_json(long.clone());
            let checked = Documents::default()
                .check(&mut request)
                .map(|document| document.is_some());
            (checked, request.variables.len())
        };
        let uses = |uses: usize| "a(x:$x) ".repeat(uses);
        assert!(matches!(
            with(&format!("query($x:X){{{}}}", uses(2))),
            (Ok(true), 1)
        ));
        for query in [
            format!("query($x:X){{{}}}", uses(3)),
            "query($x:X){...f b{...f c{...f}}} fragment f on Q {a(x:[{y:$x}])}".into(),
            "query($x:X){a @skip(if:$x) b @skip(if:$x) ... @skip(if:$x) {c}}".into(),
            format!("mutation($x:X){{{}}}", uses(11)),
        ] {
            assert!(
                matches!(with(&query), (Err(Error::TooCostly(_)), 2)),
                "{query}"
            );
        }
        assert!(matches!(
            with(&format!("mutation($x:X){{{}}}", uses(10))),
            (Ok(true), 1)
        ));
        let text = serde_json::json!({ "x": "a".repeat(1 << 20) });
        let mut request = Request::new(format!("query($x:X){{{}}}", uses(5)));
        request.variables = Variables::from_json(text);
        assert!(Documents::default().check(&mut request).is_err());
    }

    #[test]
    fn what_is_asked_over_and_over_is_refused() {
        let aliases = |count: usize| {
            (0..count).fold(String::new(), |mut text, place| {
                write!(text, "a{place}: b ").expect("writes");
                text
            })
        };
        assert_eq!(
            checked(format!("{{{}}}", aliases(ALIASES))).ok(),
            Some(true)
        );
        assert!(is_costly(format!("{{{}}}", aliases(ALIASES + 1))));
        // Wherever they stand, as often as they are spread.
        let spread = format!(
            "{{ ...f x {{ ...f }} }} fragment f on Q {{ {} }}",
            aliases(80)
        );
        assert!(is_costly(spread));
        // What is skipped may be all there is, and the filler is no alias of theirs.
        let skipped = "x { y @skip(if: true) } ".repeat(300);
        assert_eq!(checked(format!("{{{skipped}}}")).ok(), Some(true));
        let about = |times: usize| format!("{{{}}}", "__schema { a } ".repeat(times));
        assert_eq!(checked(about(INTROSPECTIONS)).ok(), Some(true));
        assert!(is_costly(about(INTROSPECTIONS + 1)));
    }

    #[test]
    fn brackets_are_counted_where_they_are_brackets() {
        for (text, most) in [
            ("", 0),
            ("{a{b}c{d(x:[1])}}", 4),
            ("{}{}[]()", 1),
            (r#"{a(x:"[[[[\"[[[[")}"#, 2),
            (r#"{a(x:"""[[[[\"""[["[[""[[""")}"#, 2),
            (r#"{a(x:"",y:"[[")}"#, 2),
            ("{a # [[[[\n(x:[1])}", 3),
            ("{a # [[[[\r(x:[1])}", 3),
            ("}}}}{", 1),
            ("{a(x:\"[[\n[[[[[\")}", 2),
            (r#"{a(x:"\"#, 2),
        ] {
            assert_eq!(nesting(text), most, "{text}");
        }
    }

    #[test]
    fn deep_documents_are_refused_before_they_are_parsed() {
        let within = |open: &str, close: &str, levels: usize| {
            format!("{}a{}", open.repeat(levels), close.repeat(levels))
        };
        for query in [
            format!("{{tenant(slug:{}){{id}}}}", within("[", "]", 100_000)),
            format!("{{tenant(slug:{}){{id}}}}", within("{a:", "}", 80_000)),
            format!("{{a @include(if:{})}}", within("[", "]", 100_000)),
            format!("query($a:Int={}){{a}}", within("[", "]", 100_000)),
            format!("query($a:{}){{a}}", within("[", "]", 100_000)),
            within("{a", "}", 80_000),
            "{a".repeat(80_000),
        ] {
            assert!(is_costly(query));
        }
        // As deep as they may be, they are parsed, and validated without a stack of their own.
        assert_eq!(checked(within("{a", "}", NESTING)).ok(), Some(true));
    }

    #[test]
    fn long_documents_are_refused() {
        assert!(is_costly(format!("{{a}} # {}", "x".repeat(BYTES))));
    }

    #[test]
    fn fragments_count_wherever_they_are_spread() {
        let doubling = |count: usize| {
            let mut query = "{...F0}".to_owned();
            for i in 0..count {
                let next = i + 1;
                write!(query, "fragment F{i} on Q{{...F{next} ...F{next}}}").unwrap();
            }
            query + &format!("fragment F{count} on Q{{a}}")
        };
        assert_eq!(checked(doubling(5)).ok(), Some(true));
        assert!(is_costly(doubling(25)));
        assert!(is_costly(doubling(63)));
        // A chain, used or not, is as deep as it is long.
        let chain = |count: usize| {
            let mut query = "{a}".to_owned();
            for i in 0..count {
                write!(query, "fragment F{i} on Q{{...F{}}}", i + 1).unwrap();
            }
            query
        };
        assert_eq!(checked(chain(50)).ok(), Some(true));
        assert!(is_costly(chain(5_000)));
        // Many that spread a large one are validated one by one.
        let mut wide = format!("{{a}} fragment A on Q{{{}}}", "a ".repeat(5_000));
        for i in 0..1_000 {
            write!(wide, "fragment B{i} on Q{{...A}}").unwrap();
        }
        assert!(is_costly(wide));
    }

    #[test]
    fn fragment_within_itself_is_refused() {
        for query in [
            "{...A} fragment A on Q{...A}",
            "{a} fragment A on Q{...B} fragment B on Q{b{...A ...A}}",
        ] {
            assert!(matches!(checked(query), Err(Error::BadInput(_))), "{query}");
        }
    }

    #[test]
    fn kind_is_that_of_the_named_operation() {
        let mut request = Request::new("query Q{a} mutation M{a} subscription S{a}");
        let document = Documents::default().check(&mut request).unwrap().unwrap();
        for (name, expected) in [
            (Some("Q"), OperationType::Query),
            (Some("M"), OperationType::Mutation),
            (Some("S"), OperationType::Subscription),
            (Some("absent"), OperationType::Mutation),
            (None, OperationType::Mutation),
        ] {
            assert_eq!(kind(&document, name), expected, "{name:?}");
        }
    }

    #[test]
    fn what_is_no_document_is_left_to_the_execution() {
        assert_eq!(checked("{").ok(), Some(false));
        assert_eq!(checked("{...Absent}").ok(), Some(true));
    }
}
