//! The configurations of `examples/collector`, in the OpenTelemetry Collector.

// Clippy takes a test's helpers for code that is not a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, exemplar,
    number_data_point,
};
use prost::Message as _;
use qorrelate_core::SessionId;
use qorrelate_test_backends::{
    Collector, Item, Kind, Random, Receiver, Sent, Shop, eventually, log, span, span_in,
};
use reqwest::Method;
use serde_json::{Value, json};

const HEADER: &str = "http.request.header.x-session-id";

/// What becomes of the captured header, and of a `session.id` that is there.
#[test]
fn the_gateway_takes_the_session_from_the_captured_header() {
    let longest = "a".repeat(128);
    let cases: Vec<(&str, Value, Option<&str>)> = vec![
        ("a list", json!({ HEADER: ["abc-123-xyz"] }), Some("abc-123-xyz")),
        ("plain", json!({ HEADER: "abc-123-xyz" }), Some("abc-123-xyz")),
        ("the longest", json!({ HEADER: [longest] }), Some(&longest)),
        ("none", json!({}), None),
        ("an empty list", json!({ HEADER: [] }), None),
        ("two", json!({ HEADER: ["abc", "xyz"] }), None),
        ("two in one", json!({ HEADER: ["abc, xyz"] }), None),
        ("too long", json!({ HEADER: ["a".repeat(129)] }), None),
        ("an address", json!({ HEADER: ["anna@example.com"] }), None),
        ("a second line", json!({ HEADER: ["abc\n"] }), None),
        ("a second header", json!({ HEADER: "abc\r\nX-Admin: 1" }), None),
        ("a placeholder", json!({ HEADER: ["undefined"] }), None),
        ("a number", json!({ HEADER: 7 }), None),
        ("a list of numbers", json!({ HEADER: [7] }), None),
        ("a map", json!({ HEADER: { "id": "abc" } }), None),
        ("a list in a list", json!({ HEADER: [["abc"]] }), None),
        ("there", json!({ "session.id": "mine", HEADER: ["other"] }), Some("mine")),
        ("there, and malformed", json!({ "session.id": "a b", HEADER: ["other"] }), None),
        ("there, and a number", json!({ "session.id": 7, HEADER: ["other"] }), None),
        ("there, and a list", json!({ "session.id": ["abc"] }), None),
        ("there, and empty", json!({ "session.id": "" }), None),
    ];
    let backend = Receiver::start();
    let collector = Collector::start("gateway", &[("BACKEND", &backend.url)]);
    let with_more = |attributes: &Value| {
        let mut attributes = attributes.clone();
        attributes["http.route"] = json!("/pay");
        attributes
    };
    let cases_of = |make: fn(&str, Value) -> Sent| {
        Sent::all(cases.iter().map(|(name, attributes, _)| make(name, with_more(attributes))))
    };
    collector.send(&cases_of(span));
    collector.send(&cases_of(log));
    let output = collector.finish();

    let arrived = backend.items();
    assert_eq!(arrived.len(), 2 * cases.len());
    for kind in [Kind::Span, Kind::Log] {
        for (name, _, expected) in &cases {
            let is_it = |item: &&Item| item.kind == kind && item.name == *name;
            let item = arrived.iter().find(is_it).expect(name);
            let mut attributes = json!({ "http.route": "/pay" });
            if let Some(id) = expected {
                attributes["session.id"] = json!(id);
            }
            assert_eq!(json!(item.attributes), attributes, "{kind:?}: {name}");
        }
    }
    for hostile in ["anna@example.com", "X-Admin"] {
        assert!(!output.contains(hostile), "it is in the Collector's log: {output}");
    }
}

