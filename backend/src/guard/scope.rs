//! A principal inside one tenant with one role: the only thing that can reach a tenant's rows.

use std::{marker::PhantomData, sync::Arc};

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DeleteMany, EntityTrait, IdenStatic,
    IntoActiveModel, QueryFilter, UpdateMany,
    sea_query::{IntoCondition, SimpleExpr},
};

use crate::{
    error::{Error, Result},
    guard::{
        AtLeast, Editor, Principal, Role, Scoped, TenantOwned, Viewer,
        audit::Actor,
        filter,
        principal::Kind,
        table::{access_rule, access_rule::RoleName, audit_event::ActorKind, tenant},
        transaction::{Fence, Fenced, Key, Transaction},
    },
};

/// The first half of the number of an advisory lock, of which a tenant's is the second, or 0 for the tables: "SDL" in ASCII.
pub(in crate::guard) const ALONE: i32 = 0x53_44_4c;

/// A principal inside one tenant, with at least the role `R`.
///
/// Every statement carries the tenant: a select, update or delete is narrowed to it, an insert has
/// its tenant column overwritten. Joins and raw SQL are not offered.
pub struct TenantScope<R: Role> {
    tenant: Arc<tenant::Model>,
    role: RoleName,
    who: Arc<Who>,
    transaction: Arc<Transaction>,
    at_least: PhantomData<fn() -> R>,
}

/// Who is inside of a scope.
pub(super) struct Who {
    actor: Actor,
    /// Patterns of the series that an ingest token is limited to.
    series: Option<Vec<String>>,
}

impl Who {
    pub(super) fn operator() -> Self {
        Who {
            actor: Actor::operator(),
            series: None,
        }
    }
}

impl From<&Principal> for Who {
    fn from(principal: &Principal) -> Self {
        let (kind, id, name) = match &principal.0 {
            Kind::Person(person) => (ActorKind::Person, person.account_id, &person.login),
            Kind::Token(token) => (ActorKind::IngestToken, token.id.into(), &token.name),
        };
        Who {
            actor: Actor {
                kind,
                id,
                name: name.clone(),
            },
            series: principal.as_token().and_then(|token| token.series.clone()),
        }
    }
}

pub(super) async fn enter<R: Role>(
    transaction: Transaction,
    principal: &Principal,
    slug: &str,
) -> Result<TenantScope<R>> {
    enter_shared(Arc::new(transaction), principal, slug).await
}

pub(super) async fn enter_shared<R: Role>(
    transaction: Arc<Transaction>,
    principal: &Principal,
    slug: &str,
) -> Result<TenantScope<R>> {
    const ABSENT: Error = Error::NotFound("tenant");
    // A machine's tenant is known: what it names is looked for from within.
    let own = match &principal.0 {
        Kind::Token(token) => Some(token.tenant_id),
        Kind::Person(_) => None,
    };
    let tenant = named_within(&transaction, slug, own).await?;
    // The same steps for a tenant that is absent, whose number none has: time does not tell it from a foreign one.
    let id = tenant.as_ref().map_or(0, |tenant| tenant.id);
    let role = match &principal.0 {
        Kind::Token(token) if token.tenant_id == id => Some(RoleName::Editor),
        Kind::Token(_) => None,
        Kind::Person(person) => {
            let open = transaction.fenced(&Fence::tenant(id)).await?;
            let rules = access_rule::Entity::find()
                .filter(filter::of_tenant::<access_rule::Entity>(id))
                .all(&*open)
                .await?;
            person.memberships.role(&rules)
        }
    };
    let (tenant, role) = tenant.zip(role).ok_or(ABSENT)?;
    check::<R>(&tenant, role)?;
    let who = Arc::new(Who::from(principal));
    Ok(TenantScope::new(tenant, role, who, transaction))
}

/// That somebody whose role in `tenant` is `role` may do what `R` may.
fn check<R: Role>(tenant: &tenant::Model, role: RoleName) -> Result<()> {
    if role < R::NAME {
        return Err(Error::Forbidden(format!(
            "your role in {} is {role}, this needs {}; ask an administrator of the tenant",
            tenant.slug,
            R::NAME
        )));
    }
    Ok(())
}

