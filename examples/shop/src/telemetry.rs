//! Where the spans and log records of a service go: over OTLP to the viewer, and as text to stderr.
//!
//! The two services share a process but not their telemetry. Each has its own providers, and each of its
//! threads reports to them and to nothing else. The threads that export have neither, so that sending
//! telemetry makes no telemetry.

use std::env;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{
    ExporterBuildError, LogExporter, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_LOGS_ENDPOINT,
    OTEL_EXPORTER_OTLP_LOGS_PROTOCOL, OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, Protocol, SpanExporter,
    WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::logs::{BatchConfigBuilder as LogBatchConfig, BatchLogProcessor};
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_sdk::trace::{BatchConfigBuilder as SpanBatchConfig, BatchSpanProcessor};
use qorrelate_tower::carry_session;
use qorrelate_tower::opentelemetry_0_33::{
    SessionLogProcessor, SessionSampler, SessionTailLogProcessor, SessionTailProcessor,
};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// Short, so that the viewer shows a request while the eye is still on it.
const DELAY: Duration = Duration::from_millis(300);

/// What stderr shows if `RUST_LOG` does not say.
const DEFAULT_LOG: &str =
    "info,actix_server=warn,opentelemetry=warn,opentelemetry_sdk=warn,opentelemetry_otlp=warn";

#[derive(Debug, thiserror::Error)]
pub(crate) enum TelemetryError {
    #[error("{0}")]
    Exporter(#[from] ExporterBuildError),
    #[error("no HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    #[error(
        "{0} asks for TLS, which this example leaves out: send it to a collector on this machine"
    )]
    Tls(&'static str),
}

/// The telemetry of one service.
#[derive(Clone, Debug)]
pub(crate) struct Telemetry {
    dispatch: Dispatch,
    spans: SdkTracerProvider,
    logs: SdkLoggerProvider,
}

impl Telemetry {
    pub(crate) fn of(
        service: &'static str,
        viewer: &str,
        sample: Option<f64>,
    ) -> Result<Self, TelemetryError> {
        let resource = Resource::builder().with_service_name(service).build();

        let exporter =
            Signal::TRACES.configure(SpanExporter::builder().with_http(), viewer)?.build()?;
        let mut batches = SpanBatchConfig::default();
        if !is_set("OTEL_BSP_SCHEDULE_DELAY") {
            batches = batches.with_scheduled_delay(DELAY);
        }
        let spans = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            // By session, so both services report the same ones. What is not sampled is held until the
            // session meets an error.
            .with_sampler(match sample {
                Some(ratio) => SessionSampler::ratio(ratio).hold_unsampled(),
                None => SessionSampler::default(),
            })
            .with_span_processor(SessionTailProcessor::new(
                BatchSpanProcessor::builder(exporter).with_batch_config(batches.build()).build(),
            ))
            .build();

        let exporter =
            Signal::LOGS.configure(LogExporter::builder().with_http(), viewer)?.build()?;
        let mut batches = LogBatchConfig::default();
        if !is_set("OTEL_BLRP_SCHEDULE_DELAY") {
            batches = batches.with_scheduled_delay(DELAY);
        }
        let logs = SdkLoggerProvider::builder()
            .with_resource(resource)
            // Around the one that exports: the outer one tags each record on its way there, the inner one
            // holds those of sessions that are not sampled.
            .with_log_processor(SessionLogProcessor::new(SessionTailLogProcessor::new(
                BatchLogProcessor::builder(exporter).with_batch_config(batches.build()).build(),
                sample.unwrap_or(1.0),
            )))
            .build();

        let subscriber = Registry::default()
            .with(text())
            // Each span keeps its session, in spawned tasks too.
            .with(carry_session(
                tracing_opentelemetry::layer()
                    .with_tracer(spans.tracer("shop"))
                    // The viewer shows what the shop did, not where in its source or on which thread.
                    .with_location(false)
                    .with_threads(false)
                    .with_target(false)
                    .with_tracked_inactivity(false)
                    .with_filter(exported()),
            ))
            .with(OpenTelemetryTracingBridge::new(&logs).with_filter(exported()));
        Ok(Self { dispatch: Dispatch::new(subscriber), spans, logs })
    }

    /// From here on, all that happens on this thread is reported as this service's.
    pub(crate) fn claim_thread(&self) {
        let until_the_thread_ends = tracing::dispatcher::set_default(&self.dispatch);
        std::mem::forget(until_the_thread_ends);
    }

    /// Sends what is still waiting. Blocks: not for an async thread.
    pub(crate) fn shut_down(&self) {
        for outcome in [self.spans.shutdown(), self.logs.shutdown()] {
            if let Err(error) = outcome {
                tracing::warn!("some telemetry was not delivered: {error}");
            }
        }
    }
}

/// What the environment may say about where one kind of telemetry goes.
struct Signal {
    endpoint: &'static str,
    protocol: &'static str,
    path: &'static str,
}

impl Signal {
    const TRACES: Self = Self {
        endpoint: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
        protocol: OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
        path: "/v1/traces",
    };
    const LOGS: Self = Self {
        endpoint: OTEL_EXPORTER_OTLP_LOGS_ENDPOINT,
        protocol: OTEL_EXPORTER_OTLP_LOGS_PROTOCOL,
        path: "/v1/logs",
    };

    /// Only what the environment leaves open is set here: what is set in code would win over it.
    fn configure<B: WithExportConfig + WithHttpConfig>(
        &self,
        mut exporter: B,
        viewer: &str,
    ) -> Result<B, TelemetryError> {
        if !is_set(self.protocol) && !is_set(OTEL_EXPORTER_OTLP_PROTOCOL) {
            exporter = exporter.with_protocol(Protocol::HttpBinary);
        }
        let told =
            [self.endpoint, OTEL_EXPORTER_OTLP_ENDPOINT].into_iter().find(|name| is_set(name));
        match told {
            Some(name) if env::var(name).is_ok_and(|url| url.starts_with("https:")) => {
                Err(TelemetryError::Tls(name))
            }
            Some(_) => Ok(exporter),
            None => {
                // The viewer is on this machine, whatever proxy leads out of it.
                let direct = reqwest::blocking::Client::builder().no_proxy().build()?;
                let endpoint = format!("{viewer}{}", self.path);
                Ok(exporter.with_endpoint(endpoint).with_http_client(direct))
            }
        }
    }
}

/// As the OpenTelemetry specification has it: an empty variable is an unset one.
fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// What is worth reporting: not that a server has started, and nothing about the reporting itself.
fn exported() -> Targets {
    Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("actix_server", LevelFilter::WARN)
        .with_target("hyper", LevelFilter::OFF)
        .with_target("opentelemetry", LevelFilter::OFF)
        .with_target("reqwest", LevelFilter::OFF)
}

/// Text on stderr for every thread that no service claimed: the viewer's, and those that export.
pub(crate) fn log_to_stderr() {
    let subscriber = Registry::default().with(text());
    // It fails only if there is one already, and that one will do.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

fn text<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_LOG));
    tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .compact()
        .with_filter(filter)
}