#[test]
fn the_gateway_has_the_grammar_of_the_library() {
    let mut candidates: BTreeSet<String> = BTreeSet::new();
    let mut random = Random(7);
    let alphabet: Vec<char> = "abcxyzABCXYZ0189._~:/+=-"
        .chars()
        .chain(" @,;%\"'\\<>|`^{}[]()!?#$&*\n\r\t\0\u{7f}é∑".chars())
        .collect();
    for length in (0..40).chain(120..136) {
        for allowed in [24, 24, 26, alphabet.len()] {
            for _ in 0..20 {
                candidates.insert(
                    iter::repeat_with(|| alphabet[random.below(allowed)]).take(length).collect(),
                );
            }
        }
    }
    // Each single byte that a text may have, and what is nearly a placeholder.
    candidates.extend((0..=127u8).map(|byte| char::from(byte).to_string()));
    for placeholder in [
        "undefined",
        "null",
        "nan",
        ".",
        "..",
        "...",
        "00000000000000000000000000000000",
        "00000000-0000-0000-0000-000000000000",
    ] {
        for variant in [placeholder.to_owned(), placeholder.to_uppercase()] {
            candidates.extend([
                format!("{variant}0"),
                format!("-{variant}"),
                format!("{variant}\n"),
            ]);
            candidates.extend([variant.replace('0', "1"), variant[1..].to_owned(), variant]);
        }
    }
    candidates.extend(["Null".to_owned(), "NaN".to_owned(), "uNdefined".to_owned()]);
    // Their case folds to a letter of "null" and of an allowed class.
    candidates.extend(["\u{212a}".to_owned(), "\u{17f}".to_owned()]);

    let backend = Receiver::start();
    let collector = Collector::start("gateway", &[("BACKEND", &backend.url)]);
    let candidates: Vec<String> = candidates.into_iter().collect();
    for chunk in candidates.chunks(500) {
        let header = |id: &String| span("", json!({ HEADER: [id], "sent": id }));
        collector.send(&Sent::all(chunk.iter().map(header)));
    }
    collector.finish();

    let arrived = backend.items();
    assert_eq!(arrived.len(), candidates.len());
    let mut accepted = 0;
    for item in arrived {
        let sent = item.attributes["sent"].as_str().unwrap();
        let expected = sent.parse::<SessionId>().ok();
        assert_eq!(item.session(), expected.as_ref().map(SessionId::as_str), "{sent:?}");
        accepted += usize::from(expected.is_some());
    }
    assert!(accepted > 1000, "{accepted} of {}", candidates.len());
}

#[test]
fn bytes_that_are_no_text_become_no_session() {
    let backend = Receiver::start();
    let collector = Collector::start("gateway", &[("BACKEND", &backend.url)]);
    let mut body = span("bytes", json!({ HEADER: "abc?xyz" })).encoded();
    let at = body.iter().position(|byte| *byte == b'?').unwrap();
    body[at] = 0xff;
    collector.post("/v1/traces", body, &[]);
    collector.send(&span("text", json!({ HEADER: "abc-xyz" })));
    collector.finish();

    let sessions: Vec<_> =
        backend.items().iter().filter_map(|item| item.session().map(str::to_owned)).collect();
    assert_eq!(sessions, ["abc-xyz"]);
}

#[test]
fn the_shop_goes_through_the_gateway_as_it_is() {
    let backend = Receiver::start();
    let collector = Collector::start("gateway", &[("BACKEND", &backend.url)]);
    let shop = Shop::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)]);
    assert_eq!(shop.checkout("through-the-gateway", json!(["mug"])), 200);
    let arrived = eventually(|| {
        let items = backend.items();
        if items.len() == 15 { Ok(items) } else { Err(format!("{} of 7 + 8", items.len())) }
    });
    for item in &arrived {
        assert_eq!(item.session(), Some("through-the-gateway"), "{item:#?}");
    }
    let services: BTreeSet<_> = arrived.iter().map(Item::service).collect();
    assert_eq!(services, BTreeSet::from(["payments", "storefront"]));
}

#[test]
fn what_a_browser_posts_has_the_session_of_the_posts_header() {
    let backend = Receiver::start();
    let collector = Collector::start("browser-otlp", &[("BACKEND", &backend.url)]);
    let name = "X-Session-ID";
    // In one batch, as the Collector batches: each keeps its own.
    for make in [span, log] {
        collector.send_with(&make("one", json!({})), &[(name, "session-1")]);
        collector.send_with(&make("two", json!({})), &[("x-session-id", "session-2")]);
        collector.send(&make("none", json!({})));
        collector.send_with(&make("malformed", json!({})), &[(name, "anna@example.com")]);
        collector.send_with(&make("twice", json!({})), &[(name, "abc"), (name, "xyz")]);
        collector.send_with(&make("there", json!({ "session.id": "mine" })), &[(name, "other")]);
        collector.send_with(&make("malformed, there", json!({ "session.id": "a b" })), &[]);
        // It is the header of the post that counts, not an attribute of that name.
        collector.send(&make("captured", json!({ HEADER: ["captured"] })));
    }
    collector.finish();

    let arrived: BTreeMap<_, _> = sessions(&backend.items()).into_iter().collect();
    for kind in [Kind::Span, Kind::Log] {
        for (name, session) in [
            ("one", Some("session-1")),
            ("two", Some("session-2")),
            ("none", None),
            ("malformed", None),
            ("twice", None),
            ("there", Some("mine")),
            ("malformed, there", None),
            ("captured", None),
        ] {
            let expected = session.map(str::to_owned);
            assert_eq!(arrived[&(kind, name.to_owned())], expected, "{kind:?}: {name}");
        }
    }
}

