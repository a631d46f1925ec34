//! The samples of a metrics page, each as a series of its name and labels.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Client;
use reqwest::header::ACCEPT;

use super::Measured;
use super::exposition::{self, Line};
use crate::address::Address;
use crate::client::root;
use crate::series::{Sample, Series};

/// Far above any page a producer should send each slot.
const LARGEST_PAGE: usize = 8 << 20;

/// Reads the page and takes every finite sample in it.
pub async fn measure(http: &Client, page: &Address, name: &str, patience: Duration) -> Measured {
    let read = fetch(http, page, patience).await.and_then(|text| {
        let lines = exposition::parse(&text).map_err(|malformed| {
            format!(
                "is no metrics page: {malformed}; --scrape-url must show the Prometheus text format"
            )
        })?;
        Some(samples(lines, name))
            .filter(|samples| !samples.is_empty())
            .ok_or_else(|| "shows no finite sample; is it the right page?".into())
    });
    match read {
        Ok(samples) => Measured {
            samples,
            trouble: None,
        },
        Err(cause) => Measured::nothing(format!("{page} {cause}")),
    }
}

/// The page's text, or what is wrong with it.
async fn fetch(http: &Client, page: &Address, patience: Duration) -> Result<String, String> {
    let failed = |error: reqwest::Error| match error.status() {
        Some(status) => format!("answered {status}; is --scrape-url right?"),
        None => format!("cannot be read: {}; is --scrape-url right?", root(&error)),
    };
    let get = http
        .get(page.secret_url().clone())
        .header(ACCEPT, "text/plain;version=0.0.4;q=1,*/*;q=0.1")
        .timeout(patience);
    let mut response = get
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
        .map_err(failed)?;
    let mut text = Vec::new();
    while let Some(part) = response.chunk().await.map_err(failed)? {
        if text.len() + part.len() > LARGEST_PAGE {
            return Err(format!(
                "is larger than {} MiB; scrape a smaller page",
                LARGEST_PAGE >> 20
            ));
        }
        text.extend_from_slice(&part);
    }
    String::from_utf8(text).map_err(|_| "is no UTF-8 text; is it a metrics page?".into())
}

/// The finite samples, the last of each series, in the order of their series. A label `producer` of the page itself is
/// kept as `exported_producer`, as Prometheus keeps labels that it sets too.
fn samples(lines: Vec<Line>, name: &str) -> Vec<Sample> {
    let mut samples = BTreeMap::new();
    for line in lines {
        let labels = line
            .labels
            .into_iter()
            .map(|(label, value)| match label.as_str() {
                "producer" => ("exported_producer".into(), value),
                _ => (label, value),
            });
        let labels = labels.chain([("producer".into(), name.into())]);
        // A leading colon, which marks the results of Prometheus' own rules, has no series here.
        let sample =
            Series::new(&line.name, labels).and_then(|series| Sample::new(series, line.value));
        if let Some(sample) = sample {
            samples.insert(sample.series.clone(), sample);
        }
    }
    samples.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(page: &str) -> Vec<(String, f64)> {
        let samples = samples(exposition::parse(page).unwrap(), "demo");
        samples
            .into_iter()
            .map(|sample| (sample.series.to_string(), sample.value))
            .collect()
    }

    #[test]
    fn finite_samples_become_series_of_this_producer() {
        let page = "up 1\nload{core=\"0\",state=\"\"} 0.5\nnone NaN\nmost{le=\"+Inf\"} +Inf\nbucket{le=\"+Inf\"} 3\n:rule 1\n";
        let expected = [
            ("bucket{le=\"+Inf\",producer=\"demo\"}".to_owned(), 3.0),
            ("load{core=\"0\",producer=\"demo\"}".to_owned(), 0.5),
            ("up{producer=\"demo\"}".to_owned(), 1.0),
        ];
        assert_eq!(texts(page), expected);
    }

    #[test]
    fn a_page_cannot_pass_for_another_producer() {
        let expected = [(
            "up{exported_producer=\"other\",producer=\"demo\"}".to_owned(),
            1.0,
        )];
        assert_eq!(texts("up{producer=\"other\"} 1"), expected);
    }

    #[test]
    fn the_last_sample_of_a_series_counts() {
        assert_eq!(
            texts("up 1\nup 2"),
            [("up{producer=\"demo\"}".to_owned(), 2.0)]
        );
    }
}
