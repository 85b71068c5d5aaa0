//! Recorded in one real browser, watched in another.

// Clippy takes a test's helpers for code that is not a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};
use qorrelate_test_browser::{Browser, Driver, eventually};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use common::{Viewer, batch, moment, now};

/// One request as the site's server saw it.
#[derive(Clone, Debug)]
struct Served {
    session: String,
    trace: String,
    began: u128,
    ended: u128,
}

type Log = Arc<Mutex<Vec<Served>>>;

/// A site with a page that is recorded.
struct Site {
    url: String,
    served: Log,
    listener: std::net::TcpListener,
    runtime: Runtime,
}

impl Site {
    fn bind() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        Self { url, served: Log::default(), listener, runtime }
    }

    /// The page takes its script from the viewer; `before` runs first, and its tag has these attributes.
    fn serve(&self, viewer: &Viewer, before: &str, attributes: &str) {
        let page = format!(
            "<!doctype html><html lang=en><title>A page</title><link rel=icon href='data:,'>{before}\
             <script src='{}/replay.js' data-org-id=demo {attributes}></script><body><h1>A page</h1>\
             <button id=work onclick=\"fetch('/api/work', {{ method: 'POST' }}).then((a) => a.text()).then((text) => {{\
                 const p = document.createElement('p'); p.textContent = text; document.body.append(p) }})\">Work</button>\
             <a href=/next>Next</a>",
            viewer.url("")
        );
        let app = Router::new()
            .route("/api/work", post(work))
            .fallback(get(|| async move { Html(page) }))
            .with_state(Arc::clone(&self.served));
        let listener = self.listener.try_clone().unwrap();
        self.runtime
            .spawn(async move { axum::serve(TcpListener::from_std(listener).unwrap(), app).await });
    }

    fn served(&self) -> Vec<Served> {
        self.served.lock().unwrap().clone()
    }
}

fn nanos() -> u128 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos()
}

async fn work(State(served): State<Log>, headers: HeaderMap) -> impl IntoResponse {
    let began = nanos();
    tokio::time::sleep(Duration::from_millis(40)).await;
    let mut served = served.lock().unwrap();
    let trace = format!("{:032x}", 0xabc0 + served.len());
    let session = headers["x-session-id"].to_str().unwrap().to_owned();
    served.push(Served { session, trace: trace.clone(), began, ended: nanos() });
    let timing = format!("traceparent;desc=\"00-{trace}-00000000000000aa-01\"");
    ([("server-timing", timing)], format!("answer {}", served.len()))
}

fn report(viewer: &Viewer, served: &Served) {
    let span = |id: &str, parent: &str, name: &str, began: u128, ended: u128| {
        json!({
            "traceId": served.trace, "spanId": id, "parentSpanId": parent, "name": name, "kind": if parent.is_empty() { 2 } else { 3 },
            "startTimeUnixNano": began.to_string(), "endTimeUnixNano": ended.to_string(),
            "attributes": [{"key": "session.id", "value": {"stringValue": served.session}}],
        })
    };
    let spans = [
        span("00000000000000aa", "", "POST /api/work", served.began, served.ended),
        span(
            "00000000000000ab",
            "00000000000000aa",
            "SELECT 1",
            served.began + 1_000_000,
            served.ended - 1_000_000,
        ),
    ];
    viewer.spans(&json!([{"scopeSpans": [{"spans": spans}]}]));
}

/// Start of a test: a viewer that takes the site's recordings.
fn start() -> (Site, Viewer, Driver) {
    let site = Site::bind();
    let viewer = Viewer::start(&["--org", &format!("demo={}", site.url)]);
    (site, viewer, Driver::start())
}

fn id_of(browser: &Browser) -> String {
    browser.script("return qorrelate.sessionId", vec![]).as_str().unwrap().to_owned()
}

/// Waits until so many moments of a kind have arrived.
fn arrived(viewer: &Viewer, session: &str, tag: &str, count: usize) {
    eventually(|| {
        let tabs = viewer.json(&format!("/api/replay?session={session}"));
        let moments: Vec<Value> = tabs["tabs"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|tab| {
                let tab = tab["tab"].as_str().unwrap();
                let index = viewer.json(&format!("/api/replay/{tab}?session={session}"));
                index["moments"].as_array().unwrap().clone()
            })
            .filter(|moment| moment["seen"]["tag"] == tag)
            .collect();
        (moments.len() >= count).then_some(()).ok_or_else(|| format!("of {tag}: {moments:?}"))
    });
}

