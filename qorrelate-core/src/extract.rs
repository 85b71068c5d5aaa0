//! What can be written nowhere else: `SessionId` as an argument of a handler, and as a header's value.
//!
//! These are the only lines of core that name a framework. Rust's orphan rule allows an extractor only in
//! the crate of its trait or of its type, and [`SessionId`](crate::SessionId) must be one type under every
//! framework.

#[cfg(feature = "actix-web")]
mod actix;
#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "http")]
mod http;
