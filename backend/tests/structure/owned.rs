//! Every table with a `tenant_id` is a tenant's, to the database's keys and to the fence alike.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::sqlx::{self, Connection, SqliteConnection};
use secrecy::SecretString;
use sundial::guard::Pool;

use crate::source::{Source, sources};

/// The tables of the migrations that have a `tenant_id`, each with that column's place in the primary key, from 1 on.
async fn tables() -> BTreeMap<String, i64> {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("tables.db").display());
    let pool = Pool::open(&SecretString::from(url.clone()), 1)
        .await
        .unwrap();
    pool.migrate_up().await.unwrap();
    pool.close().await;
    // The pool gives its connection to nobody, so the file is opened once more.
    let mut file = SqliteConnection::connect(&url).await.unwrap();
    let sql = "SELECT t.name, c.pk FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND c.name = 'tenant_id'";
    let rows: Vec<(String, i64)> = sqlx::query_as(sql).fetch_all(&mut file).await.unwrap();
    rows.into_iter().collect()
}

/// The sources that implement `TenantOwned`, by their table.
fn owned(sources: &[Source]) -> BTreeMap<String, &Source> {
    let owned = sources
        .iter()
        .filter(|source| source.text.contains("impl TenantOwned for"));
    owned.map(|source| (table(source), source)).collect()
}

fn table(source: &Source) -> String {
    let named = source
        .text
        .split_once("table_name = \"")
        .and_then(|(_, rest)| rest.split_once('"'));
    named
        .unwrap_or_else(|| panic!("{}: no table_name", source.path))
        .0
        .to_owned()
}

#[tokio::test]
async fn every_table_of_a_tenant_is_fenced() {
    let sources = sources();
    let owned: BTreeSet<String> = owned(&sources).into_keys().collect();
    let tables: BTreeSet<String> = tables().await.into_keys().collect();
    assert!(tables.len() >= 5, "the tables were not found: {tables:?}");
    let open: Vec<&String> = tables.difference(&owned).collect();
    assert!(
        open.is_empty(),
        "tables with a tenant_id and no `impl TenantOwned`: {open:?}"
    );
    let lost: Vec<&String> = owned.difference(&tables).collect();
    assert!(
        lost.is_empty(),
        "`impl TenantOwned` of tables without a tenant_id: {lost:?}"
    );
}

#[tokio::test]
async fn keys_of_a_tenants_table_start_with_the_tenant() {
    for (table, place) in tables().await {
        assert_eq!(
            place, 1,
            "the place of tenant_id in the primary key of {table}"
        );
    }
}

#[test]
fn fence_compares_the_tenant_id() {
    let sources = sources();
    for (table, source) in owned(&sources) {
        let code: String = source.text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            code.contains("fn tenant_column() -> Column { Column::TenantId }"),
            "{table}: tenant_column() must be Column::TenantId"
        );
        let (_, columns) = code.split_once("pub struct Model {").unwrap();
        let (attributes, first) = columns.split_once("pub ").unwrap();
        assert!(
            first.starts_with("tenant_id: i32,")
                && attributes.contains("primary_key")
                && !attributes.contains("column_name"),
            "{table}: the entity's first column must be tenant_id, in the primary key, under its own name"
        );
    }
}
