//! `SessionLogProcessor`: what it adds, what it leaves, and that it keeps out of the way.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{InMemoryLogExporter, LogProcessor, SdkLogRecord, SdkLoggerProvider};
use qorrelate_core::{ATTRIBUTE, SessionId, SessionLogProcessor};

fn session() -> SessionId {
    "abc".parse().unwrap()
}

/// All values of `session.id` on the one record that is emitted.
fn tags(emit: impl FnOnce(&dyn Fn(Option<&'static str>))) -> Vec<AnyValue> {
    let logs = InMemoryLogExporter::default();
    let provider = SdkLoggerProvider::builder()
        .with_log_processor(SessionLogProcessor::new())
        .with_simple_exporter(logs.clone())
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

/// Exports nothing below `WARN`.
#[derive(Debug)]
struct OnlyWarnings;

impl LogProcessor for OnlyWarnings {
    fn emit(&self, _: &mut SdkLogRecord, _: &InstrumentationScope) {}

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn event_enabled(&self, level: Severity, _: &str, _: Option<&str>) -> bool {
        level >= Severity::Warn
    }
}

#[test]
fn what_the_exporting_processor_filters_out_stays_out() {
    let provider = SdkLoggerProvider::builder()
        .with_log_processor(SessionLogProcessor::new())
        .with_log_processor(OnlyWarnings)
        .build();
    let logger = provider.logger("tests");
    assert!(logger.event_enabled(Severity::Warn, "tests", None));
    assert!(!logger.event_enabled(Severity::Info, "tests", None));
}
