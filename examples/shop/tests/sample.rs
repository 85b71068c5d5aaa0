//! The shop with `--sample`: whole sessions, and those that fail.

// Clippy takes a test's helpers for code that is not a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use qorrelate_test_browser::{Browser, Driver, eventually};
use serde_json::{Value, json};

use self::common::{Shop, has_spans, names, shop};

/// One in ten is sampled; see `SessionId::is_sampled`.
fn ids(is_sampled: bool) -> impl Iterator<Item = String> {
    let ids = (0..).map(|n| format!("visitor-{n}"));
    ids.filter(move |id| {
        id.parse::<qorrelate_tower::SessionId>().unwrap().is_sampled(0.1) == is_sampled
    })
}

fn has_logs(session: &Value, count: usize) -> bool {
    session["logs"].as_array().is_some_and(|logs| logs.len() == count)
}

#[test]
fn whole_sessions_are_shown_and_an_error_brings_a_dropped_one_back() {
    let shop = Shop::from(shop(&["--sample", "0.1"]));
    let sampled: Vec<_> = ids(true).take(3).collect();
    let dropped: Vec<_> = ids(false).take(10).collect();
    for _ in 0..2 {
        for id in dropped.iter().chain(&sampled) {
            assert_eq!(shop.checkout(Some(id), json!(["mug"])).status(), 200);
        }
    }
    // Both requests in both services, with their logs.
    for id in &sampled {
        let session = shop.session(id, |session| has_spans(session, 14) && has_logs(session, 16));
        assert_eq!(
            (names(&session, "storefront").len(), names(&session, "payments").len()),
            (8, 6)
        );
    }
    let sessions = shop.sessions();
    assert_eq!(sessions.as_array().unwrap().len(), sampled.len(), "{sessions:#}");

    // The card is declined: an error on spans of both services.
    let failing = &dropped[0];
    assert_eq!(shop.checkout(Some(failing), json!(["yacht"])).status(), 402);
    let session = shop.session(failing, |session| has_spans(session, 14 + 6));
    let spans = session["spans"].as_array().unwrap();
    let charged = spans.iter().filter(|span| span["name"] == "POST /charge").count();
    assert_eq!(charged, 3, "of the requests before, too: {spans:#?}");
    shop.session(failing, |session| {
        let logs = session["logs"].as_array().into_iter().flatten();
        logs.filter(|log| log["body"] == "order placed").count() == 2
    });

    // From now on all it does is shown; the others stay away.
    assert_eq!(shop.checkout(Some(failing), json!(["mug"])).status(), 200);
    shop.session(failing, |session| has_spans(session, 14 + 6 + 7));
    let sessions = shop.sessions();
    assert_eq!(sessions.as_array().unwrap().len(), sampled.len() + 1, "{sessions:#}");
}

#[test]
fn the_page_sends_its_last_minute_when_the_backend_keeps_its_session() {
    let shop = Shop::from(shop(&["--sample", "0.1"]));
    let driver = Driver::start();
    // As the page's script keeps it.
    let visit = |id: &str| {
        let browser = driver.browser();
        browser.goto(&shop.storefront);
        let store = "sessionStorage.qorrelate = `${given[0]} ${Date.now()} ${Date.now()}`";
        browser.script(store, vec![json!(id)]);
        browser.reload();
        browser.text("#session-id", |shown| shown == id);
        browser
    };
    let order = |browser: &Browser, starts: &str| {
        browser.click("button", "Place order");
        browser.text("#answer", |text| text.starts_with(starts));
        browser.script("document.getElementById('answer').textContent = ''", vec![]);
    };
    let replay = |id: &str| {
        let session: Value = shop.session(id, |_| true);
        session["tabs"].as_array().is_some_and(|tabs| !tabs.is_empty())
    };
    let ids: Vec<_> = ids(false).take(2).collect();
    let [failing, fine] = [visit(&ids[0]), visit(&ids[1])];
    for browser in [&failing, &fine] {
        browser.click("button", "Add Desk lamp");
        browser.click("button", "Checkout");
        browser.click("button", "Use example details");
    }
    order(&fine, "Order");
    failing.click("button", "Add Model yacht, gold plated");
    order(&failing, "Not ordered");
    // The first response after the error says so.
    order(&failing, "Not ordered");
    let engineer = driver.browser();
    eventually(|| if replay(&ids[0]) { Ok(()) } else { Err("no replay yet".to_owned()) });
    engineer.goto(&format!("{}/sessions/{}", shop.viewer, ids[0]));
    engineer.text(".moment", |row| row.contains("button \"Add Desk lamp\""));
    assert!(!replay(&ids[1]), "nothing of the others");
}

#[test]
fn a_share_that_is_none_is_refused() {
    let output = shop(&["--sample", "2"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("not a number from 0 to 1"));
}