/// The text of the page in the replay's frame.
fn replayed(browser: &Browser) -> String {
    let text = "const stage = document.getElementById('stage')?.contentDocument;
        return stage?.querySelector('iframe')?.contentDocument?.body?.textContent ?? ''";
    browser.script(text, vec![]).as_str().unwrap_or_default().to_owned()
}

#[track_caller]
fn shows(browser: &Browser, expected: impl Fn(&str) -> bool) {
    eventually(|| {
        let shown = replayed(browser);
        expected(&shown).then_some(()).ok_or_else(|| format!("the replay shows {shown:?}"))
    });
}

/// Where the playhead is, in seconds.
fn at(browser: &Browser) -> f64 {
    let now = "return Number(document.getElementById('playhead').getAttribute('aria-valuenow'))";
    browser.script(now, vec![]).as_f64().unwrap()
}

fn press(browser: &Browser, key: &str) {
    let press = "const target = document.activeElement ?? document.body;
        target.dispatchEvent(new KeyboardEvent('keydown', { key: given[0], bubbles: true, cancelable: true }))";
    browser.script(press, vec![json!(key)]);
}

#[test]
fn a_session_is_watched_and_leads_to_its_traces_and_back() {
    let (site, viewer, driver) = start();
    // This browser's clock is three hours slow.
    let slow = "<script>{ const now = Date.now; Date.now = () => now() - 3 * 3600e3 }</script>";
    site.serve(&viewer, slow, "");
    let user = driver.browser();
    user.goto(&site.url);
    for n in 1..=2 {
        user.click("button", "Work");
        user.text("p", |text| text == format!("answer {n}"));
    }
    let session = id_of(&user);
    arrived(&viewer, &session, "request", 2);
    for served in site.served() {
        report(&viewer, &served);
    }
    user.goto("about:blank");

    let watcher = driver.browser();
    watcher.goto(&viewer.url(&format!("/sessions/{session}")));
    shows(&watcher, |text| text.contains("Work") && !text.contains("answer"));
    watcher.text(".moment .text", |text| text == "button \"Work\"");

    // The end, and back.
    watcher.script("document.getElementById('playhead').focus()", vec![]);
    press(&watcher, "End");
    shows(&watcher, |text| text.contains("answer 2"));
    press(&watcher, "Home");
    shows(&watcher, |text| !text.contains("answer"));

    // A request: one picture of the browser's interval and the server's.
    watcher.click("button", "Network 2");
    watcher.script("document.querySelectorAll('.moment[data-tag=request] a')[1].click()", vec![]);
    watcher.text("#picked .row .name", |text| text == "SELECT 1");
    let bars = "return [...document.querySelectorAll('#picked .row .bar')].map((bar) => bar.getBoundingClientRect())
        .map(({ left, right }) => [left, right])";
    let bars = watcher.script(bars, vec![]);
    let bar = |n: usize| (bars[n][0].as_f64().unwrap(), bars[n][1].as_f64().unwrap());
    let (browser, server) = (bar(0), bar(1));
    assert!(browser.0 <= server.0 && server.1 <= browser.1 + 1.0, "{bars}");
    assert!(server.1 - server.0 > (browser.1 - browser.0) / 4.0, "{bars}");
    shows(&watcher, |text| text.contains("answer 1") && !text.contains("answer 2"));

    // A span leads to its moment.
    let before = at(&watcher);
    press(&watcher, "Home");
    watcher
        .script("document.querySelectorAll('#picked .row:not(.browser) .line')[1].click()", vec![]);
    eventually(|| {
        let now = at(&watcher);
        ((now - before).abs() < 1.0)
            .then_some(())
            .ok_or_else(|| format!("{now}, not about {before}"))
    });

    // A trace leads to its session at its moment, and is open.
    watcher.goto(&viewer.url(&format!("/traces/{}", site.served()[1].trace)));
    watcher.text("#picked .row .service", |text| text == "browser");
    assert!((at(&watcher) - before).abs() < 1.0, "{} {before}", at(&watcher));
    shows(&watcher, |text| text.contains("answer 1") && !text.contains("answer 2"));
    // So does the link to a moment.
    let link = watcher.script("return document.getElementById('here').dataset.copy", vec![]);
    assert!(link.as_str().unwrap().contains("&t="), "{link}");
    watcher.goto(link.as_str().unwrap());
    shows(&watcher, |text| text.contains("answer 1") && !text.contains("answer 2"));

    // It plays, faster if asked, until it is told to pause.
    press(&watcher, "Home");
    watcher.click("button", "▶ Play");
    shows(&watcher, |text| text.contains("answer 2"));
    let state = watcher.texts("#play");
    assert!(state[0].contains("Pause") || state[0].contains("Play"), "{state:?}");
}

