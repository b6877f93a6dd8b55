//! `letterkeep serve`

use std::process::ExitCode;

use anyhow::Context as _;
use letterkeep_network::{Edge, EdgeSettings, Listener};
use tokio::sync::watch;

use crate::config::{Config, own_exclusions};
use crate::edge::{self, Approved};
use crate::house::House;
use crate::listen::{self, bind};
use crate::ops;
use crate::worker;

pub(crate) async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let listener = bind(&config).await?;
    let house = House::open(&config).await?;
    let (stop, stopped) = watch::channel(false);
    tracing::info!(address = %listener.address()?, url = config.public_url, "serving");
    let mut service = tokio::spawn(serve(listener, house.clone(), config.clone(), stopped));
    tokio::select! {
        // It ends by itself only when it cannot go on.
        ended = &mut service => {
            ended.context("the service ended abnormally")??;
            return Ok(ExitCode::SUCCESS);
        }
        () = wait_for_signal() => {}
    }
    tracing::info!("stopping: open requests and jobs may end");
    let _ = stop.send(true);
    service.await.context("the service ended abnormally")??;
    Ok(ExitCode::SUCCESS)
}

/// Serves pages and runs jobs until `stop` turns true.
pub(crate) async fn serve(
    listener: Listener,
    house: House,
    config: Config,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    listen::accompany(&config, listener.tls(), &stop).await?;
    let outbound = crate::house::outbound(&config)?;
    let router = crate::house::router(&house, &config, outbound.clone())?;
    let exclusions = own_exclusions()?;
    let firewall = edge::firewall(&config, &exclusions, house.clock.clone())?;
    let in_force = exclusions.iter().chain(&config.firewall.exclusions).cloned().collect();
    let in_force = Approved { data: config.data.clone(), configured: in_force };
    let operators = ops::start(&config, &house, firewall.clone(), in_force, stop.clone()).await?;
    if let Some(firewall) = firewall.clone() {
        tokio::spawn(edge::follow(firewall, config.clone(), exclusions, stop.clone()));
    }
    let settings = EdgeSettings {
        session_cookie: Some(letterkeep_web::SESSION_COOKIE.to_owned()),
        ..edge::settings(&config, edge::own_routes(config.import_max_bytes)?)
    };
    let service = Edge::new(router, settings, firewall, house.clock.clone(), house.entropy.clone());
    let jobs = tokio::spawn(worker::run(house.clone(), outbound, stop.clone()));
    let mut ends = stop.clone();
    listener
        .serve(service, async move {
            let _ = ends.wait_for(|stop| *stop).await;
        })
        .await;
    if let Some(operators) = operators {
        operators.await.context("the operator's pages ended abnormally")?;
    }
    jobs.await.context("the background worker ended abnormally")?;
    house.close().await;
    Ok(())
}

/// Waits for Ctrl-C, or for the signal with which a service manager ends a service.
pub(crate) async fn wait_for_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
