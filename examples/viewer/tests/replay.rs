//! Recordings over HTTP: what is taken, what is refused, and what is kept when the process is killed.

// Clippy takes a test's helpers for code that is not a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use qorrelate_test_browser::{PATIENCE, eventually};
use reqwest::blocking::Response;
use serde_json::{Value, json};

use common::{ORIGIN, TAB, Viewer, batch, gzip, moment, now};

fn is_problem(answer: Response, status: u16, says: &str) {
    assert_eq!(answer.status().as_u16(), status, "{says}");
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: Value = answer.json().unwrap();
    assert_eq!(problem["status"], status);
    assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}, not {says}");
}

fn one() -> Value {
    let sent = now();
    batch("s-1", 0, sent, json!([moment("click", sent - 5.0, json!({"what": "button \"Pay\""}))]))
}

#[test]
fn a_batch_is_taken_once_however_often_and_however_it_comes() {
    let viewer = Viewer::start(&[]);
    let one = one();
    viewer.record(&one);
    let zipped = gzip([one.to_string().into_bytes()]);
    let answer = viewer.replay().header("Content-Encoding", "gzip").body(zipped).send().unwrap();
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.headers()["access-control-allow-origin"], ORIGIN);
    let replay = viewer.json("/api/replay?session=s-1");
    assert_eq!(replay["tabs"][0]["batches"], 1);
    let index = viewer.json(&format!("/api/replay/{TAB}?session=s-1"));
    assert_eq!(index["moments"].as_array().unwrap().len(), 1);
    let events = viewer.json(&format!("/api/replay/{TAB}/events?session=s-1&from=0&to=9"));
    assert_eq!(events, json!({"sequence": 0, "events": one["events"]}));
    assert_eq!(viewer.json("/api/sessions/s-1")["tabs"][0]["tab"], TAB);
    assert_eq!(viewer.json("/api/sessions")[0]["batches"], 1);

    let delete = viewer.client.delete(viewer.url("/api/sessions/s-1")).send().unwrap();
    assert_eq!(delete.status(), 204);
    let gone = viewer.client.get(viewer.url(&format!("/api/replay/{TAB}?session=s-1"))).send();
    is_problem(gone.unwrap(), 404, "no recording of this tab");
}

#[test]
fn pages_ask_first_and_hear_what_was_refused() {
    let viewer = Viewer::start(&[]);
    let preflight = |origin: &str| {
        let ask = viewer.client.request(reqwest::Method::OPTIONS, viewer.url("/v1/replay"));
        ask.header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "content-encoding,content-type")
            .header("Sec-Fetch-Site", "cross-site")
            .send()
            .unwrap()
    };
    let answer = preflight(ORIGIN);
    assert!(answer.status().is_success());
    assert_eq!(answer.headers()["access-control-allow-origin"], ORIGIN);
    assert_eq!(answer.headers()["access-control-max-age"], "7200");
    assert!(preflight("http://evil.test").headers().get("access-control-allow-origin").is_none());
    let refused = viewer.replay().body("{").send().unwrap();
    assert_eq!(
        refused.headers()["access-control-allow-origin"],
        ORIGIN,
        "so that the page sees it"
    );
    is_problem(refused, 400, "not a batch");
}

