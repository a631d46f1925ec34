//! How deep a text is nested, found out without parsing it.

/// Most brackets that are open at once, outside of strings and comments.
pub fn nesting(text: &str) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    let mut rest = text.as_bytes();
    while let [byte, behind @ ..] = rest {
        rest = match byte {
            b'{' | b'[' | b'(' => {
                open += 1;
                most = most.max(open);
                behind
            }
            b'}' | b']' | b')' => {
                open = open.saturating_sub(1);
                behind
            }
            b'"' => match behind.strip_prefix(b"\"\"") {
                Some(block) => behind_block(block),
                None => behind_string(behind),
            },
            b'#' => behind_first(behind, |byte| matches!(byte, b'\n' | b'\r')),
            _ => behind,
        };
    }
    most
}

fn behind_first(text: &[u8], is_end: impl Fn(u8) -> bool) -> &[u8] {
    let end = text.iter().position(|byte| is_end(*byte));
    end.map_or(&[], |end| &text[end + 1..])
}

/// What follows a string whose opening quote is behind us. One that does not end in its line is no string: the parser
/// gets no further than it.
fn behind_string(mut text: &[u8]) -> &[u8] {
    loop {
        text = match text {
            [] | [b'\n' | b'\r', ..] => return &[],
            [b'"', behind @ ..] => return behind,
            [b'\\', _, behind @ ..] | [_, behind @ ..] => behind,
        }
    }
}

/// What follows a block string whose opening quotes are behind us.
fn behind_block(mut text: &[u8]) -> &[u8] {
    loop {
        text = match text {
            [] => return &[],
            [b'"', b'"', b'"', behind @ ..] => return behind,
            [b'\\', b'"', b'"', b'"', behind @ ..] | [_, behind @ ..] => behind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_counted_where_they_are_brackets() {
        for (text, most) in [
            ("", 0),
            ("{a{b}c{d(x:[1])}}", 4),
            ("{}{}[]()", 1),
            (r#"{a(x:"[[[[\"[[[[")}"#, 2),
            (r#"{a(x:"""[[[[\"""[["[[""[[""")}"#, 2),
            (r#"{a(x:"",y:"[[")}"#, 2),
            ("{a # [[[[\n(x:[1])}", 3),
            ("{a # [[[[\r(x:[1])}", 3),
            ("}}}}{", 1),
            ("{a(x:\"[[\n[[[[[\")}", 2),
            (r#"{a(x:"\"#, 2),
        ] {
            assert_eq!(nesting(text), most, "{text}");
        }
    }
}
