//! People and their sessions, which belong to a deployment and to no tenant.

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    sea_query::{Expr, OnConflict},
};

use crate::{
    error::Result,
    guard::{
        Pool, Snapshot, filter,
        table::{account, session},
        transaction::{Fence, Key, Transaction},
    },
};

fn own_sessions(transaction: &Transaction) -> Condition {
    filter::only(session::Column::HomeId.eq(transaction.home()))
}

/// Keeps what GitHub says of a person.
///
/// Reason: people belong to no tenant.
///
/// # Errors
/// [`crate::Error::Internal`] with the database's words.
pub(crate) async fn note_account(pool: &Pool, account: account::Model) -> Result<()> {
    let transaction = pool.write();
    keep(&transaction, account).await?;
    transaction.commit().await
}

async fn keep(transaction: &Transaction, mut account: account::Model) -> Result<()> {
    let home = transaction.home();
    let fence = Fence::both(home, Key::Account(account.id));
    let open = transaction.fenced(&fence).await?;
    account.home_id = home;
    let changed = [
        account::Column::Login,
        account::Column::Name,
        account::Column::AvatarUrl,
        account::Column::Organizations,
        account::Column::Teams,
        account::Column::SeenAt,
    ];
    let known = OnConflict::columns([account::Column::HomeId, account::Column::Id])
        .update_columns(changed)
        .to_owned();
    account::Entity::insert(account.into_active_model())
        .on_conflict(known)
        .exec_without_returning(&*open)
        .await?;
    Ok(())
}

/// Keeps what GitHub says of a person, and the session that begins.
///
/// Reason: people and sessions belong to no tenant.
///
/// # Errors
/// [`crate::Error::Internal`] with the database's words.
pub(crate) async fn begin_session(
    pool: &Pool,
    account: account::Model,
    mut session: session::Model,
) -> Result<()> {
    let transaction = pool.write();
    let (home, person) = (transaction.home(), Key::Account(account.id));
    keep(&transaction, account).await?;
    {
        // Who signs in pays for the removal of what has ended.
        let open = transaction.fenced(&Fence::both(home, Key::Ended)).await?;
        session::Entity::delete_many()
            .filter(own_sessions(&transaction))
            .filter(session::Column::ExpiresAt.lt(session.created_at))
            .exec(&*open)
            .await?;
    }
    {
        let open = transaction.fenced(&Fence::both(home, person)).await?;
        session.home_id = home;
        session::Entity::insert(session.into_active_model())
            .exec_without_returning(&*open)
            .await?;
    }
    transaction.commit().await
}

/// The session whose cookie's SHA-256 is `hash`.
///
/// Reason: a session tells who asks, so it is found before anybody is known. PostgreSQL shows this row to nobody who
/// does not know the hash.
///
/// # Errors
/// [`crate::Error::Internal`] with the database's words.
pub(crate) async fn session_by_hash(pool: &Pool, hash: &[u8]) -> Result<Option<session::Model>> {
    let transaction = pool.read();
    let fence = Fence::both(transaction.home(), Key::Session(hash.to_vec()));
    let open = transaction.fenced(&fence).await?;
    let in_hand = session::Entity::find()
        .filter(own_sessions(&transaction))
        .filter(session::Column::Hash.eq(hash));
    Ok(in_hand.one(&*open).await?)
}

/// Notes that a session was used.
///
/// Reason: as [`session_by_hash`].
///
/// # Errors
/// [`crate::Error::Internal`] with the database's words.
pub(crate) async fn note_session_use(pool: &Pool, hash: &[u8], now: i64) -> Result<()> {
    let transaction = pool.write();
    {
        let fence = Fence::both(transaction.home(), Key::Session(hash.to_vec()));
        let open = transaction.fenced(&fence).await?;
        session::Entity::update_many()
            .col_expr(session::Column::UsedAt, Expr::value(now))
            .filter(own_sessions(&transaction))
            .filter(session::Column::Hash.eq(hash))
            .exec(&*open)
            .await?;
    }
    transaction.commit().await
}

/// The sessions of the person numbered `account_id`, the latest sign-in first, those included that count no more.
///
/// Reason: sessions belong to no tenant. PostgreSQL shows no other person's.
///
/// # Errors
/// [`crate::Error::Internal`] with the database's words.
pub(crate) async fn sessions_of(
    snapshot: &Snapshot,
    account_id: i64,
) -> Result<Vec<session::Model>> {
    let transaction = &snapshot.0;
    let fence = Fence::both(transaction.home(), Key::Account(account_id));
    let open = transaction.fenced(&fence).await?;
    let own = session::Entity::find()
        .filter(own_sessions(transaction))
        .filter(filter::only(session::Column::AccountId.eq(account_id)))
        .order_by_desc(session::Column::CreatedAt)
        .order_by_asc(session::Column::Hash);
    Ok(own.all(&*open).await?)
}

/// Ends the sessions of the person numbered `account_id` whose cookies' SHA-256 are in `hashes`, and tells how many
/// those were. None such: nothing to do.
///
/// Reason: sessions belong to no tenant. PostgreSQL ends no other person's.
///
/// # Errors
/// [`crate::Error::Internal`] with the database's words.
pub(crate) async fn end_sessions(
    pool: &Pool,
    account_id: i64,
    hashes: Vec<Vec<u8>>,
) -> Result<u64> {
    let transaction = pool.write();
    let ended = {
        let fence = Fence::both(transaction.home(), Key::Account(account_id));
        let open = transaction.fenced(&fence).await?;
        let own = session::Entity::delete_many()
            .filter(own_sessions(&transaction))
            .filter(filter::only(session::Column::AccountId.eq(account_id)))
            .filter(session::Column::Hash.is_in(hashes));
        own.exec(&*open).await?.rows_affected
    };
    transaction.commit().await?;
    Ok(ended)
}