#[test]
fn a_browser_may_post_from_the_page_and_from_no_other() {
    let backend = Receiver::start();
    let environment = [("BACKEND", &*backend.url), ("ORIGIN", "https://shop.example")];
    let collector = Collector::start("browser-otlp", &environment);
    let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    let preflight = |origin: &str| {
        let request = client.request(Method::OPTIONS, format!("{}/v1/traces", collector.url));
        let request = request.header("Origin", origin);
        let request = request.header("Access-Control-Request-Method", "POST");
        let names = "content-type,x-session-id";
        let answer = request.header("Access-Control-Request-Headers", names).send().unwrap();
        let header = |name| Some(answer.headers().get(name)?.to_str().unwrap().to_lowercase());
        (header("Access-Control-Allow-Origin"), header("Access-Control-Allow-Headers"))
    };
    let (origin, headers) = preflight("https://shop.example");
    assert_eq!(origin.as_deref(), Some("https://shop.example"));
    assert!(headers.is_some_and(|names| names.contains("x-session-id")));
    assert_eq!(preflight("https://other.example"), (None, None));
}

#[test]
fn the_configuration_that_is_often_shown_does_nothing() {
    let backend = Receiver::start();
    let collector = Collector::start("does-nothing", &[("BACKEND", &backend.url)]);
    let attributes = json!({ HEADER: ["abc-123-xyz"] });
    for make in [span, log] {
        collector.send_with(&make("sent", attributes.clone()), &[("X-Session-ID", "abc-123-xyz")]);
    }
    let output = collector.finish();

    let arrived = backend.items();
    assert_eq!(arrived.len(), 2);
    for item in arrived {
        assert_eq!(json!(item.attributes), attributes);
    }
    for word in ["error", "warn", "x-session-id"] {
        assert!(!output.to_lowercase().contains(word), "it says something after all: {output}");
    }
}

