//! A select of one tenant's rows.

use sea_orm::{
    ConnectionTrait, Order, PartialModelTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Select,
    sea_query::{Asterisk, IntoCondition, Query, SelectStatement, UnionType},
};

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
        self.all_as().await
    }

    /// All rows, and of each the columns that `P` has.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] with the database's words.
    pub async fn all_as<P: PartialModelTrait>(self) -> Result<Vec<P>> {
        let open = self.transaction.fenced(&self.fence).await?;
        Ok(self.select.into_partial_model().all(&*open).await?)
    }

    /// What several selections give, each with its own order and limit, in one statement.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] with the database's words.
    pub async fn all_of<P: PartialModelTrait>(selections: Vec<Self>) -> Result<Vec<P>> {
        let Some(first) = selections.first() else {
            return Ok(Vec::new());
        };
        let open = first.transaction.fenced(&first.fence).await?;
        // In brackets of their own, or order and limit would be those of all together.
        let inner = |selection: Self| -> SelectStatement {
            let select = P::select_cols(selection.select.select_only());
            Query::select()
                .column(Asterisk)
                .from_subquery(select.into_query(), "part")
                .to_owned()
        };
        let mut parts = selections.into_iter().map(inner);
        let mut all = parts.next().unwrap_or_default();
        for part in parts {
            all.union(UnionType::All, part);
        }
        let statement = open.get_database_backend().build(&all);
        Ok(P::find_by_statement(statement).all(&*open).await?)
    }
}
