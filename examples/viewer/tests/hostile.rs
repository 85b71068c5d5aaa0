//! What the viewer is sent by those who mean it no good, or went away in the middle: over real sockets.

// Clippy takes a test's helpers for code that is not a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use qorrelate_test_browser::PATIENCE;
use reqwest::blocking::Response;
use serde_json::json;
use viewer::{Orgs, Patience, Retention, Store};

use self::common::{Viewer, gzip};

fn post(viewer: &Viewer, content_type: &str, encoding: &str, body: Vec<u8>) -> Response {
    let request = viewer.client.post(viewer.url("/v1/traces")).header("Content-Type", content_type);
    request.header("Content-Encoding", encoding).body(body).send().unwrap()
}

/// A protobuf field that holds bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap());
    bytes.extend_from_slice(content);
    bytes
}

fn span(id: u32) -> Vec<u8> {
    let session = [field(1, b"session.id"), field(2, &field(1, b"s"))].concat();
    let mut time = vec![7 << 3 | 1, 1, 0, 0, 0, 0, 0, 0, 0];
    time.extend([8 << 3 | 1, 2, 0, 0, 0, 0, 0, 0, 0]);
    let id = [&[1, 0, 0, 0][..], &id.to_be_bytes()].concat();
    [field(1, &[0xab; 16]), field(2, &id), time, field(9, &session)].concat()
}

fn request(service: &str, spans: &[u8]) -> Vec<u8> {
    let service = [field(1, b"service.name"), field(2, &field(1, service.as_bytes()))].concat();
    field(1, &[field(1, &field(1, &service)), field(2, spans)].concat())
}

