//! Real recorders, as their vendors publish them, in a real browser, against real servers of both adapters: the
//! ID that a recorder reports in the page is the ID on the backend's spans and log records.
//!
//! The SDKs talk to the page's own server in place of their vendors'. Nothing else can be reached.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

mod pages;

use std::sync::atomic::{AtomicU32, Ordering};

use opentelemetry_sdk::trace::SpanData;
use pages::{ADAPTERS, SetUp, Site};
use qorrelate_core::{ATTRIBUTE, Source};
use qorrelate_test_browser::{Browser, Driver, eventually};
use qorrelate_tests::telemetry::{Telemetry, log_values, span_values};
use serde_json::{Value, json};

/// How a page's own code sends a request that can have headers.
const WITH_HEADERS: [&str; 3] = [
    "await fetch(url)",
    "await fetch(new Request(url, { method: 'POST', body: 'text' }))",
    "await new Promise((done) => { const xhr = new XMLHttpRequest(); xhr.onloadend = done; \
     xhr.open('GET', url); xhr.send(); })",
];

/// How it sends one that can't.
const WITHOUT_HEADERS: [&str; 3] = [
    "navigator.sendBeacon(url, 'text')",
    "new EventSource(url).onerror = (event) => event.target.close()",
    "new WebSocket(url.replace('http', 'ws'))",
];

/// Everything that could say who the user is, or let somebody act as the page. All pages have told their recorder
/// who the user is.
const SECRETS: [&str; 3] = ["anna@example.com", "anna%40example.com", "secret"];

struct Sites {
    /// The page's own, and another origin of its site.
    named: [Site; 2],
    /// Of another site, and not named to the recorder.
    stranger: Site,
}

/// Opens a page with the recorder in a browser that was never used before, on a site of each adapter.
fn with(recorder: &str, is_sampled: bool, source: Source, test: impl Fn(&Browser, &Sites)) {
    // Of two recorders in a page, the other has no ID.
    let sources = vec![Source::header("x-of-no-recorder"), source.read_at_public_edge()];
    with_set_up(recorder, is_sampled, &SetUp { sources, ..SetUp::default() }, test);
}

fn with_set_up(recorder: &str, is_sampled: bool, set_up: &SetUp, test: impl Fn(&Browser, &Sites)) {
    Telemetry::install();
    let driver = Driver::start();
    for serve in ADAPTERS {
        let [own, other, stranger] = [serve(set_up), serve(set_up), serve(set_up)];
        let sites = Sites { named: [own, other], stranger: stranger.on("localhost") };
        let browser = driver.browser();
        open(&browser, &sites, recorder, is_sampled, "");
        test(&browser, &sites);
        no_secrets();
    }
}

fn open(browser: &Browser, sites: &Sites, recorder: &str, is_sampled: bool, script: &str) {
    let origins = json!(sites.named.each_ref().map(|site| site.url("")));
    let settings = json!({ "origins": origins, "isSampled": is_sampled });
    // The address of the page must not tell.
    let head = format!(
        "<script>window.page = {settings}; page.user = ['anna', 'example.com'].join('@')</script>\
         <script src=/bundles/{recorder}.js></script>{script}"
    );
    browser.goto(&sites.named[0].page(&head));
}

/// The ID that the recorder reports, once it has one.
#[track_caller]
fn reported(browser: &Browser) -> String {
    eventually(|| {
        let id = browser.script("return window.recorderId()", vec![]);
        match id.as_str() {
            Some(id) if !id.is_empty() => Ok(id.to_owned()),
            _ => Err("the recorder has no session".to_owned()),
        }
    })
}

/// One request of the page to that site: what came of it, with its number.
#[track_caller]
fn sent(browser: &Browser, site: &Site, request: &str) -> (Value, u32) {
    static NUMBERS: AtomicU32 = AtomicU32::new(1);

    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    site.forget();
    let url = site.url(&format!("/work?n={number}"));
    browser.script(&format!("const [url] = given; {request}"), vec![json!(url)]);
    let seen = site.only("/work");
    assert_eq!(seen["outcome"] == "missing", seen["session"].is_null(), "{request}: {seen}");
    (seen, number)
}

