//! The matrix: what people run beside us, in both orders of layers, and whatever a handler may do, against
//! the records that must carry the session.
//!
//! Requests come as they do in production: many on one connection, over HTTP/1.1 and HTTP/2, each
//! connection in a span of its own, of one session after another, and of none.

mod actix;
mod axum;
mod cells;
mod report;

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use opentelemetry_sdk::trace::SpanData;
use qorrelate_core::ATTRIBUTE;
use serde_json::Value;

pub use cells::Cell;
pub use report::Report;

use crate::client::{Connection, Protocol};
use crate::server::Server;
use crate::telemetry::{Records, SetUp, Telemetry, log_values, span_values};

/// How many sessions run interleaved.
const SESSIONS: u32 = 64;

/// How many connections they share.
const CONNECTIONS: u32 = 8;

/// What makes the request span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// tower-http's `TraceLayer`, as it comes.
    TraceLayer,
    /// tower-http's `TraceLayer` with our `SessionMakeSpan`.
    TraceLayerWithMakeSpan,
    /// axum-tracing-opentelemetry's `OtelAxumLayer`.
    OtelAxumLayer,
    /// opentelemetry-instrumentation-tower's `Layer`: OpenTelemetry alone.
    InstrumentationTower,
    /// Nothing, in axum.
    NoneInAxum,
    /// tracing-actix-web's `TracingLogger`, as it comes.
    TracingLogger,
    /// tracing-actix-web's `TracingLogger` with our `SessionRootSpanBuilder`.
    TracingLoggerWithRootSpan,
    /// opentelemetry-instrumentation-actix-web's `RequestTracing`: OpenTelemetry alone.
    RequestTracing,
    /// Nothing, in actix-web.
    NoneInActix,
}

impl Peer {
    const ALL: [Self; 9] = [
        Self::TraceLayer,
        Self::TraceLayerWithMakeSpan,
        Self::OtelAxumLayer,
        Self::InstrumentationTower,
        Self::NoneInAxum,
        Self::TracingLogger,
        Self::TracingLoggerWithRootSpan,
        Self::RequestTracing,
        Self::NoneInActix,
    ];

    const fn makes_a_span(self) -> bool {
        !matches!(self, Self::NoneInAxum | Self::NoneInActix)
    }

    const fn is_in_actix(self) -> bool {
        matches!(
            self,
            Self::TracingLogger
                | Self::TracingLoggerWithRootSpan
                | Self::RequestTracing
                | Self::NoneInActix
        )
    }

    const fn is_opentelemetry_alone(self) -> bool {
        matches!(self, Self::InstrumentationTower | Self::RequestTracing)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TraceLayer => "tower-http `TraceLayer`",
            Self::TraceLayerWithMakeSpan => "tower-http `TraceLayer` with `SessionMakeSpan`",
            Self::OtelAxumLayer => "axum-tracing-opentelemetry",
            Self::InstrumentationTower => "opentelemetry-instrumentation-tower",
            Self::NoneInAxum => "none, in axum",
            Self::TracingLogger => "tracing-actix-web",
            Self::TracingLoggerWithRootSpan => "tracing-actix-web with `SessionRootSpanBuilder`",
            Self::RequestTracing => "opentelemetry-instrumentation-actix-web",
            Self::NoneInActix => "none, in actix-web",
        })
    }
}

/// Where our layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// Outside of what makes the request span.
    Outermost,
    /// Inside of it.
    Inside,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outermost => "outermost",
            Self::Inside => "inside",
        })
    }
}

/// A peer and our layer, in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stack {
    /// What makes the request span.
    pub peer: Peer,
    /// Where our layer is.
    pub order: Order,
}

impl Stack {
    fn all() -> impl Iterator<Item = Self> {
        Peer::ALL.into_iter().flat_map(|peer| {
            let orders: &[Order] = if peer.makes_a_span() {
                &[Order::Outermost, Order::Inside]
            } else {
                &[Order::Outermost]
            };
            orders.iter().map(move |&order| Self { peer, order })
        })
    }

