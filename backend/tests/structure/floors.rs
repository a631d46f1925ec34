//! Imports go down only, and each library stays on its floor.

use std::collections::BTreeSet;

use crate::source::{Source, read, root, sources};

/// Each module with what it may name of the crate besides itself. `crate` stands for `lib.rs`'s own `App` and `app`.
///
/// `lib.rs` puts the floors together, and is exempt.
const FLOORS: &[(&str, &[&str])] = &[
    ("main", &["command", "api", "config", "error"]),
    (
        "command",
        &[
            "crate", "api", "access", "tenant", "series", "point", "producer", "token", "audit",
            "session", "live", "request", "scalar", "identity", "chunk", "guard", "config",
            "error",
        ],
    ),
    (
        "api",
        &[
            "crate", "access", "tenant", "series", "point", "producer", "token", "audit",
            "session", "live", "request", "scalar", "identity", "guard", "error",
        ],
    ),
    ("access", FEATURE),
    ("tenant", FEATURE),
    ("series", FEATURE),
    ("point", FEATURE),
    ("producer", FEATURE),
    ("token", FEATURE),
    ("audit", FEATURE),
    ("session", FEATURE),
    ("live", FEATURE),
    ("request", FEATURE),
    ("scalar", FEATURE),
    ("identity", &["guard", "config", "error"]),
    ("chunk", &[]),
    ("guard", &["config", "error"]),
    ("config", &["error"]),
    ("error", &[]),
];

/// What a feature may name: the other features, and below.
const FEATURE: &[&str] = &[
    "access", "tenant", "series", "point", "producer", "token", "audit", "session", "live",
    "request", "scalar", "identity", "chunk", "guard", "error",
];

/// What `source` names of the crate outside of its own module.
fn named(source: &Source) -> BTreeSet<&'static str> {
    let modules: Vec<&'static str> = FLOORS.iter().map(|(module, _)| *module).collect();
    let mut named = BTreeSet::new();
    for name in &source.names {
        let inner = match name.first().map(String::as_str) {
            Some("crate" | "sundial") => name.get(1),
            // However many modules it climbs, it must end in its own.
            Some("super") => name
                .iter()
                .find(|part| *part != "super")
                .filter(|part| modules.contains(&part.as_str())),
            _ => None,
        };
        match inner.map(String::as_str) {
            None => {}
            Some("Error" | "Result") => drop(named.insert("error")),
            Some(module) => {
                let module = modules.iter().find(|known| **known == module);
                named.insert(module.unwrap_or(&"crate"));
            }
        }
    }
    named.remove(source.module());
    named
}

