use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread;

use opentelemetry::logs::{LogRecord as _, Logger as _, LoggerProvider as _};
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider, SimpleLogProcessor};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, InMemorySpanExporter, Sampler, SdkTracer,
    SdkTracerProvider, SimpleSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor,
};
use qorrelate_core::{ATTRIBUTE, SessionId, SessionRatio, TailCounts};

use super::*;

/// A session that no other test uses.
fn id(name: &str) -> SessionId {
    format!("{VERSION}:{name}").parse().unwrap()
}

/// One that is sampled at that ratio, or not.
fn session(name: &str, ratio: f64, is_sampled: bool) -> SessionId {
    let ids = (0..).map(|n| id(&format!("{name}-{n}")));
    ids.into_iter().find(|id| id.is_sampled(ratio) == is_sampled).unwrap()
}

/// A tracer provider whose sampler samples no session, with the tail processor around an exporter.
struct Service {
    spans: InMemorySpanExporter,
    provider: SdkTracerProvider,
    counts: TailCounts,
}

impl Service {
    fn new() -> Self {
        Self::with(|tail| tail)
    }

    fn with(
        set: impl FnOnce(
            SessionTailProcessor<SimpleSpanProcessor<InMemorySpanExporter>>,
        ) -> SessionTailProcessor<SimpleSpanProcessor<InMemorySpanExporter>>,
    ) -> Self {
        let spans = InMemorySpanExporter::default();
        let tail = set(SessionTailProcessor::new(SimpleSpanProcessor::new(spans.clone())));
        let counts = tail.counts();
        let provider = SdkTracerProvider::builder()
            .with_sampler(SessionSampler::ratio(0.0).hold_unsampled())
            .with_span_processor(tail)
            .build();
        Self { spans, provider, counts }
    }

    fn tracer(&self) -> SdkTracer {
        self.provider.tracer("tests")
    }

    fn work(&self, session: &SessionId, name: &str) {
        session.in_scope(|| drop(self.tracer().start(name.to_owned())));
    }

    fn fail(&self, session: &SessionId, name: &str) {
        session.in_scope(|| self.tracer().start(name.to_owned()).set_status(Status::error("no")));
    }

    /// The names of what was exported, in order.
    fn exported(&self) -> Vec<String> {
        self.provider.force_flush().unwrap();
        names(&self.spans.get_finished_spans().unwrap())
    }
}

