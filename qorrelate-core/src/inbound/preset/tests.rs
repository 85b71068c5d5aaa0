//! What each recorder sends, and what only looks like it.

use std::collections::HashMap;

use super::super::source::ResolvedSource;
use crate::adapter::RequestHead;
use crate::{BrokenRule, SessionIdRules, Source};

const UUID: &str = "0c3f2a6e-9f0b-4f5e-8d53-8a8a3a0d2c11";
const UUID_V7: &str = "019ac0de-7e57-7abc-8def-0123456789ab";
const OTHER_UUID: &str = "1c3f2a6e-9f0b-4f5e-8d53-8a8a3a0d2c11";
const HEX: &str = "9f86d081884c7d659a2feaa0c55ad015";
const BASE_62: &str = "vVaWOXV8i52mA8rvEkYSvp2nkxTQ";

/// What a source reads of a request with these header lines.
fn read(source: &Source, lines: &[(&str, &str)]) -> Option<Result<String, BrokenRule>> {
    let mut head = Head::default();
    for &(name, value) in lines {
        let name = name.parse().unwrap();
        head.lines.entry(name).or_default().push(value.as_bytes().to_vec());
    }
    let source = ResolvedSource::new(source.clone()).unwrap();
    let id = source.read(&head, &SessionIdRules::new());
    id.map(|id| id.map(|id| id.to_string()).map_err(|error| error.rule()))
}

#[derive(Default)]
struct Head {
    lines: HashMap<http::HeaderName, Vec<Vec<u8>>>,
}

impl RequestHead for Head {
    type HeaderName = http::HeaderName;

