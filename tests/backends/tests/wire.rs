//! What `session.id` costs on the wire: the table of `docs/scale.md`.

// Clippy takes a test's helpers for code that is not a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message as _;
use qorrelate_test_backends::{BATCH, Random, batch, repository};

#[test]
fn the_table_in_the_documents_is_what_it_costs() {
    let page = std::fs::read_to_string(repository().join("docs/scale.md")).unwrap();
    let mut table = String::new();
    for (of_whom, requests) in [("each request another session", 1), ("ten requests a session", 10)]
    {
        let [without, with] =
            [false, true].map(|tagged| batch(&mut Random(5), requests, tagged).encode_to_vec());
        let [zipped_without, zipped_with] = [&without, &with].map(|bytes| gzip(bytes));
        let per_span = |bytes: usize| format!("{:.0}", bytes as f64 / BATCH as f64);
        table += &format!(
            "| {of_whom} | {} | {} | {} | {} |\n",
            per_span(without.len()),
            per_span(with.len()),
            per_span(zipped_without),
            per_span(zipped_with),
        );
    }
    assert!(page.contains(&table), "docs/scale.md should say\n{table}");
}

fn gzip(bytes: &[u8]) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().len()
}
