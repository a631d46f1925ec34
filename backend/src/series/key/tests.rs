use proptest::prelude::*;

use super::*;

fn key(text: &str) -> SeriesKey {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn error(text: &str) -> String {
    text.parse::<SeriesKey>().unwrap_err().to_string()
}

fn matches(pattern: &str, text: &str) -> bool {
    pattern
        .parse::<SeriesMatch>()
        .unwrap_or_else(|error| panic!("{pattern}: {error}"))
        .matches(&key(text))
}

#[test]
fn limits_hold_for_plain_texts() {
    let label = |number: usize| format!("l{number:02}=\"x\"");
    let labels = |count: usize| (0..count).map(label).collect::<Vec<_>>().join(",");
    let long =
        |name: usize, value: usize| format!("a{{{}=\"{}\"}}", "n".repeat(name), "v".repeat(value));
    let bytes = |count: usize| {
        let label = |number: usize| format!("l{number}=\"{}\"", "v".repeat(400));
        let rest = format!("l9=\"{}\"", "v".repeat(count));
        format!(
            "a{{{},{rest}}}",
            (0..4).map(label).collect::<Vec<_>>().join(",")
        )
    };
    for (fits, does_not) in [
        ("n".repeat(MAX_NAME), "n".repeat(MAX_NAME + 1)),
        (
            format!("a{{{}}}", labels(MAX_LABELS)),
            format!("a{{{}}}", labels(MAX_LABELS + 1)),
        ),
        (long(MAX_LABEL, 1), long(MAX_LABEL + 1, 1)),
        (long(1, MAX_VALUE), long(1, MAX_VALUE + 1)),
        (
            bytes(MAX_KEY - bytes(0).len()),
            bytes(MAX_KEY - bytes(0).len() + 1),
        ),
    ] {
        assert!(
            is_plain(fits.as_bytes()) && fits.parse::<SeriesKey>().is_ok(),
            "{fits}"
        );
        assert!(
            !is_plain(does_not.as_bytes()) && canonical(&does_not).is_err(),
            "{does_not}"
        );
    }
}

#[test]
fn keys_become_canonical() {
    for (text, canonical) in [
        (
            "clock.offset_seconds{producer=\"clock\"}",
            "clock.offset_seconds{producer=\"clock\"}",
        ),
        ("a{}", "a"),
        ("  a  { \t}\n", "a"),
        (" a { b = \"1\" , a = \"2\" } ", "a{a=\"2\",b=\"1\"}"),
        ("node:cpu.idle_0{_=\"\"}", "node:cpu.idle_0{_=\"\"}"),
        (r#"a{b="\"\\\n*{,}= ü"}"#, r#"a{b="\"\\\n*{,}= ü"}"#),
    ] {
        assert_eq!(key(text).to_string(), canonical);
    }
    let parsed = key(r#"a{z="1",b="x\ny"}"#);
    assert_eq!(
        (parsed.name(), parsed.label("b"), parsed.label("c")),
        ("a", Some("x\ny"), None)
    );
    assert_eq!(
        parsed.labels().collect::<Vec<_>>(),
        [("b", "x\ny"), ("z", "1")]
    );
}

#[test]
fn errors_point_at_the_column_and_say_what_was_expected() {
    for (text, expected) in [
        (
            "",
            "column 1: expected a name, such as clock.offset_seconds: it begins with a letter or _, but the text ends here",
        ),
        (
            "1a",
            "column 1: expected a name, such as clock.offset_seconds: it begins with a letter or _, but found '1'",
        ),
        (
            "{a=\"1\"}",
            "column 1: expected a name, such as clock.offset_seconds: it begins with a letter or _, but found '{'",
        ),
        (
            "a-b",
            "column 2: expected { or the end after the name, which has letters, digits and _ . : in it, but found '-'",
        ),
        (
            "a.*",
            "column 3: expected { or the end after the name, which has letters, digits and _ . : in it, but found '*'",
        ),
        (
            "a{",
            "column 3: expected a label's name, which begins with a letter or _, but the text ends here",
        ),
        (
            "a{b.c=\"1\"}",
            "column 4: expected = after a label's name, which has letters, digits and _ in it, but found '.'",
        ),
        (
            "ä{b=1}",
            "column 1: expected a name, such as clock.offset_seconds: it begins with a letter or _, but found 'ä'",
        ),
        (
            "a{b=1}",
            "column 5: expected a label's value in \" after =, but found '1'",
        ),
        (
            "a{b=\"ü\"c=\"1\"}",
            "column 8: expected , or } after a label, but found 'c'",
        ),
        (
            "a{b=\"1\",}",
            "column 9: expected a label's name, which begins with a letter or _, but found '}'",
        ),
        (
            "a{b=\"1",
            "column 7: expected \" at the end of a label's value",
        ),
        (
            "a{b=\"\\t\"}",
            "column 6: expected one of \\n \\\\ \\\" after \\",
        ),
        (
            "a{b=\"\\*\"}",
            "column 6: expected one of \\n \\\\ \\\" after \\",
        ),
        (
            "a{b=\"x\ty\"}",
            "column 7: control character U+0009: only \\n can be written, as an escape",
        ),
        (
            "a{b=\"1\",c=\"\",b=\"2\"}",
            "column 14: label b occurs twice",
        ),
        (
            "a{b=\"1\"}x",
            "column 9: expected the end after }, but found 'x'",
        ),
        ("a{}x", "column 4: expected the end after }, but found 'x'"),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
    assert_eq!("-".parse::<SeriesMatch>().unwrap_err().column, 1);
}

#[test]
fn lengths_are_bounded() {
    let long = |count: usize| "a".repeat(count);
    assert_eq!(key(&long(200)).name().len(), 200);
    assert_eq!(
        error(&long(201)),
        "column 1: this name takes more than 200 bytes"
    );
    key(&format!("a{{{}=\"\"}}", long(100)));
    assert_eq!(
        error(&format!("a{{{}=\"\"}}", long(101))),
        "column 3: this name takes more than 100 bytes"
    );
    key(&format!("a{{b=\"{}\"}}", "ü".repeat(250)));
    assert_eq!(
        error(&format!("a{{b=\"{}a\"}}", "ü".repeat(250))),
        "column 5: this value takes more than 500 bytes"
    );
    let labels = |count: usize| {
        (0..count)
            .map(|index| format!("l{index}=\"\""))
            .collect::<Vec<_>>()
            .join(",")
    };
    key(&format!("a{{{}}}", labels(32)));
    assert!(error(&format!("a{{{}}}", labels(33))).ends_with("more than 32 labels"));
    let text = |last: usize| {
        format!(
            "a{{b=\"{0}\",c=\"{0}\",d=\"{0}\",e=\"{1}\"}}",
            long(498),
            long(last)
        )
    };
    let longest = text(2_000 - text(0).len());
    assert_eq!(key(&longest.replace(',', " ,\n")).to_string().len(), 2_000);
    assert!(
        error(&text(2_001 - text(0).len()))
            .ends_with("from this label on, the key takes more than 2000 bytes")
    );
    assert!(error(&format!("a{{b=\"{}\"}}", "\\n".repeat(501))).contains("more than 500 bytes"));
}

#[test]
fn matches_find_what_they_state() {
    let offset = r#"clock.offset_seconds{host="a",producer="clock"}"#;
    for pattern in [
        "clock.offset_seconds",
        "clock.*",
        "*",
        "*offset*",
        "{}",
        "clock.*{producer=\"clock\"}",
        "{producer=\"clock\"}",
        "{producer=\"*\"}",
        "{ producer = \"c*k\" , host = \"a*\" }",
        "c*.*_*s{}",
    ] {
        assert!(matches(pattern, offset), "{pattern}");
    }
    for pattern in [
        "clock",
        "clock.",
        "*.offset",
        "Clock.*",
        "{producer=\"cloc\"}",
        "{zone=\"*\"}",
        "{host=\"a*a\"}",
    ] {
        assert!(!matches(pattern, offset), "{pattern}");
    }
    assert!(matches(r#"a{b="1\*2"}"#, r#"a{b="1*2"}"#));
    assert!(!matches(r#"a{b="1\*2"}"#, r#"a{b="112"}"#));
    assert!(matches(r#"a{b="\"*\n"}"#, r#"a{b="\"x\n"}"#));
    assert!("".parse::<SeriesMatch>().is_err());
    assert!("1*".parse::<SeriesMatch>().is_err());
}

#[test]
fn a_match_without_stars_is_an_exact_key() {
    let exact = |text: &str| text.parse::<SeriesMatch>().unwrap().exact();
    assert_eq!(
        exact("a{c=\"1\", b=\"2\"}"),
        Some(key("a{b=\"2\",c=\"1\"}"))
    );
    assert_eq!(exact(r#"a{b="\*"}"#), Some(key(r#"a{b="*"}"#)));
    assert_eq!(exact("a*"), None);
    assert_eq!(exact("a{b=\"*\"}"), None);
    assert_eq!(exact("{b=\"1\"}"), None);
}

#[test]
fn matches_become_canonical() {
    for (text, canonical) in [
        ("clock.*", "clock.*"),
        (" clock.* { } ", "clock.*"),
        ("{}", "{}"),
        (r#"{ b = "1*", a="*" }"#, r#"{a="*",b="1*"}"#),
        (r#"a{x="\*\n\\\"*y"}"#, r#"a{x="\*\n\\\"*y"}"#),
        ("**", "**"),
    ] {
        let read: SeriesMatch = text.parse().unwrap();
        assert_eq!(read.to_string(), canonical);
        assert_eq!(canonical.parse(), Ok(read));
    }
}

#[test]
fn many_stars_take_no_time() {
    let text = format!("a{{b=\"{}\"}}", "a".repeat(500));
    let pattern = format!("{{b=\"{}b\"}}", "*a".repeat(249));
    let started = std::time::Instant::now();
    for _ in 0..1_000 {
        assert!(!matches(&pattern, &text));
    }
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

fn any_key() -> impl Strategy<Value = SeriesKey> {
    let value = prop::collection::vec(
        prop_oneof![
            any::<char>().prop_filter("plain", |char| !char.is_control()),
            prop::sample::select(vec!['\n', '\\', '"', '*', ',', '}'])
        ],
        0..30,
    );
    (
        "[A-Za-z_][A-Za-z0-9_.:]{0,30}",
        prop::collection::btree_map("[A-Za-z_][A-Za-z0-9_]{0,10}", value, 0..5),
    )
        .prop_map(|(name, labels)| {
            let labels = labels
                .into_iter()
                .map(|(name, value)| (name, value.into_iter().collect()))
                .collect();
            SeriesKey { name, labels }
        })
}

/// Tries every length for every star.
fn slow_match(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|skip| slow_match(rest, &text[skip..])),
        Some((char, rest)) => text.first() == Some(char) && slow_match(rest, &text[1..]),
    }
}

proptest! {
    #[test]
    fn keys_come_back(key in any_key()) {
        let text = key.to_string();
        prop_assert_eq!(text.parse::<SeriesKey>(), Ok(key.clone()));
        let pattern = text.replace('*', "\\*").parse::<SeriesMatch>().unwrap();
        prop_assert!(pattern.matches(&key));
        prop_assert_eq!(pattern.exact(), Some(key));
    }

    #[test]
    fn plain_texts_are_canonical_without_a_copy(
        text in r#"[a_.9]{1,4}(\{[ab_]{1,2}="[^\\"\pC]{0,3}"(,[ab_]{1,2}="[ä\\n"=,{} ]{0,3}"){0,2}\}){0,1} {0,1}"#,
    ) {
        match text.parse::<SeriesKey>() {
            Ok(key) => {
                let form = canonical(&text).unwrap();
                let plain = matches!(form, Cow::Borrowed(_));
                prop_assert_eq!(&*form, &key.to_string());
                prop_assert_eq!(plain, text == form && text.is_ascii() && !text.contains('\\'), "{}", text);
            }
            Err(error) => prop_assert_eq!(canonical(&text), Err(error)),
        }
    }

    #[test]
    fn matches_come_back(text in r#"[a*]{0,3}(\{a="(\\[n*"\\]|[^"\\\pC]){0,20}"\})?"#) {
        if let Ok(read) = text.parse::<SeriesMatch>() {
            let canonical = read.to_string();
            prop_assert!(!canonical.contains('\n'));
            prop_assert_eq!(canonical.parse(), Ok(read));
        }
    }

    #[test]
    fn any_text_parses_or_is_refused(text in r#"[a*{},="\\n \PC]{0,40}"#) {
        if let Ok(key) = text.parse::<SeriesKey>() {
            prop_assert_eq!(key.to_string().parse::<SeriesKey>(), Ok(key));
        }
        if let Err(error) = text.parse::<SeriesMatch>() {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.column));
        }
    }

    #[test]
    fn globs_match_as_the_slow_way_does(pattern in "[ab*]{1,8}", name in "[ab]{1,10}") {
        let expected = slow_match(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>());
        prop_assert_eq!(matches(&pattern, &name), expected);
    }
}
