//! Log lines that are said once.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something was said already.
#[derive(Debug)]
pub(crate) struct Hint(AtomicBool);

impl Hint {
    pub(crate) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Whether to say it now: it is the first time, and somebody listens at this level.
    pub(crate) fn is_due(&self, level: tracing::Level) -> bool {
        // Read first: a write would take the cache line from the other cores.
        !self.0.load(Ordering::Relaxed) && is_heard(level) && !self.0.swap(true, Ordering::Relaxed)
    }
}

/// Whether somebody listens to what this crate says at this level.
pub(crate) fn is_heard(level: tracing::Level) -> bool {
    match level {
        tracing::Level::WARN => tracing::enabled!(target: "qorrelate", tracing::Level::WARN),
        _ => tracing::enabled!(target: "qorrelate", tracing::Level::DEBUG),
    }
}
