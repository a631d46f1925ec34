//! Roles as types: what a scope may do is decided when it is made, and checked by the compiler.

use crate::guard::table::access_rule::RoleName;

mod sealed {
    pub trait Sealed {}
}

/// A role as a type. Sealed: there are the three below and no others.
pub trait Role: sealed::Sealed + Send + Sync + 'static {
    /// The role's name as stored and shown.
    const NAME: RoleName;
}

/// A role that includes all that `R` may do.
pub trait AtLeast<R: Role>: Role {}

/// Reads.
#[derive(Debug)]
pub struct Viewer;
/// Also writes points and series.
#[derive(Debug)]
pub struct Editor;
/// Also manages access, tokens and retention.
#[derive(Debug)]
pub struct Admin;

impl sealed::Sealed for Viewer {}
impl sealed::Sealed for Editor {}
impl sealed::Sealed for Admin {}

impl Role for Viewer {
    const NAME: RoleName = RoleName::Viewer;
}
impl Role for Editor {
    const NAME: RoleName = RoleName::Editor;
}
impl Role for Admin {
    const NAME: RoleName = RoleName::Admin;
}

impl AtLeast<Viewer> for Viewer {}
impl AtLeast<Viewer> for Editor {}
impl AtLeast<Viewer> for Admin {}
impl AtLeast<Editor> for Editor {}
impl AtLeast<Editor> for Admin {}
impl AtLeast<Admin> for Admin {}
