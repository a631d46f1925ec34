//! What series are called: [`SeriesKey`], such as `clock.offset_seconds{producer="clock"}`, and [`SeriesMatch`], which
//! finds them.
//!
//! ```text
//! key    = name [ "{" [ label { "," label } ] "}" ]
//! match  = [ name ] [ "{" [ label { "," label } ] "}" ]    with * for any text in the name and in values
//! name   = [A-Za-z_][A-Za-z0-9_.:]*                        at most 200 bytes
//! label  = [A-Za-z_][A-Za-z0-9_]* "=" value                at most 100 bytes for its name, at most 32 labels
//! value  = '"' any text but control characters, with \n \\ \" '"'   at most 500 bytes
//! ```
//!
//! White space around `{ , = }` is passed over. A key takes at most 2,000 bytes in its canonical form: labels in order
//! of their names, no white space, no `{}` without labels.
//!
//! Parsing and matching take time in proportion to the length of the texts.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::str::{Chars, FromStr};

const MAX_NAME: usize = 200;
const MAX_LABEL: usize = 100;
const MAX_VALUE: usize = 500;
const MAX_LABELS: usize = 32;
const MAX_KEY: usize = 2_000;

/// A series' name and labels. Two keys are the same series if they are equal, which is when their texts are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    name: String,
    labels: Vec<(String, String)>,
}

/// Which series are meant: a pattern for the name, and patterns for some labels.
///
/// `*` stands for any text, the empty one too; `\*` within a label's value for a star. A label that is stated must be
/// there and its value match; labels that are not stated are free. Without a name, any name matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesMatch {
    name: Option<Glob>,
    labels: Vec<(String, Glob)>,
}

/// A text that is no key, or no match: where, and what should be there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {problem}")]
pub struct InvalidKey {
    /// Counted in characters, from 1.
    pub column: usize,
    /// What is wrong or expected there.
    pub problem: Cow<'static, str>,
}

impl SeriesKey {
    /// The name, such as `clock.offset_seconds`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The labels, name and value, in order of their names.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.labels
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        let place = self
            .labels
            .binary_search_by(|(other, _)| other.as_str().cmp(name))
            .ok()?;
        self.labels.get(place).map(|(_, value)| value.as_str())
    }
}

impl FromStr for SeriesKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let (name, labels) = Parser::new(text, false).series()?;
        let name =
            name.ok_or_else(|| invalid(1, "expected a name, such as clock.offset_seconds"))?;
        Ok(Self {
            name: name.plain(),
            labels: plain(labels),
        })
    }
}

/// The canonical form of a key's text; without a copy where the text plainly is of that form, as most are.
///
/// # Errors
/// [`InvalidKey`] when the text is no key.
pub fn canonical(text: &str) -> Result<Cow<'_, str>, InvalidKey> {
    if is_plain(text.as_bytes()) {
        return Ok(Cow::Borrowed(text));
    }
    Ok(Cow::Owned(text.parse::<SeriesKey>()?.to_string()))
}

/// Whether a text is a key in canonical form whose values are of ASCII and without escapes.
fn is_plain(text: &[u8]) -> bool {
    let Some((_, mut rest)) = word(text, MAX_NAME, b".:") else {
        return false;
    };
    if rest.is_empty() || text.len() > MAX_KEY {
        return rest.is_empty();
    }
    let (mut before, mut open): (&[u8], u8) = (b"", b'{');
    for _ in 0..MAX_LABELS {
        let Some((label, value)) = rest
            .strip_prefix(&[open])
            .and_then(|rest| word(rest, MAX_LABEL, b""))
        else {
            return open == b',' && rest == b"}";
        };
        let Some(value) = value.strip_prefix(b"=\"") else {
            return false;
        };
        let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        let length = value.iter().take_while(|byte| plain(byte)).count();
        if before >= label || length > MAX_VALUE || value.get(length) != Some(&b'"') {
            return false;
        }
        (before, open) = (label, b',');
        rest = value.get(length + 1..).unwrap_or_default();
    }
    rest == b"}"
}

/// A text's word, with `more` in it besides letters, digits and `_`, and what is behind it.
fn word<'a>(text: &'a [u8], most: usize, more: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || more.contains(byte);
    let length = text.iter().take_while(|byte| fits(byte)).count();
    let begins = text
        .first()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    (begins && length <= most).then(|| text.split_at(length))
}

/// The canonical form.
impl fmt::Display for SeriesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (index, (name, value)) in self.labels.iter().enumerate() {
            write!(f, "{}{name}=\"", if index == 0 { '{' } else { ',' })?;
            write_value(f, value)?;
            f.write_char('"')?;
        }
        f.write_str(if self.labels.is_empty() { "" } else { "}" })
    }
}

