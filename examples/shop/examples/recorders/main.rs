//! What it costs the shop's pages to be recorded: by the viewer's script, PostHog's and Sentry's, in Chromium.
//!
//! `bash benches/recorders` prepares what this needs and runs it. A proxy in front of the shop puts one recorder or
//! another into its pages; another server takes what they send, in place of their vendors'.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a measurement")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, fs};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN,
};
use axum::http::{HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use qorrelate_test_browser::{Browser, Driver, PATIENCE, end, eventually, lines};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const RECORDERS: [&str; 4] = ["none", "qorrelate", "posthog", "sentry"];
/// How long the shop is used in each round.
const USE: Duration = Duration::from_secs(60);

fn main() {
    let mut arguments = env::args().skip(1);
    let bundles = PathBuf::from(arguments.next().expect("the folder of the bundles"));
    let rounds: usize = arguments.next().map_or(5, |rounds| rounds.parse().unwrap());
    let shop = Shop::start();
    let site = Site::start(&shop.storefront, bundles);
    let driver = Driver::start();
    let mut measured = BTreeMap::<&str, Vec<Round>>::new();
    for round in 0..rounds {
        for recorder in RECORDERS {
            let figures = measure(&driver, &site, recorder);
            eprintln!("{round} {recorder}: {figures:?}");
            measured.entry(recorder).or_default().push(figures);
        }
    }
    print(&site, &measured);
}

/// What one browser took.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// Of the main thread until the page was ready, in ms of processor time.
    start: f64,
    /// Of the main thread per second of use, in ms of processor time.
    using: f64,
    /// Bytes sent until then, and in all.
    first: u64,
    sent: u64,
}

fn measure(driver: &Driver, site: &Site, recorder: &str) -> Round {
    let browser = driver.browser();
    browser.devtools("Performance.enable", json!({ "timeDomain": "threadTicks" }));
    let busy = || {
        let metrics = browser.devtools("Performance.getMetrics", json!({}));
        let metrics = metrics["metrics"].as_array().unwrap().clone();
        let of = metrics.iter().find(|metric| metric["name"] == "TaskDuration").unwrap();
        of["value"].as_f64().unwrap() * 1_000.
    };
    site.sent.store(0, Ordering::Relaxed);
    *site.recorder.lock().unwrap() = recorder.to_owned();
    browser.goto(&site.url);
    browser.text("#products button", |text| text == "Add");
    // All recorders have taken and sent what they want of a new page.
    sleep(Duration::from_secs(12));
    let (start, first) = (busy(), site.sent.load(Ordering::Relaxed));
    let began = Instant::now();
    use_the_shop(&browser, began + USE);
    // What waits to be sent belongs to it.
    sleep(Duration::from_secs(11));
    let using = (busy() - start) / began.elapsed().as_secs_f64();
    Round { start, using, first, sent: site.sent.load(Ordering::Relaxed) }
}

/// A customer: looks around, fills the basket, orders. Always the same, whatever records it.
fn use_the_shop(browser: &Browser, until: Instant) {
    let mut pointer = Pointer { browser, at: (10., 10.) };
    let mut beat = Instant::now();
    let mut wait = || {
        beat += Duration::from_secs(2);
        sleep(beat.saturating_duration_since(Instant::now()));
    };
    while Instant::now() < until {
        for n in [0, 1, 2] {
            pointer.click(&format!("#products li:nth-child({}) button", n + 1));
            wait();
        }
        pointer.wheel(300.);
        wait();
        pointer.wheel(-300.);
        wait();
        pointer.click("#basket li button");
        wait();
        pointer.click("#checkout");
        wait();
        pointer.click("#order [name=name]");
        for letter in "Ada Lovelace".chars() {
            browser.devtools("Input.insertText", json!({ "text": letter.to_string() }));
            sleep(Duration::from_millis(80));
        }
        wait();
        wait();
        pointer.click("#example");
        wait();
        pointer.click("#order .primary");
        browser.text("#answer", |text| text.contains("placed") || text.contains("Not ordered"));
        wait();
        wait();
        wait();
    }
}

