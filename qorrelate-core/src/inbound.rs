//! How a session ID is found in a request: where it is looked for, and what became of the search.

pub(crate) mod baggage;
mod cookie;
mod invalid_setting;
mod outcome;
mod policy;
mod preset;
mod query;
mod request;
mod search;
mod source;
pub(crate) mod token;

pub use invalid_setting::{InvalidSetting, InvalidSettingReason};
pub use outcome::SessionIdOutcome;
pub use policy::Policy;
pub use request::{RequestHead, RequestView};
pub(crate) use search::{Finding, Search};
pub(crate) use source::ResolvedSource;
#[cfg(any(
    feature = "client",
    feature = "opentelemetry_0_32",
    feature = "opentelemetry_0_33"
))]
pub(crate) use source::SECRET_HEADERS;
pub use source::{DEFAULT_HEADER, Source};

/// The attribute that carries the session ID on spans and log records: `session.id` (OpenTelemetry
/// semantic conventions, "Session"). It is the key of its baggage member too.
pub const ATTRIBUTE: &str = "session.id";