fn names(spans: &[SpanData]) -> Vec<String> {
    spans.iter().map(|span| span.name.to_string()).collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// What becomes of a span with that sampler: whether it is sampled, and whether it is recorded.
fn decided(sampler: SessionSampler, session: Option<&SessionId>, parent: &Context) -> (bool, bool) {
    let provider = SdkTracerProvider::builder().with_sampler(sampler).build();
    let _session = session.map(SessionId::enter);
    let span = provider.tracer("tests").start_with_context("work", parent);
    (span.span_context().is_sampled(), span.is_recording())
}

const SAMPLED: (bool, bool) = (true, true);
const HELD: (bool, bool) = (false, true);
const DROPPED: (bool, bool) = (false, false);

fn parent(is_remote: bool, is_sampled: bool) -> Context {
    let flags = if is_sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    let state = TraceState::from_key_value([("vendor", "1")]).unwrap();
    let span = SpanContext::new(TraceId::from(7), SpanId::from(7), flags, is_remote, state);
    Context::new().with_remote_span_context(span)
}

#[test]
fn a_span_is_decided_by_its_session_whatever_its_parent_says() {
    for (is_sampled, expected) in [(true, SAMPLED), (false, DROPPED)] {
        let session = session("by-session", 0.5, is_sampled);
        for parent in [
            Context::new(),
            parent(true, true),
            parent(true, false),
            parent(false, true),
            parent(false, false),
        ] {
            let sampler = SessionSampler::ratio(0.5);
            assert_eq!(decided(sampler, Some(&session), &parent), expected, "{parent:?}");
        }
    }
}

#[test]
fn a_span_in_no_session_does_as_its_parent_here_or_is_decided_by_its_trace() {
    let of_trace = |half: u64| {
        let trace = TraceId::from(u128::from(half) << 1);
        let span =
            SpanContext::new(trace, SpanId::from(7), TraceFlags::SAMPLED, true, TraceState::NONE);
        Context::new().with_remote_span_context(span)
    };
    let ratio = || SessionSampler::ratio(0.5);
    assert_eq!(decided(ratio(), None, &of_trace(1)), SAMPLED);
    assert_eq!(
        decided(ratio(), None, &of_trace(u64::MAX >> 1)),
        DROPPED,
        "a remote parent has no say"
    );
    assert_eq!(decided(ratio(), None, &parent(false, false)), DROPPED);
    assert_eq!(decided(SessionSampler::ratio(0.0), None, &parent(false, true)), SAMPLED);
    assert_eq!(decided(SessionSampler::ratio(1.0), None, &Context::new()), SAMPLED);
    for none in [0.0, -1.0, f64::NAN] {
        assert_eq!(decided(SessionSampler::ratio(none), None, &of_trace(0)), DROPPED, "{none}");
        let sampler = SessionSampler::ratio(none).hold_unsampled();
        assert_eq!(decided(sampler, None, &of_trace(0)), DROPPED, "nobody could ask for it later");
    }
}

#[test]
fn inside_of_the_sdks_sampler_the_session_decides_where_a_trace_starts() {
    let sampler =
        || SessionSampler::new(Sampler::ParentBased(Box::new(SessionSampler::ratio(0.5))));
    let (kept, dropped) = (session("root", 0.5, true), session("root", 0.5, false));
    assert_eq!(decided(sampler(), Some(&kept), &Context::new()), SAMPLED);
    assert_eq!(decided(sampler(), Some(&dropped), &Context::new()), DROPPED);
    assert_eq!(decided(sampler(), Some(&kept), &parent(true, false)), DROPPED);
    assert_eq!(decided(sampler(), Some(&dropped), &parent(true, true)), SAMPLED);
    let holding = || sampler().hold_unsampled();
    assert_eq!(decided(holding(), Some(&dropped), &Context::new()), HELD);
    assert_eq!(decided(holding(), Some(&kept), &parent(true, false)), HELD);
}

#[test]
fn what_is_sampled_or_held_is_tagged_once() {
    let spans = InMemorySpanExporter::default();
    let session = session("tagged", 0.5, true);
    let mut providers = Vec::new();
    for sampler in [
        SessionSampler::ratio(0.5),
        SessionSampler::new(SessionSampler::ratio(0.5)),
        SessionSampler::new(Sampler::ParentBased(Box::new(SessionSampler::ratio(0.5)))),
    ] {
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampler)
            .with_simple_exporter(spans.clone())
            .build();
        session.in_scope(|| drop(provider.tracer("tests").start("work")));
        // The in-memory exporter forgets what it has when its provider is dropped.
        providers.push(provider);
    }
    let spans = spans.get_finished_spans().unwrap();
    let tags = |span: &SpanData| {
        let tags = span.attributes.iter().filter(|attribute| attribute.key.as_str() == ATTRIBUTE);
        tags.map(|attribute| attribute.value.to_string()).collect::<Vec<_>>()
    };
    let tags: Vec<_> = spans.iter().map(tags).collect();
    assert_eq!(tags, vec![vec![session.to_string()]; 3]);
}

#[test]
fn the_parents_trace_state_goes_on() {
    let provider = SdkTracerProvider::builder().with_sampler(SessionSampler::ratio(1.0)).build();
    let span = provider.tracer("tests").start_with_context("work", &parent(true, false));
    assert_eq!(span.span_context().trace_state().get("vendor"), Some("1"));
}

#[test]
fn a_session_that_is_kept_is_sampled_whatever_the_sampler_says() {
    let session = id("kept");
    let samplers = || {
        [
            SessionSampler::ratio(0.0),
            SessionSampler::ratio(0.0).hold_unsampled(),
            SessionSampler::new(Sampler::AlwaysOff),
        ]
    };
    let decided = || samplers().map(|sampler| decided(sampler, Some(&session), &Context::new()));
    assert_eq!(decided(), [DROPPED, HELD, DROPPED]);
    session.keep();
    assert_eq!(decided(), [SAMPLED; 3]);
    session.stop_keeping();
    assert_eq!(decided(), [DROPPED, HELD, DROPPED]);
}

#[test]
fn a_predicate_keeps_whom_it_chooses() {
    let ratio = SessionRatio::new(0.0).keep_if(|id| id.as_str().ends_with("vip"));
    let sampler = || SessionSampler::ratio(ratio.clone());
    assert_eq!(decided(sampler(), Some(&id("vip")), &Context::new()), SAMPLED);
    assert_eq!(decided(sampler(), Some(&id("other")), &Context::new()), DROPPED);
}