    /// Without a request span there is none to count; without one of tracing there is none to enter
    /// again, and `.in_current_span()` does nothing.
    const fn can_run(self, cell: Cell) -> bool {
        match cell {
            Cell::Connection => !self.peer.is_in_actix(),
            Cell::Request => self.peer.makes_a_span(),
            Cell::SpawnedInCurrent => {
                self.peer.makes_a_span() && !self.peer.is_opentelemetry_alone()
            }
            _ => true,
        }
    }

    fn is_inside_of_tracing(self) -> bool {
        self.order == Order::Inside && !self.peer.is_opentelemetry_alone()
    }

    fn is_inside_of_opentelemetry(self) -> bool {
        self.order == Order::Inside && self.peer.is_opentelemetry_alone()
    }

    fn serve(self, set_up: SetUp) -> Server {
        if self.peer.is_in_actix() { actix::serve(self, set_up) } else { axum::serve(self, set_up) }
    }
}

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// An exported OpenTelemetry span.
    Spans,
    /// An exported OpenTelemetry log record.
    Logs,
    /// A JSON line of `tracing_subscriber::fmt`.
    Lines,
}

/// How many records there were, and what they carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// All.
    pub records: usize,
    /// Those with the right session, once; or rightly with none.
    pub right: usize,
    /// Those that rightly have none.
    pub without: usize,
    /// Those with a session more than once.
    pub twice: usize,
    /// Those with another session.
    pub foreign: usize,
}

impl Count {
    fn add(&mut self, ids: &[String], expected: Option<&str>) {
        self.records += 1;
        self.right += usize::from(ids.iter().map(String::as_str).eq(expected));
        self.without += usize::from(ids.is_empty() && expected.is_none());
        self.twice += usize::from(ids.len() > 1);
        self.foreign += usize::from(ids.iter().any(|id| Some(id.as_str()) != expected));
    }
}

/// Runs every cell of every stack with telemetry that is set up so.
pub fn run(set_up: SetUp) -> Report {
    let telemetry = Telemetry::install_as(set_up);
    let mut counts = HashMap::new();
    for stack in Stack::all() {
        let records = request_all(stack, set_up, telemetry);
        count(stack, &records, &mut counts);
    }
    Report { set_up, counts }
}

/// Runs the matrix, prints it, and fails on any cell below its goal, and if the table in the docs says
/// something else. With `UPDATE_DOCS` set, the table is written there instead.
pub fn check(set_up: SetUp) {
    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/coverage.md");

    let report = run(set_up);
    println!("{}", report.table());
    let failures = report.failures();
    assert!(failures.is_empty(), "{} cells fall short:\n{}", failures.len(), failures.join("\n"));

    let page = std::fs::read_to_string(PAGE).expect("docs/coverage.md");
    let updated = report.insert_into(&page);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, updated).expect("docs/coverage.md");
    } else {
        assert!(page == updated, "docs/coverage.md is not what this run shows; set UPDATE_DOCS=1");
    }
}

/// Sends one request per cell and session. Each connection sends those of its share of the sessions, one
/// after another.
fn request_all(stack: Stack, set_up: SetUp, telemetry: &Telemetry) -> Records {
    telemetry.forget();
    let server = stack.serve(set_up);
    let address = server.address;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let connections: Vec<_> = (0..CONNECTIONS)
            .map(|number| {
                let protocol = if number % 2 == 0 { Protocol::Http1 } else { Protocol::Http2 };
                tokio::spawn(async move {
                    let mut connection = Connection::open(address, protocol).await;
                    for cell in Cell::MADE {
                        for session in (number..SESSIONS).step_by(CONNECTIONS as usize) {
                            let marker = Marker { session, cell };
                            if cell == Cell::Cancelled && stack.peer.is_in_actix() {
                                // actix-http goes on with a request whose HTTP/2 stream was reset.
                                let mut other = Connection::open(address, Protocol::Http1).await;
                                request(&mut other, marker).await;
                            } else {
                                request(&mut connection, marker).await;
                            }
                        }
                    }
                })
            })
            .collect();
        for connection in connections {
            connection.await.expect("every request is answered");
        }
    });
    let requests = SESSIONS as usize * Cell::MADE.len();
    let spans_of_cells: usize = Cell::MADE.iter().map(|cell| cell.expected(Signal::Spans)).sum();
    let expected =
        SESSIONS as usize * spans_of_cells + if stack.peer.makes_a_span() { requests } else { 0 };
    // The connections end when their tasks do, with the runtime.
    drop(runtime);
    let is_complete = |spans: &[SpanData]| {
        let of_connections = spans.iter().filter(|span| is_of_connection(span)).count();
        spans.len() - of_connections >= expected
            && (stack.peer.is_in_actix() || of_connections >= CONNECTIONS as usize)
    };
    telemetry.records_once(is_complete)
}

