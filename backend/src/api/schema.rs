//! The schema: merged from the features, its limits, and how a response leaves.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_graphql::{
    ComplexObject, Context, Enum, ErrorExtensionValues, MergedObject, MergedSubscription, Object,
    Request, Response, Schema, ServerError, SimpleObject, Value,
    extensions::Analyzer,
    parser::types::{ExecutableDocument, OperationType},
    value,
};

use futures::{StreamExt, stream::BoxStream};

use crate::{
    access::graphql::{AccessMutation, AccessQuery},
    api::order::{Chosen, Order},
    error::{Error, Result},
    guard::Pool,
    live::Live,
    point::{compactor::Compactor, feed::Feeds, writer::Writer},
    point::{graphql::PointMutation, subscription::PointSubscription},
    producer::{graphql::ProducerMutation, subscription::RunSubscription},
    request::{ContextExt, now},
    scalar::DateTime,
    series::window::SeriesQuery,
    session::graphql::{Session, SessionMutation, own},
    tenant::graphql::TenantQuery,
    token::graphql::TokenMutation,
};

/// Fields within fields; the standard introspection query needs 15.
const DEPTH: usize = 20;
/// Cost of a query: a field costs 1, a list its length times what is asked of each.
pub const COMPLEXITY: usize = 20_000;
/// Directives on one field.
const DIRECTIVES: usize = 8;

/// The API.
pub type Api = Schema<Query, Mutation, Subscription>;

/// What can be asked.
#[derive(MergedObject, Default)]
pub struct Query(General, TenantQuery, AccessQuery, SeriesQuery);

/// What can be done.
#[derive(MergedObject, Default)]
pub struct Mutation(
    PointMutation,
    ProducerMutation,
    AccessMutation,
    TokenMutation,
    SessionMutation,
);

/// What can be followed.
#[derive(MergedSubscription, Default)]
pub struct Subscription(PointSubscription, RunSubscription);

/// The API on the database of `pool`, and the same for who asks for the cost: what finds it out makes answers dearer.
pub fn schemas(pool: &Pool, live: &Live, compactor: &Compactor) -> [Api; 2] {
    let writer = Writer::new(pool.clone(), live.clone(), compactor.clone());
    let feeds = Feeds::default();
    let on_pool = |builder: Builder| {
        builder
            .data(pool.clone())
            .data(live.clone())
            .data(feeds.clone())
            .data(compactor.clone())
            .data(writer.clone())
            .finish()
    };
    [on_pool(builder()), on_pool(builder().extension(Analyzer))]
}

type Builder = async_graphql::SchemaBuilder<Query, Mutation, Subscription>;

/// The committed contract: the schema as text.
pub fn sdl() -> String {
    let options = async_graphql::SDLExportOptions::new()
        .include_specified_by()
        .use_space_ident()
        .indent_width(2);
    let sdl = builder().finish().sdl_with_options(options);
    let lines: Vec<&str> = sdl.lines().map(str::trim_end).collect();
    // Without a description on `schema`, which the clients' parser does not know.
    format!(
        "# The contract: printed by `sundial schema`, held by a test.\n{}\n",
        lines.join("\n").trim()
    )
}

fn builder() -> Builder {
    Schema::build(
        Query::default(),
        Mutation::default(),
        Subscription::default(),
    )
    .limit_depth(DEPTH)
    .limit_complexity(COMPLEXITY)
    .limit_directives(DIRECTIVES)
}

/// What belongs to no tenant.
#[derive(Default)]
struct General;

#[Object]
impl General {
    /// The server's clock, read while the query runs.
    async fn server_time(&self) -> DateTime {
        DateTime(now())
    }

    /// Who asks; null when nobody is signed in.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Option<Viewer>> {
        let Some(principal) = ctx.asker()?.viewer() else {
            return Ok(None);
        };
        Ok(match (principal.as_person(), principal.as_token()) {
            (Some(person), _) => Some(Viewer {
                kind: ViewerKind::Person,
                login: person.login.clone(),
                name: person.name.clone(),
                avatar_url: person.avatar_url.clone(),
                organizations: person.memberships.organizations.clone(),
            }),
            (None, Some(token)) => Some(Viewer {
                kind: ViewerKind::IngestToken,
                login: token.name.clone(),
                name: token.name.clone(),
                avatar_url: None,
                organizations: Vec::new(),
            }),
            (None, None) => None,
        })
    }
}

