//! The worker that carries out a sending: freezes its audience, then claims, renders, signs and sends until nobody is
//! left, somebody stops it, or the rest has to wait.
//!
//! A recipient's row says at any instant what is known about its message. `sending` is committed before the first
//! byte leaves, the outcome after the server's answer; both in commits that all connections share. What a worker that
//! vanishes leaves behind is told apart by that: `leased` never left, `sending` may have.

mod carry;
mod count;
mod freeze;
mod job;
mod prepare;
mod scribe;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as StdMutex};
use std::time::Duration;

use letterkeep_audience::{CustomField, field};
use letterkeep_campaign::{Activity, ActivityState, CampaignError, Compiled, Content, compile_frozen};
use letterkeep_model::{Ctx, Id, Timestamp, kind};
use letterkeep_store::queue::{ClaimedJob, Outcome};
use letterkeep_store::{KeyStoreError, Store, ledger, sending_trouble};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::dkim::Signer;
use crate::domain::{self, SignerError};
use crate::limit::Destinations;
use crate::links::LinkBase;
use crate::person::PeopleError;
use crate::relay::{self, RelayError};
use crate::smtp::{Reach, Reply, Server, SmtpError, Trust};
use crate::trouble::Trouble;

pub use count::Progress;
pub use job::{gave_up, run_activity, run_job};
use scribe::Notes;

/// How long a recipient is held; prolonged while the worker lives.
pub const LEASE: Duration = Duration::from_mins(1);
/// How long the job is held; prolonged with the recipients' leases.
const JOB_LEASE: Duration = Duration::from_mins(2);
/// How often the worker looks whether somebody has paused or cancelled the sending.
const LOOK: Duration = Duration::from_millis(500);
/// Messages that are ready and wait for a connection.
const READY: usize = 128;
/// Recipients of a cancelled sending that are written off in one transaction: nobody else waits long for it.
const CANCELLED: i64 = 5_000;
/// How long a worker stays with one sending while others may wait for it.
pub const STINT: Duration = Duration::from_mins(1);
/// How often in a row a relay refuses the sender before nothing more is tried.
const SENDER_REFUSALS: u32 = 3;
/// A sending with many waiting messages is looked at again after this long at the earliest.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// What every sending of this process shares. Cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    /// The service's public address, for the links in messages.
    pub link_base: LinkBase,
    /// Which certificates of relays are believed.
    pub trust: Trust,
    /// The name given in EHLO: the service's host name.
    pub hello: String,
    /// Where relays may be.
    pub reach: Reach,
    /// The count of messages by destination.
    pub destinations: Arc<Destinations>,
}

impl Outbound {
    /// With a fresh count, and relays at public addresses alone.
    pub fn new(link_base: LinkBase, trust: Trust, hello: String) -> Self {
        Self { link_base, trust, hello, reach: Reach::default(), destinations: Arc::new(Destinations::default()) }
    }

    /// What a relay's settings do not say: how we greet it, and where it may be.
    pub fn equip(&self, server: &mut Server) {
        server.hello.clone_from(&self.hello);
        server.reach = self.reach.clone();
    }
}

