//! A select of one tenant's rows.

use sea_orm::{Order, QueryFilter, QueryOrder, QuerySelect, Select, sea_query::IntoCondition};

use crate::{
    error::Result,
    guard::{
        TenantOwned,
        transaction::{Fence, Transaction},
    },
};

/// A select of one tenant's rows of `E`. Filters narrow it; nothing widens it.
#[must_use = "nothing is read before `one` or `all` is awaited"]
pub struct Scoped<'a, E: TenantOwned> {
    select: Select<E>,
    transaction: &'a Transaction,
    fence: Fence,
}

impl<'a, E: TenantOwned> Scoped<'a, E> {
    pub(super) fn new(select: Select<E>, transaction: &'a Transaction, fence: Fence) -> Self {
        Scoped {
            select,
            transaction,
            fence,
        }
    }

    /// Only rows for which `condition` holds. An OR within it stays within it.
    pub fn filter(mut self, condition: impl IntoCondition) -> Self {
        self.select = self.select.filter(condition.into_condition());
        self
    }

    /// Smallest first.
    pub fn order_by_asc(mut self, column: E::Column) -> Self {
        self.select = self.select.order_by(column, Order::Asc);
        self
    }

    /// Largest first.
    pub fn order_by_desc(mut self, column: E::Column) -> Self {
        self.select = self.select.order_by(column, Order::Desc);
        self
    }

    /// At most `rows`.
    pub fn limit(mut self, rows: u64) -> Self {
        self.select = self.select.limit(rows);
        self
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] with the database's words.
    pub async fn one(self) -> Result<Option<E::Model>> {
        let open = self.transaction.fenced(&self.fence).await?;
        Ok(self.select.one(&*open).await?)
    }

    /// All rows.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] with the database's words.
    pub async fn all(self) -> Result<Vec<E::Model>> {
        let open = self.transaction.fenced(&self.fence).await?;
        Ok(self.select.all(&*open).await?)
    }
}
