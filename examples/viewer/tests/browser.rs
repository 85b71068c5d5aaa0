//! The viewer's pages in real Chromium.

// Clippy takes a test's helpers for code that is not a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use qorrelate_test_browser::{Browser, Driver};
use serde_json::{Value, json};

use self::common::Viewer;

fn post(viewer: &Viewer, spans: Vec<Value>) {
    // Each span in a resource of its own service.
    let resources = spans.into_iter().map(|mut span| {
        let service = span["service"].take();
        json!({
            "resource": {"attributes": [
                {"key": "service.name", "value": {"stringValue": service}},
                {"key": "host.name", "value": {"stringValue": "laptop"}},
            ]},
            "scopeSpans": [{"scope": {"name": "the scope"}, "spans": [span]}],
        })
    });
    viewer.spans(&resources.collect());
}

const START: u64 = 1_795_000_000_000_000_000;

/// Span `n` of a trace that begins `trace` seconds later.
fn span(session: &str, trace: u64, n: u64, parent: Option<u64>, name: &str) -> Value {
    let start = START + trace * 1_000_000_000 + n * 1_000_000;
    json!({
        "service": format!("service-{}", n % 12),
        "traceId": trace_id(trace),
        "spanId": format!("{:016x}", n + 1),
        "parentSpanId": parent.map_or(String::new(), |parent| format!("{:016x}", parent + 1)),
        "name": name,
        "kind": 2,
        "startTimeUnixNano": start.to_string(),
        "endTimeUnixNano": (start + 500_000).to_string(),
        "attributes": [{"key": "session.id", "value": {"stringValue": session}}],
    })
}

fn trace_id(trace: u64) -> String {
    format!("{:032x}", trace + 1)
}

fn count(browser: &Browser, selector: &str) -> u64 {
    let script = "return document.querySelectorAll(given[0]).length";
    browser.script(script, vec![json!(selector)]).as_u64().unwrap()
}

/// What the page has fetched, as paths.
fn fetched(browser: &Browser, part: &str) -> u64 {
    let script = "return performance.getEntriesByType('resource').filter((e) => e.name.includes(given[0])).length";
    browser.script(script, vec![json!(part)]).as_u64().unwrap()
}

#[test]
fn a_long_session_costs_what_is_seen_of_it() {
    let (viewer, driver) = (Viewer::start(&[]), Driver::start());
    let name = |trace| format!("trace {trace}");
    for hundred in 0..8_u64 {
        let traces = hundred * 100..(hundred * 100 + 100).min(715);
        post(
            &viewer,
            traces
                .flat_map(|trace| (0..7).map(move |n| (trace, n)))
                .map(|(trace, n)| span("long", trace, n, n.checked_sub(1), &name(trace)))
                .collect(),
        );
    }
    let browser = driver.browser();
    browser.goto(&format!("{}/sessions/long", viewer.url("")));
    browser.text("#facts", |text| text.contains("715 traces") && text.contains("5005 spans"));
    browser.text(".row.span .name", |text| text == "trace 714");
    assert_eq!(fetched(&browser, "/api/traces/"), 1, "only the one that is open");
    let nodes = count(&browser, "*");
    assert!(nodes < 3_000, "{nodes} elements");

    // What changes is fetched, and nothing else is drawn anew.
    browser.script("document.querySelector('.trace').seenBefore = true", vec![]);
    post(&viewer, vec![span("long", 713, 77, None, "later")]);
    browser.text("#facts", |text| text.contains("5006 spans"));
    assert_eq!(fetched(&browser, "/api/traces/"), 1);
    assert_eq!(browser.script("return document.querySelector('.trace').seenBefore", vec![]), true);

    // All of it is there for whoever scrolls.
    browser.script("scrollTo(0, document.body.scrollHeight)", vec![]);
    browser.text(".trace h2", |text| text == "trace 0");
}

#[test]
fn a_deep_trace_folds_says_how_deep_it_is_and_has_a_colour_per_service() {
    let (viewer, driver) = (Viewer::start(&[]), Driver::start());
    let long = "long name ".repeat(60);
    let spans =
        (0..100).map(|n| span("deep", 0, n, n.checked_sub(1), if n == 3 { &long } else { "step" }));
    post(&viewer, spans.collect());
    let browser = driver.browser();
    browser.goto(&format!("{}/sessions/deep", viewer.url("")));
    browser.text(".row .level", |text| text == "↳13");
    let colours = "return new Set([...document.querySelectorAll('#facts .service')]
        .map((service) => getComputedStyle(service).color)).size";
    assert_eq!(browser.script(colours, vec![]), 12);
    let pushed = "return [...document.querySelectorAll('.row .line')].filter((line) =>
        line.querySelector('.service').getBoundingClientRect().right >
        line.querySelector('.track').getBoundingClientRect().left).length";
    assert_eq!(browser.script(pushed, vec![]), 0, "nothing is pushed out of its column");

    browser.click("button", "Collapse all");
    browser.text(".row .name", |text| text == "step");
    assert_eq!(count(&browser, ".row"), 1);
    browser.click("button", "What step did");
    assert_eq!(count(&browser, ".row"), 2);
    browser.click("button", "Expand all");
    browser.script("scrollTo(0, document.body.scrollHeight)", vec![]);
    browser.text(".row .level", |text| text == "↳99");
}