/// Why a sending cannot go on. Shown to operators: names no contact.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// There is no such sending.
    #[error("there is no such sending")]
    Missing,
    /// The frozen content does not compile: it was frozen by a version that checked it differently.
    #[error("the content cannot be rendered: {0}")]
    Content(String),
    /// The sender's domain is no sending domain.
    #[error("the sender's domain is not among the sending domains; add it and publish its DNS records")]
    NoDomain,
    /// No relay.
    #[error("no mail server is set up; enter one under sending domains")]
    NoRelay,
    /// A signing key.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The relay's settings.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// The campaign.
    #[error(transparent)]
    Campaign(#[from] CampaignError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
    /// The contacts.
    #[error(transparent)]
    People(#[from] PeopleError),
    /// The database.
    #[error(transparent)]
    Store(#[from] letterkeep_store::Error),
}

impl SendError {
    /// Whether another attempt cannot help.
    fn is_final(&self) -> bool {
        matches!(self, Self::Missing | Self::Content(_))
    }
}

/// One run of the worker on one sending.
pub(crate) struct Run {
    store: Store,
    ctx: Ctx,
    activity: Id<kind::CampaignActivity>,
    job: Option<ClaimedJob>,
    content: Content,
    compiled: Compiled,
    custom: Vec<CustomField>,
    signer: Signer,
    server: Server,
    trust: Trust,
    link_base: LinkBase,
    destinations: Arc<Destinations>,
    per_minute: u32,
    most_connections: usize,
    /// Connections that have not been given up in this pass.
    connections: AtomicUsize,
    /// Whether the relay was reached in this pass.
    reached: AtomicBool,
    /// Why it was not, the last time.
    unreachable: StdMutex<Option<SmtpError>>,
    /// How often in a row the relay has refused the sender, and what it said the last time.
    refusals: StdMutex<(u32, Option<Reply>)>,
    /// Whether a reason is kept that held this sending up before.
    held_up: AtomicBool,
    count: count::Count,
    stop: AtomicBool,
    /// When this run makes room for others.
    until: Timestamp,
    /// Why it stopped, if not by somebody's wish.
    trouble: StdMutex<Option<(Trouble, String)>>,
}

impl Run {
    /// Whether nothing more is to be begun: somebody or something stopped it, or it has had its time.
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst) || self.has_had_its_time()
    }

    fn has_had_its_time(&self) -> bool {
        self.ctx.now() >= self.until
    }

    fn stop_for(&self, trouble: Trouble, reason: String) {
        self.stop.store(true, Ordering::SeqCst);
        lock(&self.trouble).get_or_insert((trouble, reason));
    }

    /// Stops because of something that is not a matter of the account.
    fn stop_with(&self, reason: String) {
        self.stop_for(Trouble::Service, reason);
    }

    /// The relay has refused the sender.
    fn sender_refused(&self, reply: Reply) {
        let mut refusals = lock(&self.refusals);
        *refusals = (refusals.0 + 1, Some(reply));
        if refusals.0 >= SENDER_REFUSALS {
            self.stop.store(true, Ordering::SeqCst);
        }
    }

    /// The relay has taken the sender.
    fn sender_taken(&self) {
        *lock(&self.refusals) = (0, None);
    }

    /// The relay's refusal, if it is reason enough to stop: several in a row, or the last word of a pass that has ended
    /// by itself.
    fn refusal(&self) -> Option<Trouble> {
        let refusals = lock(&self.refusals);
        let (number, reply) = &*refusals;
        let reply = reply.as_ref().filter(|_| *number >= SENDER_REFUSALS || !self.stopped());
        reply.map(Trouble::sender)
    }
}

/// How a run of the worker ended.
enum End {
    /// Nothing is wrong.
    Well(Outcome),
    /// It cannot go on now and may later. The text is for operators.
    Held(Trouble, String),
    /// The relay takes nothing from this sender: somebody has to mend that before more is tried.
    Refused(Trouble),
}

