//! The script for browsers in a real one, against real servers of both adapters.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

mod pages;

use pages::{ADAPTERS, SetUp, Site};
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

/// In both adapters, each with a browser that was never used before: the page's own site, one that it names to
/// the script, and one that it does not.
fn in_each(test: impl Fn(&Browser, &Site, [&Site; 2])) {
    in_each_with(&SetUp::of_the_script(), test);
}

fn in_each_with(set_up: &SetUp, test: impl Fn(&Browser, &Site, [&Site; 2])) {
    let driver = Driver::start();
    for serve in ADAPTERS {
        let [own, named, stranger] = [serve(set_up), serve(set_up), serve(set_up)];
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
fn an_id_of_the_pages_own_is_left() {
    in_each(|browser, own, _| {
        open(browser, own, "");
        for request in [
            "await fetch('/work', { headers: { 'x-session-id': 'own' } })",
            "await fetch(new Request('/work', { headers: [['X-SESSION-ID', 'own']] }))",
            "await fetch(new Request('/work'), { headers: { 'x-session-id': 'own' } })",
            "const xhr = new XMLHttpRequest(); xhr.open('GET', '/work', false); \
             xhr.setRequestHeader('x-session-id', 'own'); xhr.send()",
        ] {
            own.forget();
            run(browser, own, request);
            assert_eq!(own.only("/work")["session"], "own", "{request}");
        }
        open(browser, own, "data-query=sid");
        own.forget();
        run(browser, own, "navigator.sendBeacon('/beacon?sid=own&a=b')");
        assert_eq!(own.only("/beacon")["query"], "sid=own&a=b");
    });
}

/// What can be seen of these by a page, in text.
const WORKS_AS_WITHOUT: [&str; 41] = [
    // Bodies.
    "await sent('/work', { method: 'POST', body: new URLSearchParams({ a: 'b' }) })",
    "await sent('/work', { method: 'POST', body: new Blob(['a'], { type: 'text/x' }) })",
    "await sent('/work', { method: 'PUT', body: new Uint8Array([97]), keepalive: true })",
    "const stream = new Blob(['abc']).stream(); \
     const outcome = await name(() => fetch('/work', { method: 'POST', body: stream, duplex: 'half' })); \
     return [outcome, stream.locked]",
    "return await name(() => fetch('/work', { method: 'POST', body: new ReadableStream() }))",
    "return (await fetch('/streamed', { \
         method: 'POST', body: new Blob(['a', 'b']).stream(), duplex: 'half' \
     }).then((response) => response.json())).body",
    "const request = new Request('/streamed', { \
         method: 'POST', body: new Blob(['a', 'b']).stream(), duplex: 'half' \
     }); \
     const { body } = await (await fetch(request)).json(); return [body, request.bodyUsed]",
    "const reader = (await fetch('/work')).body.getReader(); return (await reader.read()).done",
    // Requests.
    "await sent(new Request('/work', { method: 'POST', body: 'a', referrerPolicy: 'no-referrer' }))",
    "await sent(new Request('/work', { method: 'POST', body: 'a' }), { method: 'PUT' })",
    "await sent(new Request('/work', { headers: { 'x-a': '1' } }), { headers: { 'x-b': '2' } })",
    "const frame = page.body.appendChild(page.createElement('iframe')); \
     await sent(new frame.contentWindow.Request(site + '/work', { headers: { 'x-a': '1' } }))",
    "const used = new Request('/work', { method: 'POST', body: 'a' }); await fetch(used); \
     return [used.bodyUsed, await name(() => fetch(used))]",
    "await sent('/work', Object.freeze({ headers: Object.freeze({ 'x-a': '1' }) }))",
    "await sent('/work', Object.create({ method: 'PUT', body: 'a' }))",
    "await sent('/work', { headers: new Map([['x-a', '1']]).entries() })",
    "await sent(new URL('/work', site), null)",
    "await sent('work?a=%20b#c', { mode: 'no-cors', credentials: 'omit' })",
    "return await (await fetch(URL.createObjectURL(new Blob(['a'])))).text()",
    "return await (await fetch('data:,a')).text()",
    // What is wrong.
    "return await name(() => fetch())",
    "return await name(() => fetch('http://['))",
    "return await name(() => fetch('/work', { headers: 5 }))",
    "return await name(() => fetch.call({}, '/work'))",
    "return await name(async () => fetch('/work', { get headers() { throw new RangeError() } }))",
    "return [await name(() => new EventSource()), await name(() => new WebSocket())]",
    "return [await name(() => new EventSource('http://[')), await name(() => new WebSocket('a:b'))]",
    "return [await name(() => EventSource('/work')), await name(() => navigator.sendBeacon())]",
    // What is aborted.
    "return await name(() => fetch('/work', { signal: AbortSignal.abort() }))",
    "return await name(() => fetch(new Request('/work', { signal: AbortSignal.abort() })))",
    "const stop = new AbortController(); setTimeout(() => stop.abort(), 50); \
     return await name(() => fetch('/slow', { signal: stop.signal }))",
    "const stop = new AbortController(); setTimeout(() => stop.abort(new RangeError()), 50); \
     return await name(() => fetch(new Request('/slow', { signal: stop.signal })))",
    "const xhr = new XMLHttpRequest(); xhr.open('GET', '/slow'); const seen = events(xhr); xhr.send(); \
     setTimeout(() => xhr.abort(), 50); return await seen",
    "const xhr = new XMLHttpRequest(); xhr.open('GET', '/slow'); xhr.timeout = 50; \
     const seen = events(xhr); xhr.send(); return await seen",
    // XMLHttpRequest.
    "const xhr = new XMLHttpRequest(); xhr.open('GET', '/work', false); xhr.send(); return xhr.status",
    "const xhr = new XMLHttpRequest(); xhr.open('GET', '/slow'); xhr.open('PUT', '/work'); \
     xhr.responseType = 'json'; xhr.setRequestHeader('x-a', '1'); xhr.setRequestHeader('x-a', '2'); \
     const seen = events(xhr); xhr.send('a'); return [await seen, xhr.response.method]",
    "const xhr = new XMLHttpRequest(); \
     return [await name(() => xhr.send()), await name(() => xhr.setRequestHeader('a', 'b')), \
         await name(() => xhr.open('GET', 'http://[')), await name(() => xhr.open('GET'))]",
    "const xhr = new XMLHttpRequest(); xhr.open('GET', '/work'); xhr.send(); \
     return [await name(() => xhr.send()), await name(() => xhr.setRequestHeader('a', 'b'))]",
    // How they look.
    "return [fetch, EventSource, WebSocket, XMLHttpRequest.prototype.open, navigator.sendBeacon]
         .map((it) => [it.name, it.length, `${it}`.includes('[native code]')])",
    "class Own extends EventSource { b = 1 } const own = new Own('/work'); own.close(); \
     return [own instanceof Own, own instanceof EventSource, own.b, EventSource.CLOSED, \
         own.url.split('?')[0] == site + '/work']",
    "class Own extends WebSocket {} const own = new Own(site.replace('http', 'ws') + '/work', 'a'); \
     own.onerror = () => {}; return [own instanceof Own, own instanceof WebSocket, own.readyState]",
];

#[test]
fn everything_else_works_as_without_it() {
    const KNOWN: &str = r#"
        const page = document;
        const name = async (call) => {
            try { await call(); return 'none'; } catch (error) { return error.name; }
        };
        const events = (xhr) => new Promise((done) => {
            const seen = [];
            for (const type of ['loadstart', 'progress', 'load', 'abort', 'timeout', 'error', 'loadend'])
                xhr.addEventListener(type, () => { seen.push(type); if (type == 'loadend') done(seen); });
        });
        const sent = async (...given) => {
            const { method, body, headers } = await (await fetch(...given)).json();
            const shown = headers
                .filter(([name]) => name != 'x-session-id' && name != 'connection')
                .map(([name, value]) => name + (name == 'referer' ? '' : ': ' + value));
            throw { method, body, headers: shown.sort() };
        };"#;
    in_each(|browser, own, _| {
        let outcomes = || {
            // So that a body which is a stream is read by something that can.
            browser.script(
                "await navigator.serviceWorker.register('/worker.js'); \
                 await navigator.serviceWorker.ready; \
                 while (!navigator.serviceWorker.controller) \
                     await new Promise((done) => setTimeout(done, 20));",
                vec![],
            );
            browser.script(
                "window.problems = []; \
                 for (const type of ['error', 'unhandledrejection']) \
                     addEventListener(type, (event) => problems.push(String(event.reason ?? event.message)))",
                vec![],
            );
            let outcome = |work: &&str| {
                let body = format!(
                    "const [site] = given; {KNOWN} try {{ \
                         return await (async () => {{ {work} }})(); \
                     }} catch (outcome) {{ return outcome.headers ? outcome : String(outcome); }}"
                );
                browser.script(&body, vec![json!(own.url(""))])
            };
            let outcomes: Vec<_> = WORKS_AS_WITHOUT.iter().map(outcome).collect();
            (outcomes, browser.script("return window.problems", vec![]))
        };
        browser.goto(&own.page(""));
        let (without, problems) = outcomes();
        assert_eq!(problems, json!([]));
        open(browser, own, "data-query=sid");
        assert_eq!(id(browser).len(), 32);
        own.forget();
        let (with, problems) = outcomes();
        assert_eq!(problems, json!([]));
        for ((work, without), with) in WORKS_AS_WITHOUT.iter().zip(&without).zip(&with) {
            assert_eq!(with, without, "{work}");
        }
        // All this while it did its work. A request that is aborted need not arrive, nor one of its kind.
        let seen = own.all();
        let is_tagged = |seen: &&Value| seen["session"].is_string();
        // The browser takes the header out of these.
        let is_without_cors = |seen: &&Value| seen["headers"].to_string().contains("no-cors");
        let untagged = |seen: &&Value| !is_tagged(seen) && !is_without_cors(seen);
        let untagged: Vec<_> = seen.iter().filter(untagged).collect();
        assert!(seen.iter().any(|seen| is_tagged(&seen)));
        assert_eq!(untagged, Vec::<&Value>::new());
        let streamed = "return (await fetch('/streamed', { \
            method: 'POST', body: new Blob(['a']).stream(), duplex: 'half' \
        }).then((response) => response.json())).session";
        assert_eq!(browser.script(streamed, vec![]), id(browser));
    });
}

/// A browser follows redirects by itself, with the page's headers, and shows the script nothing of it. What keeps
/// the ID from a stranger is CORS: it is asked first whether it takes that header.
#[test]
fn a_redirect_to_a_stranger_takes_the_id_along_only_if_the_stranger_allows_its_header() {
    const FETCH: &str =
        "try { return (await fetch(url)).status } catch (error) { return error.name }";

    for allows in [true, false] {
        let driver = Driver::start();
        for serve in ADAPTERS {
            let own = serve(&SetUp::of_the_script());
            let set_up = SetUp {
                not_allowed: (!allows).then_some("x-session-id"),
                ..SetUp::of_the_script()
            };
            let stranger = serve(&set_up).on("localhost");
            let browser = driver.browser();
            open(&browser, &own, "");
            let url = own.url(&format!("/redirect?to={}", stranger.url("/work")));
            let fetch = format!("const [url] = given; {FETCH}");
            let outcome = browser.script(&fetch, vec![json!(url)]);
            assert_eq!(own.only("/redirect")["session"], id(&browser));
            if allows {
                assert_eq!(outcome, 200);
                assert_eq!(stranger.methods(), ["OPTIONS", "GET"]);
                assert_eq!(stranger.only("/work")["session"], id(&browser));
            } else {
                assert_eq!(outcome, "TypeError");
                assert_eq!(stranger.methods(), ["OPTIONS"]);
            }
            // What a stranger redirects to the page's own site was no request of the page to that.
            stranger.forget();
            own.forget();
            let url = stranger.url(&format!("/redirect?to={}", own.url("/work")));
            assert_eq!(browser.script(&fetch, vec![json!(url)]), 200);
            assert_eq!(own.only("/work")["session"], Value::Null);
            assert_eq!(stranger.only("/redirect")["session"], Value::Null);
        }
    }
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
                "const [id, start, last] = sessionStorage.qorrelate.split(' '); \
                 sessionStorage.qorrelate = [id, start - {start} * 6e4, last - {last} * 6e4].join(' ')"
            );
            browser.script(&script, vec![]);
            id(browser)
        };
        assert_eq!(age(14, 14), first, "in use");
        let second = age(16, 16);
        assert_ne!(second, first, "idle");
        assert_eq!(age(1, 239), second, "in use");
        let third = age(1, 241);
        assert_ne!(third, second, "too long");

        open(browser, own, "data-idle=30 data-longest=60");
        assert_eq!(id(browser), third);
        assert_eq!(age(29, 29), third, "in use");
        let fourth = age(31, 31);
        assert_ne!(fourth, third, "idle");
        assert_eq!(age(1, 59), fourth, "in use");
        assert_ne!(age(1, 61), fourth, "too long");
        // To use the page is to use the session.
        let fifth = id(browser);
        for _ in 0..3 {
            let script = "const [id, start, last] = sessionStorage.qorrelate.split(' '); \
                sessionStorage.qorrelate = [id, start, last - 20 * 6e4].join(' '); \
                document.body.click()";
            browser.script(script, vec![]);
        }
        assert_eq!(id(browser), fifth);

        let original = id(browser);
        browser.script("window.open(location.href)", vec![]);
        browser.turn_to_new_window();
        let copy = eventually(|| {
            let id = browser.script("return window.qorrelate?.id()", vec![]);
            id.as_str().map(str::to_owned).ok_or_else(|| "the page is not there yet".to_owned())
        });
        assert_ne!(copy, original, "a tab that was duplicated");
        browser.reload();
        assert_eq!(id(browser), copy, "it has its own");
        browser.turn_to_new_window();
        assert_eq!(id(browser), original);
        browser.reload();
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

/// Where each recorder keeps its ID in the page, what is there before it has one, and what after.
const RECORDERS: [(&str, &str, &str, &str); 12] = [
    (
        "amplitude",
        "amplitude = { getDeviceId() {}, getSessionId() {} }",
        "amplitude = { getDeviceId: () => 'a-b', getSessionId: () => 17 }",
        "a-b/17",
    ),
    (
        "app-insights",
        "document.cookie = 'ai_user=a|1'",
        "document.cookie = 'ai_session=sQj8/pl+Xn1aZ0bVt3rWcY|17|18'",
        "sQj8/pl+Xn1aZ0bVt3rWcY",
    ),
    (
        "aws-rum",
        "document.cookie = 'cwr_s=!'",
        "document.cookie = `cwr_s=${btoa(JSON.stringify({ sessionId: 'a-b', record: true }))}`",
        "a-b",
    ),
    (
        "clarity",
        "document.cookie = '_clck=1pq6kxh%5E2%5Efx1'",
        "document.cookie = '_clsk=dl3q9a|17|1'",
        "1pq6kxh/dl3q9a",
    ),
    (
        "coralogix",
        "CoralogixRum = { getSessionId() {} }",
        "CoralogixRum = { getSessionId: () => 'a-b' }",
        "a-b",
    ),
    ("dash0", "localStorage.d0 = 'a#17'", "localStorage.d0_session = 'ab#17#18'", "ab"),
    (
        "elastic",
        "localStorage.elastic_apm_config = '{}'",
        "localStorage.elastic_apm_config = JSON.stringify({ session: { id: 'a-b' } })",
        "a-b",
    ),
    (
        "faro",
        "faro = { api: { getSession() {} } }",
        "faro = { api: { getSession: () => ({ id: 'aB3' }) } }",
        "aB3",
    ),
    ("hyperdx", "HyperDX = {}", "HyperDX = { getSessionId: () => 'ab' }", "ab"),
    (
        "mixpanel",
        "mixpanel = { get_session_recording_properties: () => ({}) }",
        "mixpanel = { get_session_recording_properties: () => ({ $mp_replay_id: 'a-b' }) }",
        "a-b",
    ),
    (
        "posthog",
        "posthog = { get_session_id: () => '' }",
        "posthog.get_session_id = () => 'a'",
        "a",
    ),
    ("splunk", "SplunkRum = {}", "SplunkRum = { getSessionId: () => 'ab' }", "ab"),
];

/// The functions that README.md has for the others.
const FUNCTIONS: [(&str, &str, &str); 2] = [
    (
        "localStorage['NRBA_SESSION::1'] = JSON.stringify({ value: 'ab' })",
        "qorrelate.idFrom(() => JSON.parse(Object.entries(localStorage)\
         .find(([key]) => key.startsWith('NRBA_SESSION'))[1]).value)",
        "ab",
    ),
    (
        "window.lastSpan = { attributes: { 'session.id': 'ab' } }",
        "let sessionId; qorrelate.idFrom(() => sessionId); \
         const processor = { onEnd(span) { sessionId = span.attributes['session.id']; } }; \
         processor.onEnd(lastSpan)",
        "ab",
    ),
];

#[test]
fn the_script_knows_where_recorders_have_their_ids() {
    in_each(|browser, own, _| {
        let session = || {
            own.forget();
            browser.script("await fetch('/work')", vec![]);
            own.only("/work")["session"].clone()
        };
        for (recorder, before, after, id) in RECORDERS {
            open(browser, own, &format!("data-id-from={recorder}"));
            assert_eq!(session(), Value::Null, "{recorder}, before it is loaded");
            browser.script(before, vec![]);
            assert_eq!(session(), Value::Null, "{recorder}, before it has an ID");
            browser.script(after, vec![]);
            assert_eq!(session(), id, "{recorder}");
        }
        let readme = include_str!("../../qorrelate-core/browser/README.md");
        for (set_up, function, id) in FUNCTIONS {
            open(browser, own, "");
            browser.script(&format!("{set_up}; {function}"), vec![]);
            assert_eq!(session(), id, "{function}");
        }
        let words = |text: &str| text.split_whitespace().collect::<String>();
        assert!(words(readme).contains(&words(FUNCTIONS[0].1)), "{}", FUNCTIONS[0].1);
        for (recorder, ..) in RECORDERS {
            assert!(readme.contains(&format!("`{recorder}`")), "README.md: {recorder}");
        }
    });
}

#[test]
fn a_cookie_takes_the_id_to_page_loads() {
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
        browser.script("document.cookie = 'qsid=not%20an%20ID;path=/'", vec![]);
        browser.reload();
        assert_eq!(id(browser), session);
        // As long as the session, and as the page says.
        let cookie = |attributes: &str| {
            open(browser, own, &format!("data-cookie=qsid {attributes}"));
            let script = "return (await cookieStore.getAll())[0]";
            browser.script(script, vec![])
        };
        let left = |cookie: &Value| {
            let now = browser.script("return Date.now()", vec![]).as_f64().unwrap();
            (cookie["expires"].as_f64().unwrap() - now) / 60_000.0
        };
        let plain = cookie("");
        assert!((14.0..=15.1).contains(&left(&plain)), "{plain}");
        assert_eq!((&plain["sameSite"], &plain["path"]), (&json!("lax"), &json!("/")));
        assert_eq!(plain["secure"], false);
        let other = cookie("data-idle=30 data-cookie-with=secure");
        assert!((29.0..=30.1).contains(&left(&other)), "{other}");
        assert_eq!(other["secure"], true);
        assert_eq!(other["value"], session);
    });
}

