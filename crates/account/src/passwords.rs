use std::sync::Arc;

use letterkeep_model::{Ctx, Entropy};
use letterkeep_vault::{Password, PasswordCost, PasswordMatch, hash_password, verify_nobody, verify_password};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::{Blocklist, Fault, PasswordPolicy, PolicyError};

/// Hashes and compares passwords; both take tens of milliseconds and all the memory that [`PasswordCost`] names.
pub trait Hasher: Send + Sync + 'static {
    /// The PHC string to store (sealed).
    fn hash(&self, password: &Password, entropy: &dyn Entropy) -> Zeroizing<String>;
    /// Compares with a stored string. `None` means that there is nobody: the same work must be done, and the answer is
    /// no.
    fn verify(&self, password: &Password, phc: Option<&str>) -> PasswordMatch;
}

/// Argon2id, what the product uses.
#[derive(Debug, Clone, Copy, Default)]
pub struct Argon2id(
    /// What one guess costs.
    pub PasswordCost,
);

impl Hasher for Argon2id {
    fn hash(&self, password: &Password, entropy: &dyn Entropy) -> Zeroizing<String> {
        hash_password(password, self.0, entropy)
    }

    fn verify(&self, password: &Password, phc: Option<&str>) -> PasswordMatch {
        match phc {
            Some(phc) => verify_password(password, phc),
            None => verify_nobody(password, self.0),
        }
    }
}

/// What sign-up and log-in need beside the store: the policy, the list of forbidden passwords, and the hashing, of
/// which only so much runs at a time that a flood of log-ins does not stall the rest. Cheap to clone.
#[derive(Clone)]
pub struct Passwords(Arc<Inner>);

struct Inner {
    policy: PasswordPolicy,
    blocklist: Blocklist,
    hasher: Arc<dyn Hasher>,
    /// One permit for each hash that may run.
    running: Arc<Semaphore>,
    /// One permit for each that may run or wait.
    admitted: Arc<Semaphore>,
}

/// How many may wait for each that runs: about a second's work.
const WAITING: usize = 16;

/// Why nothing was hashed.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// Too many passwords are being hashed already.
    Busy,
    /// Something failed.
    Fault(Fault),
}

impl Passwords {
    /// Hashing with Argon2id on as many threads as the machine has.
    pub fn new(policy: PasswordPolicy, blocklist: Blocklist, cost: PasswordCost) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with_hasher(policy, blocklist, Arc::new(Argon2id(cost)), threads)
    }

    /// Hashing with something else, `threads` at a time.
    pub fn with_hasher(policy: PasswordPolicy, blocklist: Blocklist, hasher: Arc<dyn Hasher>, threads: usize) -> Self {
        let threads = threads.max(1);
        Self(Arc::new(Inner {
            policy,
            blocklist,
            hasher,
            running: Arc::new(Semaphore::new(threads)),
            admitted: Arc::new(Semaphore::new(threads * (1 + WAITING))),
        }))
    }

    /// The policy, to be shown where a password is chosen.
    pub fn policy(&self) -> &PasswordPolicy {
        &self.0.policy
    }

    /// Names every rule that a new password breaks; see [`PasswordPolicy::check`].
    pub fn check(&self, password: &Password, context: &[&str]) -> Result<(), PolicyError> {
        self.0.policy.check(password, context, &self.0.blocklist)
    }

    /// Checks a new password against the policy and hashes it.
    pub(crate) async fn hash(
        &self,
        ctx: &Ctx,
        password: &Password,
        context: &[&str],
    ) -> Result<Result<Zeroizing<String>, PolicyError>, Stopped> {
        let entropy = ctx.shared_entropy().clone();
        let context: Vec<String> = context.iter().map(|&word| word.to_owned()).collect();
        self.run(password, move |inner, password| {
            let words: Vec<&str> = context.iter().map(String::as_str).collect();
            inner.policy.check(password, &words, &inner.blocklist)?;
            Ok(inner.hasher.hash(password, &*entropy))
        })
        .await
    }

    /// Compares a password with a stored hash, or with nobody's.
    pub(crate) async fn verify(
        &self,
        password: &Password,
        phc: Option<Zeroizing<String>>,
    ) -> Result<PasswordMatch, Stopped> {
        self.run(password, move |inner, password| inner.hasher.verify(password, phc.as_ref().map(|phc| phc.as_str())))
            .await
    }

    /// Hashes a password that has just been found right, to store it at today's cost.
    pub(crate) async fn rehash(&self, ctx: &Ctx, password: &Password) -> Result<Zeroizing<String>, Stopped> {
        let entropy = ctx.shared_entropy().clone();
        self.run(password, move |inner, password| inner.hasher.hash(password, &*entropy)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        password: &Password,
        work: impl FnOnce(&Inner, &Password) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let place = self.0.admitted.clone().try_acquire_owned().map_err(|_| Stopped::Busy)?;
        let turn = self.0.running.clone().acquire_owned().await.map_err(|_| Stopped::Busy)?;
        // The thread outlives a caller that goes away: it takes along what it works with and what it occupies.
        let inner = self.0.clone();
        let password = password.clone();
        tokio::task::spawn_blocking(move || {
            let _occupied = (place, turn);
            work(&inner, &password)
        })
        .await
        .map_err(|_| Stopped::Fault(Fault::Interrupted))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc;

    use super::*;

    /// A hasher that waits until it is let go.
    struct Stuck(Mutex<mpsc::Receiver<()>>);

    impl Hasher for Stuck {
        fn hash(&self, _: &Password, _: &dyn Entropy) -> Zeroizing<String> {
            Zeroizing::default()
        }

        fn verify(&self, _: &Password, _: Option<&str>) -> PasswordMatch {
            let _ = self.0.lock().unwrap().recv();
            PasswordMatch::No
        }
    }

    #[tokio::test]
    async fn beyond_the_queue_the_answer_is_busy_at_once() {
        let (let_go, wait) = mpsc::channel();
        let hasher = Arc::new(Stuck(Mutex::new(wait)));
        let passwords = Passwords::with_hasher(PasswordPolicy::nist(), Blocklist::packaged(), hasher, 1);
        let waiting: Vec<_> = (0..=WAITING)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move {
                    let password = Password::new("a".into()).unwrap();
                    passwords.verify(&password, None).await.is_ok()
                })
            })
            .collect();
        tokio::task::yield_now().await;
        let password = Password::new("a".into()).unwrap();
        assert!(matches!(passwords.verify(&password, None).await, Err(Stopped::Busy)), "one too many");
        for _ in &waiting {
            let_go.send(()).unwrap();
        }
        for one in waiting {
            assert!(one.await.unwrap(), "who was admitted gets an answer");
        }
        let_go.send(()).unwrap();
        assert!(passwords.verify(&password, None).await.is_ok(), "and then there is room again");
    }
}
