//! The store by itself, in memory and in files.

use serde_json::json;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Attributes, Kind, Log, Resource, Scope, Span, Status, Summary};
use crate::recording::{Moment, Recording};

use super::*;

fn attributes(value: serde_json::Value) -> Attributes {
    value.as_object().cloned().unwrap()
}

fn resource(service: &str) -> Arc<Resource> {
    Arc::new(Resource {
        service: service.into(),
        attributes: attributes(json!({"service.name": service})),
    })
}

fn open() -> Store {
    Store::open(None, Retention::default()).unwrap()
}

fn insert(store: &Store, spans: &[Span], logs: &[Log]) {
    let kept = store.insert(|batch| {
        spans.iter().try_for_each(|span| batch.span(span))?;
        logs.iter().try_for_each(|log| batch.log(log))
    });
    kept.unwrap_or_else(|error: StoreError| panic!("{error}"));
}

fn find(store: &Store, text: &str) -> Vec<String> {
    let query = Query { text: text.into(), ..Query::default() };
    store.sessions(&query).unwrap().sessions.into_iter().map(|s| s.session_id).collect()
}

fn span(span_id: &str, attributes: Attributes) -> Span {
    Span {
        resource: resource("storefront"),
        scope: Arc::new(Scope { name: "s".into(), ..Scope::default() }),
        kind: Kind::Internal,
        name: "GET /".into(),
        trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
        span_id: span_id.into(),
        parent_span_id: None,
        start: Timestamp::from_stored(1_000),
        end: Timestamp::from_stored(3_000),
        status: Status::Error,
        status_message: "no".into(),
        attributes,
        events: vec![],
    }
}

fn log(attributes: Attributes) -> Log {
    Log {
        resource: resource("payments"),
        scope: Arc::default(),
        severity: "ERROR".into(),
        severity_number: 17,
        body: "broken".into(),
        trace_id: Some("0af7651916cd43dd8448eb211c80319c".into()),
        span_id: None,
        time: Timestamp::from_stored(5_000),
        attributes,
    }
}

#[test]
fn what_goes_in_comes_out() {
    let store = open();
    let tagged = attributes(json!({"session.id": "a/b:c", "n": 1, "deep": {"x": [true]}}));
    insert(&store, &[span("b7ad6b7169203331", tagged.clone())], &[log(tagged.clone())]);

    let session = store.session("a/b:c").unwrap().unwrap();
    assert_eq!(session.spans, [span("b7ad6b7169203331", tagged.clone())]);
    assert_eq!(session.logs, [log(tagged)]);
    assert_eq!(store.session("a/b").unwrap(), None);

    let sessions = store.sessions(&Query::default()).unwrap().sessions;
    assert_eq!(
        sessions,
        [Summary {
            session_id: "a/b:c".into(),
            spans: 1,
            logs: 1,
            traces: 1,
            errors: 2,
            refused: 0,
            batches: 0,
            dead_clicks: 0,
            repeated_clicks: 0,
            repeated_within_ms: None,
            slow_frames: 0,
            messages: 0,
            user: None,
            services: BTreeSet::from(["payments".into(), "storefront".into()]),
            first_seen: Timestamp::from_stored(1_000),
            last_seen: Timestamp::from_stored(5_000),
        }]
    );
}

#[test]
fn only_its_own_attribute_makes_a_record_part_of_a_session() {
    let store = open();
    insert(
        &store,
        &[
            span("0000000000000001", attributes(json!({"session.id": "s"}))),
            span("0000000000000002", attributes(json!({}))),
            span("0000000000000003", attributes(json!({"session.id": 7}))),
            span("0000000000000004", attributes(json!({"session.id": ""}))),
        ],
        &[log(attributes(json!({})))],
    );

    assert_eq!(store.session("s").unwrap().unwrap().spans.len(), 1);
    assert_eq!(find(&store, "").len(), 1);
    assert_eq!(store.session("").unwrap(), None);
    assert_eq!(store.untagged().unwrap(), Untagged { spans: 3, logs: 1 });
}