#[test]
fn details_show_all_that_is_known_and_can_be_linked_to() {
    let (viewer, driver) = (Viewer::start(&[]), Driver::start());
    post(&viewer, (0..60).map(|n| span("linked", 0, n, n.checked_sub(1), "step")).collect());
    let browser = driver.browser();
    // As from a log line somewhere else: to the session of a trace.
    browser.goto(&format!("{}/traces/{}", viewer.url(""), trace_id(0)));
    browser.text("main h1 .id", |text| text == "linked");
    let link = format!("{}/sessions/linked#span-{}-{:016x}", viewer.url(""), trace_id(0), 58);
    browser.goto("about:blank");
    browser.goto(&link);
    for (key, value) in [
        ("session.id", "linked"),
        ("host.name", "laptop"),
        ("name", "the scope"),
        ("kind", "server"),
    ] {
        browser.text(".row.target dl div", |text| {
            let mut lines = text.split_whitespace();
            lines.next() == Some(key) && text.contains(value)
        });
    }
    let seen = "const box = document.querySelector('.row.target').getBoundingClientRect();
        return box.top < innerHeight && box.bottom > 0";
    assert_eq!(browser.script(seen, vec![]), true);
    let copied = "return document.querySelector('.row.target .details [data-copy]').dataset.copy";
    assert_eq!(browser.script(copied, vec![]), json!(link));
}

#[test]
fn a_waterfall_zooms_to_a_span_and_back() {
    let (viewer, driver) = (Viewer::start(&[]), Driver::start());
    post(
        &viewer,
        (0..40).map(|n| span("zoomed", 0, n, n.checked_sub(1), &format!("step {n}"))).collect(),
    );
    let browser = driver.browser();
    browser.goto(&format!("{}/sessions/zoomed#span-{}-{:016x}", viewer.url(""), trace_id(0), 21));
    let width = "const row = document.getElementById(given[0]);
        return row.querySelector('.bar').getBoundingClientRect().width / row.querySelector('.track').getBoundingClientRect().width";
    let part = |browser: &Browser| {
        let id = format!("span-{}-{:016x}", trace_id(0), 21);
        browser.script(width, vec![json!(id)]).as_f64().unwrap()
    };
    browser.click("button", "Zoom to this span");
    assert!(part(&browser) > 0.8, "{}", part(&browser));
    browser.click("button", "Zoom out");
    assert!(part(&browser) < 0.1, "{}", part(&browser));
}

#[test]
fn a_text_is_found_in_a_trace_that_was_closed() {
    let (viewer, driver) = (Viewer::start(&[]), Driver::start());
    let mut spans: Vec<_> = (0..100).map(|trace| span("s", trace, 0, None, "plain")).collect();
    spans.extend(
        (1..60).map(|n| span("s", 3, n, Some(n - 1), if n == 55 { "needle 1" } else { "hay" })),
    );
    spans.push(span("s", 80, 7, Some(0), "needle 2"));
    post(&viewer, spans);
    let browser = driver.browser();
    browser.goto(&format!("{}/sessions/s", viewer.url("")));
    browser.text("#facts", |text| text.contains("100 traces"));
    browser.script("document.querySelector('#find input').value = 'needle'", vec![]);
    browser.click("button", "Find");
    browser.text("#found", |text| text == "1 of 2");
    browser.text(".row.target .name", |text| text == "needle 2");
    browser.click("button", "Next match");
    browser.text(".row.target .name", |text| text == "needle 1");
}

#[test]
fn a_session_of_dots_is_no_way_up() {
    let (viewer, driver) = (Viewer::start(&[]), Driver::start());
    for (n, id) in ["..", ".", "a/../b?c#d%2F"].into_iter().enumerate() {
        post(&viewer, vec![span(id, n as u64, 0, None, "a step")]);
    }
    let browser = driver.browser();
    for id in ["..", ".", "a/../b?c#d%2F"] {
        browser.goto(&viewer.url(""));
        browser.click("a", id);
        browser.text("main h1 .id", |text| text == id);
        browser.text(".row.span .name", |text| text == "a step");
    }
}

#[test]
fn nothing_that_arrived_runs() {
    let (viewer, driver) = (Viewer::start(&[]), Driver::start());
    let evil = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>";
    let mut hostile = span(evil, 0, 0, None, evil);
    hostile["attributes"]
        .as_array_mut()
        .unwrap()
        .push(json!({"key": evil, "value": {"stringValue": evil}}));
    hostile["service"] = json!(evil);
    post(&viewer, vec![hostile]);
    let browser = driver.browser();
    browser.goto(&viewer.url(""));
    let link = "return document.querySelector('td.id a').click()";
    browser.script(link, vec![]);
    browser.text(".row.span .name", |text| text == evil);
    browser.script("document.querySelector('.row .line').click()", vec![]);
    browser.text(".details dt", |text| text == evil);
    assert_eq!(count(&browser, "main img, main script"), 0);
    assert_ne!(browser.script("return document.title", vec![]), "run");
}
