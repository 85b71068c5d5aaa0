//! The framework-free part of Qorrelate: what a session ID is, where it is found in a request, how
//! telemetry is tagged with it and how it is handed on.
//!
//! Apps use it through an adapter, `qorrelate-tower` or `qorrelate-actix`, which re-export what is
//! needed from here. This crate on its own is for adapters of other frameworks, and for code that
//! should not know which framework it runs under:
//!
//! ```
//! use qorrelate_core::SessionId;
//!
//! fn charge_card() {
//!     if let Some(id) = SessionId::current() {
//!         println!("charging on behalf of session {id}");
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
//! | question | module |
//! | --- | --- |
//! | which IDs are accepted | `id`, `grammar`, `rules` |
//! | the header, cookie, baggage member or query parameter is not found | `source` |
//! | what happened for this request | `outcome` |
//! | the current session is missing or another's | `current`, `otel::scope` |
//! | a span or log record is not tagged | `otel::tag`, `otel::sampler`, `otel::log_processor` |
//! | the session is lost where a span is entered again | `span_layer` |
//! | a log line does not show the session | `log_format` |
//! | the session is not handed on, or to a wrong host | `hosts`, `carrier`, `propagation`, `baggage` |
//! | an adapter for another framework | `request`, `settings`, `request_session`, `propagation` |
//!
//! # Two blunt sentences
//!
//! A session ID is a claim made by whoever sent the request: never use it for authorisation.
//! Its values are unbounded: never use it as a metric attribute.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod baggage;
mod carrier;
mod current;
mod extract;
mod grammar;
mod hint;
#[cfg(feature = "client")]
mod hosts;
mod id;
#[cfg(feature = "tracing-subscriber")]
mod log_format;
mod otel;
mod outcome;
mod problem;
#[cfg(feature = "client")]
mod propagation;
mod request;
mod request_session;
mod rules;
mod settings;
mod source;
#[cfg(feature = "tracing-subscriber")]
mod span_layer;
mod token;

pub use carrier::Carrier;
pub use current::{InSession, SessionGuard};
pub use extract::MissingSessionId;
pub use grammar::{BrokenRule, MAX_LEN, ParseSessionIdError};
#[cfg(feature = "client")]
pub use hosts::{Hosts, InvalidHost, InvalidHostReason, Target};
pub use id::SessionId;
#[cfg(feature = "tracing-subscriber")]
pub use log_format::SessionFormat;
pub use otel::{
    ATTRIBUTE, SessionContextExt, SessionPropagator, SessionScope, extract_session, inject_session,
    record_current_session, server_timing,
};
#[cfg(feature = "otel-sdk")]
pub use otel::{SessionLogProcessor, SessionSampler};
pub use outcome::SessionIdOutcome;
pub use problem::Problem;
#[cfg(feature = "client")]
pub use propagation::{OutboundHeaders, Propagation};
pub use request::{RequestHead, RequestView};
pub use request_session::{InRequest, RequestSession};
pub use rules::SessionIdRules;
pub use settings::{InvalidSetting, Policy, Settings};
pub use source::{DEFAULT_HEADER, Source};
#[cfg(feature = "tracing-subscriber")]
pub use span_layer::carry_session;
