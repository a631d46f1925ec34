//! Whether the second fence is in force: reads PostgreSQL's catalogue, and no row of a tenant. SQLite has no such fence.

use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement};

use crate::{
    error::Result,
    guard::{Backend, Pool, transaction::Fence},
};

/// The tables that the server reads and writes.
pub(super) const TABLES: &str = "tenant_counter, access_rule, account, session, ingest_token, series, batch, chunk, \
    producer, run";
/// The table that the server reads: tenants are made by `sundial apply`, as the role that owns the tables.
pub(super) const NAMES: &str = "tenant";
/// The table that the server reads and adds to.
pub(super) const LOG: &str = "audit_event";

/// What binds rows of a table, by the column that names the tenant.
pub(super) const BOUND: &str = "SELECT c.relname::text, a.attname::text FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid \
    WHERE n.nspname = current_schema() AND c.relkind = 'r' AND NOT a.attisdropped \
    AND (a.attname IN ('tenant_id', 'home_id') OR c.relname = 'tenant' AND a.attname = 'id') ORDER BY 1";

pub(super) async fn rows<const N: usize>(
    open: &DatabaseTransaction,
    sql: &str,
) -> Result<Vec<[String; N]>> {
    let statement = Statement::from_string(open.get_database_backend(), sql);
    let rows = open.query_all_raw(statement).await?;
    let texts = rows.iter().map(|row| {
        let mut texts = [const { String::new() }; N];
        for (place, text) in texts.iter_mut().enumerate() {
            *text = row.try_get_by_index(place)?;
        }
        Ok(texts)
    });
    texts.collect()
}

/// What weakens the second fence, each in words with what to do; empty when it is in force.
///
/// Reason: reads PostgreSQL's catalogue and no row of a tenant.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn fence_faults(pool: &Pool) -> Result<Vec<String>> {
    if pool.backend() == Backend::Sqlite {
        return Ok(Vec::new());
    }
    let transaction = pool.read();
    let open = transaction.fenced(&Fence::default()).await?;
    let mut faults = Vec::new();
    for [role] in rows(
        &open,
        "SELECT rolname::text FROM pg_roles WHERE (rolsuper OR rolbypassrls) \
         AND pg_has_role(current_user, oid, 'MEMBER')",
    )
    .await?
    {
        faults.push(format!(
            "the server's role is or can become {role}, which row-level security does not bind: let the server \
             log in as a role that is neither SUPERUSER nor BYPASSRLS"
        ));
    }
    for [table] in rows(
        &open,
        &format!(
            "SELECT DISTINCT b.relname FROM ({BOUND}) AS b (relname, attname) JOIN pg_class c \
             ON c.oid = quote_ident(b.relname)::regclass WHERE NOT (c.relrowsecurity AND c.relforcerowsecurity) \
             ORDER BY 1"
        ),
    )
    .await?
    {
        faults.push(format!(
            "table {table} has no row-level security in force: somebody lifted it, so look why; as its owner run \
             `ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY`"
        ));
    }
    faults.extend(powers(&open).await?);
    let owned = "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = current_schema() AND c.relkind = 'r' \
         AND pg_has_role(current_user, c.relowner, 'MEMBER') ORDER BY 1";
    let owned: Vec<String> = rows(&open, owned)
        .await?
        .into_iter()
        .map(|[table]| table)
        .collect();
    if !owned.is_empty() {
        let (noun, tables) = (
            if owned.len() == 1 { "table" } else { "tables" },
            owned.join(", "),
        );
        faults.push(format!(
            "the server's role owns {noun} {tables} and could lift the fence: log in as another role than the one that \
             migrates (`sundial migrate up --application-role …` grants what it needs)"
        ));
    }
    for [table, privilege] in rows(&open, &rights()).await? {
        faults.push(format!(
            "the server's role may {privilege} on table {table}: run `sundial migrate up --application-role …`, which \
             takes that from it"
        ));
    }
    for [table, policy] in rows(&open, &open_policies(pool.home())).await? {
        faults.push(format!(
            "policy {policy} on table {table} opens rows whatever tenant is asked for: somebody made it, so look why; as \
             the table's owner run `DROP POLICY {policy} ON {table}`"
        ));
    }
    if rows::<2>(&open, BOUND).await?.is_empty() {
        faults.push(
            "the server's role does not see Sundial's tables in the schema that it looks in first: `ALTER ROLE … RESET \
             search_path`"
                .into(),
        );
    }
    faults.extend(binding_faults(&open, pool.home()).await?);
    Ok(faults)
}

