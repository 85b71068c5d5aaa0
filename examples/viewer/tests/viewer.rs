//! The viewer on a real socket: real OTLP payloads in, JSON and pages out.

// Clippy takes a test's helpers for code that is not a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::{Value, json};

use viewer::{Orgs, Patience, Retention, Store, app, serve};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

struct Viewer {
    url: String,
    client: reqwest::Client,
}

impl Viewer {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = app(
            Store::open(None, Retention::default()).unwrap(),
            Some("http://127.0.0.1:3000"),
            Orgs::default(),
        );
        tokio::spawn(async move {
            serve(listener, app, Patience::default(), std::future::pending()).await
        });
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url, client }
    }

    async fn post(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> reqwest::Response {
        let request = self.client.post(format!("{}{path}", self.url)).body(body);
        request.header(CONTENT_TYPE, content_type).send().await.unwrap()
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    async fn page(&self, path: &str) -> String {
        self.get(path).await.text().await.unwrap()
    }
}

fn string(text: &str) -> Any {
    Any::StringValue(text.into())
}

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn resource(service: &str) -> Option<Resource> {
    Some(Resource {
        attributes: vec![attribute("service.name", string(service))],
        ..Resource::default()
    })
}

fn span(session: &str) -> Span {
    Span {
        trace_id: vec![0xab; 16],
        span_id: vec![0xcd; 8],
        parent_span_id: vec![],
        name: "POST /charge".into(),
        start_time_unix_nano: 1_763_829_600_000_000_001,
        end_time_unix_nano: 1_763_829_600_020_000_000,
        attributes: vec![
            attribute("session.id", string(session)),
            attribute("whole", Any::IntValue(-7)),
            attribute("half", Any::DoubleValue(0.5)),
            attribute("not a number", Any::DoubleValue(f64::NAN)),
            attribute("true", Any::BoolValue(true)),
            attribute("bytes", Any::BytesValue(vec![0, 255])),
            attribute(
                "list",
                Any::ArrayValue(ArrayValue {
                    values: vec![AnyValue { value: Some(string("x")) }, AnyValue { value: None }],
                }),
            ),
            attribute(
                "map",
                Any::KvlistValue(KeyValueList {
                    values: vec![attribute("deep", Any::IntValue(1))],
                }),
            ),
        ],
        status: Some(Status { code: 2, message: "declined".into() }),
        ..Span::default()
    }
}

fn traces(spans: Vec<Span>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: resource("payments"),
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    }
}

