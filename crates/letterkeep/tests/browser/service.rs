use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;

/// The real program on a data directory of its own. It ends when this is dropped.
pub(crate) struct Service {
    child: Child,
    base: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    data: TempDir,
}

impl Service {
    /// `init`, then `serve` on a free port, both with these variables; returns once the port answers.
    pub(crate) fn start(environment: &[(&str, &str)]) -> Self {
        let data = TempDir::with_prefix("letterkeep-service-").unwrap();
        let program = || {
            let mut program = program(data.path());
            // The strictest rules that are at hand: what they let through, our own do too (another test walks those).
            if let Some(rules) = core_rule_set() {
                program.env("LETTERKEEP_FIREWALL_RULES", rules);
            }
            program.envs(environment.iter().copied());
            program
        };
        let initialised = program().arg("init").output().unwrap();
        assert!(initialised.status.success(), "{}", String::from_utf8_lossy(&initialised.stderr));

        // The address stands in links and is compared with what browsers send, so the port must be known before.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let base = format!("https://localhost:{port}");
        let mut child = program()
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .env("LETTERKEEP_PUBLIC_URL", &base)
            // The mail server of the test is on this machine.
            .env("LETTERKEEP_RELAY_PRIVATE_NETWORKS", "127.0.0.0/8")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let log = Arc::new(Mutex::new(String::new()));
        let (ready, is_ready) = std::sync::mpsc::channel();
        let reader = std::thread::spawn({
            let log = log.clone();
            move || {
                for line in lines {
                    if line.contains(" serving ") {
                        let _ = ready.send(());
                    }
                    let mut log = log.lock().unwrap();
                    log.push_str(&line);
                    log.push('\n');
                }
            }
        });
        let service = Self { child, base, log, reader: Some(reader), data };
        let serves = is_ready.recv_timeout(Duration::from_mins(1)).is_ok();
        assert!(serves, "the service does not start:\n{}", service.log());
        service
    }

    /// `https://localhost:PORT`
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// What it has logged so far.
    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Ends it as a power cut would; yields everything that it has logged. What it has stored stays.
    pub(crate) fn end(&mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        self.log()
    }

    /// What the firewall has refused or would have, one line each.
    pub(crate) fn decisions(&self) -> Vec<String> {
        let file = self.data.path().join("letterkeep-data/firewall.jsonl");
        std::fs::read_to_string(file).unwrap().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// A directory that goes with the service.
    pub(crate) fn directory(&self) -> &Path {
        self.data.path()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let log = self.end();
        if std::thread::panicking() {
            eprintln!("the service's log:\n{log}");
        }
    }
}

/// The directory of the OWASP Core Rule Set that the test command has fetched, the current generation if it has both.
pub(crate) fn core_rule_set() -> Option<PathBuf> {
    let rules = std::env::split_paths(&std::env::var_os("LETTERKEEP_CRS")?).next()?;
    rules.parent().map(Path::to_owned)
}

fn program(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_letterkeep"));
    command.current_dir(directory).stdin(Stdio::null()).stdout(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LETTERKEEP_")) {
        command.env_remove(name);
    }
    command
}
