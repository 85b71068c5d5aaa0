//! Headless Chromium, driven through WebDriver: one driver, and any number of browsers that share nothing.

use std::env;
use std::fmt::Display;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::{self, Runtime};
use tokio::time::timeout;
use url::{ParseError, Url};

use crate::{PATIENCE, end, eventually, lines};

const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // Nothing outside of this machine is asked for anything.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
];

/// A driver, which ends with all its browsers when this is dropped.
#[derive(Debug)]
pub struct Driver {
    process: Child,
    address: String,
    chromium: PathBuf,
    /// All that the driver and its browsers write.
    home: TempDir,
}

impl Driver {
    /// Starts one.
    pub fn start() -> Self {
        let (chromium, chromedriver) = (installed("chromium"), installed("chromedriver"));
        let home = tempfile::tempdir().unwrap();
        let mut process = Command::new(chromedriver)
            .arg("--port=0")
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = lines(process.stdout.take().unwrap());
        let port = loop {
            let line = lines.recv_timeout(PATIENCE).expect("chromedriver says that it has started");
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        Self { process, address: format!("127.0.0.1:{port}"), chromium, home }
    }

    /// A browser that has never been used before.
    pub fn browser(&self) -> Browser {
        self.browser_with(&[])
    }

    /// One whose user likes pages dark.
    pub fn dark_browser(&self) -> Browser {
        self.browser_with(&["--blink-settings=preferredColorScheme=0"])
    }

    fn browser_with(&self, more: &[&str]) -> Browser {
        let profile = tempfile::tempdir_in(self.home.path()).unwrap().keep();
        let mut flags = FLAGS.map(str::to_owned).to_vec();
        flags.extend(more.iter().map(|&flag| flag.to_owned()));
        flags.push(format!("--user-data-dir={}", profile.display()));
        let options = json!({ "binary": self.chromium, "args": flags });
        let Value::Object(capabilities) = json!({ "goog:chromeOptions": options }) else {
            unreachable!("it is an object")
        };
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = format!("http://{}", self.address);
        let client = within_patience(&runtime, "a new browser", async {
            ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&url).await
        });
        Browser { runtime, client: client.unwrap() }
    }

