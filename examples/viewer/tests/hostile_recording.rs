//! A recording that tries everything: it is shown, and nothing of it runs, calls out, or gets out of its frame.

// Clippy takes a test's helpers for code that is not a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use std::io::Read as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use qorrelate_test_browser::{Browser, Driver, eventually};
use serde_json::{Value, json};

use common::{Viewer, batch, moment, now};

/// A server that nobody may connect to.
struct Trap {
    url: String,
    caught: Arc<Mutex<Vec<String>>>,
}

impl Trap {
    fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let caught = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&caught);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
                let mut head = [0; 200];
                let count = stream.read(&mut head).unwrap_or_default();
                seen.lock().unwrap().push(String::from_utf8_lossy(&head[..count]).into_owned());
            }
        });
        Self { url, caught }
    }

    fn caught(&self) -> Vec<String> {
        self.caught.lock().unwrap().clone()
    }
}

/// Numbers nodes as rrweb does.
struct Nodes(u64);

impl Nodes {
    fn id(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }

    fn element(&mut self, tag: &str, attributes: Value, children: Vec<Value>) -> Value {
        json!({"type": 2, "tagName": tag, "attributes": attributes, "childNodes": children, "id": self.id()})
    }

    fn svg(&mut self, tag: &str, attributes: Value, children: Vec<Value>) -> Value {
        let mut element = self.element(tag, attributes, children);
        element["isSVG"] = true.into();
        element
    }

    fn text(&mut self, text: &str) -> Value {
        json!({"type": 3, "textContent": text, "id": self.id()})
    }

