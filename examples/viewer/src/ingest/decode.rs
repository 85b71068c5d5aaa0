//! From OTLP's messages to the viewer's own spans and log records.

use std::fmt::Write as _;
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource as OtlpResource;
use opentelemetry_proto::tonic::trace::v1::Span as OtlpSpan;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::Value;

use crate::model::{
    Attributes, Event, Kind, Log, Resource, SESSION_ID, Scope, Span, Status, Timestamp, text,
};

/// A longer session ID is no session ID: the library's grammar ends at 128 bytes, others may be more generous.
const MAX_SESSION_ID: usize = 256;

const MAX_SERVICE: usize = 256;

/// `None` if the service's name is no name.
pub(crate) fn resource(resource: Option<OtlpResource>) -> Option<Arc<Resource>> {
    let attributes = attributes(resource.unwrap_or_default().attributes);
    let service = match attributes.get("service.name").and_then(Value::as_str) {
        Some(name) if name.len() > MAX_SERVICE => return None,
        Some(name) if !name.is_empty() => name.to_owned(),
        // The name that the OpenTelemetry specification gives to a service without one.
        _ => "unknown_service".to_owned(),
    };
    Some(Arc::new(Resource { service, attributes }))
}

pub(crate) fn scope(scope: InstrumentationScope) -> Arc<Scope> {
    let attributes = attributes(scope.attributes);
    Arc::new(Scope { name: scope.name, version: scope.version, attributes })
}

/// `None` without valid IDs and times.
pub(crate) fn span(resource: Arc<Resource>, scope: Arc<Scope>, span: OtlpSpan) -> Option<Span> {
    let kind = match span.kind() {
        SpanKind::Server => Kind::Server,
        SpanKind::Client => Kind::Client,
        SpanKind::Producer => Kind::Producer,
        SpanKind::Consumer => Kind::Consumer,
        SpanKind::Internal | SpanKind::Unspecified => Kind::Internal,
    };
    let status = span.status.unwrap_or_default();
    let events = span.events.into_iter().map(|event| Event {
        name: event.name,
        nanos: event.time_unix_nano,
        attributes: attributes(event.attributes),
    });
    Some(Span {
        resource,
        scope,
        name: span.name,
        kind,
        trace_id: hex_id::<16>(&span.trace_id)?,
        span_id: hex_id::<8>(&span.span_id)?,
        parent_span_id: hex_id::<8>(&span.parent_span_id),
        start: Timestamp::from_unix_nanos(span.start_time_unix_nano)?,
        end: Timestamp::from_unix_nanos(span.end_time_unix_nano)?,
        status: match StatusCode::try_from(status.code) {
            Ok(StatusCode::Ok) => Status::Ok,
            Ok(StatusCode::Error) => Status::Error,
            Ok(StatusCode::Unset) | Err(_) => Status::Unset,
        },
        status_message: status.message,
        attributes: with_a_session(attributes(span.attributes))?,
        events: events.collect(),
    })
}

/// `None` without a valid time.
pub(crate) fn log(resource: Arc<Resource>, scope: Arc<Scope>, log: LogRecord) -> Option<Log> {
    // A log bridge need not know when the thing happened: then it is when it was seen.
    let nanos = match log.time_unix_nano {
        0 => log.observed_time_unix_nano,
        nanos => nanos,
    };
    Some(Log {
        resource,
        scope,
        severity: match log.severity_text {
            text if text.is_empty() => severity_name(log.severity_number).to_owned(),
            text => text,
        },
        severity_number: log.severity_number,
        body: log.body.map(json).map(text).unwrap_or_default(),
        trace_id: hex_id::<16>(&log.trace_id),
        span_id: hex_id::<8>(&log.span_id),
        time: Timestamp::from_unix_nanos(nanos)?,
        attributes: with_a_session(attributes(log.attributes))?,
    })
}

fn with_a_session(attributes: Attributes) -> Option<Attributes> {
    let id = attributes.get(SESSION_ID).and_then(Value::as_str);
    id.is_none_or(|id| id.len() <= MAX_SESSION_ID).then_some(attributes)
}

fn severity_name(number: i32) -> &'static str {
    match number {
        1..=4 => "TRACE",
        5..=8 => "DEBUG",
        9..=12 => "INFO",
        13..=16 => "WARN",
        17..=20 => "ERROR",
        21..=24 => "FATAL",
        _ => "UNSPECIFIED",
    }
}

/// `None` unless it has the right length and is not all zeros, which OpenTelemetry calls invalid.
fn hex_id<const N: usize>(id: &[u8]) -> Option<String> {
    (id.len() == N && id.iter().any(|byte| *byte != 0)).then(|| hex(id))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn attributes(attributes: Vec<KeyValue>) -> Attributes {
    attributes
        .into_iter()
        .map(|attribute| (attribute.key, attribute.value.map(json).unwrap_or(Value::Null)))
        .collect()
}

fn json(value: AnyValue) -> Value {
    match value.value {
        None | Some(Any::StringValueStrindex(_)) => Value::Null,
        Some(Any::StringValue(text)) => text.into(),
        Some(Any::BoolValue(truth)) => truth.into(),
        Some(Any::IntValue(number)) => number.into(),
        // JSON has no infinities and no NaN: they are told by name.
        Some(Any::DoubleValue(number)) if !number.is_finite() => number.to_string().into(),
        Some(Any::DoubleValue(number)) => number.into(),
        Some(Any::ArrayValue(array)) => array.values.into_iter().map(json).collect(),
        Some(Any::KvlistValue(list)) => Value::Object(attributes(list.values)),
        Some(Any::BytesValue(bytes)) => hex(&bytes).into(),
    }
}
