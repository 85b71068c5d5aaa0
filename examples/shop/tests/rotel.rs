//! The shop's telemetry as rotel prints it: an OTLP receiver that shares no code with the shop.

// Clippy takes a test's helpers for code that is not a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use std::env;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;

use serde_json::json;

use self::common::{Shop, end, eventually, lines, shop};

#[test]
fn a_receiver_that_is_not_ours_gets_the_session_of_both_services() {
    let rotel = Rotel::start();
    let mut command = shop(&[]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &rotel.url);
    let shop = Shop::from(command);
    assert_eq!(shop.checkout(Some("sent-to-rotel"), json!(["mug"])).status(), 200);

    let received = rotel.received(|items| {
        let count = |kind| items.iter().filter(|item| item.kind == kind).count();
        // The attributes are printed last: an item without a session may be one that is still being printed.
        count(Kind::Span) == 7
            && count(Kind::Log) == 8
            && items.iter().all(|item| !item.sessions.is_empty())
    });
    for (service, span, log) in [
        ("storefront", "POST /api/checkout", "order placed"),
        ("payments", "POST /charge", "charged"),
    ] {
        for (kind, name) in [(Kind::Span, span), (Kind::Log, log)] {
            let arrived =
                |item: &Item| (item.kind, &*item.service, &*item.name) == (kind, service, name);
            assert!(received.iter().any(arrived), "{kind:?} {name} of {service}: {received:#?}");
        }
    }
    for item in &received {
        assert_eq!(item.sessions, ["sent-to-rotel"], "{item:#?}");
    }

    let here = shop.client.get(format!("{}/api/sessions/sent-to-rotel", shop.viewer)).send();
    assert_eq!(here.unwrap().status(), 404, "it went elsewhere, and only there");
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Span,
    Log,
}

/// A span or a log record.
#[derive(Debug)]
struct Item {
    kind: Kind,
    service: String,
    name: String,
    /// Each value that its attributes give for `session.id`.
    sessions: Vec<String>,
}

struct Rotel {
    process: Child,
    printed: Receiver<String>,
    url: String,
}

impl Rotel {
    fn start() -> Self {
        let Some(agent) = env::var_os("ROTEL_AGENT") else {
            panic!(
                "ROTEL_AGENT is not set: run the tests with `bash tests/run`, which installs rotel"
            )
        };
        // It takes no port 0.
        let free = [(), ()].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [grpc, http] = free.map(|listener| listener.local_addr().unwrap().to_string());
        let mut command = Command::new(&agent);
        command.args(["start", "--otlp-grpc-endpoint", &grpc, "--otlp-http-endpoint", &http]);
        command.args(["--exporter", "blackhole"]);
        command.args(["--debug-log", "traces", "--debug-log", "logs"]);
        command.args(["--debug-log-verbosity", "detailed"]);
        let started = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut process = started.unwrap_or_else(|error| panic!("{}: {error}", agent.display()));
        let printed = lines(process.stdout.take().unwrap());
        let rotel = Self { process, printed, url: format!("http://{http}") };
        eventually(|| TcpStream::connect(&http).map_err(|error| format!("rotel: {error}")));
        rotel
    }

    /// What has arrived, as soon as it is complete.
    #[track_caller]
    fn received(&self, complete: impl Fn(&[Item]) -> bool) -> Vec<Item> {
        let mut printed = Vec::new();
        eventually(|| {
            printed.extend(self.printed.try_iter());
            let items = items(&printed);
            if complete(&items) { Ok(items) } else { Err(format!("still incomplete: {items:#?}")) }
        })
    }
}

impl Drop for Rotel {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

fn items(printed: &[String]) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut service = "";
    for line in printed {
        if let Some(name) = value(line, "     -> service.name: Str(") {
            service = name;
        } else if line.starts_with("Span #") || line.starts_with("LogRecord #") {
            let kind = if line.starts_with("Span #") { Kind::Span } else { Kind::Log };
            let (service, name) = (service.to_owned(), String::new());
            items.push(Item { kind, service, name, sessions: Vec::new() });
        } else if let Some(item) = items.last_mut() {
            // Attributes of a span's events are set further in.
            if let Some(session) = value(line, "     -> session.id: Str(") {
                item.sessions.push(session.to_owned());
            } else if let Some(name) = line.strip_prefix("    Name           : ") {
                name.clone_into(&mut item.name);
            } else if let Some(body) = value(line, "Body: Str(") {
                body.clone_into(&mut item.name);
            }
        }
    }
    items
}

fn value<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.strip_prefix(start)?.strip_suffix(')')
}
