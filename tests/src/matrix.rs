//! The matrix: what people run beside us, in both orders of layers, and whatever a handler may do, against
//! the records that must carry the session.

mod actix;
mod axum;
mod cells;
mod report;

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use opentelemetry_sdk::trace::SpanData;
use qorrelate_core::ATTRIBUTE;
use serde_json::Value;

pub use cells::Cell;
pub use report::Report;

use crate::client;
use crate::server::Server;
use crate::telemetry::{Records, SetUp, Telemetry, log_values, span_values};

/// How many sessions run interleaved.
const SESSIONS: u32 = 64;

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
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TraceLayer => "tower-http `TraceLayer`",
            Self::TraceLayerWithMakeSpan => "the same, with `SessionMakeSpan`",
            Self::OtelAxumLayer => "axum-tracing-opentelemetry",
            Self::InstrumentationTower => "opentelemetry-instrumentation-tower",
            Self::NoneInAxum => "none, in axum",
            Self::TracingLogger => "tracing-actix-web",
            Self::TracingLoggerWithRootSpan => "the same, with `SessionRootSpanBuilder`",
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
            Cell::Request => self.peer.makes_a_span(),
            Cell::SpawnedInCurrent => {
                self.peer.makes_a_span()
                    && !matches!(self.peer, Peer::InstrumentationTower | Peer::RequestTracing)
            }
            _ => true,
        }
    }

    fn serve(self) -> Server {
        match self.peer {
            Peer::TraceLayer
            | Peer::TraceLayerWithMakeSpan
            | Peer::OtelAxumLayer
            | Peer::InstrumentationTower
            | Peer::NoneInAxum => axum::serve(self),
            Peer::TracingLogger
            | Peer::TracingLoggerWithRootSpan
            | Peer::RequestTracing
            | Peer::NoneInActix => actix::serve(self),
        }
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
    /// Those with the right session, once.
    pub right: usize,
    /// Those with a session more than once.
    pub twice: usize,
    /// Those with another session.
    pub foreign: usize,
}

impl Count {
    fn add(&mut self, ids: &[String], expected: &str) {
        self.records += 1;
        self.right += usize::from(ids == [expected]);
        self.twice += usize::from(ids.len() > 1);
        self.foreign += usize::from(ids.iter().any(|id| id != expected));
    }
}

/// Runs every cell of every stack with telemetry that is set up so.
pub fn run(set_up: SetUp) -> Report {
    let telemetry = Telemetry::install_as(set_up);
    let mut counts = HashMap::new();
    for stack in Stack::all() {
        let records = request_all(stack, telemetry);
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

/// Sends one request per cell and session, all sessions at once.
fn request_all(stack: Stack, telemetry: &Telemetry) -> Records {
    telemetry.forget();
    let server = stack.serve();
    std::thread::scope(|scope| {
        for session in 0..SESSIONS {
            let address = server.address;
            scope.spawn(move || {
                for cell in Cell::MADE {
                    request(address, Marker { session, cell });
                }
            });
        }
    });
    let requests = SESSIONS as usize * Cell::MADE.len();
    let spans_of_cells: usize = Cell::MADE.iter().map(|cell| cell.expected(Signal::Spans)).sum();
    let expected =
        SESSIONS as usize * spans_of_cells + if stack.peer.makes_a_span() { requests } else { 0 };
    telemetry.records_once(|spans| spans.len() >= expected)
}

fn request(address: SocketAddr, marker: Marker) {
    let target = format!("/{marker}");
    let id = marker.session_id();
    let headers = [("x-session-id", id.as_bytes())];
    match marker.cell {
        Cell::Cancelled => {
            client::cancel(address, &target, &headers, || cells::has_started(marker))
        }
        cell => {
            let answer = client::get(address, &target, &headers);
            let status = if cell == Cell::Failed { 503 } else { 200 };
            assert_eq!(answer.status, status, "{cell:?}: {answer:?}");
        }
    }
}

/// What a record's origin is known by, besides its session. It is the path of the request, and is
/// written into each record by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Marker {
    session: u32,
    cell: Cell,
}

impl Marker {
    fn session_id(self) -> String {
        format!("session-{}", self.session)
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
    let mut count = |signal, cell, session: Marker, ids: &[String]| {
        let count: &mut Count = counts.entry((stack, cell, signal)).or_default();
        count.add(ids, &session.session_id());
    };

    for span in &records.spans {
        let ids = span_values(span, ATTRIBUTE);
        match span_values(span, "marker").first() {
            Some(marker) => {
                let marker: Marker = marker.parse().expect("a marker");
                count(Signal::Spans, marker.cell, marker, &ids);
            }
            None => count(Signal::Spans, Cell::Request, marker_of_request(span), &ids),
        }
    }
    for log in &records.logs {
        if let Some(marker) = log_values(log, "marker").first() {
            let marker: Marker = marker.parse().expect("a marker");
            count(Signal::Logs, marker.cell, marker, &log_values(log, ATTRIBUTE));
        }
    }
    for line in &records.lines {
        if let Some(marker) = line["fields"]["marker"].as_str() {
            let marker: Marker = marker.parse().expect("a marker");
            count(Signal::Lines, marker.cell, marker, &ids_of_line(line));
        }
    }
}

/// Every peer puts the path of the request into some attribute of its span.
fn marker_of_request(span: &SpanData) -> Marker {
    let values = span.attributes.iter().map(|attribute| attribute.value.as_str());
    let marker = values.filter_map(|value| value.strip_prefix('/')?.parse().ok()).next();
    marker.unwrap_or_else(|| panic!("a span of no request: {span:?}"))
}

/// Every session that a line shows: as a member, and for each span around it.
fn ids_of_line(line: &Value) -> Vec<String> {
    let spans = line["spans"].as_array().map(Vec::as_slice).unwrap_or_default();
    let places = spans.iter().chain([line, &line["fields"]]);
    places.filter_map(|place| place[ATTRIBUTE].as_str()).map(str::to_owned).collect()
}
