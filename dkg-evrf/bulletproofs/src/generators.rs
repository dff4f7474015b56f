//! Generators that nobody chose: hashed from the version, the curve and an index.

use std::sync::{Arc, Mutex, PoisonError};

use crate::curve::{ProofCurve, hash_parts};
use crate::error::Error;

/// Fixes how generators are derived. Another version has other generators.
const DOMAIN: &[u8] = b"headwater bulletproofs generators v1";

/// The greatest number of rows: bounds the generators that are ever derived and kept (about 75 MiB on secp256k1, with tables).
pub const MAX_ROWS: usize = 1 << 15;

/// The generators of the argument for at most `rows` rows.
pub struct Generators<C: ProofCurve> {
    /// The generator `G` of values.
    pub(crate) g: C::Point,
    /// The generator `H` of blinding.
    pub(crate) h: C::Point,
    /// One generator for each left factor.
    pub(crate) g_bold: Vec<C::Point>,
    /// One generator for each right factor.
    pub(crate) h_bold: Vec<C::Point>,
    /// `G`s and `H`s once more, for secret scalars.
    pub(crate) prepared: [C::Prepared; 2],
}

impl<C: ProofCurve> Generators<C> {
    /// The generators for `rows` rows, derived once for each process and kept.
    ///
    /// # Errors
    ///
    /// [`Error::Rows`] unless `rows` is a power of two and at most [`MAX_ROWS`].
    pub fn cached(rows: usize) -> Result<Arc<Self>, Error> {
        if !rows.is_power_of_two() || (rows > MAX_ROWS) {
            return Err(Error::Rows { rows });
        }
        let mut cached = C::generator_cache().0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(generators) = cached.iter().find(|generators| generators.rows() == rows) {
            return Ok(Arc::clone(generators));
        }
        let generators = Arc::new(Self::derive(rows));
        cached.push(Arc::clone(&generators));
        Ok(generators)
    }

    fn derive(rows: usize) -> Self {
        let point = |name: &[u8], index: usize| {
            C::derive(|counter| {
                let index = (index as u64).to_le_bytes();
                hash_parts(&[DOMAIN, C::ID.as_bytes(), name, &index, &counter.to_le_bytes()])
            })
        };
        let [g_bold, h_bold] =
            [&b"left"[..], b"right"].map(|name| (0..rows).map(|i| point(name, i)).collect::<Vec<_>>());
        let prepared = [C::prepare(&g_bold), C::prepare(&h_bold)];
        Self { g: C::generator(), h: point(b"blinding", 0), g_bold, h_bold, prepared }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.g_bold.len()
    }

    /// The generator `H`, whose logarithm to `G` nobody knows.
    pub fn blinding(&self) -> C::Point {
        self.h
    }
}

/// The generators which a process has derived, one set for each number of rows: at most sixteen sets for each curve.
pub struct GeneratorCache<C: ProofCurve>(Mutex<Vec<Arc<Generators<C>>>>);

impl<C: ProofCurve> GeneratorCache<C> {
    /// An empty cache.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}
