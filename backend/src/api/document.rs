//! What a GraphQL document may be, found out before anything else is done with it: the library parses, validates and
//! executes by recursion, and a small document can ask all three for more than there is.
//!
//! Invariant: nothing is parsed that is nested deeper than [`NESTING`], and nothing validated that is more than
//! [`extent::expand`] lets through: the library copies a variable wherever it is used.

mod extent;
mod fill;
mod nesting;

use std::{collections::HashSet, sync::Arc};

use async_graphql::{
    Name, Positioned, Request,
    parser::{
        parse_query,
        types::{ExecutableDocument, OperationDefinition, OperationType, Selection},
    },
};
use moka::sync::Cache;

pub use self::fill::FILLER;
use self::{
    extent::{Weights, expand},
    fill::fill,
    nesting::nesting,
};
use crate::error::{Error, Result};

/// Most bytes of a document; what is longer are values, which go faster as variables.
const BYTES: usize = 256 << 10;
/// Most brackets of any kind that are open at once, and most levels of fields once fragments are written out.
const NESTING: usize = 64;

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
        let weights = Weights::of(&request.variables);
        let Some(document) = self.parsed(&request.query, &weights)? else {
            return Ok(None);
        };
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

    fn parsed(&self, text: &str, weights: &Weights) -> Result<Option<Arc<ExecutableDocument>>> {
        if let Some(document) = self.0.get(text) {
            expand(&document, weights)?;
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
        expand(&document, weights)?;
        for (_, operation) in document.operations.iter() {
            check_subscription(&operation.node)?;
        }
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

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use async_graphql::Variables;

    use super::{
        extent::{ALIASES, INTROSPECTIONS},
        *,
    };

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
