//! The backend's sources, as the paths that they name.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A source file under `backend/src`.
pub struct Source {
    /// Path from `backend/src`: `series/key.rs`.
    pub path: String,
    /// The text as it stands.
    pub text: String,
    /// Each path in the code, imports taken apart: `crate::guard::Pool`. A glob ends with `*`, a renamed import with `as`.
    pub names: Vec<Vec<String>>,
}

impl Source {
    /// The module of the crate that the file is part of: `series`.
    pub fn module(&self) -> &str {
        let top = self.path.split('/').next().unwrap_or_default();
        top.trim_end_matches(".rs")
    }

    /// Whether the file is one of tests alone.
    pub fn is_test(&self) -> bool {
        self.path
            .split('/')
            .any(|part| part == "tests" || part == "tests.rs")
    }

    /// Whether the code names something whose path ends with `end`.
    pub fn names(&self, end: &[&str]) -> bool {
        self.names.iter().any(|name| ends_with(name, end))
    }
}

fn ends_with(name: &[String], end: &[&str]) -> bool {
    name.len() >= end.len() && name[name.len() - end.len()..] == *end
}

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file of the repository, by its path from the root.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All of `backend/src`, in the order of paths.
pub fn sources() -> Vec<Source> {
    let src = root().join("backend/src");
    let mut sources = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&src).unwrap().to_str().unwrap();
                sources.push(Source {
                    path: path.replace('\\', "/"),
                    names: names(&text),
                    text,
                });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// Each path that `text` names, outside of comments and quotes.
pub fn names(text: &str) -> Vec<Vec<String>> {
    let tokens = tokens(text);
    let mut names = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_word(&tokens[at]) {
            at = tree(&tokens, at, &[], &mut names);
        } else {
            at += 1;
        }
    }
    names
}

/// Reads `a::b::{c, d}` from `at` on, and gives where it ends.
fn tree(tokens: &[String], at: usize, before: &[String], names: &mut Vec<Vec<String>>) -> usize {
    let (mut name, start, mut at) = (before.to_vec(), at, at);
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") if !name.is_empty() => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = match tokens[at].as_str() {
                        "," => at + 1,
                        _ => tree(tokens, at, &name, names),
                    };
                }
                return at + 1;
            }
            Some(word) if is_word(word) || word == "*" => name.push(word.to_owned()),
            // Generics (`Vec::<u8>`): the path ends before them.
            _ => {
                names.push(name);
                return at + usize::from(at == start);
            }
        }
        at += 1;
        if tokens.get(at).is_none_or(|token| token != "::") {
            if tokens.get(at).is_some_and(|token| token == "as") {
                names.push([name.as_slice(), &["as".to_owned()]].concat());
                at += 2;
            }
            names.push(name);
            return at;
        }
        at += 1;
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, `::` and single signs.
fn tokens(text: &str) -> Vec<String> {
    let text: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        at += match rest {
            ['/', '/', ..] => until(rest, &['\n']),
            ['/', '*', ..] => until(rest, &['*', '/']),
            ['r' | 'b', ..] if raw(rest).is_some() => raw(rest).unwrap_or(1),
            ['"', ..] => quoted(rest),
            ['\'', '\\', ..] => 2 + until(&rest[2..], &['\'']),
            ['\'', _, '\'', ..] => 3,
            [':', ':', ..] => {
                tokens.push("::".to_owned());
                2
            }
            [c, ..] if c.is_alphanumeric() || *c == '_' => {
                let word: String = rest
                    .iter()
                    .take_while(|c| c.is_alphanumeric() || **c == '_')
                    .collect();
                let length = word.chars().count();
                tokens.push(word);
                length
            }
            [c, ..] => {
                if !c.is_whitespace() {
                    tokens.push(c.to_string());
                }
                1
            }
            [] => 1,
        };
    }
    tokens
}

/// How many characters there are up to the end of the first `end`, which is looked for from the second character on.
fn until(text: &[char], end: &[char]) -> usize {
    let found = (1..text.len()).find(|at| text[*at..].starts_with(end));
    found.map_or(text.len(), |at| at + end.len())
}

fn quoted(text: &[char]) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != '"' {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The length of a raw text (`r"…"`, `br#"…"#`) that begins here.
fn raw(text: &[char]) -> Option<usize> {
    let prefix = text.iter().take_while(|c| matches!(c, 'r' | 'b')).count();
    let hashes = text[prefix..].iter().take_while(|c| **c == '#').count();
    let begins = text[..prefix].contains(&'r') && text.get(prefix + hashes) == Some(&'"');
    let end: Vec<char> = std::iter::once('"')
        .chain(std::iter::repeat_n('#', hashes))
        .collect();
    begins.then(|| prefix + hashes + until(&text[prefix + hashes..], &end))
}

#[test]
fn names_are_read_from_code_alone() {
    let text = r##"
        //! crate::comment
        use crate::{error::{Error, Result}, guard::table::*, series as s};
        fn f<'a>(x: &'a str) -> crate::chunk::Batch<'a> {
            let quote = ('"', '\'', "crate::text \" crate::text", r#"crate::raw "" "#);
            crate::api::schema::sdl::<u8>(axum::Router::new())
        }
    "##;
    let named: Vec<String> = names(text)
        .iter()
        .filter(|name| name.len() > 1)
        .map(|name| name.join("::"))
        .collect();
    assert_eq!(
        named,
        [
            "crate::error::Error",
            "crate::error::Result",
            "crate::guard::table::*",
            "crate::series::as",
            "crate::series",
            "crate::chunk::Batch",
            "crate::api::schema::sdl",
            "axum::Router::new",
        ]
    );
}
