//! `session.id` on every log record that is emitted in a session.

use std::time::Duration;

use super::opentelemetry::InstrumentationScope;
use super::opentelemetry::logs::{AnyValue, LogRecord as _, Severity};
use super::opentelemetry_sdk::Resource;
use super::opentelemetry_sdk::error::OTelSdkResult;
use super::opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};
use crate::id::SessionId;
use crate::inbound::ATTRIBUTE;

/// A log processor that adds `session.id` to every log record emitted in a session, and passes the record
/// on to the processor it wraps: the one that exports.
///
/// A record that has the attribute already keeps it as it is.
///
/// # Example
///
/// ```
#[doc = concat!("use ", this_version!(opentelemetry_sdk), "::logs::{ // `opentelemetry_sdk` of this version")]
///     BatchLogProcessor, InMemoryLogExporter, SdkLoggerProvider,
/// };
/// # use qorrelate_core as qorrelate_tower;
#[doc = concat!("use qorrelate_tower::", this_version!(opentelemetry), "::SessionLogProcessor;")]
///
/// let exporter = InMemoryLogExporter::default(); // or opentelemetry-otlp's
/// let batches = BatchLogProcessor::builder(exporter).build();
/// let provider = SdkLoggerProvider::builder()
///     .with_log_processor(SessionLogProcessor::new(batches)) // in place of with_batch_exporter
///     .build();
/// # let _ = provider;
/// ```
#[derive(Debug)]
pub struct SessionLogProcessor<P> {
    inner: P,
}

impl<P: LogProcessor> SessionLogProcessor<P> {
    /// Wraps the processor that exports.
    pub const fn new(inner: P) -> Self {
        Self { inner }
    }
}

fn tag(id: &SessionId, record: &mut SdkLogRecord) {
    let value = || AnyValue::String(id.shared().into());
    match value_of(ATTRIBUTE, record) {
        None => record.add_attribute(ATTRIBUTE, value()),
        // Labels belong to a session, and the record says that it is in another.
        Some(other) if *other != value() => return,
        Some(_) => {}
    }
    for name in id.labels().into_iter().flat_map(|labels| &labels.attributes) {
        if value_of(name, record).is_none() {
            record.add_attribute(name.clone(), value());
        }
    }
}

fn value_of<'a>(key: &str, record: &'a SdkLogRecord) -> Option<&'a AnyValue> {
    record.attributes_iter().find(|(name, _)| name.as_str() == key).map(|(_, value)| value)
}

impl<P: LogProcessor> LogProcessor for SessionLogProcessor<P> {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if let Some(id) = SessionId::current() {
            tag(&id, record);
        }
        self.inner.emit(record, scope);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.inner.shutdown()
    }

    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        self.inner.event_enabled(level, target, name)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
