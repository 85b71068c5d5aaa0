//! A client that sends any bytes, also those that a well-behaved client would refuse to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long to wait for a server.
const PATIENCE: Duration = Duration::from_secs(20);

/// A response, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers, in lower case, in the order received.
    pub headers: Vec<(String, String)>,
    /// The body as it was sent.
    pub body: String,
}

impl Answer {
    /// The values of all headers of that name.
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Sends one `GET` on a connection of its own, and reads the answer.
pub fn get(address: SocketAddr, target: &str, headers: &[(&str, &[u8])]) -> Answer {
    let mut stream = send(address, target, headers);
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("the server answers");
    parse(&bytes)
}

/// Sends one `GET`, and goes away without an answer as soon as it has started.
pub fn cancel(
    address: SocketAddr,
    target: &str,
    headers: &[(&str, &[u8])],
    has_started: impl Fn() -> bool,
) {
    let stream = send(address, target, headers);
    let deadline = Instant::now() + PATIENCE;
    while !has_started() {
        assert!(Instant::now() < deadline, "the handler has not started");
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(stream);
}

fn send(address: SocketAddr, target: &str, headers: &[(&str, &[u8])]) -> TcpStream {
    let head = format!("GET {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    let mut request = head.into_bytes();
    for (name, value) in headers {
        request.extend_from_slice(name.as_bytes());
        request.extend_from_slice(b": ");
        request.extend_from_slice(value);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");

    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&request).expect("the server reads");
    stream
}

fn parse(bytes: &[u8]) -> Answer {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes).expect("HTTP") else {
        panic!("the answer was cut: {:?}", String::from_utf8_lossy(bytes));
    };
    Answer {
        status: response.code.unwrap(),
        headers: response
            .headers
            .iter()
            .map(|header| {
                let value = String::from_utf8(header.value.to_vec()).unwrap();
                (header.name.to_ascii_lowercase(), value)
            })
            .collect(),
        body: String::from_utf8(bytes[head..].to_vec()).unwrap(),
    }
}
