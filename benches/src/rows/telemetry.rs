//! What is added to each span, log record and log line that is made in a session.
//!
//! Measured: building one, and ending it. The SDK's providers have one processor, which does nothing,
//! so nothing is kept or exported. The `tracing` rows have a subscriber for the thread.

use std::time::Duration;

use opentelemetry::logs::{LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord, SdkLoggerProvider};
use opentelemetry_sdk::trace::{
    self, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, ShouldSample, SpanData,
    SpanExporter, SpanProcessor,
};
use qorrelate_core::opentelemetry_0_33::{
    SessionLogProcessor, SessionSampler, SessionTailProcessor,
};
use qorrelate_core::{SessionFormat, SessionId, carry_session};
use tracing::Span;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::{Format, Full, Json};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::{Registry, fmt};

use super::id;
use crate::row::{Goal, Measured, Row, measured};

pub(super) fn spans() -> Vec<Row> {
    const PEER: &str = "span.always-on";
    vec![
        Row::peer(PEER, "`Sampler::AlwaysOn`, in a session", || span(Sampler::AlwaysOn, true))
            .beside(PEER),
        Row::ours("span.session-sampler", "`SessionSampler` around it, in a session", || {
            span(SessionSampler::new(Sampler::AlwaysOn), true)
        })
        .beside(PEER)
        .goal(Goal::Times(1.15)),
        Row::ours("span.no-session", "`SessionSampler` around it, in no session", || {
            span(SessionSampler::new(Sampler::AlwaysOn), false)
        })
        .beside(PEER),
        Row::peer("span.attribute", "`Sampler::AlwaysOn`, and `set_attribute` by hand", || {
            let tracer = tracer(Sampler::AlwaysOn);
            let session = id().enter();
            measured(
                || (),
                move |()| {
                    let _ = &session;
                    let mut span = tracer.start("work");
                    if let Some(id) = SessionId::current() {
                        let value = id.as_str().to_owned();
                        let attribute = opentelemetry::KeyValue::new("session.id", value);
                        opentelemetry::trace::Span::set_attribute(&mut span, attribute);
                    }
                },
            )
        })
        .beside(PEER),
    ]
}

pub(super) fn tracing_spans() -> Vec<Row> {
    const PEER: &str = "tracing-span.always-on";
    vec![
        Row::peer(PEER, "`Sampler::AlwaysOn`, in a session", || {
            tracing_span(Sampler::AlwaysOn, true)
        })
        .beside(PEER),
        Row::ours(
            "tracing-span.session-sampler",
            "`SessionSampler` around it, in a session",
            || tracing_span(SessionSampler::new(Sampler::AlwaysOn), true),
        )
        .beside(PEER)
        .goal(Goal::Times(1.15)),
        Row::ours("tracing-span.no-session", "`SessionSampler` around it, in no session", || {
            tracing_span(SessionSampler::new(Sampler::AlwaysOn), false)
        })
        .beside(PEER)
        .goal(Goal::Times(1.15)),
        Row::ours(
            "tracing-span.session-ratio",
            "`SessionSampler::ratio`, in a session that is sampled",
            || tracing_span(SessionSampler::ratio(SAMPLED), true),
        )
        .beside(PEER)
        .goal(Goal::Times(1.15)),
    ]
}

/// A ratio at which the session of the rows is sampled.
const SAMPLED: f64 = 0.999;
/// One at which it is not.
const NOT_SAMPLED: f64 = 0.001;

pub(super) fn tails() -> Vec<Row> {
    const PEER: &str = "tail.none";
    vec![
        Row::peer(PEER, "`Sampler::AlwaysOn`, and a processor that does nothing", || {
            span_through(Sampler::AlwaysOn, Nothing)
        })
        .beside(PEER),
        Row::peer("tail.exported", "`BatchSpanProcessor`, whose exporter does nothing", || {
            span_through(Sampler::AlwaysOn, batches())
        })
        .beside(PEER),
        Row::ours("tail.dropped", "`SessionSampler::ratio`, the session is not sampled", || {
            span_through(SessionSampler::ratio(NOT_SAMPLED), Nothing)
        })
        .beside(PEER),
        Row::ours(
            "tail.sampled",
            "`SessionTailProcessor` around the one that does nothing, the session is sampled",
            || {
                let tail = SessionTailProcessor::new(Nothing);
                span_through(SessionSampler::ratio(SAMPLED).hold_unsampled(), tail)
            },
        )
        .beside(PEER)
        .goal(Goal::Times(1.15)),
        Row::ours("tail.held", "the session is not sampled: the span is held", || {
            let tail = SessionTailProcessor::new(Nothing);
            span_through(SessionSampler::ratio(NOT_SAMPLED).hold_unsampled(), tail)
        })
        .beside(PEER),
    ]
}

