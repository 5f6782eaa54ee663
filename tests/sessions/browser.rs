//! A browser, as far as cookies go.

use std::collections::BTreeMap;

use clearance::RequestContext;
use clearance::session::SignIn;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};

use crate::support::{Member, Rig};

/// The cookies that a browser has. A clone is what somebody copied out of it.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub(crate) struct Browser {
    pub(crate) jar: BTreeMap<String, String>,
}

impl Browser {
    /// A browser in which `name` just signed in.
    pub(crate) async fn signed_in(rig: &Rig, sign_in: impl Into<SignIn>) -> Self {
        let mut browser = Self::default();
        let request = browser.request(rig);
        request.sign_in(sign_in).await.unwrap();
        assert!(!browser.finish(&request).is_empty());
        browser
    }

    pub(crate) fn cookie(&self) -> String {
        let pairs: Vec<_> = self
            .jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !self.jar.is_empty() {
            let cookie = HeaderValue::try_from(self.cookie()).unwrap();
            headers.insert("cookie", cookie);
        }
        headers
    }

    pub(crate) fn request(&self, rig: &Rig) -> RequestContext {
        RequestContext::new(&rig.sessions, &self.headers())
    }

    /// Ends the request and takes its cookies; gives their whole text.
    pub(crate) fn finish(&mut self, request: &RequestContext) -> Vec<String> {
        let mut response = HeaderMap::new();
        request.finish(&mut response);
        let mut texts = Vec::new();
        for header in response.get_all(SET_COOKIE) {
            let text = header.to_str().unwrap().to_owned();
            let (name, rest) = text.split_once('=').unwrap();
            let (value, attributes) = rest.split_once("; ").unwrap();
            if attributes.contains("Max-Age=0;") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
            texts.push(text);
        }
        texts
    }

    /// Visits a page that asks who is there; gives the status, and takes the cookies.
    pub(crate) async fn visit(&mut self, rig: &Rig) -> u16 {
        let request = self.request(rig);
        let status = match request.verify_session::<Member>().await {
            Ok(_) => 200,
            Err(error) => error.status(),
        };
        self.finish(&request);
        status
    }

    /// What a page answers to these cookies, without taking any.
    pub(crate) async fn status(&self, rig: &Rig) -> u16 {
        self.clone().visit(rig).await
    }
}