#[test]
fn pages_follow_each_other_and_tabs_stand_beside_each_other() {
    let (site, viewer, driver) = start();
    site.serve(&viewer, "", "data-shared");
    let user = driver.browser();
    user.goto(&site.url);
    user.click("button", "Work");
    user.text("p", |text| text == "answer 1");
    let session = id_of(&user);
    arrived(&viewer, &session, "request", 1);
    user.click("a", "Next");
    user.click("button", "Work");
    user.text("p", |text| text == "answer 2");
    arrived(&viewer, &session, "request", 2);
    user.script("document.body.insertAdjacentHTML('beforeend', '<a target=_blank rel=opener href=/other>Other</a>')", vec![]);
    user.click("a", "Other");
    user.turn_to_new_window();
    user.click("button", "Work");
    user.text("p", |text| text == "answer 3");
    assert_eq!(id_of(&user), session);
    arrived(&viewer, &session, "request", 3);
    user.turn_to_new_window();
    user.click("button", "Work");
    user.text("p", |text| text == "answer 4");
    arrived(&viewer, &session, "request", 4);

    let watcher = driver.browser();
    watcher.goto(&viewer.url(&format!("/sessions/{session}")));
    watcher.text("#tabs [role=tab]", |text| text.starts_with("Tab 1 · / and 1 more page"));
    watcher.text("#tabs [role=tab]", |text| text.starts_with("Tab 2 · /other"));
    watcher.text("button", |text| text == "Network 3");
    watcher.script("document.getElementById('playhead').focus()", vec![]);
    press(&watcher, "End");
    shows(&watcher, |text| text.contains("answer 4"));
    watcher.script("document.querySelectorAll('#tabs [role=tab]')[1].click()", vec![]);
    watcher.text("button", |text| text == "Network 1");
    watcher.script("document.getElementById('playhead').focus()", vec![]);
    press(&watcher, "End");
    shows(&watcher, |text| text.contains("answer 3") && !text.contains("answer 4"));
}

#[test]
fn what_is_still_being_recorded_grows() {
    let (site, viewer, driver) = start();
    site.serve(&viewer, "", "");
    let user = driver.browser();
    user.goto(&site.url);
    let session = id_of(&user);
    arrived(&viewer, &session, "navigation", 1);
    let watcher = driver.browser();
    watcher.goto(&viewer.url(&format!("/sessions/{session}")));
    watcher.text("#tabs .chip", |text| text == "being recorded");
    user.click("button", "Work");
    user.text("p", |text| text == "answer 1");
    watcher.text(".moment .text", |text| text == "button \"Work\"");
    watcher.script("document.getElementById('playhead').focus()", vec![]);
    press(&watcher, "End");
    shows(&watcher, |text| text.contains("answer 1"));
}

#[test]
fn a_long_recording_is_fetched_as_far_as_it_is_watched() {
    let (viewer, driver) = (Viewer::start(&[]), Driver::start());
    let began = now() - 3_600_000.0;
    // Every minute a picture that says which it is, and six batches.
    for n in 0..360_u32 {
        let at = began + f64::from(n) * 10_000.0;
        let mut events =
            vec![moment("click", at + 5_000.0, json!({"what": format!("button {n}")}))];
        if n % 6 == 0 {
            let text = json!({"type": 3, "textContent": format!("minute {}", n / 6), "id": 4});
            let page = json!({"type": 0, "id": 1, "childNodes": [{"type": 2, "tagName": "html", "attributes": {}, "id": 2,
                "childNodes": [{"type": 2, "tagName": "body", "attributes": {}, "id": 3, "childNodes": [text]}]}]});
            let size = json!({"href": "http://127.0.0.1:3000/", "width": 800, "height": 600});
            events.push(json!({"type": 4, "timestamp": at, "data": size}));
            events.push(json!({"type": 2, "timestamp": at + 1.0, "data": {"node": page, "initialOffset": {"top": 0, "left": 0}}}));
        }
        viewer.record(&batch("hour", n, at + 9_000.0, json!(events)));
    }
    let watcher = driver.browser();
    watcher.goto(&viewer.url("/sessions/hour"));
    shows(&watcher, |text| text == "minute 0");
    watcher.text("button", |text| text == "Everything");
    let fetched = || {
        let ranges = "return performance.getEntriesByType('resource').filter(({ name }) => name.includes('/events?'))
            .map(({ name }) => new URL(name).searchParams).map((query) => [Number(query.get('from')), Number(query.get('to'))])";
        watcher.script(ranges, vec![])
    };
    assert_eq!(fetched(), json!([[0, 1]]));
    watcher.script("document.getElementById('playhead').focus()", vec![]);
    press(&watcher, "End");
    shows(&watcher, |text| text == "minute 59");
    assert_eq!(fetched(), json!([[0, 1], [354, 359]]));
    // Only the rows in view are in the page.
    let rows = watcher.script("return document.querySelectorAll('.moment').length", vec![]);
    assert!(rows.as_u64().unwrap() < 60, "{rows}");

    // Zoomed in, the axis follows the playhead: five seconds are more of it than before.
    let left = || {
        let left = "return parseFloat(document.querySelector('.playhead').style.left)";
        watcher.script(left, vec![]).as_f64().unwrap()
    };
    watcher.click("button", "Zoom axis in");
    watcher.script("document.getElementById('playhead').focus()", vec![]);
    press(&watcher, "Home");
    press(&watcher, "ArrowRight");
    let near = left();
    watcher.click("button", "Zoom axis out");
    assert!((near / left() - 2.0).abs() < 0.1, "{near} {}", left());
}

