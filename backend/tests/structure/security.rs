//! The tests that docs/security.md names are there, and run.

use crate::source::read;

/// Each test that `page` names, as the path of its file and its name.
fn named(page: &str) -> Vec<(String, &str)> {
    let quoted = page.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|quoted| quoted.split_once("::"))
        .filter(|(file, _)| file.ends_with(".rs"))
        .map(|(file, name)| {
            let tests = file.starts_with("it/") || file.starts_with("structure/");
            let folder = if tests { "tests" } else { "src" };
            (format!("backend/{folder}/{file}"), name)
        })
        .collect()
}

/// Whether `source` has a test of that name: marked as one, or in the list of a macro that makes tests.
fn has_test(source: &str, name: &str) -> bool {
    let Some((before, _)) = source.split_once(&format!("fn {name}(")) else {
        return false;
    };
    let marks = ["#[test]", "#[tokio::test"];
    let is_marked = before
        .rsplit('\n')
        .skip(1)
        .map(str::trim)
        .take_while(|line| line.starts_with("#["))
        .any(|line| marks.iter().any(|mark| line.starts_with(mark)));
    is_marked
        || source
            .lines()
            .any(|line| line.trim().strip_suffix(',') == Some(name))
}

#[test]
fn tests_that_are_named_exist() {
    let page = read("docs/security.md");
    let named = named(&page);
    assert!(named.len() > 50, "the page names {} tests", named.len());
    let missing: Vec<String> = named
        .iter()
        .filter(|(file, name)| !has_test(&read(file), name))
        .map(|(file, name)| format!("{file}::{name}"))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/security.md names tests that are not there: {missing:#?}"
    );
}

#[test]
fn function_that_nothing_runs_is_no_test() {
    let source = "on_both! {\n    listed,\n}\n\nasync fn listed() {}\n\n#[test]\n#[should_panic]\nfn marked() {}\n\n\
        fn helper() {}\n";
    assert!(has_test(source, "listed") && has_test(source, "marked"));
    assert!(!has_test(source, "helper") && !has_test(source, "absent"));
}
