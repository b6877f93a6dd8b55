//! The public listeners: TLS with the configured certificate, and plain HTTP that only leads there.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use letterkeep_model::{Clock as _, SystemClock};
use letterkeep_network::{AcmeSettings, Certificate, Limits, Listener, Redirect, Tls as Shown, TlsSource};
use tokio::sync::watch;

use crate::config::{Config, Tls, public_host};
use crate::private;

/// How often the certificate's files are looked at.
const CERTIFICATE_LOOK: Duration = Duration::from_secs(5);

/// Binds the address with the configured certificate, before anything else is opened: a port in use is the most
/// frequent reason not to start.
pub(crate) async fn bind(config: &Config) -> anyhow::Result<Listener> {
    let source = match &config.tls {
        Tls::Files { certificate, key } => {
            private::refuse_exposed(key)?;
            TlsSource::Files { certificate: certificate.clone(), key: key.clone(), every: CERTIFICATE_LOOK }
        }
        Tls::Acme(acme) => TlsSource::Acme(AcmeSettings {
            directory: acme.directory.clone(),
            names: vec![public_host(&config.public_url).to_owned()],
            contacts: acme.contacts.clone(),
            cache: config.data.join("acme"),
            root: acme.root.clone(),
            clock: Arc::new(SystemClock),
        }),
        Tls::SelfSigned => {
            anyhow::ensure!(
                config.data.is_dir(),
                "there is no data directory {}; make one with: letterkeep init",
                config.data.display()
            );
            let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
            let host = public_host(&config.public_url).to_owned();
            if !names.contains(&host) {
                names.insert(0, host);
            }
            TlsSource::Fixed(Certificate::self_signed(&config.data, &names, SystemClock.now())?)
        }
    };
    raise_file_limit();
    Ok(Listener::bind(config.listen, source, limits(config)).await?)
}

/// Answers plain HTTP where the configuration says so, and reads the certificate's files again when asked to (SIGHUP),
/// until `stop` turns true.
pub(crate) async fn accompany(config: &Config, tls: Shown, stop: &watch::Receiver<bool>) -> anyhow::Result<()> {
    if let Some(address) = config.plain_listen {
        let host = config.public_url.trim_start_matches("https://");
        let redirect = Redirect::bind(address, host, tls.challenges(), &limits(config)).await;
        let redirect = redirect.context("plain HTTP (tls.plain_listen)")?;
        tracing::info!(address = %redirect.address()?, "plain HTTP leads to the encrypted address");
        let mut stop = stop.clone();
        tokio::spawn(redirect.serve(async move {
            let _ = stop.wait_for(|stop| *stop).await;
        }));
    }
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut hangup = signal(SignalKind::hangup())?;
        let mut stop = stop.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = stop.wait_for(|stop| *stop) => return,
                    _ = hangup.recv() => match tls.reload() {
                        Ok(()) => tracing::info!("the certificate was read again"),
                        Err(error) => tracing::error!(%error, "the certificate could not be read again; the one before is kept"),
                    },
                }
            }
        });
    }
    Ok(())
}

fn limits(config: &Config) -> Limits {
    Limits { trusted: config.edge.trusted.clone(), ..Limits::default() }
}

/// Every connection is an open file, and systems begin with about a thousand of them.
#[cfg(unix)]
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut files = getrlimit(Resource::Nofile);
    let wanted = u64::try_from(Limits::default().connections * 2).unwrap_or(u64::MAX);
    let allowed = files.maximum.unwrap_or(wanted).min(wanted);
    if files.current.is_some_and(|current| current < allowed) {
        files.current = Some(allowed);
        if let Err(error) = setrlimit(Resource::Nofile, files) {
            tracing::warn!(%error, "the limit of open files could not be raised: fewer connections are possible");
        }
    }
}

#[cfg(not(unix))]
fn raise_file_limit() {}
