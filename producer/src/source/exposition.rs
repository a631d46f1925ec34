//! Reads Prometheus' text exposition format, version 0.0.4:
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>.

/// One line of a page. The timestamp that a line may carry is read and left: a point's time is its slot.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The metric's name, `[A-Za-z_:][A-Za-z0-9_:]*`.
    pub name: String,
    /// Labels in the page's order.
    pub labels: Vec<(String, String)>,
    /// The value, NaN and infinity included.
    pub value: f64,
}

/// A line that is not of the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {number}: {reason}")]
pub struct Malformed {
    /// The line, counted from 1.
    pub number: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Reads a whole page, comments left out.
///
/// # Errors
/// At the first line that is not of the format: half a page would look like a page.
pub fn parse(page: &str) -> Result<Vec<Line>, Malformed> {
    let lines = page
        .split('\n')
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| read(line).map_err(|reason| Malformed { number, reason }))
        .collect()
}

fn read(line: &str) -> Result<Line, &'static str> {
    let (name, rest) = word(line, ":");
    if name.is_empty() {
        return Err("a name must begin with a letter, '_' or ':'");
    }
    let rest = rest.trim_start();
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None if rest.is_empty() => return Err("the value is missing"),
        None if rest.len() == line.len() - name.len() => {
            return Err("a name has letters, digits, '_' and ':' only");
        }
        None => (Vec::new(), rest),
    };
    let mut fields = rest.split_whitespace();
    let value = fields
        .next()
        .and_then(|value| value.parse().ok())
        .ok_or("the value is no number")?;
    if fields.next().is_some_and(|at| at.parse::<i64>().is_err()) {
        return Err("the timestamp is no whole number of milliseconds");
    }
    if fields.next().is_some() {
        return Err("there is more after the timestamp");
    }
    Ok(Line {
        name: name.into(),
        labels,
        value,
    })
}

/// A name at the beginning of a text, and what follows it.
fn word<'a>(text: &'a str, more: &str) -> (&'a str, &'a str) {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || more.contains(c);
    if !text.starts_with(first) {
        return ("", text);
    }
    text.split_at(
        text.find(|c: char| !first(c) && !c.is_ascii_digit())
            .unwrap_or(text.len()),
    )
}

type Labels = Vec<(String, String)>;

/// Labels up to the closing brace, and what follows it.
fn labels(mut text: &str) -> Result<(Labels, &str), &'static str> {
    let mut labels = Labels::new();
    loop {
        text = text.trim_start();
        if let Some(rest) = text.strip_prefix('}') {
            return Ok((labels, rest));
        }
        let (name, rest) = word(text, "");
        if name.is_empty() {
            return Err("a label's name must begin with a letter or '_'");
        }
        let rest = rest
            .trim_start()
            .strip_prefix('=')
            .ok_or("a label's name must be followed by '='")?;
        let rest = rest
            .trim_start()
            .strip_prefix('"')
            .ok_or("a label's value must be in double quotes")?;
        let (value, rest) = quoted(rest)?;
        labels.push((name.into(), value));
        text = rest.trim_start();
        match text.strip_prefix(',') {
            Some(rest) => text = rest,
            None if text.starts_with('}') => {}
            None => return Err("labels must be parted by ',' and end with '}'"),
        }
    }
}

/// A value up to its closing quote, unescaped, and what follows it.
fn quoted(text: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((index, letter)) = letters.next() {
        match letter {
            '"' => return Ok((value, &text[index + 1..])),
            '\\' => match letters.next().map(|(_, escaped)| escaped) {
                Some('n') => value.push('\n'),
                Some(escaped @ ('\\' | '"')) => value.push(escaped),
                // As Prometheus does: an escape it does not know stays as it is written.
                Some(other) => value.extend(['\\', other]),
                None => break,
            },
            other => value.push(other),
        }
    }
    Err("a label's value has no closing quote")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Line {
        let mut lines = parse(line).unwrap();
        assert_eq!(lines.len(), 1, "{line}");
        lines.remove(0)
    }

    fn pairs(line: &Line) -> Vec<(&str, &str)> {
        line.labels
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    #[test]
    fn the_documented_page_is_read() {
        let page = r#"
# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9

# Minimalistic line:
metric_without_timestamp_and_labels 12.47

# A weird metric from before the epoch:
something_weird{problem="division by zero"} +Inf -3982045

# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="+Inf"} 144320
http_request_duration_seconds_sum 53423
rpc_duration_seconds{quantile="0.99"} 76656
"#;
        let lines = parse(page).unwrap();
        assert_eq!(lines.len(), 9);
        assert_eq!(lines[0].name, "http_requests_total");
        assert_eq!(pairs(&lines[0]), [("method", "post"), ("code", "200")]);
        assert_eq!(lines[0].value, 1027.0);
        let path = [
            ("path", r"C:\DIR\FILE.TXT"),
            ("error", "Cannot find file:\n\"FILE.TXT\""),
        ];
        assert_eq!(pairs(&lines[2]), path);
        assert_eq!(lines[2].value, 1.458255915e9);
        assert_eq!(lines[4].value, f64::INFINITY);
    }

    #[test]
    fn spaces_commas_and_braces_may_be_anywhere_they_are_allowed() {
        for line in [
            "a{b=\"c\",} 1",
            "a { b = \"c\" , } 1",
            "  a{b=\"c\"}\t1\r",
            "a{b=\"c\"}1",
        ] {
            let line = one(line);
            assert_eq!(
                (line.name.as_str(), pairs(&line), line.value),
                ("a", vec![("b", "c")], 1.0)
            );
        }
        assert_eq!(
            pairs(&one("a{b=\"{x=\\\"1\\\",} # 2\"} 1")),
            [("b", "{x=\"1\",} # 2")]
        );
        assert_eq!(one("a{} 1").labels, []);
        assert_eq!(pairs(&one(r#"a{b="\d"} 1"#)), [("b", r"\d")]);
        assert_eq!(one(":rule:sum 1").name, ":rule:sum");
    }

    #[test]
    fn values_are_those_of_the_format() {
        for (text, value) in [
            ("1", 1.0),
            ("-1.5e-3", -0.0015),
            ("+Inf", f64::INFINITY),
            ("-Inf", f64::NEG_INFINITY),
        ] {
            assert_eq!(one(&format!("a {text}")).value, value);
        }
        assert!(one("a NaN").value.is_nan());
    }

    #[test]
    fn a_malformed_line_is_named() {
        for line in [
            "1a 1",
            "a-b 1",
            "a",
            "a x",
            "a 1 now",
            "a 1 2 3",
            "a{b=\"c\" 1",
            "a{b=c} 1",
            "a{b} 1",
            "a{b=\"c} 1",
            "a{b=\"c\\",
            "a{=\"c\"} 1",
            "a{b=\"c\";d=\"e\"} 1",
            "<html>",
        ] {
            assert_eq!(
                parse(&format!("ok 1\n{line}")).unwrap_err().number,
                2,
                "{line}"
            );
        }
    }
}
