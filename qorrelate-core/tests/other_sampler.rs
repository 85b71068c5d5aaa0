//! Another sampler than ours. Which samplers have run is known of the whole process, so this is a test in a
//! process of its own.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

#[path = "common/head.rs"]
mod head;
#[path = "common/request.rs"]
mod request;

use head::Head;
use opentelemetry_0_33::Context;
use opentelemetry_0_33::propagation::TextMapPropagator;
use opentelemetry_0_33::trace::{TraceContextExt, Tracer, TracerProvider as _};
use opentelemetry_sdk_0_33::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider};
use qorrelate_core::adapter::Settings;
use qorrelate_core::opentelemetry_0_33::SessionPropagator;
use qorrelate_core::{ATTRIBUTE, SessionIdOutcome};

#[test]
fn a_request_span_is_tagged_although_an_outer_propagator_extracted_the_session() {
    let spans = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::AlwaysOn)
        .with_simple_exporter(spans.clone())
        .build();
    let headers = std::collections::HashMap::from([("x-session-id".into(), "abc".into())]);
    let cx = SessionPropagator::new().extract_with_context(&Context::new(), &headers);
    let span = provider.tracer("tests").start_with_context("request", &cx);
    let attached = cx.with_span(span).attach();
    let settings = Settings::new().tag_opentelemetry_0_33_span(true);
    request::handle(&settings, Head("abc"), || {
        assert!(matches!(SessionIdOutcome::current(), Some(SessionIdOutcome::Found { .. })));
    });
    drop(attached);
    let [span] = &spans.get_finished_spans().unwrap()[..] else { panic!("one span") };
    let ids: Vec<_> = span.attributes.iter().filter(|kv| kv.key.as_str() == ATTRIBUTE).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(ids[0].value.as_str(), "abc");
}
