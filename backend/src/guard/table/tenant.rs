//! Tenants: the unit of isolation.

use sea_orm::entity::prelude::*;

/// One tenant.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenant")]
pub struct Model {
    /// The narrow number in every key. Never shown.
    #[sea_orm(primary_key)]
    pub id: i32,
    /// The public name: `mcce-g1-prod`.
    pub slug: String,
    /// A name for people.
    pub name: String,
    /// What belongs together: `mcce-g1`.
    pub group: String,
    /// What it is used for.
    pub environment: Environment,
    /// µs since 1970 UTC.
    pub created_at: i64,
    /// How many points it may store; any number without.
    pub quota_points: Option<i64>,
    /// How many bytes of payloads it may store; any number without.
    pub quota_bytes: Option<i64>,
}

/// What a tenant is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Environment {
    /// In use by people.
    #[sea_orm(string_value = "PROD")]
    Prod,
    /// To try things.
    #[sea_orm(string_value = "TEST")]
    Test,
}

impl std::fmt::Display for Environment {
    /// As stored, and as the API has it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Environment::Prod => "PROD",
            Environment::Test => "TEST",
        })
    }
}

/// None: rows are reached through a scope, and joins are not offered.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
