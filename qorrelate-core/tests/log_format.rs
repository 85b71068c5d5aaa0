//! `SessionFormat`: every line of a session shows it, once.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

#[path = "common/lines.rs"]
mod lines;

use lines::Lines;
use qorrelate_core::{SessionFormat, SessionId};
use tracing::field::Empty;
use tracing_subscriber::fmt::format::{self, FmtSpan};
use tracing_subscriber::layer::SubscriberExt;

fn session() -> SessionId {
    "abc".parse().unwrap()
}

/// What text logs without time, colours and target look like.
fn text(work: impl FnOnce()) -> String {
    let lines = Lines::default();
    let format = format().without_time().with_target(false);
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .event_format(SessionFormat::new(format))
        .with_writer(lines.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
    lines.text()
}

fn json(work: impl FnOnce()) -> String {
    let lines = Lines::default();
    let layer = tracing_subscriber::fmt::layer()
        .json()
        .without_time()
        .with_target(false)
        .map_event_format(SessionFormat::new)
        .with_writer(lines.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
    lines.text()
}

fn format() -> format::Format {
    tracing_subscriber::fmt::format()
}

#[test]
fn a_line_without_a_span_shows_the_session() {
    let work = || session().in_scope(|| tracing::info!(n = 1, "working"));
    assert_eq!(text(work), " INFO working n=1 session.id=abc\n");
    assert_eq!(
        json(work),
        "{\"session.id\":\"abc\",\"level\":\"INFO\",\"fields\":{\"message\":\"working\",\"n\":1}}\n",
    );
}

#[test]
fn a_line_in_a_span_without_the_field_shows_the_session() {
    let work = || {
        let _session = session().enter();
        let _span = tracing::info_span!("work", session.id = Empty).entered();
        tracing::info!("working");
    };
    assert_eq!(text(work), " INFO work: working session.id=abc\n");
    assert!(json(work).starts_with("{\"session.id\":\"abc\","));
}

#[test]
fn a_line_that_shows_a_session_is_left_as_it_is() {
    let in_span = || {
        let _session = session().enter();
        let _span = tracing::info_span!("work", session.id = "own").entered();
        let _inner = tracing::info_span!("inner").entered();
        tracing::info!("working");
    };
    assert_eq!(text(in_span), " INFO work{session.id=\"own\"}:inner: working\n");
    assert_eq!(json(in_span).matches("session.id").count(), 1);

    let in_event = || session().in_scope(|| tracing::info!(session.id = "own", "working"));
    assert_eq!(text(in_event), " INFO working session.id=\"own\"\n");
    assert_eq!(json(in_event).matches("session.id").count(), 1);
}

#[test]
fn a_value_that_only_looks_like_the_field_hides_nothing() {
    let work = || {
        let _session = session().enter();
        let _span = tracing::info_span!("work", path = "/?session.id=forged").entered();
        tracing::info!("session.id=forged");
    };
    assert!(text(work).ends_with(" session.id=abc\n"));
    assert!(json(work).starts_with("{\"session.id\":\"abc\","));
}

#[test]
fn a_line_in_no_session_is_left_as_it_is() {
    let work = || tracing::info!("idle");
    assert_eq!(text(work), " INFO idle\n");
    assert_eq!(json(work), "{\"level\":\"INFO\",\"fields\":{\"message\":\"idle\"}}\n");
}

#[test]
fn a_message_of_several_lines_stays_one() {
    let work = || session().in_scope(|| tracing::info!("one\ntwo\n"));
    assert_eq!(text(work), " INFO one\ntwo\n session.id=abc\n");
}

#[test]
fn the_lines_of_spans_themselves_show_it_too() {
    let lines = Lines::default();
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_span_events(FmtSpan::NEW)
        .event_format(SessionFormat::new(format().without_time().with_target(false)))
        .with_writer(lines.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        session().in_scope(|| tracing::info_span!("work"));
    });
    assert_eq!(lines.text(), " INFO work: new session.id=abc\n");
}

#[test]
fn a_format_that_was_told_to_use_colours_keeps_them() {
    let lines = Lines::default();
    let format = format().without_time().with_target(false).with_ansi(true);
    let layer = tracing_subscriber::fmt::layer()
        .event_format(SessionFormat::new(format))
        .with_writer(lines.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        session().in_scope(|| tracing::info!("working"));
    });
    assert_eq!(lines.text(), "\u{1b}[32m INFO\u{1b}[0m working session.id=abc\n");
}
