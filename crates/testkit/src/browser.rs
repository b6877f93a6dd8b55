//! Chromium through WebDriver: Debian's `chromium` and `chromium-driver`, headless, each browser with a profile of its
//! own. What a test looks for beyond clicking is in [`Browser::axe`], [`Browser::small_targets`] and
//! [`Browser::content_security_violations`].

mod driver;
mod inspect;

use std::path::{Path, PathBuf};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use driver::{Driver, Extension};
pub use inspect::{ConsoleEntry, Violation};

/// What the visitor's machine prefers: CSS `prefers-color-scheme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColourScheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// A headless Chromium with a fresh profile. It and its driver end when this value is dropped.
pub struct Browser {
    client: Client,
    console: std::sync::Mutex<Vec<ConsoleEntry>>,
    // Dropped in this order: first the processes, then their profile.
    _driver: Driver,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser that prefers `language` (`de`, `en`), 1280 by 900 pixels, light, with reduced motion, that
    /// accepts any certificate; `None` if Chromium or its driver is not installed, which is said loudly.
    ///
    /// # Panics
    /// If both are installed but do not start.
    pub async fn start(language: &str) -> Option<Self> {
        let (Some(chromium), Some(chromedriver)) =
            (find(&["chromium", "chromium-browser", "google-chrome"]), find(&["chromedriver"]))
        else {
            crate::skipped("browser", "chromium and chromedriver are not both on the search path");
            return None;
        };
        let profile = TempDir::with_prefix("letterkeep-browser-").expect("a directory for the profile");
        let driver = Driver::start(&chromedriver);
        let capabilities = capabilities(&chromium, profile.path(), language);
        let Value::Object(capabilities) = capabilities else { unreachable!("the literal is an object") };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&driver.url())
            .await
            .expect("chromedriver must open a session");
        let browser = Self { client, console: std::sync::Mutex::default(), _driver: driver, _profile: profile };
        browser.resize(1280, 900).await;
        Some(browser)
    }

    /// The session, for everything that has no method here.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Opens `url` and waits until it has loaded.
    ///
    /// # Panics
    /// If the page cannot be loaded.
    pub async fn open(&self, url: &str) {
        if let Err(error) = self.client.goto(url).await {
            panic!("{url} does not open: {error}");
        }
    }

    /// Waits up to ten seconds for an element that matches the CSS `selector`.
    ///
    /// # Panics
    /// If none appears; the text of the page is in the message.
    pub async fn wait_for(&self, selector: &str) -> fantoccini::elements::Element {
        let wait = self.client.wait().at_most(Duration::from_secs(10));
        match wait.for_element(Locator::Css(selector)).await {
            Ok(element) => element,
            Err(error) => {
                let text = self.execute("return location.href + '\\n' + document.body.innerText").await;
                panic!("no {selector} appeared ({error}) on {}", text.as_str().unwrap_or("a page without text"));
            }
        }
    }

    /// Clicks what matches `selector`, waiting for it if need be.
    ///
    /// # Panics
    /// If it does not appear or cannot be clicked.
    pub async fn click(&self, selector: &str) {
        if let Err(error) = self.wait_for(selector).await.click().await {
            panic!("{selector} cannot be clicked: {error}");
        }
    }

    /// Replaces what stands in the field `selector` by `text`.
    ///
    /// # Panics
    /// If the field does not appear or takes no text.
    pub async fn fill(&self, selector: &str, text: &str) {
        let field = self.wait_for(selector).await;
        let typed = match field.clear().await {
            Ok(()) => field.send_keys(text).await,
            Err(error) => Err(error),
        };
        if let Err(error) = typed {
            panic!("{selector} takes no text: {error}");
        }
    }

    /// The visible text of the first element that matches `selector`.
    ///
    /// # Panics
    /// If it does not appear.
    pub async fn text(&self, selector: &str) -> String {
        self.wait_for(selector).await.text().await.expect("an element has text")
    }

    /// Runs `script` (its `return` is the result) as WebDriver does: a Content-Security-Policy does not stop it.
    ///
    /// # Panics
    /// If the script throws.
    pub async fn execute(&self, script: &str) -> Value {
        match self.client.execute(script, Vec::new()).await {
            Ok(value) => value,
            Err(error) => panic!("the script failed: {error}"),
        }
    }

    /// Makes the viewport `width` by `height` CSS pixels, also narrower than a window may be.
    ///
    /// # Panics
    /// If the browser has gone.
    pub async fn resize(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Pretends that the visitor's machine prefers `scheme`.
    ///
    /// # Panics
    /// If the browser has gone.
    pub async fn prefer(&self, scheme: ColourScheme) {
        let value = match scheme {
            ColourScheme::Light => "light",
            ColourScheme::Dark => "dark",
        };
        let features = json!([
            { "name": "prefers-color-scheme", "value": value },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// Switches the page's own scripts off or on, from the next page on. [`Self::execute`] needs them on.
    ///
    /// # Panics
    /// If the browser has gone.
    pub async fn scripts(&self, on: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": !on })).await;
    }

    /// Saves the whole page, not only what fits the window, as `target/screenshots/NAME.png`.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let metrics = self.devtools("Page.getLayoutMetrics", json!({})).await;
        let size = |side: &str| metrics["cssContentSize"][side].as_f64().unwrap_or(900.0);
        // A list of a thousand rows is not a picture that anybody looks at.
        let (width, height) = (size("width"), size("height").min(6000.0));
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
        let shot = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let answer = self.devtools("Page.captureScreenshot", shot).await;
        let picture = driver::from_base64(answer["data"].as_str().expect("a screenshot has data"));
        let directory = screenshots();
        std::fs::create_dir_all(&directory).expect("the directory of screenshots");
        let file = directory.join(format!("{name}.png"));
        std::fs::write(&file, picture).expect("the screenshot is written");
        file
    }

    /// Sends a command of the DevTools protocol.
    ///
    /// # Panics
    /// If the browser refuses it.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        match self.client.issue_cmd(Extension { path: "goog/cdp/execute", body }).await {
            Ok(value) => value,
            Err(error) => panic!("{command} failed: {error}"),
        }
    }
}

/// `target/screenshots` of the build that this test belongs to.
pub fn screenshots() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies in crates/testkit");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
    target.join("screenshots")
}

fn capabilities(chromium: &Path, profile: &Path, language: &str) -> Value {
    let arguments = [
        "--headless".to_owned(),
        // Containers and root have no namespaces to build the sandbox from; the pages are our own.
        "--no-sandbox".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-quic".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        "--disable-default-apps".to_owned(),
        "--disable-extensions".to_owned(),
        "--ignore-certificate-errors".to_owned(),
        "--force-prefers-reduced-motion".to_owned(),
        "--hide-scrollbars".to_owned(),
        format!("--lang={language}"),
        format!("--accept-lang={language}"),
        format!("--user-data-dir={}", profile.display()),
    ];
    json!({
        "acceptInsecureCerts": true,
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": {
            "binary": chromium,
            "args": arguments,
            "prefs": {
                "intl.accept_languages": language,
                // A prompt to keep a password, or a warning about a leaked one, would cover the page.
                "credentials_enable_service": false,
                "profile.password_manager_leak_detection": false,
            },
        },
    })
}

fn find(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    names
        .iter()
        .flat_map(|name| std::env::split_paths(&path).map(move |dir| dir.join(name)))
        .find(|file| file.is_file())
}
