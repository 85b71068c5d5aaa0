#![doc = include_str!("docs/crate.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod body;
mod browser_script;
mod head;
#[cfg(feature = "awc")]
mod propagate;
mod require;
#[cfg(feature = "tracing-actix-web")]
mod root_span;
#[cfg(feature = "sentry")]
mod sentry_replay;
mod server_timing;
mod session_id;

pub use body::SessionBody;
pub use browser_script::browser_script;
#[cfg(feature = "awc")]
pub use propagate::{PropagateSessionIdMiddleware, PropagateSessionIdService};
pub use require::{RequireSessionIdMiddleware, RequireSessionIdService};
#[cfg(feature = "tracing-actix-web")]
pub use root_span::SessionRootSpanBuilder;
#[cfg(feature = "sentry")]
pub use sentry_replay::{SentryReplayMiddleware, SentryReplayService};
pub use server_timing::{ServerTimingMiddleware, ServerTimingService};
pub use session_id::{SessionIdMiddleware, SessionIdService};

/// The futures of the services.
pub mod future {
    pub use crate::require::ResponseFuture as RequireSessionIdFuture;
    pub use crate::server_timing::ResponseFuture as ServerTimingFuture;
    pub use crate::session_id::ResponseFuture as SessionIdFuture;
}

#[cfg(feature = "sentry")]
pub use qorrelate_core::SentryReplay;
#[cfg(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
pub use qorrelate_core::TailCounts;
#[cfg(feature = "opentelemetry_0_32")]
pub use qorrelate_core::opentelemetry_0_32;
#[cfg(feature = "opentelemetry_0_33")]
pub use qorrelate_core::opentelemetry_0_33;
pub use qorrelate_core::{
    ATTRIBUTE, BrokenRule, Carrier, DEFAULT_HEADER, InCurrentSession, InSession, InvalidSetting,
    InvalidSettingReason, MAX_LEN, MissingSessionId, ParseSessionIdError, Policy, RequestView,
    SamplingFormula, SessionCookie, SessionGuard, SessionId, SessionIdOutcome, SessionIdRules,
    SessionRatio, Source, extract_session, in_current_session, inject_session,
    record_current_session,
};
#[cfg(feature = "awc")]
pub use qorrelate_core::{Hosts, InvalidHost, InvalidHostReason};
#[cfg(feature = "tracing-subscriber")]
pub use qorrelate_core::{KnownFormat, SessionFormat, carry_session};

/// The README's code, as a test.
#[cfg(all(doctest, feature = "tracing-actix-web"))]
#[doc = include_str!("../README.md")]
struct Readme;
