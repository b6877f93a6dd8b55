//! `@ipMatch`: addresses and networks.

use super::OperatorError;
use std::net::IpAddr;

pub(crate) struct Networks(Vec<(u128, u128)>);

impl Networks {
    /// Addresses, each with or without the length of its network, between commas or white space.
    pub(super) fn parse(argument: &str) -> Result<Self, OperatorError> {
        let entries = argument.split([',', ' ', '\t', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
        let networks = entries.map(network).collect::<Result<Vec<_>, _>>()?;
        if networks.is_empty() {
            return Err(OperatorError::Argument { reason: "it lists no address".to_owned() });
        }
        Ok(Self(networks))
    }

    /// Whether a value is an address in one of them; an IPv4 address may be written as IPv6.
    pub(super) fn contain(&self, value: &[u8]) -> bool {
        let address = str::from_utf8(value).ok().and_then(|text| text.trim().parse().ok());
        address.is_some_and(|address| self.0.iter().any(|(first, mask)| bits(address) & mask == *first))
    }
}

/// IPv4 as it is mapped into IPv6.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn network(entry: &str) -> Result<(u128, u128), OperatorError> {
    let error = || OperatorError::Argument { reason: format!("\"{entry}\" is no address and no network") };
    let (address, length) = entry.split_once('/').map_or((entry, None), |(address, length)| (address, Some(length)));
    let address: IpAddr = address.parse().map_err(|_| error())?;
    let width: u32 = if address.is_ipv4() { 32 } else { 128 };
    let length = match length {
        None => width,
        Some(length) => length.parse().ok().filter(|length| *length <= width).ok_or_else(error)?,
    };
    let mask = u128::MAX.checked_shl(width - length).unwrap_or(0);
    Ok((bits(address) & mask, mask))
}