#[test]
fn the_collector_keeps_the_sessions_that_the_library_keeps() {
    let mut ids: Vec<String> = vectors();
    let mut random = Random(11);
    ids.extend((0..20_000).map(|number| number.to_string()));
    ids.extend((0..20_000).map(|_| {
        let (high, low) = (random.number(), random.number());
        format!(
            "{:08x}-{:04x}-7{:03x}-9{:03x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        )
    }));
    for (ratio, threshold) in
        [(0.01, "028f5c29"), (0.1, "1999999a"), (0.25, "40000000"), (0.5, "80000000")]
    {
        let backend = Receiver::start();
        let environment = [("BACKEND", &*backend.url), ("KEEP_BELOW", threshold)];
        let collector = Collector::start("sample", &environment);
        for chunk in ids.chunks(2_000) {
            collector
                .send(&Sent::all(chunk.iter().map(|id| span("work", json!({ "session.id": id })))));
            collector
                .send(&Sent::all(chunk.iter().map(|id| log("work", json!({ "session.id": id })))));
        }
        collector.finish();

        let expected: BTreeSet<&str> = ids
            .iter()
            .map(String::as_str)
            .filter(|id| id.parse::<SessionId>().unwrap().is_sampled(ratio))
            .collect();
        let arrived = backend.items();
        for kind in [Kind::Span, Kind::Log] {
            let of_kind = arrived.iter().filter(|item| item.kind == kind);
            let kept: BTreeSet<&str> = of_kind.filter_map(Item::session).collect();
            assert_eq!(kept, expected, "{kind:?} at {ratio}");
        }
    }
}

fn vectors() -> Vec<String> {
    let file =
        qorrelate_test_backends::repository().join("qorrelate-core/tests/vectors/sampling.json");
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    vectors["ids"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id["id"].as_str().unwrap().to_owned())
        .collect()
}

/// A thousand sessions of three requests each, one of which fails in some, sent to the first tier in any order.
#[test]
fn two_tiers_keep_whole_sessions_and_each_that_fails() {
    let backends = [Receiver::start(), Receiver::start()];
    let samplers = backends.each_ref().map(|backend| {
        Collector::start("sample", &[("BACKEND", &*backend.url), ("KEEP_BELOW", "1999999a")])
    });
    let environment = [("SAMPLER_0", &*samplers[0].url), ("SAMPLER_1", &*samplers[1].url)];
    let balancer = Collector::start("balance", &environment);

    let ids: Vec<String> = (0..1000).map(|number| format!("session-{number}")).collect();
    let fails = |number: usize| number.is_multiple_of(50);
    for request in 0..3_u128 {
        for chunk in ids.chunks(100).enumerate() {
            let spans = chunk.1.iter().enumerate().flat_map(|(at, id)| {
                let number = chunk.0 * 100 + at;
                let trace = (number as u128 + 1) << 64 | (request + 1);
                let status = if request == 1 && fails(number) { 2 } else { 0 };
                [
                    span_in(trace, "outer", json!({ "session.id": id })),
                    span_in(trace, "inner", json!({ "session.id": id, "status": status })),
                ]
            });
            balancer.send(&Sent::all(spans));
        }
    }
    balancer.finish();
    for sampler in samplers {
        sampler.finish();
    }

    let arrived = backends.each_ref().map(Receiver::items);
    let ids_of = |items: &[Item]| -> BTreeSet<String> {
        items.iter().map(|item| item.session().unwrap().to_owned()).collect()
    };
    let kept = arrived.each_ref().map(|items| ids_of(items));
    assert!(kept[0].is_disjoint(&kept[1]), "a session went to both samplers");
    assert!(kept.iter().all(|kept| kept.len() > 30), "one sampler has nearly everything");

    let expected: BTreeSet<String> = ids
        .iter()
        .enumerate()
        .filter_map(|(number, id)| {
            (fails(number) || id.parse::<SessionId>().unwrap().is_sampled(0.1)).then(|| id.clone())
        })
        .collect();
    assert_eq!(kept[0].union(&kept[1]).cloned().collect::<BTreeSet<_>>(), expected);

    let mut whole: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for item in arrived.into_iter().flatten() {
        assert_eq!(item.attributes.len(), 1, "{item:?}");
        let session = item.session().unwrap().to_owned();
        assert!(whole.entry((session, item.trace_id)).or_default().insert(item.name), "twice");
    }
    for id in &expected {
        let number: u128 = id.trim_start_matches("session-").parse().unwrap();
        for request in 1..=3 {
            let trace = format!("{:032x}", (number + 1) << 64 | request);
            let names = whole.remove(&(id.clone(), trace)).expect(id);
            assert_eq!(names, BTreeSet::from(["inner".to_owned(), "outer".to_owned()]), "{id}");
        }
    }
    assert_eq!(whole, BTreeMap::new());
}

/// As in production: the gateway, two tiers, and what leaves the company.
#[test]
fn the_shops_sessions_go_all_the_way() {
    let backend = Receiver::start();
    let hygiene = Collector::start("hygiene", &[("BACKEND", &backend.url)]);
    let samplers = [(); 2].map(|()| {
        Collector::start("sample", &[("BACKEND", &*hygiene.url), ("KEEP_BELOW", "1999999a")])
    });
    let environment = [("SAMPLER_0", &*samplers[0].url), ("SAMPLER_1", &*samplers[1].url)];
    let balancer = Collector::start("balance", &environment);
    let gateway = Collector::start("gateway", &[("BACKEND", &balancer.url)]);
    let gateways_url = gateway.url.clone();
    let shop = Shop::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &gateways_url)]);

    let ids: Vec<String> = (0..30).map(|number| format!("shopper-{number}")).collect();
    let is_sampled = |id: &&String| id.parse::<SessionId>().unwrap().is_sampled(0.1);
    assert!(!is_sampled(&&"declined".to_owned()), "or its error changes nothing");
    shop.products("declined");
    for id in &ids {
        assert_eq!(shop.checkout(id, json!(["mug"])), 200);
    }
    assert_eq!(shop.checkout("declined", json!(["yacht"])), 402);

    // A span and a log record of each service, per session; and 1 + 6 spans of the one that was declined.
    let mut spans: BTreeMap<String, usize> =
        ids.iter().filter(is_sampled).map(|id| (id.clone(), 7)).collect();
    assert!((1..10).contains(&spans.len()), "{spans:?}");
    spans.insert("declined".to_owned(), 7);
    let arrived = eventually(|| {
        let items = backend.items();
        let mut arrived = BTreeMap::new();
        for item in items.iter().filter(|item| item.kind == Kind::Span) {
            *arrived.entry(item.session().unwrap().to_owned()).or_default() += 1;
        }
        if arrived == spans { Ok(items) } else { Err(format!("{arrived:?}, not {spans:?}")) }
    });
    drop(shop);
    for collector in [gateway, balancer].into_iter().chain(samplers).chain([hygiene]) {
        collector.finish();
    }
    let in_the_end = backend.items();
    assert!(in_the_end.len() >= arrived.len());
    let of_spans = |items: &[Item]| items.iter().filter(|item| item.kind == Kind::Span).count();
    assert_eq!(of_spans(&in_the_end), of_spans(&arrived), "and nothing after that");
    let logs: BTreeMap<&str, usize> = in_the_end.iter().filter(|item| item.kind == Kind::Log).fold(
        BTreeMap::new(),
        |mut logs, item| {
            *logs.entry(item.session().unwrap()).or_default() += 1;
            logs
        },
    );
    // Of the one that was declined, what was a warning; of the others, all eight.
    assert!((1..6).contains(&logs["declined"]), "{logs:?}");
    for (id, count) in logs {
        assert!(id == "declined" || (spans.contains_key(id) && count == 8), "{id}: {count}");
    }
}

