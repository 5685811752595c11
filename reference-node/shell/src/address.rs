//! Addresses of `bind` and `bind-source-addr`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindAddress {
    /// The address.
    pub ip: IpAddr,
    /// What to do if this machine does not have it.
    pub need: Need,
}

/// Whether an address must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It must.
    Required,
    /// It may be missing: written with a `-` before it.
    Optional,
}

/// The addresses of `bind`, or the two loopback ones if there is none.
///
/// # Errors
/// The text that is no address.
pub fn bind_addresses(bind: &[String]) -> Result<Vec<BindAddress>, String> {
    let default = ["127.0.0.1".to_string(), "-::1".to_string()];
    let bind = if bind.is_empty() { &default } else { bind };
    bind.iter()
        .map(|text| parse(text).ok_or_else(|| text.clone()))
        .collect()
}

fn parse(text: &str) -> Option<BindAddress> {
    let (text, need) = match text.strip_prefix('-') {
        Some(rest) => (rest, Need::Optional),
        None => (text, Need::Required),
    };
    let ip = match text {
        "*" => Ipv4Addr::UNSPECIFIED.into(),
        "::*" => Ipv6Addr::UNSPECIFIED.into(),
        "localhost" => Ipv4Addr::LOCALHOST.into(),
        text => text.parse().ok()?,
    };
    Some(BindAddress { ip, need })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_upstreams_notation() {
        let bind = ["127.0.0.1", "-::1", "*", "-::*"].map(String::from);
        let addresses = bind_addresses(&bind).expect("valid");
        let texts: Vec<String> = addresses.iter().map(|a| a.ip.to_string()).collect();
        assert_eq!(texts, ["127.0.0.1", "::1", "0.0.0.0", "::"]);
        assert_eq!(addresses[3].need, Need::Optional);
        assert_eq!(
            bind_addresses(&["nowhere".to_string()]),
            Err("nowhere".to_string())
        );
    }
}
