//! One version of OpenTelemetry. This file and those beside it are compiled once for each.

pub(crate) mod active_span;
pub(crate) mod context;
mod labels;
mod log_processor;
#[cfg(feature = "metrics")]
mod metrics;
pub(crate) mod sampler;
mod server_timing;
mod tail_log_processor;
mod tail_processor;

pub use context::SessionContextExt;
pub use log_processor::SessionLogProcessor;
pub use sampler::SessionSampler;
pub use server_timing::server_timing;
pub use tail_log_processor::SessionTailLogProcessor;
pub use tail_processor::SessionTailProcessor;

this_version!();