#[test]
fn a_session_that_is_no_text_is_none_to_the_tiers() {
    let backend = Receiver::start();
    let environment =
        [("BACKEND", &*backend.url), ("KEEP_BELOW", "00000000"), ("KEEP_PERCENT", "100")];
    let sampler = Collector::start("sample", &environment);
    let both = [("SAMPLER_0", &*sampler.url), ("SAMPLER_1", &*sampler.url)];
    let balancer = Collector::start("balance", &both);
    let hostile = [json!(7), json!(["abc"]), json!({ "id": "abc" }), json!(true), json!(null)];
    for id in &hostile {
        balancer.send(&span("span", json!({ "session.id": id })));
        balancer.send(&log("log", json!({ "session.id": id })));
    }
    let huge = "x".repeat(100_000);
    balancer.send(&span("huge", json!({ "session.id": huge, "status": 2 })));
    balancer.finish();
    sampler.finish();
    let arrived = backend.items();
    assert_eq!(arrived.len(), 2 * hostile.len() + 1, "each once: {arrived:#?}");
    assert!(arrived.iter().all(|item| !item.attributes.contains_key("sampling.trace_id")));
}

#[test]
fn an_error_brings_back_what_the_session_did_before_and_all_that_follows() {
    let backend = Receiver::start();
    let environment =
        [("BACKEND", &*backend.url), ("KEEP_BELOW", "00000000"), ("KEEP_PERCENT", "100")];
    let collector = Collector::start("sample", &environment);
    let names = || backend.items().into_iter().map(|item| item.name).collect::<BTreeSet<_>>();
    let arrives = |name: &str| {
        eventually(|| {
            if names().contains(name) {
                Ok(())
            } else {
                Err(format!("{name} is not there: {:?}", names()))
            }
        });
    };
    let failed = json!({ "session.id": "failed" });
    collector.send(&span_in(1, "before", failed.clone()));
    collector.send(&span_in(2, "another's", json!({ "session.id": "went-well" })));
    // groupbyattrs in front of the load_balancing exporter moves the ID there.
    collector.send(&span_in(3, "before, by its resource", json!({ "resource": failed })));
    collector.send(&span_in(4, "error", json!({ "session.id": "failed", "status": 2 })));
    for name in ["before", "before, by its resource", "error"] {
        arrives(name);
    }
    collector.send(&span_in(5, "after", failed.clone()));
    arrives("after");
    collector.send(&span_in(
        6,
        "503",
        json!({ "session.id": "unavailable", "http.response.status_code": 503 }),
    ));
    collector.send(&span_in(
        7,
        "404",
        json!({ "session.id": "not-found", "http.response.status_code": 404 }),
    ));
    collector.send(&span_in(8, "no session", json!({})));
    // Not by a name that somebody else chose.
    collector.send(&span_in(
        9,
        "forged",
        json!({ "sampling.trace_id": "00000000000000000000000000000bad" }),
    ));
    collector.send(&log("information", failed.clone()));
    collector.send(&log("warning", json!({ "session.id": "failed", "severity": 13 })));
    collector.send(&log("of no session", json!({})));
    collector.finish();

    let kept = [
        "before",
        "before, by its resource",
        "error",
        "after",
        "503",
        "no session",
        "forged",
        "warning",
        "of no session",
    ];
    assert_eq!(names(), kept.map(str::to_owned).into());
    for item in backend.items() {
        let in_trace = |number: u128| format!("{number:032x}");
        let (trace, session) = match &*item.name {
            "before" => (in_trace(1), Some("failed")),
            "before, by its resource" => (in_trace(3), Some("failed")),
            "error" => (in_trace(4), Some("failed")),
            "after" => (in_trace(5), Some("failed")),
            "503" => (in_trace(6), Some("unavailable")),
            "no session" => (in_trace(8), None),
            "forged" => (in_trace(9), None),
            "warning" => (String::new(), Some("failed")),
            _ => (String::new(), None),
        };
        assert_eq!((&item.trace_id, item.session()), (&trace, session), "{item:?}");
        assert!(!item.attributes.contains_key("sampling.trace_id"), "{item:?}");
        assert!(!item.resource.contains_key("session.id"), "{item:?}");
    }
}

