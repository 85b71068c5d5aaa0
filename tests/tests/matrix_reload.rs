//! The matrix; telemetry is set up once per process, so each way to set it up is a test of its own.

use qorrelate_tests::matrix;
use qorrelate_tests::telemetry::SetUp;

#[test]
fn every_record_of_every_cell_has_the_session_once() {
    matrix::check(SetUp { context_activation: true, reload: true, carry: true, context: false });
}
