//! Tagging the span that is open when a request comes in: with tracing only, with OpenTelemetry
//! behind tracing, and with OpenTelemetry alone.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

#[path = "common/head.rs"]
mod head;
#[path = "common/lines.rs"]
mod lines;
#[path = "common/request.rs"]
mod request;

use std::task::{Context, Poll, Waker};

use head::Head;
use lines::Lines;
use opentelemetry_0_33::Context as OtelContext;
use opentelemetry_0_33::propagation::TextMapPropagator;
use opentelemetry_0_33::trace::{TraceContextExt, Tracer, TracerProvider as _};
use opentelemetry_sdk_0_33::trace::{
    InMemorySpanExporter, Sampler, SdkTracerProvider, ShouldSample, SpanData,
};
use qorrelate_core::adapter::{RequestSession, Settings};
use qorrelate_core::opentelemetry_0_33::{SessionContextExt, SessionPropagator, SessionSampler};
use qorrelate_core::{ATTRIBUTE, SessionId, SessionIdOutcome, carry_session};
use tracing::field::Empty;
use tracing_subscriber::layer::SubscriberExt;

/// What a layer does for a request of the session `abc`, in whatever is open now.
fn handle_request() {
    handle_request_with(&Settings::new());
}

fn handle_request_with(settings: &Settings<http::HeaderName>) {
    let before = (SessionId::current(), SessionIdOutcome::current());
    request::handle(settings, Head("abc"), || {
        assert_eq!(SessionId::current().unwrap(), "abc");
        assert!(matches!(SessionIdOutcome::current(), Some(SessionIdOutcome::Found { .. })));
    });
    assert_eq!((SessionId::current(), SessionIdOutcome::current()), before);
}

/// The layer stands inside of the tracing layer.
fn inside() -> Settings<http::HeaderName> {
    Settings::new().tag_current_span(true)
}

/// The layer stands inside of a layer that uses OpenTelemetry alone.
fn inside_of_opentelemetry() -> Settings<http::HeaderName> {
    Settings::new().tag_opentelemetry_0_33_span(true)
}

struct Telemetry {
    spans: InMemorySpanExporter,
    provider: SdkTracerProvider,
}

impl Telemetry {
    fn new() -> Self {
        Self::sampling(SessionSampler::new(Sampler::AlwaysOn))
    }

    fn sampling(sampler: impl ShouldSample + 'static) -> Self {
        let spans = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampler)
            .with_simple_exporter(spans.clone())
            .build();
        Self { spans, provider }
    }

    /// Runs with a subscriber that exports to here.
    fn with_tracing<T>(&self, context_activation: bool, work: impl FnOnce() -> T) -> T {
        let layer = tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("tests"))
            .with_context_activation(context_activation);
        let subscriber = tracing_subscriber::registry().with(carry_session(layer));
        tracing::subscriber::with_default(subscriber, work)
    }

    /// Every span and all of its values of `session.id`.
    fn tags(&self) -> Vec<(String, Vec<String>)> {
        let spans = self.spans.get_finished_spans().unwrap();
        let tags = |span: &SpanData| {
            let ids = span.attributes.iter().filter(|kv| kv.key.as_str() == ATTRIBUTE);
            ids.map(|kv| kv.value.to_string()).collect()
        };
        spans.iter().map(|span| (span.name.to_string(), tags(span))).collect()
    }
}