/// The sampler holds ten sessions for a second; this goes on for longer, among more than ten.
#[test]
fn what_follows_an_error_is_kept_long_after_the_session_is_no_longer_held() {
    let backend = Receiver::start();
    let environment = [
        ("BACKEND", &*backend.url),
        ("KEEP_BELOW", "00000000"),
        ("HOLD", "1s"),
        ("SESSIONS", "10"),
    ];
    let collector = Collector::start("sample", &environment);
    let id = "failed";
    collector.send(&span("error", json!({ "session.id": id, "status": 2 })));
    let began = Instant::now();
    let mut sent = 1;
    while began.elapsed() < Duration::from_secs(4) {
        let others = (0..20).map(|other| format!("went-well-{sent}-{other}"));
        collector.send(&Sent::all(others.map(|id| span("another's", json!({ "session.id": id })))));
        collector.send(&span("after", json!({ "session.id": id })));
        sent += 1;
        thread::sleep(Duration::from_millis(100));
    }
    collector.finish();
    let of_session: Vec<_> =
        backend.items().iter().map(|item| item.session() == Some(id)).collect();
    assert_eq!(of_session, vec![true; sent]);
}

#[test]
fn what_is_grouped_for_balancing_is_of_one_session_each_and_is_put_back() {
    let between = Receiver::start();
    let grouping = Collector::start("group", &[("BACKEND", &between.url)]);
    // A service's batch: two sessions, and what has none, in turn.
    let mixed = |make: fn(&str, Value) -> Sent| {
        let ids = [json!("a"), json!("b"), json!(null), json!("a"), json!("b")];
        let mut batch = Sent::all([make("first", json!({}))]);
        for id in ids {
            let attributes = if id.is_null() { json!({}) } else { json!({ "session.id": id }) };
            batch.add(make("work", attributes));
        }
        batch
    };
    grouping.send(&mixed(span));
    grouping.send(&mixed(log));
    grouping.finish();
    for item in between.items() {
        assert_eq!(item.session(), None, "it moved to the resource");
    }
    let moved =
        |item: &Item| item.resource.get("session.id").and_then(|id| Some(id.as_str()?.to_owned()));
    let moved: Vec<_> = between.items().iter().filter_map(moved).collect();
    assert_eq!(moved.iter().filter(|id| *id == "a").count(), 4);
    assert_eq!(moved.iter().filter(|id| *id == "b").count(), 4);

    let backend = Receiver::start();
    let environment =
        [("BACKEND", &*backend.url), ("KEEP_BELOW", "ffffffff"), ("KEEP_PERCENT", "100")];
    let sampler = Collector::start("sample", &environment);
    let grouping = Collector::start("group", &[("BACKEND", &sampler.url)]);
    grouping.send(&mixed(span));
    grouping.send(&mixed(log));
    grouping.finish();
    sampler.finish();
    for kind in [Kind::Span, Kind::Log] {
        let arrived = backend.items();
        let of_kind: Vec<_> = arrived.iter().filter(|item| item.kind == kind).collect();
        let count = |session| of_kind.iter().filter(|item| item.session() == session).count();
        assert_eq!([count(Some("a")), count(Some("b")), count(None)], [2, 2, 2], "{kind:?}");
        assert!(of_kind.iter().all(|item| !item.resource.contains_key("session.id")));
    }
}

