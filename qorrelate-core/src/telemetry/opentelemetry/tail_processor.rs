//! Exporting the spans of a session that was not sampled, once it meets an error.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::opentelemetry::trace::{SpanContext, Status, TraceFlags};
use super::opentelemetry::{Array, Context, KeyValue, Value};
use super::opentelemetry_sdk::Resource;
use super::opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use super::opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use crate::id::kept;
use crate::inbound::ATTRIBUTE;
use crate::telemetry::tail::{Next, Tail};
use crate::telemetry::tail_counts::TailCounts;

/// A span processor that brings back the sessions that met an error, although the sampler dropped them. It
/// wraps the processor that exports.
///
/// It goes with a [`SessionSampler`](super::SessionSampler) that is told to
/// [`hold_unsampled`](super::SessionSampler::hold_unsampled). Spans of sampled sessions pass through. Those of
/// other sessions are held in memory until one of these happens:
///
/// - **The session is kept**: all that is held of it is handed on as sampled, each span once, by a thread of
///   its own. For the next 30 minutes, all its spans are sampled.
/// - **They are too old**, or the memory is full: then they are let go, the oldest session first. The limits
///   are [`max_age`](Self::max_age) and [`max_bytes`](Self::max_bytes); [`counts`](Self::counts) tells how
///   many it were.
///
/// A session is kept if one of its spans ends with an error as its status, or with a
/// `http.response.status_code` (or the older `http.status_code`) of 500 or more, or if
/// [`SessionId::keep`](crate::SessionId::keep) is called. Of spans that are sampled, the status alone is looked
/// at.
///
/// **It sees this process alone.** Other services hold their own spans, and learn of the error only if it
/// reaches them.
///
/// `force_flush` waits for what is being handed on, and exports nothing else of what is held. When it is shut
/// down, what is held is dropped.
///
/// # Example
///
/// ```
#[doc = concat!("use ", this_version!(opentelemetry_sdk), "::trace::{ // `opentelemetry_sdk` of this version")]
///     BatchSpanProcessor, InMemorySpanExporter, SdkTracerProvider,
/// };
/// # use qorrelate_core as qorrelate_tower;
#[doc = concat!("use qorrelate_tower::", this_version!(opentelemetry), "::{SessionSampler, SessionTailProcessor};")]
///
/// let exporter = InMemorySpanExporter::default(); // or opentelemetry-otlp's
/// let batches = BatchSpanProcessor::builder(exporter).build();
/// let provider = SdkTracerProvider::builder()
///     .with_sampler(SessionSampler::ratio(0.01).hold_unsampled())
///     .with_span_processor(SessionTailProcessor::new(batches)) // in place of with_batch_exporter
///     .build();
/// # let _ = provider;
/// ```
#[derive(Debug)]
pub struct SessionTailProcessor<P: SpanProcessor + 'static> {
    tail: Arc<Tail<SpanData, Exporting<P>>>,
    keep_for: Duration,
}

impl<P: SpanProcessor + 'static> SessionTailProcessor<P> {
    /// Wraps the processor that exports. Holds 64 MiB, and nothing for longer than ten minutes.
    pub fn new(inner: P) -> Self {
        Self { tail: Arc::new(Tail::new(Exporting(inner))), keep_for: kept::KEEP_FOR }
    }

    /// Holds about so many bytes, and no more than an eighth of it of one session. A span counts with all that
    /// it owns, strings included, so a kilobyte or two is usual.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        if let Some(tail) = Arc::get_mut(&mut self.tail) {
            tail.limits().bytes = bytes;
        }
        self
    }

    /// Lets go of a span when it ended so long ago. It may stay a little longer while nothing happens.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        if let Some(tail) = Arc::get_mut(&mut self.tail) {
            tail.limits().age = age;
        }
        self
    }

    /// Keeps a session for so long after an error, instead of 30 minutes.
    #[must_use]
    pub const fn keep_for(mut self, time: Duration) -> Self {
        self.keep_for = time;
        self
    }

    /// Reports what it holds, and what became of it, as metrics of this meter: see `docs/sampling.md`.
    #[cfg(feature = "metrics")]
    #[must_use]
    pub fn report_to(self, meter: &super::opentelemetry::metrics::Meter) -> Self {
        super::sampling_metrics::report(&self.counts(), "traces", meter);
        self
    }

    /// What it holds, and what became of it, for as long as you look.
    pub fn counts(&self) -> TailCounts {
        self.tail.counts()
    }
}

