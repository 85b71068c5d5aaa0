//! What the page's script records and how it gets away, in real Chromium.

// Clippy takes a test's helpers for code that is not a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod site;

use std::fs;

use qorrelate_test_browser::{Browser, Driver, eventually};
use serde_json::{Value, json};
use site::{Post, Site, TRACE, click, failures};

/// A clock that a test can put forward, before the script looks at it.
const CLOCK: &str =
    "<script>window.later = 0; const { now } = Date; Date.now = () => now() + later</script>";

fn run(browser: &Browser, script: &str) -> Value {
    browser.script(script, vec![])
}

fn session(browser: &Browser) -> Value {
    run(browser, "return qorrelate.sessionId")
}

/// Waits until a batch has arrived in which that is.
#[track_caller]
fn arrived(site: &Site, text: &str) -> Post {
    eventually(|| {
        let posts = site.posts();
        let found = posts.iter().find(|post| post.text.contains(text)).cloned();
        found.ok_or_else(|| format!("“{text}” is in none of {} posts", posts.len()))
    })
}

#[test]
fn a_page_is_recorded_under_the_session_of_its_requests() {
    let (site, driver) = (Site::start(), Driver::start());
    let browser = driver.browser();
    site.open(&browser, "", "<h1>Welcome</h1>");
    assert!(site.snapshot().to_string().contains("Welcome"));
    run(&browser, "await fetch('/api/work')");
    site.note("request", |_| true);
    let id = session(&browser);
    assert_eq!(site.sessions(), [id.as_str().map(str::to_owned)]);
    for (n, Post { batch, headers, .. }) in site.posts().iter().enumerate() {
        assert_eq!(batch["org"], "demo");
        assert_eq!(batch["session"], id);
        assert_eq!(batch["sequence"], n);
        assert_eq!(batch["dropped"], 0);
        assert!(batch["sent"].as_f64().unwrap() > 1.7e12);
        assert!(batch.get("user").is_none());
        let tab = batch["tab"].as_str().unwrap();
        assert!(tab.len() == 16 && tab.chars().all(|c| c.is_ascii_hexdigit()), "{tab}");
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["content-encoding"], "gzip");
        assert!(!headers.contains_key("x-session-id") && !headers.contains_key("cookie"));
    }
    // Its own batches are no requests of the page.
    run(&browser, "await fetch('/api/again')");
    site.note("request", |request| request["url"] == format!("{}/api/again", site.url));
    assert!(
        site.notes("request").iter().all(|request| !request["url"].to_string().contains("/v1/"))
    );
    assert_eq!(failures(&browser), 0);
}

#[test]
fn a_long_recording_has_a_new_picture_every_ten_minutes() {
    let (site, driver) = (Site::start(), Driver::start());
    let browser = driver.browser();
    site.open_at(&browser, "/", CLOCK, "", "<button>Press</button><p id=text>");
    site.snapshot();
    let start = run(&browser, "return Date.now()").as_f64().unwrap();
    for minute in [9, 11, 19, 22] {
        let use_it = "later = given[0] * 60_000; document.querySelector('button').click(); \
                      document.getElementById('text').textContent = `minute ${given[0]}`; \
                      await new Promise(requestAnimationFrame)";
        browser.script(use_it, vec![json!(minute)]);
    }
    arrived(&site, "minute 22");
    let pictures = site.events().into_iter().filter(|event| event["type"] == 2);
    let minutes = pictures.map(|picture| (picture["timestamp"].as_f64().unwrap() - start) / 6e4);
    assert_eq!(minutes.map(f64::round).collect::<Vec<_>>(), [0., 11., 22.]);
    assert_eq!(failures(&browser), 0);
}

#[test]
fn the_script_is_small() {
    let script = include_bytes!(concat!(env!("OUT_DIR"), "/replay.js"));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut gzip, script).unwrap();
    let bytes = gzip.finish().unwrap().len();
    assert!((20_000..30_000).contains(&bytes), "{bytes}: docs/replay.md promises less than 30 kB");
}

