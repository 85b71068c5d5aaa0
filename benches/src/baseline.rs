//! What was counted last time, and whether this time is worse.

use std::fmt::Write;
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::row::Row;
use crate::rows::rows;
use crate::table::{Counts, Figures};

/// Instructions may be above the baseline by this share: what is inlined where differs a little from one
/// build directory to another.
const TOLERANCE: f64 = 0.05;
/// Or by this many: a share of very little is less than what a moved function changes.
const SLACK: i64 = 60;

/// The file's text, for what was counted.
#[must_use]
pub fn text(counts: &Counts) -> String {
    let rows: Map<String, Value> =
        guarded().filter_map(|row| Some((row.key.to_owned(), to_json(counts.of(&row)?)))).collect();
    let text = serde_json::to_string_pretty(&json!({ "counted_with": tools(), "rows": rows }));
    text.expect("strings and numbers") + "\n"
}

/// What is worse than the file says, or does not fit it. Then a reader knows what to do.
///
/// # Errors
///
/// The text to show.
pub fn check(counts: &Counts, baseline: &str) -> Result<String, String> {
    let baseline: Value = serde_json::from_str(baseline).map_err(|error| error.to_string())?;
    let (mut worse, mut better) = (String::new(), String::new());
    for row in guarded() {
        let now = counts.of(&row).ok_or_else(|| format!("{} was not counted", row.key))?;
        let Some(before) = from_json(&baseline["rows"][row.key]) else {
            let _ = writeln!(worse, "  {}: not in the baseline", row.key);
            continue;
        };
        let slack = SLACK.max((before.instructions as f64 * TOLERANCE) as i64);
        let line = format!("  {}: {} now, {} before\n", row.key, shown(now), shown(before));
        if now.instructions > before.instructions + slack
            || now.allocations > before.allocations
            || now.bytes > before.bytes
        {
            worse += &line;
        } else if now.instructions < before.instructions - slack
            || (now.allocations, now.bytes) != (before.allocations, before.bytes)
        {
            better += &line;
        }
    }
    for key in baseline["rows"].as_object().into_iter().flat_map(Map::keys) {
        if !guarded().any(|row| row.key == key) {
            let _ = writeln!(worse, "  {key}: in the baseline, but no row");
        }
    }
    let mut report = String::new();
    if !better.is_empty() {
        report += "cheaper than the baseline; `bash benches/run --update` keeps it so:\n";
        report += &better;
    }
    if worse.is_empty() {
        return Ok(report + "no row costs more than the baseline says\n");
    }
    report += "these rows cost more than benches/baseline.json says (instructions by more than 5 %, \
               or any allocation or byte more):\n";
    report += &worse;
    let (then, now) = (&baseline["counted_with"], tools());
    if *then != now {
        let _ = writeln!(
            report,
            "the baseline was counted with {then}, this run with {now}: that alone can be the cause"
        );
    }
    report += "if the cost is worth it, `bash benches/run --update` and say in the commit why\n";
    Err(report)
}

/// Rows that measure this library.
fn guarded() -> impl Iterator<Item = Row> {
    rows().into_iter().filter(|row| row.ours)
}

fn shown(figures: Figures) -> String {
    let Figures { instructions, allocations, bytes } = figures;
    format!("{instructions} instructions, {allocations} allocations, {bytes} bytes")
}

fn to_json(figures: Figures) -> Value {
    let Figures { instructions, allocations, bytes } = figures;
    json!({ "instructions": instructions, "allocations": allocations, "bytes": bytes })
}

fn from_json(value: &Value) -> Option<Figures> {
    Some(Figures {
        instructions: value["instructions"].as_i64()?,
        allocations: value["allocations"].as_i64()?,
        bytes: value["bytes"].as_i64()?,
    })
}

/// What else the counts depend on.
pub(crate) fn tools() -> Value {
    let first_line = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().ok()?;
        String::from_utf8(output.stdout).ok()?.lines().next().map(str::to_owned)
    };
    json!({
        "rustc": first_line("rustc", "--version"),
        "valgrind": first_line("valgrind", "--version"),
        "libc": first_line("ldd", "--version"),
        "target": std::env::consts::ARCH,
    })
}