fn batches() -> BatchSpanProcessor {
    BatchSpanProcessor::builder(Nowhere).build()
}

/// An exporter that keeps nothing.
#[derive(Debug)]
struct Nowhere;

impl SpanExporter for Nowhere {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        Ok(())
    }
}

/// The span of a request, from `tracing` to the processor.
fn span_through(
    sampler: impl ShouldSample + 'static,
    processor: impl SpanProcessor + 'static,
) -> Box<dyn Measured> {
    let provider = SdkTracerProvider::builder();
    let provider = provider.with_sampler(sampler).with_span_processor(processor).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("benches"));
    let default = subscribed(layer.and_then(LevelFilter::INFO));
    let session = id().enter();
    // What is made once, such as a thread, is not part of a span's cost.
    drop(request_span().entered());
    measured(
        || (),
        move |()| {
            let _ = (&default, &session, &provider);
            drop(request_span().entered());
        },
    )
}

fn tracing_span(sampler: impl ShouldSample + 'static, in_session: bool) -> Box<dyn Measured> {
    let default = traced(sampler);
    let session = in_session.then(|| id().enter());
    measured(
        || (),
        move |()| {
            let _ = (&default, &session);
            drop(request_span().entered());
        },
    )
}

/// The span of a request, as apps make it: with the attributes that the semantic conventions ("HTTP
/// spans") require of a server, and some that they recommend.
pub(super) fn request_span() -> Span {
    tracing::info_span!(
        "request",
        http.request.method = "POST",
        url.path = "/api/checkout",
        url.scheme = "https",
        http.route = "/api/checkout",
        server.address = "api.example",
        user_agent.original = "Mozilla/5.0",
    )
}

/// Hands the spans of this thread to OpenTelemetry, down to the level that services usually run at.
pub(super) fn traced(sampler: impl ShouldSample + 'static) -> DefaultGuard {
    subscribed(to_opentelemetry(sampler).and_then(LevelFilter::INFO))
}

/// Hands what this thread does to that layer.
pub(super) fn subscribed(layer: impl Layer<Registry> + Send + Sync) -> DefaultGuard {
    tracing::subscriber::set_default(tracing_subscriber::registry().with(layer))
}

fn span(sampler: impl ShouldSample + 'static, in_session: bool) -> Box<dyn Measured> {
    let tracer = tracer(sampler);
    let session = in_session.then(|| id().enter());
    measured(
        || (),
        move |()| {
            let _ = &session;
            drop(tracer.start("work"));
        },
    )
}

fn tracer(sampler: impl ShouldSample + 'static) -> SdkTracer {
    let provider = SdkTracerProvider::builder().with_sampler(sampler).with_span_processor(Nothing);
    provider.build().tracer("benches")
}

pub(super) fn logs() -> Vec<Row> {
    const PEER: &str = "log.none";
    vec![
        Row::peer(PEER, "a processor that exports, in a session", || log(Nothing, true))
            .beside(PEER),
        Row::ours(
            "log.session-log-processor",
            "`SessionLogProcessor` around it, in a session",
            || log(SessionLogProcessor::new(Nothing), true),
        )
        .beside(PEER),
        Row::ours("log.no-session", "`SessionLogProcessor` around it, in no session", || {
            log(SessionLogProcessor::new(Nothing), false)
        })
        .beside(PEER),
    ]
}

fn log(processor: impl LogProcessor + 'static, in_session: bool) -> Box<dyn Measured> {
    let provider = SdkLoggerProvider::builder().with_log_processor(processor).build();
    let logger = provider.logger("benches");
    let session = in_session.then(|| id().enter());
    measured(
        || (),
        move |()| {
            let _ = (&session, &provider);
            let mut record = logger.create_log_record();
            record.set_severity_number(Severity::Info);
            record.set_body("charged".into());
            record.add_attribute("amount", 42);
            logger.emit(record);
        },
    )
}

/// A processor that keeps nothing.
#[derive(Debug)]
struct Nothing;

