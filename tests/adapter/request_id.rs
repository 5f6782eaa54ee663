//! What a request is called in the audit trail.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{HeaderName, Request, Response};
use clearance::audit::{AuditEvent, AuditSink, SinkError};
use clearance::{Access, Db, Entity, RequestContext, SessionLayer, Write, async_trait};
use tower::{Layer as _, ServiceExt as _};

use crate::support::{Member, Rig, sqlite_file};

/// Nobody may delete one, so no table is needed.
#[derive(Entity)]
#[entity(table = "notes", viewer = Member, rows = open, reason = "writes are under test")]
struct Note {
    #[entity(key)]
    id: i64,
}

#[derive(Default)]
struct Kept(Mutex<Vec<AuditEvent>>);

#[async_trait]
impl AuditSink for Kept {
    async fn record(&self, _: &Db, event: &AuditEvent) -> Result<(), SinkError> {
        self.0.lock().unwrap().push(event.clone());
        Ok(())
    }
}

/// The id of a request with these headers, as the sink was told.
async fn recorded(layer: SessionLayer<Member>, cookie: &str, headers: &[(&str, &[u8])]) -> String {
    let (_folder, db) = sqlite_file().await;
    let kept = Arc::new(Kept::default());
    let db = db.audited(Arc::clone(&kept));
    let handler = tower::service_fn(move |_: Request<Body>| {
        let db = db.clone();
        async move {
            let access = Access::<Write<Member>>::authenticated().await.unwrap();
            let refused = db.writer(&access).delete::<Note>(7).await;
            assert!(refused.unwrap_err().is_not_found());
            let context = RequestContext::current().unwrap();
            Ok::<_, Infallible>(Response::new(context.request_id().to_owned()))
        }
    });
    let mut request = Request::post("/").header("cookie", cookie);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let response = layer.layer(handler).oneshot(request).await.unwrap();
    let body = axum::body::to_bytes(Body::new(response.into_body()), 1_000);
    let event = kept.0.lock().unwrap().pop().unwrap();
    assert_eq!(event.viewer().unwrap().as_str(), "ada");
    let id = event.request_id().unwrap().to_owned();
    assert_eq!(body.await.unwrap(), id);
    id
}

#[tokio::test]
async fn asvs_16_3_2_a_request_is_called_by_the_header_that_the_layer_was_told_of() {
    let rig = Rig::new();
    let device = rig.device("ada").await;
    let plain = || SessionLayer::new(rig.sessions.clone());
    let told = || plain().request_id(HeaderName::from_static("x-request-id"));
    let recorded =
        async |layer, headers: &[(&str, &[u8])]| recorded(layer, &device.cookie, headers).await;

    let id = recorded(told(), &[("x-request-id", b"01J8-check-out")]).await;
    assert_eq!(id, "01J8-check-out");
    let mut random = vec![
        recorded(told(), &[]).await,
        recorded(told(), &[("x-correlation-id", b"01J8")]).await,
        // Whoever was told of no header takes none.
        recorded(plain(), &[("x-request-id", b"01J8")]).await,
    ];
    let long = [b'x'; 129];
    for forged in [&b""[..], b"two words", b"tab\tbed", b"caf\xe9", &long] {
        random.push(recorded(told(), &[("x-request-id", forged)]).await);
    }
    for (index, id) in random.iter().enumerate() {
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert!(!random[..index].contains(id), "{random:?}");
    }
}
