//! Tagging the span that is already open when the session becomes known.

use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, KeyValue};
use tracing::Span;

use super::scope::{Before, SessionScope};
use super::{ATTRIBUTE, Session};
use crate::hint::Hint;
use crate::id::SessionId;

/// Puts the session on the span that is open, by one way only, and says whether there was one.
///
/// It is for code that has just entered the session, in which the span is the same as `before`.
///
/// The field of the `tracing` span comes first: `fmt` shows it, and tracing-opentelemetry makes it
/// an attribute. Doing both would export the key twice.
pub(crate) fn tag_open_span(scope: &SessionScope, before: Before) -> bool {
    // Without a subscriber there is no span, and asking for it would cost more than asking this.
    let may_have_span = tracing::dispatcher::has_been_set();
    if !may_have_span && !before.has_span {
        return false;
    }
    let Some(Session { id, .. }) = scope.session() else {
        return false;
    };
    (may_have_span && tag_tracing_span(id)) || (before.has_span && tag_active_span(id))
}

fn tag_tracing_span(id: &SessionId) -> bool {
    let span = Span::current();
    #[cfg(feature = "tracing-subscriber")]
    crate::span_layer::remember(&span, id);
    let is_declared = span.has_field(ATTRIBUTE);
    if is_declared {
        span.record(ATTRIBUTE, id.as_str());
    }
    is_declared
}

fn tag_active_span(id: &SessionId) -> bool {
    let context = Context::current();
    let span = context.span();
    if span.is_recording() {
        span.set_attribute(KeyValue::new(ATTRIBUTE, id.shared()));
        return true;
    }
    // A span that was sampled away needs no tag; the span of a remote parent is not open here.
    span.span_context().is_valid() && !span.span_context().is_remote()
}

/// Fills in the field `session.id` of a span that was just made, with the current session: for a
/// request span of your own, made inside of the layer or middleware.
///
/// The span must declare the field (`session.id = tracing::field::Empty`); without it, or without a
/// current session, nothing happens. `fmt` logs then show the session on every line of the request.
///
/// # Example
///
/// ```
/// use tracing::field::Empty;
///
/// let span = tracing::info_span!("request", session.id = Empty);
/// qorrelate_core::record_current_session(&span);
/// ```
pub fn record_current_session(span: &Span) {
    if let Some(id) = SessionId::current() {
        span.record(ATTRIBUTE, id.as_str());
        note_tagged_later();
    }
}

/// Whether spans that start later in a session are tagged, by the sampler or by who makes them, as
/// far as any has started yet.
static TAGGED_LATER: AtomicBool = AtomicBool::new(false);

pub(crate) fn note_tagged_later() {
    // Read first: a write would take the cache line from the other cores.
    if !TAGGED_LATER.load(Ordering::Relaxed) {
        TAGGED_LATER.store(true, Ordering::Relaxed);
    }
}

/// Says once per process that no span was open that could be tagged, unless some are tagged when they
/// start.
pub(crate) fn hint_if_nothing_is_tagged() {
    static LAYER_ORDER: Hint = Hint::new();

    if !TAGGED_LATER.load(Ordering::Relaxed) && LAYER_ORDER.is_due() {
        tracing::debug!(
            target: "qorrelate",
            "no span was tagged with session.id: none was open when the request came in, and none that \
             started later was tagged. Add SessionSampler to the OpenTelemetry set-up, declare the \
             field on the request span (SessionMakeSpan, SessionRootSpanBuilder), or put this layer \
             inside of the tracing layer"
        );
    }
}