#[test]
fn a_span_sent_again_is_one_span() {
    let store = open();
    let once = span("0000000000000001", attributes(json!({"session.id": "s"})));
    for _ in 0..2 {
        insert(&store, std::slice::from_ref(&once), &[]);
    }
    assert_eq!(store.session("s").unwrap().unwrap().spans.len(), 1);
}

#[test]
fn search_takes_its_text_literally() {
    let store = open();
    for (n, id) in ["Alpha", "beta", "50%"].iter().enumerate() {
        insert(&store, &[span(&format!("{n:016x}"), attributes(json!({"session.id": id})))], &[]);
    }
    let found = |text| find(&store, text);
    assert_eq!(found("ALPH"), ["Alpha"]);
    assert_eq!(found("%"), ["50%"]);
    assert_eq!(found("'"), [""; 0]);
}

#[test]
fn a_file_keeps_what_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("viewer.db");
    let tagged = attributes(json!({"session.id": "kept"}));
    let open = || Store::open(Some(&file), Retention::default()).unwrap();
    insert(&open(), &[], &[log(tagged)]);
    assert_eq!(open().session("kept").unwrap().unwrap().logs.len(), 1);
}

#[test]
fn a_database_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.db");
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE spans (x)").unwrap();
    let refused = Store::open(Some(&file), Retention::default());
    assert!(matches!(refused, Err(StoreError::OtherTables)));
}

/// One span per session, each in a trace of its own.
fn many(store: &Store, count: usize) {
    let spans: Vec<Span> = (0..count)
        .map(|n| Span {
            trace_id: format!("{n:032x}"),
            start: Timestamp::from_stored(i64::try_from(n / 2).unwrap()),
            end: Timestamp::from_stored(i64::try_from(n / 2).unwrap()),
            status: if n % 10 == 0 { Status::Error } else { Status::Unset },
            ..span(
                &format!("{:016x}", n + 1),
                attributes(json!({"session.id": format!("session-{n}"), "url.path": format!("/orders/{n}"), "user.id": "al"})),
            )
        })
        .collect();
    insert(store, &spans, &[]);
}

#[test]
fn a_session_is_found_by_what_is_in_it() {
    let store = open();
    many(&store, 20);
    assert_eq!(find(&store, "ORDERS/7"), ["session-7"]);
    assert_eq!(find(&store, "/7"), ["session-7"], "shorter than the index knows");
    assert_eq!(find(&store, &format!("{:032x}", 13)), ["session-13"]);
    assert_eq!(find(&store, "no"), ["session-10", "session-0"], "the message of the failed ones");
    assert_eq!(find(&store, "al").len(), 20);
    assert_eq!(store.session_of_trace(&format!("{:032x}", 4)).unwrap().unwrap(), "session-4");
    assert_eq!(store.session_of_trace("none").unwrap(), None);
}

#[test]
fn a_common_word_is_found_too() {
    let store = open();
    many(&store, 2_200);
    let all = Query { text: "orders".into(), ..Query::default() };
    let page = store.sessions(&all).unwrap();
    assert_eq!(page.sessions[0].session_id, "session-2199");
    assert_eq!(page.sessions.len(), 50);
}

#[test]
fn pages_follow_each_other_without_gap_or_repetition() {
    let store = open();
    many(&store, 130);
    let mut query = Query::default();
    let mut seen = Vec::new();
    loop {
        let page = store.sessions(&query).unwrap();
        seen.extend(page.sessions.into_iter().map(|session| session.session_id));
        if page.next.is_none() {
            break;
        }
        query.after = page.next;
    }
    let expected: Vec<String> = (0..130).rev().map(|n| format!("session-{n}")).collect();
    assert_eq!(seen, expected);
}