/// What the server's role could make of itself or of the database, besides owning tables.
async fn powers(open: &DatabaseTransaction) -> Result<Vec<String>> {
    let powers: Vec<[String; 1]> = rows(
        open,
        "SELECT 'has CREATEROLE' FROM pg_roles WHERE rolname = current_user AND rolcreaterole AND NOT rolsuper \
         UNION ALL SELECT 'can become ' || of.rolname FROM pg_roles of, pg_roles own WHERE own.rolname = current_user \
         AND NOT own.rolsuper AND of.oid <> own.oid AND pg_has_role(own.oid, of.oid, 'MEMBER') \
         UNION ALL SELECT 'owns the database' FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba \
         WHERE d.datname = current_database() AND r.rolname = current_user \
         UNION ALL SELECT 'may CREATE in the schema ' || current_schema() \
         WHERE has_schema_privilege(current_schema(), 'CREATE')",
    )
    .await?;
    let fault = |[power]: [String; 1]| {
        format!(
            "the server's role {power}, and could get around the fence by that: take it from it, or let the server log \
             in as a role that has nothing but what `sundial migrate up --application-role …` grants"
        )
    };
    Ok(powers.into_iter().map(fault).collect())
}

/// Asks for each right to the tables that the server's role has and has no need of, besides those of an owner.
fn rights() -> String {
    format!(
        "SELECT t.name, p.name FROM (SELECT unnest(string_to_array('{TABLES}', ', ')), 'SELECT INSERT UPDATE DELETE' \
         UNION ALL SELECT '{LOG}', 'SELECT INSERT' UNION ALL SELECT '{NAMES}', 'SELECT') AS t (name, needed), \
         unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p (name) \
         WHERE to_regclass(t.name) IS NOT NULL AND NOT pg_has_role(current_user, \
         (SELECT relowner FROM pg_class WHERE oid = to_regclass(t.name)), 'MEMBER') AND NOT p.name = ANY (string_to_array(t.needed, ' ')) \
         AND CASE WHEN p.name IN ('INSERT', 'UPDATE', 'REFERENCES') THEN has_any_column_privilege(t.name, p.name) \
         ELSE has_table_privilege(t.name, p.name) END ORDER BY 1, 2"
    )
}

/// What binds the server's role, table by table.
const BINDING: &str = "SELECT tablename::text, qual FROM pg_policies WHERE schemaname = current_schema() \
    AND permissive = 'RESTRICTIVE' AND cmd = 'ALL' AND with_check = qual AND current_user = ANY (roles)";

/// Asks for each policy that lets the server's role see or write rows without a word of what the transaction is of. That
/// of a role that is bound to one tenant is none of them, even where nobody has said yet to which.
fn open_policies(home: i32) -> String {
    const SAID: &str = "LIKE '%current_setting(''app.%'";
    format!(
        "SELECT tablename::text, policyname::text FROM pg_policies WHERE schemaname = current_schema() \
         AND permissive = 'PERMISSIVE' AND tablename IN (SELECT b.relname FROM ({BOUND}) AS b (relname, attname)) \
         AND EXISTS (SELECT FROM unnest(roles) AS r (name) \
         WHERE r.name = 'public' OR pg_has_role(current_user, r.name, 'MEMBER')) \
         AND NOT (COALESCE(qual, with_check) IS NOT NULL AND COALESCE(qual {SAID}, true) \
         AND COALESCE(with_check {SAID}, true)) \
         AND NOT (policyname = 'reach_' || current_user AND CASE WHEN {home} > 0 \
         THEN qual IN ('(tenant_id = {home})', '(id = {home})') \
         ELSE (tablename, qual) IN (SELECT bound.tablename, bound.qual FROM ({BINDING}) AS bound (tablename, qual)) END) \
         ORDER BY 1, 2"
    )
}

/// What is wrong with the policies that bind the server's role to one tenant.
async fn binding_faults(open: &DatabaseTransaction, home: i32) -> Result<Vec<String>> {
    let bound: Vec<[String; 2]> = rows(open, BINDING).await?;
    if home == 0 {
        return Ok(match bound.first() {
            None => Vec::new(),
            Some(_) => vec![
                "the server's role is bound to one tenant: say which by SUNDIAL_TENANT, or log in as a role that \
                 is not"
                    .into(),
            ],
        });
    }
    let tables: Vec<[String; 2]> = rows(open, BOUND).await?;
    let fault = |[table, column]: &[String; 2]| {
        let wanted = format!("({column} = {home})");
        let is_bound = bound
            .iter()
            .any(|[of, qual]| of == table && *qual == wanted);
        (!is_bound).then(|| {
            format!(
                "table {table} does not bind the server's role to its tenant: run `sundial migrate up` with \
                 SUNDIAL_TENANT and SUNDIAL_APPLICATION_ROLE set"
            )
        })
    };
    Ok(tables.iter().filter_map(fault).collect())
}
