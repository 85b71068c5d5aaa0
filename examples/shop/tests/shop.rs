//! The binary as a newcomer starts it: three services, one request, one session in the viewer.

// Clippy takes a test's helpers for code that is not a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::common::{PATIENCE, Shop, has_spans, names, shop};

#[test]
fn one_session_holds_the_work_of_both_services() {
    let shop = Shop::start();
    let answer = shop.checkout(Some("abc-123-xyz"), json!(["mug", {"sku": "lamp", "quantity": 2}]));
    assert_eq!(answer.status(), 200);
    let timing = answer.headers()["server-timing"].to_str().unwrap().to_owned();
    let order: Value = answer.json().unwrap();
    assert_eq!(order["total_cents"], 13_250);

    let session = shop.session("abc-123-xyz", |session| {
        has_spans(session, 7) && session["logs"].as_array().is_some_and(|logs| logs.len() == 9)
    });
    assert_eq!(
        names(&session, "storefront"),
        ["POST /api/checkout", "price the basket", "reserve the stock", "call payments"]
    );
    assert_eq!(names(&session, "payments"), ["POST /charge", "check the card", "write the ledger"]);

    let spans = session["spans"].as_array().unwrap();
    let trace = spans[0]["trace_id"].as_str().unwrap();
    assert!(timing.contains(trace), "{timing}");
    for span in spans {
        assert_eq!(span["trace_id"], trace);
        assert_eq!(span["attributes"]["session.id"], "abc-123-xyz");
        assert_ne!(span["status"], "error");
    }
    let call = spans.iter().find(|span| span["name"] == "call payments").unwrap();
    let charge = spans.iter().find(|span| span["name"] == "POST /charge").unwrap();
    assert_eq!(charge["parent_span_id"], call["span_id"]);
    for service in ["storefront", "payments"] {
        let mut logs = session["logs"].as_array().unwrap().iter();
        assert!(logs.any(|log| log["service"] == service && log["trace_id"] == trace));
    }
}

#[test]
fn the_page_may_run_and_reach_nothing_of_others() {
    let shop = Shop::start();
    let answer = shop.client.get(&shop.storefront).send().unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(policy.contains(&format!("script-src 'self' {};", shop.viewer)), "{policy}");
}

#[test]
fn a_declined_card_is_an_error_in_both_services() {
    let shop = Shop::start();
    let answer = shop.checkout(Some("declined"), json!(["yacht"]));
    assert_eq!(answer.status(), 402);
    assert!(answer.json::<Value>().unwrap()["error"].as_str().unwrap().contains("limit"));

    let session = shop.session("declined", |session| has_spans(session, 6));
    let spans = session["spans"].as_array().unwrap().iter();
    let failed: Vec<_> =
        spans.filter(|span| span["status"] == "error").map(|span| &span["name"]).collect();
    assert_eq!(failed, ["call payments", "check the card"]);
}

#[test]
fn a_request_without_a_session_works_and_belongs_to_none() {
    let shop = Shop::start();
    assert_eq!(shop.checkout(None, json!(["mug"])).status(), 200);
    assert_eq!(shop.checkout(Some("not an id"), json!(["mug"])).status(), 200);
    // Telemetry arrives in order: what came before this session has arrived with it.
    assert_eq!(shop.checkout(Some("last"), json!(["mug"])).status(), 200);
    shop.session("last", |session| has_spans(session, 7));
    let sessions = shop.sessions();
    assert_eq!(sessions.as_array().unwrap().len(), 1, "{sessions:#}");
}

#[test]
fn a_basket_that_is_none_is_refused_as_json() {
    let shop = Shop::start();
    for (body, status) in [("", 400), ("{\"items\": 1}", 400), ("{\"items\": []}", 422)] {
        let request = shop.client.post(format!("{}/api/checkout", shop.storefront)).body(body);
        let answer = request.send().unwrap();
        assert_eq!(answer.status(), status, "{body}");
        assert!(answer.json::<Value>().unwrap()["error"].is_string());
    }
}

#[test]
fn the_environment_sends_the_telemetry_elsewhere() {
    let elsewhere = Shop::start();
    let mut command = shop(&[]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &elsewhere.viewer);
    command.env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
    command.env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip");
    let shop = Shop::from(command);
    assert_eq!(shop.checkout(Some("elsewhere"), json!(["mug"])).status(), 200);
    elsewhere.session("elsewhere", |session| has_spans(session, 7));
    assert_eq!(shop.sessions(), json!([]));
}

/// An end that must come by itself, and in a bounded time.
fn end(process: &mut Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = process.try_wait().unwrap() {
            return status;
        }
        if started.elapsed() > PATIENCE {
            let _ = process.kill();
            panic!("the shop did not end");
        }
        sleep(Duration::from_millis(20));
    }
}

/// How a start ends that must fail: its exit code, and what it says on stdout and stderr.
fn failure(mut command: Command) -> (Option<i32>, String, String) {
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let status = end(&mut process);
    let (mut stdout, mut stderr) = (String::new(), String::new());
    process.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    process.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    (status.code(), stdout, stderr)
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for service in ["--storefront", "--payments", "--viewer"] {
        let (code, stdout, stderr) = failure(shop(&[service, &address]));
        assert_eq!(code, Some(1), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains(&address), "{stderr}");
        assert_eq!(stdout, "", "no address is announced");
    }
}

#[test]
fn a_database_that_cannot_be_opened_is_one_clear_line() {
    let (code, stdout, stderr) = failure(shop(&["--db", "/nowhere/at/all.db"]));
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("/nowhere/at/all.db"), "{stderr}");
}

#[test]
fn an_endpoint_with_tls_is_refused_rather_than_never_reached() {
    let mut command = shop(&[]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:1");
    let (code, _, stderr) = failure(command);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{stderr}");
}

#[test]
fn an_address_that_others_can_reach_is_refused() {
    let (code, stdout, stderr) = failure(shop(&["--viewer", "0.0.0.0:0"]));
    assert_ne!(code, Some(0));
    assert_eq!(stdout, "");
    assert!(stderr.contains("loopback"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn what_was_done_just_before_the_end_is_kept() {
    let file = std::env::temp_dir().join(format!("shop-{}.db", std::process::id()));
    let file = file.to_str().unwrap();
    let mut shop_with_file = Shop::from(shop(&["--db", file]));
    assert_eq!(shop_with_file.checkout(Some("kept"), json!(["mug"])).status(), 200);
    // Somebody who has connected and says nothing must not hold up the end.
    let address = shop_with_file.storefront.trim_start_matches("http://").to_owned();
    let _silent = TcpStream::connect(address).unwrap();
    let pid = shop_with_file.process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(end(&mut shop_with_file.process).success());

    let again = Shop::from(shop(&["--db", file]));
    let session = again.session("kept", |session| has_spans(session, 7));
    drop(again);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{file}{suffix}"));
    }
    assert_eq!(session["logs"].as_array().unwrap().len(), 8);
}
