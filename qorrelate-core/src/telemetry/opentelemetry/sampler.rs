//! `session.id` on every span that starts in a session, and which spans are sampled because of theirs.

use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Level;

use super::context::session_for;
use super::labels;
use super::opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId, TraceState};
use super::opentelemetry::{Context, KeyValue, Value};
use super::opentelemetry_sdk::trace::{
    Config, Sampler, SamplingDecision, SamplingResult, ShouldSample,
};
use crate::id::kept::is_any_kept;
use crate::id::labels::Labels;
use crate::id::{SessionId, SessionRatio};
use crate::inbound::ATTRIBUTE;
use crate::telemetry::hint::Hint;

/// A sampler that adds `session.id` to every span that starts in a session, and leaves the decision to
/// the sampler it wraps, or decides by session.
///
/// The sampler is the one place in the SDK that sees every span before it starts, with its parent context
/// and its attributes. So it alone can tag without ever writing `session.id` twice: a span that has the
/// attribute already keeps it as it is. Spans that are sampled away are not tagged.
///
/// The session is the one that is current on the thread where the span starts, else the one in the span's
/// parent context.
///
/// A session that is kept ([`SessionId::keep`]) is sampled whatever the wrapped sampler says.
///
/// The SDK keeps the first 128 attributes of a span, and those of a sampler come last. A span that starts
/// with 128 attributes of its own needs `with_max_attributes_per_span(129)` on the tracer provider; one
/// `DEBUG` event says so.
///
/// # Example
///
/// ```
#[doc = concat!("use ", this_version!(opentelemetry_sdk), "::trace::{Sampler, SdkTracerProvider}; // `opentelemetry_sdk` of this version")]
/// # use qorrelate_core as qorrelate_tower;
#[doc = concat!("use qorrelate_tower::", this_version!(opentelemetry), "::SessionSampler;")]
///
/// // Samples as the SDK does by default, and as `OTEL_TRACES_SAMPLER` says.
/// let provider = SdkTracerProvider::builder().with_sampler(SessionSampler::default()).build();
///
/// // Samples as you say.
/// let provider = SdkTracerProvider::builder()
///     .with_sampler(SessionSampler::new(Sampler::TraceIdRatioBased(0.1)))
///     .build();
///
/// // Samples whole sessions: one in ten.
/// let provider = SdkTracerProvider::builder().with_sampler(SessionSampler::ratio(0.1)).build();
/// # let _ = provider;
/// ```
#[derive(Debug, Clone)]
pub struct SessionSampler {
    decides: Decides,
    holds_unsampled: bool,
    #[cfg(feature = "metrics")]
    decisions: Option<super::sampling_metrics::Decisions>,
}

#[derive(Debug, Clone)]
enum Decides {
    Sampler(Box<dyn ShouldSample>),
    Session(SessionRatio),
}

impl SessionSampler {
    /// Wraps the sampler that decides.
    pub fn new(inner: impl Into<Box<dyn ShouldSample>>) -> Self {
        Self::of(Decides::Sampler(inner.into()))
    }

    /// Samples this share of the sessions, each of them wholly or not at all: see [`SessionRatio`].
    ///
    /// The decision depends on the session ID alone, so every service with the same ratio makes the same
    /// one. **A parent is not asked**: a span of a session is decided by its session, whatever the
    /// `sampled` flag of a `traceparent` or of the parent span says. Where services have different ratios,
    /// those with the lower one leave gaps in the traces of the others.
    ///
    /// A span in no session is decided as its parent was if that is a span of this process, else by the
    /// SDK's `TraceIdRatioBased` of the same ratio.
    ///
    /// # Parents that decide
    ///
    /// To do as the parent does, and decide by session only where a trace starts, put it inside of the
    /// SDK's sampler, and that into one that tags (the SDK's sampler drops what inner ones add):
    ///
    /// ```
    #[doc = concat!("use ", this_version!(opentelemetry_sdk), "::trace::Sampler; // `opentelemetry_sdk` of this version")]
    /// # use qorrelate_core as qorrelate_tower;
    #[doc = concat!("use qorrelate_tower::", this_version!(opentelemetry), "::SessionSampler;")]
    ///
    /// let roots = SessionSampler::ratio(0.1);
    /// let sampler = SessionSampler::new(Sampler::ParentBased(Box::new(roots)));
    /// # let _ = sampler;
    /// ```
    ///
    /// Then a session is whole only as far as every trace of it starts where it is known: a browser or a
    /// gateway that samples by trace cuts it.
    pub fn ratio(ratio: impl Into<SessionRatio>) -> Self {
        Self::of(Decides::Session(ratio.into()))
    }

