//! What axe-core finds on the viewer's pages: nothing serious, in light and dark, wide and on a phone.

// Clippy takes a test's helpers for code that is not a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::PathBuf;

use qorrelate_test_browser::{Browser, Driver};
use serde_json::{Value, json};

use common::{Viewer, batch, moment, now};

/// axe-core, which `tests/run` installs.
fn axe() -> String {
    let recorders: PathBuf =
        std::env::var_os("RECORDERS").expect("run the tests with `bash tests/run`").into();
    fs::read_to_string(recorders.join("node_modules/axe-core/axe.min.js")).unwrap()
}

/// A session with all that a page shows.
fn fill(viewer: &Viewer) {
    let sent = now();
    let at = |ms: f64| sent - 10_000.0 + ms;
    let trace = "ab".repeat(16);
    let page = json!({"type": 0, "id": 1, "childNodes": [{"type": 2, "tagName": "html", "attributes": {}, "id": 2,
        "childNodes": [{"type": 2, "tagName": "body", "attributes": {}, "id": 3, "childNodes": []}]}]});
    let events = json!([
        {"type": 4, "timestamp": at(0.0), "data": {"href": "http://127.0.0.1:3000/", "width": 800, "height": 600}},
        {"type": 2, "timestamp": at(1.0), "data": {"node": page, "initialOffset": {"top": 0, "left": 0}}},
        moment("navigation", at(2.0), json!({"url": "http://127.0.0.1:3000/", "how": "load"})),
        moment("click", at(1_000.0), json!({"what": "button \"Pay\"", "dead": true})),
        moment("click", at(1_150.0), json!({"what": "button \"Pay\""})),
        moment("request", at(2_000.0), json!({"method": "POST", "url": "http://127.0.0.1:3000/pay", "kind": "fetch",
            "start": at(1_500.0), "end": at(2_000.0), "status": 500, "traceId": trace})),
        moment("request", at(2_500.0), json!({"method": "GET", "url": "/x", "kind": "fetch", "start": at(2_400.0),
            "end": at(2_500.0), "status": 404})),
        moment("toast", at(4_000.0), json!({"text": "Card declined", "shown": 1_500})),
        moment("invalid", at(4_100.0), json!({"what": "input", "message": "Fill this out"})),
        moment("error", at(5_000.0), json!({"message": "TypeError", "stack": "at x", "kind": "error"})),
        moment("console", at(5_100.0), json!({"level": "warn", "text": "slow"})),
        moment("long-frame", at(6_000.0), json!({"duration": 180, "layout": 120, "scripts": [{"source": "a.js", "forcedLayout": 100}]})),
        moment("frames", at(7_000.0), json!({"fps": 12, "ms": 1_000})),
    ]);
    viewer.record(&batch("full", 0, sent, events));
    viewer.record(&batch("full", 2, sent, json!([moment("kept", at(9_000.0), json!({}))])));
    let attributes = json!([{"key": "session.id", "value": {"stringValue": "full"}}]);
    let nanos = |ms: f64| format!("{:.0}", at(ms) * 1e6);
    let span = |id: &str, kind: u8, status: u8| {
        json!({"traceId": trace, "spanId": id.repeat(8), "name": "POST /pay", "kind": kind,
               "startTimeUnixNano": nanos(1_510.0), "endTimeUnixNano": nanos(1_990.0),
               "status": {"code": status}, "attributes": attributes})
    };
    viewer.spans(&json!([{"scopeSpans": [{"spans": [span("cd", 2, 2), span("ce", 3, 0)]}]}]));
}

#[track_caller]
fn check(browser: &Browser, axe: &str, what: &str) {
    let run = format!(
        "{axe};
         const {{ violations }} = await axe.run(document, {{ iframes: false }});
         return violations.filter(({{ impact }}) => impact === 'serious' || impact === 'critical')
             .map(({{ id, nodes }}) => [id, ...nodes.map(({{ html, any }}) => html + ' ' + (any[0]?.message ?? ''))])"
    );
    assert_eq!(browser.script(&run, vec![]), json!([]), "{what}");
    let beyond = "return Math.max(0, document.documentElement.scrollWidth - innerWidth)";
    assert_eq!(browser.script(beyond, vec![]), Value::from(0), "{what}: wider than the window");
}

#[test]
fn axe_finds_nothing_serious() {
    let (viewer, driver, axe) = (Viewer::start(&[]), Driver::start(), axe());
    fill(&viewer);
    for (dark, browser) in [(false, driver.browser()), (true, driver.dark_browser())] {
        browser.goto(&viewer.url("/"));
        let is_dark = "return matchMedia('(prefers-color-scheme: dark)').matches";
        assert_eq!(browser.script(is_dark, vec![]), dark);
        for width in [1280, 390] {
            let what = format!("{width} wide, {}", if dark { "dark" } else { "light" });
            browser.resize(width, 900);
            browser.goto(&viewer.url("/"));
            browser.text("td.id a", |text| text == "full");
            check(&browser, &axe, &format!("the list, {what}"));
            browser.goto(&viewer.url("/sessions/full"));
            browser.text(".moment .text", |text| text == "TypeError");
            browser.script("document.querySelector('.moment[data-tag=request] a').click()", vec![]);
            browser.text("#picked .row .service", |text| text == "browser");
            check(&browser, &axe, &format!("a session, {what}"));
            browser.goto(&viewer.url("/sessions/unknown"));
            browser.text("#nothing h2", |text| text.starts_with("Nothing"));
            check(&browser, &axe, &format!("nothing, {what}"));
        }
    }
}
