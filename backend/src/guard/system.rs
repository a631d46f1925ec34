//! Every query that no tenant's scope bounds, each a named function with its reason.

use std::{collections::BTreeMap, sync::Arc};

use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, Statement,
    sea_query::{Expr, OnConflict},
};

use crate::{
    error::{Error, Result},
    guard::{
        Admin, Backend, Pool, Principal, Snapshot, TenantOwned, TenantScope,
        principal::Kind,
        table::{
            access_rule::{self, RoleName},
            account, ingest_token, session, tenant, tenant_counter,
        },
        transaction::Fence,
    },
};

/// The tenants open to `principal`, by slug, each with the role there.
///
/// Reason: which tenants there are to choose from is asked before one is chosen. Only rules that
/// name the person's own organisations are read; PostgreSQL shows no others.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn open_tenants(
    snapshot: &Snapshot,
    principal: &Principal,
) -> Result<Vec<(tenant::Model, RoleName)>> {
    let mut roles = BTreeMap::new();
    match &principal.0 {
        Kind::Token(token) => {
            roles.insert(token.tenant_id, RoleName::Editor);
        }
        Kind::Person(person) => {
            let organizations = person.memberships.organizations.clone();
            let open = snapshot
                .0
                .fenced(&Fence::Organizations(organizations.clone()))
                .await?;
            let rules = access_rule::Entity::find()
                .filter(access_rule::Column::Organization.is_in(organizations))
                .all(&*open)
                .await?;
            for rule in &rules {
                if let Some(role) = person.memberships.role([rule]) {
                    let held = roles.entry(rule.tenant_id).or_insert(role);
                    *held = role.max(*held);
                }
            }
        }
    }
    let open = snapshot.0.fenced(&Fence::Closed).await?;
    let tenants = tenant::Entity::find()
        .filter(tenant::Column::Id.is_in(roles.keys().copied()))
        .order_by_asc(tenant::Column::Slug)
        .all(&*open)
        .await?;
    let with_role = |tenant: tenant::Model| roles.get(&tenant.id).map(|role| (tenant, *role));
    Ok(tenants.into_iter().filter_map(with_role).collect())
}

/// The scope of the tenant numbered `open`'s, which [`open_tenants`] has just given.
pub(crate) fn look_into(
    snapshot: &Snapshot,
    (tenant, role): (tenant::Model, RoleName),
) -> TenantScope<crate::guard::Viewer> {
    TenantScope::new(tenant, role, snapshot.0.clone())
}

/// The tenant named `slug`, as its administrator, in a transaction that writes.
///
/// Reason: `sundial apply` and `sundial token` are run by whoever holds the database, before
/// anybody can sign in. The server itself never calls it.
///
/// # Errors
/// [`Error::NotFound`] when there is no such tenant.
pub async fn operate(pool: &Pool, slug: &str) -> Result<TenantScope<Admin>> {
    let transaction = Arc::new(pool.write());
    let tenant = {
        let open = transaction.fenced(&Fence::Closed).await?;
        let named = tenant::Entity::find().filter(tenant::Column::Slug.eq(slug));
        named.one(&*open).await?.ok_or(Error::NotFound("tenant"))?
    };
    Ok(TenantScope::new(tenant, RoleName::Admin, transaction))
}