#[test]
fn what_is_not_allowed_malformed_or_strange_is_said() {
    let viewer = Viewer::start(&["--org", "other=http://other.test"]);
    let with = |key: &str, value: Value| {
        let mut one = one();
        one[key] = value;
        one.to_string()
    };
    let post = |body: String| viewer.replay().body(body).send().unwrap();
    is_problem(post(with("org", json!("nobody"))), 403, "this organisation");
    is_problem(post(with("org", json!("other"))), 403, "this organisation");
    is_problem(post(with("session", json!("a b"))), 400, "`session`");
    is_problem(post(with("tab", json!("x"))), 400, "`tab`");
    is_problem(post(with("events", json!([]))), 400, "at least one event");
    is_problem(post(with("sent", json!(-1))), 400, "`sent`");
    is_problem(post(with("events", json!([{"type": 3, "timestamp": 1}]))), 400, "a day");
    is_problem(post("[".repeat(1_000_000)), 400, "not a batch");
    is_problem(post("\u{0}".into()), 400, "not a batch");

    let url = viewer.url("/v1/replay");
    let bare = || viewer.client.post(&url).header("Content-Type", "application/json");
    is_problem(bare().body(one().to_string()).send().unwrap(), 403, "Origin");
    let elsewhere = bare().header("Origin", "http://evil.test").body(one().to_string());
    is_problem(elsewhere.send().unwrap(), 403, "this organisation");
    let text =
        viewer.client.post(&url).header("Origin", ORIGIN).header("Content-Type", "text/plain");
    is_problem(text.body(one().to_string()).send().unwrap(), 415, "application/json");
    let strange = viewer.replay().header("Content-Encoding", "br").body("x");
    is_problem(strange.send().unwrap(), 415, "");
    let broken = viewer.replay().header("Content-Encoding", "gzip").body("not gzip");
    is_problem(broken.send().unwrap(), 400, "cannot be read");
    let rebound = viewer.replay().header("Host", "rebound.test").body(one().to_string());
    is_problem(rebound.send().unwrap(), 421, "localhost");
    assert_eq!(viewer.json("/api/sessions"), json!([]));
}

#[test]
fn what_is_too_large_is_refused_before_and_after_inflating() {
    let viewer = Viewer::start(&[]);
    let long = vec![b' '; 3 << 20];
    is_problem(viewer.replay().body(long.clone()).send().unwrap(), 413, "2097152");
    // Without a length: one byte more than may be.
    let mut stream = TcpStream::connect(&viewer.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST /v1/replay HTTP/1.1\r\nHost: localhost\r\nOrigin: {ORIGIN}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n200001\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&long[..(2 << 20) + 1]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("application/problem+json"),
        "{answer}"
    );
    let bomb = gzip((0..512).map(|_| vec![b' '; 1 << 20]));
    assert!(bomb.len() < 1 << 20);
    let answer = viewer.replay().header("Content-Encoding", "gzip").body(bomb).send().unwrap();
    is_problem(answer, 413, "8388608");
    // Two bytes each on the wire, and two characters of gzip.
    let many =
        one().to_string().replace("\"events\":[", &format!("\"events\":[{}", "0,".repeat(3 << 20)));
    let answer = viewer.replay().header("Content-Encoding", "gzip").body(gzip([many.into_bytes()]));
    is_problem(answer.send().unwrap(), 400, "at most 10000 events");
    let deep =
        one().to_string().replace("\"events\":[", &format!("\"events\":[{}", "[".repeat(7 << 20)));
    let answer = viewer.replay().header("Content-Encoding", "gzip").body(gzip([deep.into_bytes()]));
    is_problem(answer.send().unwrap(), 400, "not a batch");
    assert!(viewer.peak() < 150, "{} MiB", viewer.peak());
}

#[test]
fn too_much_at_once_is_told_to_come_again() {
    let viewer = Viewer::start(&[]);
    // None of them ends: what they have sent is held.
    let headers = format!("Origin: {ORIGIN}\r\nContent-Type: application/json");
    let begun = viewer.begin(40, "/v1/replay", &headers, &vec![b' '; 2_000_000]);
    let refused = eventually(|| {
        begun
            .iter()
            .find_map(|mut stream| {
                stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
                let mut answer = [0; 1024];
                let count = stream.read(&mut answer).unwrap_or_default();
                (count > 0).then(|| String::from_utf8_lossy(&answer[..count]).into_owned())
            })
            .ok_or_else(|| "nobody was refused".to_owned())
    });
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    assert!(refused.contains("retry-after: 1"), "{refused}");
    assert!(refused.contains("application/problem+json"), "{refused}");
    drop(begun);
    eventually(|| {
        match viewer.replay().body(one().to_string()).send().unwrap().status().as_u16() {
            204 => Ok(()),
            status => Err(format!("still {status}")),
        }
    });
}