/// The session of one request, which all that is left of it must say too.
#[track_caller]
fn session_of(browser: &Browser, site: &Site, request: &str) -> Value {
    let (seen, number) = sent(browser, site, request);
    let expected: Vec<_> = seen["session"].as_str().into_iter().collect();
    let (request_span, work) = spans_of(number);
    assert_eq!(span_values(&request_span, ATTRIBUTE), expected, "{request}");
    assert_eq!(span_values(&work, ATTRIBUTE), expected, "{request}");
    let logs = Telemetry::install().records_once(|_| true).logs;
    let logs = logs.iter().filter(|log| log_values(log, "request") == [number.to_string()]);
    let tags: Vec<_> = logs.map(|log| log_values(log, ATTRIBUTE)).collect();
    assert_eq!(tags, [expected], "{request}");
    seen["session"].clone()
}

/// The request's span, and the span inside of it.
#[track_caller]
fn spans_of(number: u32) -> (SpanData, SpanData) {
    let find = |spans: &[SpanData]| {
        let is_of_it = |span: &&SpanData| span_values(span, "request") == [number.to_string()];
        let work = spans.iter().find(is_of_it)?;
        let request = spans.iter().find(|span| span.span_context.span_id() == work.parent_span_id);
        Some((request?.clone(), work.clone()))
    };
    let records = Telemetry::install().records_once(|spans| find(spans).is_some());
    find(&records.spans).unwrap()
}

/// The recorder sends its ID in a header, to the origins that it was told of.
fn sends_its_id(recorder: &str, source: Source) {
    // The page of another origin may send what the layer lists, and nothing else.
    with(recorder, true, source, |browser, sites| {
        reported(browser);
        for (site, is_named) in
            [(&sites.named[0], true), (&sites.named[1], true), (&sites.stranger, false)]
        {
            for request in WITH_HEADERS {
                let session = eventually(|| {
                    let id = reported(browser);
                    let session = session_of(browser, site, request);
                    // It may just have got it.
                    if !is_named || session == id.as_str() {
                        Ok(session)
                    } else {
                        Err(format!("{recorder}: {request}: {session} is not {id}"))
                    }
                });
                if !is_named {
                    assert_eq!(session, Value::Null, "{recorder}: {request}");
                }
            }
        }
        for request in WITHOUT_HEADERS {
            assert_eq!(session_of(browser, &sites.named[0], request), Value::Null, "{request}");
        }
    });
}

/// There is no session that is recorded, so none is sent.
fn sends_nothing(recorder: &str, source: Source) {
    with(recorder, false, source, |browser, sites| {
        for site in &sites.named {
            for request in WITH_HEADERS {
                assert_eq!(session_of(browser, site, request), Value::Null, "{request}");
            }
        }
    });
}

#[track_caller]
fn no_secrets() {
    let shown = format!("{:?}", Telemetry::install().records_once(|_| true));
    for secret in SECRETS {
        if let Some(at) = shown.find(secret) {
            let around = shown.get(at.saturating_sub(300)..at + 100).unwrap_or_default();
            panic!("{secret} is shown: {around}");
        }
    }
}

/// That nothing shows a secret says something only if the backend is told.
#[test]
fn recorders_do_tell_who_the_user_is() {
    for (recorder, source, header, secret) in [
        ("datadog", Source::datadog(), "baggage", SECRETS[1]),
        ("openobserve", Source::openobserve(), "baggage", SECRETS[1]),
        ("posthog", Source::posthog(), "x-posthog-distinct-id", SECRETS[0]),
        ("posthog", Source::posthog_cookie("phc_test"), "cookie", SECRETS[1]),
        ("openreplay", Source::openreplay(), "x-openreplay-sessiontoken", SECRETS[2]),
    ] {
        with(recorder, true, source, |browser, sites| {
            eventually(|| {
                sent(browser, &sites.named[0], WITH_HEADERS[0]);
                let requests = sites.named[0].arrived();
                let headers = requests.iter().filter(|request| request["path"] == "/work");
                let mut lines = headers.flat_map(|request| request["headers"].as_array().unwrap());
                match lines
                    .any(|line| line[0] == header && line[1].as_str().unwrap().contains(secret))
                {
                    true => Ok(()),
                    false => Err(format!("{recorder}: no {secret} in {header}: {requests:?}")),
                }
            });
        });
    }
}