    const fn of(decides: Decides) -> Self {
        Self {
            decides,
            holds_unsampled: false,
            #[cfg(feature = "metrics")]
            decisions: None,
        }
    }

    /// Records the spans of sessions that are not sampled too, for a
    #[doc = concat!("[`SessionTailProcessor`](crate::", this_version!(opentelemetry), "::SessionTailProcessor),")]
    /// which exports them if the session meets an error.
    ///
    /// They are recorded and not sampled (`SamplingDecision::RecordOnly`), which no other processor
    /// exports. Recording costs what it costs for spans that are exported.
    #[must_use]
    pub fn hold_unsampled(mut self) -> Self {
        self.holds_unsampled = true;
        self
    }

    /// Reports how many spans are sampled, held and dropped as a metric of this meter: see `docs/sampling.md`.
    /// It costs some hundred instructions for each span.
    #[cfg(feature = "metrics")]
    #[must_use]
    pub fn report_to(mut self, meter: &super::opentelemetry::metrics::Meter) -> Self {
        self.decisions = Some(super::sampling_metrics::Decisions::new(meter));
        self
    }

    /// What is done with a span of that session that nobody wants to sample.
    fn instead_of_drop(&self, session: &SessionId) -> SamplingDecision {
        if session.is_kept() {
            SamplingDecision::RecordAndSample
        } else if self.holds_unsampled {
            SamplingDecision::RecordOnly
        } else {
            SamplingDecision::Drop
        }
    }
}

/// Wraps the sampler that the SDK would use: that of the environment variables `OTEL_TRACES_SAMPLER` and
/// `OTEL_TRACES_SAMPLER_ARG`, else `ParentBased(AlwaysOn)`.
impl Default for SessionSampler {
    fn default() -> Self {
        Self::new(Config::default().sampler)
    }
}

impl ShouldSample for SessionSampler {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        note_that_it_runs();
        let result = self.decide(parent_context, trace_id, name, span_kind, attributes, links);
        #[cfg(feature = "metrics")]
        if let Some(decisions) = &self.decisions {
            decisions.count(&result.decision);
        }
        result
    }
}

impl SessionSampler {
    #[inline]
    fn decide(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let (mut result, session);
        match &self.decides {
            Decides::Sampler(inner) => {
                result =
                    inner.should_sample(parent_context, trace_id, name, span_kind, attributes, links);
                let is_final = result.decision == SamplingDecision::Drop
                    && !self.holds_unsampled
                    && !is_any_kept();
                session = if is_final { None } else { session_for(parent_context) };
            }
            Decides::Session(ratio) => {
                session = session_for(parent_context);
                let decision = match &session {
                    Some(session) if ratio.chooses(session) => SamplingDecision::RecordAndSample,
                    Some(_) => SamplingDecision::Drop,
                    None => without_session(ratio.share(), parent_context, trace_id),
                };
                let trace_state = trace_state(parent_context);
                result = SamplingResult { decision, attributes: Vec::new(), trace_state };
            }
        }
        let Some(session) = session else { return result };
        if result.decision == SamplingDecision::Drop {
            result.decision = self.instead_of_drop(&session);
        }
        if result.decision != SamplingDecision::Drop {
            tag(&session, attributes, &mut result.attributes);
        }
        result
    }
}

/// As the parent of this process was decided, or else by the trace.
fn without_session(
    share: f64,
    parent_context: Option<&Context>,
    trace_id: TraceId,
) -> SamplingDecision {
    if let Some(cx) = parent_context {
        let span = cx.span();
        let parent = span.span_context();
        if parent.is_valid() && !parent.is_remote() {
            return match parent.is_sampled() {
                true => SamplingDecision::RecordAndSample,
                false => SamplingDecision::Drop,
            };
        }
    }
    let by_trace = Sampler::TraceIdRatioBased(share);
    by_trace.should_sample(None, trace_id, "", &SpanKind::Internal, &[], &[]).decision
}