#[test]
fn filters_narrow_the_list() {
    let store = open();
    many(&store, 20);
    let ids = |query: Query| {
        let sessions = store.sessions(&query).unwrap().sessions.into_iter();
        sessions.map(|session| session.session_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(Query { errors: true, ..Query::default() }), ["session-10", "session-0"]);
    let at = |nanos| Some(Timestamp::from_stored(nanos));
    assert_eq!(ids(Query { from: at(9), ..Query::default() }), ["session-19", "session-18"]);
    assert_eq!(ids(Query { to: at(0), ..Query::default() }), ["session-1", "session-0"]);
    let long = span("00000000000000ff", attributes(json!({"session.id": "long"})));
    insert(&store, &[long], &[]);
    assert_eq!(ids(Query { min_nanos: 1_000, ..Query::default() }), ["long"]);
}

#[test]
fn a_server_that_refuses_is_marked_and_a_client_that_is_refused_failed() {
    let store = open();
    let refused = |span_id, kind, status| Span {
        kind,
        status: Status::Unset,
        ..span(span_id, attributes(json!({"session.id": "s", "http.response.status_code": status})))
    };
    let spans = [
        refused("0000000000000001", Kind::Server, 422),
        refused("0000000000000002", Kind::Client, 400),
        refused("0000000000000003", Kind::Server, 503),
        refused("0000000000000004", Kind::Server, 304),
        refused("0000000000000005", Kind::Internal, 404),
    ];
    insert(&store, &spans, &[]);
    let summary = store.summary("s").unwrap().unwrap();
    assert_eq!((summary.errors, summary.refused), (2, 1));
}

#[test]
fn what_changed_since_is_told_and_nothing_else() {
    let store = open();
    let of = |trace: &str, id: &str| Span {
        trace_id: trace.into(),
        ..span(id, attributes(json!({"session.id": "s"})))
    };
    insert(&store, &[of("a", "0000000000000001"), of("b", "0000000000000002")], &[]);
    let (traces, version) = store.traces("s", 0).unwrap();
    assert_eq!(traces.len(), 2);
    assert_eq!(store.traces("s", version).unwrap(), (vec![], version));
    insert(&store, &[of("b", "0000000000000003")], &[]);
    let (traces, later) = store.traces("s", version).unwrap();
    assert_eq!((traces.len(), &*traces[0].trace_id, traces[0].spans), (1, "b", 2));
    assert!(later > version);
    // Deleting the last to change doesn't turn the number back.
    store.delete("s").unwrap();
    insert(&store, &[of("c", "0000000000000004")], &[]);
    assert_eq!(store.traces("s", later).unwrap().0.len(), 1);
}

fn kept(store: &Store) -> Vec<String> {
    while store.clean_step().unwrap() {}
    let mut kept = find(store, "");
    kept.sort();
    kept
}

#[test]
fn sessions_have_their_time_and_a_ticket_keeps_one() {
    let day = Duration::from_secs(24 * 60 * 60);
    let retention =
        Retention { keep: Some(14 * day), keep_errors: Some(90 * day), ..Retention::default() };
    let store = Store::open(None, retention).unwrap();
    let named = |name: &str, status| Span {
        status,
        trace_id: name.into(),
        ..span("0000000000000001", attributes(json!({"session.id": name})))
    };
    let plain = ["closed", "done", "open", "plain"].map(|name| named(name, Status::Unset));
    insert(&store, &plain, &[]);
    insert(&store, &[named("failed", Status::Error)], &[]);
    for ticket in ["closed", "done", "open"] {
        assert!(store.set_ticket(ticket, "T-1", TicketState::Open).unwrap());
    }
    assert!(!store.set_ticket("nobody", "T-1", TicketState::Open).unwrap());
    for ticket in ["closed", "done"] {
        store.set_ticket(ticket, "T-1", TicketState::Closed).unwrap();
    }
    assert_eq!(kept(&store), ["closed", "done", "failed", "open", "plain"], "all are new");

    let age = |days: u32| {
        let past = now().nanos() - i64::try_from((days * day).as_nanos()).unwrap();
        store.writer().execute("UPDATE sessions SET arrived = ?1", [past]).unwrap();
    };
    age(15);
    let past = now().nanos() - i64::try_from((31 * day).as_nanos()).unwrap();
    store
        .writer()
        .execute(
            "UPDATE tickets SET closed = ?1
             WHERE session = (SELECT id FROM sessions WHERE session_id = 'done')",
            [past],
        )
        .unwrap();
    assert_eq!(kept(&store), ["closed", "failed", "open"]);
    age(91);
    assert_eq!(kept(&store), ["closed", "open"]);
}

#[test]
fn a_deleted_session_leaves_nothing() {
    let store = open();
    many(&store, 3);
    let tagged = attributes(json!({"session.id": "session-1"}));
    insert(&store, &[], &[log(tagged)]);
    record(&store, &recording("session-1", 0, json!([["click", 0, {"what": "a"}]])));
    store.set_ticket("session-1", "T", TicketState::Open).unwrap();
    assert!(store.delete("session-1").unwrap());
    assert!(!store.delete("session-1").unwrap());
    while store.clean_step().unwrap() {}
    assert_eq!(find(&store, ""), ["session-2", "session-0"]);
    assert_eq!(find(&store, "orders/1"), [""; 0]);
    let count = |table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        store.writer().query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    let counts = ["spans", "logs", "traces", "tickets", "resources", "scopes"].map(count);
    assert_eq!(counts, [2, 0, 2, 0, 1, 1]);
    assert_eq!(["tabs", "batches", "moments"].map(count), [0; 3]);
}

#[test]
fn the_oldest_goes_when_there_is_no_room() {
    let retention = Retention { max_bytes: 3 * 1024 * 1024, ..Retention::default() };
    let store = Store::open(None, retention).unwrap();
    let text = "x".repeat(10_000);
    for n in 0..1_000 {
        let id = format!("session-{:03}", n / 10);
        let large = attributes(json!({"session.id": id, "text": text}));
        insert(&store, &[span(&format!("{:016x}", n + 1), large)], &[]);
    }
    let kept = find(&store, "");
    assert!((10..40).contains(&kept.len()), "{kept:?}");
    assert!(kept.contains(&"session-099".to_owned()) && !kept.contains(&"session-050".to_owned()));
    let pages: i64 = store.writer().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    assert!(pages * 4096 < 5 * 1024 * 1024, "{pages} pages");
}

#[test]
fn a_batch_that_fails_leaves_nothing() {
    let store = open();
    let failed = store.insert(|batch| {
        batch.span(&span("0000000000000001", attributes(json!({"session.id": "s"}))))?;
        Err::<(), _>(StoreError::OtherTables)
    });
    assert!(failed.is_err());
    assert_eq!(store.summary("s").unwrap(), None);
}

/// The browser's clock in these tests, in milliseconds; that of the viewer and the servers is an hour ahead.
const BROWSER: f64 = 1_764_283_000_000.0;
const HOUR_MS: f64 = 3_600_000.0;
const TAB: &str = "0123456789abcdef";

fn browser(ms: f64) -> Timestamp {
    Timestamp::from_unix_millis(BROWSER + ms).unwrap()
}

fn server(ms: f64) -> Timestamp {
    browser(HOUR_MS + ms)
}

/// A batch of one tab, sent 5 s after the last and 20 ms on its way; its moments as tag, time and payload.
fn recording(session: &str, sequence: u32, moments: serde_json::Value) -> Recording {
    let moments = moments.as_array().unwrap().iter().map(|moment| Moment {
        at: browser(moment[1].as_f64().unwrap()),
        seen: serde_json::from_value(json!({"tag": moment[0], "payload": moment[2]})).unwrap(),
    });
    let begin = f64::from(sequence) * 5_000.0;
    let mut content = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut content, format!("[{{\"of\":{sequence}}}]").as_bytes()).unwrap();
    Recording {
        session_id: session.into(),
        tab: TAB.into(),
        sequence,
        sent: browser(begin + 5_000.0),
        arrived: server(begin + 5_020.0),
        dropped: 0,
        user: None,
        events: 1,
        first: browser(begin),
        last: browser(begin + 4_000.0),
        snapshot: (sequence == 0).then(|| browser(begin)),
        active: vec![(browser(begin), browser(begin + 100.0))],
        moments: moments.collect(),
        content: content.finish().unwrap(),
    }
}

