//! Tagging the span that is open when a request comes in: with tracing only, with OpenTelemetry
//! behind tracing, and with OpenTelemetry alone.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

#[path = "common/head.rs"]
mod head;
#[path = "common/lines.rs"]
mod lines;

use std::task::{Context, Poll, Waker};

use head::Head;
use lines::Lines;
use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider};
use qorrelate_core::{
    ATTRIBUTE, RequestSession, SessionId, SessionIdOutcome, SessionSampler, Settings,
};
use tracing::field::Empty;
use tracing_subscriber::layer::SubscriberExt;

/// What a layer does for a request, in whatever is open now.
fn handle_request() {
    handle_request_with(&Settings::new());
}

fn handle_request_with(settings: &Settings<http::HeaderName>) {
    let before = (SessionId::current(), SessionIdOutcome::current());
    let mut session = RequestSession::begin(settings, &Head);
    let future = {
        let _entered = session.enter();
        async {
            assert_eq!(SessionId::current().unwrap(), "abc");
            assert!(matches!(SessionIdOutcome::current(), SessionIdOutcome::Found { .. }));
        }
    };
    let mut future = Box::pin(session.run(future));
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    assert_eq!((SessionId::current(), SessionIdOutcome::current()), before);
}

struct Telemetry {
    spans: InMemorySpanExporter,
    provider: SdkTracerProvider,
}

impl Telemetry {
    fn new() -> Self {
        let spans = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_sampler(SessionSampler::new(Sampler::AlwaysOn))
            .with_simple_exporter(spans.clone())
            .build();
        Self { spans, provider }
    }

    /// Runs with a subscriber that exports to here.
    fn with_tracing<T>(&self, context_activation: bool, work: impl FnOnce() -> T) -> T {
        let layer = tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("tests"))
            .with_context_activation(context_activation);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work)
    }

    /// Every span and all of its values of `session.id`.
    fn tags(&self) -> Vec<(String, Vec<String>)> {
        let spans = self.spans.get_finished_spans().unwrap();
        let tags = |span: &opentelemetry_sdk::trace::SpanData| {
            let ids = span.attributes.iter().filter(|kv| kv.key.as_str() == ATTRIBUTE);
            ids.map(|kv| kv.value.to_string()).collect()
        };
        spans.iter().map(|span| (span.name.to_string(), tags(span))).collect()
    }
}

fn once(name: &str) -> Vec<(String, Vec<String>)> {
    vec![(name.to_owned(), vec!["abc".to_owned()])]
}

#[test]
fn a_declared_field_is_filled_and_exported_once() {
    for context_activation in [true, false] {
        let telemetry = Telemetry::new();
        telemetry.with_tracing(context_activation, || {
            tracing::info_span!("request", session.id = Empty).in_scope(handle_request);
        });
        assert_eq!(telemetry.tags(), once("request"), "{context_activation}");
    }
}

#[test]
fn an_undeclared_field_becomes_an_attribute_once() {
    let telemetry = Telemetry::new();
    telemetry.with_tracing(true, || {
        tracing::info_span!("request").in_scope(handle_request);
    });
    assert_eq!(telemetry.tags(), once("request"));
}

#[test]
fn a_span_of_opentelemetry_alone_is_tagged_once() {
    let telemetry = Telemetry::new();
    telemetry.provider.tracer("tests").in_span("request", |_| handle_request());
    assert_eq!(telemetry.tags(), once("request"));
}

#[test]
fn a_span_that_is_open_only_while_polling_is_tagged_once() {
    let telemetry = Telemetry::new();
    let span = telemetry.provider.tracer("tests").start("request");
    let context = opentelemetry::Context::new().with_span(span);

    let mut session = RequestSession::begin(&Settings::new(), &Head);
    let future = {
        let _entered = session.enter();
        std::future::poll_fn(|_| {
            assert!(opentelemetry::Context::current().has_active_span());
            Poll::Ready(())
        })
    };
    let mut future = Box::pin(session.run(future));
    {
        let _polling = context.attach();
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }
    drop(future);
    assert_eq!(telemetry.tags(), once("request"));
}

#[test]
fn a_span_that_was_opened_in_a_session_is_left_alone() {
    let telemetry = Telemetry::new();
    let outer: SessionId = "outer".parse().unwrap();
    let tracer = telemetry.provider.tracer("tests");
    outer.in_scope(|| tracer.in_span("request", |_| handle_request()));
    assert_eq!(telemetry.tags(), [("request".to_owned(), vec!["outer".to_owned()])]);
}

#[test]
fn a_span_that_has_the_attribute_from_its_start_is_left_alone() {
    let telemetry = Telemetry::new();
    let id: SessionId = "abc".parse().unwrap();
    telemetry.with_tracing(true, || {
        id.in_scope(|| tracing::info_span!("own", session.id = "own").in_scope(|| ()));
    });
    assert_eq!(telemetry.tags(), [("own".to_owned(), vec!["own".to_owned()])]);
}

#[test]
fn with_tracing_only_fmt_shows_a_declared_field() {
    let lines = Lines::default();
    let layer =
        tracing_subscriber::fmt::layer().with_ansi(false).without_time().with_writer(lines.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let span = tracing::info_span!("request", session.id = Empty);
        span.in_scope(|| {
            handle_request();
            tracing::info!("handled");
        });
    });
    let lines = lines.text();
    let line = lines.lines().find(|line| line.contains("handled")).unwrap();
    assert_eq!(line, r#" INFO request{session.id="abc"}: tagging: handled"#);
}