/// Makes the tenant if it is absent, brings name, group and environment up to date, and opens it as
/// [`operate`] does. The second value tells whether it was made.
///
/// Reason: a tenant can't be made from inside of one.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn found(
    pool: &Pool,
    slug: &str,
    name: &str,
    group: &str,
    environment: tenant::Environment,
    now: i64,
) -> Result<(TenantScope<Admin>, bool)> {
    let transaction = Arc::new(pool.write());
    let (tenant, made) = {
        let open = transaction.fenced(&Fence::Closed).await?;
        let before = tenant::Entity::find()
            .filter(tenant::Column::Slug.eq(slug))
            .one(&*open)
            .await?;
        let row = tenant::ActiveModel {
            id: NotSet,
            slug: Set(slug.to_owned()),
            name: Set(name.to_owned()),
            group: Set(group.to_owned()),
            environment: Set(environment),
            created_at: Set(now),
        };
        let changed = [
            tenant::Column::Name,
            tenant::Column::Group,
            tenant::Column::Environment,
        ];
        let after = tenant::Entity::insert(row)
            .on_conflict(
                OnConflict::column(tenant::Column::Slug)
                    .update_columns(changed)
                    .to_owned(),
            )
            .exec_with_returning(&*open)
            .await?;
        (after, before.is_none())
    };
    if made {
        let open = transaction.fenced(&Fence::Tenant(tenant.id)).await?;
        let counter = tenant_counter::ActiveModel {
            tenant_id: Set(tenant.id),
            last_seq: Set(0),
            last_series: Set(0),
            last_token: Set(0),
        };
        tenant_counter::Entity::insert(counter)
            .exec_without_returning(&*open)
            .await?;
    }
    Ok((TenantScope::new(tenant, RoleName::Admin, transaction), made))
}

/// The ingest token whose SHA-256 is `hash`, with the slug of its tenant.
///
/// Reason: the token says which tenant, so it is found before the tenant is known. PostgreSQL shows
/// this row to nobody who does not know the hash.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub(crate) async fn token_by_hash(pool: &Pool, hash: &[u8]) -> Result<Option<ingest_token::Model>> {
    let transaction = pool.read();
    let open = transaction.fenced(&Fence::Token(hash.to_vec())).await?;
    let in_hand = ingest_token::Entity::find().filter(ingest_token::Column::Hash.eq(hash));
    Ok(in_hand.one(&*open).await?)
}

/// Notes that a token was used.
///
/// Reason: done on the way in, before the request has a scope.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub(crate) async fn note_token_use(
    pool: &Pool,
    token: &ingest_token::Model,
    now: i64,
) -> Result<()> {
    let transaction = pool.write();
    {
        let open = transaction.fenced(&Fence::Tenant(token.tenant_id)).await?;
        ingest_token::Entity::update_many()
            .col_expr(ingest_token::Column::UsedAt, Expr::value(now))
            .filter(ingest_token::Entity::tenant_column().eq(token.tenant_id))
            .filter(ingest_token::Column::Id.eq(token.id))
            .exec(&*open)
            .await?;
    }
    transaction.commit().await
}

/// Keeps what GitHub says of a person, and the session that begins.
///
/// Reason: people and sessions belong to no tenant.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub(crate) async fn begin_session(
    pool: &Pool,
    account: account::Model,
    session: session::Model,
) -> Result<()> {
    let transaction = pool.write();
    {
        let open = transaction.fenced(&Fence::Closed).await?;
        let changed = [
            account::Column::Login,
            account::Column::Name,
            account::Column::AvatarUrl,
            account::Column::SeenAt,
        ];
        account::Entity::insert(account.into_active_model())
            .on_conflict(
                OnConflict::column(account::Column::Id)
                    .update_columns(changed)
                    .to_owned(),
            )
            .exec_without_returning(&*open)
            .await?;
        // Who signs in pays for the removal of what has ended.
        session::Entity::delete_many()
            .filter(session::Column::ExpiresAt.lt(session.created_at))
            .exec(&*open)
            .await?;
        session::Entity::insert(session.into_active_model())
            .exec_without_returning(&*open)
            .await?;
    }
    transaction.commit().await
}

/// The session whose cookie's SHA-256 is `hash`.
///
/// Reason: people and sessions belong to no tenant.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub(crate) async fn session_by_hash(pool: &Pool, hash: &[u8]) -> Result<Option<session::Model>> {
    let transaction = pool.read();
    let open = transaction.fenced(&Fence::Closed).await?;
    Ok(session::Entity::find_by_id(hash.to_vec())
        .one(&*open)
        .await?)
}

/// Notes that a session was used.
///
/// Reason: people and sessions belong to no tenant.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub(crate) async fn note_session_use(pool: &Pool, hash: &[u8], now: i64) -> Result<()> {
    let transaction = pool.write();
    {
        let open = transaction.fenced(&Fence::Closed).await?;
        session::Entity::update_many()
            .col_expr(session::Column::UsedAt, Expr::value(now))
            .filter(session::Column::Hash.eq(hash))
            .exec(&*open)
            .await?;
    }
    transaction.commit().await
}