fn record(store: &Store, recording: &Recording) {
    store.insert(|batch| batch.recording(recording)).unwrap();
}

#[test]
fn each_batch_is_kept_once_and_gaps_are_told() {
    let store = open();
    let batch = |sequence| record(&store, &recording("s", sequence, json!([["kept", 0, {}]])));
    [3, 1, 3].into_iter().for_each(batch);
    assert_eq!(store.tabs("s").unwrap().0[0].missing, 2);
    batch(0);
    let (tabs, _) = store.tabs("s").unwrap();
    assert_eq!((tabs[0].batches, tabs[0].missing), (3, 1));
    assert_eq!((tabs[0].started, tabs[0].ended), (BROWSER, BROWSER + 19_000.0));
    let index = serde_json::to_value(store.tab_index("s", TAB, (0, 0)).unwrap()).unwrap();
    assert_eq!(index["batches"].as_array().unwrap().len(), 3);
    assert_eq!(index["moments"].as_array().unwrap().len(), 3);
    let last = index["batches"][2]["id"].as_i64().unwrap();
    let index = serde_json::to_value(store.tab_index("s", TAB, (last, 0)).unwrap()).unwrap();
    assert_eq!(index["batches"], json!([]));
    let events = store.events("s", TAB, (1, 9)).unwrap().unwrap();
    let of = |sequence| format!("{{\"sequence\":{sequence},\"events\":[{{\"of\":{sequence}}}]}}\n");
    assert_eq!(events, of(1) + &of(3));
    assert!(store.tab_index("s", "f123456789abcdef", (0, 0)).unwrap().is_none());
    assert!(store.events("other", TAB, (0, 9)).unwrap().is_none());
}

