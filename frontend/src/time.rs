//! Instants, ranges and how both are said. All instants are microseconds since 1970 UTC, by the server's clock.

/// Microseconds since 1970 UTC.
pub type Micros = i64;

/// One second, in microseconds.
pub const SECOND: Micros = 1_000_000;
/// One minute, in microseconds.
pub const MINUTE: Micros = 60 * SECOND;
/// One hour, in microseconds.
pub const HOUR: Micros = 60 * MINUTE;
const DAY: Micros = 24 * HOUR;

/// A stretch of time that ends now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Span {
    /// Five minutes.
    #[default]
    Minutes5,
    /// A quarter of an hour.
    Minutes15,
    /// One hour.
    Hour,
    /// Six hours.
    Hours6,
    /// A day.
    Day,
}

impl Span {
    /// Every span, shortest first.
    pub const ALL: [Self; 5] = [
        Self::Minutes5,
        Self::Minutes15,
        Self::Hour,
        Self::Hours6,
        Self::Day,
    ];

    /// How the address of the page names it.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Minutes5 => "5m",
            Self::Minutes15 => "15m",
            Self::Hour => "1h",
            Self::Hours6 => "6h",
            Self::Day => "24h",
        }
    }

    /// The span that an address names, if it is one of ours.
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|span| span.slug() == slug)
    }

    /// The span in words: "5 min".
    pub fn label(self) -> &'static str {
        match self {
            Self::Minutes5 => "5 min",
            Self::Minutes15 => "15 min",
            Self::Hour => "1 h",
            Self::Hours6 => "6 h",
            Self::Day => "24 h",
        }
    }

    /// The span in a sentence: "the last 5 minutes".
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Minutes5 => "the last 5 minutes",
            Self::Minutes15 => "the last 15 minutes",
            Self::Hour => "the last hour",
            Self::Hours6 => "the last 6 hours",
            Self::Day => "the last 24 hours",
        }
    }

    /// Its length.
    pub fn micros(self) -> Micros {
        match self {
            Self::Minutes5 => 5 * MINUTE,
            Self::Minutes15 => 15 * MINUTE,
            Self::Hour => HOUR,
            Self::Hours6 => 6 * HOUR,
            Self::Day => DAY,
        }
    }

    /// The windows that a chart of it is made of; none when every point is drawn.
    pub fn window(self) -> Option<Window> {
        match self {
            Self::Minutes5 | Self::Minutes15 | Self::Hour => None,
            Self::Hours6 => Some(Window {
                every: "30s",
                micros: 30 * SECOND,
                phrase: "30 s",
            }),
            Self::Day => Some(Window {
                every: "2m",
                micros: 2 * MINUTE,
                phrase: "2 min",
            }),
        }
    }
}

/// The width of the windows that points are put together in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// As the API takes it.
    pub every: &'static str,
    /// Its width.
    pub micros: Micros,
    /// Its width in words.
    pub phrase: &'static str,
}

impl Window {
    /// The start of the window that holds `at`; windows are aligned to 1970 UTC.
    pub fn start(self, at: Micros) -> Micros {
        at - at.rem_euclid(self.micros)
    }
}

/// A length of time in one or two units: "8 s", "3 min", "3 h 12 min". What is not positive is "0 s".
pub fn length(micros: Micros) -> String {
    let seconds = micros.max(0) / SECOND;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600, seconds / 60);
    if days >= 2 {
        format!("{days} days")
    } else if hours >= 1 {
        match minutes % 60 {
            0 => format!("{hours} h"),
            rest => format!("{hours} h {rest} min"),
        }
    } else if minutes >= 1 {
        match seconds % 60 {
            rest if minutes < 5 && rest != 0 => format!("{minutes} min {rest} s"),
            _ => format!("{minutes} min"),
        }
    } else {
        format!("{seconds} s")
    }
}

/// How old something is, in a sentence: "8 s ago", or "just now" below one second.
pub fn ago(micros: Micros) -> String {
    if micros < SECOND {
        "just now".to_owned()
    } else {
        format!("{} ago", length(micros))
    }
}

/// How the browser's clock stands to the server's, in words. `skew` is server minus browser.
pub fn skew_phrase(skew: Micros) -> String {
    let size = skew.abs();
    if size < SECOND / 10 {
        return "Yours agrees".to_owned();
    }
    let length = if size < 10 * SECOND {
        format!("{:.1} s", size as f64 / SECOND as f64)
    } else {
        length(size)
    };
    let side = if skew > 0 { "behind" } else { "ahead" };
    format!("Yours is {length} {side}")
}

/// A calendar day and a time of day in the reader's own zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
}

impl Civil {
    /// The instant as the clock on the reader's wall shows it.
    pub fn local(at: Micros) -> Self {
        let date = js_date(at);
        Self {
            year: date.get_full_year(),
            month: date.get_month(),
            day: date.get_date(),
            hour: date.get_hours(),
            minute: date.get_minutes(),
            second: date.get_seconds(),
        }
    }

    /// "14:32:08".
    pub fn clock(self) -> String {
        format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }

