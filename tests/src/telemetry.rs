//! The telemetry of the test's process: exported spans, exported log records, and JSON log lines.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::trace::{SpanKind, TracerProvider as _};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::in_memory_exporter::LogDataWithResource;
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};
use qorrelate_core::{ATTRIBUTE, SessionLogProcessor, SessionSampler};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;

/// Where the telemetry of this process goes. There is one, as in an app.
#[derive(Debug)]
pub struct Telemetry {
    spans: InMemorySpanExporter,
    logs: InMemoryLogExporter,
    lines: Lines,
    _providers: (SdkTracerProvider, SdkLoggerProvider),
}

/// What one request left behind.
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
        static TELEMETRY: OnceLock<Telemetry> = OnceLock::new();
        TELEMETRY.get_or_init(|| {
            let spans = InMemorySpanExporter::default();
            let tracer_provider = SdkTracerProvider::builder()
                .with_sampler(SessionSampler::new(Sampler::AlwaysOn))
                .with_simple_exporter(spans.clone())
                .build();
            let logs = InMemoryLogExporter::default();
            let logger_provider = SdkLoggerProvider::builder()
                .with_log_processor(SessionLogProcessor::new())
                .with_simple_exporter(logs.clone())
                .build();
            let lines = Lines::default();
            // Without what is of a connection or of a server, and so of no request.
            let filter = Targets::new().with_default(LevelFilter::DEBUG).with_targets(
                ["actix_server", "h2", "hyper_util"].map(|of| (of, LevelFilter::OFF)),
            );
            let subscriber = tracing_subscriber::registry()
                .with(filter)
                .with(tracing_opentelemetry::layer().with_tracer(tracer_provider.tracer("tests")))
                .with(OpenTelemetryTracingBridge::new(&logger_provider))
                .with(tracing_subscriber::fmt::layer().json().with_writer(lines.clone()));
            tracing::subscriber::set_global_default(subscriber).expect("no other subscriber");
            Telemetry { spans, logs, lines, _providers: (tracer_provider, logger_provider) }
        })
    }

    /// Runs one request and answers what it left behind, once its server span has ended. One at a
    /// time: what other requests leave must not be mixed in.
    pub fn record<T>(&self, request: impl FnOnce() -> T) -> (T, Records) {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = lock(&ONE_AT_A_TIME);
        self.spans.reset();
        self.logs.reset();
        lock(&self.lines.0).clear();

        let answer = request();

        let deadline = Instant::now() + Duration::from_secs(10);
        let spans = loop {
            let spans = self.spans.get_finished_spans().unwrap();
            if spans.iter().any(|span| span.span_kind == SpanKind::Server) {
                break spans;
            }
            assert!(Instant::now() < deadline, "no server span ended; ended: {spans:#?}");
            std::thread::yield_now();
        };
        let lines = lock(&self.lines.0);
        let lines = String::from_utf8(lines.clone()).expect("lines are UTF-8");
        let records = Records {
            spans,
            logs: self.logs.get_emitted_logs().unwrap(),
            lines: lines
                .lines()
                .map(|line| serde_json::from_str(line).expect("every line is JSON"))
                .collect(),
        };
        (answer, records)
    }
}

impl Records {
    /// All values of `session.id` on each span, by the span's name.
    pub fn spans_tagged(&self) -> Vec<(String, Vec<String>)> {
        self.spans
            .iter()
            .map(|span| {
                let ids = span.attributes.iter().filter(|kv| kv.key.as_str() == ATTRIBUTE);
                (span.name.to_string(), ids.map(|kv| kv.value.to_string()).collect())
            })
            .collect()
    }

    /// All values of `session.id` on each log record, by the record's body.
    pub fn logs_tagged(&self) -> Vec<(String, Vec<String>)> {
        self.logs
            .iter()
            .map(|log| {
                let ids = log.record.attributes_iter().filter(|(key, _)| key.as_str() == ATTRIBUTE);
                let body = format!("{:?}", log.record.body());
                (body, ids.map(|(_, value)| text(value)).collect())
            })
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

fn text(value: &opentelemetry::logs::AnyValue) -> String {
    match value {
        opentelemetry::logs::AnyValue::String(text) => text.as_str().to_owned(),
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