#[test]
fn an_error_brings_back_what_the_session_did_before_and_keeps_what_it_does_after() {
    let service = Service::new();
    let (failing, other) = (id("error"), id("no-error"));
    service.work(&failing, "first");
    service.work(&other, "other");
    service.work(&failing, "second");
    assert_eq!(service.exported(), [""; 0]);
    assert_eq!((service.counts.sessions_holding(), service.counts.items_held()), (2, 3));

    service.fail(&failing, "third");
    service.work(&failing, "fourth");
    assert_eq!(sorted(service.exported()), ["first", "fourth", "second", "third"]);
    for span in service.spans.get_finished_spans().unwrap() {
        assert!(span.span_context.is_sampled(), "or no exporter takes it: {}", span.name);
    }
    service.fail(&failing, "fifth");
    assert_eq!(service.exported().len(), 5, "nothing is handed over twice");
    let counts = &service.counts;
    assert_eq!((counts.sessions_handed_over(), counts.items_handed_over()), (1, 2));
    assert_eq!(counts.sessions_holding(), 1);
    assert!(failing.is_kept() && !other.is_kept());
}

#[test]
fn spans_that_are_open_when_the_error_happens_are_kept_too() {
    let service = Service::new();
    let session = id("open");
    session.in_scope(|| {
        let request = Context::new().with_span(service.tracer().start("request"));
        drop(service.tracer().start_with_context("before", &request));
        let mut failing = service.tracer().start_with_context("failing", &request);
        failing.set_status(Status::error("no"));
        drop(failing);
        drop(service.tracer().start_with_context("after", &request));
    });
    assert_eq!(sorted(service.exported()), ["after", "before", "failing", "request"]);
}

#[test]
fn what_is_a_failure_and_what_is_none() {
    let status = |key: &'static str, status: i64| KeyValue::new(key, status);
    for (name, attribute, is_failure) in [
        ("503", status("http.response.status_code", 503), true),
        ("500", status("http.response.status_code", 500), true),
        ("499", status("http.response.status_code", 499), false),
        ("404", status("http.response.status_code", 404), false),
        ("older", status("http.status_code", 502), true),
        ("text", KeyValue::new("http.response.status_code", "504"), true),
        ("text-200", KeyValue::new("http.response.status_code", "200"), false),
        ("else", status("db.rows", 900), false),
    ] {
        let service = Service::new();
        let session = id(name);
        service.work(&session, "before");
        session.in_scope(|| {
            let mut span = service.tracer().start("request");
            span.set_attribute(attribute);
        });
        let expected = if is_failure { 2 } else { 0 };
        assert_eq!(service.exported().len(), expected, "{name}");
        assert_eq!(session.is_kept(), is_failure, "{name}");
    }
}

#[test]
fn code_can_say_so_while_no_span_is_open() {
    let service = Service::new();
    let session = id("in-code");
    service.work(&session, "before");
    session.keep();
    assert_eq!(service.exported(), ["before"]);
    service.work(&session, "after");
    assert_eq!(service.exported(), ["before", "after"]);
}

#[test]
fn a_session_is_kept_for_the_time_that_is_set() {
    let service = Service::with(|tail| tail.keep_for(Duration::from_secs(1)));
    let session = id("for-a-second");
    service.fail(&session, "failing");
    assert!(session.is_kept());
    eventually("its time is up", || !session.is_kept());
    service.work(&session, "later");
    assert_eq!(service.exported(), ["failing"]);
    service.fail(&session, "again");
    assert_eq!(sorted(service.exported()), ["again", "failing", "later"]);
}

