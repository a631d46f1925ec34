//! The role that the server logs in as on PostgreSQL: what it gets, and what binds it to one tenant.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::{
    error::{Error, Result},
    guard::{
        Backend, Pool,
        scope::named,
        system::fence::{BOUND, LOG, NAMES, TABLES, rows},
        transaction::Fence,
    },
};

/// Grants `role` what the server needs of the tables, and no ownership.
///
/// Reason: touches rights and no row.
///
/// # Errors
/// [`Error::BadInput`] for a name that would need quoting, [`Error::Conflict`] for a role that is bound to one tenant,
/// [`Error::Internal`] with the database's words.
pub async fn grant_application_role(pool: &Pool, role: &str) -> Result<()> {
    check_role(pool, role)?;
    let transaction = pool.read();
    let open = transaction.fenced(&Fence::default()).await?;
    if bound_by(&open, role).await?.is_some() {
        return Err(Error::Conflict(format!(
            "{role} is bound to one tenant: name that with --tenant, or give the server of all tenants a role of its own"
        )));
    }
    drop(open);
    drop(transaction);
    grant(pool, role).await
}

async fn grant(pool: &Pool, role: &str) -> Result<()> {
    {
        let transaction = pool.read();
        let open = transaction.fenced(&Fence::default()).await?;
        let known = format!(
            "SELECT pg_has_role(r.oid, c.relowner, 'MEMBER')::text FROM pg_roles r, pg_class c \
             WHERE r.rolname = '{role}' AND c.oid = to_regclass('{NAMES}')"
        );
        match rows::<1>(&open, &known).await?.first() {
            None => {
                return Err(Error::bad_input(format!(
                    "there is no role {role}: make it first, `CREATE ROLE {role} LOGIN PASSWORD '…'`"
                )));
            }
            Some([owner]) if owner == "true" => {
                return Err(Error::bad_input(format!(
                    "{role} owns the tables, or can become their owner: let the server log in as another role"
                )));
            }
            Some(_) => {}
        }
    }
    let schema = schema(pool).await?;
    let sql = format!(
        "GRANT USAGE ON SCHEMA {schema} TO {role}; \
         REVOKE ALL ON {TABLES}, {LOG}, {NAMES} FROM {role}; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLES} TO {role}; \
         GRANT SELECT, INSERT ON {LOG} TO {role}; GRANT SELECT ON {NAMES} TO {role}; \
         GRANT SELECT ON seaql_migrations TO {role};"
    );
    pool.connection().execute_unprepared(&sql).await?;
    Ok(())
}

/// Makes `role`, if it is absent, one that logs in with `password` and has nothing but the tenant named `slug`, whatever
/// it says to be bound to; and grants it what the server needs.
///
/// Reason: touches rights and no row.
///
/// # Errors
/// [`Error::NotFound`] when there is no such tenant yet, [`Error::BadInput`] for a name that would need quoting or a
/// password that can't be used, [`Error::Conflict`] for a role that serves all tenants or another one,
/// [`Error::Internal`] with the database's words.
pub async fn bind_application_role(
    pool: &Pool,
    role: &str,
    password: Option<&SecretString>,
    slug: &str,
) -> Result<()> {
    check_role(pool, role)?;
    let password = password.map(verifier).transpose()?;
    let transaction = pool.read();
    let tenant = named(&transaction, slug).await?;
    let id = tenant.ok_or(Error::NotFound("tenant"))?.id;
    let (known, tables, held) = {
        let open = transaction.fenced(&Fence::default()).await?;
        let known: Vec<[String; 1]> = rows(
            &open,
            &format!("SELECT rolname::text FROM pg_roles WHERE rolname = '{role}'"),
        )
        .await?;
        let held = format!(
            "SELECT tablename::text, policyname::text, qual FROM pg_policies \
             WHERE schemaname = current_schema() AND roles = ARRAY['{role}'::name] \
             AND (policyname = 'bound_{role}' AND permissive = 'RESTRICTIVE' AND cmd = 'ALL' AND with_check = qual \
             OR policyname = 'reach_{role}' AND permissive = 'PERMISSIVE' AND cmd = 'SELECT')"
        );
        let tables = rows::<2>(&open, BOUND).await?;
        (!known.is_empty(), tables, rows::<3>(&open, &held).await?)
    };
    drop(transaction);
    if known {
        check_unused(pool, role, id).await?;
    }
    let mut sql = String::new();
    if !known {
        sql += &format!(
            "CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION; "
        );
    }
    if let Some(password) = password {
        sql += &format!("ALTER ROLE {role} PASSWORD '{password}'; ");
    }
    if !sql.is_empty() {
        let made = pool.connection().execute_unprepared(&sql).await;
        made.map_err(|error| Error::unpermitted(error, "roles are made by one that may: as an administrator run `ALTER ROLE … CREATEROLE` for this one"))?;
    }
    for [table, column] in tables {
        let by = format!("({column} = {id})");
        let holds = |kind| held.contains(&[table.clone(), format!("{kind}_{role}"), by.clone()]);
        let mut sql = String::new();
        if !holds("bound") {
            sql += &format!(
                "DROP POLICY IF EXISTS bound_{role} ON {table}; CREATE POLICY bound_{role} ON {table} \
                 AS RESTRICTIVE TO {role} USING {by} WITH CHECK {by}; "
            );
        }
        // What the role has, it can read without saying for which tenant. People and sessions are still one's own.
        if column != "home_id" && !holds("reach") {
            sql += &format!(
                "DROP POLICY IF EXISTS reach_{role} ON {table}; CREATE POLICY reach_{role} ON {table} \
                 FOR SELECT TO {role} USING {by}; "
            );
        }
        // A table is locked meanwhile, and servers write. Of two locked tables one could be waited for by whoever has the
        // other. The role is granted nothing yet, or all of it holds already.
        if !sql.is_empty() {
            pool.connection().execute_unprepared(&sql).await?;
        }
    }
    grant(pool, role).await
}

