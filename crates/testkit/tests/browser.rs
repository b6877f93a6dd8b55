//! The positive control of the browser harness: a page with planted faults, each of which must be named, and a sound
//! page on which nothing may be found.
#![cfg(feature = "browser")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use letterkeep_testkit::browser::{Browser, ColourScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const FAULTY: &str = r##"<!doctype html><html><head><style>.pale { color: #ccc; background: #fff }</style></head><body>
<p class="pale">pale text</p><img src="/picture.png"><input name="unlabelled"><button></button>
<a class="tiny" href="#" style="display:block;width:10px;height:10px;overflow:hidden">x</a>
<script>document.title = 'run'</script></body></html>"##;

const SOUND: &str = r##"<!doctype html><html lang="en"><head><title>Sound</title><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><style>
:root { color-scheme: light dark } body { background: #fff; color: #111 } @media (prefers-color-scheme: dark) { body { background: #111; color: #eee } }
button { min-width: 44px; min-height: 44px }</style></head>
<body><main><h1>Sound</h1><p>A <a href="#top">link</a> in text.</p>
<form><label>Name <input name="name" style="height:30px"></label><button type="button">Send</button></form>
<script src="/script.js"></script></main></body></html>"##;

/// Serves the two pages; only the faulty one comes with a policy that its own script breaks.
async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = vec![0; 8192];
                let length = socket.read(&mut request).await.unwrap_or(0);
                let path = String::from_utf8_lossy(&request[..length]).split(' ').nth(1).unwrap_or("/").to_owned();
                let (policy, kind, body) = match path.as_str() {
                    "/faulty" => ("script-src 'self'; style-src 'self' 'unsafe-inline'", "text/html", FAULTY),
                    "/sound" => ("script-src 'self'; style-src 'unsafe-inline'", "text/html", SOUND),
                    "/script.js" => ("default-src 'none'", "text/javascript", "document.title += ' page';"),
                    _ => ("default-src 'none'", "text/plain", ""),
                };
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Security-Policy: {policy}\r\n\
                     Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = socket.write_all(answer.as_bytes()).await;
            });
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn finds_planted_faults_and_nothing_on_a_sound_page() {
    let Some(browser) = Browser::start("de").await else { return };
    let base = serve().await;

    browser.open(&format!("{base}/sound")).await;
    assert_eq!(browser.axe().await, []);
    assert_eq!(browser.small_targets().await, [""; 0]);
    assert_eq!(browser.content_security_violations().await, [""; 0]);
    assert_eq!(browser.script_errors().await, [""; 0]);
    assert_eq!(browser.execute("return document.title").await, "Sound page");
    assert_eq!(browser.execute("return navigator.languages[0]").await, "de");

    let background = "return getComputedStyle(document.body).backgroundColor";
    browser.prefer(ColourScheme::Dark).await;
    assert_eq!(browser.execute(background).await, "rgb(17, 17, 17)");
    assert_eq!(browser.axe().await, []);
    browser.prefer(ColourScheme::Light).await;
    assert_eq!(browser.execute(background).await, "rgb(255, 255, 255)");

    browser.resize(320, 640).await;
    assert_eq!(browser.execute("return innerWidth").await, 320);
    assert!(!browser.scrolls_sideways().await);
    browser.fill("input[name=name]", "Jürgen").await;
    browser.click("button").await;
    let picture = browser.screenshot("testkit-sound").await;
    assert!(std::fs::read(picture).unwrap().starts_with(b"\x89PNG"));

    browser.scripts(false).await;
    browser.open(&format!("{base}/sound")).await;
    browser.scripts(true).await;
    assert_eq!(browser.client().title().await.unwrap(), "Sound");

    browser.open(&format!("{base}/faulty")).await;
    let rules: Vec<_> = browser.axe().await.into_iter().map(|violation| violation.rule).collect();
    for planted in ["button-name", "color-contrast", "document-title", "html-has-lang", "image-alt", "label"] {
        assert!(rules.iter().any(|rule| rule == planted), "{planted} is missing in {rules:?}");
    }
    let small = browser.small_targets().await;
    assert!(small.iter().any(|target| target.contains("tiny")), "{small:?}");
    let refused = browser.content_security_violations().await;
    assert!(refused.iter().any(|message| message.contains("script")), "{refused:?}");
}
