use std::time::{Duration, Instant};

use letterkeep_model::{Clock as _, SystemClock, Timestamp};
use letterkeep_testkit::browser::{Browser, ColourScheme, ConsoleEntry};
use letterkeep_vault::TotpSecret;
use serde_json::{Value, json};

/// The keys as WebDriver names them.
pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const ENTER: &str = "\u{e007}";
pub(crate) const ESCAPE: &str = "\u{e00c}";

const WIDE: (u32, u32) = (1280, 900);
const PHONE: (u32, u32) = (390, 844);

/// Somebody who uses the service, and looks at every page the way an inspector would. What is wrong is collected, so
/// that one run names every fault of every page.
pub(crate) struct Visitor {
    pub(crate) browser: Browser,
    base: String,
    faults: Vec<String>,
    console_read: usize,
}

impl Visitor {
    pub(crate) fn new(browser: Browser, base: &str) -> Self {
        Self { browser, base: base.to_owned(), faults: Vec::new(), console_read: 0 }
    }

    /// Opens a path of the service.
    pub(crate) async fn open(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.base)).await;
    }

    /// Clicks something that leads to another page, or to the same page again, and waits for it.
    pub(crate) async fn follow(&self, selector: &str) {
        self.browser.wait_for(selector).await;
        self.browser.execute("document.documentElement.dataset.left = 'yes'").await;
        self.browser.click(selector).await;
        self.arrive(selector).await;
    }

    /// Sends the form whose action is `action` by its (first) button.
    pub(crate) async fn submit(&self, action: &str) {
        self.follow(&format!("main form[action$='{action}'] button[type=submit]")).await;
    }

    /// Waits until the page itself has moved on to a path with this end.
    pub(crate) async fn arrive_at(&self, end: &str) {
        let begun = Instant::now();
        while !self.path().await.ends_with(end) {
            assert!(begun.elapsed() < Duration::from_secs(40), "{} never leads to {end}", self.path().await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn arrive(&self, by: &str) {
        let begun = Instant::now();
        let arrived = "return document.readyState === 'complete' && !document.documentElement.dataset.left";
        while self.browser.execute(arrived).await != Value::Bool(true) {
            if begun.elapsed() > Duration::from_secs(20) {
                let text = self.browser.execute("return location.href + '\\n' + document.body.innerText").await;
                panic!("{by} led nowhere; still at {}", text.as_str().unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Chooses `value` among radio buttons, boxes or options of `name`.
    pub(crate) async fn choose(&self, name: &str, value: &str) {
        self.browser
            .click(&format!(
                "main [name='{name}'][value='{value}'], main select[name='{name}'] option[value='{value}']"
            ))
            .await;
    }

    /// Puts a file into the field `selector`.
    pub(crate) async fn attach(&self, selector: &str, file: &std::path::Path) {
        self.browser.wait_for(selector).await.send_keys(file.to_str().unwrap()).await.unwrap();
    }

    pub(crate) async fn exists(&self, selector: &str) -> bool {
        self.browser.execute(&format!("return !!document.querySelector({})", json!(selector))).await
            == Value::Bool(true)
    }

    pub(crate) async fn path(&self) -> String {
        let url = self.browser.client().current_url().await.unwrap();
        url.path().to_owned()
    }

    /// Presses keys where the focus is.
    pub(crate) async fn press(&self, keys: &str) {
        self.browser.client().active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    /// Inspects the page and takes its picture: accessibility, targets, width, and what the console says.
    pub(crate) async fn look(&mut self, name: &str) {
        self.inspect(name, WIDE).await;
        // What stays in view while somebody scrolls stands at the top in the picture.
        self.browser.execute("scrollTo(0, 0)").await;
        self.browser.screenshot(name).await;
        self.inspect(&format!("{name} on a phone"), PHONE).await;
        self.browser.resize(WIDE.0, WIDE.1).await;
        self.listen(name).await;
    }

    /// The same, and in the dark and on a phone with pictures of their own.
    pub(crate) async fn look_closely(&mut self, name: &str) {
        self.look(name).await;
        self.phone(&format!("{name}-phone")).await;
        self.browser.prefer(ColourScheme::Dark).await;
        self.inspect(&format!("{name} on a phone in the dark"), PHONE).await;
        self.inspect(&format!("{name} in the dark"), WIDE).await;
        self.browser.screenshot(&format!("{name}-dark")).await;
        self.browser.prefer(ColourScheme::Light).await;
    }

    /// A picture as tall as the page, so that the bar at the bottom covers nothing of it.
    pub(crate) async fn phone(&self, name: &str) {
        self.browser.resize(PHONE.0, PHONE.1).await;
        let height = self.browser.execute("return document.documentElement.scrollHeight").await.as_u64().unwrap();
        self.browser.resize(PHONE.0, u32::try_from(height.min(5_000)).unwrap()).await;
        self.browser.screenshot(name).await;
    }

    /// What has the focus: its id, or the beginning of its text.
    pub(crate) async fn focused(&self) -> String {
        let script = "const at = document.activeElement; return at.id || at.textContent.trim().slice(0, 40)";
        self.browser.execute(script).await.as_str().unwrap().to_owned()
    }

    async fn inspect(&mut self, name: &str, (width, height): (u32, u32)) {
        self.browser.resize(width, height).await;
        for violation in self.browser.axe().await {
            self.faults.push(format!("{name}: {violation}"));
        }
        for target in self.browser.small_targets().await {
            self.faults.push(format!("{name}: {target}"));
        }
        if self.browser.scrolls_sideways().await {
            let wide = self.browser.execute(TOO_WIDE).await;
            self.faults.push(format!("{name}: the page scrolls sideways because of {wide}"));
        }
    }

    /// What browser and scripts complained about since the last time.
    async fn listen(&mut self, name: &str) {
        let console = self.browser.console().await;
        for entry in &console[self.console_read..] {
            if is_fault(entry) {
                self.faults.push(format!("{name}: {}: {}", entry.source, entry.message));
            }
        }
        self.console_read = console.len();
    }

    /// Ends the visit: everything that was wrong, in one list.
    pub(crate) async fn leave(mut self) {
        self.listen("at the end").await;
        let faults = std::mem::take(&mut self.faults);
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    }
}

impl Drop for Visitor {
    /// A visit that breaks off says what it has found so far.
    fn drop(&mut self) {
        if !self.faults.is_empty() {
            eprintln!("{} faults so far:\n{}", self.faults.len(), self.faults.join("\n"));
        }
    }
}

/// A form that is shown again has status 422, which Chromium reports like a missing file; so are the pages that are
/// looked at because they do not exist.
fn is_fault(entry: &ConsoleEntry) -> bool {
    let wanted =
        ["/nothing", "/u/x", "/ops/firewall?nobody", "/ops/firewall/requests/0000", "/ops/enter", "/log-in?q="];
    let refused_form = entry.source == "network"
        && (entry.message.contains("422") || wanted.iter().any(|page| entry.message.contains(page)));
    let blocked_by_us = entry.message.contains("ERR_BLOCKED_BY_CLIENT");
    let complains = entry.source == "security" || entry.message.contains("Content Security Policy");
    (complains || entry.level == "SEVERE") && !refused_form && !blocked_by_us
}

const TOO_WIDE: &str = r"
const edge = document.documentElement.clientWidth;
const wide = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > edge + 1);
return wide.slice(0, 4).map(e => e.outerHTML.slice(0, 100));
";

/// An authenticator app.
pub(crate) struct Authenticator {
    secret: TotpSecret,
    last_step: i64,
}

const STEP: i64 = 30;

impl Authenticator {
    /// Takes the secret from the page that shows it.
    pub(crate) async fn enrol(visitor: &Visitor) -> Self {
        let text = visitor.browser.execute("return document.querySelector('#secret').textContent").await;
        let secret = from_base32(text.as_str().unwrap());
        Self { secret: TotpSecret::from_bytes(&secret).unwrap(), last_step: 0 }
    }

    /// A code that has not been used. The service accepts the next one half a minute early, so it is rarely waited for.
    pub(crate) async fn code(&mut self) -> String {
        loop {
            let now = SystemClock.now().seconds().div_euclid(STEP);
            let step = now.max(self.last_step + 1);
            if step <= now + 1 {
                self.last_step = step;
                return self.secret.code_at(Timestamp::from_seconds(step * STEP));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn from_base32(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b' ') {
        let value = if letter.is_ascii_digit() { letter - b'2' + 26 } else { letter - b'A' };
        bits = (bits << 5) | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    bytes
}

/// Keeps a browser from loading scripts. Switching scripts off altogether would also stop the driver from finding
/// anything; for the pages it is the same, because none has an inline script.
pub(crate) async fn without_scripts(browser: &Browser) {
    browser.devtools("Network.enable", json!({})).await;
    browser.devtools("Network.setBlockedURLs", json!({ "urls": ["*.js"] })).await;
}
