//! The shop as somebody with a browser meets it: real Chromium clicks through the pages.

// Clippy takes a test's helpers for code that is not a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::spawn;

use qorrelate_test_browser::{Browser, Driver};
use serde_json::json;

use self::common::{Shop, bodies, names, pick};

/// Opens the storefront; the session ID that it shows.
fn visit(browser: &Browser, shop: &Shop) -> String {
    browser.goto(&shop.storefront);
    shown_session(browser)
}

fn shown_session(browser: &Browser) -> String {
    browser.text("#session-id", |text| !text.is_empty())
}

/// Fills the form and sends it.
fn place_order(browser: &Browser) {
    browser.click("button", "Checkout");
    browser.click("button", "Use example details");
    browser.click("button", "Place order");
}

/// The order that the page says was placed.
fn checkout(browser: &Browser) -> String {
    place_order(browser);
    let answer = browser.text("#answer", |text| text.contains("placed"));
    answer.split_whitespace().nth(1).unwrap().to_owned()
}

/// The orders that were placed in a session, as soon as there are so many.
#[track_caller]
fn orders(shop: &Shop, session: &str, count: usize) -> Vec<String> {
    let session = shop.session(session, |session| {
        let placed =
            |service, body| bodies(session, service).iter().filter(|b| **b == body).count();
        placed("storefront", "order placed") == count && placed("payments", "charged") == count
    });
    let logs = session["logs"].as_array().unwrap().iter();
    logs.filter(|log| log["body"] == "order placed")
        .map(|log| log["attributes"]["order"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_checkout_is_one_session_of_both_services_in_the_viewer() {
    let (shop, driver) = (Shop::start(), Driver::start());
    let browser = driver.browser();

    browser.goto(&shop.viewer);
    assert_eq!(browser.texts("main h1"), ["Nothing yet"]);
    browser.click("main//a", "storefront");

    let session = shown_session(&browser);
    let sent = browser.script("return qorrelate.id()", vec![]);
    assert_eq!(sent, session, "what is shown is what is sent");

    browser.click("button", "Add Desk lamp");
    browser.click("button", "Add Desk lamp");
    browser.text("#basket", |text| text.contains("2 × Desk lamp"));
    checkout(&browser);
    browser.click("*[@id='answer']//a", "See what the backend did");

    browser.turn_to_new_window();
    let shown = browser.text("main h1 .id", |text| !text.is_empty());
    assert_eq!(shown, session);
    for (service, span, log) in [
        ("storefront", "POST /api/checkout", "order placed"),
        ("payments", "POST /charge", "charged"),
    ] {
        let row = [span, service];
        browser.text(".row.span .what", |text| text.lines().eq(row));
        let lines = format!(".row.log[data-service={service}] .body");
        browser.text(&lines, |text| text.starts_with(log));
    }

    let known = shop.session(&session, |session| {
        names(session, "storefront").contains(&"POST /api/checkout")
            && names(session, "payments").contains(&"POST /charge")
            && bodies(session, "storefront").contains(&"order placed")
            && bodies(session, "payments").contains(&"charged")
    });
    assert_eq!(known["session_id"], session);
    for kind in ["spans", "logs"] {
        for item in known[kind].as_array().unwrap() {
            assert_eq!(item["attributes"]["session.id"], session, "{item:#}");
        }
    }

    // And nothing of what was done was left out of the session.
    browser.goto(&shop.viewer);
    assert_eq!(browser.texts("td.id a"), [session]);
    let page = browser.texts("main").concat();
    assert!(!page.contains("Without a session"), "{page}");
}

/// With `UPDATE_DOCS` set, the README's picture is taken of it.
#[test]
fn the_viewer_shows_why_an_order_failed() {
    let (shop, driver) = (Shop::start(), Driver::start());
    // The first order is slow, because the services connect.
    assert_eq!(shop.checkout(Some("first"), json!(["mug"])).status(), 200);
    let browser = driver.browser();
    let session = visit(&browser, &shop);
    browser.click("button", "Add Model yacht, gold plated");
    place_order(&browser);
    browser.text("#answer", |text| text.starts_with("Not ordered"));
    shop.session(&session, |session| {
        bodies(session, "payments").contains(&"over the card's limit")
            && names(session, "storefront").contains(&"POST /api/checkout")
    });

    browser.goto(&format!("{}/sessions/{session}", shop.viewer));
    pick(&browser, "402", |shown| shown.contains("check the card"));
    let failed = browser.texts("#picked .span.failed .name");
    assert_eq!(failed, ["call payments", "check the card"]);
    let warnings = browser.texts("#picked .log.warn .body");
    assert!(warnings.iter().any(|text| text.starts_with("over the card's limit")), "{warnings:?}");

    if std::env::var_os("UPDATE_DOCS").is_some() {
        let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/images/failed-order.png");
        // As large as it is to be read in the README, which shows it smaller.
        let style = "document.documentElement.style = 'zoom: 1.2; overflow: hidden'";
        browser.script(style, vec![]);
        std::fs::write(picture, browser.picture(1360, "#picked")).unwrap();
    }
}

#[test]
fn every_way_of_calling_the_own_origin_carries_the_session() {
    const CALL: &str = "
        const order = (item) => JSON.stringify({ items: [item] });
        const url = '/api/checkout';
        const post = (item) => ({ method: 'POST', body: order(item) });
        const xhr = (item, how) => new Promise((resolve, reject) => {
            const request = new XMLHttpRequest();
            how(request);
            request.onload = () => resolve({ ok: request.status === 200 });
            request.onerror = () => reject(new Error(item));
            request.send(order(item));
        });
        const answers = [
            await fetch(url, post('by-fetch')),
            await fetch(new URL(url, location), post('by-fetch-of-url')),
            await fetch(new Request(url, post('by-fetch-of-request'))),
            await fetch(url, { ...post('by-fetch-with-headers'), headers: { 'X-Other': '1' } }),
            await xhr('by-xhr', (request) => request.open('POST', url)),
            await xhr('by-xhr-of-url', (request) => request.open('POST', location.origin + url, true)),
            await xhr('by-xhr-opened-twice', (request) => {
                request.open('POST', 'http://127.0.0.1:1/');
                request.open('POST', url);
            }),
        ];
        return answers.every((answer) => answer.ok);";
    let (shop, driver) = (Shop::start(), Driver::start());
    let browser = driver.browser();
    let session = visit(&browser, &shop);
    assert_eq!(browser.script(CALL, vec![]), true);

    let mut bought = Vec::new();
    orders(&shop, &session, 7);
    let known = shop.session(&session, |_| true);
    for log in known["logs"].as_array().unwrap() {
        if log["body"] == "reserved" {
            bought.push(log["attributes"]["sku"].as_str().unwrap());
        }
    }
    bought.sort_unstable();
    assert_eq!(
        bought,
        [
            "by-fetch",
            "by-fetch-of-request",
            "by-fetch-of-url",
            "by-fetch-with-headers",
            "by-xhr",
            "by-xhr-of-url",
            "by-xhr-opened-twice",
        ]
    );
    assert_eq!(shop.sessions().as_array().unwrap().len(), 1);
}

#[test]
fn no_other_origin_learns_the_session() {
    const CALL: &str = "
        const [elsewhere] = given;
        const xhr = (how) => new Promise((resolve) => {
            const request = new XMLHttpRequest();
            how(request);
            request.onloadend = resolve;
            request.send();
        });
        const json = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' };
        await fetch(`${elsewhere}/fetch`);
        await fetch(new URL(`${elsewhere}/fetch-of-url`));
        await fetch(new Request(`${elsewhere}/fetch-of-request`));
        await fetch(`${elsewhere}/fetch-with-preflight`, json);
        await fetch(elsewhere.replace('http:', '') + '/fetch-without-scheme');
        await xhr((request) => request.open('GET', `${elsewhere}/xhr`));
        await xhr((request) => {
            request.open('GET', '/api/products');
            request.open('GET', `${elsewhere}/xhr-opened-twice`);
        });";
    let (shop, driver, elsewhere) = (Shop::start(), Driver::start(), Elsewhere::start());
    let browser = driver.browser();
    let session = visit(&browser, &shop);
    browser.script(CALL, vec![json!(elsewhere.url)]);

    let received = elsewhere.received();
    for request in &received {
        let request = request.to_ascii_lowercase();
        assert!(!request.contains("x-session-id"), "{request}");
        assert!(!request.contains(&session), "{request}");
    }
    // It was asked, or its silence would prove nothing.
    let lines = received.iter().map(|request| request.lines().next().unwrap());
    let mut calls: Vec<_> = lines.map(|line| line.trim_end_matches(" HTTP/1.1")).collect();
    calls.sort_unstable();
    assert_eq!(
        calls,
        [
            "GET /fetch",
            "GET /fetch-of-request",
            "GET /fetch-of-url",
            "GET /fetch-without-scheme",
            "GET /xhr",
            "GET /xhr-opened-twice",
            // It asks for leave because of its content type, whatever else it carries.
            "OPTIONS /fetch-with-preflight",
            "POST /fetch-with-preflight",
        ]
    );
}

#[test]
fn a_session_lasts_as_long_as_its_tab_and_no_longer() {
    let (shop, driver) = (Shop::start(), Driver::start());
    let one = driver.browser();
    let session = visit(&one, &shop);
    let mut placed = vec![checkout(&one)];
    one.reload();
    assert_eq!(shown_session(&one), session);
    placed.push(checkout(&one));

    let other = driver.browser();
    let other_session = visit(&other, &shop);
    assert_ne!(other_session, session);
    let other_placed = vec![checkout(&other)];

    one.click("button", "Start a new session");
    let new_session = one.text("#session-id", |id| !id.is_empty() && id != session);
    let new_placed = vec![checkout(&one)];

    assert_eq!(orders(&shop, &session, 2), placed);
    assert_eq!(orders(&shop, &other_session, 1), other_placed);
    assert_eq!(orders(&shop, &new_session, 1), new_placed);
    assert_eq!(shop.sessions().as_array().unwrap().len(), 3);

    other.goto(&format!("{}/sessions/{other_session}", shop.viewer));
    assert_eq!(other.texts("main h1 .id"), [other_session]);
    other.text(".trace h2", |title| title == "GET /api/products");
    let titles = other.texts(".trace h2");
    assert_eq!(titles, ["POST /api/checkout", "GET /api/products"]);
}

#[test]
fn an_open_page_of_the_viewer_fills_by_itself() {
    let (shop, driver) = (Shop::start(), Driver::start());
    let browser = driver.browser();
    browser.goto(&format!("{}/sessions/awaited", shop.viewer));
    browser.text("#nothing h2", |text| text == "Nothing from this session yet");
    assert_eq!(shop.checkout(Some("awaited"), json!(["mug"])).status(), 200);
    browser.text(".row.span .name", |name| name == "POST /charge");
}

/// Another origin: it allows every request and keeps what it was sent.
struct Elsewhere {
    url: String,
    received: Arc<Mutex<Vec<String>>>,
}

impl Elsewhere {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::<Mutex<Vec<String>>>::default();
        let inbox = Arc::clone(&received);
        spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let inbox = Arc::clone(&inbox);
                // Browsers open connections that they may never use.
                spawn(move || answer(connection, &inbox));
            }
        });
        Self { url, received }
    }

    fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }
}

fn answer(mut connection: TcpStream, inbox: &Mutex<Vec<String>>) {
    let mut request = Vec::new();
    let mut bytes = [0; 4096];
    while !is_complete(&request) {
        match connection.read(&mut bytes) {
            Ok(count @ 1..) => request.extend_from_slice(&bytes[..count]),
            _ => return,
        }
    }
    inbox.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
    let _ = connection.write_all(
        b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: *\r\n\
          Access-Control-Allow-Headers: Content-Type, X-Session-ID\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
}

fn is_complete(request: &[u8]) -> bool {
    let request = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    body.len() >= length.map_or(0, |length| length.trim().parse().unwrap())
}
