//! Telling the browser which trace its request became.

use super::opentelemetry::Context;
use super::opentelemetry::trace::TraceContextExt;

/// The value of a `Server-Timing` header (W3C Server Timing) that names the active span, for a
/// browser recorder to link the request to its trace. `None` if no span is active.
///
/// The metric `traceparent` is what Splunk RUM, HyperDX and Grafana Faro read; `trace` is the name
/// in the draft of W3C Trace Context Level 2, "Server-Timing". Both hold a `traceparent` value.
///
/// # Example
///
/// ```
#[doc = concat!("use ", this_version!(opentelemetry), "::Context; // the crate `opentelemetry` of this version")]
#[doc = concat!("use ", this_version!(opentelemetry), "::trace::{")]
///     SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState,
/// };
/// # use qorrelate_core as qorrelate_tower;
#[doc = concat!("use qorrelate_tower::", this_version!(opentelemetry), "::server_timing;")]
///
/// assert_eq!(server_timing(), None);
///
/// let span = SpanContext::new(
///     TraceId::from(0x0af7651916cd43dd8448eb211c80319c),
///     SpanId::from(0xb7ad6b7169203331),
///     TraceFlags::SAMPLED,
///     false,
///     TraceState::NONE,
/// );
/// let _guard = Context::new().with_remote_span_context(span).attach();
/// assert_eq!(
///     server_timing().as_deref(),
///     Some(
///         "traceparent;desc=\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\", \
///          trace;desc=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
///     ),
/// );
/// ```
pub fn server_timing() -> Option<String> {
    Context::map_current(|cx| {
        let span = cx.span();
        let span = span.span_context();
        span.is_valid().then(|| {
            let (trace, id, flags) = (span.trace_id(), span.span_id(), span.trace_flags());
            let parent = format_args!("00-{trace}-{id}-{flags:02x}").to_string();
            format!("traceparent;desc=\"{parent}\", trace;desc={parent}")
        })
    })
}
