//! Sites of both adapters that serve pages, and keep what they are asked for.
#![allow(dead_code, reason = "not every suite needs all of it")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use actix_cors::Cors;
use actix_web::middleware::DefaultHeaders;
use actix_web::{App, HttpRequest, HttpResponse, web};
use axum::Router;
use axum::extract::{Request, State};
use axum::routing::{any, get};
use http_body_util::BodyExt;
use qorrelate_actix::{ServerTimingMiddleware, SessionIdMiddleware, SessionRootSpanBuilder};
use qorrelate_core::opentelemetry_0_33::server_timing;
use qorrelate_core::{Policy, SessionCookie, SessionId, SessionIdOutcome, Source};
use qorrelate_test_browser::eventually;
use qorrelate_tests::server::{Server, describe, serve_axum};
use qorrelate_tower::{ServerTimingLayer, SessionIdLayer, SessionMakeSpan};
use serde_json::{Value, json};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use tower_http::trace::TraceLayer;
use tracing_actix_web::TracingLogger;

/// What requests came to: those that were handled, and all as they arrived.
#[derive(Debug, Clone, Default)]
struct Seen {
    handled: Arc<Mutex<Vec<Value>>>,
    arrived: Arc<Mutex<Vec<Value>>>,
}

/// A site, under one of its names.
#[derive(Clone)]
pub(crate) struct Site {
    server: Rc<Server>,
    host: &'static str,
    seen: Seen,
}

/// How a site is set up.
#[derive(Debug, Clone, Default)]
pub(crate) struct SetUp {
    pub(crate) sources: Vec<Source>,
    /// The headers that pages may send across origins, besides those that the layer lists.
    pub(crate) other_headers: &'static [&'static str],
    /// One that the layer lists, but they may not.
    pub(crate) not_allowed: Option<&'static str>,
    /// Whether a page that is asked for without a session gets one.
    pub(crate) sets_cookie: bool,
    /// Whether responses say that their session is kept.
    pub(crate) says_kept: bool,
}

/// A site of each adapter.
pub(crate) const ADAPTERS: [fn(&SetUp) -> Site; 2] = [axum_site, actix_site];

impl SetUp {
    /// Reads the script's header, query parameter and cookie.
    pub(crate) fn of_the_script() -> Self {
        let sources = vec![
            Source::header("X-Session-ID"),
            Source::query("sid").read_at_public_edge(),
            Source::cookie("qsid").read_at_public_edge(),
        ];
        Self { sources, ..Self::default() }
    }

    fn allows(&self, header: &impl ToString) -> bool {
        self.not_allowed.is_none_or(|not| header.to_string() != not)
    }
}

/// The layer or middleware.
macro_rules! sessions {
    ($layer:expr, $set_up:expr) => {{
        let layer = $layer.sources($set_up.sources.clone()).unwrap().public_edge();
        let layer = match $set_up.says_kept {
            true => layer.kept_header("X-Session-Kept").unwrap(),
            false => layer,
        };
        if $set_up.sets_cookie {
            layer
                .on_missing(Policy::Generate(SessionId::new_v7))
                .on_malformed(Policy::Generate(SessionId::new_v7))
                .set_cookie(SessionCookie::new("qsid"))
                .unwrap()
        } else {
            layer
        }
    }};
}

impl Site {
    fn new(server: Server, seen: Seen) -> Self {
        Self { server: Rc::new(server), host: "127.0.0.1", seen }
    }

    /// The same under another name.
    pub(crate) fn on(self, host: &'static str) -> Self {
        Self { host, ..self }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}:{}{path}", self.host, self.server.address.port())
    }

    /// A page with this in its head.
    pub(crate) fn page(&self, head: &str) -> String {
        let head: String = form_urlencoded::byte_serialize(head.as_bytes()).collect();
        self.url(&format!("/page?head={head}"))
    }

    pub(crate) fn forget(&self) {
        self.seen.handled.lock().unwrap().clear();
        self.seen.arrived.lock().unwrap().clear();
    }

    pub(crate) fn all(&self) -> Vec<Value> {
        self.seen.handled.lock().unwrap().clone()
    }

    /// Method, path and headers of each, outside of the layers.
    pub(crate) fn arrived(&self) -> Vec<Value> {
        self.seen.arrived.lock().unwrap().clone()
    }

    pub(crate) fn methods(&self) -> Vec<String> {
        self.arrived().iter().map(|seen| seen["method"].as_str().unwrap().to_owned()).collect()
    }

    /// The one request of that path, once it is there. It is forgotten.
    #[track_caller]
    pub(crate) fn only(&self, path: &str) -> Value {
        let seen = eventually(|| {
            let mut seen = self.all();
            seen.retain(|seen| seen["path"] == path);
            if seen.is_empty() { Err(format!("no {path} yet")) } else { Ok(seen) }
        });
        assert_eq!(seen.len(), 1, "{seen:?}");
        self.seen.handled.lock().unwrap().retain(|seen| seen["path"] != path);
        seen[0].clone()
    }
}