#[test]
fn imports_go_down_only() {
    let sources = sources();
    assert!(sources.len() > 40, "the sources were not found");
    let mut faults = Vec::new();
    for source in &sources {
        if source.module() == "lib" {
            continue;
        }
        let Some((_, may)) = FLOORS.iter().find(|(module, _)| *module == source.module()) else {
            faults.push(format!(
                "{}: its module has no floor; give it one in FLOORS",
                source.path
            ));
            continue;
        };
        for name in named(source) {
            if !may.contains(&name) {
                faults.push(format!(
                    "{}: {} may not name {name}",
                    source.path,
                    source.module()
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Fails for each source that names what ends with one of `ends` without being `allowed` to.
fn only(ends: &[&[&str]], allowed: impl Fn(&Source) -> bool, whose: &str) {
    let sources = sources();
    let mut faults = Vec::new();
    let mut seen = false;
    for source in &sources {
        for end in ends.iter().filter(|end| source.names(end)) {
            seen = true;
            if !allowed(source) {
                faults.push(format!(
                    "{}: {} is for {whose} alone",
                    source.path,
                    end.join("::")
                ));
            }
        }
    }
    assert!(
        seen,
        "nothing names {ends:?} any more: this test must follow"
    );
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Like [`only`], for all that a library has.
fn only_library(library: &str, allowed: impl Fn(&Source) -> bool, whose: &str) {
    let sources = sources();
    let uses = |source: &&Source| source.names.iter().any(|name| name[0] == library);
    let users: Vec<&Source> = sources.iter().filter(uses).collect();
    assert!(
        !users.is_empty(),
        "nothing uses {library} any more: this test must follow"
    );
    let faults: Vec<&str> = users
        .iter()
        .filter(|source| !allowed(source))
        .map(|source| source.path.as_str())
        .collect();
    assert!(
        faults.is_empty(),
        "{library} is for {whose} alone, and used by {}",
        faults.join(", ")
    );
}

#[test]
fn database_library_stays_in_the_guard_and_the_stores() {
    let may = |source: &Source| {
        let path = source.path.as_str();
        source.module() == "guard"
            || source.module() == "error"
            || path.ends_with("/entity.rs")
            || path.ends_with("/store.rs")
            // What is too long for one file.
            || path.contains("/entity/")
            || path.contains("/store/")
    };
    only_library("sea_orm", may, "guard, entity, store and error");
    only_library(
        "sundial_migration",
        |source| source.module() == "guard",
        "guard",
    );
}

#[test]
fn web_library_stays_at_the_doors() {
    // The command binds the ports and hands the finished router to the library: that is all it does with it.
    let may = |source: &Source| {
        ["main", "lib", "api", "identity"].contains(&source.module())
            || source.path == "command/serve.rs"
            || source.is_test()
    };
    only_library("axum", may, "main, lib, api, identity and command/serve.rs");
}

#[test]
fn identity_alone_mints_principals() {
    let may = |source: &Source| source.module() == "identity" || source.is_test();
    let ends: &[&[&str]] = &[
        &["Principal", "person"],
        &["Principal", "token"],
        &["Principal", "*"],
        &["Principal", "as"],
    ];
    only(ends, may, "identity");
}

#[test]
fn commands_alone_operate_without_a_principal() {
    let may = |source: &Source| source.module() == "command" || source.is_test();
    let ends: &[&[&str]] = &[
        &["system", "operate"],
        &["system", "found"],
        &["system", "*"],
        &["system", "as"],
    ];
    only(ends, may, "command");
}

#[test]
fn keys_of_series_are_pure() {
    let sources = sources();
    let key = sources.iter().find(|source| source.path == "series/key.rs");
    let manifest: toml::Table = toml::from_str(&read("backend/Cargo.toml")).unwrap();
    let mut outside = dependencies(&manifest);
    outside.retain(|library| library != "thiserror");
    for name in &key.unwrap().names {
        let first = name[0].as_str();
        let pure = match first {
            "crate" | "super" => false,
            "std" => ["borrow", "fmt", "str"].contains(&name[1].as_str()),
            _ => {
                name.len() == 1
                    || !outside
                        .iter()
                        .any(|library| library.replace('-', "_") == first)
            }
        };
        assert!(pure, "series/key.rs names {}", name.join("::"));
    }
}

#[test]
fn page_and_producer_know_the_server_by_its_contract_alone() {
    for part in ["frontend", "producer"] {
        assert!(root().join(part).is_dir());
        let manifest: toml::Table = toml::from_str(&read(&format!("{part}/Cargo.toml"))).unwrap();
        let found = dependencies(&manifest);
        assert!(!found.is_empty(), "{part}: no dependencies were read");
        assert!(
            !found.iter().any(|name| name == "sundial"),
            "{part} depends on sundial"
        );
    }
}

/// The packages that `table` depends on, for whatever target and purpose.
fn dependencies(table: &toml::Table) -> Vec<String> {
    let mut found = Vec::new();
    for (key, value) in table {
        let Some(inner) = value.as_table() else {
            continue;
        };
        if !key.ends_with("dependencies") {
            found.extend(dependencies(inner));
            continue;
        }
        for (name, details) in inner {
            let package = details.get("package").and_then(toml::Value::as_str);
            found.push(package.unwrap_or(name).to_owned());
        }
    }
    found
}