#[test]
fn a_session_has_only_so_many_pages() {
    let store = open();
    let page = |n: u32| Recording { tab: format!("{n:016x}"), ..recording("s", 0, json!([])) };
    let kept = store.insert(|batch| (0..1_000).try_for_each(|n| batch.recording(&page(n))));
    kept.unwrap_or_else(|error: StoreError| panic!("{error}"));
    let more = store.insert(|batch| batch.recording(&page(1_000)));
    assert!(matches!(more, Err(StoreError::TooManyPages(1_000))));
    record(&store, &Recording { sequence: 1, ..page(7) });
    assert_eq!(store.summary("s").unwrap().unwrap().batches, 1_001);
}

#[test]
fn recordings_count_for_the_size_of_the_store() {
    let retention = Retention { max_bytes: 3 * 1024 * 1024, ..Retention::default() };
    let store = Store::open(None, retention).unwrap();
    for n in 0..100 {
        let large = vec![0; 100_000];
        let one =
            Recording { content: large, ..recording(&format!("session-{n:02}"), 0, json!([])) };
        record(&store, &one);
    }
    let kept = find(&store, "");
    assert!((10..40).contains(&kept.len()), "{kept:?}");
    assert_eq!(kept[0], "session-99");
}

#[test]
fn a_recording_alone_is_a_session() {
    let store = open();
    let mut one = recording("alone", 0, json!([]));
    one.user = Some("ada".into());
    record(&store, &one);
    let summary = store.summary("alone").unwrap().unwrap();
    assert_eq!((summary.batches, summary.spans, summary.user.as_deref()), (1, 0, Some("ada")));
    assert_eq!(summary.first_seen, server(20.0), "by the viewer's clock");
    assert_eq!(find(&store, "ada"), ["alone"]);
    assert_eq!(store.session("alone").unwrap().unwrap().tabs.len(), 1);
    let replay = Query { replay: true, ..Query::default() };
    many(&store, 2);
    assert_eq!(store.sessions(&replay).unwrap().sessions.len(), 1);
}

