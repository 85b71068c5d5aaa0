//! One table of cases, a request in and what comes of it, run through every adapter over a socket.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use qorrelate_core::SessionId;
use qorrelate_tests::client::{self, Answer};
use qorrelate_tests::config::{Config, HOOKED};
use qorrelate_tests::server::{ADAPTERS, describe};
use qorrelate_tests::telemetry::{Records, Telemetry};

/// A request, and what must come of it.
struct Case {
    name: &'static str,
    config: Config,
    target: &'static str,
    headers: Vec<(&'static str, Vec<u8>)>,
    status: u16,
    session: Session,
    outcome: &'static str,
}

/// The session that the request must be handled in.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Session {
    None,
    Is(&'static str),
    /// A UUID of that version, made by the service.
    Generated(usize),
}

use Session::{Generated, Is};

const UUID: &str = "0c3f2a6e-9f0b-4f5e-8d53-8a8a3a0d2c11";
const NO_HEADERS: [(&str, &str); 0] = [];

fn case<V: AsRef<[u8]>>(
    name: &'static str,
    headers: impl IntoIterator<Item = (&'static str, V)>,
    session: Session,
    outcome: &'static str,
) -> Case {
    Case {
        name,
        config: Config::Default,
        target: "/work",
        headers: headers.into_iter().map(|(name, value)| (name, value.as_ref().to_vec())).collect(),
        status: 200,
        session,
        outcome,
    }
}

impl Case {
    fn with(self, config: Config) -> Self {
        Self { config, ..self }
    }

    fn to(self, target: &'static str) -> Self {
        Self { target, ..self }
    }

    fn answering(self, status: u16) -> Self {
        Self { status, ..self }
    }
}

fn cases() -> Vec<Case> {
    let header = |value: &'static str| [("x-session-id", value)];
    let found = "found in header x-session-id";
    vec![
        // The header.
        case("a UUID", header(UUID), Is(UUID), found),
        case(
            "another grammar",
            header("sQj8/pl+Xn1=a~b.c_d:e"),
            Is("sQj8/pl+Xn1=a~b.c_d:e"),
            found,
        ),
        case("the name in another case", [("X-SESSION-id", "abc")], Is("abc"), found),
        case("white space around the value", header(" \t abc \t "), Is("abc"), found),
        case("no header", NO_HEADERS, Session::None, "missing"),
        case(
            "another vendor's header, not asked for",
            [("x-posthog-session-id", "abc")],
            Session::None,
            "missing",
        ),
        case(
            "twice the same",
            [("x-session-id", "abc"), ("x-session-id", "abc")],
            Is("abc"),
            found,
        ),
        case(
            "twice, not the same",
            [("x-session-id", "abc"), ("x-session-id", "abd")],
            Session::None,
            "malformed in header x-session-id: conflicting of 3",
        ),
        case(
            "twice, and once empty",
            [("x-session-id", "abc"), ("x-session-id", "")],
            Session::None,
            "malformed in header x-session-id: conflicting of 3",
        ),
        case(
            "the most bytes there may be",
            [("x-session-id", "a".repeat(128))],
            Is("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
                 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
            found,
        ),
        // Hostile headers.
        case(
            "one byte too many",
            [("x-session-id", "a".repeat(129))],
            Session::None,
            "malformed in header x-session-id: too_long of 129",
        ),
        case(
            "64 KiB",
            [("x-session-id", "a".repeat(65_536))],
            Session::None,
            "malformed in header x-session-id: too_long of 65536",
        ),
        case("empty", header(""), Session::None, "malformed in header x-session-id: empty of 0"),
        case(
            "not ASCII",
            header("s\u{e9}ssion"),
            Session::None,
            "malformed in header x-session-id: forbidden_byte of 8",
        ),
        case(
            "not UTF-8",
            [("x-session-id", b"abc\xff\xfe")],
            Session::None,
            "malformed in header x-session-id: forbidden_byte of 5",
        ),
        case(
            "a line break, percent-encoded",
            header("abc%0d%0aforged"),
            Session::None,
            "malformed in header x-session-id: forbidden_byte of 15",
        ),
        case(
            "a line break of Unicode",
            header("abc\u{2028}forged\u{85}line"),
            Session::None,
            "malformed in header x-session-id: forbidden_byte of 18",
        ),
        case(
            "a tab",
            header("abc\tforged"),
            Session::None,
            "malformed in header x-session-id: forbidden_byte of 10",
        ),
        case(
            "a quote and a brace",
            header(r#"abc","forged":"{"#),
            Session::None,
            "malformed in header x-session-id: forbidden_byte of 16",
        ),
        case(
            "an escape sequence of a terminal, in part",
            header("abc[31mforged"),
            Session::None,
            "malformed in header x-session-id: forbidden_byte of 13",
        ),
        case(
            "an e-mail address",
            header("anna@example.com"),
            Session::None,
            "malformed in header x-session-id: forbidden_byte of 16",
        ),
        case(
            "undefined",
            header("undefined"),
            Session::None,
            "malformed in header x-session-id: sentinel of 9",
        ),
        case(
            "a dot",
            header("."),
            Session::None,
            "malformed in header x-session-id: dot_segment of 1",
        ),
        case(
            "two dots",
            header(".."),
            Session::None,
            "malformed in header x-session-id: dot_segment of 2",
        ),
        case("a path", header("../../admin"), Is("../../admin"), found),
        case(
            "the nil UUID",
            header("00000000-0000-0000-0000-000000000000"),
            Session::None,
            "malformed in header x-session-id: sentinel of 36",
        ),
        // Other sources.
        case(
            "PostHog's header",
            [("X-PostHog-Session-Id", UUID)],
            Is(UUID),
            "found in header x-posthog-session-id",
        )
        .with(Config::OtherHeader),
        case("the default header, not asked for", header("abc"), Session::None, "missing")
            .with(Config::OtherHeader),
        case("a query parameter", NO_HEADERS, Is("a+b"), "found in query session_id")
            .with(Config::Query)
            .to("/work?x=1&session_id=a%2Bb&y"),
        case(
            "a query parameter with a bare plus, which means a space",
            NO_HEADERS,
            Session::None,
            "malformed in query session_id: forbidden_byte of 3",
        )
        .with(Config::Query)
        .to("/work?session_id=a+b"),
        case(
            "two query parameters, not the same",
            NO_HEADERS,
            Session::None,
            "malformed in query session_id: conflicting of 1",
        )
        .with(Config::Query)
        .to("/work?session_id=a&session_id=b"),
        case("a query without it", NO_HEADERS, Session::None, "missing")
            .with(Config::Query)
            .to("/work?sessionid=a"),
        case("a query, not asked for", NO_HEADERS, Session::None, "missing")
            .to("/work?session_id=a"),
        case(
            "a cookie among others",
            [("cookie", "a=1; sid=abc; sid2=def")],
            Is("abc"),
            "found in cookie sid",
        )
        .with(Config::Cookie),
        case(
            "a cookie, quoted and percent-encoded",
            [("cookie", r#"sid="a%2Fb""#)],
            Is("a/b"),
            "found in cookie sid",
        )
        .with(Config::Cookie),
        case(
            "a cookie of another case is another cookie",
            [("cookie", "SID=abc")],
            Session::None,
            "missing",
        )
        .with(Config::Cookie),
        case(
            "a baggage member among others, with white space and properties",
            [("baggage", "tenant=acme ,\tsession.id = abc ;p=1; q, user.id=anna%40example.com")],
            Is("abc"),
            "found in baggage session.id",
        )
        .with(Config::Baggage),
        case(
            "a baggage member in the second line",
            [("baggage", "tenant=acme"), ("baggage", "session.id=a%3Ab=c")],
            Is("a:b=c"),
            "found in baggage session.id",
        )
        .with(Config::Baggage),
        case(
            "two baggage members, not the same",
            [("baggage", "session.id=abc"), ("baggage", "session.id=abd")],
            Session::None,
            "malformed in baggage session.id: conflicting of 3",
        )
        .with(Config::Baggage),
        case(
            "a baggage member with an encoded line break",
            [("baggage", "session.id=abc%0D%0Aforged")],
            Session::None,
            "malformed in baggage session.id: forbidden_byte of 11",
        )
        .with(Config::Baggage),
        case(
            "a function's answer",
            [("x-highlight-request", "abc/def")],
            Is("abc"),
            "found in function",
        )
        .with(Config::Function),
        case(
            "a function's answer that is empty",
            [("x-highlight-request", "/def")],
            Session::None,
            "malformed in function: empty of 0",
        )
        .with(Config::Function),
        case("a function without an answer", header("abc"), Session::None, "missing")
            .with(Config::Function),
        // The order of sources.
        case(
            "the first source wins",
            [("cookie", "sid=c"), ("baggage", "session.id=b"), ("x-session-id", "h")],
            Is("h"),
            found,
        )
        .with(Config::Several),
        case(
            "a malformed source is passed over",
            [("cookie", "sid=c"), ("x-session-id", "undefined")],
            Is("c"),
            "found in cookie sid",
        )
        .with(Config::Several),
        case(
            "the first malformed source is told",
            [("cookie", "sid=null"), ("baggage", "session.id=")],
            Session::None,
            "malformed in baggage session.id: empty of 0",
        )
        .with(Config::Several),
        // The public edge.
        case("the header, at the public edge", header("abc"), Is("abc"), found)
            .with(Config::PublicEdge),
        case(
            "the header and others, at the public edge",
            [("baggage", "session.id=b"), ("cookie", "sid=c"), ("x-session-id", "h")],
            Is("h"),
            found,
        )
        .with(Config::PublicEdge),
        case(
            "no other source is read at the public edge",
            [("baggage", "session.id=b"), ("cookie", "sid=c"), ("x-other", "f")],
            Session::None,
            "missing",
        )
        .with(Config::PublicEdge)
        .to("/work?session_id=q"),
        case(
            "no other source helps out at the public edge",
            [("baggage", "session.id=b"), ("x-session-id", "null")],
            Session::None,
            "malformed in header x-session-id: sentinel of 4",
        )
        .with(Config::PublicEdge),
        // Narrowing.
        case("a UUID where only UUIDs pass", header(UUID), Is(UUID), found).with(Config::UuidOnly),
        case(
            "no UUID where only UUIDs pass",
            header("abc"),
            Session::None,
            "malformed in header x-session-id: not_a_uuid of 3",
        )
        .with(Config::UuidOnly),
        case(
            "longer than this service allows",
            header("123456789"),
            Session::None,
            "malformed in header x-session-id: too_long of 9",
        )
        .with(Config::MaxLen),
        case(
            "refused by this service's predicate",
            header("ios-1"),
            Session::None,
            "malformed in header x-session-id: refused of 5",
        )
        .with(Config::Predicate),
        case("accepted by this service's predicate", header("web-1"), Is("web-1"), found)
            .with(Config::Predicate),
        // Policies.
        case("made when missing", NO_HEADERS, Generated(7), "missing")
            .with(Config::GenerateOnMissing),
        case("not made when found", header("abc"), Is("abc"), found)
            .with(Config::GenerateOnMissing),
        case(
            "made when missing only",
            header("null"),
            Session::None,
            "malformed in header x-session-id: sentinel of 4",
        )
        .with(Config::GenerateOnMissing),
        case(
            "made when malformed",
            header("null"),
            Generated(4),
            "malformed in header x-session-id: sentinel of 4",
        )
        .with(Config::GenerateOnMalformed),
        case("made when malformed only", NO_HEADERS, Session::None, "missing")
            .with(Config::GenerateOnMalformed),
        // What is sent back.
        case("sent back", header("abc"), Is("abc"), found).with(Config::Echo),
        case("sent back from a failure", header("abc"), Is("abc"), found)
            .with(Config::Echo)
            .to("/fails")
            .answering(503),
        case("sent back from a middleware's failure", header("abc"), Is("abc"), found)
            .with(Config::Echo)
            .to("/refused")
            .answering(503),
        case("a body that is streamed, and dropped", header("abc"), Is("abc"), found)
            .to("/streams"),
        case("not sent back over the handler's own", header("abc"), Is("abc"), found)
            .with(Config::Echo)
            .to("/answers"),
        case("nothing to send back", NO_HEADERS, Session::None, "missing").with(Config::Echo),
        case(
            "nothing malformed is sent back",
            header("a b"),
            Session::None,
            "malformed in header x-session-id: forbidden_byte of 3",
        )
        .with(Config::Echo),
        // Requiring a session.
        case("required and there", header("abc"), Is("abc"), found).to("/guarded"),
        case("required and missing", NO_HEADERS, Session::None, "missing")
            .to("/guarded")
            .answering(400),
        case(
            "required and malformed",
            header("a b"),
            Session::None,
            "malformed in header x-session-id: forbidden_byte of 3",
        )
        .to("/guarded")
        .answering(400),
        case("extracted and there", header("abc"), Is("abc"), found).to("/needs"),
        case("extracted and missing", NO_HEADERS, Session::None, "missing")
            .to("/needs")
            .answering(400),
        case(
            "extracted and malformed",
            [("x-session-id", "a".repeat(129))],
            Session::None,
            "malformed in header x-session-id: too_long of 129",
        )
        .to("/needs")
        .answering(400),
    ]
}

#[test]
fn every_case_comes_out_the_same_through_every_adapter() {
    let telemetry = Telemetry::install();
    let mut failed = Vec::new();
    for adapter in ADAPTERS {
        for case in cases() {
            let server = (adapter.serve)(case.config);
            let (answer, records) = telemetry.record(|| {
                let headers: Vec<_> =
                    case.headers.iter().map(|(name, value)| (*name, &value[..])).collect();
                client::get(server.address, case.target, &headers)
            });
            let problems = problems(&case, &answer, &records);
            if !problems.is_empty() {
                failed.push(format!("{}, {}: {}", adapter.name, case.name, problems.join("; ")));
            }
        }
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

/// Everything that is not as the case says.
fn problems(case: &Case, answer: &Answer, records: &Records) -> Vec<String> {
    let mut problems = Vec::new();
    let mut expect = |what: &str, actual: String, expected: String| {
        if actual != expected {
            problems.push(format!("{what}: {actual}, expected {expected}"));
        }
    };

    expect("status", answer.status.to_string(), case.status.to_string());

    // What the handler saw.
    let mut session = match case.session {
        Is(id) => Some(id.to_owned()),
        _ => None,
    };
    if answer.status == 200 && answer.header("content-type") == ["application/json"] {
        let seen = answer.json();
        if let Generated(version) = case.session {
            let id = seen["current"].as_str().unwrap_or_default().to_owned();
            let is = uuid::Uuid::parse_str(&id).map(|uuid| uuid.get_version_num());
            expect("version", format!("{is:?}"), format!("Ok({version})"));
            session = Some(id);
        }
        let session = serde_json::to_value(&session).unwrap();
        expect("current", seen["current"].to_string(), session.to_string());
        if case.target.starts_with("/work") || case.target == "/needs" {
            expect("extracted", seen["extracted"].to_string(), session.to_string());
        }
        expect("outcome", seen["outcome"].to_string(), format!("{:?}", case.outcome));
    }

    // Every span and every log record, once, and none without a session.
    let tags: Vec<String> = session.iter().cloned().collect();
    for (name, ids) in records.spans_tagged() {
        expect(&format!("span {name}"), format!("{ids:?}"), format!("{tags:?}"));
    }
    let logs = records.logs_tagged();
    let logged = logs.iter().filter(|(body, _)| body.contains("the pause")).count();
    expect(
        "log records of work",
        logged.to_string(),
        (2 * usize::from(answer.status != 400)).to_string(),
    );
    let dropped = logs.iter().filter(|(body, _)| body.contains("the body is dropped")).count();
    let streams = case.target == "/streams";
    expect("bodies dropped", dropped.to_string(), usize::from(streams).to_string());
    if streams {
        let chunks = ["one", "two"].map(|chunk| answer.body.contains(chunk));
        expect("chunks of the body", format!("{chunks:?}"), format!("{:?}", [true; 2]));
    }
    for (body, ids) in logs {
        expect(&format!("log {body}"), format!("{ids:?}"), format!("{tags:?}"));
    }
    let worked = answer.status != 400;
    let count = |name: &str| records.spans.iter().filter(|span| span.name == name).count();
    expect("spans of work", count("work").to_string(), usize::from(worked).to_string());
    let lines = records.lines_saying("the pause");
    expect("lines of work", lines.len().to_string(), (2 * usize::from(worked)).to_string());
    for line in lines {
        let id = line["session.id"].as_str().map(str::to_owned);
        expect("line", format!("{id:?}"), format!("{session:?}"));
    }

    // The one debug line, without a byte of what was refused.
    let reports: Vec<_> = records
        .lines
        .iter()
        .filter(|line| line["target"] == "qorrelate" && line["fields"]["outcome"].is_string())
        .collect();
    expect("reports", reports.len().to_string(), "1".to_owned());
    for report in reports {
        let outcome = case.outcome.split(' ').next().unwrap();
        expect("reported", report["fields"]["outcome"].to_string(), format!("{outcome:?}"));
    }
    let shown = serde_json::to_string(&records.lines).unwrap() + &answer.body;
    for (name, value) in &case.headers {
        if outcome_is_malformed(case) && value.len() > 4 && *name != "cookie" {
            let value = String::from_utf8_lossy(value);
            let shows = shown.contains(&*value) || shown.contains("forged");
            expect("shows the bytes", shows.to_string(), "false".to_owned());
        }
    }

    // What is sent back.
    let echoed = match (case.config, &session) {
        _ if case.target == "/answers" => vec!["own"],
        (Config::Echo, Some(id)) => vec![id.as_str()],
        _ => vec![],
    };
    expect("sent back", format!("{:?}", answer.header("x-session-id")), format!("{echoed:?}"));

    // The trace of the request, appended.
    let server_span = records
        .spans
        .iter()
        .find(|span| span.span_kind == opentelemetry::trace::SpanKind::Server)
        .unwrap();
    let context = &server_span.span_context;
    let parent = format!("00-{}-{}-01", context.trace_id(), context.span_id());
    let trace = format!("traceparent;desc=\"{parent}\", trace;desc={parent}");
    let mut timings = vec![trace.as_str()];
    if case.target == "/answers" {
        timings.insert(0, "db;dur=5");
    }
    expect(
        "server-timing",
        format!("{:?}", answer.header("server-timing")),
        format!("{timings:?}"),
    );

    // The problem document.
    if case.status == 400 {
        expect(
            "content-type",
            format!("{:?}", answer.header("content-type")),
            format!("{:?}", ["application/problem+json"]),
        );
        let problem = answer.json();
        let reason = if outcome_is_malformed(case) { "malformed" } else { "missing" };
        expect("reason", problem["reason"].to_string(), format!("{reason:?}"));
        expect("problem status", problem["status"].to_string(), "400".to_owned());
    }
    problems
}

fn outcome_is_malformed(case: &Case) -> bool {
    case.outcome.starts_with("malformed")
}

#[test]
fn what_a_recorder_sends_is_read_at_the_public_edge_too() {
    const HIGHLIGHT: &str = "vVaWOXV8i52mA8rvEkYSvp2nkxTQ";
    const HEX: &str = "9f86d081884c7d659a2feaa0c55ad015";
    let splunk = format!("_splunk_rum_sid=%7B%22id%22%3A%22{HEX}%22%7D");
    let hyperdx = format!("__rum_sid=%7B%22id%22%3A%22{HEX}%22%7D");
    let baggage = format!("tenant=acme, session.id={UUID},user.id=anna%40example.com");
    let highlight = format!("{HIGHLIGHT}/r1, {HIGHLIGHT}/r2");
    let requests = [
        (vec![], None, "missing"),
        (vec![("baggage", &*baggage)], Some(UUID), "found in preset datadog"),
        (vec![("x-posthog-session-id", UUID)], Some(UUID), "found in preset posthog"),
        (vec![("x-highlight-request", &*highlight)], Some(HIGHLIGHT), "found in preset highlight"),
        (
            // Of two recorders in a page, the one that is listed first.
            vec![("baggage", &*baggage), ("x-highlight-request", &*highlight)],
            Some(HIGHLIGHT),
            "found in preset highlight",
        ),
        (
            vec![("x-highlight-request", "/before-there-is-a-session"), ("baggage", &*baggage)],
            Some(UUID),
            "found in preset datadog",
        ),
        (
            vec![("x-posthog-session-id", "anna@example.com")],
            None,
            "malformed in preset posthog: unexpected_format of 16",
        ),
        (vec![("cookie", &*splunk)], Some(HEX), "found in preset splunk_cookie"),
        // Of no recorder that is named, or of one whose cookie the public edge does not read.
        (vec![("cookie", &*hyperdx)], None, "missing"),
        (vec![("x-session-id", UUID)], None, "missing"),
    ];
    let telemetry = Telemetry::install();
    for adapter in ADAPTERS {
        for config in [Config::Recorders, Config::RecordersAtPublicEdge] {
            let server = (adapter.serve)(config);
            for (headers, session, outcome) in &requests {
                let headers: Vec<_> =
                    headers.iter().map(|&(name, value)| (name, value.as_bytes())).collect();
                let (answer, _) =
                    telemetry.record(|| client::get(server.address, "/work", &headers));
                let about = format!("{}, {config:?}: {headers:?}", adapter.name);
                let body = answer.json();
                assert_eq!(body["current"].as_str(), *session, "{about}");
                assert_eq!(body["outcome"], *outcome, "{about}");
            }
            let headers = [("baggage", baggage.as_bytes())];
            let (answer, _) =
                telemetry.record(|| client::get(server.address, "/baggage", &headers));
            let goes_on = config == Config::Recorders;
            assert_eq!(answer.body, if goes_on { &*baggage } else { "" }, "{}", adapter.name);
        }
    }
}

#[test]
fn a_token_is_nowhere_shown() {
    const TOKEN: &str = "1jrnlbnmyvd2h.secret1.secret2.secret3";
    let id = u64::from_str_radix("1jrnlbnmyvd2h", 36).unwrap().to_string();
    let telemetry = Telemetry::install();
    for adapter in ADAPTERS {
        let server = (adapter.serve)(Config::Recorders);
        for (name, session) in [
            ("x-openreplay-sessiontoken", Some(&*id)),
            ("x-openreplay-session-token", Some(&*id)),
            // The token, where the number should be.
            ("openreplaysession.id", None),
        ] {
            let headers = [(name, TOKEN.as_bytes()), ("x-other", b"shown")];
            for path in ["/work", "/fails", "/guarded", "/headers"] {
                let (answer, records) =
                    telemetry.record(|| client::get(server.address, path, &headers));
                let shown = format!("{answer:?} {records:?}");
                assert!(!shown.contains("secret"), "{}: {name} {path}: {shown}", adapter.name);
                if path == "/headers" {
                    assert!(answer.body.contains("shown"), "{}", answer.body);
                    assert!(answer.body.contains("Sensitive"), "{}", answer.body);
                }
                if path == "/work" {
                    assert_eq!(answer.json()["current"].as_str(), session, "{name}");
                }
            }
        }
    }
}

#[test]
fn a_hook_is_called_once_per_request_in_its_session() {
    let telemetry = Telemetry::install();
    for adapter in ADAPTERS {
        let server = (adapter.serve)(Config::Hook);
        for (value, expected) in [
            ("abc", Some("found in header x-session-id")),
            ("a b", Some("malformed in header x-session-id: forbidden_byte of 3")),
        ] {
            HOOKED.lock().unwrap().clear();
            telemetry.record(|| {
                client::get(server.address, "/work", &[("x-session-id", value.as_bytes())])
            });
            let hooked = std::mem::take(&mut *HOOKED.lock().unwrap());
            let [(outcome, current)] = &hooked[..] else {
                panic!("{}: called {} times", adapter.name, hooked.len());
            };
            assert_eq!(Some(describe(outcome).as_str()), expected, "{}", adapter.name);
            assert_eq!(current.as_ref().map(SessionId::as_str), (value == "abc").then_some("abc"));
        }
    }
}

#[test]
fn baggage_of_clients_goes_no_further_than_the_public_edge() {
    let telemetry = Telemetry::install();
    let lines = [("baggage", &b"session.id=b,a=1"[..]), ("Baggage", b"b=2")];
    for adapter in ADAPTERS {
        for (config, expected) in
            [(Config::PublicEdge, ""), (Config::Several, "session.id=b,a=1\nb=2")]
        {
            let server = (adapter.serve)(config);
            let get = || client::get(server.address, "/baggage", &lines);
            let (answer, _) = telemetry.record(get);
            assert_eq!((answer.status, &*answer.body), (200, expected), "{}", adapter.name);
        }
    }
}
