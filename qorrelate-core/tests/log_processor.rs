//! `SessionLogProcessor`: what it adds, what it leaves, and that it keeps out of the way.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry_0_33::InstrumentationScope;
use opentelemetry_0_33::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry_sdk_0_33::Resource;
use opentelemetry_sdk_0_33::error::OTelSdkResult;
use opentelemetry_sdk_0_33::logs::{
    InMemoryLogExporter, LogProcessor, SdkLogRecord, SdkLoggerProvider, SimpleLogProcessor,
};
use qorrelate_core::opentelemetry_0_33::SessionLogProcessor;
use qorrelate_core::{ATTRIBUTE, SessionId};

fn session() -> SessionId {
    "abc".parse().unwrap()
}

/// All values of `session.id` on the one record that is emitted.
fn tags(emit: impl FnOnce(&dyn Fn(Option<&'static str>))) -> Vec<AnyValue> {
    let logs = InMemoryLogExporter::default();
    let provider = SdkLoggerProvider::builder()
        .with_log_processor(SessionLogProcessor::new(SimpleLogProcessor::new(logs.clone())))
        .build();
    let logger = provider.logger("tests");
    emit(&|own| {
        let mut record = logger.create_log_record();
        if let Some(own) = own {
            record.add_attribute(ATTRIBUTE, own);
        }
        logger.emit(record);
    });
    let logs = logs.get_emitted_logs().unwrap();
    let [log] = &logs[..] else { panic!("{} records", logs.len()) };
    let tags = log.record.attributes_iter().filter(|(key, _)| key.as_str() == ATTRIBUTE);
    tags.map(|(_, value)| value.clone()).collect()
}

#[test]
fn a_record_in_a_session_gets_its_id() {
    assert_eq!(tags(|emit| session().in_scope(|| emit(None))), [AnyValue::from("abc")]);
}

#[test]
fn a_record_in_no_session_gets_none() {
    assert_eq!(tags(|emit| emit(None)), []);
}

#[test]
fn a_record_that_has_an_id_keeps_it_alone() {
    assert_eq!(tags(|emit| session().in_scope(|| emit(Some("own")))), [AnyValue::from("own")]);
}

/// Exports nothing below `WARN`, and counts what else it is asked for.
#[derive(Debug, Clone, Default)]
struct OnlyWarnings(Arc<AtomicUsize>);

impl LogProcessor for OnlyWarnings {
    fn emit(&self, _: &mut SdkLogRecord, _: &InstrumentationScope) {}

    fn force_flush(&self) -> OTelSdkResult {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        assert!(timeout > Duration::ZERO);
        self.0.fetch_add(10, Ordering::Relaxed);
        Ok(())
    }

    fn event_enabled(&self, level: Severity, _: &str, _: Option<&str>) -> bool {
        level >= Severity::Warn
    }

    fn set_resource(&mut self, _: &Resource) {
        self.0.fetch_add(100, Ordering::Relaxed);
    }
}

#[test]
fn everything_is_passed_on_to_the_exporting_processor() {
    let inner = OnlyWarnings::default();
    let provider = SdkLoggerProvider::builder()
        .with_log_processor(SessionLogProcessor::new(inner.clone()))
        .build();
    let logger = provider.logger("tests");
    assert!(logger.event_enabled(Severity::Warn, "tests", None));
    assert!(!logger.event_enabled(Severity::Info, "tests", None));
    provider.force_flush().unwrap();
    provider.shutdown().unwrap();
    assert_eq!(inner.0.load(Ordering::Relaxed), 111);
}
