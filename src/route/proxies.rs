//! The address of a client behind proxies.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::{IpNet, Ipv4Net};

use crate::{Error, Result};

/// The only header that is read.
const FORWARDED: &str = "x-forwarded-for";

/// The maximum number of elements that are read. No chain of proxies is as long, but a forged header may be.
const LONGEST: usize = 32;

/// The proxies that are trusted to report a client's address ([OWASP ASVS
/// 5.0](https://github.com/OWASP/ASVS), 15.3.4). Compiled with the feature `gates` only.
///
/// Any client can send an `X-Forwarded-For` of its own. So the header is read only where the connection comes
/// from a trusted proxy, and from the right, where each proxy appends its peer's address: the first address
/// that is no trusted proxy is the client, and the client itself wrote everything left of it.
///
/// **Each of the proxies must add to `X-Forwarded-For`, or set it anew.** It is the only header
/// that is read. `Forwarded`, `X-Real-IP` and the like are not, because a proxy that does not know
/// one of them passes on what the client wrote.
///
/// An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) counts as the IPv4 address.
///
/// # Examples
///
/// ```
/// use clearance::route::TrustedProxies;
/// use http::{HeaderMap, HeaderValue};
/// use std::net::IpAddr;
///
/// let proxies = TrustedProxies::new(["10.0.0.0/8", "2001:db8::1"])?;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("x-forwarded-for", HeaderValue::from_static("1.1.1.1, 203.0.113.7, 10.0.0.2"));
///
/// let peer = IpAddr::from([10, 0, 0, 1]);
/// assert_eq!(proxies.client(peer, &headers), IpAddr::from([203, 0, 113, 7]));
///
/// // Nobody else is believed.
/// let stranger = IpAddr::from([198, 51, 100, 9]);
/// assert_eq!(proxies.client(stranger, &headers), stranger);
/// # Ok::<(), clearance::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
}

impl TrustedProxies {
    /// Trusts these networks, in CIDR notation, and single addresses. An empty list trusts no proxy, and the
    /// header is never read.
    ///
    /// # Errors
    ///
    /// A configuration error ([`Error::is_configuration`]) where a text is neither, or is
    /// a network of all addresses, which would believe every client.
    pub fn new(networks: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self> {
        let networks = networks.into_iter().zip(1_usize..);
        let networks = networks.map(|(text, position)| {
            let text = text.as_ref();
            let refused = |why: &str| {
                Error::configuration(format!(
                    "trusted proxy {position} of the list, `{text}`, {why}; write one like `10.0.0.0/8`, `2001:db8::/32` or `192.0.2.1`"
                ))
            };
            let network = network(text).ok_or_else(|| refused("is neither a network nor an address"))?;
            if network.prefix_len() == 0 {
                return Err(refused("trusts every client"));
            }
            Ok(network)
        });
        Ok(Self {
            networks: networks.collect::<Result<_>>()?,
        })
    }

    /// Returns the address of the client whose request came over a connection from `peer`.
    ///
    /// It is `peer` itself where that is no trusted proxy. Otherwise it is the rightmost address in
    /// `X-Forwarded-For` that is not trusted, with all lines of that header joined in order, and the leftmost
    /// where all are trusted. An element that is no address ends the search, and so does the 33rd from the
    /// right: the result is the last trusted address before it, and never one that a client could have
    /// written. A port after an address is dropped.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lines = headers.get_all(FORWARDED).into_iter().rev();
        let mut elements = lines
            .flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','))
            .take(LONGEST);
        while self.trusts(client) {
            match elements.next().and_then(address) {
                Some(next) => client = next,
                None => break,
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }
}

fn network(text: &str) -> Option<IpNet> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text.parse().ok()?,
    };
    // Addresses are compared as IPv4 where they can be, so networks have to be.
    let IpNet::V6(wide) = network else {
        return Some(network);
    };
    let Some((address, length)) = wide
        .addr()
        .to_ipv4_mapped()
        .zip(wide.prefix_len().checked_sub(96))
    else {
        return Some(network);
    };
    Ipv4Net::new(address, length).ok().map(IpNet::V4)
}

/// Parses `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` and `[2001:db8::1]:80`.
fn address(element: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(element).ok()?.trim_matches([' ', '\t']);
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = match bare {
        Some(bare) => IpAddr::V6(bare.parse().ok()?),
        None => match text.parse() {
            Ok(address) => address,
            Err(_) => text.parse::<SocketAddr>().ok()?.ip(),
        },
    };
    Some(address.to_canonical())
}
