#![doc = include_str!("docs/crate.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod body;
mod browser_script;
mod head;
mod inner;
#[cfg(feature = "tower-http")]
mod make_span;
#[cfg(feature = "client")]
mod propagate;
mod require;
#[cfg(feature = "reqwest")]
mod reqwest_client;
#[cfg(feature = "reqwest-middleware")]
mod reqwest_middleware;
#[cfg(feature = "reqwest")]
mod reqwest_request;
#[cfg(feature = "sentry")]
mod sentry_replay;
mod server_timing;
mod session_id;

pub use body::SessionBody;
pub use browser_script::browser_script;
#[cfg(feature = "tower-http")]
pub use make_span::SessionMakeSpan;
#[cfg(feature = "client")]
pub use propagate::{PropagateSessionId, PropagateSessionIdLayer};
pub use require::{RequireSessionId, RequireSessionIdBody, RequireSessionIdLayer};
#[cfg(feature = "reqwest")]
pub use reqwest_client::{PropagateSessionIdExt, SessionClient};
#[cfg(feature = "reqwest")]
pub use reqwest_request::SessionRequestBuilder;
#[cfg(feature = "sentry")]
pub use sentry_replay::{SentryReplayLayer, SentryReplayService};
pub use server_timing::{ServerTiming, ServerTimingLayer};
pub use session_id::{SessionIdLayer, SessionIdService};

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
#[cfg(feature = "client")]
pub use qorrelate_core::{Hosts, InvalidHost, InvalidHostReason};
#[cfg(feature = "tracing-subscriber")]
pub use qorrelate_core::{KnownFormat, SessionFormat, carry_session};

/// The README's code, as a test.
#[cfg(all(doctest, feature = "axum", feature = "tower-http"))]
#[doc = include_str!("../README.md")]
struct Readme;
