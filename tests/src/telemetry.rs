//! The telemetry of the test's process: exported spans, exported log records, and JSON log lines.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::trace::{SpanKind, TracerProvider as _};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::in_memory_exporter::LogDataWithResource;
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider, SimpleLogProcessor};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use qorrelate_core::opentelemetry_0_33::{SessionLogProcessor, SessionSampler};
use qorrelate_core::{ATTRIBUTE, SessionFormat, carry_session};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, reload};

/// Where the telemetry of this process goes. There is one, as in an app.
#[derive(Debug)]
pub struct Telemetry {
    spans: InMemorySpanExporter,
    logs: InMemoryLogExporter,
    lines: Lines,
    _providers: (SdkTracerProvider, SdkLoggerProvider),
}

/// The ways to set up the telemetry that change what carries a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetUp {
    /// Whether entering a tracing span activates its OpenTelemetry context.
    pub context_activation: bool,
    /// Whether the OpenTelemetry layer is under `tracing_subscriber::reload::Layer`.
    pub reload: bool,
    /// Whether `carry_session` is around the OpenTelemetry layer.
    pub carry: bool,
    /// Whether our layer puts the session into OpenTelemetry's contexts.
    pub context: bool,
}

impl SetUp {
    /// As the README shows it.
    pub const RECOMMENDED: Self =
        Self { context_activation: true, reload: false, carry: true, context: false };
}

/// What requests left behind.
#[derive(Debug)]
pub struct Records {
    /// Exported spans.
    pub spans: Vec<SpanData>,
    /// Exported log records.
    pub logs: Vec<LogDataWithResource>,
    /// The lines that `fmt` wrote, as JSON.
    pub lines: Vec<serde_json::Value>,
}

impl Telemetry {
    /// Sets up OpenTelemetry traces and logs and JSON lines for the process, as the README shows it.
    pub fn install() -> &'static Self {
        Self::install_as(SetUp::RECOMMENDED)
    }

    /// Sets them up in another way. The first call counts.
    pub fn install_as(set_up: SetUp) -> &'static Self {
        static TELEMETRY: OnceLock<Telemetry> = OnceLock::new();
        TELEMETRY.get_or_init(|| {
            let spans = InMemorySpanExporter::default();
            let tracer_provider = SdkTracerProvider::builder()
                .with_sampler(SessionSampler::default())
                .with_simple_exporter(spans.clone())
                .build();
            // For the peers that take their tracer from there.
            opentelemetry::global::set_tracer_provider(tracer_provider.clone());
            let logs = InMemoryLogExporter::default();
            let logger_provider = SdkLoggerProvider::builder()
                .with_log_processor(SessionLogProcessor::new(SimpleLogProcessor::new(logs.clone())))
                .build();
            let lines = Lines::default();
            // Without what is of a connection or of a server, and so of no request; with the spans
            // of axum-tracing-opentelemetry, which are of level TRACE.
            let filter = Targets::new()
                .with_default(LevelFilter::DEBUG)
                .with_target("otel::tracing", LevelFilter::TRACE)
                .with_targets(
                    ["actix_server", "h2", "hyper_util"].map(|of| (of, LevelFilter::OFF)),
                );
            let to_opentelemetry = tracing_opentelemetry::layer()
                .with_tracer(tracer_provider.tracer("tests"))
                .with_context_activation(set_up.context_activation);
            let to_opentelemetry = if set_up.reload {
                reload::Layer::new(to_opentelemetry).0.boxed()
            } else {
                to_opentelemetry.boxed()
            };
            let to_opentelemetry = if set_up.carry {
                carry_session(to_opentelemetry).boxed()
            } else {
                to_opentelemetry
            };
            let format = tracing_subscriber::fmt::layer()
                .json()
                .map_event_format(SessionFormat::new)
                .with_writer(lines.clone());
            let subscriber = tracing_subscriber::registry()
                .with(to_opentelemetry)
                .with(OpenTelemetryTracingBridge::new(&logger_provider))
                .with(format)
                .with(filter);
            tracing::subscriber::set_global_default(subscriber).expect("no other subscriber");
            Telemetry { spans, logs, lines, _providers: (tracer_provider, logger_provider) }
        })
    }

    /// Runs one request and answers what it left behind, once its server span has ended. One at a
    /// time: what other requests leave must not be mixed in.
    pub fn record<T>(&self, request: impl FnOnce() -> T) -> (T, Records) {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = lock(&ONE_AT_A_TIME);
        self.forget();
        let answer = request();
        let records =
            self.records_once(|spans| spans.iter().any(|span| span.span_kind == SpanKind::Server));
        (answer, records)
    }
}

