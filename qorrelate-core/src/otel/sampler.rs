//! `session.id` on every span that starts in a session.

use opentelemetry::trace::{Link, SpanKind, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Config, SamplingDecision, SamplingResult, ShouldSample};

use super::tag::note_tagged_later;
use super::{ATTRIBUTE, SessionContextExt};
use crate::id::SessionId;

/// A sampler that adds `session.id` to every span started in a session, and leaves the decision to
/// the sampler it wraps.
///
/// The sampler is the one place of the SDK that sees every span before it starts, its parent
/// context and its attributes, so it alone can tag without ever writing `session.id` twice: a span
/// that has the attribute already keeps it as it is. Spans that are sampled away are not tagged.
///
/// The session is that of the span's parent context; a span whose parent carries none (`parent:
/// None`, or a parent given explicitly) belongs to the session that is current where it starts.
///
/// # Example
///
/// ```
/// use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
/// use qorrelate_core::SessionSampler;
///
/// // Samples as the SDK does by default, and as `OTEL_TRACES_SAMPLER` says.
/// let provider = SdkTracerProvider::builder().with_sampler(SessionSampler::default()).build();
///
/// // Samples as you say.
/// let provider = SdkTracerProvider::builder()
///     .with_sampler(SessionSampler::new(Sampler::TraceIdRatioBased(0.1)))
///     .build();
/// # let _ = provider;
/// ```
#[derive(Debug, Clone)]
pub struct SessionSampler {
    inner: Box<dyn ShouldSample>,
}

impl SessionSampler {
    /// Wraps the sampler that decides.
    pub fn new(inner: impl Into<Box<dyn ShouldSample>>) -> Self {
        Self { inner: inner.into() }
    }
}

/// Wraps the sampler that the SDK would use: that of the environment variables `OTEL_TRACES_SAMPLER`
/// and `OTEL_TRACES_SAMPLER_ARG`, else `ParentBased(AlwaysOn)`.
impl Default for SessionSampler {
    fn default() -> Self {
        Self { inner: Config::default().sampler }
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
        let mut result =
            self.inner.should_sample(parent_context, trace_id, name, span_kind, attributes, links);
        if result.decision != SamplingDecision::Drop
            && !is_tagged(attributes)
            && !is_tagged(&result.attributes)
            && let Some(id) = session_of(parent_context)
        {
            let tag = KeyValue::new(ATTRIBUTE, id.shared());
            if result.attributes.is_empty() {
                result.attributes = vec![tag];
            } else {
                result.attributes.push(tag);
            }
            note_tagged_later();
        }
        result
    }
}

fn is_tagged(attributes: &[KeyValue]) -> bool {
    attributes.iter().any(|attribute| attribute.key.as_str() == ATTRIBUTE)
}

fn session_of(parent_context: Option<&Context>) -> Option<SessionId> {
    parent_context.and_then(|context| context.session_id().cloned()).or_else(SessionId::current)
}

#[cfg(test)]
mod tests {
    use opentelemetry::Value;
    use opentelemetry::trace::TraceState;

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
