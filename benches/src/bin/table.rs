//! Prints the table of what was counted, holds it against the baseline, or writes either down.
//!
//! `benches/run` calls it, in the workspace's directory:
//! `table <print|check|update|index=KEY> <instructions> <allocations>`.

use std::error::Error;
use std::fs;
use std::process::ExitCode;

use qorrelate_benches::table::{Counts, markdown};
use qorrelate_benches::{baseline, cases};

const USAGE: &str = "usage: table <print|check|update|index=KEY> <instructions> <allocations>";

const BASELINE: &str = "benches/baseline.json";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [what, instructions, allocations] = args.as_slice() else {
        return Err(USAGE.into());
    };
    let counts = Counts::new(&fs::read_to_string(instructions)?, &fs::read_to_string(allocations)?);
    match what.as_str() {
        "check" => match baseline::check(&counts, &fs::read_to_string(BASELINE)?) {
            Ok(report) => print!("{report}"),
            Err(report) => {
                eprint!("{report}");
                return Ok(ExitCode::FAILURE);
            }
        },
        "update" => fs::write(BASELINE, baseline::text(&counts))?,
        "print" => print!("{}", markdown(&counts)),
        other => {
            let key = other.strip_prefix("index=").ok_or(USAGE)?;
            let index = cases().iter().position(|case| case.key == key);
            println!("{}", index.ok_or_else(|| format!("no row has the key {key}"))?);
        }
    }
    Ok(ExitCode::SUCCESS)
}
