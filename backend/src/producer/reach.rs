//! Which producers an ingest token reaches that is limited to some series: those that one of its patterns names by the
//! label `producer`, as in `clock.*{producer="clock"}`.

use crate::{
    error::{Error, Result},
    guard::{Role, TenantScope},
    series::SeriesMatch,
};

/// The label by which a pattern names producers.
const LABEL: &str = "producer";

/// The producers that a scope reaches: all of the tenant's, or those that its ingest token is limited to.
pub struct Reach(Option<Vec<SeriesMatch>>);

impl Reach {
    /// Of `scope`.
    pub fn of<R: Role>(scope: &TenantScope<R>) -> Self {
        let parse = |patterns: &[String]| {
            let patterns = patterns.iter().map(|pattern| pattern.parse().ok());
            patterns.flatten().collect()
        };
        Reach(scope.series().map(parse))
    }

    /// Whether the producer of this name is among them.
    pub fn includes(&self, name: &str) -> bool {
        self.0
            .as_ref()
            .is_none_or(|patterns| patterns.iter().any(|pattern| pattern.names(LABEL, name)))
    }
}

/// That `scope` reaches the producer of this name, whether or not there is one.
///
/// # Errors
/// [`Error::Forbidden`] when its ingest token is limited to series of others.
pub fn check<R: Role>(scope: &TenantScope<R>, name: &str) -> Result<()> {
    if Reach::of(scope).includes(name) {
        return Ok(());
    }
    Err(Error::Forbidden(format!(
        "this ingest token does not reach the producer `{name}`: it is limited to {}, and a pattern names a producer by its \
         label, as in `*{{{LABEL}=\"{name}\"}}`",
        scope.series().unwrap_or_default().join(", ")
    )))
}
