//! The binary as a newcomer starts it: three services, one request, one session in the viewer.

use std::io::{BufRead, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

struct Shop {
    process: Child,
    storefront: String,
    viewer: String,
    client: Client,
}

impl Shop {
    fn start() -> Self {
        let mut process = shop(&[]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut address = |service: &str| {
            let line = lines.next().unwrap().unwrap();
            let (name, url) = line.split_once(' ').unwrap();
            assert_eq!(name, service);
            url.to_owned()
        };
        let storefront = address("storefront");
        address("payments");
        let viewer = address("viewer");
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { process, storefront, viewer, client }
    }

    fn checkout(&self, session: Option<&str>, items: Value) -> Response {
        let mut request = self.client.post(format!("{}/api/checkout", self.storefront));
        if let Some(session) = session {
            request = request.header("X-Session-ID", session);
        }
        request.json(&json!({ "items": items })).send().unwrap()
    }

    /// The session as the viewer has it, as soon as it is complete.
    fn session(&self, id: &str, complete: impl Fn(&Value) -> bool) -> Value {
        let asked = Instant::now();
        loop {
            let answer = self.client.get(format!("{}/api/sessions/{id}", self.viewer)).send();
            let session: Value = answer.unwrap().json().unwrap();
            if complete(&session) {
                return session;
            }
            assert!(asked.elapsed() < PATIENCE, "still incomplete: {session:#}");
            sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn shop(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
    for service in ["--storefront", "--payments", "--viewer"] {
        if !arguments.contains(&service) {
            command.args([service, "127.0.0.1:0"]);
        }
    }
    command.args(arguments).env_remove("RUST_LOG");
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OTEL_"))
    {
        command.env_remove(name);
    }
    command
}

fn names<'a>(session: &'a Value, service: &str) -> Vec<&'a str> {
    let spans = session["spans"].as_array().unwrap().iter();
    spans
        .filter(|span| span["service"] == service)
        .map(|span| span["name"].as_str().unwrap())
        .collect()
}

fn has_spans(session: &Value, count: usize) -> bool {
    session["spans"].as_array().is_some_and(|spans| spans.len() == count)
}

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
    let sessions = shop.client.get(format!("{}/api/sessions", shop.viewer)).send().unwrap();
    let sessions: Value = sessions.json().unwrap();
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
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let shop = Shop {
        process,
        storefront: line.split_once(' ').unwrap().1.to_owned(),
        viewer: elsewhere.viewer.clone(),
        client: elsewhere.client.clone(),
    };
    assert_eq!(shop.checkout(Some("elsewhere"), json!(["mug"])).status(), 200);
    elsewhere.session("elsewhere", |session| has_spans(session, 7));
}

/// Waits for an end that must come by itself, and for a bounded time.
fn output(mut process: Child) -> Output {
    let started = Instant::now();
    let status = loop {
        match process.try_wait().unwrap() {
            Some(status) => break status,
            None if started.elapsed() > PATIENCE => {
                let _ = process.kill();
                panic!("the shop did not end");
            }
            None => sleep(Duration::from_millis(20)),
        }
    };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    process.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    process.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
    Output { status, stdout, stderr }
}

fn piped(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for service in ["--storefront", "--payments", "--viewer"] {
        let output = output(piped(shop(&[service, &address])));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains(&address), "{stderr}");
        assert!(output.stdout.is_empty(), "no address is announced");
    }
}

#[test]
fn an_address_that_others_can_reach_is_refused() {
    let output = output(piped(shop(&["--viewer", "0.0.0.0:0"])));
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("loopback"));
}

#[cfg(unix)]
#[test]
fn what_was_done_just_before_the_end_is_kept() {
    let file = std::env::temp_dir().join(format!("shop-{}.db", std::process::id()));
    let file = file.to_str().unwrap();
    let mut process = piped(shop(&["--db", file]));
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let storefront = lines.next().unwrap().unwrap().split_once(' ').unwrap().1.to_owned();
    let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let request = client.post(format!("{storefront}/api/checkout"));
    let request = request.header("X-Session-ID", "kept").json(&json!({ "items": ["mug"] }));
    assert_eq!(request.send().unwrap().status(), 200);
    let pid = process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let started = Instant::now();
    let status = loop {
        match process.try_wait().unwrap() {
            Some(status) => break status,
            None if started.elapsed() > PATIENCE => {
                let _ = process.kill();
                panic!("the shop did not end");
            }
            None => sleep(Duration::from_millis(20)),
        }
    };
    assert!(status.success(), "{status}");

    let mut again = piped(shop(&["--db", file]));
    let lines = BufReader::new(again.stdout.take().unwrap()).lines();
    let viewer = lines
        .map(Result::unwrap)
        .find_map(|line| line.strip_prefix("viewer ").map(ToOwned::to_owned));
    let shop = Shop { process: again, storefront, viewer: viewer.unwrap(), client };
    let session = shop.session("kept", |session| has_spans(session, 7));
    drop(shop);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{file}{suffix}"));
    }
    assert_eq!(session["logs"].as_array().unwrap().len(), 8);
}
