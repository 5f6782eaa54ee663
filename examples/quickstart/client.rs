//! The other side: calls over real HTTP, with and without a cookie.

use std::net::SocketAddr;

use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::Failure;
use super::capture::{CALL_HEADER, SqlLog};

pub(crate) struct Client {
    http: reqwest::Client,
    address: SocketAddr,
    log: SqlLog,
}

/// What a call got, and what it made the server do.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) sql: Vec<String>,
}

impl Answer {
    /// How many of its statements read the session store.
    pub(crate) fn store_reads(&self) -> usize {
        let reads = |sql: &&String| sql.starts_with("SELECT") && sql.contains("clearance_sessions");
        self.sql.iter().filter(reads).count()
    }
}

impl Client {
    pub(crate) fn new(address: SocketAddr, log: SqlLog) -> Self {
        Self {
            http: reqwest::Client::new(),
            address,
            log,
        }
    }

    /// Signs in and gives the cookie, as `name=value`.
    pub(crate) async fn sign_in(&self, user: &str) -> Result<String, Failure> {
        let (_, response) = self
            .send(
                Method::POST,
                "/sign-in",
                None,
                Some(json!({ "user": user })),
            )
            .await?;
        let cookie = response.headers().get(SET_COOKIE);
        let cookie = cookie.and_then(|cookie| cookie.to_str().ok()?.split(';').next());
        match cookie {
            Some(cookie) => Ok(cookie.to_owned()),
            None => Err(format!("signing in as {user} gave no cookie").into()),
        }
    }

    pub(crate) async fn get(&self, path: &str, cookie: Option<&str>) -> Result<Answer, Failure> {
        self.call(Method::GET, path, cookie, None).await
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        cookie: Option<&str>,
        body: Option<Value>,
    ) -> Result<Answer, Failure> {
        let (number, response) = self.send(method, path, cookie, body).await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok(Answer {
            status,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            sql: self.log.take(number),
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        cookie: Option<&str>,
        body: Option<Value>,
    ) -> Result<(u64, Response), Failure> {
        let number = SqlLog::next_call();
        let mut request = self
            .http
            .request(method, format!("http://{}{path}", self.address))
            .header(CALL_HEADER, number);
        if let Some(cookie) = cookie {
            request = request.header(COOKIE, cookie);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        Ok((number, request.send().await?))
    }
}