#[test]
fn what_was_seen_in_the_page_marks_its_session() {
    let store = open();
    let click = |what: &str, dead: bool| json!({"what": what, "dead": dead});
    record(
        &store,
        &recording(
            "s",
            0,
            json!([
                ["click", 1_000, click("button A", false)],
                ["click", 1_150, click("button A", true)],
                ["click", 1_200, click("button B", false)],
                ["click", 4_990, click("button C", false)],
                ["toast", 2_000, {"text": "Card number is missing", "shown": 1500}],
                ["invalid", 2_100, {"what": "input", "message": "Fill this out"}],
                ["error", 2_200, {"message": "TypeError: x is undefined", "kind": "error"}],
                ["long-frame", 2_300, {"duration": 180}],
                ["long-frame", 2_400, {"duration": 60}],
                ["request", 2_500, {"method": "GET", "url": "/a", "kind": "xhr", "start": BROWSER, "end": BROWSER, "status": 503}],
                ["request", 2_600, {"method": "GET", "url": "/b", "kind": "xhr", "start": BROWSER, "end": BROWSER, "status": 404}],
            ]),
        ),
    );
    record(&store, &recording("s", 1, json!([["click", 5_390, click("button C", false)]])));
    let summary = store.summary("s").unwrap().unwrap();
    assert_eq!((summary.dead_clicks, summary.repeated_clicks), (1, 2));
    assert_eq!(summary.repeated_within_ms, Some(150));
    assert_eq!((summary.slow_frames, summary.messages), (1, 2));
    assert_eq!((summary.errors, summary.refused), (2, 1));
    for text in ["card number", "is undefined", "fill this"] {
        assert_eq!(find(&store, text), ["s"], "{text}");
    }
    let ids = |query| store.sessions(&query).unwrap().sessions.len();
    assert_eq!(ids(Query { clicks: true, ..Query::default() }), 1);
    assert_eq!(ids(Query { slow: true, ..Query::default() }), 1);
}

#[test]
fn a_request_seen_by_both_sides_narrows_the_clock() {
    let store = open();
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let request = |trace: &str| {
        let (start, end) = (BROWSER + 1_000.0, BROWSER + 1_100.0);
        json!([["request", 1_100, {"method": "POST", "url": "/orders", "kind": "fetch", "start": start,
                                   "end": end, "status": 200, "traceId": trace}]])
    };
    record(&store, &recording("s", 0, request(trace)));
    assert_eq!(find(&store, &trace[..9]), ["s"], "by the trace that a request names");
    let offset = |session| {
        let (tabs, _) = store.tabs(session).unwrap();
        (tabs[0].offset, tabs[0].uncertainty)
    };
    assert_eq!(offset("s"), (HOUR_MS + 20.0, None), "by its arrival");
    let served = |session: &str, kind, from: f64, to: f64| Span {
        kind,
        start: server(from),
        end: server(to),
        ..span("00000000000000aa", attributes(json!({"session.id": session})))
    };
    insert(&store, &[served("other", Kind::Server, 1_500.0, 1_510.0)], &[]);
    assert_eq!(offset("s").1, None, "a span of another session says nothing");
    assert_eq!(store.session_of_trace(trace).unwrap().as_deref(), Some("other"));
    store.delete("other").unwrap();
    assert_eq!(
        store.session_of_trace(trace).unwrap().as_deref(),
        Some("s"),
        "by the request alone"
    );
    insert(&store, &[served("s", Kind::Server, 1_008.0, 1_096.0)], &[]);
    // Between 5 ms too little (a whole one for what the browser cuts off) and 8 ms too much.
    assert_eq!(offset("s"), (HOUR_MS + 1.5, Some(6.5)));
}
