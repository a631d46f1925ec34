//! Statements on the ingest tokens of one tenant, within its administrator's scope.

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    error::{Error, Result},
    guard::{
        Admin, TenantScope,
        table::{ingest_token, tenant_counter},
    },
};

impl TenantScope<Admin> {
    /// Adds an ingest token under the tenant's next number, and gives that number.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words.
    pub(crate) async fn add_token(
        &self,
        name: &str,
        hash: Vec<u8>,
        series: Option<String>,
        expires_at: Option<i64>,
        now: i64,
    ) -> Result<i32> {
        let next = Expr::col(tenant_counter::Column::LastToken).add(1);
        let counters = self
            .update::<tenant_counter::Entity>()
            .set(tenant_counter::Column::LastToken, next)
            .all()
            .await?;
        let counter = counters
            .first()
            .ok_or_else(|| Error::Internal("the tenant has no row of counters".into()))?;
        let row = ingest_token::ActiveModel {
            tenant_id: Set(self.tenant().id),
            id: Set(counter.last_token),
            name: Set(name.to_owned()),
            hash: Set(hash),
            created_at: Set(now),
            expires_at: Set(expires_at),
            revoked_at: Set(None),
            used_at: Set(None),
            series: Set(series),
        };
        self.insert(row).await?;
        Ok(counter.last_token)
    }

    /// All ingest tokens of the tenant, the oldest first.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words.
    pub(crate) async fn tokens(&self) -> Result<Vec<ingest_token::Model>> {
        self.find::<ingest_token::Entity>()
            .order_by_asc(ingest_token::Column::Id)
            .all()
            .await
    }

    /// Removes the ingest token numbered `id`.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words.
    pub(crate) async fn remove_token(&self, id: i32) -> Result<()> {
        self.delete::<ingest_token::Entity>()
            .filter(ingest_token::Column::Id.eq(id))
            .all()
            .await?;
        Ok(())
    }

    /// Has the ingest token numbered `id` refused from `now` on.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words.
    pub(crate) async fn revoke_token(&self, id: i32, now: i64) -> Result<()> {
        self.update::<ingest_token::Entity>()
            .filter(ingest_token::Column::Id.eq(id))
            .set(ingest_token::Column::RevokedAt, Expr::value(now))
            .all()
            .await?;
        Ok(())
    }

    /// Has the ingest token numbered `id` expire at `at`, unless it expires before that anyway.
    ///
    /// # Errors
    /// [`Error::Internal`] with the database's words.
    pub(crate) async fn expire_token(&self, id: i32, at: i64) -> Result<()> {
        let later = Condition::any()
            .add(ingest_token::Column::ExpiresAt.is_null())
            .add(ingest_token::Column::ExpiresAt.gt(at));
        self.update::<ingest_token::Entity>()
            .filter(ingest_token::Column::Id.eq(id))
            .filter(later)
            .set(ingest_token::Column::ExpiresAt, Expr::value(at))
            .all()
            .await?;
        Ok(())
    }

    /// The ingest token numbered `id`.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has none of that number.
    pub(crate) async fn token(&self, id: i32) -> Result<ingest_token::Model> {
        self.find::<ingest_token::Entity>()
            .filter(ingest_token::Column::Id.eq(id))
            .one()
            .await?
            .ok_or(Error::NotFound("ingest token"))
    }
}