#[test]
fn requests_are_recorded_with_what_came_of_them() {
    let (site, driver) = (Site::start(), Driver::start());
    let browser = driver.browser();
    site.open(&browser, "", "");
    let of = |path: &str| {
        let url = format!("{}{path}", site.url);
        site.note("request", |request| request["url"] == url)
    };
    run(
        &browser,
        "return (await fetch('/api/a?b=c&d=e#f', { method: 'post', body: '12345' })).text()",
    );
    let request = of("/api/a?b=&d=");
    for (key, value) in [
        ("method", json!("POST")),
        ("kind", json!("fetch")),
        ("status", json!(200)),
        ("requestBytes", json!(5)),
        ("responseBytes", json!(9)),
        ("traceId", json!(TRACE)),
        ("error", Value::Null),
    ] {
        assert_eq!(request[key], value, "{key} of {request}");
    }
    run(&browser, "await fetch(new Request('/api/slow', { method: 'PUT' }))");
    let request = of("/api/slow");
    let took = request["end"].as_i64().unwrap() - request["start"].as_i64().unwrap();
    assert!(took >= 290, "{took} ms");
    assert_eq!(request["method"], "PUT");

    const XHR: &str = "const xhr = new XMLHttpRequest(); const done = new Promise((done) => { xhr.onloadend = done }); \
                       xhr.open('GET', given[0]); given[1] && (xhr.timeout = given[1]); xhr.send(); await done";
    browser.script(XHR, vec![json!("/api/xhr")]);
    let request = of("/api/xhr");
    assert_eq!(
        json!([request["kind"], request["status"], request["traceId"]]),
        json!(["xhr", 200, TRACE])
    );
    browser.script(XHR, vec![json!("/api/slow?x=1"), json!(50)]);
    let request = of("/api/slow?x=");
    assert_eq!(json!([request["status"], request["error"]]), json!([0, "timeout"]));

    run(&browser, "await fetch('http://127.0.0.1:9/nobody').catch(() => {})");
    let request = site.note("request", |request| request["url"] == "http://127.0.0.1:9/nobody");
    assert_eq!(json!([request["status"], request["error"]]), json!([0, "TypeError"]));
    run(
        &browser,
        "await fetch('/api/slow?y=1', { signal: AbortSignal.timeout(50) }).catch(() => {})",
    );
    assert_eq!(of("/api/slow?y=")["error"], "TimeoutError");
    assert_eq!(failures(&browser), 0);
}

