//! Putting the session on spans, log records and log lines, and keeping it with spans.

#[cfg(feature = "tracing-subscriber")]
mod carry;
#[cfg(feature = "tracing-subscriber")]
mod format;
#[cfg(any(
    feature = "client",
    feature = "opentelemetry_0_32",
    feature = "opentelemetry_0_33",
    feature = "tracing-subscriber",
))]
pub(crate) mod hint;
#[cfg(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
mod holding;
mod open_span;
#[cfg(feature = "sentry")]
mod sentry;
mod tag;
#[cfg(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
mod tail;
#[cfg(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
mod tail_counts;
pub(crate) mod versions;

#[cfg(feature = "tracing-subscriber")]
pub use carry::carry_session;
#[cfg(feature = "tracing-subscriber")]
pub use format::{KnownFormat, SessionFormat};
#[cfg(feature = "sentry")]
pub use sentry::{SentryReplay, set_replay_on_sentry_scope};
pub use tag::record_current_session;
pub(crate) use tag::{expect_to_label_open_spans, tag_current_span};
#[cfg(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
pub use tail_counts::TailCounts;
