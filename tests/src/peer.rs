//! A service of somebody else: a socket that keeps every byte that it is sent, and answers as told.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A server that runs until this is dropped.
#[derive(Debug)]
pub struct Peer {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    stopped: AtomicBool,
    redirects: Mutex<HashMap<String, (u16, String)>>,
    failures: Mutex<usize>,
    received: Mutex<Vec<Vec<u8>>>,
}

impl Peer {
    /// Listens on that address, at a free port; `None` where this machine has no such address.
    pub fn on(address: &str) -> Option<Self> {
        let listener = TcpListener::bind((address, 0)).ok()?;
        let address = listener.local_addr().unwrap();
        let state = Arc::<State>::default();
        let thread = std::thread::spawn({
            let state = Arc::clone(&state);
            move || {
                for stream in listener.incoming() {
                    if state.stopped.load(Ordering::SeqCst) {
                        return;
                    }
                    let (Ok(stream), state) = (stream, Arc::clone(&state)) else { continue };
                    std::thread::spawn(move || serve(stream, &state));
                }
            }
        });
        Some(Self { address, state, thread: Some(thread) })
    }

    /// Listens on 127.0.0.1, at a free port.
    pub fn local() -> Self {
        Self::on("127.0.0.1").expect("every machine has it")
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Answers requests to that path with that status and `Location`, instead of 200.
    pub fn redirect(&self, path: &str, status: u16, location: &str) {
        let redirect = (status, location.to_owned());
        lock(&self.state.redirects).insert(path.to_owned(), redirect);
    }

    /// Answers that many of the next requests with 503.
    pub fn fail(&self, times: usize) {
        *lock(&self.state.failures) = times;
    }

    /// The requests until now, each as it was sent, in order. They are forgotten.
    pub fn take_received(&self) -> Vec<Received> {
        lock(&self.state.received).drain(..).map(Received).collect()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        // The thread waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What came over one connection until its request ended.
#[derive(Debug)]
pub struct Received(Vec<u8>);

impl Received {
    /// Whether these words are anywhere in it.
    pub fn mentions(&self, words: &str) -> bool {
        self.0.windows(words.len()).any(|bytes| bytes.eq_ignore_ascii_case(words.as_bytes()))
    }

    /// The first line: method, target and version.
    pub fn line(&self) -> String {
        self.text().lines().next().unwrap_or_default().to_owned()
    }

    /// The values of all header lines of that name, which is in lower case.
    pub fn header(&self, name: &str) -> Vec<String> {
        self.text()
            .lines()
            .filter_map(|line| line.split_once(':'))
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
            .collect()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

fn serve(mut stream: TcpStream, state: &State) {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let path = loop {
        let read = stream.read(&mut buffer).unwrap_or(0);
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                break head.split(' ').nth(1).unwrap_or_default().to_owned();
            }
        }
        // A request that is none, such as the beginning of TLS, is kept too.
        if read == 0 || bytes.first() == Some(&0x16) {
            if !bytes.is_empty() {
                lock(&state.received).push(bytes);
            }
            return;
        }
    };
    lock(&state.received).push(bytes);
    let failures = &mut *lock(&state.failures);
    let answer = if *failures > 0 {
        *failures -= 1;
        "HTTP/1.1 503 Service Unavailable\r\n".to_owned()
    } else {
        match lock(&state.redirects).get(&path) {
            Some((status, location)) => format!("HTTP/1.1 {status} R\r\nlocation: {location}\r\n"),
            None => "HTTP/1.1 200 OK\r\n".to_owned(),
        }
    };
    let _ = stream
        .write_all(format!("{answer}content-length: 0\r\nconnection: close\r\n\r\n").as_bytes());
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
