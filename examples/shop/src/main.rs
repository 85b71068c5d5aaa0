//! A shop whose backend says which browser session it worked for: a storefront, the payments service that
//! it calls, and a viewer of what both report.

mod args;
mod payments;
mod services;
mod storefront;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    telemetry::log_to_stderr();
    match services::run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shop: {error}");
            ExitCode::FAILURE
        }
    }
}
