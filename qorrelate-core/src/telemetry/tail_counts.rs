//! What a tail processor did so far, in numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a tail processor holds, and what became of what it held. Clones count the same.
///
/// Items are spans, or log records.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "opentelemetry_0_33")] {
/// # use opentelemetry_sdk_0_33 as opentelemetry_sdk;
/// use opentelemetry_sdk::trace::{InMemorySpanExporter, SimpleSpanProcessor};
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::opentelemetry_0_33::SessionTailProcessor;
///
/// let exporter = InMemorySpanExporter::default(); // or opentelemetry-otlp's
/// let tail = SessionTailProcessor::new(SimpleSpanProcessor::new(exporter));
/// let counts = tail.counts();
/// // ... the processor goes into the tracer provider, and the numbers to wherever you report:
/// assert_eq!(counts.sessions_evicted(), 0);
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TailCounts(Arc<Counts>);

impl TailCounts {
    /// How many sessions something is held of now.
    pub fn sessions_holding(&self) -> u64 {
        read(&self.0.sessions)
    }

    /// How many bytes are held now, as estimated.
    pub fn bytes_holding(&self) -> u64 {
        read(&self.0.bytes)
    }

    /// How many sessions something was held of.
    pub fn sessions_held(&self) -> u64 {
        read(&self.0.sessions_held)
    }

    /// How many items were held.
    pub fn items_held(&self) -> u64 {
        read(&self.0.held)
    }

    /// How many sessions were handed over late.
    pub fn sessions_handed_over(&self) -> u64 {
        read(&self.0.sessions_handed_over)
    }

    /// How many items were handed over late.
    pub fn items_handed_over(&self) -> u64 {
        read(&self.0.handed_over)
    }

    /// How many sessions were let go because memory was full: their part until then is lost, even if they
    /// meet an error later.
    pub fn sessions_evicted(&self) -> u64 {
        read(&self.0.sessions_evicted)
    }

    /// How many items were let go because memory was full.
    pub fn items_evicted(&self) -> u64 {
        read(&self.0.evicted)
    }

    /// How many items were let go because they had been held long enough.
    pub fn items_expired(&self) -> u64 {
        read(&self.0.expired)
    }

    /// How many items were dropped when the processor was shut down, or after.
    pub fn items_dropped(&self) -> u64 {
        read(&self.0.dropped)
    }

    pub(super) const fn new(counts: Arc<Counts>) -> Self {
        Self(counts)
    }
}

/// Written under the lock of what is held, read by anybody.
#[derive(Debug, Default)]
pub(super) struct Counts {
    sessions: AtomicU64,
    bytes: AtomicU64,
    sessions_held: AtomicU64,
    held: AtomicU64,
    sessions_handed_over: AtomicU64,
    handed_over: AtomicU64,
    sessions_evicted: AtomicU64,
    evicted: AtomicU64,
    expired: AtomicU64,
    dropped: AtomicU64,
}

impl Counts {
    pub(super) fn has_evicted(&self) -> bool {
        read(&self.evicted) > 0
    }

    pub(super) fn now(&self, sessions: usize, bytes: usize) {
        self.sessions.store(sessions as u64, Ordering::Relaxed);
        self.bytes.store(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn session_held(&self) {
        add(&self.sessions_held, 1);
    }

    pub(super) fn held(&self, items: u64) {
        add(&self.held, items);
    }

    pub(super) fn session_handed_over(&self) {
        add(&self.sessions_handed_over, 1);
    }

    pub(super) fn handed_over(&self, items: u64) {
        add(&self.handed_over, items);
    }

    pub(super) fn session_evicted(&self) {
        add(&self.sessions_evicted, 1);
    }

    pub(super) fn evicted(&self, items: u64) {
        add(&self.evicted, items);
    }

    pub(super) fn expired(&self, items: u64) {
        add(&self.expired, items);
    }

    pub(super) fn dropped(&self, items: u64) {
        add(&self.dropped, items);
    }
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}