/// What binds `role` to a tenant, if anything does.
async fn bound_by(open: &DatabaseTransaction, role: &str) -> Result<Option<String>> {
    let bound = format!(
        "SELECT qual FROM pg_policies WHERE schemaname = current_schema() AND tablename = '{NAMES}' \
         AND policyname = 'bound_{role}'"
    );
    let bound: Vec<[String; 1]> = rows(open, &bound).await?;
    Ok(bound.into_iter().next().map(|[by]| by))
}

/// That no server of all tenants, or of another one, logs in as `role`.
async fn check_unused(pool: &Pool, role: &str, id: i32) -> Result<()> {
    let open = pool.read();
    let open = open.fenced(&Fence::default()).await?;
    let granted =
        format!("SELECT 'granted' WHERE has_table_privilege('{role}', '{NAMES}', 'SELECT')");
    let granted: Vec<[String; 1]> = rows(&open, &granted).await?;
    let is_bound_here = bound_by(&open, role)
        .await?
        .map(|by| by == format!("(id = {id})"));
    match (is_bound_here, granted.is_empty()) {
        (Some(true), _) | (None, true) => Ok(()),
        (Some(false), _) => Err(Error::Conflict(format!(
            "{role} is bound to another tenant: give this one a role of its own"
        ))),
        (None, false) => Err(Error::Conflict(format!(
            "{role} is the role of a server of all tenants, which would lose all others: give the tenant a role of \
             its own"
        ))),
    }
}

fn check_role(pool: &Pool, role: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    // With `bound_` or `reach_` in front it names a policy, of at most 63 bytes.
    let is_plain = role.bytes().all(plain) && role.starts_with(|c: char| c.is_ascii_lowercase());
    if !is_plain || role.len() > 57 {
        return Err(Error::bad_input(
            "the application role's name must be 1 to 57 of a-z, 0-9 and _, with a letter first",
        ));
    }
    // They mean everybody, or whoever says them; those of PostgreSQL's own begin with pg_.
    let is_taken = role.starts_with("pg_")
        || [
            "public",
            "none",
            "user",
            "current_user",
            "current_role",
            "session_user",
        ]
        .contains(&role);
    if is_taken {
        return Err(Error::bad_input(format!(
            "{role} is no role of a server's own: make one for it, such as sundial_app"
        )));
    }
    if pool.backend() == Backend::Sqlite {
        return Err(Error::bad_input(
            "SQLite has no roles: leave --application-role out",
        ));
    }
    Ok(())
}

async fn schema(pool: &Pool) -> Result<String> {
    let statement = Statement::from_string(
        pool.connection().get_database_backend(),
        "SELECT quote_ident(current_schema())",
    );
    let row = pool.connection().query_one_raw(statement).await?;
    let row = row.ok_or_else(|| Error::Internal("the connection has no schema".into()))?;
    Ok(row.try_get_by_index(0)?)
}

/// What PostgreSQL keeps of a password (SCRAM-SHA-256, RFC 5803), so that no log of its statements ever shows it.
fn verifier(password: &SecretString) -> Result<String> {
    const ROUNDS: u32 = 4096;
    let password = password.expose_secret();
    // Others would have to be normalised first (SASLprep).
    if password.len() < 16 || !password.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::bad_input(
            "the role's password must be 16 or more letters, digits and signs of ASCII: `openssl rand -hex 32` makes one",
        ));
    }
    let keyed = |key: &[u8], text: &[u8]| -> Result<[u8; 32]> {
        let mac = Hmac::<Sha256>::new_from_slice(key);
        let mac = mac.map_err(|error| Error::internal("hashing a password", error))?;
        Ok(mac.chain_update(text).finalize().into_bytes().into())
    };
    let salt: [u8; 16] = rand::random();
    let mut round = keyed(password.as_bytes(), &[&salt[..], &[0, 0, 0, 1]].concat())?;
    let mut salted = round;
    for _ in 1..ROUNDS {
        round = keyed(password.as_bytes(), &round)?;
        salted.iter_mut().zip(round).for_each(|(a, b)| *a ^= b);
    }
    let stored = Sha256::digest(keyed(&salted, b"Client Key")?);
    let server = keyed(&salted, b"Server Key")?;
    let encode = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    Ok(format!(
        "SCRAM-SHA-256${ROUNDS}:{}${}:{}",
        encode(&salt),
        encode(&stored),
        encode(&server)
    ))
}
