//! The library without any framework.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]

use std::process::Command;

use clearance::{RequestContext, Viewer, verify_session};

#[derive(Viewer)]
struct Member {
    id: i64,
}

/// The crates that the library needs with these features.
fn tree(features: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--package",
            "clearance",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .args([
            "--no-default-features",
            "--features",
            features,
            "--format",
            "{p}",
            "--offline",
        ])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout).unwrap();
    let name = |line: &str| line.split(' ').next().unwrap().to_owned();
    lines.lines().map(name).collect()
}

#[test]
fn fw_05_without_a_framework_the_library_needs_none() {
    let frameworks = [
        "actix-web",
        "axum",
        "hyper",
        "poem",
        "rocket",
        "salvo_core",
        "tonic",
        "tower",
        "tower-service",
        "warp",
    ];
    let plain = tree("sqlite,derive");
    assert!(plain.contains(&"sqlx".to_owned()), "{plain:?}");
    for framework in frameworks {
        assert!(!plain.contains(&framework.to_owned()), "{framework}");
    }
    let axum = tree("sqlite,axum");
    assert!(axum.contains(&"axum".to_owned()));
    for framework in ["actix-web", "poem", "rocket", "salvo_core", "tonic", "warp"] {
        assert!(!axum.contains(&framework.to_owned()), "{framework}");
    }
}

#[tokio::test]
async fn fw_03_there_is_no_viewer_of_the_whole_process() {
    assert!(RequestContext::current().unwrap_err().is_misuse());
    let error = verify_session::<Member>().await.unwrap_err();
    assert!(error.is_misuse());
    assert!(error.to_string().contains("no request is in scope"));
    let given = clearance::testing::as_viewer(Member { id: 7 });
    let verified = given.scope(verify_session::<Member>()).await.unwrap();
    assert_eq!(verified.viewer().id, 7);
    assert!(verify_session::<Member>().await.is_err());
}