/// Who asks.
#[derive(SimpleObject)]
#[graphql(complex)]
struct Viewer {
    /// A person, or a machine's token.
    kind: ViewerKind,
    /// GitHub login; of a token the name it was given.
    login: String,
    /// Name for people.
    name: String,
    /// Address of the picture.
    avatar_url: Option<String>,
    /// Organisations that GitHub lists for the person, in lower case. None can also mean that GitHub does not tell: an
    /// organisation that has not approved the app, or wants single sign-on first.
    organizations: Vec<String>,
}

#[ComplexObject]
impl Viewer {
    /// The browsers in which you have signed in, at most 100, the latest sign-in first. None for a token.
    #[graphql(complexity = "5 + 100 * child_complexity.max(1)")]
    async fn sessions(&self, ctx: &Context<'_>) -> Result<Vec<Session>> {
        own(ctx).await
    }
}

/// What kind of asker it is.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
enum ViewerKind {
    /// Somebody who signed in with GitHub.
    Person,
    /// A machine, by a token of one tenant.
    IngestToken,
}

/// Longest time of a query.
const QUERY_TIME: Duration = Duration::from_secs(30);

/// Executes a query or a mutation of `document`, and answers in its order.
pub async fn execute(
    schema: Api,
    request: Request,
    kind: OperationType,
    document: Option<Arc<ExecutableDocument>>,
) -> Response {
    let (name, chosen) = (
        request.operation_name.clone(),
        Chosen::of(&request.variables),
    );
    let mut response = run(schema, request, kind).await;
    if let Some(document) = &document {
        Order::of(document, name.as_deref(), &chosen).apply(&mut response);
    }
    response
}

/// Executes a subscription of `document`.
pub fn follow(
    schema: &Api,
    request: Request,
    document: Option<Arc<ExecutableDocument>>,
) -> BoxStream<'static, Response> {
    let (name, chosen) = (
        request.operation_name.clone(),
        Chosen::of(&request.variables),
    );
    let ordered = schema.execute_stream(request).map(move |mut response| {
        if let Some(document) = &document {
            Order::of(document, name.as_deref(), &chosen).apply(&mut response);
        }
        response
    });
    ordered.boxed()
}

async fn run(schema: Api, request: Request, kind: OperationType) -> Response {
    if kind == OperationType::Mutation {
        // In a task of its own: a client that goes away does not cut a write in two.
        return tokio::spawn(async move { schema.execute(request).await })
            .await
            // Why it panicked, the log has been told.
            .unwrap_or_else(|_| refusal(&Error::Internal("a mutation panicked".into())));
    }
    let executed = tokio::time::timeout(QUERY_TIME, schema.execute(request)).await;
    executed.unwrap_or_else(|_| {
        refusal(&Error::TooCostly(format!(
            "the query took longer than {} s: ask for shorter ranges, for fewer series, or in several queries",
            QUERY_TIME.as_secs()
        )))
    })
}

/// Most errors that one response tells.
const ERRORS: usize = 20;
/// Most characters of an error's words, which can hold what was sent.
const MESSAGE: usize = 500;

