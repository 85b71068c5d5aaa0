//! OTLP: what a test sends, and what arrives, flat.

use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use serde_json::{Map, Value, json};

/// Which kind of telemetry.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// A span.
    Span,
    /// A log record.
    Log,
}

/// A span or a log record that arrived.
#[derive(Clone, Debug)]
pub struct Item {
    /// Which of the two.
    pub kind: Kind,
    /// The attributes of its resource.
    pub resource: Map<String, Value>,
    /// The span's name or the log record's text.
    pub name: String,
    /// In hex.
    pub trace_id: String,
    /// Its own attributes, in which no key may be twice.
    pub attributes: Map<String, Value>,
    /// Those of each of its events.
    pub events: Vec<Map<String, Value>>,
}

impl Item {
    /// What its attribute `session.id` says.
    pub fn session(&self) -> Option<&str> {
        self.attributes.get("session.id").map(|id| id.as_str().expect("session.id is text"))
    }

    /// The name of the service that sent it.
    pub fn service(&self) -> &str {
        self.resource.get("service.name").and_then(Value::as_str).unwrap_or_default()
    }
}

/// Telemetry to send.
#[derive(Clone, Debug)]
pub enum Sent {
    /// Spans.
    Spans(ExportTraceServiceRequest),
    /// Log records.
    Logs(ExportLogsServiceRequest),
}

impl Sent {
    /// One request with all of these items, which are of one kind.
    pub fn all(items: impl IntoIterator<Item = Self>) -> Self {
        let mut items = items.into_iter();
        let mut all = items.next().expect("at least one item");
        items.for_each(|item| all.add(item));
        all
    }

    /// Adds another of the same kind. What is from the same resource is sent as such, as an SDK does.
    pub fn add(&mut self, item: Self) {
        match (self, item) {
            (Self::Spans(all), Self::Spans(more)) => {
                for more in more.resource_spans {
                    let same =
                        all.resource_spans.iter_mut().find(|all| all.resource == more.resource);
                    match same {
                        Some(all) => all.scope_spans[0]
                            .spans
                            .extend(more.scope_spans.into_iter().flat_map(|scope| scope.spans)),
                        None => all.resource_spans.push(more),
                    }
                }
            }
            (Self::Logs(all), Self::Logs(more)) => {
                for more in more.resource_logs {
                    let same =
                        all.resource_logs.iter_mut().find(|all| all.resource == more.resource);
                    match same {
                        Some(all) => all.scope_logs[0].log_records.extend(
                            more.scope_logs.into_iter().flat_map(|scope| scope.log_records),
                        ),
                        None => all.resource_logs.push(more),
                    }
                }
            }
            _ => panic!("spans and log records go in requests of their own"),
        }
    }

    /// Where it is posted to.
    pub fn path(&self) -> &'static str {
        match self {
            Self::Spans(_) => "/v1/traces",
            Self::Logs(_) => "/v1/logs",
        }
    }

    /// The body of the post.
    pub fn encoded(&self) -> Vec<u8> {
        match self {
            Self::Spans(request) => request.encode_to_vec(),
            Self::Logs(request) => request.encode_to_vec(),
        }
    }
}

/// How many spans there are, for IDs that differ.
static SPANS: AtomicU64 = AtomicU64::new(1);

/// A span of a trace of its own.
pub fn span(name: &str, attributes: Value) -> Sent {
    span_in(u128::from(SPANS.load(Ordering::Relaxed)) << 64 | 0x9e37, name, attributes)
}

/// A span of a server. Four attributes are fields of their own: `kind` (1 is internal), `status` (2 is an error),
/// `resource`, and `event` (the attributes of an event).
pub fn span_in(trace: u128, name: &str, attributes: Value) -> Sent {
    let (mut attributes, resource) = split(attributes);
    let status = attributes.remove("status").and_then(|status| status.as_i64());
    let kind = attributes.remove("kind").and_then(|kind| kind.as_i64());
    let event = attributes.remove("event").map(|event| {
        let Value::Object(event) = event else { panic!("attributes are an object") };
        Event {
            name: "an event".to_owned(),
            attributes: to_key_values(event),
            ..Default::default()
        }
    });
    let span = Span {
        events: event.into_iter().collect(),
        trace_id: trace.to_be_bytes().to_vec(),
        span_id: SPANS.fetch_add(1, Ordering::Relaxed).to_be_bytes().to_vec(),
        name: name.to_owned(),
        kind: kind.unwrap_or(2).try_into().unwrap(),
        start_time_unix_nano: 1_764_000_000_000_000_000,
        end_time_unix_nano: 1_764_000_000_010_000_000,
        attributes: to_key_values(attributes),
        status: status.map(|code| Status { code: code.try_into().unwrap(), ..Default::default() }),
        ..Default::default()
    };
    Sent::Spans(ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans { spans: vec![span], ..Default::default() }],
            ..Default::default()
        }],
    })
}

