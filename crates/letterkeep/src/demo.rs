//! The main job on real input: from a fresh directory to a signed campaign in the mailbox, and its report.
//!
//! Every step calls what the pages call. The service runs meanwhile; the mail goes over SMTP to a sink on loopback,
//! which has every signature verified by a verifier that we did not write; opens, clicks and unsubscribes come in over
//! HTTPS as they would from recipients.

mod http;
mod journey;
mod mailbox;
pub(crate) mod progress;
mod replay;
mod verify;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use letterkeep_model::Network;
use tokio::sync::watch;

use crate::command::serve::{serve, wait_for_signal};
use crate::command::{complain, say};
use crate::config::Config;
use crate::house::House;
use crate::listen::bind;
use journey::Journey;
use mailbox::Mailbox;

/// What the demonstration has done, as the summary shows it.
struct Summary {
    rows: letterkeep_audience::import::Progress,
    reject_file: Option<PathBuf>,
    report: letterkeep_delivery::report::Report,
    received: mailbox::Received,
    replayed: replay::Replayed,
}

/// Runs the demonstration; with `exit`, ends after the summary.
pub(crate) async fn run(config: Config, contacts: Option<PathBuf>, exit: bool) -> anyhow::Result<()> {
    let started = Instant::now();
    let house = House::init(&config).await.context("step 1, making the data directory and the keys")?;
    let mut config = config;
    // The sink that plays the mail server is on this machine.
    config.relay_networks.extend(Network::LOOPBACK);
    let listener = bind(&config).await.context("step 2, starting the service")?;
    let address = listener.address()?;
    // With port 0 the system has chosen one; links and cookies need the real address.
    if config.listen.port() != address.port() {
        config.public_url = format!("https://localhost:{}", address.port());
    }
    let chain = listener.tls().chain();
    let (stop, stopped) = watch::channel(false);
    let service = tokio::spawn(serve(listener, house.clone(), config.clone(), stopped));
    complain(&format!("serving    {} (data in {})", config.public_url, config.data.display()));

    let mut mailbox = Mailbox::start().await.context("step 3, starting the SMTP sink")?;
    let journey = Journey::sign_up(&house, &config).await.context("step 4, signing up")?;
    journey.prepare(&mailbox).await.context("step 5, setting up sending domain and relay")?;
    let (rows, reject_file) = journey.import(contacts, &config).await.context("step 6, importing the contacts")?;
    let activity = journey.launch().await.context("step 7, writing and launching the campaign")?;
    journey.wait(activity).await.context("step 8, sending the campaign")?;
    let received = mailbox.finish().await.context("step 9, verifying the signatures")?;
    let replayed = replay::run(&received.visits, address, &config.public_url, &chain)
        .await
        .context("step 10, replaying opens, clicks and unsubscribes")?;
    let report = journey.report(activity).await.context("step 11, reading the report")?;

    let summary = Summary { rows, reject_file, report, received, replayed };
    summary.check().context("the demonstration ran, but its figures do not add up")?;
    summary.print(&journey, &config, started.elapsed().as_secs_f64());
    if !exit {
        say("");
        say("Serving on; end with Ctrl-C.");
        wait_for_signal().await;
    }
    // Until here: who looks around may send another campaign, and that needs somebody who takes it.
    drop(mailbox);
    let _ = stop.send(true);
    service.await.context("the service ended abnormally")?
}

impl Summary {
    /// What was sent, what arrived and what the report says must agree; every signature must hold.
    fn check(&self) -> anyhow::Result<()> {
        let (report, received) = (&self.report, &self.received);
        anyhow::ensure!(report.accepted > 0, "nothing was accepted");
        anyhow::ensure!(
            report.accepted == received.messages,
            "{} messages accepted, {} received",
            report.accepted,
            received.messages
        );
        let expected = 2 * received.messages;
        anyhow::ensure!(
            received.signatures == expected && received.held == expected,
            "{} signatures on {} messages, {} hold; expected two each, all holding",
            received.signatures,
            received.messages,
            received.held
        );
        let settled = report.accepted + report.failed + report.skipped + report.in_doubt;
        anyhow::ensure!(settled == report.recipients, "{settled} of {} recipients are settled", report.recipients);
        anyhow::ensure!(report.opens.unique >= self.replayed.opens, "opens are missing from the report");
        anyhow::ensure!(report.clicks.unique >= self.replayed.clicks, "clicks are missing from the report");
        anyhow::ensure!(report.unsubscribes >= self.replayed.unsubscribes, "unsubscribes are missing from the report");
        Ok(())
    }

    fn print(&self, journey: &Journey<'_>, config: &Config, seconds: f64) {
        let (rows, report, received) = (&self.rows, &self.report, &self.received);
        say("");
        say(&format!(
            "Rows          {} imported, {} updated or repeated, {} rejected",
            rows.created,
            rows.updated + rows.unchanged + rows.duplicate,
            rows.rejected
        ));
        if let Some(path) = &self.reject_file {
            say(&format!("              rejected rows and reasons: {}", path.display()));
        }
        say(&format!(
            "Messages      {} accepted, {} failed, {} skipped, {} in doubt",
            report.accepted, report.failed, report.skipped, report.in_doubt
        ));
        say(&format!(
            "Signatures    {} of {} hold (mail-auth; RSA-2048 and Ed25519 on each message)",
            received.held, received.signatures
        ));
        say(&format!("Opens         {}", report.opens.unique));
        say(&format!("Clicks        {}", report.clicks.unique));
        say(&format!("Unsubscribed  {}", report.unsubscribes));
        say(&format!("Time          {seconds:.1} s"));
        say("");
        say("Log in");
        say(&format!("  address      {}/log-in", config.public_url));
        say(&format!("  user name    {}", journey.user_name()));
        say(&format!("  password     {}", journey.password()));
        say(&format!("  TOTP secret  {}", journey.totp_secret()));
        say("The certificate is self-signed: the browser will ask. The password is shown this once.");
    }
}