/// An ordinary batch: about 20 kB of a page's doings.
fn ordinary(session: &str, sequence: u32) -> Value {
    let sent = now();
    let events: Vec<Value> = (0..60)
        .map(|n| {
            let positions: Vec<Value> = (0..6)
                .map(|m| json!({"x": n * m, "y": n + m, "id": n, "timeOffset": -m * 50}))
                .collect();
            json!({"type": 3, "timestamp": sent - 5_000.0 + f64::from(n) * 80.0,
                   "data": {"source": 1, "positions": positions}})
        })
        .collect();
    batch(session, sequence, sent, json!(events))
}

#[test]
fn a_thousand_sessions_at_once_lose_nothing() {
    const SESSIONS: u32 = 1_000;
    const BATCHES: u32 = 2;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("viewer.db");
    let viewer = Viewer::start(&["--db", file.to_str().unwrap()]);
    let began = Instant::now();
    let next = AtomicU32::new(0);
    let again = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= SESSIONS * BATCHES {
                        break;
                    }
                    let body =
                        ordinary(&format!("session-{}", n % SESSIONS), n / SESSIONS).to_string();
                    loop {
                        match viewer.replay().body(body.clone()).send().unwrap().status().as_u16() {
                            204 => break,
                            429 => {
                                again.fetch_add(1, Ordering::Relaxed);
                                thread::sleep(Duration::from_millis(20));
                            }
                            other => panic!("{other}"),
                        }
                    }
                }
            });
        }
    });
    let took = began.elapsed();
    let again = again.into_inner();
    eprintln!(
        "{} batches in {took:?}, {again} tried again, peak {} MiB",
        SESSIONS * BATCHES,
        viewer.peak()
    );
    let mut seen = 0;
    let mut path = "/api/sessions?replay=1".to_owned();
    loop {
        let answer = viewer.client.get(viewer.url(&path)).send().unwrap();
        let link = answer.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        for session in answer.json::<Value>().unwrap().as_array().unwrap() {
            assert_eq!(session["batches"], BATCHES, "{session}");
            seen += 1;
        }
        match link {
            Some(link) => path = link.trim_start_matches('<').split('>').next().unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, SESSIONS);
    assert!(viewer.peak() < 200, "{} MiB", viewer.peak());
}

#[test]
fn what_was_answered_outlives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("viewer.db");
    let mut answered = 0;
    for _ in 0..3 {
        answered = load_and_kill(&file, answered);
    }
    let again = Viewer::start(&["--db", file.to_str().unwrap()]);
    let index = again.json(&format!("/api/replay/{TAB}?session=s"));
    let kept: Vec<u64> = index["batches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|batch| batch["sequence"].as_u64().unwrap())
        .collect();
    let all: Vec<u64> = (0..u64::from(answered)).collect();
    // The last one may have been kept without anybody hearing of it.
    assert_eq!(kept[..all.len()], all[..], "{kept:?}");
    assert!(answered >= 60, "{answered}");
}

/// Sends until the viewer is killed under it, from a number on; the first number that was not answered.
fn load_and_kill(file: &Path, mut next: u32) -> u32 {
    let viewer = Viewer::start(&["--db", file.to_str().unwrap()]);
    let pid = viewer.process.id().to_string();
    let until = next + 20;
    let mut killer = None;
    loop {
        match viewer.replay().body(ordinary("s", next).to_string()).send() {
            Ok(answer) if answer.status() == 204 => next += 1,
            _ => break,
        }
        if next == until {
            killer = Some(Command::new("kill").args(["-KILL", &pid]).spawn().unwrap());
        }
    }
    killer.expect("it was killed, and did not fail before").wait().unwrap();
    next
}
