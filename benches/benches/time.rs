//! Time of every row, for machines without valgrind. Compare within one run only.
//!
//! A figure includes what `instructions.rs` says of its own, in nanoseconds, with warm caches and trained
//! branch predictors, which requests of a real server do not find.
//!
//! All rows are run in one process, so rows with a `tracing` subscriber come last.

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use qorrelate_benches::cases;

/// Inputs are built in batches, so that they fit into memory however often a row is run.
const BATCH: u64 = 256;

fn time(criterion: &mut Criterion) {
    for case in cases() {
        criterion.bench_function(&case.key, |bencher| {
            let mut measured = (case.make)();
            bencher.iter_custom(|mut runs| {
                let mut sum = Duration::ZERO;
                while runs > 0 {
                    let batch = runs.min(BATCH);
                    measured.prepare(batch as usize);
                    let start = Instant::now();
                    for _ in 0..batch {
                        measured.run();
                    }
                    sum += start.elapsed();
                    runs -= batch;
                }
                sum
            });
        });
    }
}

criterion_group!(benches, time);
criterion_main!(benches);