/// The canonical form, on one line: labels in order of their names, no white space, `{}` where nothing is stated.
impl fmt::Display for SeriesMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            f.write_str(&name.0.join("*"))?;
        }
        for (index, (name, value)) in self.labels.iter().enumerate() {
            write!(f, "{}{name}=\"", if index == 0 { '{' } else { ',' })?;
            for (index, part) in value.0.iter().enumerate() {
                f.write_str(if index == 0 { "" } else { "*" })?;
                for (index, text) in part.split('*').enumerate() {
                    f.write_str(if index == 0 { "" } else { "\\*" })?;
                    write_value(f, text)?;
                }
            }
            f.write_char('"')?;
        }
        f.write_str(match (&self.name, self.labels.is_empty()) {
            (Some(_), true) => "",
            (None, true) => "{}",
            (_, false) => "}",
        })
    }
}

fn write_value(f: &mut fmt::Formatter<'_>, value: &str) -> fmt::Result {
    value.chars().try_for_each(|char| match char {
        '\n' => f.write_str("\\n"),
        '\\' => f.write_str("\\\\"),
        '"' => f.write_str("\\\""),
        other => f.write_char(other),
    })
}

impl SeriesMatch {
    /// Whether the series is among those meant.
    pub fn matches(&self, key: &SeriesKey) -> bool {
        self.name
            .as_ref()
            .is_none_or(|name| name.matches(&key.name))
            && self
                .labels
                .iter()
                .all(|(name, value)| key.label(name).is_some_and(|text| value.matches(text)))
    }

    /// Whether only series with this value of `label` can be meant: the label is stated, and the value matches.
    pub fn names(&self, label: &str, value: &str) -> bool {
        let stated = |(name, glob): &(String, Glob)| name == label && glob.matches(value);
        self.labels.iter().any(stated)
    }

    /// The one key that is written out here: there if a name is given and no `*` stands for any text.
    pub fn exact(&self) -> Option<SeriesKey> {
        let exact = self.labels.iter().all(|(_, value)| value.is_plain());
        let name = self.name.as_ref().filter(|name| exact && name.is_plain())?;
        Some(SeriesKey {
            name: name.clone().plain(),
            labels: plain(self.labels.clone()),
        })
    }
}

impl FromStr for SeriesMatch {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let (name, labels) = Parser::new(text, true).series()?;
        Ok(Self { name, labels })
    }
}

/// Plain texts with any text between them; one alone is just that text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Glob(Vec<String>);

impl Glob {
    fn is_plain(&self) -> bool {
        self.0.len() == 1
    }

    fn plain(self) -> String {
        self.0.concat()
    }

    /// Finds each part at its first place after the part before: if that fails, no later place would do better.
    fn matches(&self, text: &str) -> bool {
        let [start, middle @ .., end] = self.0.as_slice() else {
            return self.0.first().is_some_and(|part| part == text);
        };
        let rest = text
            .strip_prefix(start.as_str())
            .and_then(|rest| rest.strip_suffix(end.as_str()));
        let found =
            |rest: &'_ str, part: &String| rest.find(part.as_str()).map(|place| place + part.len());
        rest.is_some_and(|mut rest| {
            middle.iter().all(|part| match found(rest, part) {
                Some(end) => {
                    rest = &rest[end..];
                    true
                }
                None => false,
            })
        })
    }
}

fn plain(labels: Vec<(String, Glob)>) -> Vec<(String, String)> {
    labels
        .into_iter()
        .map(|(name, value)| (name, value.plain()))
        .collect()
}

fn invalid(column: usize, problem: impl Into<Cow<'static, str>>) -> InvalidKey {
    InvalidKey {
        column,
        problem: problem.into(),
    }
}

/// Reads a key, or a match if `globs` are meant.
struct Parser<'a> {
    rest: Chars<'a>,
    column: usize,
    globs: bool,
}

type Parts = (Option<Glob>, Vec<(String, Glob)>);

impl<'a> Parser<'a> {
    fn new(text: &'a str, globs: bool) -> Self {
        Self {
            rest: text.chars(),
            column: 1,
            globs,
        }
    }

    fn series(mut self) -> Result<Parts, InvalidKey> {
        self.space();
        let name = match self.peek() {
            Some('{') if self.globs => None,
            _ => Some(self.name()?),
        };
        self.space();
        let mut labels = Vec::new();
        // The canonical form: name{label="value",label="value"}
        let mut length = name.as_ref().map_or(0, |name| {
            name.0.iter().map(String::len).sum::<usize>() + name.0.len() - 1
        });
        let braces = self.eat('{');
        if braces {
            self.space();
            while !self.eat('}') {
                if !labels.is_empty() {
                    self.expect(',', "expected , or } after a label")?;
                    self.space();
                }
                let start = self.column;
                let (label, value, taken) = self.label()?;
                length += taken + "{=\"\"".len();
                if length + "}".len() > MAX_KEY {
                    return Err(invalid(
                        start,
                        format!("from this label on, the key takes more than {MAX_KEY} bytes"),
                    ));
                }
                if labels.len() == MAX_LABELS {
                    return Err(invalid(start, format!("more than {MAX_LABELS} labels")));
                }
                match labels.binary_search_by(|(other, _): &(String, Glob)| other.cmp(&label)) {
                    Ok(_) => return Err(invalid(start, format!("label {label} occurs twice"))),
                    Err(place) => labels.insert(place, (label, value)),
                }
                self.space();
            }
            self.space();
        }
        match self.peek() {
            None => Ok((name, labels)),
            Some(_) if braces => Err(self.expected("expected the end after }")),
            Some(_) => Err(self.expected(
                "expected { or the end after the name, which has letters, digits and _ . : in it",
            )),
        }
    }

