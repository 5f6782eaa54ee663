//! A client that keeps cookies as browsers do: its jar is not this project's.

use std::sync::Arc;

use reqwest::cookie::{CookieStore as _, Jar};
use reqwest::{Client, Url};

use crate::server::Server;
use crate::support::Rig;

/// A server that is reached over plain HTTP, and a client with an empty jar. Each request goes over
/// a connection of its own.
async fn browser() -> (Server, Client, Arc<Jar>) {
    let rig = Rig::with(|builder| builder.app_url("http://localhost:3000").development());
    let jar = Arc::new(Jar::default());
    let client = Client::builder()
        .cookie_provider(Arc::clone(&jar))
        .pool_max_idle_per_host(0)
        .build()
        .unwrap();
    (Server::with(rig).await, client, jar)
}

fn cookies(jar: &Jar, url: &str) -> Option<String> {
    let cookies = jar.cookies(&url.parse::<Url>().unwrap())?;
    Some(cookies.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn sl_22_a_session_outlives_the_page_that_began_it() {
    let (server, client, jar) = browser().await;
    let page = server.url("/required");
    assert_eq!(client.get(&page).send().await.unwrap().status(), 401);

    let sign_in = client.post(server.url("/sign-in/ada"));
    assert_eq!(sign_in.send().await.unwrap().status(), 200);
    let kept = cookies(&jar, &page).unwrap();
    assert!(kept.starts_with("session="), "{kept}");
    for _ in 0..2 {
        let response = client.get(&page).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.text().await.unwrap(), "ada");
        assert_eq!(cookies(&jar, &page).unwrap(), kept);
    }
}

#[tokio::test]
async fn sl_11_signing_out_leaves_no_session_in_the_jar() {
    let (server, client, jar) = browser().await;
    let page = server.url("/required");
    client
        .post(server.url("/sign-in/ada"))
        .send()
        .await
        .unwrap();
    assert!(cookies(&jar, &page).unwrap().starts_with("session="));

    let sign_out = client.post(server.url("/sign-out"));
    assert_eq!(sign_out.send().await.unwrap().status(), 200);
    assert_eq!(cookies(&jar, &page), None);
    // What the application itself set below this path stays.
    let kept = cookies(&jar, &server.url("/sign-in/ada"));
    assert_eq!(kept.unwrap(), "something=important");
    assert_eq!(client.get(&page).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn ck_15_a_client_sends_the_cookie_over_https_only() {
    let rig = Rig::new();
    let jar = Jar::default();
    let app = "https://app.example".parse().unwrap();
    let session = rig.sessions.create(&clearance::Subject::new("ada")).await;
    let set_cookies = session.unwrap().into_set_cookies();
    jar.set_cookies(&mut set_cookies.iter(), &app);

    let sent = cookies(&jar, "https://app.example/page").unwrap();
    assert!(sent.starts_with("__Host-session="), "{sent}");
    assert_eq!(rig.status(&sent).await, 200);
    for elsewhere in [
        "http://app.example/page",
        "https://example/",
        "https://sub.app.example/",
    ] {
        assert_eq!(cookies(&jar, elsewhere), None, "{elsewhere}");
    }
}
