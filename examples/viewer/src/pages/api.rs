//! The viewer's answers as JSON.

use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::header::LINK;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::blocking;
use crate::model::{Event, Session, Timestamp};
use crate::problem::Problem;
use crate::store::{Detail, Record, Store, TicketState};

use super::list::Search;
use super::waterfall;

/// More places than anybody steps through.
const FOUND: usize = 500;

pub(super) fn routes(store: Store) -> Router {
    Router::new()
        .route("/api/version", get(version))
        .route("/api/sessions", get(sessions))
        .route("/api/sessions/{*session_id}", get(session).delete(delete).put(put_ticket))
        .route("/api/traces", get(traces))
        .route("/api/traces/{trace_id}", get(trace))
        .route("/api/records/{kind}/{id}", get(record))
        .route("/api/logs", get(logs))
        .route("/api/find", get(find))
        .with_state(store)
}

/// A number that changes whenever the list may have.
async fn version(State(store): State<Store>) -> Result<Json<Value>, Problem> {
    let version = blocking(move || store.version()).await?;
    Ok(Json(json!({ "version": version })))
}

/// The next page, if there is one, is in the header `Link`.
async fn sessions(
    State(store): State<Store>,
    Query(search): Query<Search>,
) -> Result<Response, Problem> {
    let query = search.query()?;
    let page = blocking(move || store.sessions(&query)).await?;
    let mut headers = HeaderMap::new();
    if let Some(after) = page.next {
        let link = format!("<{}>; rel=\"next\"", search.link("/api/sessions", after));
        if let Ok(link) = HeaderValue::try_from(link) {
            headers.insert(LINK, link);
        }
    }
    Ok((headers, Json(page.sessions)).into_response())
}

pub(super) fn unknown_session() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "nothing carries this session ID")
}

async fn session(
    State(store): State<Store>,
    Path(session_id): Path<String>,
) -> Result<Json<Session>, Problem> {
    let found = blocking(move || store.session(&session_id)).await?;
    found.map(Json).ok_or_else(unknown_session)
}

async fn delete(
    State(store): State<Store>,
    Path(session_id): Path<String>,
) -> Result<StatusCode, Problem> {
    let known = blocking(move || store.delete(&session_id)).await?;
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(unknown_session()) }
}

/// `PUT /api/sessions/{id}/tickets/{ticket}`, with the body `open` or `closed`.
async fn put_ticket(
    State(store): State<Store>,
    OriginalUri(uri): OriginalUri,
    body: String,
) -> Result<StatusCode, Problem> {
    let Some((session_id, ticket)) = session_and_ticket(&uri) else {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "a ticket is at /api/sessions/{id}/tickets/{ticket}, and has at most 256 bytes",
        ));
    };
    let state = match body.trim().trim_matches('"') {
        "open" => TicketState::Open,
        "closed" => TicketState::Closed,
        _ => {
            let detail = "a ticket is `open` or `closed`";
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        }
    };
    let known = blocking(move || store.set_ticket(&session_id, &ticket, state)).await?;
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(unknown_session()) }
}

/// From the path as it was sent: a session ID may contain an escaped `/`.
fn session_and_ticket(uri: &Uri) -> Option<(String, String)> {
    let path = uri.path().strip_prefix("/api/sessions/")?;
    let (session_id, ticket) = path.rsplit_once("/tickets/")?;
    let decode = |text| percent_decode_str(text).decode_utf8().ok().map(String::from);
    let ticket = decode(ticket).filter(|ticket| (1..=256).contains(&ticket.len()))?;
    Some((decode(session_id)?, ticket))
}

#[derive(Deserialize)]
struct Traces {
    session: String,
    #[serde(default)]
    since: i64,
}

/// What a session's page shows of it: all traces, or those that changed since a version.
async fn traces(
    State(store): State<Store>,
    Query(asked): Query<Traces>,
) -> Result<Json<Value>, Problem> {
    let ((traces, version), summary) = blocking(move || {
        let traces = store.traces(&asked.session, asked.since)?;
        Ok((traces, store.summary(&asked.session)?))
    })
    .await?;
    Ok(Json(json!({ "version": version, "summary": summary, "traces": traces })))
}

#[derive(Deserialize)]
pub(super) struct OfSession {
    pub(super) session: String,
}

#[derive(Deserialize)]
struct Logs {
    session: String,
    #[serde(default)]
    after: i64,
}

/// The log lines beside a replay: those that arrived after one.
async fn logs(
    State(store): State<Store>,
    Query(asked): Query<Logs>,
) -> Result<Json<Vec<waterfall::Line>>, Problem> {
    let logs = blocking(move || store.logs(&asked.session, asked.after)).await?;
    Ok(Json(logs.into_iter().map(|(id, log)| waterfall::line(id, &log)).collect()))
}

/// One trace laid out in rows; without an ID, the log records outside of any.
async fn trace(
    State(store): State<Store>,
    Path(trace_id): Path<String>,
    Query(of): Query<OfSession>,
) -> Result<Json<waterfall::Waterfall>, Problem> {
    let trace_id = if trace_id == "none" { String::new() } else { trace_id };
    Ok(Json(blocking(move || Ok(waterfall::lay_out(&store.trace(&of.session, &trace_id)?))).await?))
}

/// All that is known of one span or log record.
async fn record(
    State(store): State<Store>,
    Path((kind, id)): Path<(String, i64)>,
) -> Result<Json<Value>, Problem> {
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "there is no such record any more");
    let record = match kind.as_str() {
        "span" => Record::Span(id),
        "log" => Record::Log(id),
        _ => return Err(unknown()),
    };
    let found = blocking(move || store.record(record)).await?;
    Ok(Json(match found.ok_or_else(unknown)? {
        Detail::Span(span) => json!({
            "span": {
                "name": span.name,
                "service": span.resource.service,
                "kind": span.kind,
                "trace ID": span.trace_id,
                "span ID": span.span_id,
                "parent span ID": span.parent_span_id,
                "started": span.start,
                "ended": span.end,
                "status": span.status,
                "status message": span.status_message,
            },
            "attributes": span.attributes,
            "events": span.events.iter().map(event).collect::<Value>(),
            "resource": span.resource.attributes,
            "scope": &*span.scope,
        }),
        Detail::Log(log) => json!({
            "log record": {
                "message": log.body,
                "service": log.resource.service,
                "severity": log.severity,
                "severity number": log.severity_number,
                "time": log.time,
                "trace ID": log.trace_id,
                "span ID": log.span_id,
            },
            "attributes": log.attributes,
            "resource": log.resource.attributes,
            "scope": &*log.scope,
        }),
    }))
}

fn event(event: &Event) -> Value {
    let time = Timestamp::from_unix_nanos(event.nanos);
    json!({ "name": event.name, "time": time, "attributes": event.attributes })
}

#[derive(Deserialize)]
struct Find {
    session: String,
    q: String,
}

async fn find(
    State(store): State<Store>,
    Query(asked): Query<Find>,
) -> Result<Json<Value>, Problem> {
    let found = blocking(move || store.find(&asked.session, asked.q.trim(), FOUND)).await?;
    let places = found
        .into_iter()
        .map(|(trace_id, record)| json!({ "trace_id": trace_id, "id": waterfall::name(record) }));
    Ok(Json(places.collect()))
}
