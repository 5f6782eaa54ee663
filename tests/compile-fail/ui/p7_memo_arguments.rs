//! The arguments of a method that is remembered are kept and compared.

#![allow(unused, reason = "what an error leaves without a use is beside the point")]

use clearance::{Db, Result, repository};
use clearance_compile_fail::Member;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Users {
    db: Db,
}

struct Page;

#[repository(viewer = Member)]
impl Users {
    #[authenticated(access)]
    #[memo]
    pub async fn not_comparable(&self, rating: f64) -> Result<u64> {
        Ok(1)
    }

    #[authenticated(access)]
    #[memo]
    pub async fn not_cloned(&self, page: &Page) -> Result<u64> {
        Ok(1)
    }

    #[authenticated(access)]
    #[memo]
    pub async fn borrows(&self, name: Option<&str>) -> Result<u64> {
        Ok(1)
    }

    #[authenticated(access)]
    #[memo]
    pub async fn changes(&self, names: &mut Vec<String>) -> Result<u64> {
        Ok(1)
    }

    #[authenticated(access)]
    #[memo]
    pub async fn taken_apart(&self, (from, to): (u64, u64)) -> Result<u64> {
        Ok(1)
    }

    #[authenticated(access)]
    #[memo]
    pub async fn unknown_type<T>(&self, of: T) -> Result<u64> {
        Ok(1)
    }

    #[authenticated(access)]
    #[memo(60)]
    pub async fn for_a_while(&self) -> Result<u64> {
        Ok(1)
    }

    #[authenticated(access)]
    #[memo]
    #[memo]
    pub async fn twice(&self) -> Result<u64> {
        Ok(1)
    }
}

fn main() {}
