//! What the library costs, counted beside what else can be had.
//!
//! `bash benches/run` counts and prints the table; `docs/benchmarks.md` says how to read it.
//!
//! | what | where |
//! | --- | --- |
//! | a row: what is measured, and its goal | `row` |
//! | the rows | `rows`, one file for each kind |
//! | what we are compared with | the rows, and `peers` where nobody has published it |
//! | the counting: instructions, allocations, time | `benches/` |
//! | the table, the baseline, the page in the docs | `table`, `baseline` |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "benchmarks: what goes wrong here should stop the run"
)]

pub mod baseline;
mod peers;
mod row;
mod rows;
pub mod table;

pub use row::{Goal, Measured, Row};
pub use rows::{rows, sections};

/// What is counted: each row, and apart from it what is in the row without being its own.
#[must_use]
pub fn cases() -> Vec<Case> {
    rows()
        .into_iter()
        .flat_map(|row| {
            let bare = row.bare.map(|make| Case { key: row.bare_key(), make });
            [Some(Case { key: row.key.to_owned(), make: row.make }), bare]
        })
        .flatten()
        .collect()
}

/// One thing that is counted.
#[derive(Debug)]
pub struct Case {
    /// Its name in what is counted.
    pub key: String,
    /// Builds everything that is not measured.
    pub make: fn() -> Box<dyn Measured>,
}

/// A case that is ready to be measured: warmed up, and with its next input built.
///
/// The first runs fill what is filled once in a thread's life: `tracing`'s call sites, thread-locals,
/// pools, the allocator's lists.
#[must_use]
pub fn warmed_up(index: usize) -> Box<dyn Measured> {
    let mut measured = (cases().swap_remove(index).make)();
    for _ in 0..10 {
        measured.prepare(1);
        measured.run();
    }
    measured.prepare(1);
    measured
}
