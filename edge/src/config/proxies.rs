//! Which peers may say on whose behalf they call.

use std::{net::IpAddr, str::FromStr};

use super::hosts::list;

/// Networks from TRUSTED_PROXIES.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<Network>);

#[derive(Clone, Copy, Debug)]
struct Network {
    address: IpAddr,
    prefix: u8,
}

impl TrustedProxies {
    /// The client's address: the peer's, or, where the peer is a trusted proxy, the last hop in `X-Forwarded-For`
    /// (given first to last) that is not one. What an untrusted hop claims is never believed.
    pub fn client<'a>(
        &self,
        peer: IpAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'a str>,
    ) -> IpAddr {
        let mut client = peer.to_canonical();
        for hop in forwarded_for.rev() {
            if !self.contains(client) {
                break;
            }
            let Some(address) = hop_address(hop) else { break };
            client = address;
        }
        client
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix);
                // A shift by all bits is no shift to the processor; a prefix of 0 holds everything.
                shift == 32 || network.to_bits() >> shift == address.to_bits() >> shift
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix);
                shift == 128 || network.to_bits() >> shift == address.to_bits() >> shift
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// Some proxies add the port.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let address = hop
        .parse()
        .ok()
        .or_else(|| {
            hop.parse::<std::net::SocketAddr>()
                .ok()
                .map(|address| address.ip())
        })
        .or_else(|| hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok())?;
    Some(IpAddr::to_canonical(&address))
}

impl FromStr for TrustedProxies {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        list(text).map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) = text
            .split_once('/')
            .map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), |prefix| prefix.parse().map_err(|_| ()))?;
        if prefix > longest {
            Err(())
        } else {
            Ok(Self { address, prefix })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(proxies: &str, peer: &str, forwarded: &[&str]) -> String {
        let proxies: TrustedProxies = proxies.parse().unwrap();
        proxies
            .client(peer.parse().unwrap(), forwarded.iter().copied())
            .to_string()
    }

    #[test]
    fn only_a_trusted_peer_may_forward_for_others() {
        assert_eq!(client("", "9.9.9.9", &["1.2.3.4"]), "9.9.9.9");
        assert_eq!(client("10.0.0.0/8", "9.9.9.9", &["1.2.3.4"]), "9.9.9.9");
        assert_eq!(client("10.0.0.0/8", "10.1.1.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(client("10.0.0.0/8", "10.1.1.1", &[]), "10.1.1.1");
        assert_eq!(
            client("fd00::/8,10.0.0.1", "fd00::5", &["1.2.3.4:555", "10.0.0.1"]),
            "1.2.3.4"
        );
        assert_eq!(client("0.0.0.0/0", "10.1.1.1", &["::ffff:1.2.3.4"]), "1.2.3.4");
    }

    #[test]
    fn what_the_client_wrote_itself_is_skipped() {
        assert_eq!(
            client("10.0.0.0/8", "10.1.1.1", &["6.6.6.6", "1.2.3.4"]),
            "1.2.3.4"
        );
        assert_eq!(
            client("10.0.0.0/8", "10.1.1.1", &["6.6.6.6", "garbage"]),
            "10.1.1.1"
        );
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for bad in [
            "10.0.0.0/33",
            "::/129",
            "a",
            "10.0.0.0/",
            "10.0.0/8",
            "/8",
            "1.1.1.1/-1",
        ] {
            assert!(bad.parse::<TrustedProxies>().is_err(), "{bad}");
        }
    }
}
