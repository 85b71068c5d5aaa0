//! From OTLP's messages to the viewer's own spans and log records.

use std::fmt::Write as _;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span as OtlpSpan;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::Value;

use crate::model::{Attributes, Log, Span, Status, Timestamp, text};

/// What could be read, and how many records could not be kept.
#[derive(Debug)]
pub(crate) struct Decoded<T> {
    pub(crate) records: Vec<T>,
    pub(crate) rejected: usize,
}

pub(crate) fn spans(request: ExportTraceServiceRequest) -> Decoded<Span> {
    let mut decoded = Decoded::new();
    for of_resource in request.resource_spans {
        let service = service_name(of_resource.resource.as_ref());
        for of_scope in of_resource.scope_spans {
            for span in of_scope.spans {
                decoded.push(span_of(&service, span));
            }
        }
    }
    decoded
}

pub(crate) fn logs(request: ExportLogsServiceRequest) -> Decoded<Log> {
    let mut decoded = Decoded::new();
    for of_resource in request.resource_logs {
        let service = service_name(of_resource.resource.as_ref());
        for of_scope in of_resource.scope_logs {
            for log in of_scope.log_records {
                decoded.push(log_of(&service, log));
            }
        }
    }
    decoded
}

impl<T> Decoded<T> {
    fn new() -> Self {
        Self { records: Vec::new(), rejected: 0 }
    }

    fn push(&mut self, record: Option<T>) {
        match record {
            Some(record) => self.records.push(record),
            None => self.rejected += 1,
        }
    }
}

fn service_name(resource: Option<&Resource>) -> String {
    resource
        .into_iter()
        .flat_map(|resource| &resource.attributes)
        .find(|attribute| attribute.key == "service.name")
        .and_then(|attribute| match &attribute.value.as_ref()?.value {
            Some(Any::StringValue(name)) if !name.is_empty() => Some(name.clone()),
            _ => None,
        })
        // The name that the OpenTelemetry specification gives to a service without one.
        .unwrap_or_else(|| "unknown_service".to_owned())
}

fn span_of(service: &str, span: OtlpSpan) -> Option<Span> {
    let status = span.status.unwrap_or_default();
    Some(Span {
        service: service.to_owned(),
        name: span.name,
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
        attributes: attributes(span.attributes),
    })
}

fn log_of(service: &str, log: LogRecord) -> Option<Log> {
    // A log bridge need not know when the thing happened: then it is when it was seen.
    let nanos = match log.time_unix_nano {
        0 => log.observed_time_unix_nano,
        nanos => nanos,
    };
    Some(Log {
        service: service.to_owned(),
        severity: match log.severity_text {
            text if text.is_empty() => severity_name(log.severity_number).to_owned(),
            text => text,
        },
        severity_number: log.severity_number,
        body: log.body.map(json).map(text).unwrap_or_default(),
        trace_id: hex_id::<16>(&log.trace_id),
        span_id: hex_id::<8>(&log.span_id),
        time: Timestamp::from_unix_nanos(nanos)?,
        attributes: attributes(log.attributes),
    })
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