/// What is left of a request: here, and on spans and records.
fn see(seen: &Seen, method: &str, uri: &str, headers: Vec<(String, String)>, body: &[u8]) -> Value {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let number = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "n");
    let number = number.map_or(0, |(_, number)| number.parse::<i64>().unwrap());
    let request = json!({
        "method": method,
        "path": path,
        "query": query,
        "headers": headers,
        "body": String::from_utf8_lossy(body),
        "session": SessionId::current().map(|id| id.to_string()),
        "outcome": SessionIdOutcome::current().as_ref().map(describe),
    });
    if path == "/keep"
        && let Some(id) = SessionId::current()
    {
        id.keep();
    }
    let work = tracing::info_span!("work", request = number);
    work.in_scope(|| tracing::info!(request = number, "seen"));
    seen.handled.lock().unwrap().push(request.clone());
    request
}

fn note(seen: &Seen, method: &str, path: &str, headers: Vec<(String, String)>) {
    let request = json!({ "method": method, "path": path, "headers": headers });
    seen.arrived.lock().unwrap().push(request);
}

fn parameter(query: &str, name: &str) -> String {
    let value = form_urlencoded::parse(query.as_bytes()).find(|(other, _)| other == name);
    value.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// A service worker that answers with the body that it is sent.
const SERVICE_WORKER: &str = "
    onactivate = (event) => event.waitUntil(clients.claim());
    onfetch = (event) => {
        const { request } = event;
        if (new URL(request.url).pathname != '/streamed') return;
        const session = request.headers.get('x-session-id');
        event.respondWith(request.text().then((body) => Response.json({ body, session })));
    };";

/// What a vendor's server would answer, as far as an SDK asks before it starts.
fn answer_to_an_sdk(path: &str) -> Option<Value> {
    path.ends_with("/v1/web/start").then(|| {
        json!({
            "token": "1jrnlbnmyvd2h.secret1.secret2.secret3",
            "sessionID": u64::from_str_radix("1jrnlbnmyvd2h", 36).unwrap().to_string(),
            "userUUID": "0c3f2a6e-9f0b-4f5e-8d53-8a8a3a0d2c11",
            "projectID": "1",
            "beaconSizeLimit": 1_000_000,
            "delay": 0,
            "startTimestamp": 0,
            "userBrowser": "", "userCity": "", "userCountry": "", "userDevice": "",
            "userOS": "", "userState": "",
        })
    })
}

fn page(query: &str) -> String {
    let head = parameter(query, "head");
    format!(
        "<!doctype html><html lang=en><head><title>page</title>{head}</head><body></body></html>"
    )
}

/// The text and its media type.
fn answer_to(path: &str, query: &str, request: &Value) -> (String, &'static str) {
    match path {
        "/page" => (page(query), "text/html; charset=utf-8"),
        "/worker.js" => (SERVICE_WORKER.to_owned(), "text/javascript"),
        path => {
            let answer = answer_to_an_sdk(path);
            (answer.as_ref().unwrap_or(request).to_string(), "application/json")
        }
    }
}

fn axum_site(set_up: &SetUp) -> Site {
    use axum::http::HeaderName;
    use axum::http::header::{CONTENT_TYPE, LOCATION};
    use axum::response::IntoResponse;

    let seen = Seen::default();
    let sessions = sessions!(SessionIdLayer::new(), set_up);
    let mut headers = sessions.request_headers();
    headers.retain(|header| set_up.allows(header));
    headers.extend(set_up.other_headers.iter().copied().map(HeaderName::from_static));
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_credentials(true)
        .allow_methods(["GET", "POST", "PUT"].map(|method| method.parse().unwrap()))
        .allow_headers(AllowHeaders::list(headers))
        .expose_headers(["server-timing", "x-session-kept"].map(HeaderName::from_static));
    let lines = |headers: &axum::http::HeaderMap| {
        let line = |(name, value): (&HeaderName, &axum::http::HeaderValue)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        headers.iter().map(line).collect::<Vec<_>>()
    };
    let show = async move |State(seen): State<Seen>, request: Request| {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
        let uri = head.uri.to_string();
        let request = see(&seen, head.method.as_str(), &uri, lines(&head.headers), &body);
        match path {
            "/slow" => std::future::pending().await,
            "/redirect" => {
                let headers = [(LOCATION, parameter(query, "to"))];
                (axum::http::StatusCode::TEMPORARY_REDIRECT, headers).into_response()
            }
            path => {
                let (text, kind) = answer_to(path, query, &request);
                ([(CONTENT_TYPE, kind)], text).into_response()
            }
        }
    };
    let around = {
        let seen = seen.clone();
        axum::middleware::from_fn(move |request: Request, next: axum::middleware::Next| {
            let seen = seen.clone();
            async move {
                let (method, path) = (request.method().as_str(), request.uri().path());
                note(&seen, method, path, lines(request.headers()));
                ([("timing-allow-origin", "*")], next.run(request).await).into_response()
            }
        })
    };
    let app = Router::new()
        .route("/qorrelate.js", get(qorrelate_tower::browser_script))
        .nest_service("/bundles", tower_http::services::ServeDir::new(bundles()))
        .fallback(any(show))
        .with_state(seen.clone())
        .layer((
            sessions,
            TraceLayer::new_for_http().make_span_with(SessionMakeSpan::new()),
            ServerTimingLayer::new(server_timing),
        ))
        .layer(cors)
        .layer(around);
    Site::new(serve_axum(app), seen)
}

fn actix_site(set_up: &SetUp) -> Site {
    let seen = Seen::default();
    let kept = seen.clone();
    let set_up = set_up.clone();
    let sessions = sessions!(SessionIdMiddleware::new(), set_up);
    let server = qorrelate_tests::serve_actix!(move || {
        let mut headers = sessions.request_headers();
        headers.retain(|header| set_up.allows(header));
        let cors = Cors::default()
            .allow_any_origin()
            .supports_credentials()
            .allowed_methods(["GET", "POST", "PUT"])
            .allowed_headers(headers)
            .allowed_headers(set_up.other_headers.iter().copied())
            .expose_headers(["server-timing", "x-session-kept"]);
        let seen = seen.clone();
        let arrivals = seen.clone();
        App::new()
            .route("/qorrelate.js", web::get().to(qorrelate_actix::browser_script))
            .route("/bundles/{name}", web::get().to(bundle))
            .default_service(web::to(move |request: HttpRequest, body: web::Payload| {
                let seen = seen.clone();
                async move {
                    // The body of a WebSocket does not end.
                    let body = match request.headers().contains_key("upgrade") {
                        true => web::Bytes::new(),
                        false => body.to_bytes().await.unwrap(),
                    };
                    let (path, query) = (request.path(), request.query_string());
                    let uri = request.uri().to_string();
                    let method = request.method().as_str();
                    let seen = see(&seen, method, &uri, lines(request.headers()), &body);
                    match path {
                        "/slow" => std::future::pending().await,
                        "/redirect" => HttpResponse::TemporaryRedirect()
                            .insert_header(("location", parameter(query, "to")))
                            .finish(),
                        path => {
                            let (text, kind) = answer_to(path, query, &seen);
                            HttpResponse::Ok().content_type(kind).body(text)
                        }
                    }
                }
            }))
            .wrap(ServerTimingMiddleware::new(server_timing))
            .wrap(TracingLogger::<SessionRootSpanBuilder>::new())
            .wrap(sessions.clone())
            .wrap(cors)
            .wrap(DefaultHeaders::new().add(("timing-allow-origin", "*")))
            .wrap_fn(move |request, next| {
                use actix_web::dev::Service as _;

                let method = request.method().as_str();
                note(&arrivals, method, request.path(), lines(request.headers()));
                next.call(request)
            })
    });
    Site::new(server, kept)
}

fn lines(headers: &actix_web::http::header::HeaderMap) -> Vec<(String, String)> {
    let line = |(name, value): (
        &actix_web::http::header::HeaderName,
        &actix_web::http::header::HeaderValue,
    )| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned());
    headers.iter().map(line).collect()
}

async fn bundle(name: web::Path<String>) -> HttpResponse {
    match std::fs::read(bundles().join(&*name)) {
        Ok(bundle) => HttpResponse::Ok().content_type("text/javascript").body(bundle),
        Err(_) => HttpResponse::NotFound().finish(),
    }
}

/// Where `tests/recorders` is installed and bundled to.
pub(crate) fn bundles() -> PathBuf {
    installed().join("bundles")
}

fn installed() -> PathBuf {
    let home = std::env::var_os("RECORDERS").unwrap_or_else(|| {
        panic!("RECORDERS is not set: run the tests with `bash tests/run`, which installs them")
    });
    PathBuf::from(home)
}

/// What esbuild makes of a script.
pub(crate) fn minified(script: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
    let output = Command::new(installed().join("node_modules/.bin/esbuild"))
        .args(["--minify", "--target=es2020", "--charset=utf8"])
        .arg(script)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
