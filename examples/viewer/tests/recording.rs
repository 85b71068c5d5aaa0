//! What the page's script records and how it gets away, in real Chromium.

// Clippy takes a test's helpers for code that is not a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod site;

use qorrelate_test_browser::Driver;
use site::{Site, TRACE, click, failures};

#[test]
fn a_page_is_recorded_under_the_session_of_its_requests() {
    let (site, driver) = (Site::start(), Driver::start());
    let browser = driver.browser();
    site.open(&browser, "", "<h1>Welcome</h1>");
    let snapshot = site.snapshot();
    assert!(snapshot.to_string().contains("Welcome"));
    browser.script("return (await fetch('/api/work')).text()", vec![]);
    let request = site.note("request", |_| true);
    assert_eq!(request["url"], format!("{}/api/work", site.url));
    assert_eq!(request["traceId"], TRACE);
    let id = browser.script("return qorrelate.sessionId", vec![]);
    assert_eq!(site.sessions(), [id.as_str().map(str::to_owned)]);
    for (n, post) in site.posts().iter().enumerate() {
        let batch = &post.batch;
        assert_eq!(batch["org"], "demo");
        assert_eq!(batch["session"], id);
        assert_eq!(batch["sequence"], n);
        assert_eq!(batch["dropped"], 0);
        let tab = batch["tab"].as_str().unwrap();
        assert!(tab.len() == 16 && tab.chars().all(|c| c.is_ascii_hexdigit()), "{tab}");
        assert_eq!(post.headers["content-type"], "application/json");
        assert_eq!(post.headers["content-encoding"], "gzip");
    }
    assert_eq!(failures(&browser), 0);
    let _ = click;
}