/// The tenant named `slug`, unless the deployment is pinned to another.
pub(super) async fn named(transaction: &Transaction, slug: &str) -> Result<Option<tenant::Model>> {
    named_within(transaction, slug, None).await
}

/// The same, from within the tenant numbered `own`, whose rows are read next.
async fn named_within(
    transaction: &Transaction,
    slug: &str,
    own: Option<i32>,
) -> Result<Option<tenant::Model>> {
    // No slug, no tenant; and not every text can be given to a database.
    let slug = if is_slug(slug) { slug } else { "" };
    let key = Key::Slug(slug.to_owned());
    let fence = own.map_or_else(
        || Fence::key(key.clone()),
        |own| Fence::both(own, key.clone()),
    );
    let open = transaction.fenced(&fence).await?;
    let tenant = tenant::Entity::find()
        .filter(tenant::Column::Slug.eq(slug))
        .filter(transaction.pinned(tenant::Column::Id))
        .one(&*open)
        .await?;
    Ok(tenant)
}

/// Whether `text` is of the form of a tenant's name: 1 to 63 of a-z, 0-9 and -, with a letter first and no - last.
pub fn is_slug(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(plain)
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
}

/// Whether `text` shows as what it is: nothing in it is invisible, ends the line or turns the direction of writing.
pub fn is_plain(text: &str) -> bool {
    let unseen = |char: char| {
        char.is_control()
            || matches!(char, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    !text.contains(unseen)
}

impl<R: Role> TenantScope<R> {
    pub(in crate::guard) fn new(
        tenant: tenant::Model,
        role: RoleName,
        who: Arc<Who>,
        transaction: Arc<Transaction>,
    ) -> Self {
        TenantScope {
            tenant: Arc::new(tenant),
            role,
            who,
            transaction,
            at_least: PhantomData,
        }
    }

    /// The tenant that this scope is inside of.
    pub fn tenant(&self) -> &tenant::Model {
        &self.tenant
    }

    /// The principal's role here, which is `R` or above.
    pub fn role(&self) -> RoleName {
        self.role
    }

    /// Patterns of the series that the principal, an ingest token, is limited to; all series without.
    pub fn series(&self) -> Option<&[String]> {
        self.who.series.as_deref()
    }

    /// The tenant's rows of `E`.
    pub fn find<E: TenantOwned>(&self) -> Scoped<'_, E> {
        let own = E::find().filter(filter::of_tenant::<E>(self.tenant.id));
        Scoped::new(own, &self.transaction, Fence::tenant(self.tenant.id))
    }

    pub(in crate::guard) fn actor(&self) -> &Actor {
        &self.who.actor
    }

    /// The tenant that the deployment is pinned to, or 0.
    pub(in crate::guard) fn home(&self) -> i32 {
        self.transaction.home()
    }

    pub(in crate::guard) async fn fenced(&self, fence: &Fence) -> Result<Fenced<'_>> {
        self.transaction.fenced(fence).await
    }

    /// The transaction, to write the tenant's rows.
    async fn open(&self) -> Result<Fenced<'_>> {
        self.transaction.check_writes()?;
        self.fenced(&Fence::tenant(self.tenant.id)).await
    }
}

impl TenantScope<Viewer> {
    /// The same scope for what only `R` may read, if the principal's role here includes that. It still only reads: its
    /// transaction is a snapshot, which takes no write.
    ///
    /// # Errors
    /// [`Error::Forbidden`] when the role is too low.
    pub fn at_least<R: Role>(&self) -> Result<TenantScope<R>> {
        check::<R>(&self.tenant, self.role)?;
        Ok(TenantScope {
            tenant: self.tenant.clone(),
            role: self.role,
            who: self.who.clone(),
            transaction: self.transaction.clone(),
            at_least: PhantomData,
        })
    }
}

impl<R: AtLeast<Editor>> TenantScope<R> {
    /// Inserts `row` into this tenant, whatever tenant it names.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words.
    pub async fn insert<A>(&self, row: A) -> Result<()>
    where
        A: ActiveModelTrait + IntoActiveModel<A>,
        A::Entity: TenantOwned,
    {
        self.insert_many([row]).await
    }