#[test]
fn spans_of_sampled_sessions_pass_at_once_and_their_errors_count() {
    let spans = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_sampler(SessionSampler::new(Sampler::TraceIdRatioBased(0.5)).hold_unsampled())
        .with_span_processor(SessionTailProcessor::new(SimpleSpanProcessor::new(spans.clone())))
        .build();
    let session = id("sampled-trace");
    let start = |name: &'static str, trace: u128| {
        let span = SpanContext::new(
            TraceId::from(trace),
            SpanId::from(7),
            TraceFlags::NOT_SAMPLED,
            true,
            TraceState::NONE,
        );
        let parent = Context::new().with_remote_span_context(span);
        session.in_scope(|| provider.tracer("tests").start_with_context(name, &parent))
    };
    drop(start("sampled", 1));
    assert_eq!(names(&spans.get_finished_spans().unwrap()), ["sampled"], "without a flush");
    drop(start("held", u128::from(u64::MAX)));
    start("failing", 1).set_status(Status::error("no"));
    provider.force_flush().unwrap();
    assert_eq!(names(&spans.get_finished_spans().unwrap()), ["sampled", "failing", "held"]);
}

#[test]
fn what_others_record_without_a_session_is_theirs() {
    #[derive(Debug, Clone, Default)]
    struct Seen(Arc<Mutex<Vec<String>>>);

    impl SpanProcessor for Seen {
        fn on_start(&self, _: &mut Span, _: &Context) {}
        fn on_end(&self, span: SpanData) {
            self.0.lock().unwrap().push(format!(
                "{} {}",
                span.name,
                span.span_context.is_sampled()
            ));
        }
        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }
        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    let seen = Seen::default();
    let tail = SessionTailProcessor::new(seen.clone());
    let provider = SdkTracerProvider::builder()
        .with_sampler(SessionSampler::ratio(1.0))
        .with_span_processor(tail)
        .build();
    drop(provider.tracer("tests").start("no session"));
    assert_eq!(*seen.0.lock().unwrap(), ["no session true"]);
}

#[test]
fn memory_is_bounded_and_the_oldest_session_goes_first() {
    let service = Service::with(|tail| tail.max_bytes(400_000));
    let sessions: Vec<_> = (0..2000).map(|n| id(&format!("flood-{n}"))).collect();
    for session in &sessions {
        service.work(session, "first");
        service.work(session, "second");
        assert!(service.counts.bytes_holding() <= 400_000, "{}", service.counts.bytes_holding());
    }
    let counts = &service.counts;
    let holding = counts.sessions_holding();
    assert!((50..1000).contains(&holding), "{holding}");
    assert_eq!(counts.sessions_held(), 2000);
    assert_eq!(counts.sessions_evicted() + holding, 2000);
    assert_eq!(counts.items_evicted() + 2 * holding, 4000);

    // The oldest is gone, the newest is whole.
    service.fail(&sessions[0], "failing");
    assert_eq!(service.exported(), ["failing"]);
    service.fail(&sessions[1999], "failing");
    assert_eq!(sorted(service.exported())[1..], ["failing", "first", "second"]);
    let oldest_held = 2000 - holding as usize;
    service.fail(&sessions[oldest_held], "failing");
    assert_eq!(service.exported().len(), 1 + 3 + 3);
}

#[test]
fn one_session_cannot_put_out_all_others() {
    let service = Service::with(|tail| tail.max_bytes(800_000));
    let (quiet, loud) = (id("quiet"), id("loud"));
    service.work(&quiet, "quiet");
    for n in 0..5000 {
        service.work(&loud, &n.to_string());
    }
    assert!(service.counts.bytes_holding() <= 100_000 + 2000, "{}", service.counts.bytes_holding());
    assert_eq!(service.counts.sessions_evicted(), 0);
    quiet.keep();
    assert_eq!(service.exported(), ["quiet"]);
    loud.keep();
    let exported = service.exported();
    let expected: Vec<_> = (5000 - (exported.len() - 1)..5000).map(|n| n.to_string()).collect();
    assert_eq!(exported[1..], expected, "its last spans are whole");
    assert!(expected.len() > 20, "{}", expected.len());
}

#[test]
fn spans_that_are_held_for_too_long_are_let_go() {
    let service = Service::with(|tail| tail.max_age(Duration::from_millis(100)));
    let (old, other) = (id("old"), id("other-old"));
    service.work(&old, "old");
    service.work(&old, "old");
    let held = Instant::now();
    eventually("time passes", || held.elapsed() > Duration::from_millis(100));
    service.work(&other, "wakes it");
    assert_eq!((service.counts.items_expired(), service.counts.sessions_holding()), (2, 1));
    service.fail(&old, "failing");
    assert_eq!(service.exported(), ["failing"]);
}

