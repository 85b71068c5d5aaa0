//! A page with a secret in every place where one can hide, recorded in each mode: which of them leave the browser.
//!
//! The raw bytes that arrive are searched, and the table in `docs/replay.md` is what was found
//! (`UPDATE_DOCS=1` writes it anew).

// Clippy takes a test's helpers for code that is not a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod site;

use std::fmt::Write as _;
use std::{env, fs, thread};

use qorrelate_test_browser::{Browser, Driver, eventually};
use site::{Site, failures};

const MODES: [&str; 3] = ["mask-inputs", "mask-all", "mask-sensitive"];
const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/replay.md");

/// Somewhere in a page. `$` stands for the secret.
struct Place {
    what: &'static str,
    html: &'static str,
    /// What the page then does: an async function's body.
    script: &'static str,
    /// What is expected in each mode: `masked`, `blocked` or `shown`.
    expected: [&'static str; 3],
    why: &'static str,
}

const fn place(
    what: &'static str,
    html: &'static str,
    script: &'static str,
    expected: [&'static str; 3],
    why: &'static str,
) -> Place {
    Place { what, html, script, expected, why }
}

const NEVER: [&str; 3] = ["masked"; 3];
const BLOCKED: [&str; 3] = ["blocked"; 3];
const ALWAYS: [&str; 3] = ["shown"; 3];
const AS_INPUT: [&str; 3] = ["masked", "masked", "shown"];
const AS_TEXT: [&str; 3] = ["shown", "masked", "shown"];

/// Grouped as the table shows them.
const PLACES: &[Place] = &[
    place("text field: `value` attribute", "<input value='$'>", "", AS_INPUT, "an input's value"),
    place("text field: typed", "<input id=typed>", "type(at('typed'), '$')", AS_INPUT, ""),
    place("text field: set by a script", "<input id=set>", "at('set').value = '$'", AS_INPUT, ""),
    place(
        "text field: `value` attribute set later",
        "<input id=later>",
        "at('later').setAttribute('value', '$')",
        AS_INPUT,
        "",
    ),
    place(
        "text field: its default value, after `form.reset()`",
        "<form id=form><input value='$' id=default></form>",
        "type(at('default'), 'other'); at('form').reset(); at('form').hidden = true",
        AS_INPUT,
        "",
    ),
    place(
        "text field: autofilled",
        "<input autocomplete=name id=filled>",
        "at('filled').value = '$'; at('filled').dispatchEvent(new Event('change', { bubbles: true }))",
        AS_INPUT,
        "",
    ),
    place(
        "text field: pasted",
        "<input id=pasted>",
        "at('pasted').focus(); document.execCommand('insertText', false, '$')",
        AS_INPUT,
        "",
    ),
    place("search field, added later", "", "add('<input type=search value=\"$\">')", AS_INPUT, ""),
    place("`textarea`: its text", "<textarea>$</textarea>", "", AS_INPUT, ""),
    place(
        "`textarea`: typed",
        "<textarea id=area></textarea>",
        "type(at('area'), '$')",
        AS_INPUT,
        "",
    ),
    place(
        "`textarea`: its text changed, while it has another value",
        "<textarea id=changed>a</textarea>",
        "type(at('changed'), ''); at('changed').firstChild.data = '$'",
        AS_INPUT,
        "",
    ),
    place(
        "list: chosen option, and all others",
        "<select id=list><option>a<option value='$'>$</select>",
        "at('list').value = '$'; at('list').dispatchEvent(new Event('change', { bubbles: true }))",
        AS_INPUT,
        "",
    ),
    place(
        "list: `label` of a group",
        "<select><optgroup label='$'><option>a</select>",
        "",
        AS_INPUT,
        "",
    ),
    place("`datalist`", "<datalist><option value='$'>$</datalist>", "", AS_INPUT, ""),
    place("check box, radio button: `value`", "<input type=radio value='$'>", "", AS_INPUT, ""),
    place(
        "chosen file's name",
        "<input type=file id=file>",
        "const files = new DataTransfer(); files.items.add(new File([], '$')); at('file').files = files.files; \
         at('file').dispatchEvent(new Event('change', { bubbles: true }))",
        AS_INPUT,
        "",
    ),
    place(
        "`contenteditable`",
        "<div contenteditable id=editable>a</div>",
        "at('editable').focus(); document.execCommand('insertText', false, '$')",
        AS_INPUT,
        "",
    ),
    place(
        "field in an open shadow root",
        "<div id=shadow-field></div>",
        "at('shadow-field').attachShadow({ mode: 'open' }).innerHTML = '<input>'; await turn(); \
         type(at('shadow-field').shadowRoot.firstChild, '$')",
        AS_INPUT,
        "",
    ),
    place(
        "field in a frame of the page's origin",
        "",
        "const inner = await frame('<input>'); type(inner.body.firstChild, '$')",
        AS_INPUT,
        "",
    ),
    place(
        "what a browser says of a field: *'…' is missing an '@'*",
        "<form id=invalid><input value='$' pattern='[a-z]' required id=pattern></form>",
        "at('pattern').setCustomValidity('$ is wrong'); at('invalid').reportValidity()",
        AS_INPUT,
        "",
    ),
    place(
        "console: what is in a field",
        "<input id=logged>",
        "type(at('logged'), '$'); await turn(); console.error('filled in: $')",
        AS_INPUT,
        "known from the field",
    ),
    place(
        "password: typed",
        "<input type=password id=password>",
        "type(at('password'), '$')",
        NEVER,
        "always masked",
    ),
    place(
        "password: switched to text by a button",
        "<input type=password id=switched>",
        "type(at('switched'), '$'); await turn(); at('switched').type = 'text'; await turn(); \
         type(at('switched'), '$ '); at('switched').setAttribute('value', '$')",
        NEVER,
        "what was a password stays one",
    ),
    place(
        "password: `placeholder`, `title`",
        "<input type=password placeholder='$' title='$'>",
        "",
        NEVER,
        "",
    ),
    place("e-mail", "<input type=email value='$@example.com'>", "", NEVER, ""),
    place(
        "e-mail, repeated in a text",
        "<input type=email id=mail><p id=repeated>a</p>",
        "type(at('mail'), '$@example.com'); await turn(); at('repeated').textContent = 'We wrote to $@example.com.'",
        NEVER,
        "known from the field",
    ),
    place(
        "telephone, by `type`",
        "<input type=tel value='$'>",
        "",
        NEVER,
        "sensitive in every mode",
    ),
    place(
        "payment, by `autocomplete`",
        "<input autocomplete='billing cc-number' value='$'>",
        "",
        NEVER,
        "",
    ),
    place(
        "payment: a list",
        "<select autocomplete=cc-exp-month><option selected>$</select>",
        "",
        NEVER,
        "",
    ),
    place("one-time code, by `name`", "<input name=otp value='$'>", "", NEVER, ""),
    place("hidden field", "<input type=hidden value='$'>", "", NEVER, "nobody sees it"),
    place(
        "password: in an error's message",
        "<input type=password id=thrown>",
        "type(at('thrown'), '$'.replace('H', 'B')); await turn(); type(at('thrown'), '$'); await turn(); qorrelate.addError(new Error('not $'))",
        NEVER,
        "known from the field",
    ),
    place(
        "password: in a request's path",
        "<input type=password id=in-path>",
        "type(at('in-path'), '$'); await turn(); await fetch('/api/$')",
        NEVER,
        "known from the field",
    ),
    place("text", "<p>$</p>", "", AS_TEXT, "text of the page"),
    place(
        "text: changed later",
        "<p id=text>a</p>",
        "at('text').firstChild.data = '$'",
        AS_TEXT,
        "",
    ),
    place(
        "text: of a button, also in the timeline",
        "<button id=button>$</button>",
        "at('button').click()",
        AS_TEXT,
        "",
    ),
    place("text: of a button that is an `input`", "<input type=submit value='$'>", "", AS_TEXT, ""),
    place("text: in `svg`", "<svg><text>$</text></svg>", "", AS_TEXT, ""),
    place(
        "text: in a `dialog`",
        "<dialog id=dialog>$</dialog>",
        "at('dialog').show()",
        AS_TEXT,
        "",
    ),
    place(
        "text: in an open shadow root",
        "<div id=shadow></div>",
        "at('shadow').attachShadow({ mode: 'open' }).innerHTML = '<b>$</b>'",
        AS_TEXT,
        "",
    ),
    place("text: in a frame of the page's origin", "", "await frame('<b>$</b>')", AS_TEXT, ""),
    place(
        "text: made from a `template`",
        "<template id=template>$</template>",
        "at('text').after(at('template').content.cloneNode(true))",
        AS_TEXT,
        "",
    ),
    place(
        "text: a message that came and went",
        "<p role=status id=toast></p>",
        "await turn(); at('toast').textContent = '$'; await turn(200); at('toast').textContent = ''",
        AS_TEXT,
        "",
    ),
    place(
        "`placeholder`, `title`, `alt`",
        "<input placeholder='$'><i title='$'></i><img alt='$'>",
        "",
        AS_TEXT,
        "",
    ),
    place("`aria-label`", "<i aria-label='$'></i>", "", AS_TEXT, ""),
    place(
        "`document.title`",
        "",
        "document.title = '$'; await turn()",
        BLOCKED,
        "a replay has no title",
    ),
    place(
        "stylesheet: `content` of a pseudo-element",
        "<style>.x::before { content: '$' }</style>",
        "",
        AS_TEXT,
        "",
    ),
    place("style attribute: a custom property", "<i style='--x: \"$\"'></i>", "", AS_TEXT, ""),
    place(
        "`data-*` attribute, `value` of a button",
        "<i data-customer='$'></i><button value='$'></button>",
        "",
        NEVER,
        "kept if it is one word or a short number, for stylesheets; masked then too in `mask-all`",
    ),
    place(
        "attribute of a framework or a custom element",
        "<i v-model='$' @x='$'></i><my-card owner='$'></my-card>",
        "",
        NEVER,
        "",
    ),
    place("`class`, `id`", "<i class='$'></i>", "", ALWAYS, "stylesheets need them"),
    place("text in `data-private`", "<p data-private>a <b>$</b></p>", "", NEVER, "always masked"),
    place(
        "`data-private`: `title`, `href`, `src`",
        "<p data-private><a title='$' href='/$'></a><img src='/$'></p>",
        "",
        NEVER,
        "",
    ),
    place(
        "`data-private`: a pseudo-element with `attr()`",
        "<style>[data-x]::before { content: attr(data-x) }</style><p data-private data-x='$'></p>",
        "",
        NEVER,
        "",
    ),
    place(
        "`data-private`: a child added later",
        "<div data-private id=private></div>",
        "const child = document.createElement('p'); child.append('$'); at('private').append(child)",
        NEVER,
        "",
    ),
    place(
        "`data-private`: text changed later",
        "<p data-private id=quiet>a</p>",
        "at('quiet').firstChild.data = '$'",
        NEVER,
        "",
    ),
    place(
        "`data-private`: attribute changed later",
        "<p data-private><i id=quieter></i></p>",
        "at('quieter').title = '$'",
        NEVER,
        "",
    ),
    place(
        "`data-private`: moved out",
        "<div data-private><p id=out>$</p></div>",
        "document.body.append(at('out')); await turn(); at('out').append(' $')",
        NEVER,
        "what was private stays private",
    ),
    place(
        "`data-private`: moved in, then changed",
        "<div data-private id=in></div><p id=moved>a</p>",
        "at('in').append(at('moved')); await turn(); at('moved').textContent = '$'",
        NEVER,
        "what was shown before stays shown",
    ),
    place(
        "`data-private`: an open shadow root",
        "<div data-private><div id=deep></div></div>",
        "at('deep').attachShadow({ mode: 'open' }).innerHTML = '<b>a</b>'; await turn(); \
         at('deep').shadowRoot.firstChild.textContent = '$'",
        NEVER,
        "",
    ),
    place(
        "`data-private` inside an open shadow root",
        "<div id=deeper></div>",
        "at('deeper').attachShadow({ mode: 'open' }).innerHTML = '<p data-private>$</p>'",
        NEVER,
        "",
    ),
    place(
        "`data-private`: a frame of the page's origin",
        "<div data-private id=frames></div>",
        "const inner = await frame('<b>$</b>', at('frames')); inner.body.append('$')",
        NEVER,
        "",
    ),
    place("`data-private` inside a frame", "", "await frame('<p data-private>$</p>')", NEVER, ""),
    place(
        "`data-private`: `svg`",
        "<svg data-private><text>$</text><path d='$'/></svg>",
        "",
        NEVER,
        "",
    ),
    place(
        "`data-private`: made from a `template`",
        "<div data-private id=made></div>",
        "at('made').append(Object.assign(document.createElement('template'), { innerHTML: '$' }).content)",
        NEVER,
        "",
    ),
    place(
        "`data-private`: a button, clicked",
        "<button data-private id=quietest>$</button>",
        "at('quietest').click()",
        NEVER,
        "",
    ),
    place(
        "`data-private`: a message that came and went",
        "<p data-private role=status id=whisper></p>",
        "await turn(); at('whisper').textContent = '$'; await turn(200); at('whisper').textContent = ''",
        NEVER,
        "",
    ),
    place(
        "text in `qorrelate-block`",
        "<div class=qorrelate-block>$<b title='$'>$</b></div>",
        "",
        BLOCKED,
        "never recorded",
    ),
    place(
        "`qorrelate-block`: a field",
        "<div class=qorrelate-block><input id=inside></div>",
        "type(at('inside'), '$')",
        BLOCKED,
        "",
    ),
    place(
        "`qorrelate-block`: a child added later",
        "<div class=qorrelate-block id=blocked><p></p></div>",
        "at('blocked').append('$'); at('blocked').firstChild.append('$'); at('blocked').firstChild.title = '$'",
        BLOCKED,
        "",
    ),
    place(
        "`qorrelate-block`: set later, then changed",
        "<div id=block-later><p><b>a</b></p></div>",
        "at('block-later').className = 'qorrelate-block'; await turn(); \
         at('block-later').querySelector('b').firstChild.data = '$'; at('block-later').querySelector('b').title = '$'",
        BLOCKED,
        "",
    ),
    place(
        "`qorrelate-block`: a frame",
        "<div class=qorrelate-block id=block-frame></div>",
        "await frame('<b>$</b>', at('block-frame')); \
         const own = await frame('<b>$</b>', document.body, 'qorrelate-block'); own.body.append('$')",
        BLOCKED,
        "",
    ),
    place(
        "`qorrelate-block`: an open shadow root",
        "<div class=qorrelate-block><div id=block-shadow></div></div>",
        "at('block-shadow').attachShadow({ mode: 'open' }).innerHTML = '<b>a</b>'; await turn(); \
         at('block-shadow').shadowRoot.firstChild.textContent = '$'",
        BLOCKED,
        "",
    ),
    place(
        "`qorrelate-block`: a button, clicked",
        "<button class=qorrelate-block id=block-button>$</button>",
        "at('block-button').click()",
        BLOCKED,
        "",
    ),
    place(
        "address: path",
        "",
        "history.pushState({}, '', '/$')",
        ALWAYS,
        "the path tells where one is",
    ),
    place(
        "address: query",
        "",
        "history.pushState({}, '', '?token=$')",
        NEVER,
        "names stay, values go",
    ),
    place(
        "address: fragment",
        "",
        "history.pushState({}, '', '#$'); history.replaceState({}, '', '#/a?b=$')",
        NEVER,
        "the path of a route stays",
    ),
    place(
        "`history.state`",
        "",
        "history.pushState({ secret: '$' }, '', '')",
        BLOCKED,
        "never recorded",
    ),
    place("link: query and fragment of its `href`", "<a href='/a?token=$#$'></a>", "", NEVER, ""),
    place(
        "link: `mailto:`, `data:`, `javascript:`",
        "<a href='mailto:$'></a><a href='data:,$'></a><a href='javascript:$'></a>",
        "",
        NEVER,
        "reduced to the scheme",
    ),
    place(
        "image: query of its `src` and `srcset`",
        "<img src='data:,' id=image>",
        "at('image').src = '/frame?token=$'; at('image').srcset = '/frame?token=$ 2x'",
        NEVER,
        "",
    ),
    place(
        "image: query of its `src`, where its `onload` makes a frame long",
        "",
        "const image = new Image(); await new Promise((done) => { image.onload = () => { \
         const until = performance.now() + 100; while (performance.now() < until); done(); }; \
         image.src = '/picture?token=$' })",
        NEVER,
        "",
    ),
    place("form: query of its `action`", "<form action='/a?token=$'></form>", "", NEVER, ""),
    place(
        "style attribute: query of a URL",
        "<i style='background: url(/frame?token=$)'></i>",
        "",
        NEVER,
        "",
    ),
    place(
        "stylesheet: query of a URL",
        "<style>.y { background: url('/frame?token=$') }</style>",
        "",
        NEVER,
        "",
    ),
    place(
        "frame: `src`, `srcdoc`",
        "<iframe src='/frame?token=$'></iframe><iframe srcdoc='<i data-a=\"$\">'></iframe>",
        "",
        NEVER,
        "",
    ),
    place("`referrer`", "", "", BLOCKED, "never recorded"),
    place(
        "request: path",
        "",
        "await fetch('/api/$')",
        ALWAYS,
        "the path tells what was asked for",
    ),
    place(
        "request: query",
        "",
        "await fetch('/api/a?token=$'); await xhr('/api/a?token=$')",
        NEVER,
        "",
    ),
    place(
        "request, response: headers, bodies",
        "",
        "await fetch('/api/a', { method: 'POST', headers: { authorization: '$' }, body: '$' })",
        BLOCKED,
        "never recorded",
    ),
    place("console: a text", "", "console.warn('$')", AS_TEXT, "what a program wrote; see below"),
    place(
        "console: an object",
        "",
        "console.error({ secret: '$' }, ['$'])",
        BLOCKED,
        "only what kind it is",
    ),
    place(
        "console: a token, an e-mail address, a query, a card's number",
        "",
        "console.error('token: $ and $@example.com, /a?b=$', 'Bearer $')",
        NEVER,
        "known by its form",
    ),
    place(
        "error: message",
        "<script>const fail = (text) => setTimeout(() => { throw new Error(text) })</script>",
        "fail('$'); await turn()",
        AS_TEXT,
        "",
    ),
    place(
        "rejection: message",
        "<script>const reject = (text) => { Promise.reject(new Error(text)) }</script>",
        "reject('$'); await turn()",
        AS_TEXT,
        "",
    ),
    place(
        "error: stack",
        "<script>const failAt = (url) => setTimeout(Function('throw Error()\\n//# sourceURL=' + url))</script>",
        "failAt('/a?b=$'); await turn()",
        NEVER,
        "",
    ),
    place("`alert`", "", "window.alert = () => {}; alert('$')", BLOCKED, "never recorded"),
    place(
        "clipboard, drag and drop: what is carried",
        "<p id=drop></p>",
        "const carried = new DataTransfer(); carried.setData('text/plain', '$'); \
         at('drop').dispatchEvent(new ClipboardEvent('paste', { clipboardData: carried, bubbles: true })); \
         at('drop').dispatchEvent(new DragEvent('drop', { dataTransfer: carried, bubbles: true }))",
        BLOCKED,
        "",
    ),
    place(
        "`canvas`",
        "<canvas id=canvas></canvas>",
        "at('canvas').getContext('2d').fillText('$', 9, 9)",
        BLOCKED,
        "",
    ),
    place("`template`: never shown", "<template>$</template>", "", BLOCKED, ""),
    place(
        "comment, script, `noscript`",
        "<!-- $ --><script type=application/json>\"$\"</script><noscript>$</noscript>",
        "document.body.append(document.createComment('$'))",
        BLOCKED,
        "",
    ),
    place("`meta`", "<meta name=csrf-token content='$'>", "", NEVER, ""),
    place("event handler attribute", "<i onclick=\"go('$')\"></i>", "", BLOCKED, ""),
    place("cookie, storage", "", "document.cookie = 'a=$'; localStorage.a = '$'", BLOCKED, ""),
    place(
        "user given to `identify`",
        "",
        "qorrelate.identify('$')",
        ALWAYS,
        "sent because the page says so",
    ),
];

const KNOWN: &str = r#"
    const at = (id) => document.getElementById(id);
    const turn = (ms = 60) => new Promise((done) => setTimeout(done, ms));
    const add = (html) => document.body.insertAdjacentHTML('beforeend', html);
    const type = (field, text) => { field.value = text; field.dispatchEvent(new Event('input', { bubbles: true, composed: true })); };
    const xhr = (url) => new Promise((done) => {
        const xhr = new XMLHttpRequest(); xhr.onloadend = done; xhr.open('GET', url); xhr.send();
    });
    const frame = async (html, parent = document.body, name = '') => {
        const frame = document.createElement('iframe');
        frame.className = name;
        frame.src = '/frame';
        const loaded = new Promise((done) => { frame.onload = done; });
        parent.append(frame);
        await loaded;
        frame.contentDocument.body.innerHTML = html;
        await turn();
        return frame.contentDocument;
    };
"#;

fn secret(n: usize) -> String {
    // No word, no number, and nothing that needs an escape anywhere.
    format!("Hidden{n}q7x")
}

/// The first place where that is, if there is one.
fn around(text: &str, secret: &str) -> Option<String> {
    let at = text.find(secret)?;
    Some(text.chars().skip(text[..at].chars().count().saturating_sub(80)).take(160).collect())
}

/// Where each secret has arrived in that mode.
fn record(site: &Site, browser: &Browser, mode: &str) -> Vec<Option<String>> {
    let fill = |n: usize, text: &str| text.replace("$", &secret(n));
    let html: String = PLACES.iter().enumerate().map(|(n, place)| fill(n, place.html)).collect();
    let referrer = PLACES.iter().position(|place| place.what == "`referrer`").unwrap();
    let already = site.posts().len();
    // By a link, so that there is a referrer.
    site.set_page("<a id=link>on</a>");
    browser.goto(&format!("{}/before?from={}", site.url, secret(referrer)));
    site.set_page(&site::html(&format!("data-privacy-mode={mode}"), &html));
    browser.script("location.href = '/page?first=1'", vec![]);
    eventually(|| {
        let here = "return location.pathname == '/page' && document.readyState == 'complete'";
        let arrived = browser.script(here, vec![]) == true;
        arrived.then_some(()).ok_or_else(|| "the page is not there".to_owned())
    });
    assert!(
        browser.script("return document.referrer", vec![]).as_str().unwrap().contains("before")
    );
    site.snapshot_after(already);
    for (n, place) in PLACES.iter().enumerate() {
        let body = fill(n, place.script);
        browser.script(&format!("{KNOWN} {body}"), vec![]);
    }
    let is_clicked =
        |place: &&Place| place.script.contains(".click()") && place.expected != BLOCKED;
    let clicks = PLACES.iter().filter(is_clicked).count();
    let heard = |tag: &str| {
        let posts = &site.posts()[already..];
        posts
            .iter()
            .map(|post| post.text.matches(&format!("\"tag\":\"{tag}\"")).count())
            .sum::<usize>()
    };
    eventually(|| {
        let heard = [heard("click"), heard("toast")];
        (heard[0] >= clicks && heard[1] >= 2)
            .then_some(())
            .ok_or_else(|| format!("clicks, toasts: {heard:?}"))
    });
    // After a batch was lost, there is another snapshot: of all that is there now.
    let lost = site.posts().len();
    site.answer_with([413]);
    browser.script("await fetch('/api/lost'); qorrelate.addError('soon')", vec![]);
    site.snapshot_after(lost);
    browser.script("await fetch('/api/the-end'); qorrelate.addError('soon')", vec![]);
    eventually(|| {
        let is_last = |post: &site::Post| post.text.contains("/api/the-end");
        let arrived = site.posts()[already..].iter().any(is_last);
        arrived.then_some(()).ok_or_else(|| "the end has not arrived".to_owned())
    });
    assert_eq!(failures(browser), 0);
    let text: String = site.posts()[already..].iter().map(|post| post.text.as_str()).collect();
    (0..PLACES.len()).map(|n| around(&text, &secret(n))).collect()
}

#[test]
fn no_secret_leaves_the_browser_but_those_that_the_table_shows() {
    let driver = Driver::start();
    // Each with a site and a browser of its own, at the same time.
    let seen = thread::scope(|scope| {
        let record = |mode| record(&Site::start(), &driver.browser(), mode);
        MODES.map(|mode| scope.spawn(move || record(mode))).map(|mode| mode.join().unwrap())
    });
    let mut wrong = String::new();
    for (n, place) in PLACES.iter().enumerate() {
        for (mode, (seen, expected)) in MODES.iter().zip(seen.iter().zip(place.expected)) {
            if seen[n].is_some() != (expected == "shown") {
                let (what, seen) = (place.what, &seen[n]);
                writeln!(wrong, "{mode}: {what}: expected {expected}: {seen:?}").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");

    let mut table = String::from(
        "| where | `mask-inputs` | `mask-all` | `mask-sensitive` | why |\n| --- | --- | --- | --- | --- |\n",
    );
    for Place { what, expected: [inputs, all, sensitive], why, .. } in PLACES {
        let line = format!("| {what} | {inputs} | {all} | {sensitive} | {why} |");
        writeln!(table, "{line}").unwrap();
    }
    let (begin, end) = ("<!-- privacy begin -->\n", "<!-- privacy end -->");
    let docs = fs::read_to_string(DOCS).unwrap();
    let start = docs.find(begin).unwrap() + begin.len();
    let stop = docs.find(end).unwrap();
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(DOCS, format!("{}{table}{}", &docs[..start], &docs[stop..])).unwrap();
    } else {
        assert_eq!(docs[start..stop], table, "UPDATE_DOCS=1 writes it anew");
    }
}