#[test]
fn what_happens_in_a_page_is_recorded() {
    let (site, driver) = (Site::start(), Driver::start());
    let browser = driver.browser();
    let body = "<button id=dead>Nothing</button>
         <button aria-label='Place order' onclick='out.textContent = 1'><i id=icon>+</i></button>
         <form id=form><label>Street <input required></label><button>Send</button></form>
         <p id=out></p><p role=status id=place></p><div popover id=pop>Saved</div>
         <button id=bad onclick='nowhere()'>Bad</button>";
    site.open_at(&browser, "/start?a=b", "", "", body);
    site.snapshot();
    let steps = [
        "history.pushState(0, '', '/pushed'); history.replaceState(0, '', '/replaced'); \
         location.hash = '/route'; await turn(); history.back(); await turn()",
        "await turn(); dead.click(); await turn(1100); icon.click()",
        "form.reportValidity()",
        "place.textContent = 'Not sent'; await turn(300); place.remove()",
        "pop.showPopover(); await turn(300); pop.hidePopover(); await turn()",
        "console.error('Could not', 7, { a: 1 }, [2], new RangeError('much')); \
         console.warn('old'); console.log('not this')",
        "bad.click(); qorrelate.addError(new TypeError('own')); qorrelate.addError('a text'); \
         const script = document.createElement('script'); \
         script.textContent = 'Promise.reject(new Error(\"late\"))'; document.body.append(script)",
        "const image = new Image(); image.src = '/picture?token=12345'; await new Promise((done) => { \
             image.onload = () => { const until = performance.now() + 100; while (performance.now() < until); done() }; })",
        "const until = performance.now() + 150; \
         const box = document.body.appendChild(document.createElement('div')); \
         requestAnimationFrame(function thrash() { \
             while (performance.now() < until) { box.style.width = Math.random() + 'px'; box.offsetWidth } \
         })",
    ];
    for step in steps {
        let turn = "const turn = (ms = 100) => new Promise((done) => setTimeout(done, ms));";
        run(&browser, &format!("{turn} {step}"));
    }

    let url = |rest: &str| json!(format!("{}{rest}", site.url));
    for (rest, how) in [
        ("/start?a=", "load"),
        ("/pushed", "push"),
        ("/replaced", "replace"),
        ("/replaced#/route", "hash"),
        ("/replaced", "pop"),
    ] {
        site.note("navigation", |n| *n == json!({ "url": url(rest), "how": how }));
    }
    site.note("visibility", |n| *n == json!({ "state": "visible" }));
    let dead = site.note("click", |n| n["what"] == "button \"Nothing\"");
    assert_eq!(dead["dead"], true);
    assert!(dead["x"].is_u64() && dead["y"].is_u64(), "{dead}");
    let alive = site.note("click", |n| n["what"] == "button \"Place order\"");
    assert_eq!(alive.get("dead"), None);
    let invalid = site.note("invalid", |_| true);
    assert_eq!(invalid["what"], "field \"Street\"");
    assert!(invalid["message"].as_str().unwrap().contains("fill"), "{invalid}");
    let toast = site.note("toast", |n| n["text"] == "Not sent");
    assert!(toast["shown"].as_u64().unwrap() >= 200, "{toast}");
    site.note("toast", |n| n["text"] == "Saved");
    let text = "Could not 7 {Object} [1] RangeError: much";
    site.note("console", |n| *n == json!({ "level": "error", "text": text }));
    site.note("console", |n| *n == json!({ "level": "warn", "text": "old" }));
    let error = site.note("error", |n| n["kind"] == "error");
    assert_eq!(error["message"], "ReferenceError: nowhere is not defined");
    assert!(error["stack"].as_str().unwrap().contains("HTMLButtonElement.onclick"), "{error}");
    site.note("error", |n| n["kind"] == "reported" && n["message"] == "TypeError: own");
    site.note("error", |n| n["kind"] == "reported" && n["message"] == "a text");
    site.note("error", |n| n["kind"] == "rejection" && n["message"] == "Error: late");
    let thrashes = |n: &Value| n["scripts"][0]["invoker"].to_string().contains("FrameRequest");
    let long = site.note("long-frame", |n| n["duration"].as_f64() > Some(100.) && thrashes(n));
    assert!(long["layout"].as_f64().unwrap() > 1., "{long}");
    assert!(long["scripts"][0]["forcedLayout"].as_f64().unwrap() > 1., "{long}");
    let slow = site.note("long-frame", |n| n.to_string().contains("IMG["));
    let invoker = slow["scripts"][0]["invoker"].as_str().unwrap();
    assert!(invoker.ends_with("/picture?token=\"].onload"), "{invoker}");
    let frames = site.note("frames", |_| true);
    assert!((1..=240).contains(&frames["fps"].as_u64().unwrap()), "{frames}");
    site.note("vital", |n| n["name"] == "FCP" && n["value"].as_f64().unwrap() > 0.);
    site.note("vital", |n| n["name"] == "TTFB");
    assert!(!site.posts().iter().any(|post| post.text.contains("not this")));
    assert_eq!(failures(&browser), 0);
}

#[test]
fn a_batch_is_tried_until_it_is_taken() {
    let (site, driver) = (Site::start(), Driver::start());
    let browser = driver.browser();
    site.answer_with([503, 429]);
    site.open(&browser, "", "<p>the page");
    site.snapshot();
    run(&browser, "await fetch('/api/later')");
    arrived(&site, "/api/later");
    let tries: Vec<_> =
        site.posts().iter().map(|post| (post.batch["sequence"].clone(), post.answer)).collect();
    assert_eq!(tries[..3], [(json!(0), 503), (json!(0), 429), (json!(0), 204)]);
    assert_eq!(tries[3].0, 1);
    let [first, .., last] = &site.posts()[..3] else { unreachable!() };
    assert_eq!(first.batch["events"], last.batch["events"]);
    assert!(first.batch["sent"].as_f64() < last.batch["sent"].as_f64());
}

