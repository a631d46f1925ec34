//! Numbers as they are read: a unit that fits, few digits, a true minus, groups of three.

/// How the values of one series are written: a factor and the unit that goes with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    factor: f64,
    /// The unit behind the figure; empty when the series has none.
    pub unit: String,
}

impl Scale {
    /// The scale that suits values up to `size`. The unit is the series' own or, failing that, the one its name ends in
    /// (`clock.offset_seconds`, after Prometheus' naming rule).
    pub fn new(key: &str, unit: Option<&str>, size: f64) -> Self {
        let unit = unit
            .filter(|unit| !unit.is_empty())
            .unwrap_or_else(|| unit_of_name(key));
        let size = size.abs();
        let (factor, unit) = match unit {
            "s" | "seconds" if size > 0.0 && size < 1e-3 => (1e6, "µs"),
            "s" | "seconds" if size > 0.0 && size < 1.0 => (1e3, "ms"),
            "s" | "seconds" => (1.0, "s"),
            "B" | "By" | "bytes" if size >= 1e9 => (1e-9, "GB"),
            "B" | "By" | "bytes" if size >= 1e6 => (1e-6, "MB"),
            "B" | "By" | "bytes" if size >= 1e3 => (1e-3, "kB"),
            "B" | "By" | "bytes" => (1.0, "B"),
            other => (1.0, other),
        };
        Self {
            factor,
            unit: unit.to_owned(),
        }
    }

    /// The figure alone: "−0.072".
    pub fn bare(&self, value: f64) -> String {
        // What is counted is whole; what is measured is whole by chance, and its digits would jump.
        let counted = matches!(self.unit.as_str(), "" | "B");
        number(value * self.factor, counted)
    }

    /// The figure and its unit: "−0.072 ms".
    pub fn full(&self, value: f64) -> String {
        let figure = self.bare(value);
        match self.unit.as_str() {
            "" => figure,
            "%" => format!("{figure}%"),
            unit => format!("{figure} {unit}"),
        }
    }

    /// The labels of an axis, all with as many decimals as the step between them needs.
    pub fn ticks(&self, splits: &[f64]) -> Vec<String> {
        let step = match splits {
            [first, second, ..] => ((second - first) * self.factor).abs(),
            _ => 1.0,
        };
        // A step of 0.25 needs two decimals, of 0.5 one, of 20 none.
        let decimals = (0..=6)
            .find(|decimals| {
                let scaled = step * 10f64.powi(*decimals);
                (scaled - scaled.round()).abs() < 1e-6 * scaled.max(1.0)
            })
            .unwrap_or(6);
        splits
            .iter()
            .map(|split| fixed(split * self.factor, decimals as usize))
            .collect()
    }
}

/// A count: "159,908".
pub fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// A count and its noun: "1 point", "300 points".
pub fn counted(value: u64, noun: &str) -> String {
    let ending = if value == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(value))
}

/// A number in at most four significant digits and three decimals, unless it is very small. Whole ones that are `counted`
/// have no decimals.
fn number(value: f64, counted: bool) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(5e-4..1e15).contains(&size) {
        return format!("{value:.2e}").replace('-', "−");
    }
    let decimals = match size {
        _ if counted && value.fract() == 0.0 => 0,
        1_000.0.. => 0,
        100.0.. => 1,
        10.0.. => 2,
        _ => 3,
    };
    fixed(value, decimals)
}

fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let figure = match text.split_once('.') {
        Some((whole, rest)) => format!("{}.{rest}", grouped(whole)),
        None => grouped(&text),
    };
    let is_zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    if value < 0.0 && !is_zero {
        format!("−{figure}")
    } else {
        figure
    }
}

fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn unit_of_name(key: &str) -> &'static str {
    let name = key.split('{').next().unwrap_or_default();
    match name.rsplit(['_', '.']).next() {
        Some("seconds") => "s",
        Some("bytes") => "B",
        Some("celsius") => "°C",
        Some("watts") => "W",
        Some("volts") => "V",
        Some("amperes") => "A",
        Some("meters") => "m",
        Some("ppm") => "ppm",
        Some("percent") => "%",
        _ => "",
    }
}

/// A series' key in two: its name, and its labels without the braces.
pub fn split_key(key: &str) -> (&str, &str) {
    match key.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').unwrap_or(labels)),
        None => (key, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_carry_a_true_minus() {
        let number = |value| number(value, true);
        assert_eq!(number(-0.072), "−0.072");
        assert_eq!(number(159_908.0), "159,908");
        assert_eq!(number(412.6), "412.6");
        assert_eq!(number(31.0), "31");
        assert_eq!(number(1_234.56), "1,235");
        assert_eq!(number(0.000_012), "1.20e−5");
        assert_eq!(number(-0.0), "0");
    }

    #[test]
    fn seconds_become_the_unit_that_fits() {
        let scale = Scale::new("clock.offset_seconds{producer=\"clock\"}", None, 0.0008);
        assert_eq!(scale.full(-0.000_072), "−72.00 µs");
        let scale = Scale::new("clock.offset_seconds", Some("s"), 0.4);
        assert_eq!(scale.full(0.000_108), "0.108 ms");
        assert_eq!(Scale::new("runner.queue_length", None, 4.0).full(4.0), "4");
        assert_eq!(Scale::new("tank.level", Some("%"), 4.0).full(4.2), "4.200%");
    }

    #[test]
    fn a_measured_value_keeps_its_digits_when_it_is_whole_by_chance() {
        let scale = Scale::new("uptime_seconds", None, 9.0);
        assert_eq!(
            [8.61, 9.0].map(|value| scale.full(value)),
            ["8.610 s", "9.000 s"]
        );
        let scale = Scale::new("disk_bytes", None, 900.0);
        assert_eq!(scale.full(900.0), "900 B");
    }

    #[test]
    fn ticks_share_their_decimals() {
        let scale = Scale::new("x", None, 1.0);
        assert_eq!(scale.ticks(&[-0.5, 0.0, 0.5]), ["−0.5", "0.0", "0.5"]);
        assert_eq!(scale.ticks(&[0.0, 0.25]), ["0.00", "0.25"]);
        assert_eq!(scale.ticks(&[0.0, 1_000.0]), ["0", "1,000"]);
    }

    #[test]
    fn counts_agree_with_their_noun() {
        assert_eq!(counted(1, "point"), "1 point");
        assert_eq!(counted(1_300, "point"), "1,300 points");
    }

    #[test]
    fn a_key_is_a_name_and_its_labels() {
        assert_eq!(split_key("a.b{c=\"d\"}"), ("a.b", "c=\"d\""));
        assert_eq!(split_key("a.b"), ("a.b", ""));
    }
}
