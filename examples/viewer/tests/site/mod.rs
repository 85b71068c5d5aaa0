//! A site whose pages are recorded, and the place where their recordings arrive.
#![allow(dead_code, reason = "each test uses some of it")]

use std::collections::VecDeque;
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get, post};
use flate2::read::GzDecoder;
use qorrelate_test_browser::{Browser, eventually};
use serde_json::{Value, json};

const SCRIPT: &str = include_str!(concat!(env!("OUT_DIR"), "/replay.js"));
const PICTURE: &str = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>";
/// What the site's API says of the trace of each request.
pub(crate) const TRACE: &str = "0123456789abcdef0123456789abcdef";

/// One POST, as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) headers: HeaderMap,
    /// Inflated, and nothing else.
    pub(crate) text: String,
    pub(crate) batch: Value,
    pub(crate) answer: u16,
}

#[derive(Debug, Default)]
struct Inner {
    page: String,
    posts: Vec<Post>,
    /// How the next ones are answered; then 204.
    answers: VecDeque<u16>,
    /// Session IDs that came with requests to the API.
    sessions: Vec<Option<String>>,
}

type Shared = Arc<Mutex<Inner>>;

/// Listens until the test ends.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) url: String,
    shared: Shared,
    /// Whose end ends the server.
    _runtime: tokio::runtime::Runtime,
}

impl Site {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let shared = Shared::default();
        let app = Router::new()
            .route("/replay.js", get(|| async { ([(CONTENT_TYPE, "text/javascript")], SCRIPT) }))
            .route("/v1/replay", post(take))
            .route("/api/{what}", any(answer))
            .route("/picture", get(|| async { ([(CONTENT_TYPE, "image/svg+xml")], PICTURE) }))
            .route("/frame", get(|| async { Html("<!doctype html><body>") }))
            .fallback(page)
            .with_state(Arc::clone(&shared));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async { axum::serve(listener, app).await });
        Self { url, shared, _runtime: runtime }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens a page with the script as a tag with these attributes.
    pub(crate) fn open(&self, browser: &Browser, attributes: &str, body: &str) {
        self.open_at(browser, "/", "", attributes, body);
    }

    /// The same at an address, with something that runs before the script.
    pub(crate) fn open_at(
        &self,
        browser: &Browser,
        path: &str,
        before: &str,
        attributes: &str,
        body: &str,
    ) {
        self.set_page(&before_script(before, attributes, body));
        browser.goto(&format!("{}{path}", self.url));
    }

    /// What is at every address of the site that is not its API's.
    pub(crate) fn set_page(&self, page: &str) {
        self.with(|inner| inner.page = page.to_owned());
    }

    /// How the next batches are answered.
    pub(crate) fn answer_with(&self, answers: impl IntoIterator<Item = u16>) {
        self.with(|inner| inner.answers = answers.into_iter().collect());
    }

    pub(crate) fn posts(&self) -> Vec<Post> {
        self.with(|inner| inner.posts.clone())
    }

    /// Session IDs that came with requests to the API.
    pub(crate) fn sessions(&self) -> Vec<Option<String>> {
        self.with(|inner| inner.sessions.clone())
    }

    /// All events of batches that were taken, each batch once.
    pub(crate) fn events(&self) -> Vec<Value> {
        let mut known = Vec::new();
        let mut events = Vec::new();
        for Post { batch, answer, .. } in self.posts() {
            let key = json!([batch["session"], batch["tab"], batch["sequence"]]);
            if answer == 204 && !known.contains(&key) {
                known.push(key);
                events.extend(batch["events"].as_array().unwrap().iter().cloned());
            }
        }
        events
    }

    /// What was observed under a name.
    pub(crate) fn notes(&self, tag: &str) -> Vec<Value> {
        let events = self.events().into_iter().filter(|event| event["type"] == 5);
        events
            .filter(|event| event["data"]["tag"] == tag)
            .map(|mut event| event["data"]["payload"].take())
            .collect()
    }

    /// The first of them that is as expected, as soon as it arrives.
    #[track_caller]
    pub(crate) fn note(&self, tag: &str, expected: impl Fn(&Value) -> bool) -> Value {
        eventually(|| {
            let notes = self.notes(tag);
            let found = notes.iter().find(|note| expected(note)).cloned();
            found.ok_or_else(|| format!("of {tag} there is {notes:?}, not what is expected"))
        })
    }

    /// Waits until a snapshot has arrived after so many batches.
    #[track_caller]
    pub(crate) fn snapshot_after(&self, posts: usize) {
        eventually(|| {
            let posts = &self.posts()[posts..];
            let found = posts.iter().any(|post| post.text.contains(r#"{"type":2,"#));
            found.then_some(()).ok_or_else(|| format!("no snapshot in {} posts", posts.len()))
        });
    }

    /// Waits until a snapshot has arrived.
    #[track_caller]
    pub(crate) fn snapshot(&self) -> Value {
        eventually(|| {
            let found = self.events().into_iter().find(|event| event["type"] == 2);
            found.ok_or_else(|| format!("no snapshot in {} posts", self.posts().len()))
        })
    }
}

/// A page with the script as a tag with these attributes.
pub(crate) fn html(attributes: &str, body: &str) -> String {
    before_script("", attributes, body)
}

fn before_script(before: &str, attributes: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=en><title>A page</title><link rel=icon href='data:,'>{before}\
         <script src=/replay.js data-org-id=demo {attributes}></script><body>{body}"
    )
}

/// What the page has to say for itself.
pub(crate) fn failures(browser: &Browser) -> u64 {
    browser.script("return qorrelate.failures", vec![]).as_u64().unwrap()
}

/// A click as of a user.
pub(crate) fn click(browser: &Browser, selector: &str) {
    let script = "document.querySelector(given[0]).click()";
    browser.script(script, vec![json!(selector)]);
}

async fn page(State(shared): State<Shared>) -> Html<String> {
    Html(shared.lock().unwrap_or_else(PoisonError::into_inner).page.clone())
}

async fn take(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let text = match headers.get(CONTENT_ENCODING) {
        None => String::from_utf8(body.to_vec()).unwrap(),
        Some(encoding) => {
            assert_eq!(encoding, "gzip");
            let mut text = String::new();
            GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
            text
        }
    };
    let batch = serde_json::from_str(&text).unwrap();
    let mut inner = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = inner.answers.pop_front().unwrap_or(204);
    inner.posts.push(Post { headers, text, batch, answer });
    StatusCode::from_u16(answer).unwrap()
}

async fn answer(
    State(shared): State<Shared>,
    Path(what): Path<String>,
    headers: HeaderMap,
) -> Response {
    let session = headers.get("x-session-id").map(|id| id.to_str().unwrap().to_owned());
    shared.lock().unwrap_or_else(PoisonError::into_inner).sessions.push(session);
    let timing = format!("db;dur=5, traceparent;desc=\"00-{TRACE}-0123456789abcdef-01\"");
    let timing = [("server-timing", timing)];
    match what.as_str() {
        "fail" => (StatusCode::INTERNAL_SERVER_ERROR, timing, "no").into_response(),
        "kept" => (timing, [("x-session-kept", "1")], "kept").into_response(),
        "slow" => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            (timing, "slow").into_response()
        }
        _ => (timing, "some text").into_response(),
    }
}
