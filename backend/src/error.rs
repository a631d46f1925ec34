//! The one error of the crate, and its single mapping to GraphQL codes and HTTP.

use sea_orm::{DbErr, RuntimeErr};

/// What can go wrong, worded for the person who reads it: the cause, then the next step.
///
/// Invariant: no variant but [`Error::Internal`] carries anything of the inside, and that one is
/// never shown: [`Error::code`] and a trace id are all that leaves.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Nobody is signed in, or what was shown as proof counts no more.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The asker is known in this tenant, and the role is too low.
    #[error("{0}")]
    Forbidden(String),
    /// Absent, or not the asker's: the same answer.
    #[error("no such {0}, or it is not open to you")]
    NotFound(&'static str),
    /// The input can't be taken as it is.
    #[error("{0}")]
    BadInput(String),
    /// The request contradicts what is stored.
    #[error("{0}")]
    Conflict(String),
    /// The tenant would store more than it may.
    #[error("{0}")]
    QuotaExceeded(String),
    /// The query asks for more than one request may.
    #[error("{0}")]
    TooCostly(String),
    /// The asker sends more requests than one may.
    #[error("too many requests: try again in {retry_after} s, and send fewer at once")]
    RateLimited {
        /// Seconds until the next one is taken.
        retry_after: u32,
    },
    /// GitHub did not answer, so nobody can be checked.
    #[error("GitHub can't be asked at the moment ({words}); try again in {retry_after} s")]
    GithubUnavailable {
        /// Why.
        words: String,
        /// Seconds until it is worth asking again.
        retry_after: u32,
    },
    /// A fault of the server's own.
    #[error("{0}")]
    Internal(String),
}

/// A result with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The code from the API's closed list, as `extensions.code`.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Unauthenticated(_) => "UNAUTHENTICATED",
            Error::Forbidden(_) => "FORBIDDEN",
            Error::NotFound(_) => "NOT_FOUND",
            Error::BadInput(_) => "BAD_USER_INPUT",
            Error::Conflict(_) => "CONFLICT",
            Error::QuotaExceeded(_) => "QUOTA_EXCEEDED",
            Error::TooCostly(_) => "QUERY_TOO_COSTLY",
            Error::RateLimited { .. } => "RATE_LIMITED",
            Error::GithubUnavailable { .. } => "GITHUB_UNAVAILABLE",
            Error::Internal(_) => "INTERNAL",
        }
    }

    /// Seconds after which the same request may fare better, where that is known.
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            Error::RateLimited { retry_after } | Error::GithubUnavailable { retry_after, .. } => {
                Some(*retry_after)
            }
            _ => None,
        }
    }

    /// A fault of the server's own, told by what it was doing and the cause.
    pub fn internal(doing: &str, cause: impl std::fmt::Display) -> Self {
        Error::Internal(format!("{doing}: {cause}"))
    }

    /// What the database refuses to its role, in words that say to whom it does not; any other failure as it is.
    pub fn unpermitted(error: DbErr, words: &str) -> Self {
        match postgres_code(&error).as_deref() {
            Some("42501") => Error::Forbidden(words.to_owned()),
            _ => error.into(),
        }
    }

    /// Input that can't be taken, in words that say what to do.
    pub fn bad_input(words: impl std::fmt::Display) -> Self {
        Error::BadInput(words.to_string())
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        // All connections are in use, or none can be had: either way it is worth trying again.
        if let DbErr::ConnectionAcquire(_) = error {
            tracing::warn!(%error, "no connection to the database in time");
            return Error::RateLimited { retry_after: 2 };
        }
        if is_cancelled(&error) {
            return Error::TooCostly(
                "the database took longer than 30 s: ask for shorter ranges, for fewer series, or in several queries"
                    .into(),
            );
        }
        Error::internal("the database refused", error)
    }
}

/// PostgreSQL's code of a failure.
fn postgres_code(error: &DbErr) -> Option<String> {
    let (DbErr::Query(RuntimeErr::SqlxError(error)) | DbErr::Exec(RuntimeErr::SqlxError(error))) =
        error
    else {
        return None;
    };
    let code = error.as_database_error().and_then(|error| error.code());
    code.map(|code| code.into_owned())
}

/// Whether a statement took longer than it may.
fn is_cancelled(error: &DbErr) -> bool {
    postgres_code(error).as_deref() == Some("57014")
}
