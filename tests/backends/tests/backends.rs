//! The shop's session, found in backends that people run, by their own search.

// Clippy takes a test's helpers for code that is not a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeSet;

use qorrelate_test_backends::{Program, Shop, eventually, free_address, repository};
use reqwest::blocking::Client;
use serde_json::{Value, json};

/// All characters that an ID may have besides letters and digits.
const SESSION: &str = "abc-123._~:/+=xyz";

#[test]
fn jaeger_finds_the_session_and_links_to_the_replay() {
    let addresses: [String; 3] = std::array::from_fn(|_| free_address());
    let [otlp, query, grpc] = addresses.each_ref().map(String::as_str);
    let folder = repository().join("examples/backends");
    let arguments = ["--config".into(), folder.join("jaeger.yaml").into_os_string()];
    let ui = folder.join("jaeger-ui/config.json");
    let environment = [
        ("OTLP_HTTP", otlp),
        ("JAEGER_QUERY", query),
        ("JAEGER_QUERY_GRPC", grpc),
        ("JAEGER_UI", ui.to_str().unwrap()),
    ];
    let _jaeger = Program::start("jaeger/jaeger", &arguments, &environment, query);
    let shop = Shop::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{otlp}"))]);
    buy(&shop);

    let search = |service: &str, session: &str| -> Vec<Value> {
        let tags = json!({ "session.id": session }).to_string();
        let query = [("service", service), ("tags", &tags), ("limit", "100")];
        let answer = get(&format!("http://{query}/api/traces", query = addresses[1]), &query);
        serde_json::from_str::<Value>(&answer).unwrap()["data"].as_array().unwrap().clone()
    };
    for service in ["storefront", "payments"] {
        let traces = eventually(|| {
            let traces = search(service, SESSION);
            let complete = traces.len() == 2 && traces.iter().all(|trace| spans(trace).len() == 7);
            if complete { Ok(traces) } else { Err(format!("of {service}: {traces:#?}")) }
        });
        for span in traces.iter().flat_map(spans) {
            let tags = span["tags"].as_array().unwrap();
            let ids: Vec<_> = tags.iter().filter(|tag| tag["key"] == "session.id").collect();
            assert_eq!(ids.len(), 1, "{span:#}");
            assert_eq!(ids[0]["value"], SESSION);
        }
        assert_eq!(search(service, "abc-123"), Vec::<Value>::new(), "not by a part of the ID");
    }

    // What its pages are given. The pages themselves are not part of the Go module.
    let page = get(&format!("http://{query}/"), &[]);
    let configuration =
        page.lines().find_map(|line| line.strip_prefix("JAEGER_CONFIG = ")).expect(&page);
    let configuration: Value = serde_json::from_str(configuration.trim_end_matches(';')).unwrap();
    let ours: Value = serde_json::from_str(&std::fs::read_to_string(ui).unwrap()).unwrap();
    assert_eq!(configuration["linkPatterns"], ours["linkPatterns"]);
    let link = &configuration["linkPatterns"][0];
    assert_eq!((&link["type"], &link["key"]), (&json!("tags"), &json!("session.id")));
    assert!(link["url"].as_str().unwrap().ends_with("/sessions/#{session.id}"), "{link}");
}

fn spans(trace: &Value) -> &[Value] {
    trace["spans"].as_array().unwrap()
}

#[test]
fn victoria_logs_finds_the_session() {
    let address = free_address();
    let arguments = [format!("-httpListenAddr={address}"), "-storageDataPath=data".to_owned()];
    let _victoria = Program::start("victoria-logs/victoria-logs", &arguments, &[], &address);
    let endpoint = format!("http://{address}/insert/opentelemetry/v1/logs");
    let shop = Shop::start(&[
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", &endpoint),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "VL-Stream-Fields=service.name"),
        // The spans go nowhere.
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"),
    ]);
    buy(&shop);

    let search = |query: &str| -> Vec<Value> {
        let answer = get(&format!("http://{address}/select/logsql/query"), &[("query", query)]);
        answer.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let query = format!("session.id:={} | sort by (_time)", json!(SESSION));
    let found = eventually(|| {
        let found = search(&query);
        if found.len() == 16 {
            Ok(found)
        } else {
            Err(format!("{} of 16: {found:#?}", found.len()))
        }
    });
    let services: BTreeSet<_> =
        found.iter().map(|line| line["service.name"].as_str().unwrap()).collect();
    assert_eq!(services, BTreeSet::from(["payments", "storefront"]));
    assert_eq!(found[0]["_msg"], "checkout started");
    assert_eq!(found[15]["_msg"], "order placed");
    let streams: BTreeSet<_> = found.iter().map(|line| line["_stream"].as_str().unwrap()).collect();
    let of_services = ["payments", "storefront"].map(|name| format!("{{service.name=\"{name}\"}}"));
    assert_eq!(streams, of_services.iter().map(String::as_str).collect());
    assert_eq!(search("session.id:=\"abc-123\""), Vec::<Value>::new(), "not by a part of the ID");
}

/// Two orders in the session, and one in another.
fn buy(shop: &Shop) {
    assert_eq!(shop.checkout(SESSION, json!(["mug"])), 200);
    assert_eq!(shop.checkout(SESSION, json!(["lamp"])), 200);
    assert_eq!(shop.checkout("another", json!(["yacht"])), 402);
}

fn get(url: &str, query: &[(&str, &str)]) -> String {
    let url = reqwest::Url::parse_with_params(url, query).unwrap();
    let answer = Client::builder().no_proxy().build().unwrap().get(url).send().unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.url());
    answer.text().unwrap()
}
