//! Every query that no tenant's scope bounds, each a named function with its reason.

mod fence;
mod people;
mod role;

use std::{collections::BTreeMap, sync::Arc};

use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QueryTrait,
    sea_query::{Expr, OnConflict},
};

pub use fence::fence_faults;
pub(crate) use people::{
    begin_session, end_sessions, note_account, note_session_use, session_by_hash, sessions_of,
};
pub use role::{bind_application_role, grant_application_role};

use crate::{
    error::{Error, Result},
    guard::{
        Admin, Backend, Editor, Pool, Principal, Role, Snapshot, TenantScope, Viewer, filter,
        principal::Kind,
        scope::{Who, named},
        table::{
            access_rule::{self, RoleName},
            audit_event, ingest_token, tenant, tenant_counter,
        },
        transaction::{Fence, Key, once},
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
            let key = Key::Organizations(organizations.clone());
            let open = snapshot.0.fenced(&Fence::key(key)).await?;
            let rules = access_rule::Entity::find()
                .filter(filter::only(
                    access_rule::Column::Organization.is_in(organizations),
                ))
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
    let key = Key::Tenants(roles.keys().copied().collect());
    let open = snapshot.0.fenced(&Fence::key(key)).await?;
    let tenants = tenant::Entity::find()
        .filter(filter::only(
            tenant::Column::Id.is_in(roles.keys().copied()),
        ))
        .filter(snapshot.0.pinned(tenant::Column::Id))
        .order_by_asc(tenant::Column::Slug)
        .all(&*open)
        .await?;
    let with_role = |tenant: tenant::Model| roles.get(&tenant.id).map(|role| (tenant, *role));
    Ok(tenants.into_iter().filter_map(with_role).collect())
}

/// The access rules of the tenant named `slug` that name one of `organizations`, by organisation and team; none of a
/// tenant that is absent.
///
/// Reason: somebody to whom a tenant is not open is told which of their own organisations' teams it is open to. Only
/// rules that name the person's own organisations are read; PostgreSQL shows no others.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub(crate) async fn rules_naming(
    snapshot: &Snapshot,
    slug: &str,
    organizations: &[String],
) -> Result<Vec<access_rule::Model>> {
    let tenant = named(&snapshot.0, slug).await?;
    // Of a tenant that is absent it asks the same, so that no time is saved that would tell.
    let id = tenant.map_or(0, |tenant| tenant.id);
    let key = Key::Organizations(organizations.to_vec());
    let open = snapshot.0.fenced(&Fence::key(key)).await?;
    let rules = access_rule::Entity::find()
        .filter(access_rule::Column::TenantId.eq(id))
        .filter(filter::only(
            access_rule::Column::Organization.is_in(organizations),
        ))
        .order_by_asc(access_rule::Column::Organization)
        .order_by_asc(access_rule::Column::Team);
    Ok(rules.all(&*open).await?)
}

/// The scope of the tenant numbered `open`'s, which [`open_tenants`] has just given.
pub(crate) fn look_into(
    snapshot: &Snapshot,
    principal: &Principal,
    (tenant, role): (tenant::Model, RoleName),
) -> TenantScope<Viewer> {
    let who = Arc::new(Who::from(principal));
    TenantScope::new(tenant, role, who, snapshot.0.clone())
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
    let tenant = named(&transaction, slug).await?;
    let tenant = tenant.ok_or(Error::NotFound("tenant"))?;
    let who = Arc::new(Who::operator());
    Ok(TenantScope::new(tenant, RoleName::Admin, who, transaction))
}

/// The right to keep the store of a tenant in order, which somebody has entered.
///
/// Reason: compaction and retention are nobody's request. They begin with one, of whatever role, and go on without it.
#[derive(Clone)]
pub struct Keeper {
    pool: Pool,
    tenant: tenant::Model,
}

impl Keeper {
    /// Of the tenant that `scope` is inside of.
    pub fn of<R: Role>(pool: &Pool, scope: &TenantScope<R>) -> Self {
        Keeper {
            pool: pool.clone(),
            tenant: scope.tenant().clone(),
        }
    }

    /// The tenant's name.
    pub fn slug(&self) -> &str {
        &self.tenant.slug
    }

    /// The tenant, in a transaction that writes.
    pub fn enter(&self) -> TenantScope<Editor> {
        let transaction = Arc::new(self.pool.write());
        let who = Arc::new(Who::operator());
        TenantScope::new(self.tenant.clone(), RoleName::Editor, who, transaction)
    }
}

