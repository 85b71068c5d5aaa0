//! How many requests have a session ID, and how many don't: as a metric. It never says which session.

use super::opentelemetry::KeyValue;
use super::opentelemetry::metrics::Meter;
use crate::inbound::{RequestView, SessionIdOutcome};

/// Counts requests: a hook for `on_outcome`.
///
/// The counter `qorrelate.requests` (unit `{request}`) has these attributes:
///
/// | attribute | value |
/// | --- | --- |
/// | `qorrelate.outcome` | `found`, `missing` or `malformed` |
/// | `qorrelate.source` | where the ID was, as in `header X-Session-ID`; none if it is missing |
/// | `error.type` (OpenTelemetry semantic conventions) | the rule that a malformed ID broke, as in `too_long` or `conflicting` |
///
/// All values come from your settings, so there are few. None is a session ID. `docs/production.md` has alerts.
///
/// # Example
///
/// ```
#[doc = concat!("use ", this_version!(opentelemetry), "::global; // the crate `opentelemetry` of this version")]
/// # mod qorrelate_tower {
/// #     pub use qorrelate_core::*;
/// #     pub type SessionIdLayer = qorrelate_core::adapter::Settings<http::HeaderName>;
/// # }
/// use qorrelate_tower::SessionIdLayer; // or qorrelate_actix, SessionIdMiddleware
#[doc = concat!("use qorrelate_tower::", this_version!(opentelemetry), "::count_requests;")]
///
/// let layer = SessionIdLayer::new().on_outcome(count_requests(&global::meter("my-service")));
/// # let _ = layer;
///
/// // With a hook of your own:
/// let count = count_requests(&global::meter("my-service"));
/// let layer = SessionIdLayer::new().on_outcome(move |outcome, request| {
///     count(outcome, request);
///     println!("{outcome}");
/// });
/// # let _ = layer;
/// ```
pub fn count_requests(
    meter: &Meter,
) -> impl Fn(&SessionIdOutcome, &dyn RequestView) + Send + Sync + use<> {
    let requests = meter
        .u64_counter("qorrelate.requests")
        .with_unit("{request}")
        .with_description("Requests, by whether they had a session ID")
        .build();
    move |outcome, _| {
        let kind = KeyValue::new("qorrelate.outcome", outcome.as_str());
        let from = |source: &dyn ToString| KeyValue::new("qorrelate.source", source.to_string());
        match outcome {
            SessionIdOutcome::Found { source, .. } => requests.add(1, &[kind, from(source)]),
            SessionIdOutcome::Missing { .. } => requests.add(1, &[kind]),
            SessionIdOutcome::Malformed { source, error, .. } => {
                let rule = KeyValue::new("error.type", error.rule().as_str());
                requests.add(1, &[kind, from(source), rule]);
            }
        }
    }
}
