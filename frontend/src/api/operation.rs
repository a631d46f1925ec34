//! The operations in `queries/`, checked against `backend/schema.graphql` when the page is compiled.
#![allow(
    missing_docs,
    reason = "the items are made from queries/*.graphql; the schema describes them"
)]

use graphql_client::GraphQLQuery;

/// RFC 3339 text.
type DateTime = String;
/// Microseconds since 1970 UTC.
type Micros = i64;
/// Goes in as microseconds since 1970 UTC.
type Timestamp = i64;
/// `30s`, `2m`.
type Duration = String;

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "../backend/schema.graphql",
    query_path = "queries/start.graphql",
    response_derives = "Clone, Debug, PartialEq"
)]
pub struct Start;

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "../backend/schema.graphql",
    query_path = "queries/tenants.graphql",
    response_derives = "Clone, Debug, PartialEq"
)]
pub struct Tenants;

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "../backend/schema.graphql",
    query_path = "queries/tenant.graphql",
    response_derives = "Clone, Debug, PartialEq"
)]
pub struct Tenant;

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "../backend/schema.graphql",
    query_path = "queries/samples.graphql",
    response_derives = "Clone, Debug, PartialEq"
)]
pub struct Samples;

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "../backend/schema.graphql",
    query_path = "queries/windows.graphql",
    response_derives = "Clone, Debug, PartialEq"
)]
pub struct Windows;

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "../backend/schema.graphql",
    query_path = "queries/points_added.graphql",
    response_derives = "Clone, Debug, PartialEq"
)]
pub struct PointsAdded;

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "../backend/schema.graphql",
    query_path = "queries/recent.graphql",
    response_derives = "Clone, Debug, PartialEq"
)]
pub struct Recent;

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "../backend/schema.graphql",
    query_path = "queries/sessions.graphql",
    response_derives = "Clone, Debug, PartialEq"
)]
pub struct Sessions;

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "../backend/schema.graphql",
    query_path = "queries/end_session.graphql",
    response_derives = "Clone, Debug, PartialEq"
)]
pub struct EndSession;

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "../backend/schema.graphql",
    query_path = "queries/end_sessions.graphql",
    response_derives = "Clone, Debug, PartialEq"
)]
pub struct EndSessions;

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "../backend/schema.graphql",
    query_path = "queries/explain_access.graphql",
    response_derives = "Clone, Debug, PartialEq"
)]
pub struct ExplainAccess;
