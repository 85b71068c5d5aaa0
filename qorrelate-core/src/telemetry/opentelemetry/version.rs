//! One version of OpenTelemetry. This file and those beside it are compiled once for each.

pub(crate) mod active_span;
pub(crate) mod context;
mod labels;
mod log_processor;
#[cfg(feature = "metrics")]
mod request_metrics;
pub(crate) mod sampler;
#[cfg(feature = "metrics")]
mod sampling_metrics;
mod server_timing;
mod tail_log_processor;
mod tail_processor;

pub use context::SessionContextExt;
pub use log_processor::SessionLogProcessor;
#[cfg(feature = "metrics")]
pub use request_metrics::count_requests;
pub use sampler::SessionSampler;
pub use server_timing::server_timing;
pub use tail_log_processor::SessionTailLogProcessor;
pub use tail_processor::SessionTailProcessor;

this_version!();
