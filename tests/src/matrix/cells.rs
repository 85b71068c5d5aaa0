//! What a handler may do, and how many records that makes.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{LazyLock, Mutex};

use bytes::Bytes;
use opentelemetry::context::FutureExt;
use qorrelate_core::{InCurrentSession, in_current_session};
use tokio_stream::{Stream, StreamExt};
use tracing::{Instrument, error, info, info_span};

use super::{Marker, Signal};

/// A column of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cell {
    /// The span of the connection, which is of no session.
    Connection,
    /// The span of the request, whatever its handler does.
    Request,
    /// A span that the handler opens.
    Own,
    /// A span in a span that the handler opens.
    Child,
    /// An async fn with `#[instrument]`.
    Instrumented,
    /// A task that is spawned with a span of its own: `.instrument(child)`.
    SpawnedChild,
    /// A task that is spawned in the request span: `.in_current_span()`.
    SpawnedInCurrent,
    /// A task that is spawned in the OpenTelemetry context: `.with_current_context()`.
    SpawnedInContext,
    /// A task that is spawned in the session: `.in_current_session()`.
    SpawnedInSession,
    /// A blocking task in the session: `in_current_session(…)`.
    Blocking,
    /// A response body that is streamed after the handler has returned.
    Streamed,
    /// A handler that answers an error.
    Failed,
    /// A handler whose client goes away.
    Cancelled,
}

impl Cell {
    /// Every column.
    pub const ALL: [Self; 13] = [
        Self::Connection,
        Self::Request,
        Self::Own,
        Self::Child,
        Self::Instrumented,
        Self::SpawnedChild,
        Self::SpawnedInCurrent,
        Self::SpawnedInContext,
        Self::SpawnedInSession,
        Self::Blocking,
        Self::Streamed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Those that a handler makes on request.
    pub(super) const MADE: [Self; 11] = {
        let [_, _, made @ ..] = Self::ALL;
        made
    };

    /// A word for it, in a path.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Request => "request",
            Self::Own => "own",
            Self::Child => "child",
            Self::Instrumented => "instrumented",
            Self::SpawnedChild => "spawned-child",
            Self::SpawnedInCurrent => "spawned-in-current",
            Self::SpawnedInContext => "spawned-in-context",
            Self::SpawnedInSession => "spawned-in-session",
            Self::Blocking => "blocking",
            Self::Streamed => "streamed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub(super) fn of_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cell| cell.path() == path)
    }

    /// The head of its column.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Connection => "connection's span",
            Self::Request => "request span",
            Self::Own => "handler's span",
            Self::Child => "child span",
            Self::Instrumented => "`#[instrument]`",
            Self::SpawnedChild => "spawned `.instrument(child)`",
            Self::SpawnedInCurrent => "spawned `.in_current_span()`",
            Self::SpawnedInContext => "spawned `.with_current_context()`",
            Self::SpawnedInSession => "spawned `.in_current_session()`",
            Self::Blocking => "`spawn_blocking(in_current_session(…))`",
            Self::Streamed => "streamed body",
            Self::Failed => "error path",
            Self::Cancelled => "cancelled request",
        }
    }

    /// How many records of a kind one request to it makes.
    pub(super) const fn expected(self, signal: Signal) -> usize {
        match (self, signal) {
            // One per request, and one request per other cell.
            (Self::Request, Signal::Spans) => Self::MADE.len(),
            (Self::Connection | Self::Request, _) => 0,
            (Self::Child | Self::Cancelled, Signal::Spans) => 2,
            (Self::Streamed, Signal::Spans) => 3,
            (_, Signal::Spans) => 1,
            (Self::Streamed, _) => 6,
            (_, _) => 2,
        }
    }
}

/// What a handler answers.
pub(super) enum Reply {
    Done,
    Failed,
    Body(Pin<Box<dyn Stream<Item = Result<Bytes, std::io::Error>> + Send>>),
}

/// What a handler does.
pub(super) async fn handle(marker: Marker) -> Reply {
    match marker.cell {
        Cell::Connection | Cell::Request => {}
        Cell::Own => work(marker).instrument(info_span!("own", %marker)).await,
        Cell::Child => {
            async { work(marker).instrument(info_span!("child", %marker)).await }
                .instrument(info_span!("own", %marker))
                .await;
        }
        Cell::Instrumented => instrumented(marker).await,
        Cell::SpawnedChild => {
            let span = info_span!("spawned", %marker);
            tokio::spawn(work(marker).instrument(span)).await.unwrap();
        }
        Cell::SpawnedInCurrent => {
            let work = async move { work(marker).instrument(info_span!("spawned", %marker)).await };
            tokio::spawn(work.in_current_span()).await.unwrap();
        }
        Cell::SpawnedInContext => {
            let work = async move { work(marker).instrument(info_span!("spawned", %marker)).await };
            tokio::spawn(work.with_current_context()).await.unwrap();
        }
        Cell::SpawnedInSession => {
            let work = async move { work(marker).instrument(info_span!("spawned", %marker)).await };
            tokio::spawn(work.in_current_session().in_current_span()).await.unwrap();
        }
        Cell::Blocking => {
            let request = tracing::Span::current();
            let block = in_current_session(move || {
                let _request = request.entered();
                let _span = info_span!("blocking", %marker).entered();
                info!(%marker, "one");
                info!(%marker, "two");
            });
            tokio::task::spawn_blocking(block).await.unwrap();
        }
        Cell::Streamed => {
            let chunks = tokio_stream::iter(0..3).then(move |_| async move {
                work(marker).instrument(info_span!("chunk", %marker)).await;
                Ok(Bytes::from_static(b"chunk"))
            });
            return Reply::Body(Box::pin(chunks));
        }
        Cell::Failed => {
            async { error!(%marker, "one") }.instrument(info_span!("failing", %marker)).await;
            error!(%marker, "two");
            return Reply::Failed;
        }
        Cell::Cancelled => {
            let _on_drop = OnDrop(marker);
            async {
                info!(%marker, "one");
                STARTED.lock().unwrap().insert(marker);
                std::future::pending::<()>().await;
            }
            .instrument(info_span!("waiting", %marker))
            .await;
        }
    }
    Reply::Done
}

async fn work(marker: Marker) {
    info!(%marker, "one");
    tokio::task::yield_now().await;
    info!(%marker, "two");
}

#[tracing::instrument(skip_all, fields(%marker))]
async fn instrumented(marker: Marker) {
    work(marker).await;
}

/// Cleans up when the request is cancelled, and says so.
struct OnDrop(Marker);

impl Drop for OnDrop {
    fn drop(&mut self) {
        let marker = self.0;
        let _span = info_span!("cleaning up", %marker).entered();
        info!(%marker, "two");
    }
}

static STARTED: LazyLock<Mutex<HashSet<Marker>>> = LazyLock::new(Mutex::default);

/// Whether that request is ready to be cancelled.
pub(super) fn has_started(marker: Marker) -> bool {
    STARTED.lock().unwrap().remove(&marker)
}
