//! Sampling by session, and what brings back the spans and log records of a session that was not sampled: the
//! same for each version of OpenTelemetry.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]
#![allow(clippy::duplicate_mod, reason = "once for each version")]

use std::time::{Duration, Instant};

/// Waits for a condition, but not for ever.
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

macro_rules! versions {
    ($($module:ident $sdk:ident)*) => {
        $(
            mod $module {
                use ::$module as opentelemetry;
                use ::$sdk as opentelemetry_sdk;
                use qorrelate_core::$module::*;

                /// Sessions are kept for the whole process, so each version has its own.
                const VERSION: &str = stringify!($module);

                include!("session_tail/cases.rs");
            }
        )*
    };
}

versions! {
    opentelemetry_0_32 opentelemetry_sdk_0_32
    opentelemetry_0_33 opentelemetry_sdk_0_33
}
