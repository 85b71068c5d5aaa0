//! What a session is shown by besides `session.id`: other attributes, and the link to its replay.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

#[path = "common/head.rs"]
mod head;
#[path = "common/request.rs"]
mod request;

use head::Head;
use opentelemetry_0_33::logs::{LogRecord as _, Logger as _, LoggerProvider as _};
use opentelemetry_0_33::trace::TracerProvider as _;
use opentelemetry_sdk_0_33::logs::{InMemoryLogExporter, SdkLoggerProvider, SimpleLogProcessor};
use opentelemetry_sdk_0_33::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider};
use qorrelate_core::adapter::Settings;
use qorrelate_core::opentelemetry_0_33::{SessionLogProcessor, SessionSampler};
use qorrelate_core::{InvalidSettingReason, SessionId, Source, carry_session};
use tracing::field::Empty;
use tracing_subscriber::layer::SubscriberExt;

/// The default header, labelled.
fn source() -> Source {
    Source::header("x-session-id")
        .attribute("highlight.session_id")
        .attribute("sessionId")
        .replay_url("https://replays.example.com/acme/{id}?from={id}")
}

fn settings() -> Settings<http::HeaderName> {
    Settings::new().sources([source()]).unwrap()
}

/// Every span that the work makes, with those of its attributes that say something of a session, sorted.
fn spans(context_activation: bool, work: impl FnOnce()) -> Vec<(String, Vec<String>)> {
    let spans = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_sampler(SessionSampler::new(Sampler::AlwaysOn))
        .with_simple_exporter(spans.clone())
        .build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("tests"))
        .with_context_activation(context_activation);
    let subscriber = tracing_subscriber::registry().with(carry_session(layer));
    tracing::subscriber::with_default(subscriber, work);
    let about = |key: &str| ["session", "replay"].iter().any(|word| key.contains(word));
    let finished = spans.get_finished_spans().unwrap();
    finished
        .iter()
        .map(|span| {
            let own = span.attributes.iter().filter(|kv| about(kv.key.as_str()));
            let mut own: Vec<_> = own.map(|kv| format!("{}={}", kv.key, kv.value)).collect();
            own.sort();
            (span.name.to_string(), own)
        })
        .collect()
}

const LINK: &str = "session.replay.url=https://replays.example.com/acme/abc?from=abc";

fn labelled(name: &str) -> (String, Vec<String>) {
    let labels = ["highlight.session_id=abc", "session.id=abc", "sessionId=abc"];
    (name.to_owned(), labels.map(str::to_owned).to_vec())
}

fn linked(name: &str) -> (String, Vec<String>) {
    let (name, mut labels) = labelled(name);
    labels.push(LINK.to_owned());
    labels.sort();
    (name, labels)
}

fn bare(name: &str) -> (String, Vec<String>) {
    (name.to_owned(), vec![])
}

#[test]
fn every_span_is_labelled_once_and_the_first_of_each_request_is_linked() {
    for context_activation in [true, false] {
        let spans = spans(context_activation, || {
            for session in ["abc", "", "abc"] {
                request::handle(&settings(), Head(session), || {
                    tracing::info_span!("request", session.id = Empty).in_scope(|| {
                        let work = tracing::info_span!("work");
                        work.in_scope(|| tracing::info_span!("inner").in_scope(|| ()));
                    });
                });
            }
        });
        let of_session = [labelled("inner"), labelled("work"), linked("request")];
        let without = ["inner", "work", "request"].map(bare);
        let expected = [of_session.clone(), without, of_session].concat();
        assert_eq!(spans, expected, "{context_activation}");
    }
}

#[test]
fn a_span_entered_on_another_thread_is_labelled() {
    let spans = spans(true, || {
        let mut spawned = None;
        request::handle(&settings(), Head("abc"), || {
            tracing::info_span!("request").in_scope(|| spawned = Some(tracing::info_span!("task")));
        });
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let task = spawned.unwrap();
        let thread = std::thread::spawn(move || {
            tracing::dispatcher::with_default(&dispatch, || task.in_scope(|| ()));
        });
        thread.join().unwrap();
    });
    // The task's span ends first: it keeps its parent open.
    assert_eq!(spans, [labelled("task"), linked("request")]);
}

#[test]
fn inside_of_the_tracing_layer_the_requests_span_is_labelled_and_linked() {
    for context_activation in [true, false] {
        let spans = spans(context_activation, || {
            tracing::info_span!("declares", session.id = Empty).in_scope(|| {
                request::handle(&settings(), Head("abc"), || {
                    tracing::info_span!("work").in_scope(|| ());
                });
            });
            tracing::info_span!("does not").in_scope(|| {
                request::handle(&settings().tag_current_span(true), Head("abc"), || {
                    tracing::info_span!("work").in_scope(|| ());
                });
            });
        });
        let work = labelled("work");
        let expected = [work.clone(), linked("declares"), work, linked("does not")];
        assert_eq!(spans, expected, "{context_activation}");
    }
}