#[test]
fn a_batch_that_is_refused_leaves_a_gap_and_a_new_snapshot() {
    let (site, driver) = (Site::start(), Driver::start());
    let browser = driver.browser();
    site.answer_with([413]);
    site.open(&browser, "", "<p>the page");
    assert_eq!(site.note("gap", |_| true), json!({ "batches": 1 }));
    site.snapshot();
    let posts = site.posts();
    assert_eq!(json!([posts[0].batch["sequence"], posts[0].batch["dropped"]]), json!([0, 0]));
    assert_eq!(json!([posts[1].batch["sequence"], posts[1].batch["dropped"]]), json!([1, 1]));
}

#[test]
fn what_is_held_is_bounded() {
    let (site, driver) = (Site::start(), Driver::start());
    let browser = driver.browser();
    site.open(&browser, "", "<p id=big>a");
    site.snapshot();
    site.answer_with([503; 1_000]);
    run(
        &browser,
        "for (let n = 0; n < 40; n++) { big.textContent = n + 'x'.repeat(300_000); await new Promise((done) => setTimeout(done)); }",
    );
    eventually(|| {
        let failed = site.posts().iter().filter(|post| post.answer == 503).count();
        (failed > 1).then_some(()).ok_or_else(|| format!("{failed} tries"))
    });
    site.answer_with([]);
    run(&browser, "dispatchEvent(new Event('online')); await fetch('/api/after')");
    let last = arrived(&site, "/api/after");
    let dropped = last.batch["dropped"].as_u64().unwrap();
    assert!((15..40).contains(&dropped), "{dropped}");
    let taken = site
        .posts()
        .into_iter()
        .filter(|post| post.answer == 204)
        .map(|post| post.batch["sequence"].as_u64().unwrap());
    let (taken, missing): (Vec<_>, _) = (taken.collect(), last.batch["sequence"].as_u64().unwrap());
    let missing = (0..missing).filter(|number| !taken.contains(number)).count();
    assert_eq!(missing as u64, dropped, "the numbers of what was dropped stay missing");
    site.note("gap", |_| true);
}

#[test]
fn a_viewer_that_refuses_the_page_is_not_asked_again() {
    let (site, driver) = (Site::start(), Driver::start());
    let browser = driver.browser();
    site.answer_with([403]);
    site.open(&browser, "", "<p id=text>a");
    eventually(|| (site.posts().len() == 1).then_some(()).ok_or_else(|| "not asked".to_owned()));
    run(
        &browser,
        "for (const text of 'bcd') { document.getElementById('text').textContent = text; await fetch('/api/' + text); } \
         qorrelate.addError(1)",
    );
    // The session ID is sent all the same.
    assert_eq!(site.sessions().len(), 3);
    assert!(site.sessions().iter().all(Option::is_some));
    browser.goto("about:blank");
    assert_eq!(site.posts().len(), 1);
}

#[test]
fn the_last_moments_of_a_page_arrive() {
    let (site, driver) = (Site::start(), Driver::start());
    let browser = driver.browser();
    site.open(&browser, "", "<p id=text>a<button>Go</button>");
    site.snapshot();
    click(&browser, "button");
    run(
        &browser,
        "document.getElementById('text').append('the last words'); location.href = '/api/elsewhere'",
    );
    let last = arrived(&site, "the last words");
    assert!(
        last.text.contains("button \\\"Go\\\"") || last.text.contains("button \\\"Go"),
        "{}",
        last.text
    );
    assert!(!last.headers.contains_key("content-encoding"), "there was no time to compress it");

    // Also of a page that was left at once, and that is larger than a browser sends then.
    for (words, size) in [("short", 10), ("long", 200_000)] {
        let body = format!("{words} page <p>{}", "long ".repeat(size / 5));
        site.open(&browser, "", &body);
        browser.goto("about:blank");
        if words == "short" {
            arrived(&site, &format!("{words} page"));
        }
    }
}