async fn request(connection: &mut Connection, marker: Marker) {
    let target = format!("/{marker}");
    let header = marker.header();
    let headers: Vec<_> = header.iter().map(|id| ("x-session-id", id.as_bytes())).collect();
    match marker.cell {
        Cell::Cancelled => {
            connection.cancel(&target, &headers, || cells::has_started(marker)).await;
        }
        cell => {
            let (status, _) = connection.get(&target, &headers).await;
            assert_eq!(status, if cell == Cell::Failed { 503 } else { 200 }, "{cell:?}");
        }
    }
}

fn is_of_connection(span: &SpanData) -> bool {
    span.name == "connection"
}

/// What a record's origin is known by, besides its session. It is the path of the request, and is
/// written into each record by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Marker {
    session: u32,
    cell: Cell,
}

impl Marker {
    /// What the request brings: on each connection two sessions, then something malformed, then none.
    fn header(self) -> Option<String> {
        match self.session / CONNECTIONS % 4 {
            0 | 1 => Some(format!("session-{}", self.session)),
            2 => Some(format!("not an ID {}", self.session)),
            _ => None,
        }
    }

    fn session_id(self) -> Option<String> {
        self.header().filter(|header| !header.contains(' '))
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.session, self.cell.path())
    }
}

impl FromStr for Marker {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (session, path) = text.split_once('/').ok_or(())?;
        Ok(Self { session: session.parse().map_err(|_| ())?, cell: Cell::of_path(path).ok_or(())? })
    }
}

type Counts = HashMap<(Stack, Cell, Signal), Count>;

fn count(stack: Stack, records: &Records, counts: &mut Counts) {
    let mut count = |signal, cell, ids: &[String], session: Option<Marker>| {
        let session = session.and_then(Marker::session_id);
        let count: &mut Count = counts.entry((stack, cell, signal)).or_default();
        count.add(ids, session.as_deref());
    };

    for span in &records.spans {
        let ids = span_values(span, ATTRIBUTE);
        if is_of_connection(span) {
            count(Signal::Spans, Cell::Connection, &ids, None);
        } else if let Some(marker) = span_values(span, "marker").first() {
            let marker: Marker = marker.parse().expect("a marker");
            count(Signal::Spans, marker.cell, &ids, Some(marker));
        } else {
            count(Signal::Spans, Cell::Request, &ids, Some(marker_of_request(span)));
        }
    }
    for log in &records.logs {
        if let Some(marker) = log_values(log, "marker").first() {
            let marker: Marker = marker.parse().expect("a marker");
            count(Signal::Logs, marker.cell, &log_values(log, ATTRIBUTE), Some(marker));
        }
    }
    for line in &records.lines {
        if let Some(marker) = line["fields"]["marker"].as_str() {
            let marker: Marker = marker.parse().expect("a marker");
            count(Signal::Lines, marker.cell, &ids_of_line(line), Some(marker));
        }
    }
}

/// Every peer puts the path of the request into some attribute of its span.
fn marker_of_request(span: &SpanData) -> Marker {
    let marker_at_the_end = |value: &str| {
        let cell = value.rfind('/')?;
        let session = value[..cell].rfind('/')?;
        value[session + 1..].parse().ok()
    };
    let mut values = span.attributes.iter().map(|attribute| attribute.value.as_str());
    let marker = values.find_map(|value| marker_at_the_end(&value));
    marker.unwrap_or_else(|| panic!("a span of no request: {span:?}"))
}

/// Every session that a line has where a log query looks for it.
fn ids_of_line(line: &Value) -> Vec<String> {
    let places = [line, &line["fields"]];
    places.into_iter().filter_map(|place| place[ATTRIBUTE].as_str()).map(str::to_owned).collect()
}