impl<P: SpanProcessor + 'static> SpanProcessor for SessionTailProcessor<P> {
    fn on_start(&self, span: &mut Span, cx: &Context) {
        self.tail.next.0.on_start(span, cx);
    }

    fn on_end(&self, span: SpanData) {
        let inner = &self.tail.next;
        if span.span_context.is_sampled() {
            let failed = match span.status {
                Status::Error { .. } => session_of(&span).map(Arc::<str>::from),
                _ => None,
            };
            inner.0.on_end(span);
            if let Some(session) = failed {
                kept::keep(&session, self.keep_for);
            }
            return;
        }
        let Some(session) = session_of(&span) else { return inner.0.on_end(span) };
        if is_failure(&span) {
            kept::keep(session, self.keep_for);
            inner.hand_on(span);
        } else {
            let bytes = bytes(&span);
            self.tail.hold(span, bytes);
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

    fn set_resource(&mut self, resource: &Resource) {
        // The SDK calls it while it builds the provider, when nobody else has the processor yet.
        if let Some(tail) = Arc::get_mut(&mut self.tail) {
            tail.next.0.set_resource(resource);
        }
    }
}

/// As long as the SDK's batching processors wait.
pub(super) const FLUSH: Duration = Duration::from_secs(5);

/// Its thread ends.
impl<P: SpanProcessor + 'static> Drop for SessionTailProcessor<P> {
    fn drop(&mut self) {
        self.tail.stop();
    }
}

/// The processor that exports, which takes only what is sampled.
#[derive(Debug)]
struct Exporting<P>(P);

impl<P: SpanProcessor + 'static> Next<SpanData> for Exporting<P> {
    fn session_of(span: &SpanData) -> &str {
        session_of(span).unwrap_or_default()
    }

    fn hand_on(&self, mut span: SpanData) {
        let context = mem::replace(&mut span.span_context, SpanContext::NONE);
        span.span_context = SpanContext::new(
            context.trace_id(),
            context.span_id(),
            context.trace_flags() | TraceFlags::SAMPLED,
            context.is_remote(),
            context.trace_state().clone(),
        );
        self.0.on_end(span);
    }

    fn flush(&self) {
        // What fails is the exporter's, and it says so itself.
        let _ = self.0.force_flush();
    }

    fn suppress_telemetry() -> impl Sized {
        Context::enter_telemetry_suppressed_scope()
    }
}

fn session_of(span: &SpanData) -> Option<&str> {
    let session = span.attributes.iter().find(|attribute| attribute.key.as_str() == ATTRIBUTE)?;
    match &session.value {
        Value::String(session) => Some(session.as_str()),
        _ => None,
    }
}

/// Whether it ended in an error, or with HTTP's 5xx (semantic conventions, "HTTP spans"; the older name is what
/// tracing-actix-web writes).
fn is_failure(span: &SpanData) -> bool {
    matches!(span.status, Status::Error { .. })
        || span.attributes.iter().any(|attribute| {
            matches!(attribute.key.as_str(), "http.response.status_code" | "http.status_code")
                && is_5xx(&attribute.value)
        })
}

fn is_5xx(status: &Value) -> bool {
    match status {
        Value::I64(status) => *status >= 500,
        Value::String(status) => status.as_str().parse::<u16>().is_ok_and(|status| status >= 500),
        _ => false,
    }
}

/// An estimate: what it owns itself and on the heap, shared strings as if they were its own.
fn bytes(span: &SpanData) -> usize {
    let events = span.events.iter().map(|event| {
        mem::size_of_val(event) + event.name.len() + of_attributes(&event.attributes)
    });
    let links = span
        .links
        .iter()
        .map(|link| mem::size_of_val(link) + of_attributes(&link.attributes));
    mem::size_of::<SpanData>()
        + span.name.len()
        + span.attributes.capacity() * mem::size_of::<KeyValue>()
        + span.attributes.iter().map(of_attribute).sum::<usize>()
        + events.sum::<usize>()
        + links.sum::<usize>()
}

fn of_attributes(attributes: &[KeyValue]) -> usize {
    mem::size_of_val(attributes) + attributes.iter().map(of_attribute).sum::<usize>()
}

/// Its strings.
fn of_attribute(attribute: &KeyValue) -> usize {
    let of_value = match &attribute.value {
        Value::String(value) => value.as_str().len(),
        Value::Array(Array::String(values)) => {
            values.iter().map(|value| mem::size_of_val(value) + value.as_str().len()).sum()
        }
        Value::Array(Array::Bool(values)) => values.len(),
        Value::Array(Array::I64(values)) => mem::size_of_val(&values[..]),
        Value::Array(Array::F64(values)) => mem::size_of_val(&values[..]),
        _ => 0,
    };
    attribute.key.as_str().len() + of_value
}
