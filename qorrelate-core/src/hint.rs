//! Debug lines that are said once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something was said already, by this layer and its clones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hint(Arc<AtomicBool>);

impl Hint {
    /// Whether to say it now: it is the first time, and somebody listens.
    pub(crate) fn is_due(&self) -> bool {
        tracing::enabled!(target: "qorrelate", tracing::Level::DEBUG)
            && !self.0.swap(true, Ordering::Relaxed)
    }
}