#[test]
fn of_a_long_session_the_newer_part_stays() {
    const AGE: Duration = Duration::from_millis(300);
    let service = Service::with(|tail| tail.max_age(AGE));
    let (session, other) = (id("long"), id("long-other"));
    let let_it_age = || {
        let held = Instant::now();
        eventually("time passes", || held.elapsed() > AGE);
    };
    service.work(&session, "old");
    let_it_age();
    service.work(&session, "new");
    session.keep();
    assert_eq!(service.exported(), ["new"]);
    assert_eq!(service.counts.items_expired(), 1);

    // And so on, with others.
    service.work(&other, "other");
    let_it_age();
    service.work(&id("long-third"), "third");
    assert_eq!((service.counts.items_expired(), service.counts.sessions_holding()), (2, 1));
}

#[test]
fn shut_down_hands_on_what_is_due_and_drops_what_is_held() {
    let service = Service::new();
    let (kept, held) = (id("due"), id("held"));
    for n in 0..3000 {
        service.work(&kept, &n.to_string());
    }
    service.work(&held, "held");
    kept.keep();
    service.provider.shutdown().unwrap();
    // The in-memory exporter forgets what it had when it is shut down, so they are counted.
    assert_eq!(service.counts.items_handed_over(), 3000);
    assert_eq!(service.counts.items_dropped(), 1);
    assert_eq!((service.counts.sessions_holding(), service.counts.bytes_holding()), (0, 0));
    held.keep();
    assert_eq!(service.counts.items_handed_over(), 3000);
}

/// The SDK's queue holds 2048 spans, and drops what comes on top.
#[test]
fn a_long_session_does_not_overrun_the_queue_behind() {
    let spans = InMemorySpanExporter::default();
    let tail = SessionTailProcessor::new(BatchSpanProcessor::builder(spans.clone()).build());
    let provider = SdkTracerProvider::builder()
        .with_sampler(SessionSampler::ratio(0.0).hold_unsampled())
        .with_span_processor(tail)
        .build();
    let session = id("long-queue");
    let tracer = provider.tracer("tests");
    session.in_scope(|| (0..6000).for_each(|n| drop(tracer.start(n.to_string()))));
    session.keep();
    provider.force_flush().unwrap();
    let exported = names(&spans.get_finished_spans().unwrap());
    assert_eq!(exported.len(), 6000);
    assert!(exported.iter().enumerate().all(|(n, name)| *name == n.to_string()), "in order");
}

#[test]
fn many_threads_lose_nothing_and_hand_over_nothing_twice() {
    const THREADS: usize = 8;
    const SPANS: usize = 300;
    for round in 0..20 {
        let service = Service::new();
        let session = id(&format!("threads-{round}"));
        let barrier = Barrier::new(THREADS);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (service, session, barrier) = (&service, &session, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    for n in 0..SPANS {
                        let name = format!("{thread}-{n}");
                        if n == 100 + thread {
                            service.fail(session, &name);
                        } else {
                            service.work(session, &name);
                        }
                    }
                });
            }
        });
        let mut exported = service.exported();
        exported.sort();
        exported.dedup();
        assert_eq!(exported.len(), THREADS * SPANS, "round {round}");
        let all = service.spans.get_finished_spans().unwrap();
        assert_eq!(all.len(), THREADS * SPANS, "round {round}");
        assert_eq!(service.counts.bytes_holding(), 0);
    }
}

/// An exporter that takes nothing until it is let go.
#[derive(Debug, Clone, Default)]
struct Stuck(Arc<(Mutex<bool>, Condvar, AtomicUsize, AtomicBool)>);

impl Stuck {
    fn let_go(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

impl SpanExporter for Stuck {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.3.store(true, Ordering::SeqCst);
        let is_free = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(is_free, |is_free| !*is_free).unwrap());
        self.0.2.fetch_add(batch.len(), Ordering::SeqCst);
        Ok(())
    }
}

