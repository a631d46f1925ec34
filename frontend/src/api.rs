//! The sole way to the server: typed operations over HTTP, subscriptions over a socket, and what can go wrong.
//!
//! Invariant: no other module sends a request, and no failure leaves this one as bare text.

pub mod operation;
mod subscription;

use std::collections::HashMap;

use gloo_net::http::{Request, Response};
use graphql_client::GraphQLQuery;
use serde_json::Value;

pub use subscription::{End, Event, subscribe};

const GRAPHQL: &str = "/graphql";
const LOGOUT: &str = "/auth/logout";

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// The server cannot be reached, or went away in the middle.
    Unreachable,
    /// There is no session, or it has ended.
    SignedOut,
    /// The server says why.
    Refused {
        /// From the closed list of codes: `NOT_FOUND`, `INTERNAL` and so on.
        code: String,
        /// What happened and what to do.
        message: String,
        /// What an administrator can look up.
        trace: Option<String>,
    },
    /// Something answered that does not speak as Sundial does: a proxy, most likely.
    Unreadable {
        /// The HTTP status.
        status: u16,
    },
}

impl Failure {
    /// Reads the first of GraphQL's errors.
    fn from_error(error: graphql_client::Error) -> Self {
        let text = |key: &str| {
            let extensions: Option<&HashMap<String, Value>> = error.extensions.as_ref();
            extensions
                .and_then(|map| map.get(key)?.as_str())
                .map(str::to_owned)
        };
        match text("code") {
            Some(code) if code == "UNAUTHENTICATED" => Self::SignedOut,
            code => Self::Refused {
                code: code.unwrap_or_else(|| "BAD_USER_INPUT".to_owned()),
                trace: text("traceId"),
                message: error.message,
            },
        }
    }

    /// What happened, as one sentence.
    pub fn cause(&self) -> String {
        match self {
            Self::Unreachable => "The server did not answer.".to_owned(),
            Self::SignedOut => "Your session has ended.".to_owned(),
            Self::Refused { message, .. } => sentence(message),
            Self::Unreadable { status } => {
                format!("Something other than Sundial answered, with status {status}.")
            }
        }
    }

    /// What to do about it, as one sentence.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Unreachable => "Sundial tries again by itself; nothing is lost on the server.",
            Self::SignedOut => "Sign in again to go on.",
            // The server's words end with what to do.
            Self::Refused { .. } => "",
            Self::Unreadable { .. } => "Ask whoever runs the proxy in front of Sundial.",
        }
    }

    /// True for what does not exist or is not open to the reader.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "NOT_FOUND")
    }
}

/// The server's words as a sentence: they come without its capital and its full stop.
fn sentence(words: &str) -> String {
    let mut rest = words.chars();
    let first = rest.next().map(char::to_uppercase).into_iter().flatten();
    let stop = if words.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    first.chain(rest).chain(stop.chars()).collect()
}

/// Runs a query. An answer with errors is a failure, even when part of the data came along.
pub async fn ask<Q: GraphQLQuery>(variables: Q::Variables) -> Result<Q::ResponseData, Failure> {
    let response = Request::post(GRAPHQL)
        .header(
            "accept",
            "application/graphql-response+json, application/json;q=0.9",
        )
        .json(&Q::build_query(variables))
        .map_err(|_| Failure::Unreachable)?
        .send()
        .await
        .map_err(|_| Failure::Unreachable)?;
    read(response).await
}

async fn read<D: for<'de> serde::Deserialize<'de>>(response: Response) -> Result<D, Failure> {
    let status = response.status();
    let Ok(answer) = response.json::<graphql_client::Response<D>>().await else {
        return Err(match status {
            401 => Failure::SignedOut,
            // What a proxy says while the server starts.
            502..=504 => Failure::Unreachable,
            _ => Failure::Unreadable { status },
        });
    };
    let first = answer.errors.and_then(|errors| errors.into_iter().next());
    match (first, answer.data) {
        (Some(error), _) => Err(Failure::from_error(error)),
        (None, Some(data)) => Ok(data),
        (None, None) => Err(Failure::Unreadable { status }),
    }
}

/// Ends the session, on the server too.
pub async fn sign_out() -> Result<(), Failure> {
    let response = Request::post(LOGOUT)
        .send()
        .await
        .map_err(|_| Failure::Unreachable)?;
    // Ending a session that has already ended is what was wanted.
    if response.ok() || response.status() == 401 {
        Ok(())
    } else {
        Err(Failure::Unreadable {
            status: response.status(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(extensions: Value) -> graphql_client::Error {
        serde_json::from_value(serde_json::json!({ "message": "No.", "extensions": extensions }))
            .unwrap()
    }

    #[test]
    fn codes_and_traces_are_kept() {
        let failure = Failure::from_error(error(
            serde_json::json!({ "code": "INTERNAL", "traceId": "4f1c" }),
        ));
        assert_eq!(
            failure,
            Failure::Refused {
                code: "INTERNAL".to_owned(),
                message: "No.".to_owned(),
                trace: Some("4f1c".to_owned())
            }
        );
    }

    #[test]
    fn the_servers_words_become_a_sentence() {
        assert_eq!(
            sentence("no such tenant, or it is not open to you"),
            "No such tenant, or it is not open to you."
        );
        assert_eq!(sentence("Done."), "Done.");
    }

    #[test]
    fn a_missing_session_is_not_an_error_like_others() {
        let failure = Failure::from_error(error(serde_json::json!({ "code": "UNAUTHENTICATED" })));
        assert_eq!(failure, Failure::SignedOut);
    }
}
