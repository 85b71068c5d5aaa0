//! Instructions of every row, counted by callgrind.
//!
//! A figure includes: what the row's run executes in user space, in the library, in its dependencies, in
//! the standard library and in the C library (copies of memory, the allocator), and the few instructions
//! that hand the input over. The same without what the row is about is counted apart, as "bare".
//!
//! The allocator is told to keep all small pieces that are freed on the thread's own list. So it costs
//! the same few instructions each time, and not what the rest of the heap happens to make of it: how often
//! it is called is counted in `allocations.rs`.
//!
//! It does not include: building the input, the first ten runs, the kernel, and how long any of it takes.

#![allow(missing_docs, reason = "the harness writes items of its own")]

use gungraun::prelude::*;
use qorrelate_benches::{Measured, cases, warmed_up};

#[library_benchmark]
#[benches::case(iter = 0..cases().len(), setup = warmed_up)]
fn count(mut case: Box<dyn Measured>) -> Box<dyn Measured> {
    case.run();
    case
}

library_benchmark_group!(name = rows, benchmarks = [count]);

main!(
    config = LibraryBenchmarkConfig::default()
        .env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=65535")
        .tool(gungraun::Callgrind::with_args(["--cache-sim=no", "--dump-instr=no"])),
    library_benchmark_groups = rows
);