/// Ends the session whose cookie's SHA-256 is `hash`. None such: nothing to do.
///
/// Reason: people and sessions belong to no tenant.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub(crate) async fn end_session(pool: &Pool, hash: &[u8]) -> Result<()> {
    let transaction = pool.write();
    {
        let open = transaction.fenced(&Fence::Closed).await?;
        session::Entity::delete_by_id(hash.to_vec())
            .exec(&*open)
            .await?;
    }
    transaction.commit().await
}

/// Whether the database answers.
///
/// Reason: asks for no row.
///
/// # Errors
/// [`Error::Internal`] when it does not.
pub(crate) async fn ping(pool: &Pool) -> Result<()> {
    Ok(pool.connection().ping().await?)
}

/// What weakens the second fence, each in words with what to do; empty when it is in force.
///
/// Reason: reads PostgreSQL's catalogue and no row of a tenant. SQLite has no second fence.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn fence_faults(pool: &Pool) -> Result<Vec<String>> {
    if pool.backend() == Backend::Sqlite {
        return Ok(Vec::new());
    }
    let transaction = pool.read();
    let open = transaction.fenced(&Fence::Closed).await?;
    let texts = async |sql: &str| -> Result<Vec<String>> {
        let statement = Statement::from_string(open.get_database_backend(), sql);
        let rows = open.query_all_raw(statement).await?;
        rows.iter()
            .map(|row| Ok(row.try_get_by_index(0)?))
            .collect()
    };
    let mut faults = Vec::new();
    for role in texts(
        "SELECT rolname::text FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)",
    )
    .await?
    {
        faults.push(format!(
            "role {role} is not bound by row-level security: let the server log in as a role that is \
             neither SUPERUSER nor BYPASSRLS"
        ));
    }
    for table in texts(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = current_schema() AND c.relkind = 'r' AND EXISTS (SELECT FROM pg_attribute a \
         WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped) \
         AND NOT (c.relrowsecurity AND c.relforcerowsecurity) ORDER BY 1",
    )
    .await?
    {
        faults.push(format!(
            "table {table} has no row-level security in force: run `sundial migrate up`"
        ));
    }
    for table in texts(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = current_schema() AND c.relkind = 'r' \
         AND pg_get_userbyid(c.relowner) = current_user ORDER BY 1",
    )
    .await?
    {
        faults.push(format!(
            "the server's role owns table {table} and could lift its fence: log in as another role than \
             the one that migrates (`sundial migrate up --application-role …` grants what it needs)"
        ));
    }
    Ok(faults)
}

/// Grants `role` what the server needs of the tables, and no ownership.
///
/// Reason: touches rights and no row.
///
/// # Errors
/// [`Error::BadInput`] for a name that would need quoting, [`Error::Internal`] with the database's words.
pub async fn grant_application_role(pool: &Pool, role: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if role.is_empty() || !role.bytes().all(plain) {
        return Err(Error::bad_input(
            "the application role's name must be of a-z, 0-9 and _",
        ));
    }
    if pool.backend() == Backend::Sqlite {
        return Err(Error::bad_input(
            "SQLite has no roles: leave --application-role out",
        ));
    }
    let tables =
        "tenant, tenant_counter, access_rule, account, session, ingest_token, series, batch";
    let schema: String = {
        let statement = Statement::from_string(
            pool.connection().get_database_backend(),
            "SELECT quote_ident(current_schema())",
        );
        let row = pool.connection().query_one_raw(statement).await?;
        let row = row.ok_or_else(|| Error::Internal("the connection has no schema".into()))?;
        row.try_get_by_index(0)?
    };
    for sql in [
        format!("GRANT USAGE ON SCHEMA {schema} TO {role}"),
        format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {role}"),
        format!("GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"),
        format!("GRANT SELECT ON seaql_migrations TO {role}"),
    ] {
        pool.connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}
