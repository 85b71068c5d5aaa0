//! The script for browsers in a real one, against real servers of both adapters.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

mod pages;

use pages::{ADAPTERS, Site};
use qorrelate_test_browser::{Browser, Driver, eventually};
use serde_json::{Value, json};

/// A page with the script, as a tag with these attributes.
fn open(browser: &Browser, site: &Site, attributes: &str) {
    let tag = format!("<script src=/qorrelate.js {attributes}></script>");
    browser.goto(&site.page(&tag));
}

fn id(browser: &Browser) -> String {
    browser.script("return qorrelate.id()", vec![]).as_str().unwrap_or_default().to_owned()
}

/// Runs it in the page with `site` and `id` known; what it gives.
#[track_caller]
fn run(browser: &Browser, site: &Site, body: &str) -> Value {
    let body = format!("const [site] = given; const id = qorrelate.id(); {body}");
    browser.script(&body, vec![json!(site.url(""))])
}

/// Everything that a page does, in both adapters, each in a browser that was never used before.
fn in_each(test: impl Fn(&Browser, &Site, [&Site; 2])) {
    let driver = Driver::start();
    for serve in ADAPTERS {
        let [own, named, stranger] = [serve(), serve(), serve()];
        // Of another site: the page is on 127.0.0.1.
        test(&driver.browser(), &own, [&named, &stranger.on("localhost")]);
    }
}

#[test]
fn requests_to_the_own_and_the_named_origins_carry_the_id_and_others_do_not() {
    in_each(|browser, own, [named, stranger]| {
        open(browser, own, &format!("data-origins='{}'", named.url("")));
        for (site, is_told) in [(own, true), (named, true), (stranger, false)] {
            site.forget();
            for request in [
                "await fetch(site + '/work')",
                "await fetch(new URL(site + '/work'), { method: 'POST', body: 'text' })",
                "await fetch(site + '/work', { headers: new Headers({ accept: 'a/b' }) })",
                "await fetch(new Request(site + '/work', { method: 'PUT', body: 'text' }))",
                "await fetch(new Request(site + '/work'), { method: 'POST', body: 'text' })",
                "await new Promise((done) => { const xhr = new XMLHttpRequest(); \
                 xhr.onloadend = done; xhr.open('GET', site + '/work'); xhr.send(); })",
                "const xhr = new XMLHttpRequest(); \
                 xhr.open('POST', site + '/work', false); xhr.send('text')",
            ] {
                let id = run(browser, site, &format!("{request}; return id"));
                let seen = site.only("/work");
                assert!(id.is_string(), "{id}");
                let expected = if is_told { id } else { Value::Null };
                assert_eq!(seen["session"], expected, "{request}: {seen}");
                if request.contains("text") {
                    assert_eq!(seen["body"], "text", "{request}");
                }
            }
        }
        // No preflight, which the page's own request would not have caused.
        let methods = stranger.methods();
        assert!(!methods.contains(&"OPTIONS".to_owned()) || methods.contains(&"PUT".to_owned()));
    });
}

#[test]
fn a_stranger_is_not_even_asked() {
    in_each(|browser, own, [_, stranger]| {
        open(browser, own, "");
        run(browser, stranger, "await fetch(site + '/work')");
        assert_eq!(stranger.methods(), ["GET"]);
    });
}

#[test]
fn what_a_page_does_itself_is_left_as_it_is() {
    in_each(|browser, own, _| {
        open(browser, own, "");
        for request in [
            "await fetch('/work', { headers: { 'x-session-id': 'own' } })",
            "await fetch(new Request('/work', { headers: [['X-SESSION-ID', 'own']] }))",
            "const xhr = new XMLHttpRequest(); xhr.open('GET', '/work', false); \
             xhr.setRequestHeader('x-session-id', 'own'); xhr.send()",
        ] {
            own.forget();
            run(browser, own, request);
            assert_eq!(own.only("/work")["session"], "own", "{request}");
        }
        let errors = run(
            browser,
            own,
            "const name = (call) => call().then(() => 'none', (error) => error.name); \
             const used = new Request('/work', { method: 'POST', body: 'a' }); await fetch(used); \
             return [await name(() => fetch()), await name(() => fetch('http://[')), \
                 await name(() => fetch('/work', { headers: 5 })), \
                 await name(() => fetch('/work', { signal: AbortSignal.abort() })), \
                 await name(() => fetch(new Request('/work', { signal: AbortSignal.abort() }))), \
                 await name(() => fetch(used)), used.bodyUsed]",
        );
        let expected = json!([
            "TypeError",
            "TypeError",
            "TypeError",
            "AbortError",
            "AbortError",
            "TypeError",
            true
        ]);
        assert_eq!(errors, expected);
        let shapes = run(
            browser,
            own,
            "return [EventSource.CLOSED, WebSocket.prototype.constructor.name, \
             (await (await fetch('/work', Object.create({ method: 'POST' }))).json()).method]",
        );
        assert_eq!(shapes, json!([2, "WebSocket", "POST"]));
    });
}

