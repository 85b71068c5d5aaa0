//! What is measured: one row of the table.

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name in the baseline.
    pub key: &'static str,
    /// What the table says that it is.
    pub what: &'static str,
    /// Builds everything that is not measured.
    pub make: fn() -> Box<dyn Measured>,
    /// The same without what the row is about, such as the service alone. It is counted too, and the
    /// row is what is counted above it.
    pub bare: Option<fn() -> Box<dyn Measured>>,
    /// The key of the row that this one is shown as a multiple of.
    pub beside: Option<&'static str>,
    /// What it should not be above.
    pub goal: Option<Goal>,
    /// Whether it measures this library, and so is guarded.
    pub ours: bool,
}

/// What a row should not be above. It is held against what the row adds to what is bare.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// So many instructions, and so many allocations.
    AtMost(u64, u64),
    /// So many times the instructions of the row that it is beside.
    Times(f64),
    /// What that row costs, to one in a hundred, and no allocation.
    SameAs(&'static str),
    /// Fewer instructions than the row that it is beside, and no more allocations than that other one.
    Below(&'static str),
}

impl Row {
    pub(crate) const fn ours(
        key: &'static str,
        what: &'static str,
        make: fn() -> Box<dyn Measured>,
    ) -> Self {
        Self { key, what, make, bare: None, beside: None, goal: None, ours: true }
    }

    pub(crate) const fn peer(
        key: &'static str,
        what: &'static str,
        make: fn() -> Box<dyn Measured>,
    ) -> Self {
        Self { ours: false, ..Self::ours(key, what, make) }
    }

    pub(crate) const fn on_top_of(self, bare: fn() -> Box<dyn Measured>) -> Self {
        Self { bare: Some(bare), ..self }
    }

    pub(crate) const fn beside(self, key: &'static str) -> Self {
        Self { beside: Some(key), ..self }
    }

    pub(crate) const fn goal(self, goal: Goal) -> Self {
        Self { goal: Some(goal), ..self }
    }

    pub(crate) fn bare_key(&self) -> String {
        format!("{}, bare", self.key)
    }
}

/// Something to measure, whose inputs are built before.
pub trait Measured {
    /// Builds inputs for so many runs.
    fn prepare(&mut self, runs: usize);

    /// One run: what is measured. It takes one input, and drops what comes of it.
    fn run(&mut self);
}

/// Something to measure, of a function that builds one input and the one that is measured.
pub(crate) fn measured<I: 'static>(
    input: impl Fn() -> I + 'static,
    run: impl FnMut(I) + 'static,
) -> Box<dyn Measured> {
    Box::new(Workload { inputs: Vec::new(), input, run })
}

struct Workload<I, F, R> {
    inputs: Vec<I>,
    input: F,
    run: R,
}

impl<I, F: Fn() -> I, R: FnMut(I)> Measured for Workload<I, F, R> {
    fn prepare(&mut self, runs: usize) {
        self.inputs.reserve(runs);
        self.inputs.extend((0..runs).map(|_| (self.input)()));
    }

    #[inline(never)]
    fn run(&mut self) {
        let input = self.inputs.pop().expect("an input was prepared");
        (self.run)(black_box(input));
    }
}

/// Polls a future until it is done: none here waits for anything.
pub(crate) fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return black_box(output);
        }
    }
}
