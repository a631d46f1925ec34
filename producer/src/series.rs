//! The name of a series as the API takes it: `clock.offset_seconds{producer="clock"}`.

use std::collections::BTreeMap;
use std::fmt;

/// A name and labels, the labels in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    name: String,
    labels: BTreeMap<String, String>,
}

/// One measured value of a series. It has no time of its own: that is its run's slot.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What was measured.
    pub series: Series,
    /// The value; always finite.
    pub value: f64,
}

impl Sample {
    /// A sample of a finite value; none for NaN and infinity, which no series takes.
    pub fn new(series: Series, value: f64) -> Option<Self> {
        value.is_finite().then_some(Self { series, value })
    }
}

impl Series {
    /// A series of a name `[A-Za-z_][A-Za-z0-9_.:]*` with labels named `[A-Za-z_][A-Za-z0-9_]*`; none otherwise. An
    /// empty label value is the same as no label.
    pub fn new(name: &str, labels: impl IntoIterator<Item = (String, String)>) -> Option<Self> {
        let labels: BTreeMap<String, String> = labels
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let named = is_name(name, "_.:") && labels.keys().all(|label| is_name(label, "_"));
        named.then(|| Self {
            name: name.into(),
            labels,
        })
    }
}

fn is_name(text: &str, more: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text
            .chars()
            .all(|next| next.is_ascii_alphanumeric() || more.contains(next))
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (index, (name, value)) in self.labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let value = value
                .replace('\\', r"\\")
                .replace('"', "\\\"")
                .replace('\n', r"\n");
            write!(f, "{before}{name}=\"{value}\"")?;
        }
        if self.labels.is_empty() {
            Ok(())
        } else {
            f.write_str("}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, labels: &[(&str, &str)]) -> Option<Series> {
        Series::new(
            name,
            labels
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into())),
        )
    }

    #[test]
    fn text_has_its_labels_in_order_and_escaped() {
        let text = |labels| series("clock.offset_seconds", labels).unwrap().to_string();
        assert_eq!(text(&[]), "clock.offset_seconds");
        assert_eq!(
            text(&[("b", "ü"), ("a", "1")]),
            "clock.offset_seconds{a=\"1\",b=\"ü\"}"
        );
        assert_eq!(
            text(&[("a", "x\"y\\z\n")]),
            r#"clock.offset_seconds{a="x\"y\\z\n"}"#
        );
        assert_eq!(text(&[("a", "")]), "clock.offset_seconds");
    }

    #[test]
    fn names_outside_the_rule_are_none() {
        for name in ["", "1a", ":a", ".a", "a-b", "ä"] {
            assert_eq!(series(name, &[]), None, "{name}");
        }
        for label in ["", "1", "a.b", "a:b"] {
            assert_eq!(series("a", &[(label, "x")]), None, "{label}");
        }
        assert!(series("_a:b.c9", &[("_a9", "x")]).is_some());
    }

    #[test]
    fn only_finite_values_are_samples() {
        let series = series("a", &[]).unwrap();
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Sample::new(series.clone(), value), None);
        }
        assert!(Sample::new(series, -0.0).is_some());
    }
}