/// A browser does not send what it may not: the whole request is blocked.
#[test]
fn a_header_that_is_not_allowed_blocks_the_request() {
    let set_up = SetUp {
        sources: vec![Source::posthog()],
        not_allowed: Some("x-posthog-window-id"),
        ..SetUp::default()
    };
    with_set_up("posthog", true, &set_up, |browser, sites| {
        reported(browser);
        let fetch = "const [url] = given; \
            try { await fetch(url); return 'sent' } catch (error) { return error.name }";
        let [own, other] = &sites.named;
        other.forget();
        assert_eq!(browser.script(fetch, vec![json!(other.url("/work"))]), "TypeError");
        assert_eq!(other.methods(), ["OPTIONS"]);
        assert_eq!(browser.script(fetch, vec![json!(own.url("/work"))]), "sent", "no preflight");
    });
}

#[test]
fn datadog() {
    sends_its_id("datadog", Source::datadog());
    sends_nothing("datadog", Source::datadog());
}

#[test]
fn openobserve() {
    sends_its_id("openobserve", Source::openobserve());
}

#[test]
fn sentry() {
    sends_its_id("sentry", Source::sentry_replay());
    sends_nothing("sentry", Source::sentry_replay());
}

#[test]
fn posthog() {
    sends_its_id("posthog", Source::posthog());
}

#[test]
fn highlight() {
    sends_its_id("highlight", Source::highlight());
}

#[test]
fn openreplay() {
    sends_its_id("openreplay", Source::openreplay());
}

#[test]
fn rollbar() {
    sends_its_id("rollbar", Source::rollbar());
}

/// The recorder keeps its ID in a cookie, which goes to the page's own site with every request.
fn keeps_its_id_in_a_cookie(recorder: &str, source: Source) {
    with(recorder, true, source, |browser, sites| {
        let id = reported(browser);
        let own = &sites.named[0];
        for request in WITH_HEADERS.iter().chain(&WITHOUT_HEADERS) {
            assert_eq!(session_of(browser, own, request), id.as_str(), "{recorder}: {request}");
        }
        // A navigation. Another site gets no cookie.
        own.forget();
        browser.reload();
        assert_eq!(own.only("/page")["session"], id.as_str());
        let request = "await fetch(url, { credentials: 'include' })";
        assert_eq!(session_of(browser, &sites.stranger, request), Value::Null);
    });
}

#[test]
fn datadogs_cookie() {
    keeps_its_id_in_a_cookie("datadog", Source::datadog_cookie());
}

#[test]
fn openobserves_cookie() {
    keeps_its_id_in_a_cookie("openobserve", Source::openobserve_cookie());
}

#[test]
fn posthogs_cookie() {
    keeps_its_id_in_a_cookie("posthog", Source::posthog_cookie("phc_test"));
}

#[test]
fn splunks_cookie() {
    keeps_its_id_in_a_cookie("splunk", Source::splunk_cookie());
}

#[test]
fn hyperdxs_cookie() {
    keeps_its_id_in_a_cookie("hyperdx", Source::hyperdx_cookie());
}

#[test]
fn the_cookie_of_application_insights() {
    keeps_its_id_in_a_cookie("app-insights", Source::app_insights_cookie());
}

