//! Sources: what can be measured for a slot.

mod clock;
mod exposition;
mod prometheus;

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::address::Address;
use crate::cli::{Kind, Options};
use crate::client::{Client, Failure};
use crate::series::Sample;

/// A page has this long, even if slots pass meanwhile; a clock only until the next slot, for it cannot be told later.
const PAGE_PATIENCE: Duration = Duration::from_secs(10);
const CLOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Something that can be measured.
#[derive(Debug)]
pub struct Source {
    name: String,
    what: What,
}

#[derive(Debug)]
enum What {
    Clock,
    Prometheus {
        http: reqwest::Client,
        page: Address,
    },
}

/// What one run found: samples, and what kept it from finding more.
#[derive(Debug)]
pub struct Measured {
    /// The samples, at most one of each series.
    pub samples: Vec<Sample>,
    /// The cause and the next step, where something is missing.
    pub trouble: Option<Trouble>,
}

/// Why something could not be measured.
#[derive(Debug)]
pub struct Trouble(String);

impl Measured {
    fn nothing(cause: String) -> Self {
        Self {
            samples: Vec::new(),
            trouble: Some(Trouble(cause)),
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self(failure.cause)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Source {
    /// The source that the options name.
    ///
    /// # Errors
    /// When no TLS can be set up.
    pub fn new(options: &Options) -> reqwest::Result<Self> {
        let what = match (options.source, &options.scrape_url) {
            (Kind::Prometheus, Some(page)) => {
                let agent = concat!("sundial-producer/", env!("CARGO_PKG_VERSION"));
                What::Prometheus {
                    http: reqwest::Client::builder().user_agent(agent).build()?,
                    page: page.clone(),
                }
            }
            // The arguments demand a page for the source `prometheus`.
            _ => What::Clock,
        };
        Ok(Self {
            name: options.name().into(),
            what,
        })
    }

    /// Measures for a slot; `next` is the one after it.
    pub async fn measure(
        &self,
        client: &Client,
        slot: Timestamp,
        next: Option<Timestamp>,
    ) -> Measured {
        let begun = Timestamp::now();
        match &self.what {
            What::Clock => {
                let left =
                    next.and_then(|next| Duration::try_from(next.duration_since(begun)).ok());
                // Enough for an answer even where the slot is nearly over, as it is for a run that began late.
                let patience = left
                    .unwrap_or(CLOCK_PATIENCE)
                    .mul_f32(0.8)
                    .clamp(Duration::from_millis(300), CLOCK_PATIENCE);
                clock::measure(client, &self.name, slot, begun, patience).await
            }
            What::Prometheus { http, page } => {
                prometheus::measure(http, page, &self.name, PAGE_PATIENCE).await
            }
        }
    }
}
