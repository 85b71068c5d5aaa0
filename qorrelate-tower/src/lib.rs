//! Qorrelate.