#[test]
fn an_exporter_that_is_stuck_holds_up_no_request_and_memory_stays_bounded() {
    const MAX: u64 = 1_000_000;
    let stuck = Stuck::default();
    // The smallest queue that the processor makes.
    let batches = BatchSpanProcessor::builder(stuck.clone()).with_batch_config(
        BatchConfigBuilder::default()
            .with_max_queue_size(64)
            .with_max_export_batch_size(16)
            .build(),
    );
    let tail = SessionTailProcessor::new(batches.build()).max_bytes(MAX as usize);
    let counts = tail.counts();
    let provider = SdkTracerProvider::builder()
        .with_sampler(SessionSampler::ratio(0.0).hold_unsampled())
        .with_span_processor(tail)
        .build();
    let tracer = provider.tracer("tests");
    let (mut most, mut spans) = (0, 0);
    // That this ends at all is the point: nobody waits for the exporter.
    for n in 0..3000 {
        let session = id(&format!("stuck-{n}"));
        session.in_scope(|| {
            (0..3).for_each(|_| drop(tracer.start("work")));
            tracer.start("failing").set_status(Status::error("no"));
        });
        spans += 4;
        most = most.max(counts.bytes_holding());
    }
    eventually("the exporter has something", || stuck.0.3.load(Ordering::SeqCst));
    assert!(most <= MAX, "{most}");
    assert!(counts.items_evicted() > 0, "it had to let go of some of {spans}");
    stuck.let_go();
    eventually("all that is due goes on", || counts.bytes_holding() == 0);
    let (held, gone) = (counts.items_held(), counts.items_evicted());
    assert_eq!(counts.items_handed_over() + gone, held, "each was handed over or counted");
    provider.shutdown().unwrap();
}

#[test]
fn the_resource_reaches_the_exporter() {
    #[derive(Debug, Clone, Default)]
    struct Told(Arc<Mutex<Option<Resource>>>);

    impl SpanProcessor for Told {
        fn on_start(&self, _: &mut Span, _: &Context) {}
        fn on_end(&self, _: SpanData) {}
        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }
        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
        fn set_resource(&mut self, resource: &Resource) {
            *self.0.lock().unwrap() = Some(resource.clone());
        }
    }

    let told = Told::default();
    let resource = Resource::builder_empty().with_service_name("shop").build();
    let _provider = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_span_processor(SessionTailProcessor::new(told.clone()))
        .build();
    assert_eq!(*told.0.lock().unwrap(), Some(resource));
}

#[test]
fn a_thread_hands_over_and_ends_with_its_processor() {
    /// Whether it still lives.
    #[derive(Debug)]
    struct Guarded(#[allow(dead_code, reason = "dropped with the processor")] Arc<()>);

    impl SpanProcessor for Guarded {
        fn on_start(&self, _: &mut Span, _: &Context) {}
        fn on_end(&self, _: SpanData) {}
        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }
        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    let alive = Arc::new(());
    let provider = SdkTracerProvider::builder()
        .with_sampler(SessionSampler::ratio(0.0).hold_unsampled())
        .build();
    let span = id("ends").in_scope(|| provider.tracer("tests").start("work"));
    let processor = SessionTailProcessor::new(Guarded(Arc::clone(&alive)));
    processor.on_end(span.exported_data().unwrap());
    assert_eq!(processor.counts().items_held(), 1);
    // Nobody shut it down.
    drop(processor);
    eventually("the processor is gone", || Arc::strong_count(&alive) == 1);
}

#[test]
fn log_records_are_held_and_come_back() {
    let logs = InMemoryLogExporter::default();
    let ratio = 0.5;
    let tail = SessionTailLogProcessor::new(SimpleLogProcessor::new(logs.clone()), ratio);
    let counts = tail.counts();
    let provider =
        SdkLoggerProvider::builder().with_log_processor(SessionLogProcessor::new(tail)).build();
    let logger = provider.logger("tests");
    let log = |body: &'static str, own: Option<&SessionId>| {
        let mut record = logger.create_log_record();
        record.set_body(body.into());
        if let Some(own) = own {
            record.add_attribute(ATTRIBUTE, own.to_string());
        }
        logger.emit(record);
    };
    let bodies = || {
        provider.force_flush().unwrap();
        let logs = logs.get_emitted_logs().unwrap();
        let bodies = logs.iter().map(|log| {
            let tags = log.record.attributes_iter().filter(|(key, _)| key.as_str() == ATTRIBUTE);
            let body = log.record.body();
            (format!("{body:?}").split('"').nth(1).unwrap().to_owned(), tags.count())
        });
        bodies.collect::<Vec<_>>()
    };
    let tagged =
        |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), 1)).collect::<Vec<_>>();
    let (sampled, dropped) = (session("log", ratio, true), session("log", ratio, false));
    sampled.in_scope(|| log("sampled", None));
    dropped.in_scope(|| log("held", None));
    // What a record says itself counts.
    sampled.in_scope(|| log("held by name", Some(&dropped)));
    dropped.in_scope(|| log("sampled by name", Some(&sampled)));
    assert_eq!(bodies(), tagged(&["sampled", "sampled by name"]));
    assert_eq!((counts.items_held(), counts.sessions_holding()), (2, 1));

    dropped.keep();
    dropped.in_scope(|| log("after", None));
    let mut late = bodies();
    late.sort();
    let expected = ["after", "held", "held by name", "sampled", "sampled by name"];
    assert_eq!(late, tagged(&expected));

    log("no session", None);
    assert_eq!(bodies().len(), 6);
    let other = session("log-other", ratio, false);
    other.in_scope(|| log("never", None));
    provider.shutdown().unwrap();
    assert_eq!(counts.items_dropped(), 1);
}