struct Pointer<'a> {
    browser: &'a Browser,
    at: (f64, f64),
}

impl Pointer<'_> {
    fn mouse(&self, kind: &str, more: &Value) {
        let mut event = json!({ "type": kind, "x": self.at.0, "y": self.at.1 });
        for (name, value) in more.as_object().unwrap() {
            event[name] = value.clone();
        }
        self.browser.devtools("Input.dispatchMouseEvent", event);
    }

    /// As a hand would: over a third of a second, sixty times a second.
    fn click(&mut self, selector: &str) {
        const STEPS: i32 = 20;
        let place = "const element = document.querySelector(given[0]); element.scrollIntoView({ block: 'nearest' }); \
                     const box = element.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]";
        let place = self.browser.script(place, vec![json!(selector)]);
        let to = (place[0].as_f64().unwrap(), place[1].as_f64().unwrap());
        let from = self.at;
        for step in 1..=STEPS {
            let part = f64::from(step) / f64::from(STEPS);
            self.at = (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part);
            self.mouse("mouseMoved", &json!({}));
            sleep(Duration::from_millis(16));
        }
        for kind in ["mousePressed", "mouseReleased"] {
            self.mouse(kind, &json!({ "button": "left", "clickCount": 1 }));
        }
    }

    fn wheel(&self, by: f64) {
        for _ in 0..5 {
            self.mouse("mouseWheel", &json!({ "deltaX": 0, "deltaY": by / 5. }));
            sleep(Duration::from_millis(30));
        }
    }
}

fn print(site: &Site, measured: &BTreeMap<&str, Vec<Round>>) {
    let middle = |recorder: &str, of: &dyn Fn(&Round) -> f64| {
        let mut all: Vec<_> = measured[recorder].iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        (all[all.len() / 2], all[0], all[all.len() - 1])
    };
    let bare = [middle("none", &|round| round.using).0, middle("none", &|round| round.start).0];
    let spread = |(median, least, most): (f64, f64, f64), less: f64, digits: usize| {
        format!(
            "{:.digits$} ({:.digits$} to {:.digits$})",
            median - less,
            least - less,
            most - less
        )
    };
    println!(
        "| recorder | script, gzip | main thread per second of use | loading the page | sent when it loads | sent per minute of use |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for recorder in RECORDERS {
        let minute = 60. / USE.as_secs_f64();
        let name = match recorder {
            "none" => "*(the page itself)*",
            "qorrelate" => "`replay.js`",
            "posthog" => "posthog-js",
            other => &format!("@{other}/browser"),
        };
        let [using, start] = if recorder == "none" { [0., 0.] } else { bare };
        println!(
            "| {name} | {} | {} ms | {} ms | {} kB | {} kB |",
            if recorder == "none" {
                String::new()
            } else {
                format!("{:.1} kB", site.size(recorder))
            },
            spread(middle(recorder, &|round| round.using), using, 2),
            spread(middle(recorder, &|round| round.start), start, 0),
            spread(middle(recorder, &|round| round.first as f64 / 1_000.), 0., 1),
            spread(
                middle(recorder, &|round| (round.sent - round.first) as f64 / 1_000. * minute),
                0.,
                1
            ),
        );
    }
}

struct Shop {
    process: Child,
    storefront: String,
}

