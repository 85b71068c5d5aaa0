//! Tagging the span that is already open when the session becomes known.

use tracing::Span;

#[cfg(feature = "tracing-subscriber")]
use super::carry;
#[cfg(not(feature = "tracing-subscriber"))]
use super::open_span::OpenSpan;
use super::versions;
use crate::id::SessionId;
use crate::inbound::ATTRIBUTE;

/// Puts the session on the `tracing` span that is current, if it is the request's.
///
/// It is if it declares the field `session.id` and has no value for it yet, or if the user says that the
/// layer stands inside of the tracing layer (`is_inside`). Any other span may belong to a connection, or
/// to a server, and so to many sessions.
///
/// To be called in the first poll: some tracing layers are in their span only while they poll.
pub(crate) fn tag_current_span(session: &SessionId, is_inside: bool) {
    #[cfg(feature = "tracing-subscriber")]
    carry::hint_if_missing();
    let span = Span::current();
    let declares_field = span.has_field(ATTRIBUTE);
    if span.is_disabled() || !(declares_field || is_inside) {
        return;
    }
    #[cfg(feature = "tracing-subscriber")]
    let known = carry::look_at(&span);
    #[cfg(not(feature = "tracing-subscriber"))]
    let known = OpenSpan::default();
    // It was made in a session, and so was tagged when it started; or in a request without.
    if known.is_of_a_request {
        return;
    }
    let has_value = known.has_value == Some(true);
    let is_empty = known.has_value == Some(false) || is_inside;
    if declares_field && !is_empty {
        // Nobody can tell without `carry_session` whether the field has a value.
        return;
    }
    if !versions::was_tagged_when_started() {
        if declares_field && !has_value {
            span.record(ATTRIBUTE, session.as_str());
        }
        match known.own_spans {
            Some(own) if declares_field => own.label(session),
            Some(own) => own.tag(session),
            None => {}
        }
    }
    #[cfg(feature = "tracing-subscriber")]
    carry::remember(&span, session);
}

/// Makes `carry_session` look which OpenTelemetry span each `tracing` span becomes. Needed to write to a span that
/// is open what it declares no field for: in a layer that stands inside of the tracing layer, and for labels.
pub(crate) fn expect_to_label_open_spans() {
    #[cfg(feature = "tracing-subscriber")]
    carry::look_for_own_spans();
}

/// Fills in the field `session.id` of a span that was just made, with the current session: for a request
/// span of your own, made inside the layer or middleware.
///
/// The span must declare the field (`session.id = tracing::field::Empty`). Without it, or without a
/// current session, nothing happens. Call it before the span is entered for the first time: a span that
/// started in OpenTelemetry has been tagged by `SessionSampler` by then.
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
    }
}