impl Telemetry {
    /// Forgets all records so far.
    pub fn forget(&self) {
        self.spans.reset();
        self.logs.reset();
        lock(&self.lines.0).clear();
    }

    /// All records so far, as soon as the spans that have ended are complete.
    pub fn records_once(&self, complete: impl Fn(&[SpanData]) -> bool) -> Records {
        let deadline = Instant::now() + Duration::from_secs(20);
        let spans = loop {
            let spans = self.spans.get_finished_spans().unwrap();
            if complete(&spans) {
                break spans;
            }
            assert!(Instant::now() < deadline, "only these spans have ended: {:?}", names(&spans));
            std::thread::sleep(Duration::from_millis(1));
        };
        let lines = lock(&self.lines.0);
        let lines = String::from_utf8(lines.clone()).expect("lines are UTF-8");
        Records {
            spans,
            logs: self.logs.get_emitted_logs().unwrap(),
            lines: lines
                .lines()
                .map(|line| serde_json::from_str(line).expect("every line is JSON"))
                .collect(),
        }
    }
}

impl Records {
    /// All values of `session.id` on each span of a request, by the span's name. That of a connection,
    /// which serves many, must have none.
    pub fn spans_tagged(&self) -> Vec<(String, Vec<String>)> {
        let tags = |span: &SpanData| (span.name.to_string(), span_values(span, ATTRIBUTE));
        let (of_connections, of_requests): (Vec<_>, Vec<_>) =
            self.spans.iter().map(tags).partition(|(name, _)| name == "connection");
        assert!(of_connections.iter().all(|(_, ids)| ids.is_empty()), "{of_connections:?}");
        of_requests
    }

    /// All values of `session.id` on each log record, by the record's body.
    pub fn logs_tagged(&self) -> Vec<(String, Vec<String>)> {
        self.logs
            .iter()
            .map(|log| (format!("{:?}", log.record.body()), log_values(log, ATTRIBUTE)))
            .collect()
    }

    /// The lines with that message.
    pub fn lines_saying(&self, message: &str) -> Vec<&serde_json::Value> {
        self.lines
            .iter()
            .filter(|line| line["fields"]["message"].as_str().is_some_and(|m| m.contains(message)))
            .collect()
    }
}

/// How many spans there are of each name.
fn names(spans: &[SpanData]) -> BTreeMap<&str, usize> {
    let mut names = BTreeMap::new();
    for span in spans {
        *names.entry(&*span.name).or_default() += 1;
    }
    names
}

/// All values of that attribute of a span.
pub fn span_values(span: &SpanData, key: &str) -> Vec<String> {
    let attributes = span.attributes.iter().filter(|attribute| attribute.key.as_str() == key);
    attributes.map(|attribute| attribute.value.to_string()).collect()
}

/// All values of that attribute of a log record.
pub fn log_values(log: &LogDataWithResource, key: &str) -> Vec<String> {
    let attributes = log.record.attributes_iter().filter(|(name, _)| name.as_str() == key);
    attributes.map(|(_, value)| text(value)).collect()
}

fn text(value: &opentelemetry::logs::AnyValue) -> String {
    match value {
        opentelemetry::logs::AnyValue::String(text) => text.as_str().to_owned(),
        opentelemetry::logs::AnyValue::Int(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// A case that failed must not hide the others.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