#[test]
fn the_page_takes_over_the_session_that_the_server_made_for_the_first_load() {
    let set_up = SetUp { sets_cookie: true, ..SetUp::of_the_script() };
    in_each_with(&set_up, |browser, own, [named, _]| {
        own.forget();
        open(browser, own, &format!("data-cookie=qsid data-origins='{}'", named.url("")));
        let first = own.only("/page");
        let session = first["session"].clone();
        assert_eq!((session.as_str().unwrap().len(), &first["outcome"]), (36, &json!("missing")));
        assert_eq!(id(browser), session);

        // All that the page does belongs to it, and it is found from now on.
        let found = |site: &Site, path: &str, work: &str, expected: &Value| {
            site.forget();
            run(browser, site, work);
            let seen = site.only(path);
            assert_eq!(&seen["session"], expected, "{work}");
            assert!(seen["outcome"].as_str().unwrap().starts_with("found in "), "{work}: {seen}");
        };
        found(own, "/work", "await fetch('/work')", &session);
        found(named, "/work", "await fetch(site + '/work')", &session);
        found(own, "/image", "new Image().src = '/image'", &session);
        found(own, "/beacon", "navigator.sendBeacon('/beacon', 'text')", &session);
        own.forget();
        browser.reload();
        assert_eq!(own.only("/page")["session"], session);
        assert_eq!(id(browser), session);
        let form = "const form = document.createElement('form'); form.action = '/form'; \
            form.method = 'post'; document.body.append(form); form.submit()";
        found(own, "/form", form, &session);

        // Gone, or broken: the server makes another one, and the page goes along.
        let mut before = session;
        for cookie in ["qsid=;max-age=0;path=/", "qsid=not%20an%20ID;path=/"] {
            open(browser, own, "data-cookie=qsid");
            assert_eq!(id(browser), before);
            browser.script(&format!("document.cookie = '{cookie}'"), vec![]);
            own.forget();
            browser.reload();
            let next = own.only("/page")["session"].clone();
            assert_eq!(id(browser), next);
            assert_ne!(next, before);
            before = next;
        }
    });
}