#[test]
fn a_session_that_is_not_sampled_is_sent_from_the_minute_before_it_fails() {
    let (site, driver) = (Site::start(), Driver::start());
    for cause in [
        "qorrelate.addError('it failed')",
        "await fetch('/api/fail')",
        "await fetch('/api/kept')",
        "const xhr = new XMLHttpRequest(); xhr.open('GET', '/api/kept', false); xhr.send()",
        "const script = document.createElement('script'); script.textContent = 'nowhere()'; document.body.append(script)",
    ] {
        let (browser, before) = (driver.browser(), site.posts().len());
        site.open_at(&browser, "/", CLOCK, "data-sample=0", "<p id=text>first");
        let start = run(&browser, "return Date.now()").as_f64().unwrap();
        for word in ["second", "third", "fourth"] {
            let script = "later += 61_000; document.getElementById('text').textContent = given[0]; \
                          await new Promise((done) => setTimeout(done, 100))";
            browser.script(script, vec![json!(word)]);
        }
        assert_eq!(site.posts().len(), before, "nothing is sent");
        run(&browser, cause);
        let post = eventually(|| {
            site.posts().get(before).cloned().ok_or_else(|| format!("{cause}: nothing came"))
        });
        let events = post.batch["events"].as_array().unwrap();
        let times: Vec<_> =
            events.iter().map(|event| event["timestamp"].as_f64().unwrap() - start).collect();
        assert_eq!(events[0]["type"], 4, "{cause}: a snapshot comes first");
        assert_eq!(events[1]["type"], 2, "{cause}: a snapshot comes first");
        let [first, last] = [times[0], times[times.len() - 1]];
        assert!(first > 60_000. && last - first > 55_000., "{cause}: {times:?}");
        assert_eq!(
            post.text.matches("\"tag\":\"kept\"").count(),
            usize::from(cause.contains("kept"))
        );
        // And then it goes on, also on the next page.
        run(&browser, "document.getElementById('text').textContent = 'after that'");
        arrived(&site, "after that");
        let before = site.posts().len();
        site.open(&browser, "data-sample=0", "<p>the next page");
        site.snapshot_after(before);
        assert_eq!(failures(&browser), 0);
    }
}

#[test]
fn other_headers_can_tell_that_a_session_is_kept() {
    let (site, driver) = (Site::start(), Driver::start());
    let browser = driver.browser();
    site.open(&browser, "data-sample=0 data-kept-header=Server-Timing", "");
    run(&browser, "await fetch('/api/work')");
    site.note("kept", |_| true);
}

#[test]
fn sessions_are_sampled_by_the_published_function() {
    let (site, driver) = (Site::start(), Driver::start());
    let vectors =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../qorrelate-core/tests/vectors/sampling.json");
    let vectors: Value = serde_json::from_str(&fs::read_to_string(vectors).unwrap()).unwrap();
    assert_eq!(vectors["ratios"][6], 0.5);
    let browser = driver.browser();
    site.open(&browser, "", "");
    let mut seen = [0, 0];
    for vector in vectors["ids"].as_array().unwrap() {
        // At the ratio of a half.
        let (id, is_sampled) = (&vector["id"], vector["sampled"][6] == true);
        if seen[usize::from(is_sampled)] == 3 {
            continue;
        }
        seen[usize::from(is_sampled)] += 1;
        let before = site.posts().len();
        browser.script(
            "sessionStorage.qorrelate = `${given[0]} ${Date.now()} ${Date.now()} left`",
            vec![id.clone()],
        );
        // Its last words would take the session of the page with it.
        let keep = format!(
            "<script>sessionStorage.qorrelate = `{} ${{Date.now()}} ${{Date.now()}} left`</script>",
            id.as_str().unwrap()
        );
        site.open_at(&browser, "/", &keep, "data-sample=0.5", "");
        assert_eq!(session(&browser), *id);
        if is_sampled {
            site.snapshot_after(before);
        } else {
            run(
                &browser,
                "await fetch('/api/work'); await new Promise((done) => setTimeout(done, 1500))",
            );
            let of_it = |post: &Post| post.batch["session"] == *id;
            assert!(!site.posts().iter().any(of_it), "{id}");
        }
    }
    assert_eq!(seen, [3, 3]);
}

