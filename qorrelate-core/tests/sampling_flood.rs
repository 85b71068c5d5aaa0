//! A million sessions, each with one span: what is held is bounded, also as the system counts it. A process of its
//! own, so that nobody else's memory is counted.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_0_33::Context;
use opentelemetry_0_33::trace::{Tracer as _, TracerProvider as _};
use opentelemetry_sdk_0_33::error::OTelSdkResult;
use opentelemetry_sdk_0_33::trace::{SdkTracerProvider, Span, SpanData, SpanProcessor};
use qorrelate_core::SessionId;
use qorrelate_core::opentelemetry_0_33::{SessionSampler, SessionTailProcessor};

const SESSIONS: u64 = 1_000_000;
const MAX: u64 = 32 << 20;

#[derive(Debug, Clone, Default)]
struct Exported(Arc<AtomicU64>);

impl SpanProcessor for Exported {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, _: SpanData) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[test]
fn a_million_sessions_take_no_more_memory_than_allowed() {
    let exported = Exported::default();
    let tail = SessionTailProcessor::new(exported.clone()).max_bytes(MAX as usize);
    let counts = tail.counts();
    let provider = SdkTracerProvider::builder()
        .with_sampler(SessionSampler::ratio(0.0).hold_unsampled())
        .with_span_processor(tail)
        .build();
    let tracer = provider.tracer("tests");
    let before = resident_bytes();
    let (mut most, mut most_resident, mut kept) = (0, 0, 0);
    for n in 0..SESSIONS {
        let session: SessionId = format!("00000000-0000-4000-8000-{n:012x}").parse().unwrap();
        session.in_scope(|| {
            let span = tracer.span_builder(format!("GET /products/{n}"));
            let text =
                |key: &'static str| opentelemetry_0_33::KeyValue::new(key, format!("{n:032}"));
            drop(
                span.with_attributes([text("url.path"), text("user_agent.original")])
                    .start(&tracer),
            );
        });
        if n % 100 == 0 {
            // More than the process remembers, all in all.
            session.keep();
            kept += 1;
        }
        most = most.max(counts.bytes_holding());
        if n % 10_000 == 0 {
            most_resident = most_resident.max(resident_bytes());
        }
    }
    provider.force_flush().unwrap();
    assert!(most <= MAX, "{most}");
    assert_eq!(exported.0.load(Ordering::Relaxed), kept);
    assert_eq!(counts.sessions_handed_over(), kept);
    assert_eq!(counts.sessions_evicted() + counts.sessions_holding() + kept, SESSIONS);
    let grown = most_resident.saturating_sub(before);
    println!(
        "held {most} bytes at most, {} sessions; resident: {grown} more",
        counts.sessions_holding()
    );
    // What the allocator adds, and half-empty maps.
    assert!(grown < MAX * 3 / 2, "{grown} bytes");
}

/// 0 where the system does not tell.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}
