//! People who sign up and log in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use letterkeep_account::log_in::{self, FactorError, LogInError};
use letterkeep_account::session::{self, LoggedIn};
use letterkeep_account::sign_up::{self, SignUp, SignUpError, Started};
use letterkeep_account::{Argon2id, Blocklist, Client, Hasher, PasswordPolicy, Passwords, Session};
use letterkeep_model::{Ctx, EmailAddress, Entropy, Id, Locale, kind};
use letterkeep_testkit::TestHouse;
use letterkeep_vault::{Password, PasswordMatch, RecoveryCode, Token, TotpSecret};
use zeroize::Zeroizing;

pub(crate) const PASSWORD: &str = "acht grüne Lampen am Kanal";
pub(crate) const HOME: &str = "203.0.113.7";
pub(crate) const AWAY: &str = "198.51.100.23";

/// Argon2id that counts how often it compared.
#[derive(Default)]
pub(crate) struct Counting {
    argon: Argon2id,
    pub(crate) compared: AtomicUsize,
}

impl Hasher for Counting {
    fn hash(&self, password: &Password, entropy: &dyn Entropy) -> Zeroizing<String> {
        self.argon.hash(password, entropy)
    }

    fn verify(&self, password: &Password, phc: Option<&str>) -> PasswordMatch {
        self.compared.fetch_add(1, Ordering::SeqCst);
        self.argon.verify(password, phc)
    }
}

pub(crate) fn counting() -> (Passwords, Arc<Counting>) {
    let hasher = Arc::new(Counting::default());
    let passwords = Passwords::with_hasher(PasswordPolicy::nist(), Blocklist::packaged(), hasher.clone(), 2);
    (passwords, hasher)
}

pub(crate) fn passwords() -> Passwords {
    counting().0
}

pub(crate) fn password(text: &str) -> Password {
    Password::new(text.to_owned()).unwrap()
}

pub(crate) fn browser(address: &str, device: Option<&Token>) -> Client {
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0";
    let cookie = device.map(|token| token.text().to_string());
    Client::new(Some(address.parse().unwrap()), Some(agent), cookie.as_deref())
}

pub(crate) fn form(user_name: &str) -> SignUp {
    SignUp {
        organisation: "Bäckerei Sonnenschein".into(),
        user_name: user_name.into(),
        email: EmailAddress::parse("erika@example.de").unwrap(),
        password: password(PASSWORD),
        locale: Locale::De,
        time_zone: "Europe/Berlin".into(),
    }
}

/// Somebody who has signed up, with everything that they keep.
pub(crate) struct Person {
    pub(crate) account: Id<kind::Account>,
    pub(crate) user: Id<kind::User>,
    pub(crate) user_name: String,
    pub(crate) session: Token,
    pub(crate) device: Token,
    pub(crate) secret: TotpSecret,
    pub(crate) codes: Vec<RecoveryCode>,
}

/// The next code of a secret: time passes, because every code counts once.
pub(crate) fn next_code(house: &TestHouse, secret: &TotpSecret) -> String {
    house.clock.advance(Duration::from_secs(30));
    secret.code_at(letterkeep_model::Clock::now(&*house.clock))
}

/// Signs somebody up from start to end.
pub(crate) async fn sign_up(house: &TestHouse, passwords: &Passwords, user_name: &str) -> Person {
    let client = browser(HOME, None);
    let started = sign_up::start(&house.public(), &house.store, passwords, &client, form(user_name)).await.unwrap();
    finish(house, user_name, started).await
}

/// Proves the factor of a sign-up and confirms the recovery codes.
pub(crate) async fn finish(house: &TestHouse, user_name: &str, started: Started) -> Person {
    let (ctx, client) = (house.public(), browser(HOME, None));
    let code = next_code(house, &started.setup.secret);
    let proven = sign_up::prove_factor(&ctx, &house.store, &client, &started.session, &code).await.unwrap();
    let done = sign_up::acknowledge_recovery_codes(&ctx, &house.store, &client, &proven.session).await.unwrap();
    Person {
        account: started.account,
        user: started.user,
        user_name: user_name.to_owned(),
        session: done.session,
        device: done.device,
        secret: started.setup.secret,
        codes: proven.codes,
    }
}

impl Person {
    /// The first step of a log-in with the right password.
    pub(crate) async fn authenticate(
        &self,
        house: &TestHouse,
        passwords: &Passwords,
        client: &Client,
    ) -> Result<Token, LogInError> {
        let right = password(PASSWORD);
        log_in::authenticate(&house.public(), &house.store, passwords, client, &self.user_name, &right).await
    }

    /// The second step with the next code.
    pub(crate) async fn prove(
        &self,
        house: &TestHouse,
        client: &Client,
        token: &Token,
    ) -> Result<LoggedIn, FactorError> {
        let code = next_code(house, &self.secret);
        log_in::prove_factor(&house.public(), &house.store, client, token, &code).await
    }

    /// A whole log-in.
    pub(crate) async fn log_in(&self, house: &TestHouse, passwords: &Passwords, client: &Client) -> LoggedIn {
        let token = self.authenticate(house, passwords, client).await.unwrap();
        self.prove(house, client, &token).await.unwrap()
    }

    /// The context in which they act.
    pub(crate) async fn ctx(&self, house: &TestHouse) -> Ctx {
        look_up(house, &self.session).await.unwrap().enter(&house.public()).unwrap()
    }
}

pub(crate) async fn look_up(house: &TestHouse, token: &Token) -> Option<Session> {
    let mut tx = house.store.db.read().await.unwrap();
    session::find(&house.public(), &mut tx, token).await.unwrap()
}

pub(crate) async fn begin(house: &TestHouse, user_name: &str) -> Result<Started, SignUpError> {
    let client = browser(HOME, None);
    // On the heap: two of them in one test are more than clippy likes on a stack.
    Box::pin(sign_up::start(&house.public(), &house.store, &passwords(), &client, form(user_name))).await
}