#[test]
fn what_can_have_no_header_carries_the_id_in_the_query_if_asked_to() {
    in_each(|browser, own, [named, stranger]| {
        open(browser, own, &format!("data-query=sid data-origins='{}'", named.url("")));
        for (site, is_told) in [(own, true), (named, true), (stranger, false)] {
            for (path, request) in [
                ("/beacon?a=%20b", "navigator.sendBeacon(site + '/beacon?a=%20b', 'text')"),
                ("/events", "new EventSource(site + '/events').onerror = (e) => e.target.close()"),
                ("/socket", "new WebSocket(site.replace('http', 'ws') + '/socket')"),
            ] {
                site.forget();
                let id = run(browser, site, &format!("{request}; return id"));
                assert!(id.is_string(), "{id}");
                let seen = site.only(path.split('?').next().unwrap());
                let expected = if is_told { id.clone() } else { Value::Null };
                assert_eq!(seen["session"], expected, "{request}: {seen}");
                if path.contains('?') {
                    let query = seen["query"].as_str().unwrap();
                    assert!(query.starts_with("a=%20b"), "{query}");
                }
            }
        }
        open(browser, own, "");
        own.forget();
        run(browser, own, "navigator.sendBeacon('/beacon', 'text')");
        assert_eq!(own.only("/beacon")["session"], Value::Null);
    });
}

#[test]
fn one_id_per_tab_until_it_is_idle_or_old() {
    in_each(|browser, own, _| {
        open(browser, own, "");
        let first = id(browser);
        assert_eq!(first.len(), 32);
        browser.reload();
        assert_eq!(id(browser), first);
        open(browser, own, "data-any=1");
        assert_eq!(id(browser), first, "after a navigation");

        let age = |last: i64, start: i64| {
            let script = format!(
                "const session = JSON.parse(sessionStorage.qorrelate); session.last -= {last} * 6e4; \
                 session.start -= {start} * 6e4; sessionStorage.qorrelate = JSON.stringify(session)"
            );
            browser.script(&script, vec![]);
            id(browser)
        };
        assert_eq!(age(14, 14), first, "in use");
        let second = age(16, 16);
        assert_ne!(second, first, "idle");
        assert_eq!(age(1, 239), second, "in use");
        assert_ne!(age(1, 241), second, "too long");

        let original = id(browser);
        browser.script("window.open(location.href)", vec![]);
        browser.turn_to_new_window();
        let copy = eventually(|| {
            let id = browser.script("return window.qorrelate?.id()", vec![]);
            id.as_str().map(str::to_owned).ok_or_else(|| "the page is not there yet".to_owned())
        });
        assert_ne!(copy, original, "a tab that was duplicated");
        browser.turn_to_new_window();
        assert_eq!(id(browser), original);

        open(browser, own, "data-shared");
        let shared = id(browser);
        browser.turn_to_new_window();
        open(browser, own, "data-shared");
        assert_eq!(id(browser), shared);
    });
}

#[test]
fn the_recorders_own_id_is_asked_for_with_each_request() {
    in_each(|browser, own, _| {
        open(browser, own, "data-id-from=posthog");
        let session = || {
            own.forget();
            browser.script("await fetch('/work')", vec![]);
            own.only("/work")["session"].clone()
        };
        assert_eq!(session(), Value::Null, "before it is there");
        browser.script("window.posthog = { get_session_id: () => 'one' }", vec![]);
        assert_eq!(session(), "one");
        browser.script("posthog.get_session_id = () => 'two'", vec![]);
        assert_eq!(session(), "two");
        for none in ["() => ''", "() => null", "() => { throw 1 }", "() => 'a b'", "5"] {
            browser.script(&format!("posthog.get_session_id = {none}"), vec![]);
            assert_eq!(session(), Value::Null, "{none}");
        }
        browser.script("qorrelate.idFrom(() => 'mine')", vec![]);
        assert_eq!(session(), "mine");
        open(browser, own, "data-id-from=no-such-recorder");
        assert_eq!(session(), Value::Null);
    });
}

#[test]
fn a_cookie_takes_the_id_to_page_loads_and_is_adopted() {
    in_each(|browser, own, _| {
        own.forget();
        open(browser, own, "data-cookie=qsid");
        assert_eq!(own.only("/page")["session"], Value::Null, "the first");
        let session = id(browser);
        for _ in 0..2 {
            own.forget();
            browser.reload();
            assert_eq!(own.only("/page")["session"], session);
            assert_eq!(id(browser), session);
        }
        // The server made one.
        browser.script("document.cookie = 'qsid=from-the-server;path=/'", vec![]);
        browser.reload();
        assert_eq!(id(browser), "from-the-server");
        browser.script("document.cookie = 'qsid=not%20an%20ID;path=/'", vec![]);
        browser.reload();
        assert_eq!(id(browser), "from-the-server");
    });
}

#[test]
fn it_is_small_and_what_is_served_is_made_of_what_can_be_read() {
    use std::io::Write;

    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(qorrelate_core::BROWSER_SCRIPT.as_bytes()).unwrap();
    let bytes = gzip.finish().unwrap().len();
    assert!(bytes <= 1500, "{bytes}");
    let minified = pages::minified("../../qorrelate-core/browser/qorrelate.js");
    assert_eq!(minified, qorrelate_core::BROWSER_SCRIPT, "CONTRIBUTING.md says how to make it");
}
