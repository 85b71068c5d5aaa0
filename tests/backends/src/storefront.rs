//! Many spans of a storefront, without a storefront.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

/// As many as the SDK exports at once.
pub const BATCH: usize = 512;
/// The storefront's spans of an order.
const NAMES: [&str; 4] =
    ["POST /api/checkout", "price the basket", "reserve the stock", "call payments"];

/// A batch of spans, with the attributes that the shop gives them.
pub fn batch(
    random: &mut Random,
    requests_per_session: usize,
    tagged: bool,
) -> ExportTraceServiceRequest {
    let mut spans = Vec::new();
    let (mut session, mut trace, mut root) = (String::new(), Vec::new(), Vec::new());
    for number in 0..BATCH {
        let (request, nth) = (number / NAMES.len(), number % NAMES.len());
        if nth == 0 {
            trace = [random.bytes(), random.bytes()].concat();
            if request.is_multiple_of(requests_per_session) {
                session = uuid(random);
            }
        }
        let id = random.bytes();
        if nth == 0 {
            root.clone_from(&id);
        }
        let start =
            1_764_000_000_000_000_000 + number as u64 * 3_000_000 + random.number() % 1_000_000;
        let mut attributes = match nth {
            0 => vec![
                attribute("http.request.method", Any::StringValue("POST".into())),
                attribute("url.path", Any::StringValue("/api/checkout".into())),
                attribute("http.route", Any::StringValue("/api/checkout".into())),
                attribute("http.response.status_code", Any::IntValue(200)),
            ],
            1 => vec![attribute(
                "total_cents",
                Any::IntValue((random.number() % 20_000).cast_signed()),
            )],
            2 => vec![attribute("order", Any::StringValue(format!("A-{}", 1001 + request)))],
            _ => vec![
                attribute("http.request.method", Any::StringValue("POST".into())),
                attribute("url.full", Any::StringValue("http://payments.internal/charge".into())),
                attribute("http.response.status_code", Any::IntValue(200)),
            ],
        };
        if tagged {
            attributes.push(attribute("session.id", Any::StringValue(session.clone())));
        }
        spans.push(Span {
            trace_id: trace.clone(),
            span_id: id,
            parent_span_id: if nth == 0 { Vec::new() } else { root.clone() },
            name: NAMES[nth].to_owned(),
            kind: 1,
            flags: 257,
            start_time_unix_nano: start,
            end_time_unix_nano: start + 1_000_000 + random.number() % 20_000_000,
            attributes,
            status: Some(Status::default()),
            ..Default::default()
        });
    }
    let name = |name: &str| attribute("service.name", Any::StringValue(name.to_owned()));
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource { attributes: vec![name("storefront")], ..Default::default() }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope { name: "shop".to_owned(), ..Default::default() }),
                spans,
                ..Default::default()
            }],
            ..Default::default()
        }],
    }
}

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..Default::default()
    }
}

fn uuid(random: &mut Random) -> String {
    let hex: String = [random.bytes(), random.bytes()]
        .concat()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{}-{}-7{}-9{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

/// The same numbers in every run.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next one.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Eight bytes.
    pub fn bytes(&mut self) -> Vec<u8> {
        self.number().wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes().to_vec()
    }

    /// One below this.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.number() >> 8).unwrap() % limit
    }
}