/// The limit is on what is held: a session that is kept may be as long as it likes.
#[test]
fn a_long_session_stays_whole_and_one_that_is_held_is_bounded() {
    let backend = Receiver::start();
    let environment = [("BACKEND", &*backend.url), ("KEEP_BELOW", "00000000")];
    let collector = Collector::start("sample", &environment);
    let large = "x".repeat(10_000);
    let piece = |id: &str| {
        Sent::all((0..100).map(|_| span("piece", json!({ "session.id": id, "large": large }))))
    };
    let error = |id: &str| span("error", json!({ "session.id": id, "status": 2 }));
    collector.send(&error("long"));
    for _ in 0..20 {
        collector.send(&piece("long"));
        collector.send(&piece("held"));
    }
    collector.send(&error("held"));
    collector.finish();
    let of = |id: &str| backend.items().iter().filter(|item| item.session() == Some(id)).count();
    assert_eq!(of("long"), 2001, "20 MB");
    assert!(of("held") < 1000, "20 MB, of which 8 may be held: {}", of("held"));
}

#[test]
fn nothing_private_leaves_the_company() {
    let backend = Receiver::start();
    let collector = Collector::start("hygiene", &[("BACKEND", &backend.url)]);
    let private = json!({
        "session.id": "abc-123-xyz",
        "user.id": "4711",
        "user.email": "anna@example.com",
        "enduser.id": "anna",
        "client.address": "192.0.2.7",
        "url.query": "token=secret",
        "url.full": "https://anna:secret@shop.example/pay?token=secret#there",
        "http.request.header.authorization": ["Bearer secret"],
        "http.response.header.set-cookie": ["id=secret"],
        "user_agent.original": "a browser",
        "url.path": "/pay",
        "resource": { "user.name": "anna", "host.name": "web-1" },
    });
    let mut of_a_span = private.clone();
    let mut with_an_event = private.clone();
    with_an_event["event"] =
        json!({ "user.id": "4711", "url.full": "https://anna@shop.example/?q=secret", "retry": 1 });
    collector.send(&span("pay, with an event", with_an_event));
    of_a_span["http.target"] = json!("/pay?token=secret");
    of_a_span["http.url"] = json!("https://anna:secret@shop.example/pay?token=secret");
    collector.send(&span("pay", of_a_span));
    collector.send(&log(
        "called https://anna:secret@shop.example/pay?token=secret twice, and https://shop.example/ too",
        private,
    ));
    collector.finish();

    let arrived = backend.items();
    assert_eq!(arrived.len(), 3);
    for item in arrived {
        let mut expected = json!({
            "session.id": "abc-123-xyz",
            "url.full": "https://shop.example/pay",
            "user_agent.original": "a browser",
            "url.path": "/pay",
        });
        if item.name == "pay, with an event" {
            assert_eq!(
                json!(item.events),
                json!([{ "url.full": "https://shop.example/", "retry": 1 }])
            );
        } else if item.kind == Kind::Span {
            expected["http.target"] = json!("/pay");
            expected["http.url"] = json!("https://shop.example/pay");
        } else {
            assert_eq!(
                item.name,
                "called https://shop.example/pay twice, and https://shop.example/ too"
            );
        }
        assert_eq!(json!(item.attributes), expected);
        assert_eq!(
            json!(item.resource),
            json!({ "service.name": "a-service", "host.name": "web-1" })
        );
    }
}

