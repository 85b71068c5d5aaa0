//! What sampling by session does, as metrics. None says which session it was: IDs are unbounded.

use super::opentelemetry::KeyValue;
use super::opentelemetry::metrics::{Counter, Meter};
use super::opentelemetry_sdk::trace::SamplingDecision;
use crate::telemetry::tail_counts::TailCounts;

const OUTCOME: &str = "qorrelate.session.sampling.outcome";
const SIGNAL: &str = "qorrelate.session.sampling.signal";

/// Counts what a sampler decides.
#[derive(Debug, Clone)]
pub(super) struct Decisions(Counter<u64>);

impl Decisions {
    pub(super) fn new(meter: &Meter) -> Self {
        let counter = meter.u64_counter("qorrelate.session.sampling.decisions");
        Self(
            counter
                .with_unit("{span}")
                .with_description("Spans that are sampled, held or dropped when they start")
                .build(),
        )
    }

    pub(super) fn count(&self, decision: &SamplingDecision) {
        let outcome = match decision {
            SamplingDecision::RecordAndSample => "sampled",
            SamplingDecision::RecordOnly => "held",
            SamplingDecision::Drop => "dropped",
        };
        self.0.add(1, &[KeyValue::new(OUTCOME, outcome)]);
    }
}

/// Reports what a tail processor holds, and what became of it, whenever metrics are collected.
pub(super) fn report(counts: &TailCounts, signal: &'static str, meter: &Meter) {
    type Read = fn(&TailCounts) -> u64;
    let items: [(&str, Read); 5] = [
        ("held", TailCounts::items_held),
        ("handed_over", TailCounts::items_handed_over),
        ("evicted", TailCounts::items_evicted),
        ("expired", TailCounts::items_expired),
        ("dropped", TailCounts::items_dropped),
    ];
    let sessions: [(&str, Read); 3] = [
        ("held", TailCounts::sessions_held),
        ("handed_over", TailCounts::sessions_handed_over),
        ("evicted", TailCounts::sessions_evicted),
    ];
    let count = |name: &'static str, unit, what, outcomes: &[(&'static str, Read)]| {
        let (counts, outcomes) = (counts.clone(), outcomes.to_vec());
        let counter = meter.u64_observable_counter(name).with_unit(unit).with_description(what);
        let _ = counter
            .with_callback(move |observer| {
                for (outcome, read) in &outcomes {
                    let attributes = [KeyValue::new(OUTCOME, *outcome), KeyValue::new(SIGNAL, signal)];
                    observer.observe(read(&counts), &attributes);
                }
            })
            .build();
    };
    count(
        "qorrelate.session.sampling.items",
        "{item}",
        "Spans or log records of sessions that are not sampled: held, and what became of them",
        &items,
    );
    count(
        "qorrelate.session.sampling.sessions",
        "{session}",
        "Sessions that are not sampled: something was held of them, and what became of it",
        &sessions,
    );
    let now = |name: &'static str, unit, what, read: Read| {
        let counts = counts.clone();
        let gauge = meter.u64_observable_gauge(name).with_unit(unit).with_description(what);
        let _ = gauge
            .with_callback(move |observer| {
                observer.observe(read(&counts), &[KeyValue::new(SIGNAL, signal)]);
            })
            .build();
    };
    now(
        "qorrelate.session.sampling.holding.sessions",
        "{session}",
        "Sessions of which something is held",
        TailCounts::sessions_holding,
    );
    now(
        "qorrelate.session.sampling.holding.size",
        "By",
        "Memory of what is held, as estimated",
        TailCounts::bytes_holding,
    );
}
