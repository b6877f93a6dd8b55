//! `letterkeep init`

use std::process::ExitCode;

use super::say;
use crate::config::{Config, RootKey};
use crate::house::House;

pub(crate) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let house = House::init(config).await?;
    house.close().await;
    let (RootKey::KeyFile(root) | RootKey::PassphraseFile { path: root, .. }) = &config.root;
    say(&format!("Data directory  {}", config.data.display()));
    say(&format!("Root key        {}", root.display()));
    say("");
    say("Keep a copy of the root key in another place than the backups of the data: without it nobody can read them,");
    say("with it everybody who has a backup can. Next: letterkeep serve");
    Ok(ExitCode::SUCCESS)
}