    fn name(&mut self) -> Result<Glob, InvalidKey> {
        let problem = match self.globs {
            false => "expected a name, such as clock.offset_seconds: it begins with a letter or _",
            true => "expected a name, such as clock.*, or {",
        };
        let name = self.word(MAX_NAME, problem, |char, globs| {
            matches!(char, '.' | ':') || (globs && char == '*')
        })?;
        Ok(Glob(name.split('*').map(str::to_owned).collect()))
    }

    /// A label's name and value, and how many bytes they take as they are written.
    fn label(&mut self) -> Result<(String, Glob, usize), InvalidKey> {
        let name = self.word(
            MAX_LABEL,
            "expected a label's name, which begins with a letter or _",
            |_, _| false,
        )?;
        self.space();
        self.expect(
            '=',
            "expected = after a label's name, which has letters, digits and _ in it",
        )?;
        self.space();
        let (value, written) = self.value()?;
        let taken = name.len() + written;
        Ok((name, value, taken))
    }

    /// Letters, digits, `_` and what `more` allows; no digit, `.` or `:` first.
    fn word(
        &mut self,
        most: usize,
        problem: &'static str,
        more: impl Fn(char, bool) -> bool,
    ) -> Result<String, InvalidKey> {
        let start = self.column;
        let globs = self.globs;
        let mut word = String::new();
        while let Some(char) = self.peek() {
            let first =
                char.is_ascii_alphabetic() || char == '_' || (char == '*' && more(char, globs));
            let later = first || char.is_ascii_digit() || more(char, globs);
            if !(if word.is_empty() { first } else { later }) {
                break;
            }
            if word.len() == most {
                return Err(invalid(
                    start,
                    format!("this name takes more than {most} bytes"),
                ));
            }
            self.next();
            word.push(char);
        }
        if word.is_empty() {
            Err(self.expected(problem))
        } else {
            Ok(word)
        }
    }

    fn value(&mut self) -> Result<(Glob, usize), InvalidKey> {
        let start = self.column;
        self.expect('"', "expected a label's value in \" after =")?;
        let mut parts = vec![String::new()];
        let (mut length, mut written) = (0, 0);
        loop {
            let column = self.column;
            let (char, wild) = match self.next() {
                Some('"') => return Ok((Glob(parts), written)),
                Some('\\') => (self.escape(column)?, false),
                Some('*') => ('*', self.globs),
                Some(char) if char.is_control() => {
                    let code = char as u32;
                    let problem = format!(
                        "control character U+{code:04X}: only \\n can be written, as an escape"
                    );
                    return Err(invalid(column, problem));
                }
                Some(char) => (char, false),
                None => return Err(invalid(column, "expected \" at the end of a label's value")),
            };
            length += char.len_utf8();
            written += char.len_utf8() + usize::from(matches!(char, '\n' | '\\' | '"'));
            if length > MAX_VALUE {
                return Err(invalid(
                    start,
                    format!("this value takes more than {MAX_VALUE} bytes"),
                ));
            }
            match parts.last_mut() {
                Some(part) if !wild => part.push(char),
                _ => parts.push(String::new()),
            }
        }
    }

    fn escape(&mut self, column: usize) -> Result<char, InvalidKey> {
        match self.next() {
            Some('n') => Ok('\n'),
            Some('\\') => Ok('\\'),
            Some('"') => Ok('"'),
            Some('*') if self.globs => Ok('*'),
            _ if self.globs => Err(invalid(
                column,
                "expected one of \\n \\\\ \\\" \\* after \\",
            )),
            _ => Err(invalid(column, "expected one of \\n \\\\ \\\" after \\")),
        }
    }

    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.rest.next()?;
        self.column += 1;
        Some(char)
    }

    fn eat(&mut self, char: char) -> bool {
        let there = self.peek() == Some(char);
        if there {
            self.next();
        }
        there
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|char| char.is_ascii_whitespace()) {
            self.next();
        }
    }

    fn expect(&mut self, char: char, problem: &'static str) -> Result<(), InvalidKey> {
        if self.eat(char) {
            Ok(())
        } else {
            Err(self.expected(problem))
        }
    }

    fn expected(&self, problem: &'static str) -> InvalidKey {
        match self.peek() {
            None => invalid(self.column, format!("{problem}, but the text ends here")),
            Some(found) => invalid(self.column, format!("{problem}, but found {found:?}")),
        }
    }
}

#[cfg(test)]
mod tests;
