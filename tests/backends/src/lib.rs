//! What the tests against the Collector and against backends share: programs that run, and telemetry that goes in and
//! comes out.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "for tests")]

mod otlp;
mod program;
mod receiver;
mod shop;
mod storefront;

pub use otlp::{Item, Kind, Sent, log, log_in, span, span_in};
pub use program::{Collector, Program, free_address, repository};
pub use qorrelate_test_browser::{PATIENCE, end, eventually, lines};
pub use receiver::Receiver;
pub use shop::Shop;
pub use storefront::{BATCH, Random, batch};