/// The recorder sends nothing, and the script for browsers sends its ID. `other_headers` are the recorder's own, for
/// traces.
fn with_the_script(recorder: &str, other_headers: &'static [&'static str]) {
    let sources = vec![Source::header("X-Session-ID")];
    let set_up = SetUp { sources, other_headers, ..SetUp::default() };
    with_set_up(recorder, false, &set_up, |browser, sites| {
        let script = format!(
            "<script src=/qorrelate.js data-id-from={recorder} data-origins={}></script>",
            sites.named[1].url("")
        );
        open(browser, sites, recorder, false, &script);
        for request in WITH_HEADERS {
            for site in &sites.named {
                let id = reported(browser);
                let session = session_of(browser, site, request);
                assert_eq!(session, id.as_str(), "{recorder}: {request}");
            }
            assert_eq!(session_of(browser, &sites.stranger, request), Value::Null, "{request}");
        }
    });
}

#[test]
fn recorders_that_send_nothing_by_themselves() {
    for (recorder, other_headers) in [
        ("faro", &[] as &[_]),
        ("splunk", &[]),
        ("hyperdx", &["traceparent"]),
        ("app-insights", &[]),
        ("posthog", &[]),
    ] {
        with_the_script(recorder, other_headers);
    }
}

/// The trace and the span of the backend that a recorder tells its vendor of, for the request to that URL.
type Link = (String, String);

/// The recorder reads `Server-Timing`, and exports the request with a link to what it became.
fn links_its_requests(
    recorder: &str,
    source: Source,
    links: fn(export: &Value, url: &str) -> Vec<Link>,
) {
    with(recorder, true, source, |browser, sites| {
        reported(browser);
        for site in &sites.named {
            for request in WITH_HEADERS {
                let (seen, number) = sent(browser, site, request);
                let (span, _) = spans_of(number);
                let span = span.span_context;
                let expected = (span.trace_id().to_string(), span.span_id().to_string());
                let url = site.url(&format!("{}?{}", text(&seen["path"]), text(&seen["query"])));
                eventually(|| {
                    let exports = sites.named[0].all();
                    let exports = exports.iter().filter(|seen| seen["path"] != "/work");
                    let exports = exports.filter_map(|seen| {
                        serde_json::from_str::<Value>(seen["body"].as_str().unwrap()).ok()
                    });
                    let found: Vec<_> = exports.flat_map(|export| links(&export, &url)).collect();
                    match found.contains(&expected) {
                        true => Ok(()),
                        false => Err(format!("{recorder}: {request}: {found:?}, not {expected:?}")),
                    }
                });
            }
        }
    });
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The elements of a list, or nothing if it is not there.
fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[test]
fn splunk_links_its_requests() {
    links_its_requests("splunk", Source::splunk_cookie(), |export, url| {
        let of_it = list(export).iter().map(|span| &span["tags"]);
        let of_it = of_it.filter(|tags| tags["http.url"] == url);
        of_it.map(|tags| (text(&tags["link.traceId"]), text(&tags["link.spanId"]))).collect()
    });
}

#[test]
fn hyperdx_links_its_requests() {
    links_its_requests("hyperdx", Source::hyperdx_cookie(), |export, url| {
        let scopes = list(&export["resourceSpans"]).iter().flat_map(|it| list(&it["scopeSpans"]));
        let spans = scopes.flat_map(|scope| list(&scope["spans"]));
        let value = |span: &Value, key: &str| {
            let attribute = list(&span["attributes"]).iter().find(|it| it["key"] == key);
            attribute.map(|it| text(&it["value"]["stringValue"])).unwrap_or_default()
        };
        let of_it = spans.filter(|span| value(span, "http.url") == url);
        of_it.map(|span| (value(span, "link.traceId"), value(span, "link.spanId"))).collect()
    });
}

/// By itself: its package for tracing is not needed.
#[test]
fn faro_links_its_requests() {
    links_its_requests("faro", Source::header("X-Session-ID"), |export, url| {
        let events = list(&export["events"]).iter();
        let of_it = events.filter(|event| event["attributes"]["name"] == url);
        let trace =
            |event: &Value| (text(&event["trace"]["trace_id"]), text(&event["trace"]["span_id"]));
        of_it.map(trace).collect()
    });
}
