//! Where the session goes: to which hosts, in what, and in messages.

mod carrier;
#[cfg(feature = "client")]
mod hosts;
mod message;
#[cfg(feature = "client")]
mod propagation;
pub(crate) mod versions;

pub use carrier::Carrier;
#[cfg(feature = "client")]
pub use hosts::{Hosts, InvalidHost, InvalidHostReason, Target};
pub use message::{extract_session, inject_session};
#[cfg(feature = "client")]
pub use propagation::{OutboundHeaders, Propagation};
