//! The operator's pages, by the link that the command prints.

use std::process::Command;
use std::time::Duration;

use letterkeep_testkit::browser::Browser;

use crate::service::Service;
use crate::visitor::Visitor;

/// An attack that every rule set knows, in a field that is excluded nowhere.
const ATTACK: &str = "/log-in?q=%3Cscript%3Ealert(document.cookie)%3C%2Fscript%3E";

pub(crate) async fn walk(browser: Browser, service: &Service) -> Visitor {
    browser.open(&format!("{}{ATTACK}", service.base())).await;
    let told = browser.text("body").await;
    assert!(told.starts_with("403 Forbidden"), "{told}");
    let id = told.lines().nth(1).unwrap().trim().to_owned();
    let console = browser.console().await;
    assert_eq!(console.iter().filter(|entry| entry.message.contains("403")).count(), 1, "{console:?}");

    let link = link_of(service).await;
    let (base, path) = link.split_at(link.find("/ops/").unwrap());
    let mut visitor = Visitor::new(browser, base);
    visitor.open("/ops/firewall?nobody").await;
    visitor.look_closely("ops-locked").await;
    visitor.open(path).await;
    visitor.look("ops-enter").await;
    visitor.submit("/ops/enter").await;
    assert_eq!(visitor.path().await, "/ops/firewall");
    visitor.look_closely("ops-state").await;

    visitor.browser.fill("#id", &format!(" {} ", id.to_uppercase())).await;
    visitor.follow("main form[role=search] button").await;
    assert_eq!(visitor.path().await, format!("/ops/firewall/requests/{id}"));
    visitor.look_closely("ops-request").await;
    visitor.follow("main td a[href*='/candidates/one']").await;
    visitor.look_closely("ops-candidate").await;
    for (path, name) in [
        ("/ops/firewall/requests", "ops-requests"),
        ("/ops/firewall/rules", "ops-rules"),
        ("/ops/firewall/candidates", "ops-candidates"),
    ] {
        visitor.open(path).await;
        visitor.look_closely(name).await;
    }
    visitor.open("/ops/firewall/requests/0000").await;
    visitor.look("ops-unknown").await;

    visitor.open("/ops/firewall").await;
    visitor.follow("footer button[name=locale][value=en]").await;
    for path in ["/ops/firewall", "/ops/firewall/requests", "/ops/firewall/rules", "/ops/firewall/candidates"] {
        visitor.open(path).await;
        visitor.look(&format!("en{}", path.replace('/', "-"))).await;
    }
    visitor.open(&format!("/ops/firewall/requests/{id}")).await;
    visitor.look("en-ops-request").await;
    visitor.follow(".public-bar form[action='/ops/leave'] button").await;
    assert_eq!(visitor.path().await, "/ops/enter");
    visitor.open(path).await;
    visitor.submit("/ops/enter").await;
    assert!(visitor.exists(".notice-bad").await, "the link works once");
    visitor.look("en-ops-refused").await;
    visitor
}

/// What `ops link` prints, as soon as the operator's pages are served.
async fn link_of(service: &Service) -> String {
    let mut said = String::new();
    for _ in 0..100 {
        let mut program = Command::new(env!("CARGO_BIN_EXE_letterkeep"));
        let output = program.args(["ops", "link"]).current_dir(service.directory()).env_clear().output().unwrap();
        if output.status.success() {
            return String::from_utf8(output.stdout).unwrap().trim().to_owned();
        }
        said = String::from_utf8_lossy(&output.stderr).into_owned();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("there is no link: {said}");
}
