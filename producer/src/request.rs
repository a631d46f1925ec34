//! The request that writes a slot's samples: what it is made of, and what passes for one.

use std::borrow::Cow;

use graphql_client::GraphQLQuery;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use crate::operation::{Ingest, ingest};
use crate::series::Sample;

/// The largest request, in bytes: as much as a server takes.
pub const LARGEST: usize = 8 << 20;

/// Why there is no request.
#[derive(Debug, thiserror::Error)]
pub enum Unwritable {
    /// It is no JSON.
    #[error("the request cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// No server would take it.
    #[error("the run is larger than the {} MiB that a server takes; measure less", LARGEST >> 20)]
    TooLarge,
}

/// The request that writes a slot's samples. The key comes from producer, slot and tenant alone, so that a repeated run
/// of a slot cannot count twice.
///
/// # Errors
/// When it cannot be written as JSON or is too large.
pub fn request(
    tenant: &str,
    name: &str,
    slot: Timestamp,
    samples: &[Sample],
) -> Result<Vec<u8>, Unwritable> {
    let batch = |sample: &Sample| ingest::SeriesBatch {
        series: sample.series.to_string(),
        times: vec![slot.as_microsecond()],
        values: vec![sample.value],
    };
    let request = serde_json::to_vec(&Ingest::build_query(ingest::Variables {
        tenant: tenant.into(),
        batches: samples.iter().map(batch).collect(),
        idempotency_key: Some(key(tenant, name, slot)),
    }))?;
    if request.len() > LARGEST {
        return Err(Unwritable::TooLarge);
    }
    Ok(request)
}

/// 32 hexadecimal digits. Each part has its length in front, so that no two triples read the same.
fn key(tenant: &str, name: &str, slot: Timestamp) -> String {
    let slot = slot.as_microsecond().to_string();
    let mut hash = Sha256::new();
    for part in [name, &slot, tenant] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Whether bytes are a request as [`request`] writes it for a tenant, be it in another version of this program.
pub fn is_ingest(tenant: &str, bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Written<'a> {
        #[serde(borrow)]
        query: Cow<'a, str>,
        operation_name: String,
        variables: Variables,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Variables {
        tenant: String,
        #[serde(rename = "batches")]
        _batches: Vec<IgnoredAny>,
        #[serde(rename = "idempotencyKey")]
        _idempotency_key: String,
    }
    serde_json::from_slice::<Written<'_>>(bytes).is_ok_and(|written| {
        written.query.trim_start().starts_with("mutation Ingest(")
            && written.operation_name == "Ingest"
            && written.variables.tenant == tenant
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Series;

    #[test]
    fn the_key_is_of_producer_slot_and_tenant() {
        let slot: Timestamp = "2026-05-01T10:00:00Z".parse().unwrap();
        let later = slot + std::time::Duration::from_secs(1);
        let first = key("prod", "clock", slot);
        assert_eq!(first.len(), 32);
        assert_eq!(first, key("prod", "clock", slot));
        for other in [
            key("test", "clock", slot),
            key("prod", "clock2", slot),
            key("prod", "clock", later),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn a_request_passes_for_one_of_its_tenant_alone() {
        let bytes = request("prod", "clock", Timestamp::UNIX_EPOCH, &[]).unwrap();
        assert!(is_ingest("prod", &bytes));
        assert!(!is_ingest("test", &bytes));
        assert!(!is_ingest("prod", &bytes[1..]));
    }

    #[test]
    fn a_request_is_no_larger_than_a_server_takes() {
        let sample = |index: usize| {
            let series = Series::new(&format!("a{index}_{}", "x".repeat(1 << 20)), [])?;
            Sample::new(series, 1.0)
        };
        let samples: Vec<_> = (0..9).filter_map(sample).collect();
        let large = request("prod", "clock", Timestamp::UNIX_EPOCH, &samples);
        assert!(matches!(large, Err(Unwritable::TooLarge)));
        assert!(request("prod", "clock", Timestamp::UNIX_EPOCH, &samples[..7]).is_ok());
    }
}
