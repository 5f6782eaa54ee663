//! A fresh session store for a test, of the engine that this run is about.
//!
//! `CLEARANCE_ENGINE` names it as in `engines.rs`; besides the databases it can be `redis`, whose
//! server `REDIS_URL` names.

use std::sync::Arc;

use clearance::session::{RedisSessionStore, SessionStore};

use crate::engines::{Database, database};

/// Whether this run is about Redis rather than about a database.
pub fn is_redis() -> bool {
    std::env::var("CLEARANCE_ENGINE").as_deref() == Ok("redis")
}

pub fn redis_url() -> String {
    std::env::var("REDIS_URL")
        .unwrap_or_else(|_| panic!("REDIS_URL names no server; `cargo xtask test` starts one"))
}

/// A name that nobody else has.
pub fn fresh(what: &str) -> String {
    format!("clearance_test_{}:{what}:", uuid::Uuid::new_v4().simple())
}

/// A store of one test. It is gone when this is dropped, or with the server.
pub struct Fresh {
    pub store: Arc<dyn SessionStore>,
    pub database: Option<Database>,
}

pub async fn store() -> Fresh {
    if is_redis() {
        let store = RedisSessionStore::connect(&redis_url()).await.unwrap();
        return Fresh {
            store: Arc::new(store.with_prefix(fresh("store"))),
            database: None,
        };
    }
    let database = database("").await;
    database.db.migrate().await.unwrap();
    Fresh {
        store: Arc::new(database.db.session_store()),
        database: Some(database),
    }
}
