//! What a configuration of the Collector costs: processor time, and the memory that held spans take. For the tables of
//! `docs/scale.md`:
//!
//! ```sh
//! cargo run -p qorrelate-test-backends --bin collector-load -- sample 400000
//! ```
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement, not a program"
)]

use std::env;
use std::fs;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use qorrelate_test_backends::{BATCH, Collector, Random, Receiver, Sent, batch};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [configuration, spans] = &*arguments else { panic!("usage: load CONFIGURATION SPANS") };
    let batches = spans.parse::<usize>().expect("how many spans") / BATCH;

    let backend = Receiver::start();
    let environment =
        [("BACKEND", &*backend.url), ("SAMPLER_0", &backend.url), ("SAMPLER_1", &backend.url)];
    let collector = Collector::start(configuration, &environment);
    let before = Usage::of(collector.process_id());
    let mut random = Random(3);
    let mut bytes = 0;
    for _ in 0..batches {
        let spans: ExportTraceServiceRequest = batch(&mut random, 10, true);
        let sent = Sent::Spans(spans);
        bytes += sent.encoded().len();
        collector.send(&sent);
    }
    let after = Usage::of(collector.process_id());
    let spans = (batches * BATCH) as f64;
    println!(
        "{configuration}: {spans} spans of {:.0} bytes: {:.1} s of processor time per million, {:.0} bytes of memory a span",
        bytes as f64 / spans,
        (after.seconds - before.seconds) / spans * 1e6,
        (after.memory - before.memory) / spans,
    );
}

struct Usage {
    seconds: f64,
    memory: f64,
}

impl Usage {
    fn of(process: u32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("Linux");
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let number = |at: usize| fields[at].parse::<f64>().unwrap();
        // In hundredths of a second, in user and in system mode; and pages of 4 KiB.
        Self { seconds: (number(11) + number(12)) / 100.0, memory: number(21) * 4096.0 }
    }
}
