//! How long the parts of proving and verifying take, with the feature `parts`; without it this is nothing.

/// Runs a part. The times of equal names add up, over all threads.
#[cfg(not(feature = "parts"))]
#[inline]
pub(crate) fn part<T>(_: &'static str, run: impl FnOnce() -> T) -> T {
    run()
}

#[cfg(feature = "parts")]
pub(crate) use measured::part;

/// The seconds of each part since the last call, by name.
#[cfg(feature = "parts")]
pub use measured::take;

#[cfg(feature = "parts")]
mod measured {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};
    use std::time::Instant;

    static PARTS: Mutex<BTreeMap<&str, f64>> = Mutex::new(BTreeMap::new());

    pub(crate) fn part<T>(name: &'static str, run: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = run();
        let seconds = start.elapsed().as_secs_f64();
        *PARTS.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_insert(0.0) += seconds;
        done
    }

    /// The seconds of each part since the last call, by name.
    pub fn take() -> BTreeMap<&'static str, f64> {
        std::mem::take(&mut *PARTS.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
