//! A series' key as it is read: where it may break, what of it all others say too, and which series are one histogram.

use std::collections::HashMap;

use yew::prelude::*;

use super::Row;
use crate::figure;

/// A text longer than this has a place to break, wherever that is.
const LONGEST: usize = 24;

/// A name or labels that break after `_`, `.` and `,` only, and not inside a word.
pub fn breakable(text: &str) -> Html {
    html! { { for pieces(text).into_iter().map(|piece| html! { <>{ piece.to_owned() }<wbr/></> }) } }
}

fn pieces(text: &str) -> Vec<&str> {
    let (mut pieces, mut start, mut length) = (Vec::new(), 0, 0);
    for (at, character) in text.char_indices() {
        length += 1;
        if matches!(character, '_' | '.' | ',') || length == LONGEST {
            let end = at + character.len_utf8();
            pieces.push(&text[start..end]);
            (start, length) = (end, 0);
        }
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}

/// The labels of a key, each with its value: `a="b"`. Values may hold commas and escaped quotes.
pub fn labels(key: &str) -> Vec<&str> {
    let text = figure::split_key(key).1;
    let (mut labels, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                labels.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if start < text.len() {
        labels.push(&text[start..]);
    }
    labels
}

/// The labels that every series has: they tell none from another. None where there is only one series.
pub fn shared(rows: &[Row]) -> Vec<&str> {
    let Some((first, others)) = rows.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Vec::new();
    };
    let mut shared = labels(&first.key);
    for row in others {
        let own = labels(&row.key);
        shared.retain(|label| own.contains(label));
    }
    shared
}

/// What stands in one place of the list.
#[derive(Debug, PartialEq)]
pub enum Entry<'a> {
    /// A series.
    One(&'a Row),
    /// The buckets of a histogram, the narrowest first, and the key that they share.
    Histogram(String, Vec<&'a Row>),
}

/// The list with the buckets of each histogram put together, at the place of the first.
pub fn folded(rows: &[Row]) -> Vec<Entry<'_>> {
    let mut entries: Vec<Entry<'_>> = Vec::with_capacity(rows.len());
    let mut places: HashMap<String, usize> = HashMap::new();
    for row in rows {
        let Some((bound, histogram)) = bucket(&row.key) else {
            entries.push(Entry::One(row));
            continue;
        };
        let place = *places.entry(histogram.clone()).or_insert(entries.len());
        match entries.get_mut(place) {
            Some(Entry::Histogram(_, buckets)) => {
                let before = |row: &&Row| bucket(&row.key).is_some_and(|(other, _)| other < bound);
                buckets.insert(buckets.partition_point(before), row);
            }
            _ => entries.push(Entry::Histogram(histogram, vec![row])),
        }
    }
    entries
}

/// The upper bound of a histogram's bucket and the key of its histogram, after Prometheus' naming: `x_bucket{le="0.5"}`.
/// None for other series.
pub fn bucket(key: &str) -> Option<(f64, String)> {
    let (name, _) = figure::split_key(key);
    if !name.ends_with("_bucket") {
        return None;
    }
    let labels = labels(key);
    let bound = labels.iter().find_map(|label| {
        let bound = label.strip_prefix("le=\"")?.strip_suffix('"')?;
        match bound {
            "+Inf" => Some(f64::INFINITY),
            // The page has this parser already; the standard library's own would be downloaded beside it.
            number => serde_json::from_str(number).ok(),
        }
    })?;
    let others: Vec<&str> = labels
        .into_iter()
        .filter(|label| !label.starts_with("le="))
        .collect();
    Some((bound, format!("{name}{{{}}}", others.join(","))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(keys: &[&str]) -> Vec<Row> {
        let row = |key: &&str| Row {
            id: (*key).to_owned(),
            key: (*key).to_owned(),
            unit: None,
        };
        keys.iter().map(row).collect()
    }

    #[test]
    fn names_break_between_words() {
        assert_eq!(
            pieces("http.request_seconds"),
            ["http.", "request_", "seconds"]
        );
        assert_eq!(pieces("a=\"b\",c"), ["a=\"b\",", "c"]);
        let long = "x".repeat(2 * LONGEST + 1);
        assert_eq!(pieces(&long).len(), 3);
        assert_eq!(pieces("µµ_é").concat(), "µµ_é");
    }

    #[test]
    fn values_may_hold_commas_and_quotes() {
        assert_eq!(
            labels(r#"x{a="1,2",b="\",",c="3"}"#),
            [r#"a="1,2""#, r#"b="\",""#, r#"c="3""#]
        );
        assert!(labels("x").is_empty());
    }

    #[test]
    fn what_all_series_say_is_said_once() {
        let both = rows(&[r#"a{p="1",q="2"}"#, r#"b{p="1",q="3"}"#]);
        assert_eq!(shared(&both), [r#"p="1""#]);
        assert!(shared(&rows(&[r#"a{p="1"}"#, "b"])).is_empty());
        assert!(shared(&rows(&[r#"a{p="1"}"#])).is_empty());
    }

    #[test]
    fn buckets_are_one_row_in_order_of_their_bounds() {
        let all = rows(&[
            "a",
            r#"h_bucket{le="+Inf",r="x"}"#,
            r#"h_bucket{le="10",r="x"}"#,
            r#"h_bucket{le="2.5",r="x"}"#,
            r#"h_bucket{le="10",r="y"}"#,
            r#"h_sum{r="x"}"#,
        ]);
        let x = Entry::Histogram(
            r#"h_bucket{r="x"}"#.to_owned(),
            vec![&all[3], &all[2], &all[1]],
        );
        let y = Entry::Histogram(r#"h_bucket{r="y"}"#.to_owned(), vec![&all[4]]);
        assert_eq!(
            folded(&all),
            [Entry::One(&all[0]), x, y, Entry::One(&all[5])]
        );
    }

    #[test]
    fn a_name_alone_makes_no_bucket() {
        assert_eq!(bucket("rain_bucket"), None);
        assert_eq!(bucket(r#"rain_bucket{le="much"}"#), None);
    }
}