/// A sampler hands on what it does not change.
fn trace_state(parent_context: Option<&Context>) -> TraceState {
    let of = |cx: &Context| cx.span().span_context().trace_state().clone();
    parent_context.filter(|cx| cx.has_active_span()).map_or(TraceState::NONE, of)
}

/// Adds what the span does not have: it may come with attributes, and the wrapped sampler may add some.
fn tag(id: &SessionId, own: &[KeyValue], added: &mut Vec<KeyValue>) {
    match value_of(ATTRIBUTE, own, added) {
        None => add(added, own, KeyValue::new(ATTRIBUTE, id.shared())),
        // Labels belong to a session, and the span says that it is in another.
        Some(value) if value.as_str() != id.as_str() => return,
        Some(_) => {}
    }
    if let Some(labels) = id.labels() {
        label(id, labels, own, added);
    }
}

#[cold]
fn label(id: &SessionId, labels: &Labels, own: &[KeyValue], added: &mut Vec<KeyValue>) {
    for label in labels::of(id, labels) {
        if value_of(label.key.as_str(), own, added).is_none() {
            add(added, own, label);
        }
    }
}

fn add(added: &mut Vec<KeyValue>, own: &[KeyValue], attribute: KeyValue) {
    if added.is_empty() {
        *added = vec![attribute];
    } else {
        added.push(attribute);
    }
    hint_if_full(own.len() + added.len());
}

fn value_of<'a>(key: &str, own: &'a [KeyValue], added: &'a [KeyValue]) -> Option<&'a Value> {
    let mut attributes = own.iter().chain(added);
    attributes.find(|attribute| attribute.key.as_str() == key).map(|attribute| &attribute.value)
}

static RUNS: AtomicBool = AtomicBool::new(false);

fn note_that_it_runs() {
    // Read first: a write would take the cache line from the other cores.
    if !RUNS.load(Ordering::Relaxed) {
        RUNS.store(true, Ordering::Relaxed);
    }
}

/// Whether a `SessionSampler` was ever asked about a span.
pub(crate) fn has_run() -> bool {
    RUNS.load(Ordering::Relaxed)
}

/// The SDK's default for `max_attributes_per_span`.
const MAX_ATTRIBUTES: usize = 128;

fn hint_if_full(attributes: usize) {
    static FULL: Hint = Hint::new();

    if attributes > MAX_ATTRIBUTES && FULL.is_due(Level::DEBUG) {
        tracing::debug!(
            target: "qorrelate",
            attributes,
            "a span starts with so many attributes that the SDK's default limit cuts session.id off: \
             raise with_max_attributes_per_span on the tracer provider"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sampler that adds attributes itself.
    #[derive(Debug, Clone)]
    struct Adds(&'static [(&'static str, &'static str)]);

    impl ShouldSample for Adds {
        fn should_sample(
            &self,
            _: Option<&Context>,
            _: TraceId,
            _: &str,
            _: &SpanKind,
            _: &[KeyValue],
            _: &[Link],
        ) -> SamplingResult {
            SamplingResult {
                decision: SamplingDecision::RecordAndSample,
                attributes: self.0.iter().map(|&(key, value)| KeyValue::new(key, value)).collect(),
                trace_state: TraceState::NONE,
            }
        }
    }

    fn added(inner: Adds) -> Vec<(String, Value)> {
        let id: SessionId = "abc".parse().unwrap();
        let _session = id.enter();
        let sampler = SessionSampler::new(Box::new(inner) as Box<dyn ShouldSample>);
        let kind = SpanKind::Server;
        let result = sampler.should_sample(None, TraceId::from(1), "work", &kind, &[], &[]);
        result.attributes.into_iter().map(|kv| (kv.key.to_string(), kv.value)).collect()
    }

    #[test]
    fn what_the_wrapped_sampler_adds_is_kept() {
        let expected = [("sampling.rule", "vip"), (ATTRIBUTE, "abc")];
        let expected = expected.map(|(key, value)| (key.to_owned(), Value::from(value)));
        assert_eq!(added(Adds(&[("sampling.rule", "vip")])), expected);
    }

    #[test]
    fn a_session_that_the_wrapped_sampler_adds_is_left() {
        let expected = [(ATTRIBUTE.to_owned(), Value::from("other"))];
        assert_eq!(added(Adds(&[(ATTRIBUTE, "other")])), expected);
    }
}
