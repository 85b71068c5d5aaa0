//! The mark of a session that is kept, from one service to the next.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use http::{HeaderMap, HeaderName, HeaderValue};
use qorrelate_core::adapter::{
    Given, OutboundHeaders, Propagation, RequestHead, RequestSession, Settings, Target,
};
use qorrelate_core::{Carrier, Hosts, SessionId, Source};

#[derive(Default)]
struct Headers(HeaderMap);

impl Headers {
    fn new(headers: &[(&'static str, &str)]) -> Self {
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        });
        Self(headers.collect())
    }
}

impl RequestHead for Headers {
    type HeaderName = HeaderName;

    fn header_values(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        self.0.get_all(name).iter().map(HeaderValue::as_bytes)
    }

    fn method(&self) -> &str {
        "GET"
    }

    fn path(&self) -> &str {
        "/"
    }

    fn query(&self) -> Option<&str> {
        None
    }
}

impl OutboundHeaders for Headers {
    type HeaderName = HeaderName;

    fn values(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        self.0.get_all(name).iter().map(HeaderValue::as_bytes)
    }

    fn set(&mut self, name: &HeaderName, value: &[u8]) {
        self.0.insert(name.clone(), HeaderValue::from_bytes(value).unwrap());
    }

    fn remove(&mut self, name: &HeaderName) {
        self.0.remove(name);
    }
}

fn id(id: &str) -> SessionId {
    id.parse().unwrap()
}

/// Whether the session is kept once the service has that request.
fn is_kept_by(settings: &Settings<HeaderName>, session: &str, mark: (&'static str, &str)) -> bool {
    let head = Headers::new(&[("x-session-id", session), mark]);
    let request = RequestSession::begin(settings, &head, None);
    let id = request.outcome().unwrap().session_id().unwrap().clone();
    id.is_kept()
}

fn by_header() -> Settings<HeaderName> {
    Settings::new().keep_marked(Source::header("X-Session-Keep")).unwrap()
}

#[test]
fn a_mark_keeps_the_session_of_its_request() {
    assert!(is_kept_by(&by_header(), "marked", ("x-session-keep", "1")));
    assert!(!is_kept_by(&by_header(), "not-marked", ("x-other", "1")));
    assert!(!is_kept_by(&by_header(), "marked-empty", ("x-session-keep", "")));
    assert!(!is_kept_by(&Settings::new(), "nobody-asked", ("x-session-keep", "1")));

    let by_baggage = Settings::new().keep_marked(Source::baggage_member("session.keep")).unwrap();
    assert!(is_kept_by(&by_baggage, "member", ("baggage", "tenant=acme, session.keep=1")));
    assert!(!is_kept_by(&by_baggage, "no-member", ("baggage", "tenant=acme")));
}

#[test]
fn at_the_public_edge_no_mark_is_read() {
    assert!(!is_kept_by(&by_header().public_edge(), "edge", ("x-session-keep", "1")));
    let mark = Source::baggage_member("session.keep").read_at_public_edge();
    let settings = Settings::new().keep_marked(mark).unwrap().public_edge();
    assert!(!is_kept_by(&settings, "edge-baggage", ("baggage", "session.keep=1")));
}

#[test]
fn a_name_that_is_none_is_refused() {
    assert!(Settings::<HeaderName>::new().keep_marked(Source::header("no name")).is_err());
    assert!(Settings::<HeaderName>::new().keep_marked(Source::header("Cookie")).is_err());
    let propagation = || Propagation::<HeaderName>::new(Hosts::any());
    assert!(propagation().mark_kept(Carrier::header("no name")).is_err());
    assert!(propagation().mark_kept(Carrier::header("Authorization")).is_err());
}

fn sent(
    propagation: &Propagation<HeaderName>,
    host: &str,
    session: &str,
    mut headers: Headers,
) -> HeaderMap {
    let given = Given::new(Some(&id(session)), None);
    propagation.apply(Some(Target::new("https", host, None)), given, &mut headers);
    headers.0
}

#[test]
fn a_kept_session_is_marked_for_the_hosts_on_the_list_alone() {
    let hosts = Hosts::named(["payments.internal"]).unwrap();
    let propagation = Propagation::<HeaderName>::new(hosts)
        .mark_kept(Carrier::header("X-Session-Keep"))
        .unwrap()
        .remove_from_others();
    id("outbound-kept").keep();
    let stale = || Headers::new(&[("x-session-keep", "stale")]);

    let to = |host, session| sent(&propagation, host, session, stale());
    assert_eq!(to("payments.internal", "outbound-kept")["x-session-keep"], "1");
    assert!(!to("payments.internal", "outbound-other").contains_key("x-session-keep"));
    assert!(!to("example.com", "outbound-kept").contains_key("x-session-keep"));
    let silent = Propagation::new(Hosts::any());
    let headers = sent(&silent, "payments.internal", "outbound-kept", Headers::default());
    assert!(!headers.contains_key("x-session-keep"));
}

#[test]
fn the_mark_can_be_a_member_of_baggage() {
    let propagation = Propagation::<HeaderName>::new(Hosts::any())
        .mark_kept(Carrier::baggage_member("session.keep"))
        .unwrap();
    id("baggage-kept").keep();
    let tenant = || Headers::new(&[("baggage", "tenant=acme")]);
    let headers = sent(&propagation, "payments.internal", "baggage-kept", tenant());
    assert_eq!(headers["baggage"], "tenant=acme,session.keep=1");
    let stale = Headers::new(&[("baggage", "tenant=acme,session.keep=1")]);
    let headers = sent(&propagation, "payments.internal", "baggage-other", stale);
    assert_eq!(headers["baggage"], "tenant=acme");
}
