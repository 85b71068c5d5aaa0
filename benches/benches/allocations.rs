//! Allocations of every row, and their bytes.
//!
//! A figure includes: every call of the global allocator that the row's run makes on its own thread,
//! to allocate or to reallocate, in the library and in its dependencies.
//!
//! It does not include: building the input, the first ten runs, and what is freed.
//!
//! Each row is run in a process of its own, as under callgrind. It prints one line of JSON.

#![allow(clippy::unwrap_used, reason = "benchmarks: what goes wrong here should stop the run")]

use std::process::Command;

use qorrelate_benches::{cases, warmed_up};
use serde_json::{Map, Value, json};

fn main() {
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next()) {
        (Some("--case"), Some(index)) => println!("{}", count(index.parse().unwrap())),
        _ => println!("{}", Value::from(all())),
    }
}

fn all() -> Map<String, Value> {
    let own = std::env::current_exe().unwrap();
    let mut all = Map::new();
    for (index, case) in cases().into_iter().enumerate() {
        let output = Command::new(&own).args(["--case", &index.to_string()]).output().unwrap();
        assert!(output.status.success(), "{}: {output:?}", case.key);
        all.insert(case.key, serde_json::from_slice(&output.stdout).unwrap());
    }
    all
}

fn count(index: usize) -> Value {
    let mut case = warmed_up(index);
    let counted = allocation_counter::measure(|| case.run());
    json!({ "allocations": counted.count_total, "bytes": counted.bytes_total })
}