fn none(name: &str) -> Vec<(String, Vec<String>)> {
    vec![(name.to_owned(), vec![])]
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
fn a_span_that_does_not_declare_the_field_is_tagged_only_if_it_is_said_to_be_the_requests() {
    for context_activation in [true, false] {
        let telemetry = Telemetry::new();
        let request = |settings: &Settings<http::HeaderName>| {
            tracing::info_span!("request").in_scope(|| handle_request_with(settings));
        };
        telemetry.with_tracing(context_activation, || request(&Settings::new()));
        assert_eq!(telemetry.tags(), none("request"), "{context_activation}");

        let telemetry = Telemetry::new();
        telemetry.with_tracing(context_activation, || request(&inside()));
        assert_eq!(telemetry.tags(), once("request"), "{context_activation}");
    }
}

#[test]
fn a_field_that_was_given_a_value_by_hand_is_left_alone() {
    for settings in [Settings::new(), inside()] {
        for context_activation in [true, false] {
            let telemetry = Telemetry::new();
            telemetry.with_tracing(context_activation, || {
                let span = tracing::info_span!("request", session.id = %"abc");
                span.in_scope(|| handle_request_with(&settings));
                drop(span);
                let span = tracing::info_span!("recorded", session.id = Empty);
                span.record("session.id", "abc");
                span.in_scope(|| handle_request_with(&settings));
            });
            let tags = [once("request"), once("recorded")].concat();
            assert_eq!(telemetry.tags(), tags, "{context_activation}");
        }
    }
}

#[test]
fn a_span_that_outlives_many_requests_is_none_of_theirs() {
    let telemetry = Telemetry::new();
    telemetry.with_tracing(true, || {
        let connection = tracing::info_span!("connection");
        for session in ["alice", "bob", ""] {
            connection.in_scope(|| {
                request::handle(&Settings::new(), Head(session), || {
                    let current = SessionId::current().map(|id| id.to_string());
                    assert_eq!(current.unwrap_or_default(), session);
                    tracing::info_span!("work").in_scope(|| ());
                });
            });
        }
    });
    let tags: Vec<_> = telemetry
        .tags()
        .into_iter()
        .map(|(name, ids)| format!("{name} {}", ids.join(",")))
        .collect();
    assert_eq!(tags, ["work alice", "work bob", "work ", "connection "]);
}

/// tracing-opentelemetry starts a span when it is entered, when it gets a child, or when it is closed.
#[test]
fn a_span_of_no_session_that_starts_late_is_in_none() {
    for context_activation in [true, false] {
        let telemetry = Telemetry::new();
        telemetry.with_tracing(context_activation, || {
            let [entered, parent, closed] = [
                tracing::info_span!("entered"),
                tracing::info_span!("parent"),
                tracing::info_span!("closed"),
            ];
            request::handle(&Settings::new(), Head("abc"), || {
                entered.in_scope(|| ());
                drop(tracing::info_span!(parent: &parent, "child"));
                drop((entered, parent, closed));
            });
        });
        let mut tags = telemetry.tags();
        tags.sort();
        let expected = [once("child"), none("closed"), none("entered"), none("parent")].concat();
        assert_eq!(tags, expected, "{context_activation}");
    }
}

#[test]
fn a_request_span_that_is_not_exported_leaves_that_of_the_connection_alone() {
    use tracing_subscriber::Layer;
    use tracing_subscriber::filter::filter_fn;

    let telemetry = Telemetry::new();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(telemetry.provider.tracer("tests"))
        .with_filter(filter_fn(|metadata| metadata.name() != "request"));
    let subscriber = tracing_subscriber::registry()
        .with(carry_session(layer))
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::sink));
    tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!("connection").in_scope(|| {
            tracing::info_span!("request").in_scope(|| {
                request::handle(&inside(), Head("abc"), || {
                    tracing::info_span!("work").in_scope(|| ());
                });
            });
        });
    });
    assert_eq!(telemetry.tags(), [once("work"), none("connection")].concat());
}

/// axum-tracing-opentelemetry gives its span the context that the global propagator extracted.
#[test]
fn a_request_span_whose_parent_context_has_the_session_is_tagged_once() {
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    for field in [true, false] {
        let telemetry = Telemetry::new();
        telemetry.with_tracing(true, || {
            let span = match field {
                true => tracing::info_span!("request", session.id = Empty),
                false => tracing::info_span!("request"),
            };
            let session = OtelContext::new().with_session_id("abc".parse().unwrap());
            span.set_parent(session).unwrap();
            span.in_scope(|| handle_request_with(&inside()));
        });
        assert_eq!(telemetry.tags(), once("request"), "{field}");
    }
}

#[test]
fn the_span_of_another_library_that_is_active_is_not_the_one_of_tracing() {
    let telemetry = Telemetry::new();
    telemetry.with_tracing(true, || {
        tracing::info_span!("request").in_scope(|| {
            let tracer = telemetry.provider.tracer("another library");
            tracer.in_span("theirs", |_| handle_request_with(&inside()));
        });
    });
    assert_eq!(telemetry.tags()[0], none("theirs")[0]);
}

#[test]
fn a_task_in_the_request_span_is_in_its_session() {
    for context_activation in [true, false] {
        let telemetry = Telemetry::new();
        telemetry.with_tracing(context_activation, || {
            let request = tracing::info_span!("request");
            request.in_scope(|| handle_request_with(&inside()));
            // Later, and elsewhere.
            request.in_scope(|| {
                assert_eq!(SessionId::current().unwrap(), "abc");
                tracing::info_span!("spawned").in_scope(|| ());
            });
        });
        assert_eq!(telemetry.tags(), [once("spawned"), once("request")].concat());
    }
}

#[test]
fn a_span_of_opentelemetry_alone_is_tagged_once_if_it_is_said_to_be_the_requests() {
    let request = |settings: &Settings<http::HeaderName>| {
        let telemetry = Telemetry::new();
        let tracer = telemetry.provider.tracer("tests");
        tracer.in_span("request", |_| handle_request_with(settings));
        telemetry.tags()
    };
    assert_eq!(request(&Settings::new()), none("request"));
    assert_eq!(request(&inside_of_opentelemetry()), once("request"));
}

#[test]
fn a_span_that_is_open_only_while_polling_is_tagged_once() {
    let telemetry = Telemetry::new();
    let span = telemetry.provider.tracer("tests").start("request");
    let context = OtelContext::new().with_span(span);

    let mut session = RequestSession::begin(&inside_of_opentelemetry(), &Head("abc"), None);
    let future = session.call((), |()| {
        std::future::poll_fn(|_| {
            assert!(OtelContext::current().has_active_span());
            Poll::Ready(())
        })
    });
    let mut future = Box::pin(session.around(future));
    {
        let _polling = context.attach();
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }
    drop(future);
    assert_eq!(telemetry.tags(), once("request"));
}

