//! Clients: one that sends any bytes, also those that a well-behaved client would refuse to, and one that
//! keeps its connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};

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

/// How a connection is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, keep-alive.
    Http1,
    /// HTTP/2, without TLS.
    Http2,
}

/// A connection that is kept for many requests.
#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    protocol: Protocol,
    sender: Sender,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Empty<Bytes>>),
    Http2(http2::SendRequest<Empty<Bytes>>),
}

impl Connection {
    /// Opens one.
    pub async fn open(address: SocketAddr, protocol: Protocol) -> Self {
        Self { address, protocol, sender: Sender::connect(address, protocol).await }
    }

    /// Sends a `GET` and reads the whole answer.
    pub async fn get(&mut self, target: &str, headers: &[(&str, &[u8])]) -> (u16, Bytes) {
        let response = self.sender.send(self.request(target, headers)).await;
        let response = response.expect("the server answers");
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.expect("the answer is whole");
        (status, body.to_bytes())
    }

    /// Sends a `GET`, and gives it up without an answer as soon as it has started. Over HTTP/1.1 that
    /// ends the connection, and another one is opened.
    pub async fn cancel(
        &mut self,
        target: &str,
        headers: &[(&str, &[u8])],
        has_started: impl Fn() -> bool,
    ) {
        let request = self.request(target, headers);
        {
            let answer = self.sender.send(request);
            let started = async {
                while !has_started() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::select! {
                _ = answer => panic!("it never answers"),
                started = tokio::time::timeout(PATIENCE, started) => {
                    started.expect("the handler has started");
                }
            }
        }
        if self.protocol == Protocol::Http1 {
            self.sender = Sender::connect(self.address, self.protocol).await;
        }
    }

    fn request(&self, target: &str, headers: &[(&str, &[u8])]) -> http::Request<Empty<Bytes>> {
        let uri = match self.protocol {
            Protocol::Http1 => target.to_owned(),
            Protocol::Http2 => format!("http://{}{target}", self.address),
        };
        let mut request = http::Request::get(uri);
        if self.protocol == Protocol::Http1 {
            request = request.header("host", self.address.to_string());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Empty::new()).expect("a request")
    }
}

impl Sender {
    async fn connect(address: SocketAddr, protocol: Protocol) -> Self {
        let stream = tokio::net::TcpStream::connect(address).await.expect("the server listens");
        let io = TokioIo::new(stream);
        match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await.expect("HTTP/1.1");
                tokio::spawn(connection);
                Self::Http1(sender)
            }
            Protocol::Http2 => {
                let handshake = http2::handshake(TokioExecutor::new(), io);
                let (sender, connection) = handshake.await.expect("HTTP/2");
                tokio::spawn(connection);
                Self::Http2(sender)
            }
        }
    }

    async fn send(
        &mut self,
        request: http::Request<Empty<Bytes>>,
    ) -> hyper::Result<http::Response<hyper::body::Incoming>> {
        match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }
}
