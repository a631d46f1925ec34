//! The audit log: who did what to which tenant. Rows are added, and never changed.

use sea_orm::entity::prelude::*;

use super::TenantOwned;

/// One thing done.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_event")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: i32,
    /// Its number within the tenant, without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// µs since 1970 UTC.
    pub at: i64,
    /// What kind of asker did it.
    pub actor_kind: ActorKind,
    /// GitHub's id of the person, or the number of the token; 0 for an operator.
    pub actor_id: i64,
    /// Login of the person or name of the token, as it was then.
    pub actor: String,
    /// What was done.
    pub action: Action,
    /// What it was done to, in words; never a secret.
    pub subject: String,
    /// What changed, in words; empty where the action says it all.
    pub detail: String,
}

/// Who does things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum ActorKind {
    /// A person, by GitHub.
    #[sea_orm(string_value = "PERSON")]
    Person,
    /// A machine, by an ingest token.
    #[sea_orm(string_value = "INGEST_TOKEN")]
    IngestToken,
    /// Whoever holds the database, by the command line.
    #[sea_orm(string_value = "OPERATOR")]
    Operator,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Action {
    /// The tenant was made, or its name, group or environment changed.
    #[sea_orm(string_value = "TENANT_SET")]
    TenantSet,
    /// Access rules were changed.
    #[sea_orm(string_value = "ACCESS_RULES_SET")]
    AccessRulesSet,
    /// An ingest token was made.
    #[sea_orm(string_value = "TOKEN_CREATED")]
    TokenCreated,
    /// An ingest token got a successor.
    #[sea_orm(string_value = "TOKEN_ROTATED")]
    TokenRotated,
    /// An ingest token was revoked.
    #[sea_orm(string_value = "TOKEN_REVOKED")]
    TokenRevoked,
    /// Points were deleted.
    #[sea_orm(string_value = "POINTS_DELETED")]
    PointsDeleted,
    /// How long points are kept was changed.
    #[sea_orm(string_value = "RETENTION_SET")]
    RetentionSet,
    /// A producer was made, or its schedule or grace changed.
    #[sea_orm(string_value = "PRODUCER_SET")]
    ProducerSet,
    /// A producer was deleted, with its runs.
    #[sea_orm(string_value = "PRODUCER_DELETED")]
    ProducerDeleted,
}

/// None: rows are reached through a scope, and joins are not offered.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TenantOwned for Entity {
    fn tenant_column() -> Column {
        Column::TenantId
    }
}
