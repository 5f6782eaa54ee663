//! What is decided by a request's path and headers alone, before anything is asked of a store.

mod path;
mod proxies;
mod return_to;

pub use path::NormalPath;
pub use proxies::TrustedProxies;
pub use return_to::ReturnTo;
