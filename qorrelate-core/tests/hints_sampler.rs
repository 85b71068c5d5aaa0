//! What is said of a set-up without `SessionSampler`: it is known from the first span of a session. What
//! has run is asked of the whole process, so this is a test in a process of its own.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

#[path = "common/head.rs"]
mod head;
#[path = "common/lines.rs"]
mod lines;
#[path = "common/request.rs"]
mod request;

use head::Head;
use lines::Lines;
use opentelemetry_0_33::Context;
use opentelemetry_0_33::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
};
use opentelemetry_sdk_0_33::trace::SdkTracerProvider;
use qorrelate_core::adapter::Settings;
use qorrelate_core::carry_session;
use request::handle;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt};

#[test]
fn a_missing_sampler_is_said_once() {
    let lines = Lines::default();
    let provider = SdkTracerProvider::builder().build();
    let to_opentelemetry = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("tests"))
        .with_filter(filter_fn(|metadata| metadata.name() != "hidden"));
    let subscriber = tracing_subscriber::registry()
        .with(carry_session(to_opentelemetry))
        .with(tracing_subscriber::fmt::layer().with_writer(lines.clone()));
    let hints = || lines.text().matches("there is no SessionSampler").count();
    tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!("start-up").in_scope(|| ());
        assert_eq!(hints(), 0, "no session yet");

        let remote = SpanContext::new(
            TraceId::from(1),
            SpanId::from(1),
            TraceFlags::SAMPLED,
            true,
            TraceState::NONE,
        );
        let attached = Context::new().with_remote_span_context(remote).attach();
        let hidden = tracing::info_span!("hidden");
        handle(&Settings::new(), Head("abc"), || hidden.in_scope(|| ()));
        assert_eq!(hints(), 0, "the active span is another service's");
        drop(attached);

        for _ in 0..2 {
            handle(&Settings::new(), Head("abc"), || {
                tracing::info_span!("request").in_scope(|| ())
            });
        }
    });
    assert_eq!(hints(), 1, "{}", lines.text());
    assert!(!lines.text().contains("there is no carry_session"));
}
