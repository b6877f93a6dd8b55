//! The edge in front of the service: which routes may do what, which rules look at requests, and how new rules come in
//! while the service runs.

mod approved;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use letterkeep_model::Clock;
use letterkeep_network::rules::{self, Mode, Origin, RuleSet, Settings};
use letterkeep_network::{
    EdgeSettings, Exclusion, Firewall, FirewallLimits, Pattern, Policy, ResponseHeaders, Route, Routes, to_rules,
};
use tokio::sync::watch;

pub(crate) use approved::Approved;

use crate::config::{Config, FirewallMode, FirewallSettings, RulesFrom, public_host};

/// The file of decisions in the data directory.
const DECISIONS: &str = "firewall.jsonl";

/// Where recipients' links lead. Their mailbox providers fetch pictures and links for all of them from few addresses.
const FOR_RECIPIENTS: [&str; 4] = ["/o/", "/c/", "/v/", "/u/"];

/// How often somebody looks whether other rules were installed.
const LOOK: Duration = Duration::from_secs(2);

/// What the edge holds requests to, on `routes`.
pub(crate) fn settings(config: &Config, routes: Routes) -> EdgeSettings {
    let limits = &config.edge;
    let headers = ResponseHeaders::default();
    EdgeSettings {
        routes,
        trusted: limits.trusted.clone(),
        client_rate: limits.client_rate,
        session_rate: limits.session_rate,
        account_rate: limits.account_rate,
        in_flight: limits.requests,
        in_flight_per_client: limits.requests_per_client,
        headers: if is_local(&config.public_url) { headers } else { headers.with_transport_security() },
        ..EdgeSettings::default()
    }
}

/// The routes of our own pages: forms are looked at as a whole, files while they arrive.
pub(crate) fn own_routes(upload_bytes: u64) -> anyhow::Result<Routes> {
    let route = |declared: letterkeep_web::Declared| {
        let shared_addresses = FOR_RECIPIENTS.iter().any(|start| declared.path.starts_with(start));
        let usual = Policy { shared_addresses, ..Policy::default() };
        let policy = if declared.upload { Policy { body_bytes: upload_bytes, streams: true, ..usual } } else { usual };
        Ok(Route { method: Some(declared.method), pattern: Pattern::new(declared.path)?, policy })
    };
    let routes = letterkeep_web::declared().into_iter().map(route).collect::<anyhow::Result<_>>()?;
    Ok(Routes { routes, default: Policy::default() })
}

/// The firewall with the rules that the configuration names, unless it is off.
pub(crate) fn firewall(config: &Config, own: &[Exclusion], clock: Arc<dyn Clock>) -> anyhow::Result<Option<Firewall>> {
    if config.firewall.mode == FirewallMode::Off {
        tracing::warn!("the firewall is switched off: no request is looked at");
        return Ok(None);
    }
    let set = rules_of(&config.firewall, &config.data, own)?;
    tracing::info!(set = set.name, version = set.version, rules = set.len(), "the firewall's rules are loaded");
    let limits = FirewallLimits { budget: config.firewall.budget, ..FirewallLimits::default() };
    let file = config.data.join(DECISIONS);
    let firewall = Firewall::new(set, limits, clock, Some(&file));
    Ok(Some(firewall.with_context(|| format!("opening {}", file.display()))?))
}

/// Uses other rules as soon as they are installed, and exclusions as soon as they are approved, without a restart, until
/// `stop` turns true. They are loaded and tried beside the ones in use; what does not pass changes nothing.
pub(crate) async fn follow(firewall: Firewall, config: Config, own: Vec<Exclusion>, mut stop: watch::Receiver<bool>) {
    let (config, own) = (Arc::new(config), Arc::new(own));
    let seen_at = |data: &Path| {
        let approved = std::fs::metadata(approved::file(data)).and_then(|file| Ok((file.modified()?, file.len()))).ok();
        (rules::watch_token(data), approved)
    };
    let mut known = seen_at(&config.data);
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let seen = seen_at(&config.data);
        if seen == known {
            continue;
        }
        known = seen;
        let (config, own) = (config.clone(), own.clone());
        let loading = tokio::task::spawn_blocking(move || rules_of(&config.firewall, &config.data, &own));
        match loading.await {
            Ok(Ok(set)) => {
                tracing::info!(
                    set = set.name,
                    version = set.version,
                    rules = set.len(),
                    "the firewall uses other rules"
                );
                firewall.swap(set);
            }
            Ok(Err(error)) => tracing::error!("new rules are not used, those before are kept: {error:#}"),
            Err(error) => tracing::error!(%error, "loading new rules ended abnormally; those before are kept"),
        }
    }
}

/// How rules are loaded, with what the configuration says.
pub(crate) fn rules_settings(settings: &FirewallSettings, own: &[Exclusion]) -> Settings {
    let exclusions: Vec<Exclusion> = own.iter().chain(&settings.exclusions).cloned().collect();
    Settings {
        paranoia_level: settings.paranoia_level,
        inbound_threshold: settings.threshold,
        mode: if settings.mode == FirewallMode::Block { Mode::Blocking } else { Mode::DetectionOnly },
        exclusions: to_rules(&exclusions),
        ..Settings::default()
    }
}

/// The set that the configuration names, loaded and tried.
pub(crate) fn rules_of(settings: &FirewallSettings, data: &Path, own: &[Exclusion]) -> anyhow::Result<RuleSet> {
    let origin = match &settings.rules {
        RulesFrom::Found => rules::find(data, Path::new("/"))?,
        RulesFrom::BuiltIn => Origin::BuiltIn,
        RulesFrom::Directory(path) => Origin::Directory(path.clone()),
    };
    let approved = approved::read(data)?;
    let exclusions: Vec<Exclusion> = own.iter().chain(&approved).cloned().collect();
    let set = rules::load(&origin, &rules_settings(settings, &exclusions)).context("loading the firewall's rules")?;
    rules::self_test(&set).context("trying the firewall's rules")?;
    Ok(set)
}

fn is_local(public_url: &str) -> bool {
    let host = public_host(public_url);
    host == "localhost" || host.starts_with("127.") || host.ends_with(".localhost")
}