impl SpanProcessor for Nothing {
    fn on_start(&self, _: &mut trace::Span, _: &Context) {}

    fn on_end(&self, _: SpanData) {}

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl LogProcessor for Nothing {
    fn emit(&self, _: &mut SdkLogRecord, _: &InstrumentationScope) {}

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
}

pub(super) fn entering() -> Vec<Row> {
    const ENTER: &str = "enter.none";
    const SPAN: &str = "make.none";
    vec![
        Row::peer(ENTER, "a span entered and left: tracing-opentelemetry's layer", || {
            enter(to_opentelemetry(Sampler::AlwaysOn))
        })
        .beside(ENTER),
        Row::ours("enter.carry-session", "`carry_session` around it", || {
            enter(carry_session(to_opentelemetry(Sampler::AlwaysOn)))
        })
        .beside(ENTER),
        Row::peer(SPAN, "a span made, entered, left and closed, in a session", || {
            make(to_opentelemetry(Sampler::AlwaysOn))
        })
        .beside(SPAN),
        Row::ours("make.carry-session", "`carry_session` around it", || {
            make(carry_session(to_opentelemetry(Sampler::AlwaysOn)))
        })
        .beside(SPAN),
    ]
}

/// Enters and leaves a span that was made in a session, where none is current.
fn enter(layer: impl Layer<Registry> + Send + Sync) -> Box<dyn Measured> {
    let default = subscribed(layer);
    let span = id().in_scope(|| tracing::info_span!("work"));
    measured(
        || (),
        move |()| {
            let _ = &default;
            drop(span.enter());
        },
    )
}

/// Makes a span in a session, as its child of another one.
fn make(layer: impl Layer<Registry> + Send + Sync) -> Box<dyn Measured> {
    let default = subscribed(layer);
    let session = id().enter();
    let request = tracing::info_span!("request").entered();
    measured(
        || (),
        move |()| {
            let _ = (&default, &session, &request);
            drop(tracing::info_span!("work").entered());
        },
    )
}

fn to_opentelemetry(sampler: impl ShouldSample + 'static) -> impl Layer<Registry> + Send + Sync {
    tracing_opentelemetry::layer().with_tracer(tracer(sampler))
}

pub(super) fn lines() -> Vec<Row> {
    const PEER: &str = "line.text";
    vec![
        Row::peer(PEER, "text, as `fmt` writes it, in a session", || line(text(), true))
            .beside(PEER),
        Row::ours("line.text-session", "text, `SessionFormat` around it, in a session", || {
            line(SessionFormat::new(text()), true)
        })
        .beside(PEER)
        .goal(Goal::Times(1.25)),
        Row::ours("line.no-session", "text, `SessionFormat` around it, in no session", || {
            line(SessionFormat::new(text()), false)
        })
        .beside(PEER),
        Row::peer("line.json", "JSON, as `fmt` writes it, in a session", || {
            json_line(json(), true)
        })
        .beside("line.json"),
        Row::ours("line.json-session", "JSON, `SessionFormat` around it, in a session", || {
            json_line(SessionFormat::new(json()), true)
        })
        .beside("line.json"),
    ]
}

fn text() -> Format<Full, ()> {
    fmt::format().without_time()
}

fn json() -> Format<Json, ()> {
    fmt::format().json().without_time()
}

/// Writes a line, without the time, to nowhere.
fn line<E>(format: E, in_session: bool) -> Box<dyn Measured>
where
    E: fmt::FormatEvent<Registry, fmt::format::DefaultFields> + Send + Sync + 'static,
{
    written(fmt::layer().event_format(format).with_writer(std::io::sink), in_session)
}

fn json_line<E>(format: E, in_session: bool) -> Box<dyn Measured>
where
    E: fmt::FormatEvent<Registry, fmt::format::JsonFields> + Send + Sync + 'static,
{
    let fields = fmt::format::JsonFields::new();
    let layer = fmt::layer().fmt_fields(fields).event_format(format);
    written(layer.with_writer(std::io::sink), in_session)
}

fn written(layer: impl Layer<Registry> + Send + Sync, in_session: bool) -> Box<dyn Measured> {
    let default = subscribed(layer);
    let session = in_session.then(|| id().enter());
    measured(
        || (),
        move |()| {
            let _ = (&default, &session);
            tracing::info!(amount = 42, "charged");
        },
    )
}