#[test]
fn a_span_of_another_request_or_session_is_not_linked() {
    let spans = spans(true, || {
        let other: SessionId = "other".parse().unwrap();
        request::handle(&settings(), Head("abc"), || {
            other.in_scope(|| tracing::info_span!("other").in_scope(|| ()));
            tracing::info_span!("says so", session.id = "own").in_scope(|| ());
            tracing::info_span!("request").in_scope(|| ());
        });
    });
    let only = |name: &str, id: &str| (name.to_owned(), vec![format!("session.id={id}")]);
    assert_eq!(spans, [only("other", "other"), only("says so", "own"), linked("request")]);
}

#[test]
fn two_layers_link_one_span() {
    let spans = spans(true, || {
        request::handle(&settings(), Head("abc"), || {
            tracing::info_span!("request").in_scope(|| {
                request::handle(&settings(), Head("abc"), || {
                    tracing::info_span!("work").in_scope(|| ());
                });
            });
        });
    });
    assert_eq!(spans, [labelled("work"), linked("request")]);
}

#[test]
fn a_label_that_a_span_has_already_stays_alone() {
    let spans = spans(true, || {
        request::handle(&settings(), Head("abc"), || {
            tracing::info_span!("request", sessionId = "own").in_scope(|| ());
        });
    });
    let own = ["highlight.session_id=abc", "session.id=abc", LINK, "sessionId=own"];
    assert_eq!(spans, [("request".to_owned(), own.map(str::to_owned).to_vec())]);
}

#[test]
fn the_id_is_percent_encoded_and_the_attribute_can_be_renamed() {
    let source = Source::header("x-session-id")
        .replay_url("https://replays.example.com/{id}")
        .replay_url_attribute("replay");
    let settings = Settings::new().sources([source]).unwrap();
    let spans = spans(true, || {
        request::handle(&settings, Head("../a:b+c=d"), || {
            tracing::info_span!("request").in_scope(|| ());
        });
    });
    let link = "replay=https://replays.example.com/..%2Fa%3Ab%2Bc%3Dd";
    let own = vec![link.to_owned(), "session.id=../a:b+c=d".to_owned()];
    assert_eq!(spans, [("request".to_owned(), own)]);
}

#[test]
fn log_records_are_labelled_once_and_not_linked() {
    let logs = InMemoryLogExporter::default();
    let provider = SdkLoggerProvider::builder()
        .with_log_processor(SessionLogProcessor::new(SimpleLogProcessor::new(logs.clone())))
        .build();
    let logger = provider.logger("tests");
    let emit = |own: &[(&'static str, &'static str)]| {
        let mut record = logger.create_log_record();
        own.iter().for_each(|&(key, value)| record.add_attribute(key, value));
        logger.emit(record);
    };
    request::handle(&settings(), Head("abc"), || {
        emit(&[]);
        emit(&[("session.id", "own")]);
        emit(&[("session.id", "abc"), ("sessionId", "own")]);
    });
    request::handle(&settings(), Head(""), || emit(&[]));
    let records: Vec<Vec<String>> = logs
        .get_emitted_logs()
        .unwrap()
        .iter()
        .map(|log| {
            let attributes = log.record.attributes_iter();
            let mut all: Vec<_> = attributes.map(|(key, v)| format!("{key} {v:?}")).collect();
            all.sort();
            all
        })
        .collect();
    assert_eq!(records.len(), 4);
    assert_eq!(records[0].len(), 3, "{:?}", records[0]);
    assert_eq!(records[1].len(), 1, "{:?}", records[1]);
    assert_eq!(records[2].len(), 3, "{:?}", records[2]);
    assert!(records[2].iter().any(|a| a.contains("sessionId") && a.contains("own")));
    assert_eq!(records[3], Vec::<String>::new());
}

#[test]
fn names_and_links_that_cannot_work_are_refused() {
    let reason = |source: Source| {
        Settings::<http::HeaderName>::new().sources([source]).map(|_| ()).unwrap_err().reason()
    };
    for name in ["", "a b", "a\n", "session.id"] {
        let source = Source::header("x-session-id");
        assert_eq!(
            reason(source.attribute(name)),
            InvalidSettingReason::NotAnAttribute,
            "{name:?}"
        );
    }
    for url in [
        "",
        "https://replays.example.com/",
        "https://replays.example.com",
        "replays.example.com/{id}",
        "https://{id}.example.com/{id}",
        "https:///{id}",
        "javascript:alert({id})",
    ] {
        let source = Source::header("x-session-id").replay_url(url);
        assert_eq!(reason(source), InvalidSettingReason::NotAReplayUrl, "{url:?}");
    }
}