#[test]
fn another_session_is_another_recording() {
    let (site, driver) = (Site::start(), Driver::start());
    let browser = driver.browser();
    site.open_at(&browser, "/", CLOCK, "data-idle=2", "<p id=text>a<button>Go</button>");
    let first = session(&browser);
    arrived(&site, "\"type\":2,");
    run(&browser, "document.getElementById('text').append('in use')");
    arrived(&site, "in use");
    // Nobody is there, though the page goes on by itself.
    run(
        &browser,
        "later += 150_000; for (let n = 0; n < 3; n++) { \
         document.getElementById('text').append('alone ' + n); await new Promise((done) => setTimeout(done, 50)); }",
    );
    click(&browser, "button");
    let second = eventually(|| {
        let id = session(&browser);
        (id != first).then_some(id).ok_or_else(|| "the session is the same".to_owned())
    });
    let batch = eventually(|| {
        let posts = site.posts();
        let found = posts.iter().find(|post| post.batch["session"] == second);
        found.map(|post| post.batch.clone()).ok_or_else(|| "nothing of the second".to_owned())
    });
    assert_eq!(batch["sequence"], 0);
    assert_eq!(batch["tab"], site.posts()[0].batch["tab"]);
    assert_eq!(json!([batch["events"][0]["type"], batch["events"][1]["type"]]), json!([4, 2]));
    // It is in the snapshot, since the page shows it.
    let alone = site.posts().iter().filter(|post| post.text.contains("alone 2")).count();
    assert_eq!(alone, 1, "what happened meanwhile is in neither");
}

#[test]
fn the_page_can_say_who_it_is_and_when_to_stop() {
    let (site, driver) = (Site::start(), Driver::start());
    let browser = driver.browser();
    site.open(&browser, "", "<p id=text>a");
    site.snapshot();
    run(&browser, "qorrelate.identify('anna'); document.getElementById('text').append('known')");
    assert_eq!(arrived(&site, "known").batch["user"], "anna");
    run(
        &browser,
        "document.getElementById('text').append('before the end'); await new Promise((done) => setTimeout(done)); \
         qorrelate.stop(); document.getElementById('text').append('after the end'); console.error('after the end'); \
         qorrelate.addError('after the end'); await fetch('/api/after')",
    );
    arrived(&site, "before the end");
    browser.goto("about:blank");
    assert!(!site.posts().iter().any(|post| post.text.contains("after the end")));
    assert!(site.sessions().iter().all(Option::is_some), "requests still carry the session");
}

#[test]
fn a_page_is_recorded_once() {
    let (site, driver) = (Site::start(), Driver::start());
    let browser = driver.browser();
    let again = "<script src=/replay.js data-org-id=other></script>";
    let body = format!("{again}<iframe src=/framed></iframe><p>a");
    site.set_page(&site::html("", &body));
    // The frame has the same page: with a frame of its own, and so on; a browser ends that.
    browser.goto(&format!("{}/", site.url));
    site.snapshot();
    run(&browser, "await fetch('/api/once'); await frames[0].fetch('/api/frame')");
    arrived(&site, "/api/once");
    let tabs: Vec<_> = site.posts().iter().map(|post| post.batch["tab"].clone()).collect();
    assert!(tabs.iter().all(|tab| *tab == tabs[0]), "{tabs:?}");
    let once = site
        .notes("request")
        .iter()
        .filter(|request| request["url"].to_string().contains("once"))
        .count();
    assert_eq!(once, 1);
    assert!(
        site.sessions().iter().all(Option::is_some),
        "the frame's requests carry the session too"
    );
}

const WATCHED: &str = "window.seen = [];
    addEventListener('error', (event) => seen.push(event.message));
    addEventListener('unhandledrejection', (event) => seen.push(String(event.reason)));";

/// What can be missing, or broken, before the script runs.
const BROKEN: [&str; 12] = [
    "delete window.fetch; window.fetch = undefined",
    "delete window.CompressionStream",
    "window.CompressionStream = class { constructor() { throw new Error() } }",
    "Object.defineProperty(window, 'sessionStorage', { get() { throw new Error() } })",
    "Storage.prototype.setItem = () => { throw new Error() }",
    "delete window.PerformanceObserver",
    "window.MutationObserver = undefined",
    "window.fetch = () => { throw new Error('not now') }",
    "window.fetch = () => Promise.reject(new Error('not now'))",
    "Array.prototype.toJSON = () => { throw new Error() }",
    "history.pushState = undefined; console.error = undefined",
    "crypto.getRandomValues = () => { throw new Error() }",
];

