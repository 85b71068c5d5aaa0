//! The queries of `examples/sql`, on both engines, over what the Collector wrote from the shop.

// Clippy takes a test's helpers for code that is not a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use qorrelate_test_backends::{Collector, Program, Shop, eventually, free_address, repository};
use serde_json::{Value, json};
use tempfile::TempDir;

#[test]
fn the_query_finds_all_spans_of_the_session_in_order() {
    let file = repository().join("examples/sql/queries/session.sql");
    assert_eq!(
        std::fs::read_to_string(file).unwrap(),
        "SELECT * FROM traces WHERE attributes['session.id'] = 'abc-123-xyz' ORDER BY start_time;\n"
    );
    for rows in answers("session") {
        let of_an_order = [
            ("storefront", "POST /api/checkout", "Server"),
            ("storefront", "price the basket", "Internal"),
            ("storefront", "reserve the stock", "Internal"),
            ("storefront", "call payments", "Client"),
            ("payments", "POST /charge", "Server"),
            ("payments", "check the card", "Internal"),
            ("payments", "write the ledger", "Internal"),
        ];
        let mut expected = vec![("storefront", "GET /api/products", "Server")];
        expected.extend(of_an_order);
        expected.extend(of_an_order);
        let found: Vec<_> = rows
            .iter()
            .map(|row| (text(row, "service"), text(row, "name"), text(row, "kind")))
            .collect();
        assert_eq!(found, expected);
        let traces: BTreeSet<_> = rows.iter().map(|row| text(row, "trace_id")).collect();
        assert_eq!(traces.len(), 3);
        for row in &rows {
            assert_eq!(row["attributes"]["session.id"], "abc-123-xyz");
            assert_eq!(row["status"], "Unset");
            assert!(
                row["duration_ms"].as_f64().unwrap() > 0.0
                    && text(row, "start_time") < text(row, "end_time")
            );
        }
        assert_eq!(rows[0]["attributes"]["http.response.status_code"], "200");
    }
}

#[test]
fn sessions_with_errors_and_what_failed_first() {
    for rows in answers("errors") {
        let found: Vec<_> = rows.iter().map(|row| without(row, &["trace_id"])).collect();
        // The card was declined: the span of the check, then the call to payments, twice.
        assert_eq!(
            found,
            [json!({
                "session_id": "declined",
                "errors": 4,
                "service": "payments",
                "name": "check the card",
                "status_message": "over the card's limit",
            })]
        );
    }
}

#[test]
fn the_slowest_request_of_each_session() {
    for rows in answers("slowest") {
        let mut found: Vec<_> =
            rows.iter().map(|row| without(row, &["trace_id", "duration_ms"])).collect();
        found.sort_by_key(|row| text(row, "session_id").to_owned());
        let expected = [("abc-123-xyz", 3), ("declined", 2), ("looked", 1)].map(|(session, requests)| {
            let name = if session == "looked" { "GET /api/products" } else { "POST /api/checkout" };
            json!({ "session_id": session, "requests": requests, "service": "storefront", "name": name })
        });
        assert_eq!(found, expected);
        let durations: Vec<_> =
            rows.iter().map(|row| row["duration_ms"].as_f64().unwrap()).collect();
        assert!(durations.is_sorted_by(|one, next| one >= next), "{durations:?}");
        // Payments takes 13 ms for an order; the list of products takes none.
        assert!(durations[0] > 13.0, "{durations:?}");
    }
}

#[test]
fn spans_and_log_records_of_a_session_are_one_list() {
    for rows in answers("timeline") {
        let of_an_order = [
            "span POST /api/checkout",
            "log checkout started",
            "span price the basket",
            "log basket priced",
            "span reserve the stock",
            "log reserved",
            "span call payments",
            "span POST /charge",
            "log charge requested",
            "span check the card",
            "log card accepted",
            "span write the ledger",
            "log booked",
            "log charged",
            "log order placed",
        ];
        let mut expected = vec!["span GET /api/products", "log showing the products"];
        expected.extend(of_an_order);
        expected.extend(of_an_order);
        let found: Vec<_> =
            rows.iter().map(|row| format!("{} {}", text(row, "kind"), text(row, "text"))).collect();
        assert_eq!(found, expected);
        assert!(rows.iter().all(|row| (row["kind"] == "log") == row["duration_ms"].is_null()));
        assert!(
            rows.iter()
                .all(|row| row["level"] == if row["kind"] == "log" { "INFO" } else { "Unset" })
        );
    }
}

