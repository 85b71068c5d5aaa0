//! What the tests of a request share.

use std::sync::{Arc, Mutex};

use qorrelate_core::RequestHead;
use tracing_subscriber::fmt::MakeWriter;

/// A request with the session ID `abc`.
pub(crate) struct Head;

impl RequestHead for Head {
    type HeaderName = http::HeaderName;

    fn header_values(&self, _: &http::HeaderName) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&b"abc"[..])
    }

    fn query(&self) -> Option<&str> {
        None
    }
}

/// The lines that `fmt` writes.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
