//! The positive control: an application with one hole of each kind that the tools look for. Its query is made of text and
//! asked of a real SQLite (Python's, which is there wherever sqlmap is).

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Form, OriginalUri, Query, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

/// Reads one query a line, answers one line: the rows, or what SQLite has against it.
const DATABASE: &str = r#"
import json, sqlite3, sys
db = sqlite3.connect(":memory:")
db.executescript("""CREATE TABLE item (id INTEGER, name TEXT, price INTEGER);
    INSERT INTO item VALUES (1, 'Quitte', 3), (2, 'Birne', 2), (3, 'Apfel', 1);""")
for line in sys.stdin:
    try:
        answer = "<br>".join(" ".join(map(str, row)) for row in db.execute(json.loads(line)))
    except Exception as error:
        answer = "Warning: SQLite3::query(): SQLite error 1: " + str(error)
    print(json.dumps(answer), flush=True)
"#;

/// The application. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Planted(Arc<Inner>);

struct Inner {
    database: Mutex<Database>,
    seen: Mutex<Vec<String>>,
}

struct Database {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Planted {
    pub(crate) fn start() -> Self {
        let mut python = Command::new("/usr/bin/python3");
        python.args(["-c", DATABASE]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = python.spawn().unwrap();
        let (questions, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let database = Mutex::new(Database { child, questions, answers });
        Self(Arc::new(Inner { database, seen: Mutex::default() }))
    }

    /// Everything that was asked of it, as it understood it.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.0.seen.lock().unwrap().clone()
    }

    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/", get(home))
            .route("/item", get(item).post(posted_item))
            .route("/hello", get(hello))
            .route("/page", get(page))
            .route("/run", get(run))
            .route("/go", get(go))
            .with_state(self.clone())
    }

    fn saw(&self, uri: &OriginalUri, fields: &Fields) {
        self.0.seen.lock().unwrap().push(format!("{} {fields:?}", uri.path()));
    }

    async fn select(&self, id: String) -> String {
        let inner = self.0.clone();
        let ask = move || {
            let mut database = inner.database.lock().unwrap();
            let query = format!("SELECT id, name, price FROM item WHERE id = {id}");
            writeln!(database.questions, "{}", serde_json::to_string(&query).unwrap()).unwrap();
            let mut answer = String::new();
            database.answers.read_line(&mut answer).unwrap();
            serde_json::from_str(&answer).unwrap()
        };
        tokio::task::spawn_blocking(ask).await.unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Fields(HashMap<String, String>);

impl Fields {
    fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|(name, value)| write!(f, "{name}={value}&"))
    }
}

/// The ways into it.
const LINKS: [&str; 5] = ["/item?id=1", "/hello?name=Anna", "/page?file=welcome.txt", "/run?host=here", "/go?to=/"];

fn html(body: &str) -> Html<String> {
    Html(format!("<!doctype html><html><head><title>Shop</title></head><body>{body}</body></html>"))
}

async fn home() -> Html<String> {
    let links = LINKS.map(|link| format!("<a href=\"{link}\">{link}</a> ")).concat();
    html(&links)
}

async fn item(State(planted): State<Planted>, uri: OriginalUri, Query(fields): Query<Fields>) -> Html<String> {
    planted.saw(&uri, &fields);
    html(&planted.select(fields.text("id").to_owned()).await)
}

async fn posted_item(State(planted): State<Planted>, uri: OriginalUri, Form(fields): Form<Fields>) -> Html<String> {
    planted.saw(&uri, &fields);
    html(&planted.select(fields.text("id").to_owned()).await)
}

async fn hello(State(planted): State<Planted>, uri: OriginalUri, Query(fields): Query<Fields>) -> Html<String> {
    planted.saw(&uri, &fields);
    html(&format!("<p>Hello {}</p>", fields.text("name")))
}

/// Stands for a file inclusion: it knows one file of the system.
async fn page(State(planted): State<Planted>, uri: OriginalUri, Query(fields): Query<Fields>) -> Html<String> {
    planted.saw(&uri, &fields);
    let file = fields.text("file");
    let includes = file.starts_with("/etc/passwd") || file.contains("../etc/passwd");
    html(if includes { "root:x:0:0:root:/root:/bin/bash" } else { "Welcome" })
}

/// Stands for a shell: it knows one command.
async fn run(State(planted): State<Planted>, uri: OriginalUri, Query(fields): Query<Fields>) -> Html<String> {
    planted.saw(&uri, &fields);
    let runs = fields.text("host").split([';', '|', '&', '\n']).skip(1).any(|command| command.trim() == "env");
    html(if runs { "PATH=/usr/bin:/bin\nPWD=/srv/shop\n" } else { "It is up" })
}

async fn go(State(planted): State<Planted>, uri: OriginalUri, Query(fields): Query<Fields>) -> Response {
    planted.saw(&uri, &fields);
    let mut response = http::StatusCode::FOUND.into_response();
    if let Ok(place) = fields.text("to").parse() {
        response.headers_mut().insert(http::header::LOCATION, place);
    }
    response
}