#[test]
fn it_works_from_a_file_of_ones_own_and_only_once() {
    in_each(|browser, own, _| {
        let script = qorrelate_core::BROWSER_SCRIPT;
        let tag = format!(
            "<script data-query=sid>{script}</script>\
             <script>window.first = {{ ...qorrelate, now: qorrelate.id(), fetch }}</script>\
             <script>{script}</script>"
        );
        browser.goto(&own.page(&tag));
        own.forget();
        browser.script("navigator.sendBeacon('/beacon')", vec![]);
        assert_eq!(own.only("/beacon")["session"], id(browser));
        let same = "return [first.now == qorrelate.id(), first.fetch == fetch]";
        assert_eq!(browser.script(same, vec![]), json!([true, true]));
    });
}

#[test]
fn a_name_that_no_header_can_have_is_said_once_and_harms_no_request() {
    in_each(|browser, own, _| {
        let tag = "<script>addEventListener('error', (event) => { window.said = event.message })\
            </script><script src=/qorrelate.js data-header='no name'></script>";
        browser.goto(&own.page(tag));
        let said = browser.script("return window.said", vec![]);
        assert!(said.as_str().unwrap().contains("Invalid name"), "{said}");
        own.forget();
        let post = "await fetch(new Request('/work', { method: 'POST', body: 'text' }))";
        browser.script(post, vec![]);
        assert_eq!(own.only("/work")["body"], "text");
    });
}

