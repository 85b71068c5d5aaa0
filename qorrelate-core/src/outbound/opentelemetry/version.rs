//! One version of OpenTelemetry. This file and the one beside it are compiled once for each.

mod propagator;

pub use propagator::SessionPropagator;

this_version!();
