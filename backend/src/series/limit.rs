//! The series that an ingest token is limited to, as patterns.

use crate::{
    error::{Error, Result},
    series::SeriesMatch,
};

/// Most patterns of one token: each is tried on each series that the token names.
pub const MOST_PATTERNS: usize = 50;

/// The patterns in `texts` in canonical form, each once and in the order given: one line each.
///
/// # Errors
/// [`Error::BadInput`] when there are none, or more than [`MOST_PATTERNS`], or one of them means nothing.
pub fn patterns(texts: &[String]) -> Result<Vec<String>> {
    if texts.is_empty() || texts.len() > MOST_PATTERNS {
        return Err(Error::bad_input(format!(
            "a token is limited by 1 to {MOST_PATTERNS} patterns, and these are {}: leave them out for all series",
            texts.len()
        )));
    }
    let mut patterns = Vec::new();
    for text in texts {
        let pattern: SeriesMatch = text.parse().map_err(|error| {
            let shown: String = text.chars().take(60).collect();
            Error::bad_input(format!("`{shown}` means no series: {error}"))
        })?;
        let canonical = pattern.to_string();
        if !patterns.contains(&canonical) {
            patterns.push(canonical);
        }
    }
    Ok(patterns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[&str]) -> Result<Vec<String>> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        patterns(&texts)
    }

    #[test]
    fn patterns_are_canonical_few_and_once() {
        assert_eq!(
            read(&["b", " a.* { x = \"1\" } ", "b{}"]).ok().unwrap(),
            ["b", "a.*{x=\"1\"}"]
        );
        assert_eq!(read(&["a"; 50]).ok().unwrap(), ["a"]);
        for bad in [&[][..], &["a"; 51], &["a", "a{"], &[""]] {
            assert!(matches!(read(bad), Err(Error::BadInput(_))), "{bad:?}");
        }
    }
}
