//! The addresses of the page. What a page shows beyond its path stands in the query: see [`View`].

use serde::{Deserialize, Serialize};
use yew_router::prelude::*;

use crate::time::Span;

/// A page.
#[derive(Clone, Debug, PartialEq, Eq, Routable)]
pub enum Route {
    /// The tenants open to the reader.
    #[at("/")]
    Tenants,
    /// One tenant.
    #[at("/t/:slug")]
    Tenant {
        /// The tenant's slug.
        slug: String,
    },
    /// Who is reading, and where they are signed in.
    #[at("/account")]
    Account,
    /// The door. Readers without a session see it at every address; this one is where a failed sign-in ends.
    #[at("/signin")]
    SignIn,
    /// Everything else.
    #[not_found]
    #[at("/404")]
    NotFound,
}

/// What a tenant's page shows, as its address holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// A [`Span`]'s slug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// A series' key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<String>,
    /// `table`, when the points are shown as a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view: Option<String>,
}

impl View {
    /// The range; the shortest when the address names none of ours.
    pub fn span(&self) -> Span {
        self.range
            .as_deref()
            .and_then(Span::from_slug)
            .unwrap_or_default()
    }

    /// True when points are shown as a table.
    pub fn is_table(&self) -> bool {
        self.view.as_deref() == Some("table")
    }
}

/// Where to come back to after signing in: the present path and query, or the start where there is nothing to come back
/// to.
pub fn return_to(path: &str, query: &str) -> String {
    if path == Route::SignIn.to_path() {
        return Route::Tenants.to_path();
    }
    format!("{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_back_to_where_one_was() {
        assert_eq!(return_to("/signin", "?error=access_denied"), "/");
        assert_eq!(
            return_to("/t/a", "?range=1h&series=b"),
            "/t/a?range=1h&series=b"
        );
    }

    #[test]
    fn an_unknown_range_is_the_shortest() {
        let view = View {
            range: Some("9y".to_owned()),
            ..View::default()
        };
        assert_eq!(view.span(), Span::Minutes5);
    }
}