    /// "14:32", or "24 Nov" at midnight, for an axis whose ticks are whole minutes.
    pub fn tick(self) -> String {
        if (self.hour, self.minute, self.second) == (0, 0, 0) {
            format!("{} {}", self.day, self.month_name())
        } else {
            self.short_clock()
        }
    }

    /// "14:32".
    pub fn short_clock(self) -> String {
        format!("{:02}:{:02}", self.hour, self.minute)
    }

    /// Hours since midnight.
    pub fn hours(self) -> f64 {
        f64::from(self.hour) + f64::from(self.minute) / 60.0
    }

    /// "24 Nov 2026".
    pub fn date(self) -> String {
        format!("{} {} {}", self.day, self.month_name(), self.year)
    }

    /// "24 Nov 2026, 14:32:08".
    pub fn full(self) -> String {
        format!("{}, {}", self.date(), self.clock())
    }

    fn month_name(self) -> &'static str {
        const NAMES: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        NAMES[self.month as usize % NAMES.len()]
    }
}

/// "13:32:08", in UTC.
pub fn utc_clock(at: Micros) -> String {
    let seconds = at.div_euclid(SECOND).rem_euclid(86_400);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{hour:02}:{minute:02}:{second:02}")
}

/// An offset from UTC as people write it: "UTC+1", "UTC−3:30", "UTC". `minutes` is east of Greenwich.
pub fn offset_phrase(minutes: i32) -> String {
    let sign = match minutes {
        0 => return "UTC".to_owned(),
        1.. => '+',
        _ => '−',
    };
    let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
    match rest {
        0 => format!("UTC{sign}{hours}"),
        _ => format!("UTC{sign}{hours}:{rest:02}"),
    }
}

/// The reader's zone: "Vienna, UTC+1".
pub fn zone(at: Micros) -> String {
    let offset = offset_phrase(-(js_date(at).get_timezone_offset() as i32));
    let format = js_sys::Intl::DateTimeFormat::new(&js_sys::Array::new(), &js_sys::Object::new());
    let name = js_sys::Reflect::get(&format.resolved_options(), &"timeZone".into())
        .ok()
        .and_then(|name| name.as_string())
        .unwrap_or_default();
    match name.rsplit('/').next() {
        Some(city) if city != "UTC" && !city.is_empty() => {
            format!("{}, {offset}", city.replace('_', " "))
        }
        _ => offset,
    }
}

/// What the browser's own clock shows.
pub fn browser_now() -> Micros {
    (js_sys::Date::now() * 1_000.0) as Micros
}

/// Reads the API's RFC 3339 text, to the millisecond. None when it is no time.
pub fn parse(text: &str) -> Option<Micros> {
    let millis = js_sys::Date::parse(text);
    millis.is_finite().then_some((millis * 1_000.0) as Micros)
}

fn js_date(at: Micros) -> js_sys::Date {
    js_sys::Date::new(&(at as f64 / 1_000.0).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_span_survives_the_address() {
        for span in Span::ALL {
            assert_eq!(Span::from_slug(span.slug()), Some(span));
        }
        assert_eq!(Span::from_slug("7d"), None);
    }

    #[test]
    fn wide_spans_are_drawn_from_at_most_a_thousand_windows() {
        for span in Span::ALL {
            if let Some(window) = span.window() {
                assert!(span.micros() / window.micros <= 1_000);
            }
        }
    }

    #[test]
    fn windows_start_where_the_server_starts_them() {
        let window = Span::Day.window().unwrap();
        assert_eq!(window.start(120 * SECOND), 120 * SECOND);
        assert_eq!(window.start(239 * SECOND), 120 * SECOND);
        assert_eq!(window.start(-1), -120 * SECOND);
    }

    #[test]
    fn lengths_take_the_units_that_matter() {
        assert_eq!(length(-5), "0 s");
        assert_eq!(length(8 * SECOND), "8 s");
        assert_eq!(length(200 * SECOND), "3 min 20 s");
        assert_eq!(length(12 * MINUTE + 7 * SECOND), "12 min");
        assert_eq!(length(3 * HOUR + 12 * MINUTE), "3 h 12 min");
        assert_eq!(length(3 * HOUR), "3 h");
        assert_eq!(length(3 * DAY), "3 days");
        assert_eq!(ago(20), "just now");
        assert_eq!(ago(2 * SECOND), "2 s ago");
    }

    #[test]
    fn offsets_read_as_people_write_them() {
        assert_eq!(offset_phrase(60), "UTC+1");
        assert_eq!(offset_phrase(-210), "UTC−3:30");
        assert_eq!(offset_phrase(0), "UTC");
    }

    #[test]
    fn the_clocks_difference_is_told_from_a_tenth_of_a_second() {
        assert_eq!(skew_phrase(40_000), "Yours agrees");
        assert_eq!(skew_phrase(210_000), "Yours is 0.2 s behind");
        assert_eq!(skew_phrase(-3 * MINUTE), "Yours is 3 min ahead");
    }

    #[test]
    fn utc_is_read_off_the_instant() {
        assert_eq!(utc_clock(1_764_000_000 * SECOND), "16:00:00");
    }
}