/// Gives each error of a response its code from the closed list, and hides what is of the inside.
pub fn finish(mut response: Response) -> Response {
    if let Some(Value::Object(found)) = response.extensions.remove("analyzer") {
        let found = |name: &str| found.get(name).cloned().unwrap_or_default();
        let cost = value!({
            "requested": found("complexity"), "most": COMPLEXITY, "depth": found("depth"), "mostDepth": DEPTH,
        });
        response.extensions.insert("cost".into(), cost);
    }
    // One fault of a variable is told by the library for each place that it is used at.
    let mut told = HashSet::new();
    response
        .errors
        .retain(|error| error.source.is_some() || told.insert(error.message.clone()));
    response.errors.truncate(ERRORS);
    let told_already = |error: &ServerError| {
        let extensions = error.extensions.as_ref();
        extensions.is_some_and(|extensions| extensions.get("code").is_some())
    };
    for error in &mut response.errors {
        // A refusal that was made in place of an answer is finished.
        if error.source.is_none() && told_already(error) {
            continue;
        }
        let own = error.source::<Error>().cloned();
        let (code, trace) = match &own {
            Some(own) => (own.code(), conceal(own, error)),
            None => {
                let code = code_by_words(error);
                error.message = in_our_words(&error.message);
                (code, None)
            }
        };
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", code);
        if let Some(trace) = trace {
            extensions.set("traceId", trace);
        }
        if let Some((end, _)) = error.message.char_indices().nth(MESSAGE) {
            error.message.truncate(end);
            error.message.push('…');
        }
        error.extensions = Some(extensions);
        error.source = None;
    }
    response
}

/// A response that tells one error and nothing else.
pub fn refusal(error: &Error) -> Response {
    let mut told = ServerError::new(error.to_string(), None);
    told.source = Some(Arc::new(error.clone()));
    finish(Response::from_errors(vec![told]))
}

fn conceal(own: &Error, told: &mut ServerError) -> Option<String> {
    if !matches!(own, Error::Internal(_)) {
        return None;
    }
    let trace = format!("{:016x}", rand::random::<u64>());
    tracing::error!(trace_id = trace, path = ?told.path, "{own}");
    told.message = format!("the server failed; tell its administrator the trace id {trace}");
    Some(trace)
}

/// The library's own refusals carry no code: too much asked for, or not understood.
fn code_by_words(error: &ServerError) -> &'static str {
    let costly = [
        "Query is too complex.",
        "Query is nested too deep.",
        "The recursion depth of the query cannot",
    ];
    if costly.iter().any(|words| error.message.starts_with(words))
        || error.message.contains("The number of directives")
    {
        "QUERY_TOO_COSTLY"
    } else {
        "BAD_USER_INPUT"
    }
}

/// The library's refusals as they help: how to ask for less, and no chain of its types' names.
fn in_our_words(message: &str) -> String {
    match message {
        "Query is too complex." => format!(
            "the query costs more than {COMPLEXITY}: a field costs 1, `samples` and `windows` 10, `ingest` 1,000, a list \
             its `first` (50, if it is not given) times what is asked of each; ask for fewer fields, a smaller `first`, \
             or in several requests"
        ),
        "Query is nested too deep." => format!(
            "the query asks for fields within fields deeper than {DEPTH} levels: ask for less within one another"
        ),
        _ => {
            let own = message
                .strip_prefix("Failed to parse \"")
                .and_then(|rest| Some(rest.split_once("\": ")?.1))
                .unwrap_or(message);
            let chain = own.find(" (occurred while parsing");
            own[..chain.unwrap_or(own.len())].to_owned()
        }
    }
}

/// A response as JSON. One that was refused before anything ran has no `data`, as the specification of GraphQL wants.
pub fn to_json(response: Response) -> serde_json::Result<Vec<u8>> {
    if !is_request_error(&response) {
        return serde_json::to_vec(&response);
    }
    let mut fields = BTreeMap::from([("errors", serde_json::to_value(&response.errors)?)]);
    if !response.extensions.is_empty() {
        fields.insert("extensions", serde_json::to_value(&response.extensions)?);
    }
    serde_json::to_vec(&fields)
}

/// Whether a response tells why nothing ran at all.
pub fn is_request_error(response: &Response) -> bool {
    response.data == Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_keeps_its_code_when_it_leaves() {
        let code = |error: &Error| {
            let response = finish(refusal(error));
            let extensions = response.errors[0].extensions.clone();
            extensions.and_then(|extensions| extensions.get("code").cloned())
        };
        let costly = Error::TooCostly("too slow".into());
        assert_eq!(code(&costly), Some(Value::from("QUERY_TOO_COSTLY")));
        let fault = Error::Internal("a mutation panicked".into());
        assert_eq!(code(&fault), Some(Value::from("INTERNAL")));
    }
}