#[test]
fn no_bomb_asks_for_much_memory() {
    const PROTOBUF: &str = "application/x-protobuf";
    let viewer = Viewer::start(&[]);
    assert_eq!(
        post(&viewer, PROTOBUF, "gzip", gzip([request("s", &field(2, &span(1)))])).status(),
        200
    );

    // One long name, shared by many spans.
    let spans: Vec<u8> = (2..4_002).flat_map(|id| field(2, &span(id))).collect();
    let bomb = gzip([request(&"x".repeat(1 << 20), &spans)]);
    assert!(bomb.len() < 64_000, "{}", bomb.len());
    let answer = post(&viewer, PROTOBUF, "gzip", bomb);
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.bytes().unwrap()[3..6], [8, 0xa0, 0x1f], "4000 are rejected");

    // As long as a name of a resource may be, and as many spans as a request may have.
    let spans: Vec<u8> = (5_000..54_999).flat_map(|id| field(2, &span(id))).collect();
    let attribute = [field(1, b"k"), field(2, &field(1, "x".repeat(60_000).as_bytes()))].concat();
    let large = field(1, &[field(1, &field(1, &attribute)), field(2, &spans)].concat());
    assert_eq!(post(&viewer, PROTOBUF, "gzip", gzip([large])).status(), 200);

    // Far more than a body may have, found out while inflating.
    let zeros = gzip((0..512).map(|_| vec![0; 1 << 20]));
    assert_eq!(post(&viewer, PROTOBUF, "gzip", zeros).status(), 413);

    // Two bytes each on the wire, hundreds in memory.
    let empty_spans = request("s", &[2 << 3 | 2, 0].repeat(7 << 20));
    assert_eq!(post(&viewer, PROTOBUF, "gzip", gzip([empty_spans])).status(), 413);
    let empty_resources = [1 << 3 | 2, 0].repeat(7 << 20);
    assert_eq!(post(&viewer, PROTOBUF, "gzip", gzip([empty_resources])).status(), 200);
    let empty_attributes = [9 << 3 | 2, 0].repeat(7 << 20);
    let request = request("s", &field(2, &empty_attributes));
    assert_eq!(post(&viewer, PROTOBUF, "gzip", gzip([request])).status(), 200);

    // The same as JSON.
    for (open, each, close, status) in [
        (r#"{"resourceSpans":[{"scopeSpans":[{"spans":["#, "{},", r#"{}]}]}]}"#, 413),
        (r#"{"resourceSpans":["#, "{},", "{}]}", 200),
        (r#"{"resourceSpans":[{"scopeSpans":["#, "{},", "{}]}]}", 200),
        (r#"{"resourceSpans":[{"resource":{"attributes":["#, "{},", "{}]}}]}", 200),
        (r#"{"x":"#, "[", "", 400),
    ] {
        let body = [open, &each.repeat((15 << 20) / each.len()), close].concat().into_bytes();
        let answer = post(&viewer, "application/json", "gzip", gzip([body]));
        assert_eq!(answer.status(), status, "{open}{each}");
    }

    let peak = viewer.peak();
    eprintln!("peak: {peak} MiB");
    assert!(peak < 400, "{peak} MiB");
    assert_eq!(viewer.json("/api/sessions")[0]["spans"], 50_000);
}

#[test]
fn many_large_bodies_at_once_are_told_to_come_again() {
    let viewer = Viewer::start(&[]);
    // None of them ends: what they have sent is held.
    let headers = "Content-Type: application/x-protobuf";
    let begun = viewer.begin(5, "/v1/traces", headers, &vec![0; 15 << 20]);
    let answers = begun.into_iter().map(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut answer = [0; 1024];
        let count = stream.read(&mut answer).unwrap_or_default();
        (stream, String::from_utf8_lossy(&answer[..count]).into_owned())
    });
    let answers: Vec<_> = answers.collect();
    let refused = answers.iter().filter(|(_, answer)| answer.starts_with("HTTP/1.1 429")).count();
    assert!(refused >= 1, "{answers:?}");
    assert!(answers.iter().any(|(_, answer)| answer.contains("retry-after: 1")), "{answers:?}");
    drop(answers);
    qorrelate_test_browser::eventually(|| {
        let body = request("s", &field(2, &span(1)));
        match post(&viewer, "application/x-protobuf", "identity", body).status().as_u16() {
            200 => Ok(()),
            status => Err(format!("still {status}")),
        }
    });
    assert!(viewer.peak() < 300, "{} MiB", viewer.peak());
}

#[test]
fn only_names_of_this_machine_are_answered() {
    let viewer = Viewer::start(&[]);
    let port = viewer.address.rsplit_once(':').unwrap().1;
    let get = |host: &str| {
        let mut stream = TcpStream::connect(&viewer.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET /api/sessions HTTP/1.1\r\n{host}Connection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    for host in ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"] {
        let answer = get(&format!("Host: {host}:{port}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    for host in [
        "Host: rebound.test\r\n",
        "Host: 10.0.0.1\r\n",
        "Host: @127.0.0.1@evil.test\r\n",
        "Host: \r\n",
        "",
    ] {
        let answer = get(host);
        assert!(answer.starts_with("HTTP/1.1 421"), "{host}: {answer}");
        assert!(answer.contains("content-type: application/problem+json"), "{answer}");
    }
    let answer = get("Host: localhost\r\nHost: evil.test\r\n");
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn pages_of_other_origins_may_only_link() {
    let viewer = Viewer::start(&[]);
    let get = |headers: &[(&str, &str)]| {
        let mut request = viewer.client.get(viewer.url("/"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().unwrap()
    };
    let site = ("Sec-Fetch-Site", "cross-site");
    assert_eq!(get(&[]).status(), 200);
    let link = [site, ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")];
    assert_eq!(get(&link).status(), 200);
    for read in
        [vec![site, ("Sec-Fetch-Mode", "no-cors")], vec![("Origin", "http://127.0.0.1:3000")]]
    {
        let answer = get(&read);
        assert_eq!(answer.status(), 403, "{read:?}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn who_is_slow_is_not_waited_for() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = viewer::app(Store::open(None, Retention::default()).unwrap(), None, Orgs::default());
    let patience = Patience {
        head: Duration::from_millis(200),
        body: Duration::from_millis(200),
        request: PATIENCE,
        answer: PATIENCE,
    };
    tokio::spawn(viewer::serve(listener, app, patience, std::future::pending()));

    let head = "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\n";
    let rest = "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    for (sent, answered) in [("", ""), (head, ""), (&*format!("{head}{rest}"), "HTTP/1.1 408")] {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
        assert!(ended.is_ok(), "it waits for ever after {sent:?}");
        assert!(answer.starts_with(answered), "{sent:?}: {answer}");
    }
}

#[test]
fn what_was_answered_outlives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("viewer.db");
    let mut answered = 0;
    for _ in 0..3 {
        answered += load_and_kill(&file, answered);
    }
    assert!(answered > 20, "{answered}: there was no load");
    let again = Viewer::start(&["--db", file.to_str().unwrap()]);
    let kept = again.json("/api/sessions")[0]["spans"].as_u64().unwrap();
    // One more per kill may have been kept without anybody hearing of it.
    assert!(
        (u64::from(answered)..=u64::from(answered) + 3).contains(&kept),
        "{answered} answered, {kept} kept"
    );
}

/// Sends until the viewer is killed under it; how many were answered.
fn load_and_kill(file: &Path, from: u32) -> u32 {
    let viewer = Viewer::start(&["--db", file.to_str().unwrap()]);
    let pid = viewer.process.id().to_string();
    let mut answered = 0;
    let mut killer = None;
    loop {
        // Unanswered ones of the run before may be there: those numbers are not used again.
        let body = request("s", &field(2, &span((from + answered) * 8 + 1)));
        let post = viewer.client.post(viewer.url("/v1/traces"));
        match post.header("Content-Type", "application/x-protobuf").body(body).send() {
            Ok(answer) if answer.status() == 200 => answered += 1,
            _ => break,
        }
        if answered == 20 {
            let mut kill = Command::new("kill");
            killer = Some(kill.args(["-KILL", &pid]).spawn().unwrap());
        }
    }
    killer.expect("it was killed, and did not fail before").wait().unwrap();
    answered
}

#[test]
fn a_ticket_and_an_end_can_be_put() {
    let viewer = Viewer::start(&[]);
    let id = "a%2Ftickets%2Fb";
    let body = json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": "ab".repeat(16), "spanId": "cd".repeat(8), "name": "n",
        "startTimeUnixNano": "1", "endTimeUnixNano": "2",
        "attributes": [{"key": "session.id", "value": {"stringValue": "a/tickets/b"}}],
    }]}]}]});
    post(&viewer, "application/json", "identity", body.to_string().into_bytes());
    let session = viewer.url(&format!("/api/sessions/{id}"));
    let put = |url: String, state: &'static str| {
        viewer.client.put(url).body(state).send().unwrap().status().as_u16()
    };
    assert_eq!(put(format!("{session}/tickets/T-1"), "open"), 204);
    assert_eq!(put(format!("{session}/tickets/T-1"), "closed"), 204);
    assert_eq!(put(format!("{session}/tickets/T-1"), "lost"), 400);
    assert_eq!(put(session.clone(), "open"), 404);
    assert_eq!(put(viewer.url("/api/sessions/nobody/tickets/T-1"), "open"), 404);
    assert_eq!(viewer.client.delete(&session).send().unwrap().status(), 204);
    assert_eq!(viewer.client.delete(&session).send().unwrap().status(), 404);
    assert_eq!(viewer.json("/api/sessions"), json!([]));
}
