//! Many sessions at many services: which are kept, and what is left of those that fail. The figures in
//! `docs/sampling.md` are those of this run.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::fmt::Write as _;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use opentelemetry_0_32 as opentelemetry_older;
use opentelemetry_0_33::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use opentelemetry_0_33::{Context, InstrumentationScope, KeyValue};
use opentelemetry_sdk_0_32::trace::ShouldSample as _;
use opentelemetry_sdk_0_33::error::OTelSdkResult;
use opentelemetry_sdk_0_33::trace::{
    Sampler, SamplingDecision, ShouldSample, Span, SpanData, SpanEvents, SpanLinks, SpanProcessor,
};
use qorrelate_core::opentelemetry_0_33::{SessionSampler, SessionTailProcessor};
use qorrelate_core::{ATTRIBUTE, SessionId};

/// SplitMix64, so that each run is the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn session(&mut self) -> SessionId {
        let (high, low) = (self.next(), self.next());
        let (time, rest) = (high >> 32, high as u32);
        let (variant, node) = ((low >> 48 & 0x3fff) | 0x8000, low & 0xffff_ffff_ffff);
        let mut id = String::with_capacity(36);
        write!(id, "{time:08x}-{:04x}-4{:03x}-{variant:04x}-{node:012x}", rest >> 16, rest & 0xfff)
            .unwrap();
        id.parse().unwrap()
    }

    fn trace(&mut self) -> TraceId {
        TraceId::from(u128::from(self.next()) << 64 | u128::from(self.next()))
    }
}

/// How the five services are set up: whatever they differ in, they keep the same sessions.
fn services(ratio: f64) -> Vec<Box<dyn Fn(TraceId) -> bool>> {
    let by = |sampler: SessionSampler, parent: Context| {
        Box::new(move |trace| {
            let kind = SpanKind::Server;
            let result = sampler.should_sample(Some(&parent), trace, "request", &kind, &[], &[]);
            result.decision == SamplingDecision::RecordAndSample
        }) as Box<dyn Fn(TraceId) -> bool>
    };
    let caller = |flags| {
        let span =
            SpanContext::new(TraceId::from(7), SpanId::from(7), flags, true, TraceState::NONE);
        Context::new().with_remote_span_context(span)
    };
    let older = qorrelate_core::opentelemetry_0_32::SessionSampler::ratio(ratio);
    vec![
        by(SessionSampler::ratio(ratio), Context::new()),
        by(SessionSampler::ratio(ratio), caller(TraceFlags::SAMPLED)),
        by(SessionSampler::ratio(ratio).hold_unsampled(), caller(TraceFlags::NOT_SAMPLED)),
        by(SessionSampler::new(SessionSampler::ratio(ratio)), Context::new()),
        Box::new(move |trace| {
            let trace =
                opentelemetry_older::trace::TraceId::from(u128::from_be_bytes(trace.to_bytes()));
            let kind = opentelemetry_older::trace::SpanKind::Server;
            let result = older.should_sample(None, trace, "request", &kind, &[], &[]);
            result.decision == opentelemetry_sdk_0_32::trace::SamplingDecision::RecordAndSample
        }),
    ]
}

#[test]
fn no_session_is_split_and_the_shares_are_what_was_asked_for() {
    const SESSIONS: u32 = 250_000;
    for (at, ratio) in [0.001, 0.01, 0.1, 0.5].into_iter().enumerate() {
        let mut random = Random(at as u64);
        let services = services(ratio);
        let mut kept = 0;
        for _ in 0..SESSIONS {
            let session = random.session();
            let _current = session.enter();
            let decisions = services.iter().filter(|keeps| keeps(random.trace())).count();
            assert!(decisions == 0 || decisions == services.len(), "{session} is split");
            kept += u32::from(decisions > 0);
        }
        let expected = f64::from(SESSIONS) * ratio;
        let deviation = (f64::from(kept) - expected) / (expected * (1.0 - ratio)).sqrt();
        println!("{ratio}: {kept} of {SESSIONS}, {deviation:.2} standard deviations off");
        assert!(deviation.abs() < 4.0, "{ratio}: {kept}");
    }
}

