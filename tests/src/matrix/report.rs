//! The matrix as a table, and what is not as it should be.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Cell, Count, Counts, Order, SESSIONS, SetUp, Signal, Stack};

/// What came of one run.
#[derive(Debug)]
pub struct Report {
    pub(super) set_up: SetUp,
    pub(super) counts: Counts,
}

const SIGNALS: [(Signal, &str); 3] =
    [(Signal::Spans, "spans"), (Signal::Logs, "logs"), (Signal::Lines, "lines")];

fn able(cell: Cell) -> impl Iterator<Item = Stack> {
    Stack::all().filter(move |stack| stack.can_run(cell))
}

/// Which stacks these are, in as few words as say it.
fn whose(cell: Cell, stacks: &[Stack]) -> String {
    let is = |all: &mut dyn Iterator<Item = Stack>| stacks.iter().copied().eq(all);
    if is(&mut able(cell)) {
        return "any".to_owned();
    }
    for order in [Order::Outermost, Order::Inside] {
        if is(&mut able(cell).filter(|stack| stack.order == order)) {
            return format!("any, {order}");
        }
    }
    let name = |stack: &Stack| format!("{}, {}", stack.peer, stack.order);
    stacks.iter().map(name).collect::<Vec<_>>().join("; ")
}

impl Report {
    /// What falls short, in Markdown: a row for each thing that may be done, and for what is short of it.
    pub fn table(&self) -> String {
        let title = self.title();
        let all = Cell::ALL.into_iter().map(|cell| able(cell).count()).sum::<usize>();
        let mut rows = String::new();
        let mut short_cells = 0;
        for cell in Cell::ALL {
            let mut by_short = BTreeMap::<String, Vec<Stack>>::new();
            for stack in able(cell) {
                by_short.entry(self.short_of(stack, cell)).or_default().push(stack);
            }
            by_short.remove("");
            for (short, stacks) in by_short {
                short_cells += stacks.len();
                let (done, whose) = (cell.title(), whose(cell, &stacks));
                writeln!(rows, "| {done} | {whose} | {short} |").unwrap();
            }
        }
        if rows.is_empty() {
            return format!("### {title}\n\n**All**: every record of all {all} cells.\n");
        }
        format!(
            "### {title}\n\nAll but these {short_cells} of {all} cells:\n\n\
             | what is done | what makes the request span, and where our layer is | has no session |\n\
             | --- | --- | --- |\n{rows}"
        )
    }

    /// The page of the docs, with this table in its place.
    pub fn insert_into(&self, page: &str) -> String {
        let table = self.table();
        let heading = format!("### {}\n", self.title());
        match page.split_once(&heading) {
            Some((before, after)) => {
                let rest = after.find("\n##").map_or("", |next| &after[next..]);
                format!("{before}{table}{rest}")
            }
            None => format!("{}\n\n{table}", page.trim_end()),
        }
    }

    fn title(&self) -> String {
        let SetUp { context_activation, reload, carry, context } = self.set_up;
        let mut title =
            if carry { "With `carry_session`" } else { "Without `carry_session`" }.to_owned();
        for (is_so, words) in [
            (!context_activation, ", `with_context_activation(false)`"),
            (reload, ", under `reload::Layer`"),
            (context, ", `opentelemetry_0_33_context(true)`"),
        ] {
            if is_so {
                title += words;
            }
        }
        title
    }

    fn short_of(&self, stack: Stack, cell: Cell) -> String {
        let mut short = Vec::new();
        for (signal, name) in SIGNALS {
            let count = self.count(stack, cell, signal);
            if count.right != count.records && count.foreign == 0 {
                let how_many = if count.right == count.without { "" } else { "some " };
                short.push(format!("{how_many}{name}"));
            }
            if count.twice > 0 {
                short.push(format!("**{name}: a session twice**"));
            }
            if count.foreign > 0 {
                short.push(format!("**{name}: another's session**"));
            }
        }
        short.join(", ")
    }

    fn count(&self, stack: Stack, cell: Cell, signal: Signal) -> Count {
        self.counts.get(&(stack, cell, signal)).copied().unwrap_or_default()
    }

    /// Every cell that is below its goal.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for stack in Stack::all() {
            for cell in Cell::ALL {
                for (signal, name) in SIGNALS {
                    if !stack.can_run(cell) {
                        continue;
                    }
                    let count = self.count(stack, cell, signal);
                    let expected = cell.expected(signal);
                    let complete =
                        count.records == SESSIONS as usize * expected || cell == Cell::Connection;
                    let all_right =
                        count.right == count.records || self.may_fall_short(stack, cell);
                    let foreign = count.foreign > 0 && !self.may_be_foreign(cell);
                    if !complete || !all_right || count.twice > 0 || foreign {
                        failures.push(format!("{stack:?}, {cell:?}, {name}: {count:?}"));
                    }
                }
            }
        }
        failures
    }

    /// Whether a cell may fall short, as the docs say it does.
    fn may_fall_short(&self, stack: Stack, cell: Cell) -> bool {
        let SetUp { context_activation, carry, context, .. } = self.set_up;
        match cell {
            // What is carried is the OpenTelemetry context, and the session is in it only if asked for.
            Cell::SpawnedInContext => !context,
            // A span keeps its session only with `carry_session`.
            Cell::SpawnedInCurrent | Cell::SpawnedChild => !carry,
            // Nobody else knows which OpenTelemetry span is the request's, and whether it is one.
            Cell::Request => !carry && (stack.order == Order::Inside || !context_activation),
            _ => self.may_be_foreign(cell),
        }
    }

    /// tracing-opentelemetry starts the connection's span when the first request makes a child of it, and
    /// without `carry_session` nobody knows that it is not the request's.
    fn may_be_foreign(&self, cell: Cell) -> bool {
        cell == Cell::Connection && !self.set_up.carry && !self.set_up.context_activation
    }
}