    /// Everything that could fetch from the trap, or run.
    fn attempts(&mut self, trap: &str) -> Vec<Value> {
        let run = "top.document.title = parent.document.title = document.title = 'run'; fetch('TRAP/run')"
            .replace("TRAP", trap);
        let css = format!(
            "@import url({trap}/import.css); @import '{trap}/import2.css';\
             @font-face {{ font-family: evil; src: url({trap}/font.woff2) }}\
             body {{ background: url({trap}/background.png); font-family: evil; cursor: url({trap}/cursor.cur), auto;\
                     list-style: url({trap}/list.png); border-image: url({trap}/border.png) 1;\
                     mask: url({trap}/mask.svg#m); filter: url({trap}/filter.svg#f); clip-path: url({trap}/clip.svg#c) }}\
             body::before {{ content: url({trap}/content.png) }} p {{ background: image-set('{trap}/set.png' 1x) }}"
        );
        let mut all = Vec::new();
        let attributes: Vec<(&str, Value)> = vec![
            ("img", json!({"src": format!("{trap}/img.png"), "onerror": run, "onload": run})),
            ("img", json!({"srcset": format!("{trap}/srcset.png 1x")})),
            ("img", json!({"src": "x", "rr_dataURL": format!("{trap}/data-url.png")})),
            ("img", json!({"src": "relative.png", "loading": "eager"})),
            ("canvas", json!({"rr_dataURL": format!("{trap}/canvas.png")})),
            (
                "video",
                json!({"src": format!("{trap}/video.mp4"), "poster": format!("{trap}/poster.png"), "autoplay": true,
                             "rr_mediaState": "played"}),
            ),
            (
                "audio",
                json!({"src": format!("{trap}/audio.mp3"), "autoplay": true, "preload": "auto", "rr_mediaState": "played"}),
            ),
            ("iframe", json!({"src": format!("{trap}/iframe")})),
            (
                "iframe",
                json!({"src": format!("javascript:{run}"), "sandbox": "allow-scripts allow-same-origin allow-top-navigation"}),
            ),
            (
                "iframe",
                json!({"srcdoc": format!("<script>{run}</script><img src={trap}/srcdoc.png>")}),
            ),
            ("frame", json!({"src": format!("{trap}/frame")})),
            ("object", json!({"data": format!("{trap}/object")})),
            ("embed", json!({"src": format!("{trap}/embed")})),
            (
                "input",
                json!({"type": "image", "src": format!("{trap}/input.png"), "autofocus": "", "onfocus": run}),
            ),
            ("a", json!({"href": format!("javascript:{run}"), "ping": format!("{trap}/ping")})),
            ("form", json!({"action": format!("{trap}/form"), "onsubmit": run})),
            ("button", json!({"formaction": format!("{trap}/formaction"), "onclick": run})),
            ("details", json!({"open": "", "ontoggle": run})),
            ("base", json!({"href": format!("{trap}/")})),
            ("meta", json!({"http-equiv": "refresh", "content": format!("0;url={trap}/refresh")})),
            ("meta", json!({"http-equiv": "Content-Security-Policy", "content": "default-src *"})),
            ("script", json!({"src": format!("{trap}/script.js")})),
            ("div", json!({"style": format!("background: url({trap}/style.png)")})),
            ("table", json!({"background": format!("{trap}/table.png")})),
            ("portal", json!({"src": format!("{trap}/portal")})),
            ("fencedframe", json!({"src": format!("{trap}/fenced")})),
        ];
        for (tag, attributes) in attributes {
            all.push(self.element(tag, attributes, vec![]));
        }
        for rel in [
            "stylesheet",
            "icon",
            "preload",
            "prefetch",
            "preconnect",
            "dns-prefetch",
            "modulepreload",
            "prerender",
            "manifest",
            "apple-touch-icon",
            "expect",
            "PRECONNECT",
        ] {
            let link = json!({"rel": rel, "href": format!("{trap}/link-{rel}"), "as": "image", "crossorigin": "anonymous"});
            all.push(self.element("link", link, vec![]));
        }
        let text = self.text(&run);
        all.push(self.element("script", json!({"type": "text/javascript"}), vec![text]));
        let text = self.text(&format!(r#"{{"prerender": [{{"urls": ["{trap}/rules"]}}]}}"#));
        all.push(self.element("script", json!({"type": "speculationrules"}), vec![text]));
        all.push(self.element("style", json!({"_cssText": css}), vec![]));
        all.push(self.element("link", json!({"rel": "stylesheet", "_cssText": css}), vec![]));
        let text = json!({"type": 3, "textContent": css, "isStyle": true, "id": self.id()});
        all.push(self.element("style", json!({}), vec![text]));
        let source =
            self.element("source", json!({"srcset": format!("{trap}/source.png")}), vec![]);
        let image = self.element("img", json!({}), vec![]);
        all.push(self.element("picture", json!({}), vec![source, image]));
        let inner = vec![
            self.svg("image", json!({"href": format!("{trap}/image.png")}), vec![]),
            self.svg("image", json!({"xlink:href": format!("{trap}/xlink.png")}), vec![]),
            self.svg("use", json!({"href": format!("{trap}/use.svg#a")}), vec![]),
            self.svg("feImage", json!({"href": format!("{trap}/fe.png")}), vec![]),
            self.svg("script", json!({"href": format!("{trap}/svg-script.js")}), vec![]),
            self.svg("animate", json!({"onbegin": run, "attributeName": "x", "dur": "1s"}), vec![]),
        ];
        all.push(self.svg("svg", json!({"onload": run}), inner));
        all
    }
}

fn mutation(at: f64, adds: Value, attributes: Value) -> Value {
    json!({"type": 3, "timestamp": at, "data":
        {"source": 0, "texts": [], "removes": [], "adds": adds, "attributes": attributes}})
}

fn recording(trap: &str, sent: f64) -> Vec<Value> {
    let began = sent - 10_000.0;
    let mut nodes = Nodes(100);
    let mut body = nodes.attempts(trap);
    let (first, late, link, meta) = (
        nodes.text("the first picture"),
        nodes.element("p", json!({"__proto__": {"polluted": "yes"}, "constructor": "x"}), vec![]),
        nodes.element("link", json!({}), vec![]),
        nodes.element("meta", json!({}), vec![]),
    );
    let (late_id, link_id, meta_id) = (late["id"].clone(), link["id"].clone(), meta["id"].clone());
    body.extend([nodes.element("h1", json!({}), vec![first]), late, link, meta]);
    let body = json!({"type": 2, "tagName": "body", "attributes": {"onload": "x", "background": format!("{trap}/body.png")},
                      "childNodes": body, "id": 3});
    let head = nodes.attempts(trap);
    let head = nodes.element("head", json!({}), head);
    let html = json!({"type": 2, "tagName": "html", "attributes": {"manifest": format!("{trap}/manifest")},
                      "childNodes": [head, body], "id": 2});
    let document = json!({"type": 0, "id": 1, "childNodes": [
        {"type": 1, "name": "html\"><script>", "publicId": "", "systemId": format!("{trap}/dtd"), "id": 4}, html]});
    let adds: Vec<Value> = nodes
        .attempts(trap)
        .into_iter()
        .map(|node| json!({"parentId": late_id, "nextId": null, "node": node}))
        .collect();
    let last = nodes.text("the last picture");
    let mut events = vec![
        json!({"type": 4, "timestamp": began, "data": {"href": format!("{trap}/meta"), "width": 800, "height": 600}}),
        json!({"type": 2, "timestamp": began + 1.0, "data": {"node": document, "initialOffset": {"top": 0, "left": 0}}}),
        mutation(
            began + 1_000.0,
            json!(adds),
            json!([
                {"id": link_id, "attributes": {"rel": "preconnect", "href": trap}},
                {"id": meta_id, "attributes": {"http-equiv": "refresh", "content": format!("0;url={trap}/late")}},
                {"id": late_id, "attributes": {"style": {"background": format!("url({trap}/late.png)")}, "onclick": "x",
                                               "__proto__": {"polluted": "yes"}}},
            ]),
        ),
        json!({"type": 3, "timestamp": began + 1_100.0, "data": {"source": 8, "id": 3, "adds":
            [{"rule": format!("p {{ background: url({trap}/rule.png) }}"), "index": 0}]}}),
        json!({"type": 3, "timestamp": began + 1_200.0, "data": {"source": 10, "family": "e", "buffer": false,
            "fontSource": format!("url({trap}/font-face.woff)")}}),
        json!({"type": 3, "timestamp": began + 1_300.0, "data": {"source": 15, "id": 1, "styleIds": [1], "styles":
            [{"styleId": 1, "rules": [{"rule": format!("h1 {{ background: url({trap}/adopted.png) }}"), "index": 0}]}]}}),
        json!({"type": 3, "timestamp": began + 1_400.0, "data": {"source": 13, "id": 3, "index": [0], "set":
            {"property": "background", "value": format!("url({trap}/declared.png)")}}}),
        json!({"type": 3, "timestamp": began + 1_500.0, "data": {"source": 2, "type": 2, "id": 3, "x": 1, "y": 1}}),
        // Broken, absurd, in circles.
        json!({"type": 3, "timestamp": began + 1_600.0, "data": null}),
        json!({"type": 3, "timestamp": began + 1_600.0}),
        json!({"type": 99, "timestamp": began + 1_600.0, "data": {}}),
        json!({"type": 3, "timestamp": began + 1_700.0, "data": {"source": 1, "positions": []}}),
        json!({"type": 3, "timestamp": began + 1_700.0, "data": {"source": 0}}),
        json!({"type": 3, "timestamp": began + 1_700.0, "data": {"source": 5, "id": 1e300, "text": {}, "isChecked": []}}),
        json!({"type": 4, "timestamp": began + 9_900.0, "data": {"href": "x", "width": 1e9, "height": -5}}),
        json!({"type": 3, "timestamp": began + 1_760.0, "data": {"source": 4, "width": 1e12, "height": 1e12}}),
        json!({"type": 3, "timestamp": began + 1_770.0, "data": {"source": 4, "width": 800, "height": 600}}),
        mutation(
            began + 1_800.0,
            json!([
                {"parentId": 9_000_000_000_000_001_u64, "nextId": null, "node": {"type": 2, "tagName": "p", "attributes": {}, "childNodes": [], "id": 9_000_000_000_000_002_u64}},
                {"parentId": 9_000_000_000_000_002_u64, "nextId": null, "node": {"type": 2, "tagName": "p", "attributes": {}, "childNodes": [], "id": 9_000_000_000_000_001_u64}},
                {"parentId": -7, "nextId": -7, "node": {"type": 2, "tagName": "p", "attributes": {}, "childNodes": [], "id": -7}},
            ]),
            json!([]),
        ),
        mutation(
            began + 5_000.0,
            json!([{"parentId": late_id, "nextId": null, "node": last}]),
            json!([]),
        ),
    ];
    // Nearly a day late.
    let absurd = json!({"type": 3, "timestamp": sent + 8.0e7, "data": {"source": 3, "id": 3, "x": 1e300, "y": -1e300}});
    events.push(absurd);
    let markup = format!(
        "<img src={trap}/markup.png onerror=\"document.title='run'\"><script>document.title='run'</script>"
    );
    for (tag, payload) in [
        ("click", json!({"what": markup, "x": 1e300, "y": -1})),
        ("console", json!({"level": "error", "text": markup})),
        ("error", json!({"message": markup, "stack": markup, "kind": markup})),
        ("navigation", json!({"url": format!("javascript:{markup}"), "how": markup})),
        (
            "request",
            json!({"method": markup, "url": markup, "kind": markup, "start": -1e300, "end": 1e300, "status": 0,
                           "traceId": markup}),
        ),
        ("toast", json!({"text": markup, "shown": 1e300})),
        ("invalid", json!({"what": markup, "message": markup})),
        ("vital", json!({"name": markup, "value": -1e300})),
        (
            "long-frame",
            json!({"duration": 1e300, "scripts": [{"source": markup, "invoker": markup, "__proto__": {"polluted": "yes"}}]}),
        ),
        ("frames", json!({"fps": -1e300, "ms": 1e300})),
    ] {
        events.push(moment(tag, began + 4_000.0, payload));
    }
    events
}

/// The text of the page in the replay's frame.
fn replayed(browser: &Browser) -> String {
    let text = "const stage = document.getElementById('stage')?.contentDocument;
        return stage?.querySelector('iframe')?.contentDocument?.body?.textContent ?? ''";
    browser.script(text, vec![]).as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_hostile_recording_is_shown_and_nothing_of_it_acts() {
    let (viewer, driver, trap) = (Viewer::start(&[]), Driver::start(), Trap::set());
    let sent = now();
    viewer.record(&batch("hostile", 0, sent, json!(recording(&trap.url, sent))));
    let browser = driver.browser();
    browser.goto(&viewer.url("/sessions/hostile"));
    let shows = |text: &str| {
        eventually(|| {
            let shown = replayed(&browser);
            shown.contains(text).then_some(()).ok_or_else(|| format!("{shown:?}, not {text}"))
        });
    };
    shows("the first picture");
    // As they happen, and all at once.
    browser.click("button", "▶ Play");
    shows("the last picture");
    browser.goto(&viewer.url("/sessions/hostile?t=0"));
    shows("the first picture");
    browser.goto(&viewer.url("/sessions/hostile?t=9"));
    shows("the last picture");
    // Each row says what it has to say.
    browser.script(
        "for (const link of document.querySelectorAll('.moment a')) {
             link.click();
             await new Promise((resolve) => setTimeout(resolve, 50));
         }",
        vec![],
    );
    // Whatever was on its way to the trap has arrived by then.
    browser.script("await new Promise((resolve) => setTimeout(resolve, 1500))", vec![]);
    assert_eq!(trap.caught(), [""; 0]);

    let title = browser.script("return document.title", vec![]);
    assert!(title.as_str().unwrap().starts_with("hostile"), "{title}");
    let strangers =
        "return document.querySelectorAll('main img, main script, main iframe:not(#stage)').length";
    assert_eq!(browser.script(strangers, vec![]), 0);
    let polluted = "const stage = document.getElementById('stage').contentWindow;
        const replay = stage.document.querySelector('iframe');
        return [window, stage, replay.contentWindow].map((realm) => new realm.Object().polluted ?? null)";
    assert_eq!(browser.script(polluted, vec![]), json!([null, null, null]));
    let sandbox = "return document.getElementById('stage').contentDocument.querySelector('iframe').sandbox.value";
    assert_eq!(browser.script(sandbox, vec![]), "allow-same-origin");
    // The page is still in use.
    browser.click("button", "+5 s");
    browser.text("#clock", |text| text.contains('/'));
}

#[test]
fn the_stage_may_load_nothing_but_itself() {
    let viewer = Viewer::start(&[]);
    let policy = |path: &str| {
        let answer = viewer.client.get(viewer.url(path)).send().unwrap();
        answer.headers()["content-security-policy"].to_str().unwrap().to_owned()
    };
    let stage = policy("/stage");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "img-src data:",
        "form-action 'none'",
        "frame-ancestors 'self'",
    ] {
        assert!(stage.contains(part), "{stage}");
    }
    assert!(!stage.contains("connect-src") && !stage.contains("frame-src"), "{stage}");
    let page = policy("/sessions/any");
    assert!(page.contains("style-src 'self'; script-src 'self'"), "{page}");
    assert!(!page.contains("unsafe"), "{page}");
}
