use crate::visitor::{Authenticator, ENTER, ESCAPE, TAB, Visitor};

pub(crate) const ORGANISATION: &str = "Hofladen Sonnenberg";
pub(crate) const USER_NAME: &str = "kerstin.sonnenberg";
pub(crate) const PASSWORD: &str = "Quitten reifen im Oktober 7";

/// From the first page to the dashboard. With `inspects`, every page on the way is looked at.
pub(crate) async fn sign_up(visitor: &mut Visitor, inspects: bool) -> Authenticator {
    visitor.open("/").await;
    if inspects {
        visitor.look_closely("welcome").await;
        visitor.open("/nothing").await;
        visitor.look("missing").await;
        visitor.open("/").await;
    }
    visitor.follow("main a[href='/sign-up']").await;
    if inspects {
        visitor.look("sign-up").await;
        fill_in(visitor, "kurz").await;
        visitor.submit("/sign-up").await;
        visitor.browser.wait_for("#errors a[href='#password']").await;
        // The keyboard is where the news is, and its links lead to the fields.
        assert_eq!(visitor.focused().await, "errors");
        visitor.press(TAB).await;
        visitor.press(ENTER).await;
        assert_eq!(visitor.focused().await, "password");
        visitor.look("sign-up-refused").await;
    }
    fill_in(visitor, PASSWORD).await;
    if inspects {
        visitor.browser.wait_for("#strength meter").await;
    }
    visitor.submit("/sign-up").await;
    visitor.browser.wait_for("form[action='/sign-up/factor']").await;
    let mut authenticator = Authenticator::enrol(visitor).await;
    if inspects {
        visitor.look("sign-up-factor").await;
    }
    let code = authenticator.code().await;
    visitor.browser.fill("#code", &code).await;
    visitor.submit("/sign-up/factor").await;
    visitor.browser.wait_for("#codes li").await;
    if inspects {
        visitor.look("sign-up-codes").await;
    }
    visitor.browser.click("#kept").await;
    visitor.submit("/sign-up/codes").await;
    assert_eq!(visitor.path().await, "/dashboard");
    authenticator
}

async fn fill_in(visitor: &Visitor, password: &str) {
    let browser = &visitor.browser;
    browser.fill("#organisation", ORGANISATION).await;
    browser.fill("#user_name", USER_NAME).await;
    browser.fill("#email", "kerstin@hofladen-sonnenberg.example").await;
    browser.fill("#password", password).await;
}

pub(crate) async fn log_out(visitor: &mut Visitor) {
    visitor.follow(".sidebar form[action='/log-out'] button").await;
    visitor.browser.wait_for("main form[action='/log-in']").await;
    visitor.look("logged-out").await;
}

/// Logs in without a pointer: Tab to each field, Enter to send.
pub(crate) async fn log_in_by_keyboard(visitor: &mut Visitor, authenticator: &mut Authenticator) {
    visitor.open("/log-in").await;
    visitor.look("log-in").await;
    tab_to(visitor, "user_name").await;
    visitor.press(USER_NAME).await;
    tab_to(visitor, "password").await;
    visitor.press(PASSWORD).await;
    visitor.press(ENTER).await;
    visitor.browser.wait_for("#code").await;
    visitor.look("log-in-factor").await;
    visitor.open("/log-in/factor").await;
    // The only field of the page has the focus already.
    let code = authenticator.code().await;
    visitor.press(&code).await;
    visitor.press(ENTER).await;
    visitor.browser.wait_for(".sidebar").await;
    assert_eq!(visitor.path().await, "/dashboard");
}

async fn tab_to(visitor: &Visitor, id: &str) {
    for _ in 0..20 {
        visitor.press(TAB).await;
        let focused = visitor.browser.execute("return document.activeElement.id").await;
        if focused == id {
            return;
        }
    }
    panic!("Tab does not reach {id}");
}

/// The pages about the account and its people.
pub(crate) async fn walk_settings(visitor: &mut Visitor, authenticator: &mut Authenticator) {
    visitor.open("/organisation").await;
    visitor.browser.fill("#postal_address", "Hofladen Sonnenberg\nSonnenbergweg 4\n79111 Freiburg").await;
    visitor.submit("/organisation").await;
    visitor.browser.wait_for(".notice-good").await;
    visitor.look("organisation").await;

    visitor.open("/users").await;
    visitor.look("users").await;
    visitor.browser.fill("#email", "jonas@hofladen-sonnenberg.example").await;
    visitor.submit("/users/invitations").await;
    visitor.browser.wait_for("#link").await;
    let invitation = visitor.browser.text("#link").await;
    visitor.look("user-invited").await;
    visitor.open("/users").await;
    visitor.follow("main table th a[href^='/users/']").await;
    visitor.look("user").await;
    visitor.follow("main a[href$='/disable']").await;
    visitor.look("user-disable").await;
    visitor.browser.open(&invitation).await;
    visitor.look("join").await;

    for (path, name) in [("/sessions", "sessions"), ("/audit", "audit"), ("/profile", "profile")] {
        visitor.open(path).await;
        visitor.look(name).await;
    }
    // New recovery codes want a fresh proof.
    visitor.open("/profile/codes").await;
    if visitor.path().await == "/profile/prove" {
        visitor.look("profile-prove").await;
        let code = authenticator.code().await;
        visitor.browser.fill("#code", &code).await;
        visitor.submit("/profile/prove").await;
    }
    visitor.look("profile-codes").await;
    visitor.open("/help").await;
    visitor.browser.wait_for("header a[href='/dashboard']").await;
    visitor.look("help").await;
    visitor.open("/nothing").await;
    visitor.look("missing-inside").await;
}

/// The parts of the shell that a keyboard or a thumb needs.
pub(crate) async fn use_the_shell(visitor: &mut Visitor) {
    visitor.open("/sessions").await;
    visitor.press(TAB).await;
    visitor.press(ENTER).await;
    visitor.press(TAB).await;
    let inside = "return !document.activeElement.closest('.sidebar, .skip')";
    assert_eq!(visitor.browser.execute(inside).await, true, "the skip link leads past the navigation");

    visitor.browser.resize(390, 844).await;
    visitor.open("/sessions").await;
    visitor.browser.click(".bottom-bar summary").await;
    let is_open = "return document.querySelector('details.sheet').open";
    assert_eq!(visitor.browser.execute(is_open).await, true);
    visitor.browser.screenshot("sheet-phone").await;
    visitor.press(ESCAPE).await;
    assert_eq!(visitor.browser.execute(is_open).await, false, "Escape closes the sheet");
    assert_eq!(visitor.focused().await, "Mehr");
    visitor.press(ENTER).await;
    assert_eq!(visitor.browser.execute(is_open).await, true);
    visitor.browser.execute("document.querySelector('main a').focus()").await;
    assert_eq!(visitor.browser.execute(is_open).await, false, "the sheet covers nothing that has the focus");
    visitor.browser.resize(1280, 900).await;
}

/// Every entry of the audit log has words in the reader's language.
pub(crate) async fn read_the_audit_log(visitor: &mut Visitor) {
    visitor.open("/audit").await;
    visitor.look("audit-full").await;
    let bare = "return [...document.querySelectorAll('main td span[title]')]
        .filter(what => what.textContent === what.title).map(what => what.title)";
    assert_eq!(visitor.browser.execute(bare).await, serde_json::json!([]));
}
