//! `SessionFormat`: every line of a session shows it, once.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

#[path = "common/lines.rs"]
mod lines;

use lines::Lines;
use qorrelate_core::{SessionFormat, SessionId, carry_session};
use tracing::field::Empty;
use tracing_subscriber::Registry;
use tracing_subscriber::fmt::format::{self, FmtSpan, Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

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
    let subscriber = tracing_subscriber::registry().with(carry_session(layer));
    tracing::subscriber::with_default(subscriber, work);
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
    let subscriber = tracing_subscriber::registry().with(carry_session(layer));
    tracing::subscriber::with_default(subscriber, work);
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

    let recorded = || {
        let _session = session().enter();
        let span = tracing::info_span!("work", session.id = Empty).entered();
        span.record("session.id", "own");
        tracing::info!("working");
    };
    assert_eq!(text(recorded), " INFO work{session.id=\"own\"}: working\n");

    let in_event = || session().in_scope(|| tracing::info!(session.id = "own", "working"));
    assert_eq!(text(in_event), " INFO working session.id=\"own\"\n");
    assert_eq!(json(in_event).matches("session.id").count(), 1);
}

#[test]
fn an_event_whose_field_is_empty_shows_nothing_by_itself() {
    let work = || session().in_scope(|| tracing::info!(session.id = Empty, "working"));
    assert_eq!(text(work), " INFO working session.id=abc\n");
    assert!(json(work).starts_with("{\"session.id\":\"abc\","));
}

/// What a log query asks for: the member at the top level.
fn member(
    configure: impl FnOnce(JsonLayer) -> JsonLayer,
    work: impl FnOnce(),
) -> serde_json::Value {
    let lines = Lines::default();
    let layer = configure(tracing_subscriber::fmt::layer().json());
    let layer = layer.map_event_format(SessionFormat::new).with_writer(lines.clone());
    let subscriber = tracing_subscriber::registry().with(carry_session(layer));
    tracing::subscriber::with_default(subscriber, work);
    let line: serde_json::Value = serde_json::from_str(&lines.text()).unwrap();
    line["session.id"].clone()
}

type JsonLayer = tracing_subscriber::fmt::Layer<Registry, JsonFields, Format<Json>>;

#[test]
fn json_has_it_at_the_top_level_whatever_is_shown_of_spans() {
    let in_span = || {
        let _session = session().enter();
        let _request = tracing::info_span!("request", session.id = "abc").entered();
        let _child = tracing::info_span!("child").entered();
        tracing::info!("working");
    };
    assert_eq!(member(|layer| layer, in_span), "abc");
    assert_eq!(member(|layer| layer.with_span_list(false), in_span), "abc");
    assert_eq!(
        member(|layer| layer.with_span_list(false).with_current_span(false), in_span),
        "abc"
    );
    assert_eq!(member(|layer| layer.flatten_event(true), in_span), "abc");
    let bare = |layer: JsonLayer| layer.flatten_event(true).without_time_and_all();
    assert_eq!(member(bare, in_span), "abc");
}

trait WithoutAll {
    fn without_time_and_all(self) -> Self;
}

impl WithoutAll for JsonLayer {
    fn without_time_and_all(self) -> Self {
        self.with_level(false).with_target(false).with_span_list(false).with_current_span(false)
    }
}

#[test]
fn text_that_begins_with_a_brace_is_text() {
    let lines = Lines::default();
    let format = format().without_time().with_target(false).with_level(false);
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .event_format(SessionFormat::new(format))
        .with_writer(lines.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        session().in_scope(|| tracing::info!("{{\"looks\": \"like JSON\"}}"));
    });
    assert_eq!(lines.text(), "{\"looks\": \"like JSON\"} session.id=abc\n");
}

#[test]
fn formats_of_ones_own_are_what_they_are_said_to_be() {
    struct Own(&'static str);

    impl<S, N> FormatEvent<S, N> for Own
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a>,
        N: for<'a> FormatFields<'a> + 'static,
    {
        fn format_event(
            &self,
            _: &FmtContext<'_, S, N>,
            mut writer: Writer<'_>,
            _: &tracing::Event<'_>,
        ) -> std::fmt::Result {
            writer.write_str(self.0)
        }
    }

    for (format, expected) in [
        (SessionFormat::text(Own("{}\n")), "{} session.id=abc\n"),
        (SessionFormat::json(Own("{}\n")), "{\"session.id\":\"abc\"}\n"),
        (SessionFormat::json(Own("{\"a\":1}\n")), "{\"session.id\":\"abc\",\"a\":1}\n"),
        (SessionFormat::json(Own("no object\n")), "no object\n"),
    ] {
        let lines = Lines::default();
        let layer =
            tracing_subscriber::fmt::layer().event_format(format).with_writer(lines.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            session().in_scope(|| tracing::info!("working"));
        });
        assert_eq!(lines.text(), expected);
    }
}

/// With and without our format, a line differs by nothing but the session.
#[test]
fn the_formats_of_tracing_subscriber_stay_as_they_are() {
    macro_rules! lines {
        ($layer:expr, $ansi:expr) => {{
            let write = |with_session: bool| {
                let lines = Lines::default();
                let layer = $layer.without_time().with_ansi($ansi).with_writer(lines.clone());
                let work = || {
                    let _session = session().enter();
                    tracing::info_span!("span", n = 1).in_scope(|| {
                        tracing::info!(m = 2, "one");
                        tracing::info!("two");
                    });
                };
                let registry = tracing_subscriber::registry();
                if with_session {
                    let layer = layer.map_event_format(SessionFormat::new);
                    tracing::subscriber::with_default(registry.with(layer), work);
                } else {
                    tracing::subscriber::with_default(registry.with(layer), work);
                }
                lines.text()
            };
            (write(true), write(false))
        }};
    }
    let (plain, coloured) =
        (" session.id=abc", " \u{1b}[3msession.id\u{1b}[0m\u{1b}[2m=\u{1b}[0mabc");
    for ((ours, theirs), added) in [
        (lines!(tracing_subscriber::fmt::layer(), false), plain),
        (lines!(tracing_subscriber::fmt::layer(), true), coloured),
        (lines!(tracing_subscriber::fmt::layer().compact(), false), plain),
        (lines!(tracing_subscriber::fmt::layer().compact(), true), coloured),
        (lines!(tracing_subscriber::fmt::layer().pretty(), false), plain),
        (lines!(tracing_subscriber::fmt::layer().pretty(), true), coloured),
    ] {
        assert_eq!(ours.matches(added).count(), 2, "{ours}");
        assert_eq!(ours.replace(added, ""), theirs);
    }
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
    assert_eq!(text(work), " INFO one\ntwo session.id=abc\n\n");
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
    let line =
        "\u{1b}[32m INFO\u{1b}[0m working \u{1b}[3msession.id\u{1b}[0m\u{1b}[2m=\u{1b}[0mabc\n";
    assert_eq!(lines.text(), line);
}