#[test]
fn a_request_that_was_sent_twice_is_shown_beside_itself() {
    let (viewer, driver) = (Viewer::start(&[]), Driver::start());
    let sent = now();
    let request = |start: f64, status: u16, trace: &str| {
        let payload = json!({"method": "POST", "url": "http://127.0.0.1:3000/orders", "kind": "fetch", "start": start,
                             "end": start + 200.0, "status": status, "traceId": trace.repeat(32)});
        moment("request", start + 200.0, payload)
    };
    let events = [request(sent - 900.0, 200, "a"), request(sent - 813.0, 500, "b")];
    viewer.record(&batch("twice", 0, sent, json!(events)));
    let span = |trace: &str, start: f64| {
        json!({
            "traceId": trace.repeat(32), "spanId": "cd".repeat(8), "name": format!("order {trace}"), "kind": 2,
            "startTimeUnixNano": format!("{:.0}", (start + 20.0) * 1e6), "endTimeUnixNano": format!("{:.0}", (start + 190.0) * 1e6),
            "attributes": [{"key": "session.id", "value": {"stringValue": "twice"}}],
        })
    };
    let spans = [span("a", sent - 900.0), span("b", sent - 813.0)];
    viewer.spans(&json!([{"scopeSpans": [{"spans": spans}]}]));
    let watcher = driver.browser();
    watcher.goto(&viewer.url("/sessions/twice"));
    watcher.text("button", |text| text == "Traces 2");
    watcher.script("document.querySelector('.moment[data-tag=request] a').click()", vec![]);
    watcher.text("#picked h3", |text| text == "Sent twice, 87 ms apart");
    watcher.text("#picked .side:first-child .row .name", |text| text == "order a");
    watcher.text("#picked .side:last-child .row .name", |text| text == "order b");
}

#[test]
fn a_gap_and_a_recording_without_a_picture_are_said() {
    let (viewer, driver) = (Viewer::start(&[]), Driver::start());
    let sent = now();
    let click = |n: f64| {
        json!([moment(
            "click",
            sent - 9_000.0 + n * 1_000.0,
            json!({"what": format!("button {n}")})
        )])
    };
    viewer.record(&batch("gap", 0, sent, click(0.0)));
    viewer.record(&batch("gap", 3, sent, click(5.0)));
    let watcher = driver.browser();
    watcher.goto(&viewer.url("/sessions/gap"));
    watcher.text("#note", |text| text.contains("no picture"));
    watcher.text("#tabs .chip", |text| text == "2 missing");
    watcher.text(".moment .text", |text| text == "a part of the recording never arrived");
    watcher.text("#nothing", |text| text.is_empty());

    // Without a replay, there is no player.
    viewer.spans(&json!([{"scopeSpans": [{"spans": [{
        "traceId": "ab".repeat(16), "spanId": "cd".repeat(8), "name": "alone", "startTimeUnixNano": "1", "endTimeUnixNano": "2",
        "attributes": [{"key": "session.id", "value": {"stringValue": "plain"}}],
    }]}]}]));
    watcher.goto(&viewer.url("/sessions/plain"));
    watcher.text(".row .name", |text| text == "alone");
    let hidden = "return document.getElementById('replay').hidden";
    assert_eq!(watcher.script(hidden, vec![]), true);
}
