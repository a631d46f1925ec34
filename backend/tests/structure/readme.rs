//! The README's table of settings is the program's.

use crate::source::read;

#[test]
fn readme_lists_every_setting() {
    let readme = read("README.md");
    let table = readme
        .split_once("<!-- configuration -->")
        .and_then(|(_, rest)| rest.split_once("<!-- /configuration -->"))
        .map(|(table, _)| table.trim())
        .expect("README.md has the table of settings between <!-- configuration --> and <!-- /configuration -->");
    let own = sundial::config::table();
    assert!(
        table == own.trim(),
        "the table of settings in README.md is stale; between the markers must stand\n\n{own}"
    );
}
