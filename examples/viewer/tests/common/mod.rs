//! A viewer as a process of its own, and recordings to send it.

// Clippy takes a test's helpers for code that is not a test; not each test uses all of them.
#![allow(dead_code, clippy::expect_used, clippy::panic, clippy::unwrap_used, unreachable_pub)]

use std::io::Write as _;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;
use qorrelate_test_browser::{PATIENCE, end, lines};
use reqwest::blocking::{Client, RequestBuilder};
use serde_json::{Value, json};

pub const ORIGIN: &str = "http://127.0.0.1:3000";
pub const TAB: &str = "0123456789abcdef";

pub struct Viewer {
    pub process: Child,
    pub address: String,
    pub client: Client,
}

impl Viewer {
    pub fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_viewer"))
            .args(["--listen", "127.0.0.1:0", "--org", &format!("demo={ORIGIN}")])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = lines(process.stdout.take().unwrap());
        let line = lines.recv_timeout(PATIENCE).expect("the viewer says where it is");
        let address = line.strip_prefix("viewer http://").unwrap().to_owned();
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { process, address, client }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A recording on its way, as a page of the organisation sends it.
    pub fn replay(&self) -> RequestBuilder {
        let post = self.client.post(self.url("/v1/replay")).header("Origin", ORIGIN);
        post.header("Content-Type", "application/json")
    }

    pub fn record(&self, batch: &Value) {
        let answer = self.replay().body(batch.to_string()).send().unwrap();
        assert_eq!(answer.status(), 204, "{}", answer.text().unwrap());
    }

    pub fn spans(&self, resource_spans: &Value) {
        let answer = self
            .client
            .post(self.url("/v1/traces"))
            .json(&json!({"resourceSpans": resource_spans}));
        assert_eq!(answer.send().unwrap().status(), 200);
    }

    pub fn json(&self, path: &str) -> Value {
        let answer = self.client.get(self.url(path)).send().unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().unwrap()
    }

    /// So many POSTs, each with all of its body but the last byte.
    pub fn begin(&self, count: usize, path: &str, headers: &str, body: &[u8]) -> Vec<TcpStream> {
        let begin = || {
            let mut stream = TcpStream::connect(&self.address).unwrap();
            let (host, length) = (&self.address, body.len() + 1);
            write!(
                stream,
                "POST {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\nContent-Length: {length}\r\n\r\n"
            )
            .unwrap();
            // Some are refused in the middle.
            let _ = stream.write_all(body);
            stream
        };
        (0..count).map(|_| begin()).collect()
    }

    /// The most memory it ever had, in MiB.
    pub fn peak(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// Milliseconds since the epoch, by this machine's clock.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as f64
}

pub fn gzip(pieces: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for piece in pieces {
        encoder.write_all(&piece).unwrap();
    }
    encoder.finish().unwrap()
}

pub fn batch(session: &str, sequence: u32, sent: f64, events: Value) -> Value {
    json!({
        "org": "demo", "session": session, "tab": TAB, "sequence": sequence, "sent": sent, "events": events,
    })
}

pub fn moment(tag: &str, at: f64, payload: Value) -> Value {
    json!({"type": 5, "timestamp": at, "data": {"tag": tag, "payload": payload}})
}