    /// Asks the driver to end, which ends its browsers too, as a kill would not.
    fn shut_down(&self) -> std::io::Result<()> {
        let mut connection = TcpStream::connect(&self.address)?;
        connection.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            connection,
            "GET /shutdown HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        )?;
        connection.read_to_end(&mut Vec::new())?;
        Ok(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.shut_down();
        let told = Instant::now();
        while matches!(self.process.try_wait(), Ok(None))
            && told.elapsed() < Duration::from_secs(10)
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        end(&mut self.process);
        // A browser may still be writing while it ends.
        while told.elapsed() < Duration::from_secs(20)
            && fs::remove_dir_all(self.home.path()).is_err()
        {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A test that cannot run has not passed.
fn installed(program: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let found =
        env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "`{program}` is not installed: run the tests with `bash tests/run`, which installs it"
        )
    })
}

fn within_patience<T>(runtime: &Runtime, what: &str, work: impl Future<Output = T>) -> T {
    let outcome = runtime.block_on(async { timeout(PATIENCE, work).await });
    outcome.unwrap_or_else(|_| panic!("the browser does not answer: {what}"))
}

/// A browser of its own, closed when this is dropped.
#[derive(Debug)]
pub struct Browser {
    runtime: Runtime,
    client: Client,
}

impl Browser {
    fn run<T, E: Display>(&self, what: &str, command: impl Future<Output = Result<T, E>>) -> T {
        let outcome = within_patience(&self.runtime, what, command);
        outcome.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Opens a page.
    pub fn goto(&self, url: &str) {
        self.run(url, self.client.goto(url));
    }

    /// Loads the page again.
    pub fn reload(&self) {
        self.run("reload", self.client.refresh());
    }

    /// Clicks what is named by its text, or by its label if it has one, as soon as that is possible.
    #[track_caller]
    pub fn click(&self, kind: &str, name: &str) {
        let element = format!(
            "//{kind}[@aria-label='{name}' or (not(@aria-label) and normalize-space()='{name}')]"
        );
        eventually(|| {
            within_patience(&self.runtime, name, async {
                let element = self.client.find(Locator::XPath(&element)).await?;
                if !element.is_enabled().await? {
                    return Ok(Err(format!("{kind} “{name}” is disabled")));
                }
                element.click().await.map(Ok)
            })
            .unwrap_or_else(|error| Err(format!("{kind} “{name}”: {error}")))
        });
    }

    /// The texts of all elements that a selector finds, as they are shown: nothing of what is hidden.
    #[track_caller]
    pub fn texts(&self, selector: &str) -> Vec<String> {
        eventually(|| {
            self.run(selector, async {
                let mut texts = Vec::new();
                for element in self.client.find_all(Locator::Css(selector)).await? {
                    match element.text().await {
                        Ok(text) => texts.push(text),
                        Err(error) if error.is_stale_element_reference() => {
                            return Ok(Err(format!(
                                "{selector}: the page replaces it all the time"
                            )));
                        }
                        Err(error) => return Err(error),
                    }
                }
                Ok(Ok(texts))
            })
        })
    }

    /// The text of an element, as soon as it is as expected.
    #[track_caller]
    pub fn text(&self, selector: &str, expected: impl Fn(&str) -> bool) -> String {
        eventually(|| {
            let texts = self.texts(selector);
            texts
                .iter()
                .find(|text| expected(text))
                .cloned()
                .ok_or_else(|| format!("{selector} shows {texts:?}, not what is expected"))
        })
    }

    /// The result of a script: an async function's body.
    #[track_caller]
    pub fn script(&self, body: &str, arguments: Vec<Value>) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1]; \
             (async (...given) => {{ {body} }})(...arguments) \
                 .then((value) => done({{ value }}), (error) => done({{ error: String(error) }}));"
        );
        let outcome = self.run(body, self.client.execute_async(&script, arguments));
        assert!(outcome["error"].is_null(), "{}", outcome["error"]);
        outcome["value"].clone()
    }

    /// The answer to a command of the Chrome DevTools Protocol.
    #[track_caller]
    pub fn devtools(&self, command: &'static str, parameters: Value) -> Value {
        self.run(command, self.client.issue_cmd(DevTools { command, parameters }))
    }

    /// Makes the window so large.
    #[track_caller]
    pub fn resize(&self, width: u32, height: u32) {
        self.run("resize", self.client.set_window_size(width, height));
    }

    /// A PNG of the page down to the end of the first element that a selector finds, in a window that wide.
    #[track_caller]
    pub fn picture(&self, width: u32, selector: &str) -> Vec<u8> {
        self.resize(width, width);
        let height = self.script(
            "const end = document.querySelector(given[0]).getBoundingClientRect().bottom; \
             return Math.ceil(end) + 20 + outerHeight - innerHeight",
            vec![json!(selector)],
        );
        self.resize(width, height.as_u64().unwrap().try_into().unwrap());
        self.run("picture", self.client.screenshot())
    }

    /// Turns to the window that a click has opened.
    #[track_caller]
    pub fn turn_to_new_window(&self) {
        eventually(|| {
            self.run("windows", async {
                let here = self.client.window().await?;
                let mut windows = self.client.windows().await?;
                windows.retain(|window| *window != here);
                match windows.pop() {
                    Some(window) => self.client.switch_to_window(window).await.map(Ok),
                    None => Ok(Err("there is no other window".to_owned())),
                }
            })
        });
    }
}

#[derive(Debug)]
struct DevTools {
    command: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        let body = json!({ "cmd": self.command, "params": self.parameters });
        (Method::POST, Some(body.to_string()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let close = self.client.clone().close();
        let _ = self.runtime.block_on(async { timeout(Duration::from_secs(10), close).await });
    }
}