#[test]
fn the_link_to_the_replay_is_an_attribute_of_requests() {
    let backend = Receiver::start();
    let replays = "https://replays.example/sessions";
    let collector = Collector::start("link", &[("BACKEND", &backend.url), ("REPLAYS", replays)]);
    let warning = |id: Value| log("warning", json!({ "session.id": id, "severity": 13 }));
    collector.send(&span("request", json!({ "session.id": "sQj8/pl+Xn1a/=:~" })));
    collector.send(&span("within it", json!({ "session.id": "abc-123-xyz", "kind": 1 })));
    collector.send(&span("no session", json!({ "session.url": "https://evil.example" })));
    collector.send(&span("no text", json!({ "session.id": ["abc"] })));
    collector.send(&warning(json!("abc-123-xyz")));
    collector.send(&log("information", json!({ "session.id": "abc-123-xyz" })));
    collector.finish();

    let links: BTreeMap<_, _> = backend
        .items()
        .into_iter()
        .map(|mut item| (item.name, item.attributes.remove("session.url")))
        .collect();
    let link = |id: &str| Some(json!(format!("{replays}/{id}")));
    assert_eq!(
        links,
        BTreeMap::from([
            ("request".to_owned(), link("sQj8%2Fpl+Xn1a%2F=:~")),
            ("within it".to_owned(), None),
            ("no session".to_owned(), None),
            ("no text".to_owned(), None),
            ("warning".to_owned(), link("abc-123-xyz")),
            ("information".to_owned(), None),
        ])
    );
}

#[test]
fn no_metric_has_a_session() {
    let backend = Receiver::start();
    let collector = Collector::start("hygiene", &[("BACKEND", &backend.url)]);
    let attribute = |key: &str, value: &str| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Any::StringValue(value.to_owned())) }),
        ..Default::default()
    };
    let point = |session: &str, route: &str, value| NumberDataPoint {
        attributes: vec![attribute("session.id", session), attribute("http.route", route)],
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        value: Some(number_data_point::Value::AsInt(value)),
        exemplars: vec![Exemplar {
            filtered_attributes: vec![attribute("session.id", session)],
            trace_id: vec![7; 16],
            span_id: vec![7; 8],
            value: Some(exemplar::Value::AsInt(1)),
            ..Default::default()
        }],
        ..Default::default()
    };
    let points = || vec![point("a", "/pay", 2), point("b", "/pay", 3), point("c", "/", 5)];
    let metric =
        |name: &str, data| Metric { name: name.to_owned(), data: Some(data), ..Default::default() };
    let metrics = vec![
        metric(
            "requests",
            Data::Sum(Sum {
                data_points: points(),
                aggregation_temporality: 2,
                is_monotonic: true,
            }),
        ),
        metric("open", Data::Gauge(Gauge { data_points: points() })),
    ];
    let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }];
    let resource_metrics = vec![ResourceMetrics { scope_metrics, ..Default::default() }];
    let body = ExportMetricsServiceRequest { resource_metrics }.encode_to_vec();
    assert_eq!(collector.post("/v1/metrics", body, &[]).status(), 200);
    collector.finish();

    let arrived = backend.metrics();
    assert_eq!(arrived.len(), 2);
    for metric in arrived {
        let printed = format!("{metric:?}");
        assert!(!printed.contains("session.id"), "{printed}");
        let (points, of_pay) = match metric.data.unwrap() {
            Data::Sum(sum) => (sum.data_points, 5),
            Data::Gauge(gauge) => (gauge.data_points, 3),
            other => panic!("{other:?}"),
        };
        let mut values: Vec<_> = points
            .iter()
            .map(|point| point.value.unwrap())
            .map(|value| match value {
                number_data_point::Value::AsInt(value) => value,
                number_data_point::Value::AsDouble(value) => panic!("{value}"),
            })
            .collect();
        values.sort_unstable();
        let mut expected = [of_pay, 5];
        expected.sort_unstable();
        assert_eq!(values, expected, "{}", metric.name);
    }
}

fn sessions(items: &[Item]) -> Vec<((Kind, String), Option<String>)> {
    let of = |item: &Item| ((item.kind, item.name.clone()), item.session().map(str::to_owned));
    items.iter().map(of).collect()
}
