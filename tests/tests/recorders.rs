//! Real recorders, as their vendors publish them, in a real browser, against real servers of both adapters: the
//! ID that a recorder reports in the page is the ID on the backend's spans and log records.
//!
//! The SDKs talk to the page's own server in place of their vendors'. Nothing else can be reached.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

mod pages;

use pages::{Site, actix_site, axum_site};
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

/// Everything that could say who the user is, or let somebody act as the page.
const SECRETS: [&str; 2] = ["anna@example.com", "secret"];

struct Sites {
    /// The page's own, and another origin of its site.
    named: [Site; 2],
    /// Of another site, and not named to the recorder.
    stranger: Site,
}

/// Opens a page with the recorder in a browser that was never used before, on a site of each adapter.
fn with(recorder: &str, is_sampled: bool, source: Source, test: impl Fn(&Browser, &Sites)) {
    Telemetry::install();
    let driver = Driver::start();
    for serve in [axum_site, actix_site] {
        // Of two recorders in a page, the other has no ID.
        let sources = [Source::header("x-of-no-recorder"), source.clone().read_at_public_edge()];
        let [own, other, stranger] = [serve(&sources), serve(&sources), serve(&sources)];
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
    let head = format!(
        "<script>window.page = {settings}</script><script src=/bundles/{recorder}.js></script>{script}"
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

/// The session of one request of the page to that site.
#[track_caller]
fn session_of(browser: &Browser, site: &Site, request: &str) -> Value {
    site.forget();
    let url = site.url("/work");
    browser.script(&format!("const [url] = given; {request}"), vec![json!(url)]);
    let seen = site.only("/work");
    assert_eq!(seen["outcome"] == "missing", seen["session"].is_null(), "{request}: {seen}");
    seen["session"].clone()
}

/// The recorder sends its ID in a header, to the origins that it was told of.
fn sends_its_id(recorder: &str, source: Source) {
    with(recorder, true, source, |browser, sites| {
        reported(browser);
        for (site, is_named) in
            [(&sites.named[0], true), (&sites.named[1], true), (&sites.stranger, false)]
        {
            for request in WITH_HEADERS {
                let telemetry = Telemetry::install();
                telemetry.forget();
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
                if is_named {
                    everything_is_tagged(session.as_str().unwrap());
                } else {
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

/// The request's span, the span inside of it and its log record, each once.
#[track_caller]
fn everything_is_tagged(session: &str) {
    let telemetry = Telemetry::install();
    let of_session = |spans: &[opentelemetry_sdk::trace::SpanData]| {
        let mut names: Vec<_> = spans
            .iter()
            .filter(|span| span_values(span, ATTRIBUTE) == [session])
            .map(|span| if span.name == "work" { "work" } else { "request" })
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let records = telemetry.records_once(|spans| of_session(spans) == ["request", "work"]);
    let logs = records.logs.iter().filter(|log| log_values(log, "path") == ["/work"]);
    let tags: Vec<_> = logs.map(|log| log_values(log, ATTRIBUTE)).collect();
    assert!(tags.last().is_some_and(|tag| *tag == [session]), "{tags:?}");
}

#[track_caller]
fn no_secrets() {
    let shown = format!("{:?}", Telemetry::install().records_once(|_| true));
    for secret in SECRETS {
        assert!(!shown.contains(secret), "{secret} is shown");
    }
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
            let telemetry = Telemetry::install();
            telemetry.forget();
            assert_eq!(session_of(browser, own, request), id.as_str(), "{recorder}: {request}");
            everything_is_tagged(&id);
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

/// The recorder sends nothing, and the script for browsers sends its ID.
fn with_the_script(recorder: &str) {
    with(recorder, false, Source::header("X-Session-ID"), |browser, sites| {
        let script = format!(
            "<script src=/qorrelate.js data-id-from={recorder} data-origins={}></script>",
            sites.named[1].url("")
        );
        open(browser, sites, recorder, false, &script);
        let id = reported(browser);
        for request in WITH_HEADERS {
            for site in &sites.named {
                let session = session_of(browser, site, request);
                assert_eq!(session, id.as_str(), "{recorder}: {request}");
            }
            assert_eq!(session_of(browser, &sites.stranger, request), Value::Null, "{request}");
        }
    });
}

#[test]
fn recorders_that_send_nothing_by_themselves() {
    for recorder in ["faro", "splunk", "hyperdx", "app-insights", "posthog"] {
        with_the_script(recorder);
    }
}
