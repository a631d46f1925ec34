//! Numbers as pco compresses them, read back with care.

use pco::metadata::DeltaEncoding;
use pco::wrapped::{FileCompressor, FileDecompressor};
use pco::{ChunkConfig, DeltaSpec, PagingSpec};

use super::Damaged;

/// With fewer numbers than this, choosing how to compress takes pco longer than the bytes are worth.
pub(super) const WORTH_PCO: usize = 64;

/// How hard pco looks for a better encoding, of 12. Measured on gauges and jittered times, 8 takes up to five times as
/// long for 1 % less.
const LEVEL: usize = 4;

/// pco's mode that brings its own dictionary, which is never written here and would let forged bytes ask for 256 MB.
const DICTIONARY_MODE: u8 = 4;

/// log2 of the longest look-back that pco writes; forged bytes could ask for more memory.
const LOOKBACK_LOG: u32 = 15;

/// Compresses numbers, or tells that it does not pay.
pub(super) fn compress<T: pco::data_types::Number>(
    numbers: &[T],
    delta: DeltaSpec,
) -> Option<Vec<u8>> {
    if numbers.len() < WORTH_PCO {
        return None;
    }
    let config = ChunkConfig::default()
        .with_compression_level(LEVEL)
        .with_delta_spec(delta)
        .with_paging_spec(PagingSpec::Exact(vec![numbers.len()]));
    let file = FileCompressor::default();
    let mut bytes = file.write_header(Vec::new()).ok()?;
    let mut chunk = file.chunk_compressor(numbers, &config).ok()?;
    bytes.reserve_exact(chunk.meta_size_hint() + chunk.page_size_hint(0));
    bytes = chunk.write_meta(bytes).ok()?;
    chunk.write_page(0, bytes).ok()
}

/// Reads `count` compressed numbers, which take all of `bytes`.
pub(super) fn decompress<T: pco::data_types::Number>(
    bytes: &[u8],
    count: usize,
) -> Result<Vec<T>, Damaged> {
    let refused = |_| Damaged("compressed numbers cannot be read");
    let (file, bytes) = FileDecompressor::new(bytes).map_err(refused)?;
    if bytes
        .first()
        .is_none_or(|byte| byte & 0x0f == DICTIONARY_MODE)
    {
        return Err(Damaged("compressed numbers have an unknown encoding"));
    }
    let (mut chunk, bytes) = file.chunk_decompressor::<T, _>(bytes).map_err(refused)?;
    match &chunk.meta().delta_encoding {
        DeltaEncoding::NoOp | DeltaEncoding::Consecutive { .. } => {}
        DeltaEncoding::Lookback { config, .. } if config.window_n_log <= LOOKBACK_LOG => {}
        _ => return Err(Damaged("compressed numbers have an unknown encoding")),
    }
    let mut numbers = vec![T::default(); count];
    let mut page = chunk.page_decompressor(bytes, count).map_err(refused)?;
    let progress = page.read(&mut numbers).map_err(refused)?;
    if progress.n_processed == count && progress.finished && page.into_src().is_empty() {
        Ok(numbers)
    } else {
        Err(Damaged("compressed numbers are too few or too many"))
    }
}
