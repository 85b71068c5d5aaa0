//! Tagging the span that is already open when the session becomes known.

use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, KeyValue};
use tracing::Span;

use super::ATTRIBUTE;
use crate::id::SessionId;

/// Puts the session on the span that is open, by one way only, and says whether there was one.
///
/// The field of the `tracing` span comes first: `fmt` shows it, and tracing-opentelemetry makes it
/// an attribute. Doing both would export the key twice.
pub(crate) fn tag_open_span(id: &SessionId) -> bool {
    let span = Span::current();
    if span.has_field(ATTRIBUTE) {
        span.record(ATTRIBUTE, id.as_str());
        return true;
    }
    let context = Context::current();
    if !context.has_active_span() {
        return false;
    }
    let span = context.span();
    if span.is_recording() {
        span.set_attribute(KeyValue::new(ATTRIBUTE, id.shared()));
        return true;
    }
    // A span that was sampled away needs no tag; the span of a remote parent is not open here.
    span.span_context().is_valid() && !span.span_context().is_remote()
}