#[test]
fn whatever_breaks_the_page_goes_on() {
    const PAGE: &str = "<button id=go>Go</button><p id=out></p><script>
        go.onclick = () => { out.textContent = 'done'; history.replaceState?.({}, '', '/there'); };
        go.click();
    </script>";
    let (site, driver) = (Site::start(), Driver::start());
    for broken in BROKEN {
        let browser = driver.browser();
        let before = site.posts().len();
        site.open_at(&browser, "/", &format!("<script>{WATCHED} {broken}</script>"), "", PAGE);
        browser.text("#out", |text| text == "done");
        run(
            &browser,
            "const xhr = new XMLHttpRequest(); xhr.open('GET', '/api/x', false); xhr.send(); return xhr.responseText",
        );
        run(
            &browser,
            "dispatchEvent(new PageTransitionEvent('pagehide')); await new Promise((done) => setTimeout(done, 50))",
        );
        assert_eq!(run(&browser, "return seen"), json!([]), "{broken}");
        if broken.contains("CompressionStream")
            || broken.contains("torage")
            || broken.contains("Observer = un")
        {
            site.snapshot_after(before);
        }
    }
}

#[test]
fn the_page_sees_its_own_failures_and_no_others() {
    let (site, driver) = (Site::start(), Driver::start());
    let browser = driver.browser();
    let page = "<script>
        window.seen = [];
        addEventListener('unhandledrejection', (event) => { seen.push(String(event.reason)); event.preventDefault(); });
        fetch('http://127.0.0.1:9/a');
        fetch('http://127.0.0.1:9/b').catch(() => {});
        fetch('http://127.0.0.1:9/c').then(() => {}, () => {});
    </script>";
    site.open(&browser, "", page);
    site.note("request", |request| request["url"].to_string().ends_with("/c\""));
    site.note("error", |error| error["kind"] == "rejection");
    assert_eq!(run(&browser, "return seen"), json!(["TypeError: Failed to fetch"]));
    assert_eq!(
        run(&browser, "return [fetch.name, fetch.length, `${fetch}`.includes('[native code]')]"),
        json!(["fetch", 1, true])
    );
    assert_eq!(failures(&browser), 0);
}

#[test]
fn where_the_pointer_is_in_a_blocked_part_is_not_recorded() {
    let (site, driver) = (Site::start(), Driver::start());
    let browser = driver.browser();
    let body = "<style>div { position: fixed; width: 99px; height: 99px; top: 0; left: 0 } b { display: block; height: 99px }</style>
         <div class=qorrelate-block><b>1</b></div><div style='left: 200px'><b>free</b></div>";
    site.open(&browser, "", body);
    site.snapshot();
    for x in [50, 52, 250, 251] {
        let event = |kind: &str| json!({ "type": kind, "x": x, "y": 40, "button": "left", "clickCount": 1 });
        browser
            .devtools("Input.dispatchMouseEvent", json!({ "type": "mouseMoved", "x": x, "y": 40 }));
        for kind in ["mousePressed", "mouseReleased"] {
            browser.devtools("Input.dispatchMouseEvent", event(kind));
        }
        // Moves are looked at ten times a second.
        run(&browser, "await new Promise((done) => setTimeout(done, 150))");
    }
    site.note("click", |click| click["x"] == 251);
    assert_eq!(site.notes("click").len(), 2);
    let of = |source: u64| {
        let events =
            site.events().into_iter().filter(move |event| event["data"]["source"] == source);
        events.map(|event| event["data"].clone()).collect::<Vec<_>>()
    };
    let moves: Vec<_> =
        of(1).iter().flat_map(|data| data["positions"].as_array().unwrap().clone()).collect();
    assert!(moves.iter().any(|at| at["x"] == 251), "{moves:?}");
    assert!(moves.iter().all(|at| at["x"].as_u64() > Some(200)), "{moves:?}");
    let clicks = of(2);
    assert!(
        clicks.iter().all(|at| at["x"].is_null() || at["x"].as_u64() > Some(200)),
        "{clicks:?}"
    );
}

#[test]
fn a_page_that_reports_all_the_time_does_not_flood() {
    let (site, driver) = (Site::start(), Driver::start());
    let browser = driver.browser();
    site.open(&browser, "", "");
    site.snapshot();
    run(
        &browser,
        "for (let n = 0; n < 5_000; n++) console.warn('again ' + n); await fetch('/api/after')",
    );
    site.note("request", |request| request["url"].to_string().contains("after"));
    let warnings = site.notes("console").len();
    assert!((100..1_000).contains(&warnings), "{warnings}");
}
