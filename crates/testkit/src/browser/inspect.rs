use std::fmt;

use serde_json::{Value, json};

use super::Browser;
use super::driver::Extension;

/// axe-core as published; its digest stands in `assets/vendor.toml`.
const AXE: &str = include_str!("../../vendor/axe-core-4.14.1.min.js");

/// The success criteria that a page must meet: WCAG 2.2 A and AA, which include 2.0 and 2.1.
const WCAG_TAGS: [&str; 5] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/// WCAG 2.2, 2.5.8: targets of at least 24 by 24 CSS pixels. Links in running text are excepted by the criterion, as
/// is what nobody can see, and a native control whose label is large enough.
const SMALL_TARGETS: &str = r#"
const selector = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [role=button], [role=link], [role=tab], [role=menuitem], [tabindex]:not([tabindex="-1"])';
const small = [];
for (const element of document.querySelectorAll(selector)) {
  if (element.disabled || !element.checkVisibility({ visibilityProperty: true })) continue;
  const style = getComputedStyle(element);
  const sizes = [element, ...(element.labels ?? [])].map(e => e.getBoundingClientRect());
  if (sizes[0].width <= 1 && sizes[0].height <= 1) continue; // visually hidden until focused
  if (sizes.some(s => s.width >= 24 && s.height >= 24)) continue;
  const inText = style.display === 'inline' && element.tagName === 'A' &&
    [...element.parentElement.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.textContent.trim() !== '');
  if (inText) continue;
  const { width, height } = sizes[0];
  small.push(`${element.outerHTML.slice(0, 120)} is ${width.toFixed(0)} by ${height.toFixed(0)} px`);
}
return small;
"#;

/// A rule of axe-core that the page breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The rule, for example `color-contrast`.
    pub rule: String,
    /// What the rule asks for.
    pub help: String,
    /// The elements that break it, as HTML, with what to do.
    pub elements: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}):", self.rule, self.help)?;
        self.elements.iter().try_for_each(|element| write!(f, "\n  {element}"))
    }
}

/// A line of the browser's console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleEntry {
    /// `security`, `javascript`, `network`, `console-api` …
    pub source: String,
    /// `SEVERE`, `WARNING`, `INFO` …
    pub level: String,
    /// What it says.
    pub message: String,
}

impl Browser {
    /// What axe-core finds on the page against WCAG 2.2 AA. It runs under a strict Content-Security-Policy too.
    ///
    /// # Panics
    /// If axe-core does not run.
    pub async fn axe(&self) -> Vec<Violation> {
        // In one script: what an injected script leaves behind does not outlive the call under every policy.
        let script = format!(
            "{AXE};\nconst done = arguments[arguments.length - 1];\
             axe.run(document, {{ runOnly: {{ type: 'tag', values: {} }}, resultTypes: ['violations'] }})\
             .then(result => done(result.violations), error => done(String(error)));",
            json!(WCAG_TAGS)
        );
        let found = match self.client.execute_async(&script, Vec::new()).await {
            Ok(Value::Array(found)) => found,
            Ok(other) => panic!("axe-core failed: {other}"),
            Err(error) => panic!("axe-core did not run: {error}"),
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let elements = |violation: &Value| {
            let nodes = violation["nodes"].as_array().into_iter().flatten();
            nodes.map(|node| format!("{} — {}", text(&node["html"]), text(&node["failureSummary"]))).collect()
        };
        let violation = |v: &Value| Violation { rule: text(&v["id"]), help: text(&v["help"]), elements: elements(v) };
        found.iter().map(violation).collect()
    }

    /// What is too small to be hit (WCAG 2.2, 2.5.8), which axe-core does not see on a lone target.
    ///
    /// # Panics
    /// If the browser has gone.
    pub async fn small_targets(&self) -> Vec<String> {
        let found = self.execute(SMALL_TARGETS).await;
        found.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Whether the page is wider than the window, so that a reader must scroll sideways (WCAG 2.1, 1.4.10 at 320 px).
    ///
    /// # Panics
    /// If the browser has gone.
    pub async fn scrolls_sideways(&self) -> bool {
        let script = "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
        self.execute(script).await == Value::Bool(true)
    }

    /// Everything that the console has said since the browser started.
    ///
    /// # Panics
    /// If the browser has gone, or a thread panicked while it read the console.
    pub async fn console(&self) -> Vec<ConsoleEntry> {
        let log = Extension { path: "se/log", body: json!({ "type": "browser" }) };
        let new = self.client.issue_cmd(log).await.expect("chromedriver hands out its log");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let entries = new.as_array().into_iter().flatten().map(|entry| ConsoleEntry {
            source: text(&entry["source"]),
            level: text(&entry["level"]),
            message: text(&entry["message"]),
        });
        // chromedriver hands each line out once.
        let mut console = self.console.lock().expect("no thread panicked with the console in hand");
        console.extend(entries);
        console.clone()
    }

    /// What a Content-Security-Policy has refused on any page since the browser started.
    ///
    /// # Panics
    /// As [`Self::console`].
    pub async fn content_security_violations(&self) -> Vec<String> {
        let entries = self.console().await.into_iter();
        let refused =
            |entry: &ConsoleEntry| entry.source == "security" || entry.message.contains("Content Security Policy");
        entries.filter(refused).map(|entry| entry.message).collect()
    }

    /// Errors that scripts have thrown on any page since the browser started.
    ///
    /// # Panics
    /// As [`Self::console`].
    pub async fn script_errors(&self) -> Vec<String> {
        let entries = self.console().await.into_iter();
        let thrown = |entry: &ConsoleEntry| entry.source == "javascript" && entry.level == "SEVERE";
        entries.filter(thrown).map(|entry| entry.message).collect()
    }
}
