//! A real browser for tests, and what it takes to run processes beside them: bounded, and without sleep-and-hope.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "for tests")]

mod chromium;

use std::io::{BufRead as _, BufReader, Read};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

pub use chromium::{Browser, Driver};

/// Much longer than anything takes, for machines that have other things to do.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Ends a process and waits until it has ended.
pub fn end(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}

/// What a process prints, read by a thread: it can neither hang the test by its silence nor get stuck on a
/// pipe that nobody empties.
pub fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}

/// Asks until there is an answer; what stands in its way is said if there is none in time.
#[track_caller]
pub fn eventually<T>(mut ask: impl FnMut() -> Result<T, String>) -> T {
    let asked = Instant::now();
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(obstacle) => assert!(asked.elapsed() < PATIENCE, "{obstacle}"),
        }
        sleep(Duration::from_millis(50));
    }
}
