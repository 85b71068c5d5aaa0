//! The matrix as a table, and what is not as it should be.

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

impl Report {
    /// A table in Markdown: a row per stack, a column per cell. A cell in which every record has the
    /// right session once is `all`; else each kind that falls short is shown.
    pub fn table(&self) -> String {
        let mut table =
            format!("### {}\n\n| what makes the request span | our layer |", self.title());
        for cell in Cell::ALL {
            write!(table, " {} |", cell.title()).unwrap();
        }
        table += "\n| --- | --- |";
        table += &" --- |".repeat(Cell::ALL.len());
        for stack in Stack::all() {
            let order = match stack.order {
                Order::Outermost => "outermost",
                Order::Inside => "inside",
            };
            write!(table, "\n| {} | {order} |", stack.peer).unwrap();
            for cell in Cell::ALL {
                write!(table, " {} |", self.shown(stack, cell)).unwrap();
            }
        }
        table + "\n"
    }

    /// The page of the docs, with this table in its place.
    pub fn insert_into(&self, page: &str) -> String {
        let table = self.table();
        let heading = format!("### {}\n", self.title());
        match page.split_once(&heading) {
            Some((before, after)) => {
                let rest = after.find("\n### ").map_or("", |next| &after[next..]);
                format!("{before}{table}{rest}")
            }
            None => format!("{}\n\n{table}", page.trim_end()),
        }
    }

    fn title(&self) -> String {
        let activation = if self.set_up.context_activation { "on" } else { "off" };
        let reload = if self.set_up.reload { ", under `reload::Layer`" } else { "" };
        let carry = if self.set_up.carry { ", with `carry_session`" } else { "" };
        format!("`context_activation` {activation}{reload}{carry}")
    }

    fn shown(&self, stack: Stack, cell: Cell) -> String {
        if !stack.can_run(cell) {
            return "–".to_owned();
        }
        let mut short = Vec::new();
        for (signal, name) in SIGNALS {
            let count = self.count(stack, cell, signal);
            if count.right != count.records {
                let how_many = if count.right == 0 { "no" } else { "some" };
                short.push(format!("{how_many} {name}"));
            }
            if count.twice > 0 {
                short.push(format!("**{name} twice: {}**", count.twice));
            }
            if count.foreign > 0 {
                short.push(format!("**{name} foreign: {}**", count.foreign));
            }
        }
        if short.is_empty() { "all".to_owned() } else { short.join(", ") }
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
                    let complete = count.records == SESSIONS as usize * expected;
                    let all_right =
                        count.right == count.records || self.may_fall_short(stack, cell);
                    if !complete || !all_right || count.twice > 0 || count.foreign > 0 {
                        failures.push(format!("{stack:?}, {cell:?}, {name}: {count:?}"));
                    }
                }
            }
        }
        failures
    }

    /// Whether a cell may fall short, as the docs say it does. With `carry_session` none may.
    fn may_fall_short(&self, stack: Stack, cell: Cell) -> bool {
        let SetUp { context_activation, carry, .. } = self.set_up;
        let inside = stack.order == Order::Inside;
        !carry
            && match cell {
                // An older span is entered again, opened before the session was known.
                Cell::SpawnedInCurrent => inside || !context_activation,
                // Entering a span makes nothing current, and it is started when it is closed.
                Cell::SpawnedChild => !context_activation,
                Cell::Request => inside && !context_activation,
                _ => false,
            }
    }
}
