//! What is decided by a request's path and headers alone, before anything is asked of a store.

mod groups;
mod headers;
mod path;
mod proxies;
mod return_to;

pub use groups::{Group, GroupRule, Groups};
pub use headers::{ResourceIsolation, SecurityHeaders};
pub use path::NormalPath;
pub use proxies::TrustedProxies;
pub use return_to::ReturnTo;
