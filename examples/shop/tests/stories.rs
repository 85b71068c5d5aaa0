//! Three things are wrong with this shop. Each test is first the customer who meets one, and then the support engineer
//! who finds the session in the viewer, and reads the cause off its page.

// Clippy takes a test's helpers for code that is not a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use qorrelate_test_browser::{Browser, Driver, eventually};
use serde_json::json;

use self::common::{Shop, pick};

/// A customer's browser, in the shop, with everything in the form but this.
fn customer(driver: &Driver, shop: &Shop, wrong: &[(&str, &str)]) -> Browser {
    let browser = driver.browser();
    browser.goto(&shop.storefront);
    browser.click("button", "Checkout");
    browser.click("button", "Use example details");
    for (field, value) in wrong {
        let fill = "const field = document.forms.order.elements[given[0]]; \
                    field.value = given[1]; field.dispatchEvent(new Event('input', { bubbles: true }))";
        browser.script(fill, vec![json!(field), json!(value)]);
    }
    browser
}

fn session(browser: &Browser) -> String {
    browser.script("return qorrelate.id()", vec![]).as_str().unwrap().to_owned()
}

/// Searches the list for a text, or filters it, until that finds the session; the marks that it has there.
fn find(engineer: &Browser, shop: &Shop, query: &str, session: &str) -> String {
    eventually(|| {
        engineer.goto(&format!("{}/?{query}", shop.viewer));
        let found = engineer.texts("td.id a");
        if found == [session] { Ok(()) } else { Err(format!("{query} finds {found:?}")) }
    });
    engineer.texts("td.marks").join(" ")
}

/// Opens what was found, and a list beside the replay.
fn open(engineer: &Browser, session: &str, list: &str) {
    engineer.click("a", session);
    choose(engineer, list);
}

fn choose(engineer: &Browser, list: &str) {
    engineer.click("button[@role='tab']", list);
}

/// The rows of the list, as soon as there is one that says this.
fn rows(engineer: &Browser, awaited: &str) -> Vec<String> {
    engineer.text(".moment", |row| row.contains(awaited));
    engineer.texts(".moment")
}

#[test]
fn a_message_that_was_gone_before_anybody_could_read_it() {
    let (shop, driver) = (Shop::start(), Driver::start());
    let customer = customer(&driver, &shop, &[("postcode", "1011")]);
    let session = session(&customer);
    customer.click("button", "Place order");
    customer.text("#toast", |text| text == "Please check your details.");
    customer.text("#toast", str::is_empty);

    let engineer = driver.browser();
    let marks = find(&engineer, &shop, "q=check+your+details", &session);
    assert!(marks.contains("messages came and went"), "{marks}");

    open(&engineer, &session, "Everything");
    let told = rows(&engineer, "Please check your details.");
    let position = |what: &str| told.iter().position(|row| row.contains(what)).expect(what);
    let pressed = position("Place order");
    let refused = position("Postcode");
    let message = position("Please check your details.");
    assert!(pressed < refused && refused < message, "{told:?}");
    assert!(told[message].contains("gone after 2"), "{told:?}");
    // No order was sent.
    engineer.click("button[@role='tab']", "Network 1");
    assert_eq!(rows(&engineer, "/api/products").len(), 1);
}

#[test]
fn two_clicks_make_two_orders_and_the_second_fails() {
    let (shop, driver) = (Shop::start(), Driver::start());
    let customer = customer(&driver, &shop, &[("email", "twice@example.com")]);
    let session = session(&customer);
    let double_click = "const button = document.querySelector('#order .primary'); button.click(); \
                        await new Promise((done) => setTimeout(done, 100)); button.click()";
    customer.script(double_click, vec![]);
    customer.text("#answer", |text| !text.is_empty());

    let engineer = driver.browser();
    let marks = find(&engineer, &shop, "q=twice%40example.com&clicks=1", &session);
    assert!(marks.contains("clicked twice in "), "{marks}");

    open(&engineer, &session, "Everything");
    engineer.text(".moment", |row| row.contains("Place order") && row.contains("again after "));
    choose(&engineer, "Network 3");
    // Whichever of the two was first at the ledger.
    let orders = eventually(|| {
        let mut orders = engineer.texts(".moment");
        orders.retain(|row| row.contains("/api/checkout"));
        if orders.len() == 2 { Ok(orders) } else { Err(format!("{orders:?}")) }
    });
    for status in ["200", "502"] {
        assert_eq!(orders.iter().filter(|row| row.contains(status)).count(), 1, "{orders:?}");
    }
    let cause = "duplicate key: the basket is in the ledger already";
    pick(&engineer, "502", |shown| shown.contains("POST /charge") && shown.contains("500"));
    engineer.text("#picked .row", |row| row.contains(cause));
}

#[test]
fn a_page_that_lays_itself_out_many_times_a_frame() {
    let (shop, driver) = (Shop::start(), Driver::start());
    let customer = driver.browser();
    customer.goto(&shop.storefront);
    customer.click("nav//a", "Deals");
    customer.text("#deals-title", |title| title == "Deals of the day");
    let session = session(&customer);
    // Whoever records a page does not break its rules, whatever moves in it.
    let complaints = "let complaints = 0; \
        addEventListener('securitypolicyviolation', () => { complaints += 1 }); \
        for (let frame = 0; frame < 10; frame += 1) await new Promise(requestAnimationFrame); \
        return complaints";
    assert_eq!(customer.script(complaints, vec![]), 0);

    let engineer = driver.browser();
    let marks = find(&engineer, &shop, "slow=1", &session);
    assert!(marks.contains("slow frame"), "{marks}");

    open(&engineer, &session, "Everything");
    let shown =
        pick(&engineer, "of it style and layout, deals.js", |shown| shown.contains("deals.js"));
    // "frame took 1.02 s, 480 ms of it style and layout, deals.js pulse"
    let [took, layout] = ["took ", ", "].map(|before| -> f64 {
        let mut words = shown.split_once(before).expect(before).1.split([' ', ',']);
        let number: f64 = words.next().unwrap().parse().unwrap();
        if words.next() == Some("s") { number * 1000.0 } else { number }
    });
    assert!(layout > took / 2.0, "{shown}");
}