/// What samples.
#[derive(Debug, Clone, Copy)]
enum Policy {
    Traces,
    Sessions,
    /// And holds the others in so many MiB.
    SessionsAndErrors(usize),
}

const RATIO: f64 = 0.01;
/// Sessions at a time. Each has 1 to 19 requests, all alike in their pace; one in 50 fails, in any of them.
const AT_A_TIME: usize = 500;
const SPANS_PER_REQUEST: u64 = 3;

/// What became of the sessions.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Outcome {
    spans: u64,
    exported: u64,
    failed: u64,
    /// All of it is exported, from the first request to the one that failed.
    complete: u64,
    /// Nothing of it is exported.
    lost: u64,
    most_bytes: u64,
}

/// Counts the spans of each session that would be exported.
#[derive(Debug, Clone)]
struct Exporter(Arc<Vec<AtomicU64>>);

impl SpanProcessor for Exporter {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            let number = u64::from_be_bytes(span.span_context.span_id().to_bytes());
            self.0[number as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

struct Visit {
    number: usize,
    session: SessionId,
    requests: u64,
    fails_in: Option<u64>,
    done: u64,
}

fn simulate(policy: Policy, sessions: usize, mut random: Random) -> Outcome {
    let exporter = Exporter(Arc::new((0..sessions).map(|_| AtomicU64::new(0)).collect()));
    let exported = |visit: &Visit| exporter.0[visit.number].load(Ordering::Relaxed);
    let (sampler, max) = match policy {
        Policy::Traces => (SessionSampler::new(Sampler::TraceIdRatioBased(RATIO)), None),
        Policy::Sessions => (SessionSampler::ratio(RATIO), None),
        Policy::SessionsAndErrors(max) => {
            (SessionSampler::ratio(RATIO).hold_unsampled(), Some(max << 20))
        }
    };
    let processor = SessionTailProcessor::new(exporter.clone()).max_bytes(max.unwrap_or(0));
    let counts = processor.counts();

    let mut outcome = Outcome::default();
    let mut started = 0;
    let mut start = |random: &mut Random| {
        (started < sessions).then(|| {
            let requests = 1 + random.below(19);
            let fails_in = (random.below(50) == 0).then(|| random.below(requests));
            let session = random.session();
            started += 1;
            Visit { number: started - 1, session, requests, fails_in, done: 0 }
        })
    };
    let mut visits: Vec<_> = (0..AT_A_TIME).map_while(|_| start(&mut random)).collect();
    while !visits.is_empty() {
        let at = random.below(visits.len() as u64) as usize;
        let visit = &mut visits[at];
        let fails = visit.fails_in == Some(visit.done);
        let trace = random.trace();
        let _current = visit.session.enter();
        for of_request in 0..SPANS_PER_REQUEST {
            let fails = fails && of_request + 1 == SPANS_PER_REQUEST;
            let span = span(&sampler, trace, visit.number, fails);
            outcome.spans += 1;
            if let Some(span) = span {
                processor.on_end(span);
            }
        }
        visit.done += 1;
        outcome.most_bytes = outcome.most_bytes.max(counts.bytes_holding());
        if fails {
            processor.force_flush().unwrap();
            outcome.failed += 1;
            outcome.complete += u64::from(exported(visit) == visit.done * SPANS_PER_REQUEST);
            outcome.lost += u64::from(exported(visit) == 0);
        }
        if visit.done == visit.requests {
            match start(&mut random) {
                Some(next) => drop(mem::replace(visit, next)),
                None => drop(visits.swap_remove(at)),
            }
        }
    }
    outcome.exported = exporter.0.iter().map(|spans| spans.load(Ordering::Relaxed)).sum();
    outcome
}

/// A span as the SDK hands it to its processors, if it records it.
fn span(sampler: &SessionSampler, trace: TraceId, number: usize, fails: bool) -> Option<SpanData> {
    let result = sampler.should_sample(None, trace, "request", &SpanKind::Server, &[], &[]);
    let flags = match result.decision {
        SamplingDecision::Drop => return None,
        SamplingDecision::RecordOnly => TraceFlags::NOT_SAMPLED,
        SamplingDecision::RecordAndSample => TraceFlags::SAMPLED,
    };
    let mut attributes = vec![
        KeyValue::new("http.request.method", "POST"),
        KeyValue::new("url.path", "/api/checkout"),
        KeyValue::new("url.scheme", "https"),
        KeyValue::new("http.route", "/api/checkout"),
        KeyValue::new("server.address", "api.example"),
        KeyValue::new("http.response.status_code", if fails { 503 } else { 200 }),
    ];
    attributes.extend(result.attributes);
    assert!(attributes.iter().any(|attribute| attribute.key.as_str() == ATTRIBUTE));
    Some(SpanData {
        span_context: SpanContext::new(
            trace,
            SpanId::from(number as u64),
            flags,
            false,
            TraceState::NONE,
        ),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Server,
        name: "POST /api/checkout".into(),
        start_time: SystemTime::UNIX_EPOCH,
        end_time: SystemTime::UNIX_EPOCH,
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::default(),
    })
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/sampling.md");
const MARKS: (&str, &str) = ("<!-- simulation begin -->\n", "<!-- simulation end -->\n");

/// The table is that of 20,000 sessions; `SIMULATED_SESSIONS` asks for more, and only prints it.
#[test]
fn sessions_that_fail_are_whole_as_far_as_memory_goes() {
    let asked = std::env::var("SIMULATED_SESSIONS").ok().map(|sessions| sessions.parse().unwrap());
    let sessions = asked.unwrap_or(20_000);
    let policies = [
        Policy::Traces,
        Policy::Sessions,
        Policy::SessionsAndErrors(4),
        Policy::SessionsAndErrors(16),
        Policy::SessionsAndErrors(32),
    ];
    // Each run has sessions of its own: those that fail are kept for the whole process.
    let mut seed = 0;
    let outcomes = policies.map(|policy| {
        seed += 1;
        simulate(policy, sessions, Random(seed))
    });
    let mut table = String::from(
        "| 1 % of | memory | spans exported | failed sessions that are complete | of which nothing is there |\n\
         | --- | ---: | ---: | ---: | ---: |\n",
    );
    for (policy, outcome) in policies.into_iter().zip(outcomes) {
        let percent = |part: u64, of: u64| format!("{:.1} %", part as f64 * 100.0 / of as f64);
        let (what, memory) = match policy {
            Policy::Traces => ("traces", String::new()),
            Policy::Sessions => ("sessions", String::new()),
            Policy::SessionsAndErrors(mib) => {
                assert!(outcome.most_bytes <= (mib as u64) << 20, "{outcome:?}");
                ("sessions, and all that fail", format!("{mib} MiB"))
            }
        };
        let exported = percent(outcome.exported, outcome.spans);
        let complete = percent(outcome.complete, outcome.failed);
        let lost = percent(outcome.lost, outcome.failed);
        writeln!(table, "| {what} | {memory} | {exported} | {complete} | {lost} |").unwrap();
    }
    println!("{table}{outcomes:#?}");
    if asked.is_some() {
        return;
    }
    let [by_trace, by_session, .., with_memory] = outcomes;
    assert!(by_trace.complete * 50 < by_trace.failed, "{by_trace:?}");
    assert!(by_session.complete * 20 < by_session.failed, "{by_session:?}");
    assert_eq!(with_memory.complete, with_memory.failed);
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(MARKS.0).unwrap();
    let (_, after) = rest.split_once(MARKS.1).unwrap();
    let updated = [before, MARKS.0, &table, MARKS.1, after].concat();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, updated).unwrap();
    } else {
        assert!(page == updated, "docs/sampling.md is not what this run shows; set UPDATE_DOCS=1");
    }
}
