//! What is known of a span that is open.

use super::versions::ActiveSpans;

/// What `carry_session` knows of a span that is open; nothing, without it.
#[derive(Debug, Default)]
pub(super) struct OpenSpan {
    /// It was made in a session, or in a request without one.
    pub(super) is_of_a_request: bool,
    /// Whether it has a value for the field `session.id`. `None` if it does not declare it, or if
    /// `carry_session` has not seen it.
    pub(super) has_value: Option<bool>,
    /// The OpenTelemetry spans that it became.
    pub(super) own_spans: Option<ActiveSpans>,
}
