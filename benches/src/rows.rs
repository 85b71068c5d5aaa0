//! The rows, in the order of the table.

mod tower;

use crate::row::Row;

/// A valid ID: what `crypto.randomUUID()` makes.
const ID: &str = "0c3f2a6e-9f0b-4f5e-8d53-8a8a3a0d2c11";

/// All rows, in the order of the table, under its headings.
#[must_use]
pub fn sections() -> Vec<(&'static str, Vec<Row>)> {
    vec![("added to a tower service, beside tower-http's request ID", tower::rows())]
}

/// All rows, in the order of the table.
#[must_use]
pub fn rows() -> Vec<Row> {
    sections().into_iter().flat_map(|(_, rows)| rows).collect()
}