    fn header_values(&self, name: &http::HeaderName) -> impl Iterator<Item = &[u8]> {
        self.lines.get(name).into_iter().flatten().map(Vec::as_slice)
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

/// One recorder's values, each in the header or cookie of that name.
struct Recorder {
    source: Source,
    name: &'static str,
    ids: Vec<(String, String)>,
    /// The recorder says that there is no session.
    none: Vec<String>,
    malformed: Vec<String>,
}

impl Recorder {
    fn check(self, line: impl Fn(&str, &str) -> (&'static str, String)) {
        let Self { source, name, .. } = self;
        let read = |value: &str| {
            let (header, line) = line(name, value);
            read(&source, &[(header, &line)])
        };
        for (value, id) in self.ids {
            assert_eq!(read(&value), Some(Ok(id)), "{source}: {value}");
        }
        for value in self.none {
            assert_eq!(read(&value), None, "{source}: {value}");
        }
        for value in self.malformed {
            let expected = Some(Err(BrokenRule::UnexpectedFormat));
            assert_eq!(read(&value), expected, "{source}: {value}");
        }
        assert_eq!(read_nothing(&source), None, "{source}: no such header");
    }

    /// The value stands in the header of that name.
    fn in_header(self) {
        let name = self.name;
        self.check(|_, value| (name, value.to_owned()));
    }

    /// The value stands in the baggage member of that key, between others.
    fn in_baggage(self) {
        self.check(|key, value| ("baggage", format!("a=1,{key}={value};p=1, user.id=anna@x.io")));
    }

    /// The value stands in the cookie of that name, as it is, between others.
    fn in_cookie(self) {
        self.check(|name, value| ("cookie", format!("a=1; {name}={value}; b=2")));
    }
}

fn read_nothing(source: &Source) -> Option<Result<String, BrokenRule>> {
    read(source, &[("x-other", "1"), ("baggage", "a=1"), ("cookie", "a=1")])
}

/// Values that are the ID as they are.
fn plain<const N: usize>(ids: [&str; N]) -> Vec<(String, String)> {
    ids.map(|id| (id.to_owned(), id.to_owned())).to_vec()
}

fn strings<const N: usize>(values: [&str; N]) -> Vec<String> {
    values.map(str::to_owned).to_vec()
}

/// What is no UUID in lower case.
fn not_uuids() -> Vec<String> {
    let mut values = vec![UUID.to_uppercase(), UUID.replace('-', ""), UUID.replace('c', "g")];
    values.extend(["", "abc", HEX, "undefined", "anna@example.com"].map(str::to_owned));
    values.extend([format!("{UUID}0"), UUID[..35].to_owned(), UUID.replacen('-', "_", 1)]);
    values
}

fn not_hex() -> Vec<String> {
    let mut values = vec![HEX.to_uppercase(), format!("{HEX}0"), HEX[..31].to_owned()];
    values.extend(["", "abc", UUID, "undefined"].map(str::to_owned));
    values.push(HEX.replace('f', "g"));
    values
}

#[test]
fn recorders_that_send_a_uuid_in_baggage() {
    for source in [Source::datadog(), Source::openobserve()] {
        let (ids, malformed) = (plain([UUID, UUID_V7]), not_uuids());
        Recorder { source, name: "session.id", ids, none: vec![], malformed }.in_baggage();
    }
}

#[test]
fn recorders_that_send_hex_digits_in_baggage() {
    for (source, name) in [
        (Source::sentry_replay(), "sentry-replay_id"),
        (Source::rollbar(), "rollbar.session.id"),
        (Source::arms(), "sid"),
    ] {
        let (ids, malformed) = (plain([HEX]), not_hex());
        Recorder { source, name, ids, none: vec![], malformed }.in_baggage();
    }
}

#[test]
fn posthog() {
    let source = Source::posthog();
    let mut ids = plain([UUID_V7, UUID]);
    ids.push((format!("{UUID}, {UUID}"), UUID.to_owned()));
    let name = "x-posthog-session-id";
    Recorder { source, name, ids, none: vec![], malformed: not_uuids() }.in_header();
}

#[test]
fn highlight() {
    let of = |value: String| (value, BASE_62.to_owned());
    Recorder {
        source: Source::highlight(),
        name: "x-highlight-request",
        ids: vec![
            of(format!("{BASE_62}/{HEX}")),
            of(format!("{BASE_62}/0123456789")),
            of(format!("{BASE_62}/")),
            of(format!("{BASE_62}/a/b")),
            of(format!("{BASE_62}/r1, {BASE_62}/r2")),
            of(format!("{BASE_62}/r1,{BASE_62}/r2")),
            of(format!("/r1, {BASE_62}/r2")),
        ],
        none: strings(["/abc", "/", "", "/r1, /r2"]),
        malformed: vec![
            BASE_62.to_owned(),
            format!("{}/r", &BASE_62[1..]),
            format!("{BASE_62}a/r"),
            format!("{}-/r", &BASE_62[1..]),
            format!("{BASE_62}/r1, x/r2"),
            "undefined/r".to_owned(),
        ],
    }
    .in_header();
}

#[test]
fn openreplay() {
    const ID: &str = "7340123456789012345";
    const TOKEN: &str = "1jrnlbnmyvd2h.1a2b3c.4d5e6f.9hTq3Kx";
    let id = u64::from_str_radix("1jrnlbnmyvd2h", 36).unwrap().to_string();
    for name in ["x-openreplay-sessiontoken", "x-openreplay-session-token"] {
        Recorder {
            source: Source::openreplay(),
            name,
            ids: vec![
                (TOKEN.to_owned(), id.clone()),
                (format!("{TOKEN}, {TOKEN}"), id.clone()),
                ("3w5e11264sgsf.a.b.c".to_owned(), u64::MAX.to_string()),
            ],
            none: vec![],
            malformed: strings([
                "",
                ID,
                "1jrnlbnmyvd2h",
                "1jrnlbnmyvd2h.a.b",
                "1jrnlbnmyvd2h.a.b.c.d",
                "1jrnlbnmyvd2h..b.c",
                "+1jrnlbnmyvd2h.a.b.c",
                "0.a.b.c",
                "3w5e11264sgsg.a.b.c",
                ".a.b.c",
                "a-b.a.b.c",
            ]),
        }
        .in_header();
    }
    Recorder {
        source: Source::openreplay(),
        name: "openreplaysession.id",
        ids: plain([ID, "1", "18446744073709551615"]),
        none: vec![],
        malformed: strings([TOKEN, "", "0", "+1", "-1", "007", "18446744073709551616", "abc"]),
    }
    .in_header();
}

#[test]
fn logrocket() {
    let url = |rest: &str| format!("https://app.logrocket.com/{rest}");
    let id = format!("5-{UUID}");
    let of = |rest: String| (url(&rest), id.clone());
    let mut malformed = [
        format!("acme/shop/s/{UUID}"),
        format!("acme/shop/s/55-{UUID}"),
        format!("acme/shop/s/a-{UUID}"),
        format!("acme/shop/x/{id}"),
        format!("acme/s/{id}"),
        format!("/shop/s/{id}"),
        format!("acme/shop/s/{id}x"),
        "acme/shop/s/".to_owned(),
        String::new(),
    ]
    .map(|rest| url(&rest))
    .to_vec();
    malformed.extend([
        format!("http://app.logrocket.com/acme/shop/s/{id}"),
        format!("https://app.logrocket.com.evil.example/acme/shop/s/{id}"),
        format!("https://app.logrocket.com@evil.example/acme/shop/s/{id}"),
        format!("https://evil.example/acme/shop/s/{id}"),
        id.clone(),
    ]);
    Recorder {
        source: Source::logrocket(),
        name: "x-logrocket-url",
        ids: vec![
            of(format!("acme/shop/s/{id}")),
            of(format!("acme/shop/s/{id}/0?t=1700000000000")),
            of(format!("acme/shop/s/{id}?t=1")),
            of(format!("acme/shop/s/{id}#x")),
        ],
        none: vec![],
        malformed,
    }
    .in_header();
}

#[test]
fn fullstory() {
    const ID: &str = "5716839263813632:5646874153320448";
    let url = |rest: &str| format!("https://app.fullstory.com/ui/{rest}");
    let of = |url: String| (url, ID.to_owned());
    let encoded = ID.replace(':', "%3A");
    let mut malformed =
        ["ABC/session/123", "ABC/session/:1", "ABC/session/1:", "/session/1:2", "A/B/session/1:2"]
            .map(url)
            .to_vec();
    malformed.extend([
        url("ABC/session/a%2Fb:1"),
        url("ABC/session/..:1"),
        format!("http://app.fullstory.com/ui/ABC/session/{ID}"),
        format!("https://app.eu2.fullstory.com/ui/ABC/session/{ID}"),
        format!("https://app.fullstory.com.evil.example/ui/ABC/session/{ID}"),
        ID.to_owned(),
        String::new(),
    ]);
    Recorder {
        source: Source::fullstory(),
        name: "x-fullstory-url",
        ids: vec![
            of(url(&format!("ABC/session/{ID}"))),
            of(url(&format!("ABC/session/{encoded}"))),
            of(url(&format!("ABC/session/{ID}:1700000000000"))),
            of(url(&format!("ABC/session/{encoded}%3A1700000000000?x=1"))),
            of(format!("https://app.eu1.fullstory.com/ui/o-1-eu/session/{ID}")),
        ],
        none: vec![],
        malformed,
    }
    .in_header();
}

#[test]
fn dynatrace() {
    const ID: &str = "HAVPKPABRGIHHKLHCPTKPMOWULBFBUKC-0";
    let of = |value: &str| (value.to_owned(), ID.to_owned());
    Recorder {
        source: Source::dynatrace(),
        name: "x-dtpc",
        ids: vec![
            of("5$321512332_345h1vHAVPKPABRGIHHKLHCPTKPMOWULBFBUKC-0e0"),
            of("-1$321512332_345h1vHAVPKPABRGIHHKLHCPTKPMOWULBFBUKC-0e12"),
        ],
        none: vec![],
        malformed: strings([
            "",
            ID,
            "5$321512332_345h1vHAVPKPABRGIHHKLHCPTKPMOWULBFBUKC-0",
            "5$321512332_345h1vHAVPKPABRGIHHKLHCPTKPMOWULBFBUK-0e0",
            "5$321512332_345h1vhavpkpabrgihhklhcptkpmowulbfbukc-0e0",
            "321512332_345h1vHAVPKPABRGIHHKLHCPTKPMOWULBFBUKC-0e0",
            "5$321512332_345h1vHAVPKPABRGIHHKLHCPTKPMOWULBFBUKC-e0",
            "5$321512332_345h1vHAVPKPABRGIHHKLHCPTKPMOWULBFBUKC-0e",
            "5$321512332_345h1vHAVPKPABRGIHHKLHCPTKPMOWULBFBUKC-0e0x",
            "5$321512332_345h1vHAVPKPABRGIHHKLHCPTKPMOWULBFBUKCA-0e0",
            "5$321512332_345h1vHAVPKPABRGIHHKLHCPTKPMOWULBFBUK1-0e0",
            "5$321512332_345h1HAVPKPABRGIHHKLHCPTKPMOWULBFBUKC-0e0",
            "$v-e",
            "undefined",
        ]),
    }
    .in_header();
}

#[test]
fn datadog_and_openobserve_cookies() {
    for (source, name) in [
        (Source::datadog_cookie(), "_dd_s_v2"),
        (Source::datadog_cookie(), "_dd_s"),
        (Source::openobserve_cookie(), "_oo_s_v2"),
    ] {
        let of = |value: String| (value, UUID.to_owned());
        Recorder {
            source,
            name,
            ids: vec![
                of(format!("id={UUID}")),
                of(format!("aid={OTHER_UUID}&rum=1&id={UUID}&created=17&expire=18")),
                of(format!("rum=2&id={UUID}")),
            ],
            none: vec![
                format!("isExpired=1&aid={OTHER_UUID}"),
                format!("isExpired=1&id={UUID}"),
                format!("rum=0&id={UUID}"),
                format!("aid={OTHER_UUID}&rum=1"),
            ],
            malformed: vec![
                UUID.to_owned(),
                "id=".to_owned(),
                "id=abc".to_owned(),
                format!("id={}", UUID.to_uppercase()),
                String::new(),
            ],
        }
        .in_cookie();
    }
    let both = format!("_dd_s=id={OTHER_UUID}; _dd_s_v2=id={UUID}");
    let id = read(&Source::datadog_cookie(), &[("cookie", &both)]);
    assert_eq!(id, Some(Ok(UUID.to_owned())), "the newer one counts");
}

#[test]
fn app_insights_cookie() {
    const ID: &str = "sQj8/pl+Xn1aZ0bVt3rWcY";
    Recorder {
        source: Source::app_insights_cookie(),
        name: "ai_session",
        ids: vec![(format!("{ID}|1700000000000|1700000000001"), ID.to_owned())],
        none: vec![],
        malformed: vec![
            ID.to_owned(),
            format!("{ID}x|1|2"),
            format!("{}|1|2", &ID[1..]),
            format!("{}=|1|2", &ID[1..]),
            "|1|2".to_owned(),
            String::new(),
        ],
    }
    .in_cookie();
}

#[test]
fn clarity_cookies_are_joined() {
    let read = |lines: &str| read(&Source::clarity_cookie(), &[("cookie", lines)]);
    let id = Some(Ok("1pq6kxh/dl3q9a".to_owned()));
    assert_eq!(read("_clck=1pq6kxh%5E2%5Efx1%5E0%5E1999; _clsk=dl3q9a%5E17%5E1%5E1%5Ex.ms"), id);
    assert_eq!(read("_clsk=dl3q9a|17|1; a=1; _clck=1pq6kxh|2|fx1|0"), id);
    assert_eq!(read("_clck=1pq6kxh^2"), None, "a user is no session");
    assert_eq!(read("_clsk=dl3q9a^2"), None, "the session alone is not unique");
    let malformed = Some(Err(BrokenRule::UnexpectedFormat));
    assert_eq!(read("_clck=../..^2; _clsk=dl3q9a^2"), malformed);
    assert_eq!(read("_clck=1pq6kxh; _clsk=dl3q9a^2"), malformed);
    assert_eq!(read("_clck=^2; _clsk=dl3q9a^2"), malformed);
    assert_eq!(read("_clck=1pq6kxh^2; _clsk=anna@example.com^2"), malformed);
    let long = "a".repeat(33);
    assert_eq!(read(&format!("_clck={long}^2; _clsk=dl3q9a^2")), malformed);
}

#[cfg(feature = "json-cookies")]
mod json_cookies {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
    use serde_json::json;

    use super::*;

    fn encoded(json: &serde_json::Value) -> String {
        let json = json.to_string();
        percent_encoding::utf8_percent_encode(&json, percent_encoding::NON_ALPHANUMERIC).to_string()
    }

    #[test]
    fn splunk_and_hyperdx() {
        for (source, name) in
            [(Source::splunk_cookie(), "_splunk_rum_sid"), (Source::hyperdx_cookie(), "__rum_sid")]
        {
            let of = |json: serde_json::Value| (encoded(&json), HEX.to_owned());
            let mut malformed: Vec<_> =
                not_hex().into_iter().map(|id| encoded(&json!({ "id": id }))).collect();
            malformed.extend([HEX.to_owned(), String::new(), "%7B".to_owned()]);
            malformed.extend([json!({}), json!([HEX]), json!({ "id": 1 })].map(|j| encoded(&j)));
            Recorder {
                source,
                name,
                ids: vec![of(json!({ "id": HEX, "startTime": 17, "expiresAt": 18 }))],
                none: vec![],
                malformed,
            }
            .in_cookie();
        }
    }

    #[test]
    fn posthog() {
        let cookie = |sesid: serde_json::Value| {
            encoded(&json!({ "distinct_id": "anna@example.com", "$sesid": sesid }))
        };
        let mut malformed: Vec<_> =
            not_uuids().into_iter().map(|id| cookie(json!([17, id, 16]))).collect();
        malformed.extend([UUID.to_owned(), String::new(), cookie(json!([17, 5, 16])), "[]".into()]);
        Recorder {
            source: Source::posthog_cookie("phc_abc"),
            name: "ph_phc_abc_posthog",
            ids: vec![(cookie(json!([17, UUID_V7, 16])), UUID_V7.to_owned())],
            none: vec![cookie(json!([null, null, null])), encoded(&json!({ "distinct_id": "x" }))],
            malformed,
        }
        .in_cookie();
        let other = cookie(json!([17, UUID, 16]));
        let lines = format!("ph_phc_other_posthog={other}");
        let read = read(&Source::posthog_cookie("phc_abc"), &[("cookie", &lines)]);
        assert_eq!(read, None, "another project's");
    }

    #[test]
    fn amplitude() {
        let cookie = |json: serde_json::Value| STANDARD.encode(encoded(&json));
        let id = format!("{UUID}/1700000000000");
        Recorder {
            source: Source::amplitude_cookie("0123456789abcdef"),
            name: "AMP_0123456789",
            ids: vec![
                (
                    cookie(json!({
                        "deviceId": UUID, "userId": "anna@example.com",
                        "sessionId": 1_700_000_000_000_u64, "optOut": false,
                    })),
                    id.clone(),
                ),
                (
                    STANDARD_NO_PAD.encode(
                        json!({ "deviceId": UUID, "sessionId": 1_700_000_000_000_u64 }).to_string(),
                    ),
                    id,
                ),
            ],
            none: vec![
                cookie(json!({ "deviceId": UUID })),
                cookie(json!({ "deviceId": UUID, "sessionId": -1 })),
                cookie(json!({ "deviceId": UUID, "sessionId": 1, "optOut": true })),
            ],
            malformed: vec![
                cookie(json!({ "sessionId": 1 })),
                cookie(json!({ "deviceId": "anna@example.com", "sessionId": 1 })),
                cookie(json!({ "deviceId": "../..", "sessionId": 1 })),
                cookie(json!({ "deviceId": UUID, "sessionId": "x" })),
                encoded(&json!({ "deviceId": UUID, "sessionId": 1 })),
                "!".to_owned(),
            ],
        }
        .in_cookie();
    }

    #[test]
    fn aws_rum() {
        let cookie = |json: serde_json::Value| STANDARD.encode(json.to_string());
        Recorder {
            source: Source::aws_rum_cookie(),
            name: "cwr_s",
            ids: vec![(
                cookie(json!({ "sessionId": UUID, "record": true, "eventCount": 1 })),
                UUID.to_owned(),
            )],
            none: vec![],
            malformed: vec![
                cookie(json!({ "sessionId": HEX })),
                cookie(json!({})),
                json!({ "sessionId": UUID }).to_string().replace(['"', ','], "_"),
                String::new(),
            ],
        }
        .in_cookie();
    }

    #[test]
    fn a_project_key_that_no_cookie_name_can_have_is_refused() {
        for source in [Source::posthog_cookie("a;b"), Source::amplitude_cookie("a b")] {
            assert!(ResolvedSource::<http::HeaderName>::new(source).is_err());
        }
    }
}

#[test]
fn two_sessions_in_one_source_are_malformed() {
    let both = format!("{UUID}, {OTHER_UUID}");
    let conflicting = Some(Err(BrokenRule::Conflicting));
    assert_eq!(read(&Source::posthog(), &[("x-posthog-session-id", &both)]), conflicting);
    let lines = [("x-posthog-session-id", UUID), ("x-posthog-session-id", OTHER_UUID)];
    assert_eq!(read(&Source::posthog(), &lines), conflicting);
    let other = BASE_62.to_lowercase();
    let both = format!("{BASE_62}/r1, {other}/r2");
    assert_eq!(read(&Source::highlight(), &[("x-highlight-request", &both)]), conflicting);
    let both = "1jrnlbnmyvd2h.a.b.c, 1jrnlbnmyvd2i.a.b.c";
    assert_eq!(read(&Source::openreplay(), &[("x-openreplay-sessiontoken", both)]), conflicting);
    let [one, two] = ["HAVPKPABRGIHHKLHCPTKPMOWULBFBUKC", "IAVPKPABRGIHHKLHCPTKPMOWULBFBUKC"];
    let both = format!("5$1_2h1v{one}-0e0, 5$1_2h1v{two}-0e0");
    assert_eq!(read(&Source::dynatrace(), &[("x-dtpc", &both)]), conflicting);
    let both = format!("_oo_s_v2=id={UUID}; _oo_s_v2=id={OTHER_UUID}");
    assert_eq!(read(&Source::openobserve_cookie(), &[("cookie", &both)]), conflicting);
    let baggage = format!("session.id={UUID},session.id={OTHER_UUID}");
    assert_eq!(read(&Source::datadog(), &[("baggage", &baggage)]), conflicting);
    let baggage = format!("session.id={UUID},session.id={UUID}");
    assert_eq!(read(&Source::datadog(), &[("baggage", &baggage)]), Some(Ok(UUID.to_owned())));
}

#[test]
fn what_no_sdk_would_send_is_not_looked_at() {
    let long = format!("{BASE_62}/{}", "a".repeat(9000));
    let read = read(&Source::highlight(), &[("x-highlight-request", &long)]);
    assert_eq!(read, Some(Err(BrokenRule::UnexpectedFormat)));
}

#[test]
fn the_sentinels_are_no_ids_in_presets_either() {
    let nil = "00000000-0000-0000-0000-000000000000";
    let read = read(&Source::posthog(), &[("x-posthog-session-id", nil)]);
    assert_eq!(read, Some(Err(BrokenRule::Sentinel)));
}

#[test]
fn a_preflight_must_allow_what_the_sdk_adds() {
    let headers = |source: &Source| source.request_headers().collect::<Vec<_>>().join(" ");
    assert_eq!(headers(&Source::header("X-Session-ID")), "x-session-id");
    assert_eq!(headers(&Source::baggage()), "baggage");
    assert_eq!(headers(&Source::cookie("sid")), "");
    assert_eq!(headers(&Source::query("sid")), "");
    assert_eq!(headers(&Source::sentry_replay()), "baggage sentry-trace traceparent");
    assert_eq!(headers(&Source::rollbar()), "baggage");
    assert_eq!(
        headers(&Source::datadog()),
        "baggage traceparent tracestate x-datadog-origin x-datadog-parent-id \
         x-datadog-sampling-priority x-datadog-trace-id"
    );
    for source in [Source::openobserve(), Source::arms()] {
        assert_eq!(headers(&source), "baggage traceparent tracestate");
    }
    assert_eq!(
        headers(&Source::posthog()),
        "x-posthog-session-id x-posthog-window-id x-posthog-distinct-id traceparent"
    );
    assert_eq!(headers(&Source::highlight()), "x-highlight-request traceparent");
    assert_eq!(
        headers(&Source::openreplay()),
        "x-openreplay-sessiontoken x-openreplay-session-token openreplaysession.id"
    );
    assert_eq!(headers(&Source::logrocket()), "x-logrocket-url");
    assert_eq!(headers(&Source::fullstory()), "x-fullstory-url");
    assert_eq!(headers(&Source::dynatrace()), "x-dtpc");
    for source in [Source::datadog_cookie(), Source::openobserve_cookie(), Source::clarity_cookie()]
    {
        assert_eq!(headers(&source), "", "{source}");
    }
    assert_eq!(headers(&Source::app_insights_cookie()), "request-id traceparent");
    #[cfg(feature = "json-cookies")]
    for (source, expected) in [
        (Source::posthog_cookie("phc_abc"), ""),
        (Source::splunk_cookie(), ""),
        (Source::hyperdx_cookie(), "traceparent"),
        (Source::amplitude_cookie("0123456789"), ""),
        (Source::aws_rum_cookie(), "x-amzn-trace-id"),
    ] {
        assert_eq!(headers(&source), expected, "{source}");
    }
}

#[test]
fn equal_presets_are_of_one_recorder_and_project() {
    assert_eq!(Source::posthog(), Source::posthog());
    assert_ne!(Source::datadog(), Source::openobserve());
    assert_ne!(Source::datadog(), Source::datadog().attribute("a"));
    assert_ne!(Source::cookie("a"), Source::cookie("a").read_at_public_edge());
    #[cfg(feature = "json-cookies")]
    assert_ne!(Source::posthog_cookie("a"), Source::posthog_cookie("b"));
}
