//! Access rules: GitHub organisation (and optionally team) → role, on one tenant.

use sea_orm::entity::prelude::*;

use super::TenantOwned;

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "access_rule")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: i32,
    /// Login of the organisation, in lower case.
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization: String,
    /// Slug of the team, in lower case; empty for every member of the organisation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub team: String,
    /// What it gives.
    pub role: RoleName,
}

/// A role's name, in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum RoleName {
    /// Reads.
    #[sea_orm(string_value = "VIEWER")]
    Viewer,
    /// Also writes points and series.
    #[sea_orm(string_value = "EDITOR")]
    Editor,
    /// Also manages access, tokens and retention.
    #[sea_orm(string_value = "ADMIN")]
    Admin,
}

impl std::fmt::Display for RoleName {
    /// As stored, and as the API has it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RoleName::Viewer => "VIEWER",
            RoleName::Editor => "EDITOR",
            RoleName::Admin => "ADMIN",
        })
    }
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
