//! What a browser calls itself, in words.

/// Names, the telling ones first: most browsers also claim to be those that came before them.
const BROWSERS: [(&str, &str); 12] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("HeadlessChrome/", "Chromium"),
    ("Chromium/", "Chromium"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("AppleWebKit/", "A browser"),
];
const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];
/// Of what is no known browser's, this many characters are shown.
const SHOWN: usize = 40;

/// "Firefox on Windows". What is not known is shown as it calls itself, and is to be trusted as little as any of it.
pub fn name(user_agent: &str) -> String {
    let find = |names: &[(&str, &'static str)]| {
        let found = names.iter().find(|(sign, _)| user_agent.contains(sign));
        found.map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) if user_agent.trim().is_empty() => "A browser without a name".to_owned(),
        (None, _) => user_agent.chars().take(SHOWN).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_that_claim_to_be_others_are_told_apart() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (user_agent, named) in [
            (
                format!("Mozilla/5.0 (X11; Linux x86_64) {webkit} HeadlessChrome/140.0.0.0 Safari/537.36"),
                "Chromium on Linux",
            ),
            (
                format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"),
                "Edge on Windows",
            ),
            (
                format!("Mozilla/5.0 (Linux; Android 10; K) {webkit} Chrome/140.0.0.0 Mobile Safari/537.36"),
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:144.0) Gecko/20100101 Firefox/144.0".to_owned(),
                "Firefox on macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1"
                    .to_owned(),
                "Safari on iPhone",
            ),
        ] {
            assert_eq!(name(&user_agent), named);
        }
    }

    #[test]
    fn what_is_no_browser_is_shown_as_it_is() {
        assert_eq!(name("curl/8.14.1"), "curl/8.14.1");
        assert_eq!(name(&"é".repeat(200)), "é".repeat(SHOWN));
        assert_eq!(name(" "), "A browser without a name");
    }
}