async fn run(
    store: &Store,
    ctx: &Ctx,
    activity: Id<kind::CampaignActivity>,
    outbound: &Outbound,
    job: Option<&ClaimedJob>,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<End, SendError> {
    let until = ctx.now().plus(STINT);
    let keyring = store.keys.keyring(ctx.account).await?;
    let mut tx = store.db.read().await?;
    let found =
        letterkeep_campaign::find_activity(ctx, &mut tx, &keyring, activity).await?.ok_or(SendError::Missing)?;
    drop(tx);
    match found.state {
        ActivityState::Finished | ActivityState::Paused => return Ok(End::Well(Outcome::Done)),
        ActivityState::Cancelled => return Ok(End::Well(cancelled(store, ctx, activity).await?)),
        ActivityState::Freezing | ActivityState::Sending => {}
    }
    if found.frozen_at.is_none() && !freeze::freeze(store, ctx, &found, job, progress).await? {
        return Ok(End::Well(after_stop(store, ctx, activity).await?));
    }
    let run = Arc::new(equip(store, ctx, found, outbound, job, until).await?);
    loop {
        let mut tx = store.db.write().await?;
        let (planned, in_doubt) = ledger::expire(&mut tx, ctx.account, activity, ctx.now()).await?;
        let totals = ledger::totals(&mut tx, ctx.account, activity).await?;
        tx.commit().await?;
        if planned + in_doubt > 0 {
            tracing::warn!(%activity, planned, in_doubt, "a worker vanished; its recipients are free again or in doubt");
        }
        run.count.reset(&totals);
        pass(&run, progress).await;
        progress(run.count.progress());
        if let Some(refusal) = run.refusal() {
            return Ok(End::Refused(refusal));
        }
        if let Some((trouble, reason)) = lock(&run.trouble).take() {
            return Ok(End::Held(trouble, reason));
        }
        job::goes_on(&run).await;
        if run.stop.load(Ordering::SeqCst) {
            return Ok(End::Well(after_stop(store, ctx, activity).await?));
        }
        let mut tx = store.db.read().await?;
        let due = ledger::next_due(&mut tx, ctx.account, activity).await?;
        let expiry = ledger::next_expiry(&mut tx, ctx.account, activity).await?;
        drop(tx);
        match due.into_iter().chain(expiry.map(after)).min() {
            None => {
                let mut tx = store.db.write().await?;
                letterkeep_campaign::finish(ctx, &mut tx, activity).await?;
                tx.commit().await?;
                return Ok(End::Well(Outcome::Done));
            }
            // Others have waited for a worker meanwhile.
            Some(at) if at <= ctx.now() && run.has_had_its_time() => return Ok(End::Well(Outcome::Again(ctx.now()))),
            // Some were put off for a moment only, for example because their connection ended.
            Some(at) if at <= ctx.now() => {}
            Some(at) => return Ok(End::Well(Outcome::Again(at.max(ctx.now().plus(SHORTEST_PAUSE))))),
        }
    }
}

/// Nothing that these locks guard can be left half-changed.
fn lock<T>(mutex: &StdMutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A lease ends after its last instant.
fn after(lease_until: Timestamp) -> Timestamp {
    lease_until.plus(Duration::from_micros(1))
}

/// Opens everything that a run needs.
async fn equip(
    store: &Store,
    ctx: &Ctx,
    found: Activity,
    outbound: &Outbound,
    job: Option<&ClaimedJob>,
    until: Timestamp,
) -> Result<Run, SendError> {
    // Freezing a large audience may have taken long enough for a rotation.
    let keyring = store.keys.keyring(ctx.account).await?;
    let mut tx = store.db.read().await?;
    let custom = field::all(ctx, &mut tx).await?;
    let compiled = compile_frozen(&found.content).map_err(|problems| {
        SendError::Content(problems.first().map_or_else(String::new, |problem| problem.code.to_owned()))
    })?;
    let signer = domain::signer(ctx, &mut tx, &keyring, &found.content.from_address).await?;
    let signer = signer.ok_or(SendError::NoDomain)?;
    let (relay, mut server) = relay::open(ctx, &mut tx, &keyring).await?.ok_or(SendError::NoRelay)?;
    let held_up = sending_trouble::find(&mut tx, ctx.account, found.id).await?.is_some();
    drop(tx);
    outbound.equip(&mut server);
    Ok(Run {
        store: store.clone(),
        ctx: ctx.clone(),
        activity: found.id,
        job: job.cloned(),
        content: found.content,
        compiled,
        custom,
        signer,
        server,
        trust: outbound.trust.clone(),
        link_base: outbound.link_base.clone(),
        destinations: outbound.destinations.clone(),
        per_minute: relay.per_destination_per_minute,
        most_connections: usize::from(relay.connections),
        connections: AtomicUsize::new(0),
        reached: AtomicBool::new(false),
        unreachable: StdMutex::new(None),
        refusals: StdMutex::new((0, None)),
        held_up: AtomicBool::new(held_up),
        count: count::Count::default(),
        stop: AtomicBool::new(false),
        until,
        trouble: StdMutex::new(None),
    })
}

/// Claims and sends until nothing is due or somebody stops the sending. Everything that was claimed has been settled
/// or released when it returns.
async fn pass(run: &Arc<Run>, progress: &(dyn Fn(Progress) + Send + Sync)) {
    let (notes, scribe) = Notes::channel();
    let scribe = tokio::spawn(scribe.write(run.clone()));
    let (out, source) = mpsc::channel(READY);
    let source = Arc::new(Mutex::new(source));
    let mut preparers = JoinSet::new();
    let cores = std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 16);
    for _ in 0..cores {
        preparers.spawn(prepare::prepare(run.clone(), out.clone(), notes.clone()));
    }
    drop(out);
    let mut carriers = JoinSet::new();
    run.connections.store(run.most_connections, Ordering::SeqCst);
    run.reached.store(false, Ordering::SeqCst);
    for _ in 0..run.most_connections {
        carriers.spawn(carry::carry(run.clone(), source.clone(), notes.clone()));
    }
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            ended = carriers.join_next() => match ended {
                Some(Ok(())) => {}
                Some(Err(_)) => run.stop_with("a connection's task ended unexpectedly".to_owned()),
                None => break,
            },
            _ = look.tick() => {
                progress(run.count.progress());
                job::goes_on(run).await;
                if !run.stopped() && !still_wanted(run).await {
                    run.stop.store(true, Ordering::SeqCst);
                }
            }
        }
    }
    // A connection may end for want of messages while another one cannot be made: then nobody has noticed yet.
    let unreachable = lock(&run.unreachable).take();
    if let Some(error) = unreachable.filter(|_| !run.reached.load(Ordering::SeqCst)) {
        run.stop_for(Trouble::relay(&error), error.without_words());
    }
    // No connection is left: what is ready goes back.
    let mut rest = source.lock().await;
    rest.close();
    while let Some(prepared) = rest.recv().await {
        carry::release(run, &notes, vec![prepared]).await;
    }
    drop(rest);
    while let Some(ended) = preparers.join_next().await {
        if ended.is_err() {
            run.stop_with("preparing messages ended unexpectedly".to_owned());
        }
    }
    drop(notes);
    if scribe.await.is_err() {
        run.stop_with("writing the ledger ended unexpectedly".to_owned());
    }
}

