//! The operator's pages on a listener of their own, which a flood at the public one cannot starve and only this machine
//! can reach. Its certificate is of our own making: no authority certifies a loopback address.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use letterkeep_model::{Clock as _, SystemClock};
use letterkeep_network::rules::Mode;
use letterkeep_network::{Certificate, Firewall, Limits, ListenError, Listener, TlsSource};
use letterkeep_web::ops::{OneTimeLink, OpsHouse, Watched};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::{Config, FirewallMode, OpsListen};
use crate::edge::Approved;
use crate::house::House;

/// Connections at the same time: a browser or two.
const CONNECTIONS: usize = 64;

/// Where the running service says on which port the pages are.
pub(crate) fn address_file(data: &Path) -> PathBuf {
    data.join("ops-address")
}

/// The certificate of the pages, made if it is missing or old.
pub(crate) fn certificate(data: &Path, address: SocketAddr) -> anyhow::Result<Certificate> {
    ensure!(data.is_dir(), "there is no data directory {}; make one with: letterkeep init", data.display());
    let directory = data.join("ops");
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&directory).with_context(|| format!("making {}", directory.display()))?;
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let own = address.ip().to_string();
    if !names.contains(&own) {
        names.push(own);
    }
    Ok(Certificate::self_signed(&directory, &names, SystemClock.now())?)
}

/// Serves the pages until `stop` turns true; nothing if they are switched off. `exclusions` are those in force.
pub(crate) async fn start(
    config: &Config,
    house: &House,
    firewall: Option<Firewall>,
    exclusions: Approved,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<Option<JoinHandle<()>>> {
    let file = address_file(&config.data);
    let Some(listener) = bind(config).await.context("the operator's pages (ops.listen)")? else {
        let _ = std::fs::remove_file(&file);
        return Ok(None);
    };
    let address = listener.address()?;
    std::fs::write(&file, format!("{address}\n")).with_context(|| format!("writing {}", file.display()))?;
    let mode = if config.firewall.mode == FirewallMode::Block { Mode::Blocking } else { Mode::DetectionOnly };
    let paranoia_level = config.firewall.paranoia_level;
    let exclusions = Arc::new(exclusions);
    let watched = firewall.map(|firewall| Watched { firewall, mode, paranoia_level, exclusions });
    let link = OneTimeLink::of(&config.data);
    let pages = OpsHouse::new(&format!("https://{address}"), link, watched, house.clock.clone(), house.entropy.clone());
    tracing::info!(%address, "the operator's pages are served; the way in: letterkeep ops link");
    let router = letterkeep_web::ops::router(pages);
    Ok(Some(tokio::spawn(async move {
        let stopped = async move {
            let _ = stop.wait_for(|stop| *stop).await;
        };
        listener.serve(router, stopped).await;
        let _ = std::fs::remove_file(&file);
    })))
}

async fn bind(config: &Config) -> anyhow::Result<Option<Listener>> {
    let limits = Limits { connections: CONNECTIONS, ..Limits::default() };
    let on = async |address| {
        anyhow::Ok(
            Listener::bind(address, TlsSource::Fixed(certificate(&config.data, address)?), limits.clone()).await?,
        )
    };
    match config.ops {
        OpsListen::Off => Ok(None),
        OpsListen::At(address) => Ok(Some(on(address).await?)),
        OpsListen::Beside(address) => match on(address).await {
            Err(error) if matches!(error.downcast_ref(), Some(ListenError::InUse(_) | ListenError::Permission(_))) => {
                Ok(Some(on(SocketAddr::new(address.ip(), 0)).await?))
            }
            bound => bound.map(Some),
        },
    }
}
