//! What the cross-adapter suites share: real servers, a raw client, and a record of the telemetry.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test harness")]

pub mod client;
pub mod config;
pub mod matrix;
pub mod peer;
pub mod server;
pub mod telemetry;

/// The README's code, as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
