//! `session.id` on every log record that is emitted in a session.

use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::logs::{AnyValue, LogRecord as _, Severity};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};

use super::ATTRIBUTE;
use crate::id::SessionId;

/// A log processor that adds `session.id` to every log record emitted in a session.
///
/// Add it before the processor that exports: processors run in the order in which they were added.
/// A record that has the attribute already keeps it as it is.
///
/// # Example
///
/// ```
/// use opentelemetry_sdk::logs::SdkLoggerProvider;
/// use qorrelate_core::SessionLogProcessor;
///
/// let provider = SdkLoggerProvider::builder()
///     .with_log_processor(SessionLogProcessor::new())
///     // .with_batch_exporter(exporter)
///     .build();
/// # let _ = provider;
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SessionLogProcessor {}

impl SessionLogProcessor {
    /// A processor that tags what it sees and exports nothing.
    pub const fn new() -> Self {
        Self {}
    }
}

impl LogProcessor for SessionLogProcessor {
    fn emit(&self, record: &mut SdkLogRecord, _scope: &InstrumentationScope) {
        let Some(id) = SessionId::current() else {
            return;
        };
        if record.attributes_iter().all(|(key, _)| key.as_str() != ATTRIBUTE) {
            record.add_attribute(ATTRIBUTE, AnyValue::String(id.shared().into()));
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    /// The SDK emits a record if any processor wants it. This one wants none for itself, so that a
    /// filter of the exporting processor keeps its say.
    fn event_enabled(&self, _level: Severity, _target: &str, _name: Option<&str>) -> bool {
        false
    }
}