#[test]
fn a_page_that_may_store_nothing_has_an_id_until_it_is_left() {
    in_each(|browser, own, _| {
        let forbid = "<script>for (const name of ['sessionStorage', 'localStorage']) \
            Object.defineProperty(window, name, { get() { throw new DOMException('', 'SecurityError') } })\
            </script><script src=/qorrelate.js></script>";
        browser.goto(&own.page(forbid));
        let first = id(browser);
        assert_eq!((first.len(), id(browser)), (32, first));
    });
}

/// In the page's head: what is told of sessions that are kept goes to `told`, what nobody handles to `unhandled`.
fn kept_script(attributes: &str) -> String {
    let script = include_str!("../../qorrelate-core/browser/kept.js");
    format!(
        "<script>window.told = []; window.unhandled = 0; \
         addEventListener('qorrelate-kept', (event) => told.push(event.detail.id)); \
         addEventListener('unhandledrejection', () => {{ unhandled += 1 }})</script>\
         <script src=/qorrelate.js {attributes}></script><script {attributes}>{script}</script>"
    )
}

#[test]
fn a_page_is_told_once_that_its_session_is_kept() {
    const ASK: [&str; 3] = [
        "await fetch(site + '/work')",
        "await new Promise((done) => { const xhr = new XMLHttpRequest(); \
         xhr.onloadend = done; xhr.open('GET', site + '/work'); xhr.send(); })",
        "const xhr = new XMLHttpRequest(); xhr.open('GET', site + '/work', false); xhr.send()",
    ];
    let set_up = SetUp { says_kept: true, ..SetUp::of_the_script() };
    in_each_with(&set_up, |browser, own, [named, stranger]| {
        let told = || browser.script("return told", vec![]);
        // A session of its own for each, as a session is kept by the process.
        let start = || {
            let attributes = format!("data-origins='{}'", named.url(""));
            browser.goto(&own.page(&kept_script(&attributes)));
            browser.script("sessionStorage.qorrelate = 'none'", vec![]);
            run(browser, own, "return id")
        };
        for ask in ASK {
            for site in [own, named] {
                let id = start();
                run(browser, site, ask);
                assert_eq!(told(), json!([]), "{ask}: not kept yet");
                run(browser, site, &ask.replace("/work", "/keep"));
                assert_eq!(told(), json!([id]), "{ask}");
                run(browser, site, ask);
                assert_eq!(told(), json!([id]), "{ask}: once");
                browser.script("sessionStorage.qorrelate = 'none'", vec![]);
                let other =
                    run(browser, site, &format!("{}; return id", ask.replace("/work", "/keep")));
                assert_eq!(told(), json!([id, other]), "{ask}: another session");
            }
        }
        start();
        for ask in [
            "const answer = await fetch(site + '/keep', { headers: { 'x-session-id': 'other' } }); \
             return answer.headers.get('x-session-kept')",
            "const xhr = new XMLHttpRequest(); xhr.open('GET', site + '/keep', false); \
             xhr.setRequestHeader('x-session-id', 'other'); xhr.send(); \
             return xhr.getResponseHeader('x-session-kept')",
        ] {
            assert_eq!(run(browser, stranger, ask), "1", "{ask}");
            assert_eq!(told(), json!([]), "what a stranger says: {ask}");
        }
        // All else is as without the script.
        browser.script("fetch('http://127.0.0.1:1/')", vec![]);
        eventually(|| match browser.script("return unhandled", vec![]) {
            unhandled if unhandled == 1 => Ok(()),
            unhandled => Err(format!("{unhandled} unhandled")),
        });
        let failed = "return fetch('no://where').catch((error) => error.name)";
        assert_eq!(browser.script(failed, vec![]), "TypeError");
    });
}

#[test]
fn it_is_small_and_what_is_served_is_made_of_what_can_be_read() {
    use std::io::Write;

    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(qorrelate_core::BROWSER_SCRIPT.as_bytes()).unwrap();
    let bytes = gzip.finish().unwrap().len();
    assert!(bytes < 1500, "{bytes}");
    let minified = pages::minified("../../qorrelate-core/browser/qorrelate.js");
    assert_eq!(minified, qorrelate_core::BROWSER_SCRIPT, "CONTRIBUTING.md says how to make it");
}
