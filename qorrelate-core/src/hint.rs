//! Debug lines that are said once.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something was said already.
#[derive(Debug)]
pub(crate) struct Hint(AtomicBool);

impl Hint {
    pub(crate) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Whether to say it now: it is the first time, and somebody listens.
    pub(crate) fn is_due(&self) -> bool {
        tracing::enabled!(target: "qorrelate", tracing::Level::DEBUG)
            && !self.0.swap(true, Ordering::Relaxed)
    }
}
