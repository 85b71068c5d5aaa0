//! Everything that touches OpenTelemetry, and nothing else does.

mod context;
#[cfg(feature = "otel-sdk")]
mod log_processor;
mod propagator;
#[cfg(feature = "otel-sdk")]
mod sampler;
mod scope;
mod server_timing;
mod tag;

pub use context::SessionContextExt;
#[cfg(feature = "otel-sdk")]
pub use log_processor::SessionLogProcessor;
pub use propagator::{SessionPropagator, extract_session, inject_session};
#[cfg(feature = "otel-sdk")]
pub use sampler::SessionSampler;
pub use scope::SessionScope;
pub use server_timing::server_timing;

pub(crate) use context::{Session, current};
pub(crate) use scope::{Attached, Before};
pub use tag::record_current_session;
pub(crate) use tag::{hint_if_nothing_is_tagged, tag_open_span};

/// The attribute that carries the session ID on spans and log records: `session.id` (OpenTelemetry
/// semantic conventions, "Session").
pub const ATTRIBUTE: &str = "session.id";