/// The global `SessionPropagator` with an outer OpenTelemetry layer, ours inside.
fn handle_after_propagator(sampler: impl ShouldSample + 'static) -> Vec<(String, Vec<String>)> {
    let telemetry = Telemetry::sampling(sampler);
    let headers = std::collections::HashMap::from([("x-session-id".into(), "abc".into())]);
    let cx = SessionPropagator::new().extract_with_context(&OtelContext::new(), &headers);
    let span = telemetry.provider.tracer("tests").start_with_context("request", &cx);
    let attached = cx.with_span(span).attach();
    handle_request_with(&inside_of_opentelemetry());
    drop(attached);
    telemetry.tags()
}

#[test]
fn a_session_that_an_outer_propagator_extracted_is_written_once() {
    let tags = handle_after_propagator(SessionSampler::new(Sampler::AlwaysOn));
    assert_eq!(tags, once("request"));
}

#[test]
fn a_span_that_was_opened_in_a_session_is_left_alone() {
    for settings in [Settings::new(), inside()] {
        let telemetry = Telemetry::new();
        let outer: SessionId = "outer".parse().unwrap();
        telemetry.with_tracing(true, || {
            let request = outer.in_scope(|| tracing::info_span!("request", session.id = Empty));
            request.in_scope(|| handle_request_with(&settings));
        });
        assert_eq!(telemetry.tags(), [("request".to_owned(), vec!["outer".to_owned()])]);
    }
}

#[test]
fn what_others_keep_in_the_context_stays_on_every_poll() {
    #[derive(Debug, Clone, PartialEq)]
    struct Theirs(u32);

    for attaches in [false, true] {
        let settings = Settings::new().opentelemetry_0_33_context(attaches);
        let mut session = RequestSession::begin(&settings, &Head("abc"), None);
        let future = session.call((), |()| {
            assert_eq!(OtelContext::current().session_id().is_some(), attaches);
            let mut polls = 0;
            std::future::poll_fn(move |_| {
                polls += 1;
                let cx = OtelContext::current();
                assert_eq!(cx.get(), Some(&Theirs(polls)), "the one that is attached now");
                assert_eq!(cx.session_id().is_some(), attaches);
                assert_eq!(SessionId::current().unwrap(), "abc");
                if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
            })
        });
        let mut future = Box::pin(session.around(future));
        for poll in 1..=3 {
            let _theirs = OtelContext::current_with_value(Theirs(poll)).attach();
            let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert_eq!(polled.is_ready(), poll == 3);
            assert_eq!(OtelContext::current().session_id(), None);
        }
    }
    let mut scope =
        Box::pin("abc".parse::<SessionId>().unwrap().scope(std::future::poll_fn(|_| {
            assert!(OtelContext::current().get::<Theirs>().is_some());
            Poll::Ready(())
        })));
    let _theirs = OtelContext::current_with_value(Theirs(1)).attach();
    assert!(scope.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

#[test]
fn a_span_ends_when_its_owner_drops_it_and_not_when_the_session_ends() {
    let telemetry = Telemetry::new();
    let settings = inside_of_opentelemetry().opentelemetry_0_33_context(true);
    let mut session = RequestSession::begin(&settings, &Head("abc"), None);
    let span = telemetry.provider.tracer("tests").start("request");
    let context = OtelContext::new().with_span(span);
    let future = {
        let _attached = context.clone().attach();
        session.call((), std::future::ready)
    };
    let mut future = Box::pin(session.around(future));
    {
        let _attached = context.clone().attach();
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }
    let body = future.as_mut().take_session().around("the body of the response");
    drop(context);
    assert_eq!(telemetry.tags(), once("request"));
    drop(body);
}

#[test]
fn a_context_hides_the_session_of_another_request() {
    let settings = Settings::new().opentelemetry_0_33_context(true);
    let stranger = OtelContext::new().with_session_id("stranger".parse().unwrap());
    let _connection = stranger.attach();
    assert_eq!(SessionId::current().unwrap(), "stranger", "nothing else says whose it is");
    for (header, expected) in [("abc", Some("abc")), ("", None)] {
        request::handle(&settings, Head(header), || {
            let cx = OtelContext::current();
            assert_eq!(cx.session_id().map(SessionId::as_str), expected);
            assert_eq!(SessionId::current().as_ref().map(SessionId::as_str), expected);
        });
    }
    request::handle(&Settings::new(), Head(""), || {
        assert_eq!(SessionId::current(), None);
        let telemetry = Telemetry::new();
        telemetry.provider.tracer("tests").in_span("work", |_| ());
        assert_eq!(telemetry.tags(), none("work"));
    });
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
    let subscriber = tracing_subscriber::registry().with(carry_session(layer));
    tracing::subscriber::with_default(subscriber, || {
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
