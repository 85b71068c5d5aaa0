//! The framework-independent part of Qorrelate: what a session ID is, where it is found in a request, how
//! telemetry is tagged with it and how it is forwarded.
//!
//! Apps use it through an adapter, `qorrelate-tower` or `qorrelate-actix`, which re-exports what they
//! need. Use this crate directly for an adapter of another framework, or for framework-independent code:
//!
//! ```
//! use qorrelate_core::SessionId;
//!
//! fn charge_card() {
//!     if let Some(id) = SessionId::current() {
//!         println!("charging a card, session {id}");
//!     }
//! }
//!
//! let id: SessionId = "0c3f2a6e-9f0b-4f5e-8d53-8a8a3a0d2c11".parse()?;
//! id.in_scope(charge_card);
//! # Ok::<(), qorrelate_core::ParseSessionIdError>(())
//! ```
//!
//! # Where to look
//!
//! A request passes through the modules from top to bottom.
//!
//! | question | module |
//! | --- | --- |
//! | which IDs are accepted | `id` |
//! | the header, cookie, baggage member or query parameter is not found | `inbound` |
//! | the current session is missing, or another's | `current` |
//! | a span, log record or line is not tagged; the session is lost in a spawned task | `telemetry` |
//! | the session is not forwarded, or is forwarded to a wrong host | `outbound` |
//! | an adapter for another framework | [`adapter`] |
//!
//! # Two blunt sentences
//!
//! A session ID is a claim made by whoever sent the request: never use it for authorisation.
//! Its values are unbounded: never use it as a metric attribute.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]
#![allow(
    clippy::duplicate_mod,
    reason = "each version of OpenTelemetry is made from the same files"
)]

pub mod adapter;
mod current;
mod extract;
mod id;
mod inbound;
mod outbound;
mod telemetry;

pub use adapter::{MissingSessionId, SessionCookie};
pub use current::{InCurrentSession, InSession, SessionGuard, in_current_session};
pub use id::{
    BrokenRule, MAX_LEN, ParseSessionIdError, SamplingFormula, SessionId, SessionIdRules,
    SessionRatio,
};
pub use inbound::{
    ATTRIBUTE, DEFAULT_HEADER, InvalidSetting, InvalidSettingReason, Policy, RequestView,
    SessionIdOutcome, Source,
};
pub use outbound::{Carrier, extract_session, inject_session};
#[cfg(feature = "client")]
pub use outbound::{Hosts, InvalidHost, InvalidHostReason};
#[cfg(feature = "sentry")]
pub use telemetry::SentryReplay;
#[cfg(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
pub use telemetry::TailCounts;
pub use telemetry::record_current_session;
#[cfg(feature = "tracing-subscriber")]
pub use telemetry::{KnownFormat, SessionFormat, carry_session};

/// The script for pages without a recorder, or with one that sends no session ID: it sends an ID with the page's
/// requests. The adapters serve it with `browser_script`. Its settings are in `browser/README.md`.
///
/// ```
/// assert!(qorrelate_core::BROWSER_SCRIPT.len() < 4096); // bytes, minified
/// ```
pub const BROWSER_SCRIPT: &str = include_str!("../browser/qorrelate.min.js");

macro_rules! opentelemetry {
    ($($module:ident $feature:literal)*) => {
        $(
            #[doc = concat!("For the crates `", $feature, "`: ")]
            /// tags every span and log record, and carries the session in OpenTelemetry's contexts and
            /// propagators.
            #[cfg(feature = $feature)]
            pub mod $module {
                pub use crate::outbound::versions::$module::SessionPropagator;
                pub use crate::telemetry::versions::$module::{
                    SessionContextExt, SessionLogProcessor, SessionSampler, SessionTailLogProcessor,
                    SessionTailProcessor, server_timing,
                };
                #[cfg(feature = "metrics")]
                pub use crate::telemetry::versions::$module::count_requests;
            }
        )*
    };
}

opentelemetry! {
    opentelemetry_0_32 "opentelemetry_0_32"
    opentelemetry_0_33 "opentelemetry_0_33"
}

/// The README's code, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
