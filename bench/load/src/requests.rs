//! What clients send: as browsers do, and as attackers do.

/// Headers of a browser.
const BROWSER: &str = "Host: localhost\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: de,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n\
    Cookie: sid=5f0c2b7a9d1e4c3b8a6f7e5d4c3b2a19\r\nUpgrade-Insecure-Requests: 1\r\n\
    Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\n";

/// Requests that a person makes.
pub(crate) fn honest() -> Vec<Vec<u8>> {
    vec![
        get("/campaigns?page=2&sort=name"),
        post("/contacts/new", "name=Anna+M%C3%BCller&email=anna%40example.org&note=See+you+on+Monday"),
        get("/contacts?q=M%C3%BCller+%26+Sons"),
        get("/assets/app.css"),
        post("/campaigns/new", "subject=Summer+sale%3A+20+%25+off&from=shop%40example.org&text=Dear+customer"),
    ]
}

/// SQL injection, cross-site scripting, and paths that lead out.
pub(crate) fn attacks() -> Vec<Vec<u8>> {
    vec![
        get("/search?q=1%27%20UNION%20SELECT%20password%20FROM%20users--%20-"),
        post("/contacts/new", "name=%3Cscript%3Ealert(document.cookie)%3C%2Fscript%3E&email=a%40example.org"),
        get("/files?name=..%2F..%2F..%2Fetc%2Fpasswd"),
        post("/login", "email=a%27%20or%201%3D1--%20-&password=x"),
        get("/search?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"),
    ]
}

/// An answer that is longer than what the kernel keeps.
pub(crate) fn large() -> Vec<u8> {
    get("/large")
}

/// A head that has begun.
pub(crate) const BEGUN: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\n{BROWSER}\r\n").into_bytes()
}

fn post(target: &str, form: &str) -> Vec<u8> {
    let fields = format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n", form.len());
    format!("POST {target} HTTP/1.1\r\n{BROWSER}Origin: https://localhost\r\n{fields}\r\n{form}").into_bytes()
}
