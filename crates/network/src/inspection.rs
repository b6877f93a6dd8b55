//! One request on its way through the firewall's engine, with the processor time that its rules may take.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use letterkeep_waf::{Connection, Interruption, Limits, Record, Ruleset, Transaction};
use rustix::time::{ClockId, clock_gettime};

/// A request that is being looked at.
pub(crate) struct Inspection {
    transaction: Transaction,
    stopwatch: Arc<Stopwatch>,
}

/// Processor time that rules have taken, over all pieces of a request, whichever thread they ran on. The wall's clock
/// would blame a request for what others do on a busy machine.
#[derive(Default)]
struct Stopwatch {
    /// Microseconds of the pieces that have ended.
    used: AtomicU64,
    /// The thread's clock when the present piece began.
    began: AtomicU64,
}

impl Stopwatch {
    fn start(&self) {
        self.began.store(thread_time(), Ordering::Relaxed);
    }

    fn total(&self) -> u64 {
        let piece = thread_time().saturating_sub(self.began.load(Ordering::Relaxed));
        self.used.load(Ordering::Relaxed) + piece
    }

    fn stop(&self) {
        self.used.store(self.total(), Ordering::Relaxed);
    }
}

/// Microseconds of processor time of this thread.
fn thread_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1000
}

/// What a request says of itself before its body, as it was sent.
pub(crate) struct Head<'a> {
    pub(crate) method: &'a [u8],
    pub(crate) target: &'a [u8],
    pub(crate) version: &'a [u8],
    pub(crate) headers: Vec<(&'a [u8], &'a [u8])>,
}

impl Inspection {
    pub(crate) fn new(
        rules: &Arc<Ruleset>,
        id: &str,
        client: SocketAddr,
        server: SocketAddr,
        limits: Limits,
        budget: Duration,
    ) -> Self {
        let connection = Connection {
            client: client.ip(),
            client_port: client.port(),
            server: server.ip(),
            server_port: server.port(),
        };
        let stopwatch = Arc::new(Stopwatch::default());
        let (watch, budget) = (stopwatch.clone(), u64::try_from(budget.as_micros()).unwrap_or(u64::MAX));
        let transaction = Transaction::new(rules, &connection, id, limits).with_budget(move || watch.total() > budget);
        Self { transaction, stopwatch }
    }

    /// Remembers what `initcol` opens beyond this request.
    pub(crate) fn with_collections(self, collections: Arc<letterkeep_waf::Collections>, now: u64) -> Self {
        Self { transaction: self.transaction.with_collections(collections, now), ..self }
    }

    /// The request line and the headers.
    pub(crate) fn head(&mut self, head: &Head<'_>) -> Option<Interruption> {
        self.timed(|transaction| {
            transaction.request_line(head.method, head.target, head.version);
            for (name, value) in &head.headers {
                transaction.request_header(name, value);
            }
            transaction.end_request_headers()
        })
    }

    /// A piece of the body.
    pub(crate) fn body(&mut self, bytes: &[u8]) -> Option<Interruption> {
        self.timed(|transaction| transaction.request_body(bytes))
    }

    /// The body is complete.
    pub(crate) fn end_body(&mut self) -> Option<Interruption> {
        self.timed(Transaction::end_request_body)
    }

    /// Status and headers of the answer.
    pub(crate) fn answer(&mut self, status: u16, headers: &http::HeaderMap) -> Option<Interruption> {
        self.timed(|transaction| {
            transaction.response_status(status, b"HTTP/1.1");
            for (name, value) in headers {
                transaction.response_header(name.as_str().as_bytes(), value.as_bytes());
            }
            transaction.end_response_headers()
        })
    }

    /// The whole body of the answer.
    pub(crate) fn answer_body(&mut self, bytes: &[u8]) -> Option<Interruption> {
        self.timed(|transaction| {
            transaction.response_body(bytes);
            transaction.end_response_body()
        })
    }

    /// What was found, and the processor time that it took in microseconds.
    pub(crate) fn finish(self) -> (Record, u64) {
        self.stopwatch.start();
        let record = self.transaction.finish();
        self.stopwatch.stop();
        (record, self.stopwatch.used.load(Ordering::Relaxed))
    }

    fn timed<T>(&mut self, piece: impl FnOnce(&mut Transaction) -> T) -> T {
        self.stopwatch.start();
        let done = piece(&mut self.transaction);
        self.stopwatch.stop();
        done
    }
}