impl Shop {
    fn start() -> Self {
        let example = env::current_exe().unwrap();
        let shop = example.ancestors().nth(2).unwrap().join("shop");
        let mut process = Command::new(shop)
            .args(["--storefront", "127.0.0.1:0", "--payments", "127.0.0.1:0"])
            .args(["--viewer", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = lines(process.stdout.take().unwrap());
        let line = lines.recv_timeout(PATIENCE).expect("the shop says where it is");
        // The others are said too, before it serves.
        eventually(|| lines.try_recv().map_err(|_| "the shop does not start".to_owned()));
        Self { process, storefront: line.split_once(' ').unwrap().1.to_owned() }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// The shop's pages with a recorder in them, and the place where its recordings go.
struct Site {
    url: String,
    recorder: Arc<Mutex<String>>,
    sent: Arc<AtomicU64>,
    bundles: PathBuf,
    _runtime: Runtime,
}

#[derive(Clone)]
struct Proxy {
    shop: String,
    intake: String,
    recorder: Arc<Mutex<String>>,
    bundles: PathBuf,
    client: reqwest::Client,
}

impl Site {
    fn start(shop: &str, bundles: PathBuf) -> Self {
        let runtime = Runtime::new().unwrap();
        let serve = |app: Router| {
            let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            runtime.spawn(async { axum::serve(listener, app).await });
            url
        };
        let sent = Arc::new(AtomicU64::new(0));
        let intake = serve(Router::new().fallback(take).with_state(Arc::clone(&sent)));
        let recorder = Arc::new(Mutex::new(String::new()));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let proxy = Proxy {
            shop: shop.to_owned(),
            intake,
            recorder: Arc::clone(&recorder),
            bundles: bundles.clone(),
            client,
        };
        let url = serve(Router::new().fallback(forward).with_state(proxy));
        Self { url, recorder, sent, bundles, _runtime: runtime }
    }

    /// In kB.
    fn size(&self, recorder: &str) -> f64 {
        let script = fs::read(self.bundles.join(format!("{recorder}.js"))).unwrap();
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&script).unwrap();
        packed.finish().unwrap().len() as f64 / 1_000.
    }
}

async fn forward(State(proxy): State<Proxy>, request: Request) -> Response {
    let path = request.uri().path_and_query().unwrap().to_string();
    if let Some(name) = path.strip_prefix("/bundles/") {
        let script = fs::read(proxy.bundles.join(name)).unwrap();
        return ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], script).into_response();
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let mut headers = parts.headers;
    headers.remove(HOST);
    let request = proxy.client.request(parts.method, format!("{}{path}", proxy.shop));
    let answer = request.headers(headers).body(body).send().await.unwrap();
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    // Some recorders would need more than it allows.
    headers.remove(CONTENT_SECURITY_POLICY);
    let mut body = answer.bytes().await.unwrap().to_vec();
    if headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
        let page = String::from_utf8(body).unwrap();
        let (before, rest) = page.split_once("<script src=").unwrap();
        let (_, after) = rest.split_once("</script>").unwrap();
        let recorder = proxy.recorder.lock().unwrap().clone();
        let tag = match recorder.as_str() {
            "qorrelate" => format!(
                "<script src=/bundles/qorrelate.js data-org-id=demo data-endpoint={}/v1/replay></script>",
                proxy.intake
            ),
            other => {
                let stub = "<script>window.qorrelate = { id: () => 'none', identify() {} }; \
                            Object.defineProperty(qorrelate, 'sessionId', { get: qorrelate.id })</script>";
                let intake = format!("<script>window.intake = '{}'</script>", proxy.intake);
                let bundle = if other == "none" {
                    String::new()
                } else {
                    format!("<script src=/bundles/{other}.js></script>")
                };
                format!("{stub}{intake}{bundle}")
            }
        };
        body = format!("{before}{tag}{after}").into_bytes();
        headers.remove("content-length");
    }
    (status, headers, Body::from(body)).into_response()
}

/// Takes everything, and counts it.
async fn take(State(sent): State<Arc<AtomicU64>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    sent.fetch_add(body.len() as u64, Ordering::Relaxed);
    // What PostHog's servers say to a page that may be recorded.
    let answer = json!({
        "sessionRecording": { "endpoint": "/s/", "recorderVersion": "v2" },
        "supportedCompression": ["gzip", "gzip-js"],
        "featureFlags": {}, "status": 1, "hasFeatureFlags": false,
    });
    let mut answer = if parts.method == Method::OPTIONS {
        ().into_response()
    } else if parts.uri.path().ends_with("config.js") {
        ([(CONTENT_TYPE, "text/javascript")], "").into_response()
    } else {
        axum::Json(answer).into_response()
    };
    let any = HeaderValue::from_static("*");
    let headers = answer.headers_mut();
    let origin = parts.headers.get(ORIGIN).cloned().unwrap_or_else(|| any.clone());
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    if let Some(asked) = parts.headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    answer
}
