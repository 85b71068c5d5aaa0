//! The span that is active in the current OpenTelemetry context.

use super::context::session_of_current;
use super::opentelemetry::trace::{SpanId, TraceContextExt, TraceId};
use super::opentelemetry::{Context, KeyValue};
use super::{labels, sampler};
use crate::id::SessionId;
use crate::inbound::ATTRIBUTE;

pub(crate) type ActiveSpan = (TraceId, SpanId);

/// The span of this process that is active. A remote parent is not open here.
pub(crate) fn active_span() -> Option<ActiveSpan> {
    Context::map_current(|cx| {
        let span = cx.span();
        let span = span.span_context();
        (span.is_valid() && !span.is_remote()).then(|| (span.trace_id(), span.span_id()))
    })
}

/// Tags the active span, unless it was tagged when it started.
pub(crate) fn tag(session: &SessionId) {
    if active_span().is_some() && !was_tagged_when_started() {
        Context::current().span().set_attribute(KeyValue::new(ATTRIBUTE, session.shared()));
        label(session);
    }
}

/// Puts on the active span what the session has besides `session.id`.
pub(crate) fn label(session: &SessionId) {
    if let Some(labels) = session.labels() {
        let context = Context::current();
        labels::of(session, labels).for_each(|label| context.span().set_attribute(label));
    }
}

/// Whether the active span started in a context that holds a session, and `SessionSampler` saw it.
pub(crate) fn was_tagged_when_started() -> bool {
    sampler::has_run() && session_of_current().is_some() && active_span().is_some()
}
