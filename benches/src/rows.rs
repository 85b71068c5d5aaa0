//! The rows, in the order of the table.

mod actix;
mod axum;
mod client;
mod parsers;
mod telemetry;
mod tower;

use qorrelate_core::SessionId;

use crate::row::Row;

/// A valid ID: what `crypto.randomUUID()` makes.
const ID: &str = "0c3f2a6e-9f0b-4f5e-8d53-8a8a3a0d2c11";

/// All rows, in the order of the table, under its headings.
#[must_use]
pub fn sections() -> Vec<(&'static str, Vec<Row>)> {
    vec![
        ("added to a tower service, beside tower-http's request ID", tower::rows()),
        ("added to a whole axum `Router`, beside the same", axum::rows()),
        ("added to an actix-web service, beside `TracingLogger`", actix::rows()),
        ("one span of the OpenTelemetry SDK, beside the sampler alone", telemetry::spans()),
        ("one span of `tracing`, with the six fields of a request", telemetry::tracing_spans()),
        ("the same span, on to the processor: exported, dropped, held", telemetry::tails()),
        ("one log record of the OpenTelemetry SDK", telemetry::logs()),
        ("a `tracing` span, and what it carries", telemetry::entering()),
        ("one line of `tracing_subscriber::fmt`", telemetry::lines()),
        ("added to a client's request, beside an injected `traceparent`", client::rows()),
        ("W3C Baggage read, beside the SDK", parsers::baggage()),
        ("one ID parsed, beside uuid", parsers::ids()),
    ]
}

/// All rows, in the order of the table.
#[must_use]
pub fn rows() -> Vec<Row> {
    sections().into_iter().flat_map(|(_, rows)| rows).collect()
}

fn id() -> SessionId {
    ID.parse().unwrap()
}