#[test]
fn what_a_session_waited_for_adds_up_to_its_requests() {
    for (rows, spans) in answers("waits").into_iter().zip(answers("session")) {
        let found: BTreeSet<_> =
            rows.iter().map(|row| (text(row, "service"), row["spans"].as_u64().unwrap())).collect();
        assert_eq!(found, BTreeSet::from([("payments", 6), ("storefront", 9)]));
        let waited = |rows: &[Value], column: &str| -> f64 {
            rows.iter().map(|row| row[column].as_f64().unwrap()).sum()
        };
        let requests: Vec<_> =
            spans.into_iter().filter(|span| text(span, "parent_span_id").is_empty()).collect();
        let difference = waited(&rows, "waited_ms") - waited(&requests, "duration_ms");
        assert!(
            difference.abs() < 0.001,
            "nothing runs at the same time here, so it adds up: {difference}"
        );
        let payments = rows.iter().find(|row| row["service"] == "payments").unwrap();
        assert!(payments["waited_ms"].as_f64().unwrap() > 2.0 * 13.0);
    }
}

#[test]
fn sessions_with_errors_live_longer() {
    let script = repository().join("examples/sql/retention.py");
    let answer = Command::new(python()).arg(script).output().unwrap();
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let kept = String::from_utf8(answer.stdout).unwrap();
    let kept: Vec<_> = kept.lines().collect();
    // The session with an error is whole; the other has lost what is a week old; 91 days are too many for both.
    let expected =
        ["failed: buy", "failed: look", "failed: come back", "went-well: come back", "new: look"];
    assert_eq!(kept, expected);
}

/// The rows of a query, from each engine.
fn answers(query: &str) -> [Vec<Value>; 2] {
    static ANSWERS: OnceLock<[Value; 2]> = OnceLock::new();
    let answers = ANSWERS.get_or_init(|| [on_clickhouse(), over_files()]);
    answers.each_ref().map(|answers| answers[query].as_array().unwrap().clone())
}

/// What the Collector's ClickHouse exporter wrote, into tables that it made.
fn on_clickhouse() -> Value {
    let address = free_address();
    let server = repository().join("examples/sql/server.py");
    let arguments = [server.as_os_str(), address.as_ref()];
    let server = Program::start("sql/bin/python", &arguments, &[], &address);
    let url = format!("http://{address}");
    let collector = Collector::start("clickhouse", &[("CLICKHOUSE", &url), ("BATCH", "200ms")]);
    let _shop = shop_in_sessions(&collector);
    let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    let count = |table: &str| -> usize {
        let query = format!("SELECT count() AS rows FROM {table}");
        let answer: Value = client.post(&url).body(query).send().unwrap().json().unwrap();
        answer["rows"].as_u64().unwrap().try_into().unwrap()
    };
    eventually(|| match [count("otel_traces"), count("otel_logs")] {
        WRITTEN => Ok(()),
        other => Err(format!("{other:?}: {}", server.output())),
    });
    collector.finish();
    ask("clickhouse", &url)
}

/// What the Collector's file exporter wrote.
fn over_files() -> Value {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap();
    let collector = Collector::start("to-file", &[("FOLDER", path)]);
    let _shop = shop_in_sessions(&collector);
    let count = |file: &str, key: &str| {
        let text = std::fs::read_to_string(folder.path().join(file)).unwrap_or_default();
        text.matches(key).count()
    };
    eventually(|| {
        let spans = count("traces.jsonl", "\"startTimeUnixNano\"");
        match [spans, count("logs.jsonl", "\"observedTimeUnixNano\"")] {
            WRITTEN => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    collector.finish();
    ask("duckdb", path)
}

/// How many spans and log records that makes: 1 + 7 + 7 + 6 + 6 + 1, and 1 + 8 + 8 + 6 + 6 + 1.
const WRITTEN: [usize; 2] = [28, 30];

fn shop_in_sessions(collector: &Collector) -> Shop {
    let shop = Shop::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)]);
    shop.products("abc-123-xyz");
    assert_eq!(shop.checkout("abc-123-xyz", json!(["mug"])), 200);
    assert_eq!(shop.checkout("abc-123-xyz", json!(["lamp"])), 200);
    assert_eq!(shop.checkout("declined", json!(["yacht"])), 402);
    assert_eq!(shop.checkout("declined", json!(["yacht"])), 402);
    shop.products("looked");
    shop
}

fn ask(engine: &str, whom: &str) -> Value {
    let script = repository().join("examples/sql/sessions.py");
    let answer =
        Command::new(python()).arg(script).args([engine, whom, "--json"]).output().unwrap();
    assert!(answer.status.success(), "{engine}: {}", String::from_utf8_lossy(&answer.stderr));
    serde_json::from_slice(&answer.stdout).unwrap()
}

fn python() -> PathBuf {
    let python = repository().join("target/sql/bin/python");
    assert!(python.exists(), "{} is not there: run `bash tests/run --backends`", python.display());
    python
}

fn text<'a>(row: &'a Value, column: &str) -> &'a str {
    row[column].as_str().unwrap()
}

fn without(row: &Value, columns: &[&str]) -> Value {
    let mut row = row.clone();
    for column in columns {
        row.as_object_mut().unwrap().remove(*column);
    }
    row
}