fn logs(session: &str, body: &str) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: resource("payments"),
            scope_logs: vec![ScopeLogs {
                log_records: vec![LogRecord {
                    observed_time_unix_nano: 1_763_829_600_010_000_000,
                    severity_number: 13,
                    body: Some(AnyValue { value: Some(string(body)) }),
                    attributes: vec![attribute("session.id", string(session))],
                    trace_id: vec![0xab; 16],
                    span_id: vec![0xcd; 8],
                    ..LogRecord::default()
                }],
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn expected_session() -> Value {
    json!({
        "session_id": "abc-123-xyz",
        "spans": [{
            "service": "payments",
            "name": "POST /charge",
            "kind": "internal",
            "trace_id": "ab".repeat(16),
            "span_id": "cd".repeat(8),
            "parent_span_id": null,
            "start": "2025-11-22T16:40:00.000000001Z",
            "end": "2025-11-22T16:40:00.020000000Z",
            "status": "error",
            "attributes": {
                "session.id": "abc-123-xyz",
                "whole": -7,
                "half": 0.5,
                "not a number": "NaN",
                "true": true,
                "bytes": "00ff",
                "list": ["x", null],
                "map": {"deep": 1},
            },
            "events": [],
        }],
        "logs": [{
            "service": "payments",
            "severity": "WARN",
            "body": "too much",
            "trace_id": "ab".repeat(16),
            "span_id": "cd".repeat(8),
            "time": "2025-11-22T16:40:00.010000000Z",
            "attributes": {"session.id": "abc-123-xyz"},
        }],
        "tabs": [],
        "truncated": false,
    })
}

#[tokio::test]
async fn protobuf_is_taken_and_shown() {
    let viewer = Viewer::start().await;
    let answer = viewer
        .post("/v1/traces", PROTOBUF, traces(vec![span("abc-123-xyz")]).encode_to_vec())
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[CONTENT_TYPE], PROTOBUF);
    let answer = ExportTraceServiceResponse::decode(answer.bytes().await.unwrap()).unwrap();
    assert_eq!(answer.partial_success, None);

    let answer =
        viewer.post("/v1/logs", PROTOBUF, logs("abc-123-xyz", "too much").encode_to_vec()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    ExportLogsServiceResponse::decode(answer.bytes().await.unwrap()).unwrap();

    assert_eq!(viewer.json("/api/sessions/abc-123-xyz").await, expected_session());
    assert_eq!(
        viewer.json("/api/sessions").await,
        json!([{
            "session_id": "abc-123-xyz",
            "spans": 1,
            "logs": 1,
            "traces": 1,
            "errors": 1,
            "refused": 0,
            "batches": 0,
            "dead_clicks": 0,
            "repeated_clicks": 0,
            "repeated_within_ms": null,
            "slow_frames": 0,
            "messages": 0,
            "user": null,
            "services": ["payments"],
            "first_seen": "2025-11-22T16:40:00.000000001Z",
            "last_seen": "2025-11-22T16:40:00.020000000Z",
        }])
    );
}

#[tokio::test]
async fn json_is_taken_as_the_specification_writes_it() {
    let viewer = Viewer::start().await;
    // Numbers of 64 bits as strings or as numbers, IDs in hex of either case, unknown fields ignored.
    let traces = json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "payments"}}]},
        "scopeSpans": [{"scope": {}, "spans": [{
            "traceId": "AB".repeat(16), "spanId": "cd".repeat(8), "name": "POST /charge", "kind": 2,
            "startTimeUnixNano": "1763829600000000001", "endTimeUnixNano": 1_763_829_600_020_000_000_u64,
            "attributes": [{"key": "session.id", "value": {"stringValue": "abc-123-xyz"}},
                           {"key": "whole", "value": {"intValue": "-7"}}],
            "status": {"code": 2}, "neverHeardOf": 1,
        }]}],
    }]});
    let answer =
        viewer.post("/v1/traces", "application/json; charset=utf-8", traces.to_string()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[CONTENT_TYPE], JSON);
    assert!(answer.json::<Value>().await.unwrap()["partialSuccess"].is_null());

    let logs = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{
        "timeUnixNano": "1763829600010000000", "severityText": "warning",
        "body": {"kvlistValue": {"values": [{"key": "what", "value": {"stringValue": "too much"}}]}},
        "attributes": [{"key": "session.id", "value": {"stringValue": "abc-123-xyz"}}],
    }]}]}]});
    let answer = viewer.post("/v1/logs", JSON, logs.to_string()).await;
    assert_eq!(answer.status(), StatusCode::OK);

    let session = viewer.json("/api/sessions/abc-123-xyz").await;
    let (span, log) = (&session["spans"][0], &session["logs"][0]);
    assert_eq!(span["trace_id"], "ab".repeat(16));
    assert_eq!(span["start"], "2025-11-22T16:40:00.000000001Z");
    assert_eq!(span["attributes"], json!({"session.id": "abc-123-xyz", "whole": -7}));
    assert_eq!(log["service"], "unknown_service");
    assert_eq!(log["severity"], "warning");
    assert_eq!(log["body"], r#"{"what":"too much"}"#);
    assert_eq!(log["trace_id"], Value::Null);
}