/// A log record of no trace.
pub fn log(body: &str, attributes: Value) -> Sent {
    log_in(0, body, attributes)
}

/// A log record. Two attributes are fields of their own: `severity`, and `resource`.
pub fn log_in(trace: u128, body: &str, attributes: Value) -> Sent {
    let (mut attributes, resource) = split(attributes);
    let severity = attributes.remove("severity").and_then(|severity| severity.as_i64());
    let record = LogRecord {
        time_unix_nano: 1_764_000_000_000_000_000,
        severity_number: severity.unwrap_or(9).try_into().unwrap(),
        trace_id: if trace == 0 { Vec::new() } else { trace.to_be_bytes().to_vec() },
        body: Some(to_any(json!(body))),
        attributes: to_key_values(attributes),
        ..Default::default()
    };
    Sent::Logs(ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource),
            scope_logs: vec![ScopeLogs { log_records: vec![record], ..Default::default() }],
            ..Default::default()
        }],
    })
}

fn split(attributes: Value) -> (Map<String, Value>, Resource) {
    let Value::Object(mut attributes) = attributes else { panic!("attributes are an object") };
    let mut resource = Map::from_iter([("service.name".to_owned(), json!("a-service"))]);
    if let Some(Value::Object(more)) = attributes.remove("resource") {
        resource.extend(more);
    }
    (attributes, Resource { attributes: to_key_values(resource), ..Default::default() })
}

fn to_key_values(attributes: Map<String, Value>) -> Vec<KeyValue> {
    let pair = |(key, value)| KeyValue { key, value: Some(to_any(value)), ..Default::default() };
    attributes.into_iter().map(pair).collect()
}

fn to_any(value: Value) -> AnyValue {
    let value = match value {
        Value::Null => None,
        Value::Bool(value) => Some(Any::BoolValue(value)),
        Value::Number(value) if value.is_i64() => Some(Any::IntValue(value.as_i64().unwrap())),
        Value::Number(value) => Some(Any::DoubleValue(value.as_f64().unwrap())),
        Value::String(value) => Some(Any::StringValue(value)),
        Value::Array(values) => {
            Some(Any::ArrayValue(ArrayValue { values: values.into_iter().map(to_any).collect() }))
        }
        Value::Object(values) => {
            Some(Any::KvlistValue(KeyValueList { values: to_key_values(values) }))
        }
    };
    AnyValue { value }
}

pub(crate) fn spans(body: &[u8]) -> Vec<Item> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut items = Vec::new();
    for of_resource in request.resource_spans {
        let resource = from_key_values(of_resource.resource.unwrap_or_default().attributes);
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            items.push(Item {
                kind: Kind::Span,
                resource: resource.clone(),
                name: span.name,
                trace_id: hex(&span.trace_id),
                attributes: from_key_values(span.attributes),
                events: span
                    .events
                    .into_iter()
                    .map(|event| from_key_values(event.attributes))
                    .collect(),
            });
        }
    }
    items
}

pub(crate) fn logs(body: &[u8]) -> Vec<Item> {
    let request = ExportLogsServiceRequest::decode(body).unwrap();
    let mut items = Vec::new();
    for of_resource in request.resource_logs {
        let resource = from_key_values(of_resource.resource.unwrap_or_default().attributes);
        for record in of_resource.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
            items.push(Item {
                kind: Kind::Log,
                resource: resource.clone(),
                name: record
                    .body
                    .map(from_any)
                    .and_then(|body| Some(body.as_str()?.to_owned()))
                    .unwrap_or_default(),
                trace_id: hex(&record.trace_id),
                attributes: from_key_values(record.attributes),
                events: Vec::new(),
            });
        }
    }
    items
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn from_key_values(attributes: Vec<KeyValue>) -> Map<String, Value> {
    let mut map = Map::new();
    for KeyValue { key, value, .. } in attributes {
        let before = map.insert(key.clone(), value.map_or(Value::Null, from_any));
        assert!(before.is_none(), "{key} is there twice");
    }
    map
}

fn from_any(value: AnyValue) -> Value {
    match value.value {
        Some(Any::BoolValue(value)) => json!(value),
        Some(Any::IntValue(value)) => json!(value),
        Some(Any::DoubleValue(value)) => json!(value),
        Some(Any::StringValue(value)) => json!(value),
        Some(Any::ArrayValue(list)) => list.values.into_iter().map(from_any).collect(),
        Some(Any::KvlistValue(list)) => Value::Object(from_key_values(list.values)),
        Some(Any::BytesValue(bytes)) => json!(hex(&bytes)),
        _ => Value::Null,
    }
}
