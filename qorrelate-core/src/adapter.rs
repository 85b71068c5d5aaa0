//! What an adapter for a framework is made of. Apps don't need any of it.
//!
//! An adapter shows core its framework's requests ([`RequestHead`]) and begins each request with
//! [`RequestSession::begin`]. Its layer or middleware holds [`Settings`] behind the builder methods of
//! `settings_methods!`. A client layer shows core the headers of a request that is about to be sent
//! (`OutboundHeaders`) and holds a `Propagation` behind those of `propagation_methods!`.
//!
//! **What semver covers here:** the functions and traits do what they say, but methods can be added to
//! the traits that adapters implement in any minor version. Depend on an exact minor version
//! (`qorrelate-core = "~0.1"`).

mod problem;
mod request_session;
mod session_cookie;
mod settings;

pub use problem::{MissingSessionId, Problem, require_session};
pub use request_session::{InRequest, RequestSession};
pub use session_cookie::{CookieToSet, SessionCookie};
pub use settings::Settings;

pub use crate::inbound::RequestHead;
#[cfg(feature = "client")]
pub use crate::outbound::{Given, OutboundHeaders, Propagation, Target};
#[cfg(feature = "client")]
#[doc(hidden)]
pub use crate::propagation_methods;
#[doc(hidden)]
pub use crate::settings_methods;
#[cfg(feature = "sentry")]
pub use crate::telemetry::set_replay_on_sentry_scope;