/// Makes the tenant if it is absent, brings name, group and environment up to date, and opens it as
/// [`operate`] does. The second value is the tenant as it was before; none when it is made now.
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
) -> Result<(TenantScope<Admin>, Option<tenant::Model>)> {
    let transaction = Arc::new(pool.write());
    let before = named(&transaction, slug).await?;
    let tenant = {
        let key = Key::Slug(slug.to_owned());
        let open = transaction.fenced(&Fence::key(key)).await?;
        let row = tenant::ActiveModel {
            id: NotSet,
            slug: Set(slug.to_owned()),
            name: Set(name.to_owned()),
            group: Set(group.to_owned()),
            environment: Set(environment),
            created_at: Set(now),
            quota_points: NotSet,
            quota_bytes: NotSet,
        };
        let changed = [
            tenant::Column::Name,
            tenant::Column::Group,
            tenant::Column::Environment,
        ];
        tenant::Entity::insert(row)
            .on_conflict(
                OnConflict::column(tenant::Column::Slug)
                    .update_columns(changed)
                    .to_owned(),
            )
            .exec_with_returning(&*open)
            .await
            .map_err(owner_alone)?
    };
    if before.is_none() {
        let open = transaction.fenced(&Fence::tenant(tenant.id)).await?;
        let counter = tenant_counter::ActiveModel {
            tenant_id: Set(tenant.id),
            last_seq: Set(0),
            last_series: Set(0),
            last_token: Set(0),
            last_event: Set(0),
            last_producer: Set(0),
            last_run: Set(0),
            compacted_seq: Set(0),
            forgotten_seq: Set(0),
            points: Set(0),
            bytes: Set(0),
            retention: Set(None),
        };
        tenant_counter::Entity::insert(counter)
            .exec_without_returning(&*open)
            .await?;
    }
    let who = Arc::new(Who::operator());
    let scope = TenantScope::new(tenant, RoleName::Admin, who, transaction);
    Ok((scope, before))
}

/// Limits what the scope's tenant stores; without a number, nothing does. The scope goes on with the quota that it had.
///
/// Reason: a tenant's row is written from outside of it, by the role that owns the tables, as in [`found`].
///
/// # Errors
/// [`Error::Forbidden`] when the role is not that one, [`Error::Internal`] with the database's words.
pub async fn set_quota(
    scope: &TenantScope<Admin>,
    points: Option<i64>,
    bytes: Option<i64>,
) -> Result<()> {
    let key = Key::Slug(scope.tenant().slug.clone());
    let open = scope.fenced(&Fence::key(key)).await?;
    tenant::Entity::update_many()
        .col_expr(tenant::Column::QuotaPoints, Expr::value(points))
        .col_expr(tenant::Column::QuotaBytes, Expr::value(bytes))
        .filter(tenant::Column::Id.eq(scope.tenant().id))
        .exec(&*open)
        .await
        .map_err(owner_alone)?;
    Ok(())
}

/// That the server's role was refused what is the owner's.
fn owner_alone(error: DbErr) -> Error {
    Error::unpermitted(
        error,
        "tenants are made and named by the database role that owns the tables: log in as that one",
    )
}

/// The ingest token whose SHA-256 is `hash`, with the slug of its tenant.
///
/// Reason: the token says which tenant, so it is found before the tenant is known. PostgreSQL shows
/// this row to nobody who does not know the hash.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub(crate) async fn token_by_hash(pool: &Pool, hash: &[u8]) -> Result<Option<ingest_token::Model>> {
    let fence = Fence::key(Key::Token(hash.to_vec()));
    let transaction = pool.read();
    let in_hand = ingest_token::Entity::find()
        .filter(ingest_token::Column::Hash.eq(hash))
        .filter(transaction.pinned(ingest_token::Column::TenantId));
    if pool.backend() == Backend::Sqlite {
        let open = transaction.fenced(&fence).await?;
        return Ok(in_hand.one(&*open).await?);
    }
    // Every request of a machine begins so. All of it is one message: a transaction by steps takes four round trips.
    let select = in_hand.build(DbBackend::Postgres).to_string();
    let found = once(pool, &fence, &select).await?;
    let found = found.map(|row| ingest_token::Model::from_query_result(&row, ""));
    Ok(found.transpose()?)
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
        let open = transaction.fenced(&Fence::tenant(token.tenant_id)).await?;
        ingest_token::Entity::update_many()
            .col_expr(ingest_token::Column::UsedAt, Expr::value(now))
            .filter(filter::of_tenant::<ingest_token::Entity>(token.tenant_id))
            .filter(ingest_token::Column::Id.eq(token.id))
            .exec(&*open)
            .await?;
    }
    transaction.commit().await
}

/// Deletes the entries of the audit log from before `before` (µs since 1970 UTC), and tells how many those were.
///
/// Reason: the log's retention is the deployment's, not a tenant's. PostgreSQL lets only the role that owns the tables.
///
/// # Errors
/// [`Error::Internal`] with the database's words.
pub async fn forget_audit_events(pool: &Pool, before: i64) -> Result<u64> {
    let transaction = pool.write();
    let gone = {
        let open = transaction.fenced(&Fence::key(Key::Past(before))).await?;
        let past = audit_event::Entity::delete_many().filter(audit_event::Column::At.lt(before));
        past.exec(&*open).await?.rows_affected
    };
    transaction.commit().await?;
    Ok(gone)
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