/// Whether nobody has paused or cancelled the sending. A database that cannot be asked stops nothing by itself.
async fn still_wanted(run: &Run) -> bool {
    let asked = async {
        let mut tx = run.store.db.read().await?;
        ledger::activity_state(&mut tx, run.ctx.account, run.activity).await
    };
    match asked.await {
        Ok(state) => state.is_some_and(|state| state == ActivityState::Sending.name()),
        Err(error) => {
            tracing::warn!(activity = %run.activity, %error, "the sending's state could not be read");
            true
        }
    }
}

/// Somebody stopped it: what that means for the job.
async fn after_stop(store: &Store, ctx: &Ctx, activity: Id<kind::CampaignActivity>) -> Result<Outcome, SendError> {
    let mut tx = store.db.read().await?;
    let state = ledger::activity_state(&mut tx, ctx.account, activity).await?;
    drop(tx);
    if state.is_some_and(|state| state == ActivityState::Cancelled.name()) {
        return cancelled(store, ctx, activity).await;
    }
    Ok(Outcome::Done)
}

/// Ends a cancelled sending: what has not left is skipped, what a vanished worker was sending is in doubt once its
/// lease has ended.
async fn cancelled(store: &Store, ctx: &Ctx, activity: Id<kind::CampaignActivity>) -> Result<Outcome, SendError> {
    let expiry = loop {
        let mut tx = store.db.write().await?;
        ledger::expire(&mut tx, ctx.account, activity, ctx.now()).await?;
        let skipped = ledger::cancel(&mut tx, ctx.account, activity, ctx.now(), CANCELLED).await?;
        let expiry = ledger::next_expiry(&mut tx, ctx.account, activity).await?;
        tx.commit().await?;
        if skipped == 0 {
            break expiry;
        }
    };
    Ok(expiry.map_or(Outcome::Done, |at| Outcome::Again(after(at).max(ctx.now().plus(SHORTEST_PAUSE)))))
}
