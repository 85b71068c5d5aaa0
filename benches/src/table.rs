//! The table: what was counted, row by row.

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::Value;

use crate::row::{Goal, Row};
use crate::rows::sections;
use crate::{baseline, cases};

/// What was counted, by the key of the case.
#[derive(Debug)]
pub struct Counts(HashMap<String, Figures>);

/// What was counted of one case, or what a row adds to what is bare: that may be less than nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Instructions.
    pub instructions: i64,
    /// Calls of the allocator.
    pub allocations: i64,
    /// Bytes asked for in these calls.
    pub bytes: i64,
}

impl Counts {
    /// Of what the two benchmarks print: `instructions` a JSON object on each line, as gungraun prints
    /// them, `allocations` one object.
    ///
    /// # Panics
    ///
    /// If either is anything else, or is not of these rows.
    #[must_use]
    pub fn new(instructions: &str, allocations: &str) -> Self {
        let keys: Vec<String> = cases().into_iter().map(|case| case.key).collect();
        let allocations: Value = serde_json::from_str(allocations).expect("JSON");
        let of_line = |line: &str| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let id = line["id"].as_str().and_then(|id| id.strip_prefix("case_"));
            let key = &keys[id.and_then(|id| id.parse::<usize>().ok()).expect("a case's index")];
            let counted = &line["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"]["new"];
            let figures = Figures {
                instructions: counted.as_i64().expect("instructions"),
                allocations: allocations[key]["allocations"].as_i64().expect("allocations"),
                bytes: allocations[key]["bytes"].as_i64().expect("bytes"),
            };
            (key.clone(), figures)
        };
        Self(instructions.lines().filter(|line| line.starts_with('{')).map(of_line).collect())
    }

    /// What the row adds to what is bare.
    pub(crate) fn of(&self, row: &Row) -> Option<Figures> {
        let all = *self.0.get(row.key)?;
        let Some(bare) = self.bare(row) else { return Some(all) };
        Some(Figures {
            instructions: all.instructions - bare.instructions,
            allocations: all.allocations - bare.allocations,
            bytes: all.bytes - bare.bytes,
        })
    }

    fn bare(&self, row: &Row) -> Option<Figures> {
        row.bare.and_then(|_| self.0.get(&row.bare_key()).copied())
    }

    fn of_key(&self, key: &str) -> Option<Figures> {
        let row = sections().into_iter().flat_map(|(_, rows)| rows).find(|row| row.key == key)?;
        self.of(&row)
    }
}

/// The table in Markdown, ratios first.
#[must_use]
pub fn markdown(counts: &Counts) -> String {
    let mut text = String::from(
        "| ratio | what | instructions | bare | allocations | bytes | goal | met |\n\
         | ---: | --- | ---: | ---: | ---: | ---: | --- | --- |\n",
    );
    for (title, rows) in sections() {
        let _ = writeln!(text, "| | **{title}** | | | | | | |");
        for row in rows {
            let Some(figures) = counts.of(&row) else { continue };
            let Figures { instructions, allocations, bytes } = figures;
            let ratio = row
                .beside
                .and_then(|key| counts.of_key(key))
                .map(|beside| format!("{:.2}", instructions as f64 / beside.instructions as f64))
                .unwrap_or_default();
            let bare = counts.bare(&row).map(|bare| grouped(bare.instructions));
            let (goal, met) = row.goal.map_or_else(Default::default, |goal| {
                let met = is_met(goal, &row, figures, counts);
                (shown(goal, &row), if met { "yes" } else { "**no**" })
            });
            let _ = writeln!(
                text,
                "| {ratio} | {what} | {} | {} | {allocations} | {bytes} | {goal} | {met} |",
                grouped(instructions),
                bare.unwrap_or_default(),
                what = row.what,
            );
        }
    }
    let tools = baseline::tools();
    let _ = write!(text, "\nCounted with");
    for (n, (_, tool)) in tools.as_object().into_iter().flatten().enumerate() {
        let _ = write!(text, "{} {}", if n == 0 { "" } else { "," }, tool.as_str().unwrap_or("?"));
    }
    text + ".\n"
}

fn is_met(goal: Goal, row: &Row, figures: Figures, counts: &Counts) -> bool {
    let Figures { instructions, allocations, .. } = figures;
    let beside = row.beside.and_then(|key| counts.of_key(key));
    match goal {
        Goal::AtMost(most, most_allocations) => {
            instructions <= most as i64 && allocations <= most_allocations as i64
        }
        Goal::Times(times) => {
            beside.is_some_and(|beside| instructions as f64 <= times * beside.instructions as f64)
        }
        Goal::SameAs(key) => counts.of_key(key).is_some_and(|other| {
            let difference = (instructions - other.instructions).abs();
            allocations == 0 && other.allocations == 0 && difference * 100 <= instructions
        }),
        Goal::Below(key) => {
            beside.is_some_and(|beside| instructions < beside.instructions)
                && counts.of_key(key).is_some_and(|other| allocations <= other.allocations)
        }
    }
}

fn shown(goal: Goal, row: &Row) -> String {
    match goal {
        Goal::AtMost(instructions, allocations) => {
            format!("≤ {} instructions, ≤ {allocations} allocations", grouped(instructions as i64))
        }
        Goal::Times(times) => format!("≤ {times} × that of {}", row.beside.unwrap_or_default()),
        Goal::SameAs(_) => "the same for both lengths, no allocation".to_owned(),
        Goal::Below(_) => "ratio below 1, allocation only for the ID".to_owned(),
    }
}

/// With commas between thousands.
fn grouped(number: i64) -> String {
    let digits = number.abs().to_string();
    let mut text = if number < 0 { "-".to_owned() } else { String::new() };
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