#[tokio::test]
async fn gzip_is_unpacked() {
    let viewer = Viewer::start().await;
    let plain = traces(vec![span("zipped")]);
    for (content_type, body) in
        [(PROTOBUF, plain.encode_to_vec()), (JSON, serde_json::to_vec(&plain).unwrap())]
    {
        let request = viewer.client.post(format!("{}/v1/traces", viewer.url));
        let request = request.header(CONTENT_TYPE, content_type).header(CONTENT_ENCODING, "gzip");
        let answer = request.body(gzip(&body)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{content_type}");
    }
    // The same span twice, as after a lost answer: it is one span.
    assert_eq!(viewer.json("/api/sessions/zipped").await["spans"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_not_otlp_is_refused() {
    let viewer = Viewer::start().await;
    for path in ["/v1/traces", "/v1/logs"] {
        let answer = viewer.post(path, JSON, "{\"resource").await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert_eq!(answer.json::<Value>().await.unwrap()["code"], 3);

        // Field 1 of 100 bytes, of which none follow.
        let answer = viewer.post(path, PROTOBUF, vec![0x0a, 100]).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert_eq!(answer.headers()[CONTENT_TYPE], PROTOBUF);
        assert_eq!(answer.bytes().await.unwrap()[..2], [0x08, 3], "google.rpc.Status");

        let answer = viewer.post(path, "text/plain", "{}").await;
        assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);

        let request = viewer.client.post(format!("{}{path}", viewer.url));
        let request = request.header(CONTENT_TYPE, JSON).header(CONTENT_ENCODING, "gzip");
        let answer = request.body("not gzip").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);

        let request = viewer.client.post(format!("{}{path}", viewer.url));
        let request = request.header(CONTENT_TYPE, JSON).header(CONTENT_ENCODING, "br");
        let answer = request.body("{}").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);

        assert_eq!(viewer.get(path).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(viewer.json("/api/sessions").await, json!([]));
}

#[tokio::test]
async fn a_bomb_is_refused_by_its_unpacked_size() {
    let viewer = Viewer::start().await;
    let large = vec![b' '; 8 * 1024 * 1024];
    let answer = viewer.post("/v1/traces", JSON, [&large[..], b"{}"].concat()).await;
    assert_eq!(answer.status(), StatusCode::OK, "a large batch is no bomb");

    let bomb = gzip(&vec![b' '; 64 * 1024 * 1024]);
    assert!(bomb.len() < 100_000);
    let request = viewer.client.post(format!("{}/v1/traces", viewer.url));
    let request = request.header(CONTENT_TYPE, JSON).header(CONTENT_ENCODING, "gzip");
    let answer = request.body(bomb).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn spans_without_proper_ids_are_counted_as_rejected() {
    let viewer = Viewer::start().await;
    let no_trace = Span { trace_id: vec![], ..span("s") };
    let zeros = Span { span_id: vec![0; 8], ..span("s") };
    let far_future = Span { end_time_unix_nano: u64::MAX, ..span("s") };
    let request = traces(vec![no_trace, span("s"), zeros, far_future]);
    let answer = viewer.post("/v1/traces", PROTOBUF, request.encode_to_vec()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let answer = ExportTraceServiceResponse::decode(answer.bytes().await.unwrap()).unwrap();
    assert_eq!(answer.partial_success.unwrap().rejected_spans, 3);
    assert_eq!(viewer.json("/api/sessions/s").await["spans"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_record_too_large_is_rejected_alone() {
    let viewer = Viewer::start().await;
    let large = || attribute("large", string(&"x".repeat(70_000)));
    let mut spans = vec![span("s"), span("s")];
    spans[0].span_id[0] = 1;
    spans[0].attributes.push(large());
    let mut of_large_resource = traces(vec![span("other")]);
    if let Some(resource) = &mut of_large_resource.resource_spans[0].resource {
        resource.attributes.push(large());
    }
    let mut long_id = traces(vec![span(&"x".repeat(257))]);
    long_id.resource_spans.extend(of_large_resource.resource_spans);
    long_id.resource_spans.extend(traces(spans).resource_spans);
    for (content_type, body) in
        [(PROTOBUF, long_id.encode_to_vec()), (JSON, serde_json::to_vec(&long_id).unwrap())]
    {
        let answer = viewer.post("/v1/traces", content_type, body).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let answer = answer.bytes().await.unwrap();
        let rejected = match content_type {
            JSON => serde_json::from_slice(&answer).unwrap(),
            _ => ExportTraceServiceResponse::decode(answer).unwrap(),
        };
        assert_eq!(rejected.partial_success.unwrap().rejected_spans, 3, "{content_type}");
    }
    let sessions = viewer.json("/api/sessions").await;
    assert_eq!(sessions.as_array().unwrap().len(), 1);
    assert_eq!((&sessions[0]["session_id"], &sessions[0]["spans"]), (&json!("s"), &json!(1)));
}

#[tokio::test]
async fn an_unknown_session_is_404_as_json_and_as_a_page() {
    let viewer = Viewer::start().await;
    let answer = viewer.get("/api/sessions/nobody").await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
    assert_eq!(answer.json::<Value>().await.unwrap()["status"], 404);
    assert_eq!(viewer.get("/sessions/nobody").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_refusal_is_a_problem_document() {
    let viewer = Viewer::start().await;
    for (path, status) in [
        ("/nothing", 404),
        ("/v1/traces", 405),
        ("/api/traces", 400),
        ("/api/sessions?min=long", 400),
        ("/?from=yesterday", 400),
        ("/?after=1", 400),
        ("/traces/ab", 404),
        ("/api/records/span/1", 404),
        ("/api/records/span/x", 400),
    ] {
        let answer = viewer.get(path).await;
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json", "{path}");
        let document = answer.json::<Value>().await.unwrap();
        assert_eq!(document["status"], status, "{path}");
        assert!(!document["detail"].as_str().unwrap().is_empty(), "{path}");
    }
    let request = viewer.client.post(format!("{}/v1/logs", viewer.url));
    let answer = request.header(CONTENT_TYPE, "text/plain").body("x").send().await.unwrap();
    assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
}

#[tokio::test]
async fn answers_are_compressed_for_those_who_can_read_it() {
    let viewer = Viewer::start().await;
    let get = viewer.client.get(format!("{}/assets/viewer.css", viewer.url));
    let answer = get.header("Accept-Encoding", "gzip").send().await.unwrap();
    assert_eq!(answer.headers()[CONTENT_ENCODING], "gzip");
    assert!(!viewer.get("/assets/viewer.css").await.headers().contains_key(CONTENT_ENCODING));
}

#[tokio::test]
async fn the_list_goes_on_where_its_page_ends() {
    let viewer = Viewer::start().await;
    for n in 0..60_u8 {
        let mut span = span(&format!("s{n}"));
        span.span_id[0] = n;
        viewer.post("/v1/traces", PROTOBUF, traces(vec![span]).encode_to_vec()).await;
    }
    let answer = viewer.get("/api/sessions?q=s").await;
    let link = answer.headers()["link"].to_str().unwrap().to_owned();
    assert_eq!(answer.json::<Value>().await.unwrap().as_array().unwrap().len(), 50);
    let next = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
    let answer = viewer.get(next).await;
    assert!(!answer.headers().contains_key("link"));
    assert_eq!(answer.json::<Value>().await.unwrap().as_array().unwrap().len(), 10);
    let page = viewer.page("/").await;
    assert!(page.contains("Older sessions"));
}

#[tokio::test]
async fn every_id_that_the_library_admits_can_be_linked_to() {
    let viewer = Viewer::start().await;
    let id = "/a//b:c+d=e~f%2F..";
    let escaped = "%2Fa%2F%2Fb%3Ac%2Bd%3De~f%252F..";
    viewer.post("/v1/traces", PROTOBUF, traces(vec![span(id)]).encode_to_vec()).await;

    assert!(viewer.page("/").await.contains(&format!("href=\"/sessions/{escaped}\"")));
    assert_eq!(viewer.json(&format!("/api/sessions/{escaped}")).await["session_id"], id);
    assert_eq!(viewer.get(&format!("/sessions/{escaped}")).await.status(), StatusCode::OK);
    // As somebody would type it.
    viewer.post("/v1/logs", PROTOBUF, logs("a/b:c+d=e", "x").encode_to_vec()).await;
    assert_eq!(viewer.json("/api/sessions/a/b:c+d=e").await["session_id"], "a/b:c+d=e");
}

#[tokio::test]
async fn nothing_that_arrived_is_markup() {
    let viewer = Viewer::start().await;
    let evil = "\"'><script>alert(1)</script>";
    let mut hostile = span(evil);
    hostile.name = evil.into();
    hostile.attributes.push(attribute(evil, string(evil)));
    hostile.status = Some(Status { code: 2, message: evil.into() });
    let mut request = traces(vec![hostile]);
    request.resource_spans[0].resource = resource(evil);
    viewer.post("/v1/traces", PROTOBUF, request.encode_to_vec()).await;
    viewer.post("/v1/logs", PROTOBUF, logs(evil, evil).encode_to_vec()).await;

    let list = viewer.json("/api/sessions").await;
    let id = list[0]["session_id"].as_str().unwrap();
    let link = percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC);
    for path in [
        "/".to_owned(),
        format!("/sessions/{link}"),
        format!("/sessions/not-{link}"),
        format!("/?q={link}"),
    ] {
        let answer = viewer.get(&path).await;
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("script-src 'self'"));
        let page = answer.text().await.unwrap();
        assert!(page.contains("alert(1)"), "{path} shows it");
        assert!(!page.contains("<script>alert"), "{path} escapes it");
        assert!(!page.contains("\"'>"), "{path} escapes quotes");
    }
}

#[tokio::test]
async fn the_list_can_be_searched_and_says_when_it_is_empty() {
    let viewer = Viewer::start().await;
    assert!(viewer.page("/").await.contains("Nothing yet"));
    viewer.post("/v1/logs", PROTOBUF, logs("first", "x").encode_to_vec()).await;
    viewer.post("/v1/logs", PROTOBUF, logs("second", "x").encode_to_vec()).await;
    let page = viewer.page("/?q=FIR").await;
    assert!(page.contains("/sessions/first") && !page.contains("/sessions/second"));
    assert!(viewer.page("/?q=third").await.contains("No session matches"));
    assert_eq!(viewer.json("/api/sessions?q=sec").await.as_array().unwrap().len(), 1);
}
