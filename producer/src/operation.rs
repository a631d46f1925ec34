//! The typed GraphQL operations, checked against the committed schema when this crate is compiled.

use graphql_client::GraphQLQuery;

/// RFC 3339, as the server writes instants.
type DateTime = jiff::Timestamp;
/// Microseconds since 1970 UTC, as points are timed.
type Timestamp = i64;

/// Writes one run's points.
#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "../backend/schema.graphql",
    query_path = "queries/ingest.graphql",
    response_derives = "Debug, Clone, PartialEq, Eq"
)]
pub struct Ingest;

/// Asks the server what time it is.
#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "../backend/schema.graphql",
    query_path = "queries/server_time.graphql"
)]
pub struct ServerTime;

/// Says how a run has ended, and the first time of which producer.
#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "../backend/schema.graphql",
    query_path = "queries/report.graphql"
)]
pub struct Report;