#[test]
fn an_error_on_a_span_brings_back_the_log_records() {
    let service = Service::new();
    let logs = InMemoryLogExporter::default();
    let tail = SessionTailLogProcessor::new(SimpleLogProcessor::new(logs.clone()), 0.0);
    let provider =
        SdkLoggerProvider::builder().with_log_processor(SessionLogProcessor::new(tail)).build();
    let session = id("span-and-log");
    session.in_scope(|| {
        let logger = provider.logger("tests");
        logger.emit(logger.create_log_record());
    });
    service.fail(&session, "failing");
    provider.force_flush().unwrap();
    assert_eq!(logs.get_emitted_logs().unwrap().len(), 1);
}

#[cfg(feature = "metrics")]
#[test]
fn metrics_say_what_became_of_spans_and_sessions_and_name_none() {
    use opentelemetry::metrics::MeterProvider as _;
    use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
    use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};

    let metrics = InMemoryMetricExporter::default();
    let meters = SdkMeterProvider::builder()
        .with_reader(PeriodicReader::builder(metrics.clone()).build())
        .build();
    let meter = meters.meter("qorrelate");
    let spans = InMemorySpanExporter::default();
    let tail = SessionTailProcessor::new(SimpleSpanProcessor::new(spans)).report_to(&meter);
    let provider = SdkTracerProvider::builder()
        .with_sampler(SessionSampler::ratio(0.0).hold_unsampled().report_to(&meter))
        .with_span_processor(tail)
        .build();
    let (kept, held) = (id("metrics-kept"), id("metrics-held"));
    let tracer = provider.tracer("tests");
    kept.in_scope(|| (0..3).for_each(|_| drop(tracer.start("work"))));
    held.in_scope(|| drop(tracer.start("work")));
    drop(tracer.start("no session"));
    kept.keep();
    kept.in_scope(|| drop(tracer.start("sampled")));
    provider.force_flush().unwrap();
    meters.force_flush().unwrap();

    let mut seen = std::collections::BTreeMap::new();
    for resource in metrics.get_finished_metrics().unwrap() {
        for metric in resource.scope_metrics().flat_map(|scope| scope.metrics()) {
            let AggregatedMetrics::U64(data) = metric.data() else { panic!("{metric:?}") };
            let mut see = |value: u64, attributes: Vec<KeyValue>| {
                let attributes = attributes.iter().map(|kv| kv.value.to_string());
                let attributes = sorted(attributes.collect()).join(",");
                let name = metric.name().strip_prefix("qorrelate.session.sampling.").unwrap();
                seen.insert(format!("{name} {attributes}"), value);
            };
            match data {
                MetricData::Sum(sum) => sum
                    .data_points()
                    .for_each(|point| see(point.value(), point.attributes().cloned().collect())),
                MetricData::Gauge(gauge) => gauge
                    .data_points()
                    .for_each(|point| see(point.value(), point.attributes().cloned().collect())),
                _ => panic!("{metric:?}"),
            }
        }
    }
    let bytes = seen.remove("holding.size traces").unwrap();
    assert!((200..5000).contains(&bytes), "{bytes}");
    let expected = [
        ("decisions dropped", 1),
        ("decisions held", 4),
        ("decisions sampled", 1),
        ("holding.sessions traces", 1),
        ("items dropped,traces", 0),
        ("items evicted,traces", 0),
        ("items expired,traces", 0),
        ("items handed_over,traces", 3),
        ("items held,traces", 4),
        ("sessions evicted,traces", 0),
        ("sessions handed_over,traces", 1),
        ("sessions held,traces", 2),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
}
