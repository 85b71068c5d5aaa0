//! Where the session goes: to which hosts, in what, and in messages.

#[cfg(any(feature = "client", feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
mod baggage;
mod carrier;
#[cfg(feature = "client")]
mod hints;
#[cfg(feature = "client")]
mod hosts;
mod message;
#[cfg(feature = "client")]
mod propagation;
#[cfg(any(feature = "client", feature = "opentelemetry_0_32", feature = "opentelemetry_0_33"))]
mod resolved_carrier;
pub(crate) mod versions;

pub use carrier::Carrier;
#[cfg(feature = "client")]
pub use hosts::{Hosts, InvalidHost, InvalidHostReason, Target};
pub use message::{extract_session, inject_session};
#[cfg(feature = "client")]
pub use propagation::{Given, OutboundHeaders, Propagation};
