//! Exporting the log records of a session that was not sampled, once it meets an error.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::opentelemetry::logs::{AnyValue, Severity};
use super::opentelemetry::{Context, InstrumentationScope};
use super::opentelemetry_sdk::Resource;
use super::opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use super::opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};
use super::tail_processor::FLUSH;
use crate::id::{SessionId, SessionRatio};
use crate::inbound::ATTRIBUTE;
use crate::telemetry::tail::{Next, Tail};
use crate::telemetry::tail_counts::TailCounts;

/// A log processor that samples log records by session, and brings those of a session back that is kept later:
/// what `SessionTailProcessor` does for spans. It wraps the processor that exports.
///
/// Records of sessions that are in the ratio, and of no session, pass through. Those of other sessions are
/// held in memory until the session is kept (because of an error on a span, or of [`SessionId::keep`]), or
/// until they are let go: the oldest session first. A log record of its own keeps no session, whatever its
/// severity.
///
/// It goes inside of a [`SessionLogProcessor`](super::SessionLogProcessor), which tags the records: a record
/// belongs to the session that it has as `session.id`.
///
/// # Example
///
/// ```
#[doc = concat!("use ", this_version!(opentelemetry_sdk), "::logs::{ // `opentelemetry_sdk` of this version")]
///     BatchLogProcessor, InMemoryLogExporter, SdkLoggerProvider,
/// };
/// # use qorrelate_core as qorrelate_tower;
#[doc = concat!("use qorrelate_tower::", this_version!(opentelemetry), "::{SessionLogProcessor, SessionTailLogProcessor};")]
///
/// let exporter = InMemoryLogExporter::default(); // or opentelemetry-otlp's
/// let batches = BatchLogProcessor::builder(exporter).build();
/// let tail = SessionTailLogProcessor::new(batches, 0.01); // the ratio of the sampler
/// let provider = SdkLoggerProvider::builder()
///     .with_log_processor(SessionLogProcessor::new(tail))
///     .build();
/// # let _ = provider;
/// ```
#[derive(Debug)]
pub struct SessionTailLogProcessor<P: LogProcessor + 'static> {
    tail: Arc<Tail<Record, Exporting<P>>>,
    ratio: SessionRatio,
}

impl<P: LogProcessor + 'static> SessionTailLogProcessor<P> {
    /// Wraps the processor that exports. The ratio is that of the sampler. Holds 64 MiB, and nothing for longer
    /// than ten minutes.
    pub fn new(inner: P, ratio: impl Into<SessionRatio>) -> Self {
        Self { tail: Arc::new(Tail::new(Exporting(inner))), ratio: ratio.into() }
    }

    /// Holds about so many bytes, and no more than an eighth of it of one session.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        if let Some(tail) = Arc::get_mut(&mut self.tail) {
            tail.limits().bytes = bytes;
        }
        self
    }

    /// Lets go of a record when it was emitted so long ago. It may stay a little longer while nothing happens.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        if let Some(tail) = Arc::get_mut(&mut self.tail) {
            tail.limits().age = age;
        }
        self
    }

    /// Reports what it holds, and what became of it, as metrics of this meter: see `docs/sampling.md`.
    #[cfg(feature = "metrics")]
    #[must_use]
    pub fn report_to(self, meter: &super::opentelemetry::metrics::Meter) -> Self {
        super::sampling_metrics::report(&self.counts(), "logs", meter);
        self
    }

    /// What it holds, and what became of it, for as long as you look.
    pub fn counts(&self) -> TailCounts {
        self.tail.counts()
    }
}

impl<P: LogProcessor + 'static> LogProcessor for SessionTailLogProcessor<P> {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        match session_of(record) {
            Some(session) if !self.ratio.keeps(&session) => {
                let bytes = bytes(record);
                let (record, scope) = (record.clone(), scope.clone());
                self.tail.hold(Record { session, record, scope }, bytes);
            }
            _ => self.tail.next.0.emit(record, scope),
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        let is_done = self.tail.flush(FLUSH);
        self.tail.next.0.force_flush()?;
        if is_done { Ok(()) } else { Err(OTelSdkError::Timeout(FLUSH)) }
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.tail.stop();
        let is_done = self.tail.flush(timeout);
        self.tail.next.0.shutdown_with_timeout(timeout)?;
        if is_done { Ok(()) } else { Err(OTelSdkError::Timeout(timeout)) }
    }

    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        self.tail.next.0.event_enabled(level, target, name)
    }

    fn set_resource(&mut self, resource: &Resource) {
        // The SDK calls it while it builds the provider, when nobody else has the processor yet.
        if let Some(tail) = Arc::get_mut(&mut self.tail) {
            tail.next.0.set_resource(resource);
        }
    }
}

/// Its thread ends.
impl<P: LogProcessor + 'static> Drop for SessionTailLogProcessor<P> {
    fn drop(&mut self) {
        self.tail.stop();
    }
}

#[derive(Debug)]
struct Record {
    session: SessionId,
    record: SdkLogRecord,
    scope: InstrumentationScope,
}

/// The processor that exports.
#[derive(Debug)]
struct Exporting<P>(P);

impl<P: LogProcessor + 'static> Next<Record> for Exporting<P> {
    fn session_of(record: &Record) -> &str {
        record.session.as_str()
    }

    fn hand_on(&self, mut record: Record) {
        self.0.emit(&mut record.record, &record.scope);
    }

    fn flush(&self) {
        // What fails is the exporter's, and it says so itself.
        let _ = self.0.force_flush();
    }

    fn suppress_telemetry() -> impl Sized {
        Context::enter_telemetry_suppressed_scope()
    }
}

/// The session that the record says it is in. As a rule it is the current one, which need not be copied.
fn session_of(record: &SdkLogRecord) -> Option<SessionId> {
    let said = record.attributes_iter().find(|(name, _)| name.as_str() == ATTRIBUTE)?;
    let AnyValue::String(said) = &said.1 else { return None };
    match SessionId::current() {
        Some(current) if current == *said.as_str() => Some(current),
        _ => said.as_str().parse().ok(),
    }
}

/// An estimate, as for spans.
fn bytes(record: &SdkLogRecord) -> usize {
    let attributes = record
        .attributes_iter()
        .map(|attribute| mem::size_of_val(attribute) + attribute.0.as_str().len() + of_value(&attribute.1));
    mem::size_of::<Record>()
        + record.body().map_or(0, of_value)
        + record.target().map_or(0, |target| target.len())
        + attributes.sum::<usize>()
}

/// What it has on the heap.
fn of_value(value: &AnyValue) -> usize {
    match value {
        AnyValue::String(value) => value.as_str().len(),
        AnyValue::Bytes(value) => value.len(),
        AnyValue::ListAny(values) => {
            values.iter().map(|value| mem::size_of_val(value) + of_value(value)).sum()
        }
        AnyValue::Map(values) => values
            .iter()
            .map(|(key, value)| {
                mem::size_of_val(key) + key.as_str().len() + mem::size_of_val(value) + of_value(value)
            })
            .sum(),
        _ => 0,
    }
}