    /// Inserts `rows` into this tenant, whatever tenant they name.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words.
    pub async fn insert_many<A>(&self, rows: impl IntoIterator<Item = A>) -> Result<()>
    where
        A: ActiveModelTrait + IntoActiveModel<A>,
        A::Entity: TenantOwned,
    {
        let mut own: Vec<A> = rows.into_iter().collect();
        if own.is_empty() {
            return Ok(());
        }
        if !cfg!(feature = "filterless") {
            for row in &mut own {
                row.set(A::Entity::tenant_column(), self.tenant.id.into());
            }
        }
        let open = self.open().await?;
        A::Entity::insert_many(own)
            .exec_without_returning(&*open)
            .await?;
        Ok(())
    }

    /// Waits until no other scope, in whatever process, does something to the tenant that is done by one alone, and is
    /// that one until this scope ends. Writing is not such a thing.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words.
    pub async fn alone(&self) -> Result<()> {
        let open = self.open().await?;
        // SQLite has one writer anyway.
        if open.get_database_backend() == DbBackend::Postgres {
            let lock = format!("SELECT pg_advisory_xact_lock({ALONE}, {})", self.tenant.id);
            open.execute_unprepared(&lock).await?;
        }
        Ok(())
    }

    /// Updates the tenant's rows of `E`.
    pub fn update<E: TenantOwned>(&self) -> ScopedUpdate<'_, R, E> {
        let own = E::update_many().filter(filter::of_tenant::<E>(self.tenant.id));
        ScopedUpdate {
            update: own,
            scope: self,
        }
    }

    /// Deletes the tenant's rows of `E`.
    pub fn delete<E: TenantOwned>(&self) -> ScopedDelete<'_, R, E> {
        let own = E::delete_many().filter(filter::of_tenant::<E>(self.tenant.id));
        ScopedDelete {
            delete: own,
            scope: self,
        }
    }

    /// Makes all that was written in this scope last.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words; then nothing was written.
    pub async fn commit(self) -> Result<()> {
        self.transaction.check_writes()?;
        self.transaction.commit().await
    }
}

/// An update of one tenant's rows.
#[must_use = "nothing is updated before `all` is awaited"]
pub struct ScopedUpdate<'a, R: Role, E: TenantOwned> {
    update: UpdateMany<E>,
    scope: &'a TenantScope<R>,
}

impl<R: Role, E: TenantOwned> ScopedUpdate<'_, R, E> {
    /// Only rows for which `condition` holds.
    pub fn filter(mut self, condition: impl IntoCondition) -> Self {
        self.update = self.update.filter(condition.into_condition());
        self
    }

    /// Sets `column`, which can't be the one that names the tenant, to `value`.
    pub fn set(mut self, column: E::Column, value: impl Into<SimpleExpr>) -> Self {
        // A row never changes its tenant: what the fence compares can't be written through it.
        if column.as_str() != E::tenant_column().as_str() {
            self.update = self.update.col_expr(column, value.into());
        }
        self
    }

    /// Updates all that is left after the filters, and gives the rows as they are then.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words.
    pub async fn all(self) -> Result<Vec<E::Model>> {
        let open = self.scope.open().await?;
        Ok(self.update.exec_with_returning(&*open).await?)
    }
}

/// A deletion of one tenant's rows.
#[must_use = "nothing is deleted before `all` is awaited"]
pub struct ScopedDelete<'a, R: Role, E: TenantOwned> {
    delete: DeleteMany<E>,
    scope: &'a TenantScope<R>,
}

impl<R: Role, E: TenantOwned> ScopedDelete<'_, R, E> {
    /// Only rows for which `condition` holds.
    pub fn filter(mut self, condition: impl IntoCondition) -> Self {
        self.delete = self.delete.filter(condition.into_condition());
        self
    }

    /// Deletes all that is left after the filters, and tells how many rows that were.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words.
    pub async fn all(self) -> Result<u64> {
        let open = self.scope.open().await?;
        Ok(self.delete.exec(&*open).await?.rows_affected)
    }
}

#[cfg(test)]
mod tests;
