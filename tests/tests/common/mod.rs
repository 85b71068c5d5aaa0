//! What the suites on other people's layers share.
#![allow(dead_code, reason = "not every suite needs all of it")]

use std::future::Future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use qorrelate_core::{SessionId, SessionIdOutcome};
use qorrelate_tests::client::{Connection, Protocol};
use qorrelate_tests::telemetry::Telemetry;
use tokio::runtime::Runtime;

/// What a request brings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Sent {
    Session(&'static str),
    Malformed,
    Nothing,
}

/// The requests on each connection.
pub(crate) const SEQUENCE: [Sent; 7] = [
    Sent::Session("alice"),
    Sent::Malformed,
    Sent::Session("alice"),
    Sent::Nothing,
    Sent::Session("bob"),
    Sent::Nothing,
    Sent::Malformed,
];

impl Sent {
    pub(crate) fn headers(self) -> Vec<(&'static str, &'static [u8])> {
        match self {
            Self::Session(id) => vec![("x-session-id", id.as_bytes())],
            Self::Malformed => vec![("x-session-id", b"not an ID")],
            Self::Nothing => vec![],
        }
    }

    pub(crate) fn session(self) -> Option<String> {
        match self {
            Self::Session(id) => Some(id.to_owned()),
            Self::Malformed | Self::Nothing => None,
        }
    }

    pub(crate) fn outcome(self) -> &'static str {
        match self {
            Self::Session(_) => "found",
            Self::Malformed => "malformed",
            Self::Nothing => "missing",
        }
    }
}

/// Sends the sequence over one connection of each protocol, and says how many requests that were.
pub(crate) fn over_each_protocol(address: SocketAddr, check: impl Fn(Sent, u16, &str)) -> usize {
    block_on(async {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let mut connection = Connection::open(address, protocol).await;
            for sent in SEQUENCE {
                let (status, body) = connection.get("/", &sent.headers()).await;
                check(sent, status, std::str::from_utf8(&body).unwrap());
            }
        }
    });
    2 * SEQUENCE.len()
}

/// What a handler says of the session that is current, and the one that was extracted.
pub(crate) fn reports(current: Option<&SessionId>, extracted: Option<&SessionId>) -> String {
    let name = |id: Option<&SessionId>| id.map_or("-", SessionId::as_str).to_owned();
    format!("{} {}", name(current), name(extracted))
}

pub(crate) fn in_session(id: &str) -> String {
    format!("{id} {id}")
}

pub(crate) fn in_no_session() -> String {
    "- -".to_owned()
}

/// A handler outside of our layer: what is left on the thread.
pub(crate) async fn outside() -> String {
    format!("{:?} {:?}", SessionId::current(), SessionIdOutcome::current())
}

/// The answer of [`outside`] if there is nothing.
pub(crate) const NOTHING: &str = "None None";

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    Runtime::new().unwrap().block_on(future)
}

/// Makes something that spawns tasks, which run as long as the runtime is kept.
pub(crate) fn in_a_runtime<T>(make: impl FnOnce() -> T) -> (T, Runtime) {
    let runtime = Runtime::new().unwrap();
    let made = {
        let _entered = runtime.enter();
        make()
    };
    (made, runtime)
}

/// Waits until something is so, and fails if that takes too long.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "it does not happen");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Lines are counted, and there is one log: one test at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    Telemetry::install().forget();
    DROPPED_IN.lock().unwrap_or_else(PoisonError::into_inner).clear();
    guard
}

/// A handler that says whose session it is: the current one, and the one that was extracted.
pub(crate) async fn whose(extracted: Option<SessionId>) -> String {
    tokio::task::yield_now().await;
    reports(SessionId::current().as_ref(), extracted.as_ref())
}

/// What [`whose`] answers where no session is required.
pub(crate) fn must_be_its_own(sent: Sent, status: u16, body: &str) {
    assert_eq!(status, 200, "{body}");
    let expected = match sent {
        Sent::Session(id) => in_session(id),
        Sent::Malformed | Sent::Nothing => in_no_session(),
    };
    assert_eq!(body, expected);
}

/// What [`whose`] answers where a session is required.
pub(crate) fn must_be_there(sent: Sent, status: u16, body: &str) {
    match sent {
        Sent::Session(id) => {
            assert_eq!(status, 200, "{body}");
            assert_eq!(body, in_session(id));
        }
        Sent::Malformed => {
            assert_eq!(status, 400);
            assert!(body.contains("forbidden_byte"), "{body}");
        }
        Sent::Nothing => {
            assert_eq!(status, 400);
            assert!(body.contains(r#""reason":"missing""#), "{body}");
        }
    }
}

/// The sessions of the requests that [`over_each_protocol`] sends.
pub(crate) fn twice() -> Vec<Option<String>> {
    SEQUENCE.iter().chain(&SEQUENCE).map(|sent| sent.session()).collect()
}

/// Where each [`OnDrop`] was dropped, in a test that is [`alone`].
pub(crate) static DROPPED_IN: Mutex<Vec<Option<String>>> = Mutex::new(Vec::new());

/// Notes the session that it is dropped in.
pub(crate) struct OnDrop;

impl Drop for OnDrop {
    fn drop(&mut self) {
        let session = SessionId::current().map(|id| id.to_string());
        DROPPED_IN.lock().unwrap().push(session);
    }
}

/// The answer to what a browser asks before it sends a page's request to another origin, in lower case.
pub(crate) fn preflight(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = "OPTIONS / HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\
                   origin: http://page.example\r\naccess-control-request-method: GET\r\n\
                   access-control-request-headers: traceparent,x-highlight-request,x-session-id\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.to_ascii_lowercase()
}
