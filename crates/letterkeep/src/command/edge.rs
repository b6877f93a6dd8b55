//! `letterkeep edge`: the edge and its firewall before a service that is not ours.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use letterkeep_model::{SystemClock, SystemEntropy};
use letterkeep_network::{Edge, EdgeSettings, Policy, Proxy, ProxySettings, Routes, Upstream};
use tokio::sync::watch;

use crate::command::serve::wait_for_signal;
use crate::config::Config;
use crate::listen::{self, bind};
use crate::{edge, house};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the service runs: http://127.0.0.1:3000, or https://… with a certificate that this system trusts. Several
    /// get requests in turn, as long as they answer.
    #[arg(long, required = true, value_name = "URL")]
    upstream: Vec<Upstream>,
    /// The path that is asked for every five seconds to know whether an upstream is well; any status below 500 is
    #[arg(long, value_name = "PATH", default_value = "/")]
    health: String,
    /// Send the upstream's own name as Host, not the one that the client asked for
    #[arg(long)]
    upstream_host: bool,
    /// Megabytes that the body of a request may have. It is looked at as a whole before the service sees it
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=64))]
    body_megabytes: u64,
}

pub(crate) async fn run(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    house::make_directory(&config.data)?;
    let listener = bind(&config).await?;
    let upstreams = args.upstream.clone();
    let proxy = Proxy::new(ProxySettings {
        upstreams: args.upstream,
        keeps_host: !args.upstream_host,
        health_path: args.health,
        ..ProxySettings::default()
    })?;
    let clock = Arc::new(SystemClock);
    let firewall = edge::firewall(&config, &[], clock.clone())?;
    let (stop, stopped) = watch::channel(false);
    listen::accompany(&config, listener.tls(), &stopped).await?;
    if let Some(firewall) = firewall.clone() {
        tokio::spawn(edge::follow(firewall, config.clone(), Vec::new(), stopped.clone()));
    }
    let policy = Policy { body_bytes: args.body_megabytes << 20, ..Policy::default() };
    let routes = Routes { routes: Vec::new(), default: policy };
    // Every path is the service's own, one for health too.
    let settings = EdgeSettings { health: None, ..edge::settings(&config, routes) };
    let service = Edge::new(proxy.clone(), settings, firewall, clock, Arc::new(SystemEntropy));
    for upstream in &upstreams {
        tracing::info!(%upstream, "a service stands behind the edge");
    }
    tracing::info!(address = %listener.address()?, "serving");
    let mut ends = stopped;
    let mut serving = tokio::spawn(listener.serve(service, async move {
        let _ = ends.wait_for(|stop| *stop).await;
    }));
    tokio::select! {
        // It ends by itself only when it cannot go on.
        ended = &mut serving => return ended.context("the edge ended abnormally").map(|()| ExitCode::SUCCESS),
        () = proxy.watch() => {}
        () = wait_for_signal() => {}
    }
    tracing::info!("stopping: open requests may end");
    let _ = stop.send(true);
    serving.await.context("the edge ended abnormally")?;
    Ok(ExitCode::SUCCESS)
}
