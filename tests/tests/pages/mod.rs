//! Sites of both adapters that serve pages, and keep what they are asked for.
#![allow(dead_code, reason = "not every suite needs all of it")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use actix_cors::Cors;
use actix_web::{App, HttpRequest, HttpResponse, web};
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Html;
use axum::routing::{any, get};
use http_body_util::BodyExt;
use qorrelate_actix::{SessionIdMiddleware, SessionRootSpanBuilder};
use qorrelate_core::{SessionId, SessionIdOutcome, Source};
use qorrelate_test_browser::eventually;
use qorrelate_tests::server::{Server, describe, serve_axum};
use qorrelate_tower::{SessionIdLayer, SessionMakeSpan};
use serde_json::{Value, json};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use tower_http::trace::TraceLayer;
use tracing_actix_web::TracingLogger;

type Seen = Arc<Mutex<Vec<Value>>>;

/// A site, under one of its names.
#[derive(Clone)]
pub(crate) struct Site {
    server: Rc<Server>,
    host: &'static str,
    seen: Seen,
}

/// A site of each adapter that reads the script's header, query parameter and cookie.
pub(crate) const ADAPTERS: [fn() -> Site; 2] =
    [|| axum_site(&of_the_script()), || actix_site(&of_the_script())];

fn of_the_script() -> Vec<Source> {
    vec![
        Source::header("X-Session-ID"),
        Source::query("sid").read_at_public_edge(),
        Source::cookie("qsid").read_at_public_edge(),
    ]
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
        self.seen.lock().unwrap().clear();
    }

    pub(crate) fn all(&self) -> Vec<Value> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn methods(&self) -> Vec<String> {
        self.all().iter().map(|seen| seen["method"].as_str().unwrap().to_owned()).collect()
    }

    /// The one request of that path, once it is there. It is forgotten.
    #[track_caller]
    pub(crate) fn only(&self, path: &str) -> Value {
        let seen = eventually(|| {
            let mut seen = self.all();
            seen.retain(|seen| seen["path"] == path && seen["method"] != "OPTIONS");
            if seen.is_empty() { Err(format!("no {path} yet")) } else { Ok(seen) }
        });
        assert_eq!(seen.len(), 1, "{seen:?}");
        self.seen.lock().unwrap().retain(|seen| seen["path"] != path);
        seen[0].clone()
    }
}

/// What pages and SDKs send besides: where a recorder sends no session, no preset knows its headers.
const OTHER_HEADERS: [&str; 4] = ["accept", "content-type", "request-id", "traceparent"];

fn see(seen: &Seen, method: &str, path: &str, query: &str, body: &[u8]) -> Value {
    let request = json!({
        "method": method,
        "path": path,
        "query": query,
        "body": String::from_utf8_lossy(body),
        "session": SessionId::current().map(|id| id.to_string()),
        "outcome": SessionIdOutcome::current().as_ref().map(describe),
    });
    tracing::info_span!("work").in_scope(|| tracing::info!(path, "seen"));
    seen.lock().unwrap().push(request.clone());
    request
}

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
    let head = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "head");
    let head = head.map(|(_, head)| head.into_owned()).unwrap_or_default();
    format!(
        "<!doctype html><html lang=en><head><title>page</title>{head}</head><body></body></html>"
    )
}

pub(crate) fn axum_site(sources: &[Source]) -> Site {
    let seen = Seen::default();
    let sessions = SessionIdLayer::new().sources(sources.to_vec()).unwrap().public_edge();
    let mut headers = sessions.request_headers();
    headers.extend(OTHER_HEADERS.map(axum::http::HeaderName::from_static));
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_credentials(true)
        .allow_methods(["GET", "POST", "PUT"].map(|method| method.parse().unwrap()))
        .allow_headers(AllowHeaders::list(headers));
    let show = async |State(seen): State<Seen>, request: Request| {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let query = head.uri.query().unwrap_or_default().to_owned();
        let answer = see(&seen, head.method.as_str(), head.uri.path(), &query, &body);
        match head.uri.path() {
            "/page" => Html(page(&query)),
            path => Html(answer_to_an_sdk(path).unwrap_or(answer).to_string()),
        }
    };
    let note_preflight = {
        let seen = seen.clone();
        axum::middleware::from_fn(move |request: Request, next: axum::middleware::Next| {
            let seen = seen.clone();
            async move {
                if request.method() == "OPTIONS" {
                    see(&seen, "OPTIONS", request.uri().path(), "", b"");
                }
                next.run(request).await
            }
        })
    };
    let app = Router::new()
        .route("/qorrelate.js", get(qorrelate_tower::browser_script))
        .nest_service("/bundles", tower_http::services::ServeDir::new(bundles()))
        .fallback(any(show))
        .with_state(seen.clone())
        .layer((sessions, TraceLayer::new_for_http().make_span_with(SessionMakeSpan::new())))
        .layer(cors)
        .layer(note_preflight);
    Site::new(serve_axum(app), seen)
}

pub(crate) fn actix_site(sources: &[Source]) -> Site {
    let seen = Seen::default();
    let kept = seen.clone();
    let sessions = SessionIdMiddleware::new().sources(sources.to_vec()).unwrap().public_edge();
    let server = qorrelate_tests::serve_actix!(move || {
        let headers = sessions.request_headers();
        let cors = Cors::default()
            .allow_any_origin()
            .supports_credentials()
            .allowed_methods(["GET", "POST", "PUT"])
            .allowed_headers(headers)
            .allowed_headers(OTHER_HEADERS);
        let seen = seen.clone();
        let preflights = seen.clone();
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
                    let (method, query) = (request.method().as_str(), request.query_string());
                    let answer = see(&seen, method, request.path(), query, &body);
                    let text = match request.path() {
                        "/page" => page(query),
                        path => answer_to_an_sdk(path).unwrap_or(answer).to_string(),
                    };
                    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(text)
                }
            }))
            .wrap(TracingLogger::<SessionRootSpanBuilder>::new())
            .wrap(sessions.clone())
            .wrap(cors)
            .wrap_fn(move |request, next| {
                use actix_web::dev::Service as _;

                if request.method() == "OPTIONS" {
                    see(&preflights, "OPTIONS", request.path(), "", b"");
                }
                next.call(request)
            })
    });
    Site::new(server, kept)
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
